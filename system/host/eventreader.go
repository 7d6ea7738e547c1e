package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// EventReader reads a log of events while it grows. What Note drops of it when it
// becomes too large is read before it goes. It is not safe for concurrent use.
type EventReader struct {
	path string
	file *os.File // nil while there is none
	at   int64    // what was read of it, to the end of a line
	lost bool     // nothing of what was read is left in the file that replaced it
}

// NewEventReader makes a reader of the log at path, which need not exist yet.
func NewEventReader(path string) *EventReader { return &EventReader{path: path} }

// Next returns the events that have been added since it was called before, in
// order, each once. Errors are those of files; after one it may be called again.
func (r *EventReader) Next() ([]Event, error) {
	// Who writes replaces the log as a whole: a file that has lost its name does not
	// grow any more. So the name is looked at before the file is read to its end.
	named, err := os.Stat(r.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("events: %w", err)
	}
	gone := err != nil
	events, err := r.rest()
	if err != nil || !gone && r.is(named) {
		return events, err
	}
	before, err := r.all()
	if err != nil {
		return events, err
	}
	next, err := os.Open(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return events, r.Close()
	}
	if err != nil {
		return events, fmt.Errorf("events: %w", err)
	}
	if err := r.Close(); err != nil {
		return events, errors.Join(err, next.Close())
	}
	r.file = next
	after, err := r.all()
	if err != nil {
		return events, errors.Join(err, r.Close())
	}
	r.at = shared(before, after)
	r.lost = r.lost || len(before) > 0 && r.at == 0
	more, err := r.rest()
	return append(events, more...), err
}

// Lost reports, once, that events may have gone unread: the log was replaced more
// often than it was looked at.
func (r *EventReader) Lost() bool {
	lost := r.lost
	r.lost = false
	return lost
}

// Close ends the reading. A reader that is asked again begins anew.
func (r *EventReader) Close() error {
	f := r.file
	r.file, r.at = nil, 0
	if f == nil {
		return nil
	}
	return f.Close()
}

func (r *EventReader) is(named os.FileInfo) bool {
	if r.file == nil {
		return false
	}
	own, err := r.file.Stat()
	return err == nil && os.SameFile(own, named)
}

// rest reads the lines that are whole and were not read yet.
func (r *EventReader) rest() ([]Event, error) {
	if r.file == nil {
		return nil, nil
	}
	data, err := io.ReadAll(io.NewSectionReader(r.file, r.at, 1<<62))
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	r.at += int64(whole)
	return ParseEvents(data[:whole]), nil
}

// all is the whole file.
func (r *EventReader) all() ([]byte, error) {
	if r.file == nil {
		return nil, nil
	}
	data, err := io.ReadAll(io.NewSectionReader(r.file, 0, 1<<62))
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	return data, nil
}

// shared is how much of the beginning of after is the end of before, in bytes:
// the longest such piece that begins with a line.
func shared(before, after []byte) int64 {
	for len(before) > 0 {
		if bytes.HasPrefix(after, before) {
			return int64(len(before))
		}
		i := bytes.IndexByte(before, '\n')
		if i < 0 {
			return 0
		}
		before = before[i+1:]
	}
	return 0
}
