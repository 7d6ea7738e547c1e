package journal_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/journal"
)

// own returns a handler of the process that writes to the buffer.
func own(b *bytes.Buffer, level slog.Level) slog.Handler {
	return slog.NewTextHandler(b, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
}

func TestWithoutConfigurationTheProcessDecides(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	j := journal.New(own(&b, slog.LevelWarn), io.Discard)
	log := slog.New(j.Handler())
	log.Info("quiet", "module", "AGENT")
	log.Warn("loud", "module", "AGENT", "n", 1)
	if got, want := b.String(), "level=WARN msg=loud module=AGENT n=1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEachModuleHasItsFileAndLevel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var b bytes.Buffer
	j := journal.New(own(&b, slog.LevelInfo), io.Discard)
	main, core := filepath.Join(dir, "main.log"), filepath.Join(dir, "core.log")
	no := false
	err := j.Configure(journal.Config{Settings: []journal.Setting{
		{Module: journal.Default, Enable: "info+", OutputFile: main, Timestamp: &no},
		{Module: "ROUTER_CORE", Enable: "debug, error", OutputFile: core},
		{Module: "ROUTER", OutputFile: core},
		{Module: "POLICY", Enable: "none"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	log := slog.New(j.Handler())
	log.Info("Operational", "module", "SERVER")
	log.Debug("hidden", "module", "SERVER")
	log.Debug("seen", "module", "ROUTER_CORE")
	log.Warn("not in the list", "module", "ROUTER_CORE")
	log.Error("in the list", "module", "ROUTER_CORE", "err", errors.New("as it is"))
	log.With("module", "ROUTER").Info("together")
	log.Error("nothing", "module", "POLICY")
	log.Info("of nobody", "conn", 5, "link", 7, "a", "x y")

	want := "SERVER (info) Operational\nSERVER (info) [C5][L7] of nobody: a=x y\n"
	if got := read(t, main); got != want {
		t.Errorf("main.log:\n%swant\n%s", got, want)
	}
	want = "ROUTER_CORE (debug) seen\nROUTER_CORE (error) in the list: err=as it is\nROUTER (info) together\n"
	if got := read(t, core); got != want {
		t.Errorf("core.log:\n%swant\n%s", got, want)
	}
	if b.Len() > 0 {
		t.Errorf("the process's own handler got %q", b.String())
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLineHasTimeAndSource(t *testing.T) {
	t.Parallel()
	yes := true
	for _, row := range []struct {
		name, format string
		utc          bool
		want         string
	}{
		{"upstream's", "", false, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} [+-]\d{4} SERVER \(critical\) over \(.*journal_test\.go:\d+\)\n$`},
		{"configured", "%d.%m.%y %H%%%n%q", true, `^\d\d\.\d\d\.\d\d \d\d%\n%q SERVER \(critical\) over \(.*journal_test\.go:\d+\)\n$`},
		{"seconds", "%s", true, `^1\d{9} SERVER`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "log")
			j := journal.New(slog.DiscardHandler, io.Discard)
			err := j.Configure(journal.Config{TimeFormat: row.format, UTC: row.utc, Settings: []journal.Setting{
				{Module: journal.Default, Enable: "critical", OutputFile: file, Source: &yes},
			}})
			if err != nil {
				t.Fatal(err)
			}
			slog.New(j.Handler()).Log(t.Context(), journal.LevelCritical, "over", "module", "SERVER")
			if got := read(t, file); !regexp.MustCompile(row.want).MatchString(got) {
				t.Errorf("got %q, want %s", got, row.want)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestChangesWhileItLives(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	j := journal.New(slog.DiscardHandler, io.Discard)
	set := func(enable string) {
		t.Helper()
		err := j.Configure(journal.Config{Settings: []journal.Setting{
			{Module: journal.Default, Enable: "info+", OutputFile: file},
			{Module: "PROTOCOL", Enable: enable},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(j.Handler()).With("module", "PROTOCOL")
	for _, row := range []struct {
		enable string
		want   bool
	}{{"", false}, {"debug+", true}, {"info+", false}, {"default", false}, {"trace+", true}} {
		set(row.enable)
		if got := j.Enabled("PROTOCOL", slog.LevelDebug); got != row.want {
			t.Errorf("%q: enabled %v, want %v", row.enable, got, row.want)
		}
		log.Debug("frame " + row.enable)
		if got := strings.Contains(read(t, file), "frame "+row.enable+"\n"); got != row.want {
			t.Errorf("%q: written %v, want %v", row.enable, got, row.want)
		}
	}
	_ = j.Close()
	log.Info("after the end") // goes to the process's own handler, not to a closed file
}

func TestAFileThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	j := journal.New(slog.DiscardHandler, io.Discard)
	err := j.Configure(journal.Config{Settings: []journal.Setting{
		{Module: journal.Default, OutputFile: file, Enable: "info+"},
		{Module: "AGENT", OutputFile: filepath.Join(file, "below a file")},
	}})
	if err == nil || !strings.HasPrefix(err.Error(), "log AGENT: ") {
		t.Fatalf("got %v", err)
	}
	slog.New(j.Handler()).Info("here", "module", "AGENT")
	if got := read(t, file); !strings.Contains(got, "AGENT (info) here\n") {
		t.Errorf("got %q", got)
	}
}

func TestRecentLinesAndCounts(t *testing.T) {
	t.Parallel()
	j := journal.New(own(new(bytes.Buffer), slog.LevelInfo), io.Discard)
	log := slog.New(j.Handler()).WithGroup("g").With("k", slog.GroupValue(slog.Int("a", 1), slog.Int("b", 2)))
	for range 1200 {
		log.Info("line", "i", "x\ny")
	}
	log.Warn("last")
	all := j.Recent(-1)
	if len(all) != 1000 {
		t.Fatalf("%d lines are kept, want 1000", len(all))
	}
	last := j.Recent(2)
	if got, want := last[0].Text, `line: g.k.a=1 g.k.b=2 g.i="x\ny"`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if last[1].Level != "warning" || last[1].Module != "SERVER" || !strings.HasSuffix(last[1].File, "journal_test.go") {
		t.Errorf("got %+v", last[1])
	}
	for _, c := range j.Counts() {
		if c.Module == "SERVER" && (c.Info != 1200 || c.Warning != 1) {
			t.Errorf("got %+v", c)
		}
	}
}

func TestWatchHearsWarnings(t *testing.T) {
	t.Parallel()
	j := journal.New(own(new(bytes.Buffer), slog.LevelInfo), io.Discard)
	log := slog.New(j.Handler())
	var heard []string
	j.Watch(func(l journal.Line) { heard = append(heard, l.Level+" "+l.Text) })
	log.Info("one")
	log.Warn("two")
	log.Log(t.Context(), journal.LevelCritical, "three")
	j.Watch(nil)
	log.Error("four")
	if got := strings.Join(heard, ", "); got != "warning two, critical three" {
		t.Errorf("heard %s", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	j := journal.New(slog.DiscardHandler, io.Discard)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 50 {
				slog.New(j.Handler()).Error("line", "i", i, "at", time.Now())
				_ = j.Configure(journal.Config{Settings: []journal.Setting{{Module: journal.Default, Enable: "info+", OutputFile: file}}})
				j.Recent(10)
				j.Counts()
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// failure is an error that has no text when there is none.
type failure struct{ text string }

func (f *failure) Error() string { return f.text }

func TestErrorThatIsNil(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	j := journal.New(own(&b, slog.LevelInfo), io.Discard)
	slog.New(j.Handler()).Info("detached", "module", "ROUTER", "err", (*failure)(nil))
	if got := j.Recent(1)[0].Text; got != "detached: err=<nil>" {
		t.Error(got)
	}
}
