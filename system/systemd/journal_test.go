package systemd

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/journal"
)

func TestJournalHasFields(t *testing.T) {
	t.Parallel()
	var otherwise bytes.Buffer
	var text string
	var level journal.Priority
	var fields map[string]string
	var refuse error
	h := NewJournalHandler(slog.LevelInfo, slog.NewTextHandler(&otherwise, nil))
	h.send = func(line string, p journal.Priority, f map[string]string) error {
		text, level, fields = line, p, f
		return refuse
	}
	log := slog.New(h).With("site", "west").WithGroup("peer").With("host", "a b")
	log.Debug("not asked for")
	if text != "" {
		t.Errorf("sent %q", text)
	}
	log.Warn("link is down", "port", 55671, slog.Group("why", "err", errors.New("refused"), "dial.no", 3))
	if want := `link is down site=west peer.host="a b" peer.port=55671 peer.why.err=refused peer.why.dial.no=3`; text != want || level != journal.PriWarning {
		t.Errorf("%d %s\nwant %s", level, text, want)
	}
	want := map[string]string{
		"SYSLOG_IDENTIFIER": "skupper", "SKUPPER_SITE": "west", "SKUPPER_PEER_HOST": "a b", "SKUPPER_PEER_PORT": "55671",
		"SKUPPER_PEER_WHY_ERR": "refused", "SKUPPER_PEER_WHY_DIAL_NO": "3",
	}
	if !maps.Equal(fields, want) {
		t.Errorf("%v", fields)
	}
	if otherwise.Len() > 0 {
		t.Errorf("said twice: %s", &otherwise)
	}
	refuse = errors.New("no journal")
	log.Error("lost", "n", 1)
	if got := otherwise.String(); !strings.Contains(got, "level=ERROR msg=lost site=west peer.host=\"a b\" peer.n=1") {
		t.Errorf("without a journal: %s", got)
	}
}

func TestPriorities(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]journal.Priority{
		slog.LevelDebug: journal.PriDebug, slog.LevelDebug + 1: journal.PriDebug, slog.LevelInfo: journal.PriInfo, slog.LevelInfo + 2: journal.PriNotice,
		slog.LevelWarn: journal.PriWarning, slog.LevelError: journal.PriErr, slog.LevelError + 4: journal.PriCrit,
	} {
		if got := priority(level); got != want {
			t.Errorf("%v: %d, want %d", level, got, want)
		}
	}
}
