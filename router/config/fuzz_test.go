package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/skupper-host/skupper/router/config"
)

// FuzzParse reads both syntaxes. What can be read must come back from Encode.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"site.json", "site.conf"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("listener {\n openProperties: {\n # c\n \"a\": [1, {\"b\": \"}\"},],\n } # end\n}"))
	f.Add([]byte(`[["listener", {"port": "007", "name": "\ud800"}], ["log", {"module": "DEFAULT"}]]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := config.Parse("f", data, environment)
		if err != nil {
			return
		}
		text := c.Encode()
		again, warnings, err := config.Parse("g", text, nil)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%v %v in\n%s", err, warnings, text)
		}
		if changes := config.Diff(c, again); len(changes) > 0 {
			t.Fatalf("%v in\n%s", changes, text)
		}
		if second := again.Encode(); !bytes.Equal(text, second) {
			t.Fatalf("first\n%s\nthen\n%s", text, second)
		}
	})
}
