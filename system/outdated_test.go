package system

import (
	"strings"
	"testing"
)

func TestStatusNamesRoutersOfAnotherVersion(t *testing.T) {
	t.Parallel()
	n := &namespace{m: &machine{options: Options{Version: "2.1"}}}
	for version, want := range map[string]string{
		"":    "",
		"2.1": "",
		"2.0": "the router runs version 2.0, 2.1 is installed; `skupper system restart`",
	} {
		got := n.outdated(&live{version: version})
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("version %q: %q", version, got)
		}
	}
}
