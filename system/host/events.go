package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Event is something that happened to a namespace, for people who look later.
type Event struct {
	Time time.Time `json:"time"`
	What string    `json:"what"`           // "applied", "restarted", "renewed", "failed", "status", "certificate", "site"
	Text string    `json:"text,omitempty"` // how, in words; no secrets
}

// maxEvents is how large the log of events gets, bytes; then the older half of
// it goes.
const maxEvents = 256 << 10

// Note adds events to the log of the namespace, a line each.
func (n *Namespace) Note(events ...Event) error {
	old, err := os.ReadFile(n.paths.Events())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("events: %w", err)
	}
	var lines bytes.Buffer
	for _, e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("events: %w", err)
		}
		lines.Write(append(line, '\n'))
	}
	if len(old)+lines.Len() > maxEvents {
		old = old[len(old)/2:]
		if i := bytes.IndexByte(old, '\n'); i >= 0 {
			old = old[i+1:]
		}
		return writeFile(n.paths.Events(), append(old, lines.Bytes()...), durable)
	}
	f, err := os.OpenFile(n.paths.Events(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	_, err = f.Write(lines.Bytes())
	return errors.Join(err, f.Close())
}

// ParseEvents reads lines of a log of events. What is no event, such as a line
// that was being written, is left out.
func ParseEvents(data []byte) []Event {
	var events []Event
	for line := range bytes.Lines(data) {
		var e Event
		if json.Unmarshal(line, &e) == nil && !e.Time.IsZero() {
			events = append(events, e)
		}
	}
	return events
}
