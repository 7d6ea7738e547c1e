package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestLogsSince: a log that is a file is read from a moment on, as a journal is.
func TestLogsSince(t *testing.T) {
	t.Parallel()
	const old = "time=2026-11-25T12:00:00.000Z level=INFO msg=old\n\tgoes with it\n"
	const recent = "time=2026-11-25T12:00:02.000Z level=INFO msg=recent\nnot a line of the log\nhalf a line"
	path := filepath.Join(t.TempDir(), "router.log")
	if err := os.WriteFile(path, []byte(old+recent), 0o600); err != nil {
		t.Fatal(err)
	}
	moment := time.Date(2026, 11, 25, 12, 0, 1, 0, time.UTC)
	for _, row := range []struct {
		since time.Time
		want  string
	}{
		{time.Time{}, old + recent},
		{moment.Add(-time.Hour), old + recent},
		{moment, recent},
	} {
		var out bytes.Buffer
		p := &program{stdout: &out}
		if err := p.tail(t.Context(), path, row.since, false); err != nil {
			t.Fatal(err)
		}
		if out.String() != row.want {
			t.Errorf("since %s:\n%s\nwant\n%s", row.since, out.String(), row.want)
		}
	}
}
