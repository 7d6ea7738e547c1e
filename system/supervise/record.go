package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Names of the files in Ref.Records.
const (
	recordFile = "router.run.json"
	lockFile   = "router.lock"
)

// record is what a supervisor leaves for the next one.
type record struct {
	identity
	Spec    Spec      `json:"spec"`
	Started time.Time `json:"started"`
	Ready   bool      `json:"ready"`
}

func (r Ref) recordPath() string { return filepath.Join(r.Records, recordFile) }

func (r Ref) lockPath() string { return filepath.Join(r.Records, lockFile) }

// readRecord reads the record of a process; one that is damaged counts as none.
func readRecord(r Ref) (record, bool) {
	data, err := os.ReadFile(r.recordPath())
	if err != nil {
		return record{}, false
	}
	var rec record
	if json.Unmarshal(data, &rec) != nil {
		return record{}, false
	}
	return rec, true
}

// write leaves the record, and the number of the process for people.
func (rec record) write(r Ref) error {
	data, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := replace(r.recordPath(), append(data, '\n')); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if r.PIDFile == "" {
		return nil
	}
	if err := replace(r.PIDFile, fmt.Appendf(nil, "%d\n", rec.PID)); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}

// dropRecord removes what write left.
func dropRecord(r Ref) error {
	var errs []error
	for _, path := range []string{r.recordPath(), r.PIDFile} {
		if path == "" {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// replace writes a file of our own, whole. It need not survive a loss of power:
// the process does not either.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
