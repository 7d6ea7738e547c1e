package site

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/skupper-host/skupper/system/resource"
)

// FuzzBuild makes sites of whatever loads. The same input must give the same
// site, and what is asked for must be there.
func FuzzBuild(f *testing.F) {
	for _, pattern := range []string{"*/*.yaml", "*/*/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(fixtures, pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, false)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, tolerant bool) {
		set, _, _ := resource.Parse([]resource.Input{{Name: "f", Data: data}})
		ctx := host()
		ctx.Tolerant, ctx.AnyNamespace = tolerant, true
		s, _, err := Build(set, ctx)
		if (s == nil) == (err == nil) {
			t.Fatalf("site %v, error %v", s, err)
		}
		if s == nil {
			return
		}
		names := make(map[string]bool)
		for _, c := range s.Credentials {
			names[c.Name] = true
		}
		for _, c := range s.Credentials {
			if c.Origin == Generated && c.Issuer != "" && !names[c.Issuer] {
				t.Errorf("credential %s: issuer %s is not there", c.Name, c.Issuer)
			}
		}
		for _, l := range s.Listeners {
			if l.Profile != "" && !names[l.Profile] {
				t.Errorf("listener %s: profile %s is not there", l.Name, l.Profile)
			}
		}
		again, _, err := Build(set, ctx)
		if err != nil || printed(again) != printed(s) {
			t.Errorf("another site the second time, error %v", err)
		}
	})
}
