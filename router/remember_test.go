package router

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/vanflow"
)

// TestProcessesOfTheRunBefore ends those that are gone, of the same site only.
func TestProcessesOfTheRunBefore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "router.sock.processes")
	start := time.Now()
	everybody := func(string) bool { return true }
	// run returns the processes that a run of a site says have ended.
	run := func(site string, processes ...string) (ended []string) {
		s := &remembering{Controller: vanflow.NewController(start, site, vanflow.Site{Name: "a"}), path: path, log: slog.New(slog.DiscardHandler)}
		s.Step(start, everybody) // too early to forget anybody
		for _, p := range processes {
			s.AddProcess(start, vanflow.Process{Identity: p, Name: p})
		}
		s.compare(start)
		for _, p := range s.Step(start.Add(time.Minute), everybody).Send {
			m, err := vanflow.Decode(p.Payload)
			if err != nil {
				t.Fatal(err)
			}
			for i := range m.Records {
				if r := &m.Records[i]; r.Type == vanflow.TypeProcess && r.Ended() {
					ended = append(ended, r.Identity)
				}
			}
		}
		return ended
	}
	check := func(what string, ended []string, want string) {
		t.Helper()
		if len(ended) > 1 || len(ended) == 1 && ended[0] != want || len(ended) == 0 && want != "" {
			t.Errorf("%s: %q ended, want %q", what, ended, want)
		}
	}
	check("the first run", run("site", "p", "q"), "")
	check("one is gone", run("site", "q", "r"), "p")
	check("once", run("site", "q", "r"), "")
	check("another site", run("other"), "")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("a broken file", run("site", "s"), "")
	check("is replaced", run("site"), "s")
}
