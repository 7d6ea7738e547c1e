package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/state"
)

// journalName is the file in internal/ that a change leaves while it is under
// way. Its first line is the change; each line after it is the number of a step
// that is done.
const journalName = "journal.json"

// journal is a change that will be completed, whatever happens.
type journal struct {
	Schema int    `json:"schema"`
	ID     string `json:"id"` // of the transaction
	Steps  []task `json:"steps"`

	done int // steps that are done, from the first
}

const journalSchema = 1

// task is a step of a plan in the form in which it can be done again by a
// process that knows nothing but the journal.
type task struct {
	Op    plan.Op    `json:"op"`
	Text  string     `json:"text"` // for people
	Path  string     `json:"path,omitempty"`
	Unit  string     `json:"unit,omitempty"`
	Spec  state.Unit `json:"spec"`
	Files []move     `json:"files,omitempty"`
}

// move is what happens to one file. A file that is written comes from Temp; a
// file that was there is kept as Kept until the change is over, if at all.
type move struct {
	Path string `json:"path"`
	Temp string `json:"temp,omitempty"`
	Kept string `json:"kept,omitempty"`
}

func (n *Namespace) journalPath() string { return journalOf(n.paths) }

func journalOf(paths layout.NamespacePaths) string {
	return filepath.Join(paths.InternalDir(), journalName)
}

// Interrupted reports whether a change of a namespace goes on, or was
// interrupted and is completed when the namespace is opened: until then some of
// its files may be missing.
func Interrupted(paths layout.NamespacePaths) bool {
	_, err := os.Lstat(journalOf(paths))
	return err == nil
}

// writeJournal makes a change certain: once it returns nil, the change will be
// completed, by this process or the next. It is not flushed: after a loss of
// power there are no processes that are half told, and the next pass sees from
// the files what is left to do.
func (n *Namespace) writeJournal(j *journal) error {
	j.Schema = journalSchema
	data, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return writeFile(n.journalPath(), append(data, '\n'), volatile)
}

// markDone notes that a step is done.
func (n *Namespace) markDone(step int) error {
	f, err := os.OpenFile(n.journalPath(), os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	_, err = f.WriteString(strconv.Itoa(step) + "\n")
	return errors.Join(err, f.Close())
}

// readJournal is the change that was interrupted; nil if there is none. A
// journal that cannot be read is put aside: what it was about is seen by
// looking, but for processes that were not told.
func (n *Namespace) readJournal() (*journal, error) {
	data, err := os.ReadFile(n.journalPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j, err := parseJournal(data)
	if err != nil {
		n.Pending = err
		return nil, os.Rename(n.journalPath(), n.journalPath()+".bad")
	}
	return j, nil
}

func parseJournal(data []byte) (*journal, error) {
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	j := &journal{}
	if err := json.Unmarshal(first, j); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if j.Schema != journalSchema {
		return nil, fmt.Errorf("journal: written by another version (schema %d)", j.Schema)
	}
	for line := range bytes.Lines(rest) {
		done, err := strconv.Atoi(string(bytes.TrimSpace(line)))
		if err != nil || done < 0 || done >= len(j.Steps) {
			break // the last line may be cut
		}
		j.done = done + 1
	}
	return j, nil
}

// dropJournal ends a change.
func (n *Namespace) dropJournal() error {
	if err := os.Remove(n.journalPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// putSpaceBy takes space on the disk for a transaction, bytes.
func (n *Namespace) putSpaceBy(id string, size int64) error {
	f, err := os.OpenFile(n.sparePath(id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		_, err = f.Write(make([]byte, size))
	}
	return errors.Join(err, f.Close())
}

// giveSpaceBack undoes putSpaceBy.
func (n *Namespace) giveSpaceBack(id string) error {
	if err := os.Remove(n.sparePath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (n *Namespace) sparePath(id string) string { return scratchPath(n.journalPath(), id, ".spare") }

// persistence says whether a file survives a loss of power.
type persistence bool

const (
	volatile persistence = false
	durable  persistence = true
)

// writeFile replaces a file of our own, whole, readable by its owner only.
func writeFile(path string, data []byte, p persistence) (err error) {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+name+scratchMark+"*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if p == durable && err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil || p == volatile {
		return err
	}
	return syncDir(dir)
}

func syncDir(path string) error {
	d, err := openFolder(path)
	if err != nil {
		return err
	}
	defer d.close()
	return d.sync()
}
