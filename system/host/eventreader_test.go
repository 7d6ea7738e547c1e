package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/skupper-host/skupper/system/layout"
)

// eventLog is a log of numbered events, and a reader of it.
type eventLog struct {
	ns   *Namespace
	r    *EventReader
	next int   // of the next event
	read []int // events, in the order in which they were read
}

// newEventLog makes a log in an empty directory.
func newEventLog(dir string) (*eventLog, error) {
	paths := layout.NamespacePaths{Dir: dir}
	l := &eventLog{ns: &Namespace{paths: paths}, r: NewEventReader(paths.Events())}
	return l, os.MkdirAll(filepath.Dir(paths.Events()), 0o700)
}

// note adds events of about that many bytes each.
func (l *eventLog) note(count, size int) error {
	events := make([]Event, count)
	for i := range events {
		events[i] = Event{Time: time.Unix(1, 0).UTC(), What: strconv.Itoa(l.next), Text: strings.Repeat("x", size)}
		l.next++
	}
	return l.ns.Note(events...)
}

func (l *eventLog) look() error {
	events, err := l.r.Next()
	for _, e := range events {
		n, err := strconv.Atoi(e.What)
		if err != nil {
			return err
		}
		l.read = append(l.read, n)
	}
	return err
}

// complete reports which events were read wrongly, "" for none.
func (l *eventLog) complete() string {
	want := make([]int, l.next)
	for i := range want {
		want[i] = i
	}
	return cmp.Diff(want, append([]int{}, l.read...))
}

// TestReaderSurvivesRotation reads a log, at moments of all kinds, that loses its
// older half again and again.
func TestReaderSurvivesRotation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "events")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		l, err := newEventLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.r.Close() }()
		rotations, size := 0, int64(0)
		for range rapid.IntRange(1, 20).Draw(t, "notes") {
			// Two looks are never further apart than half of the log.
			if err := l.note(rapid.IntRange(1, 10).Draw(t, "events"), rapid.IntRange(0, 10_000).Draw(t, "bytes")); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(l.ns.paths.Events())
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() < size {
				rotations++
			}
			size = info.Size()
			if err := l.look(); err != nil {
				t.Fatal(err)
			}
		}
		if d := l.complete(); d != "" || l.r.Lost() {
			t.Fatalf("after %d rotations: %s", rotations, d)
		}
	})
}

// TestReaderTellsWhatRotationTakes: a rotation that follows upon events which
// nobody has read yet takes none of them away, and one that leaves nothing in
// common is told.
func TestReaderTellsWhatRotationTakes(t *testing.T) {
	t.Parallel()
	l, err := newEventLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.r.Close() })
	step := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	step("no log yet", l.look())
	step("note", l.note(100, 2000))
	step("look", l.look())
	step("unread", l.note(20, 2000))   // 240 kB: no rotation yet
	step("rotation", l.note(20, 2000)) // the older half goes, the unread are in both
	step("look again", l.look())
	if d := l.complete(); d != "" || l.r.Lost() {
		t.Fatalf("lost %t: %s", l.r.Lost(), d)
	}
	step("a line that is being written", appendTo(l.ns.paths.Events(), `{"time":"2026-`))
	step("look at half a line", l.look())
	step("the rest", appendTo(l.ns.paths.Events(), fmt.Sprintf("01-01T00:00:00Z\",\"what\":\"%d\"}\n", l.next)))
	l.next++
	step("look at the line", l.look())
	if d := l.complete(); d != "" {
		t.Fatalf("half a line: %s", d)
	}
	for range 4 { // as much as four logs
		step("too much", l.note(100, 2000))
	}
	before := len(l.read)
	step("look too late", l.look())
	if !l.r.Lost() || l.r.Lost() {
		t.Error("what was lost is not told, or twice")
	}
	if n := len(l.read); n == before || l.read[n-1] != l.next-1 {
		t.Errorf("read to %v of %d", l.read[n-1:], l.next)
	}
	step("remove", os.Remove(l.ns.paths.Events()))
	step("look at nothing", l.look())
	l.next, l.read = 0, nil
	step("another log", l.note(3, 10))
	step("look at another", l.look())
	if d := l.complete(); d != "" || l.r.Lost() {
		t.Errorf("another log: %s", d)
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Close()
}
