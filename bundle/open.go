package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// DamagedError says that a file is no bundle, or not any more.
type DamagedError struct {
	File string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s: the bundle is damaged or none: %v", e.File, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// Hint says what a person can do.
func (e *DamagedError) Hint() string {
	return "copy it again and compare its SHA-256 with that of the file that was generated"
}

// Open reads a bundle from the bytes of a shell file or an archive. The error
// is a *DamagedError. Nothing of it has been unpacked then.
func Open(name string, data []byte) (*Bundle, error) {
	archive := data
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		var err error
		if archive, err = payload(data); err != nil {
			return nil, &DamagedError{name, err}
		}
	}
	b, err := readArchive(archive)
	if err != nil {
		return nil, &DamagedError{name, err}
	}
	return b, nil
}

// OpenDir reads a bundle from a directory into which an archive was unpacked.
// The error is a *DamagedError, or that of reading.
func OpenDir(name string, dir fs.FS) (*Bundle, error) {
	text, err := fs.ReadFile(dir, manifestName)
	if err != nil {
		return nil, &DamagedError{name, err}
	}
	r := reader{members: map[string][]byte{}}
	if err := r.take(manifestName, bytes.NewReader(text)); err != nil {
		return nil, &DamagedError{name, err}
	}
	for member := range r.manifest.Files {
		if !memberName.MatchString(member) {
			return nil, &DamagedError{name, fmt.Errorf("%q is not the name of a member", member)}
		}
		if err := r.file(dir, member); err != nil {
			return nil, &DamagedError{name, err}
		}
	}
	b, err := r.bundle()
	if err != nil {
		return nil, &DamagedError{name, err}
	}
	return b, nil
}

func (r *reader) file(dir fs.FS, member string) error {
	f, err := dir.Open(member)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read from
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%s is not a file", member))
	}
	return r.take(member, f)
}

// reader collects members.
type reader struct {
	manifest *Manifest
	members  map[string][]byte
	total    int
}

// readArchive reads the tar.gz of either form.
func readArchive(data []byte) (*Bundle, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	t := tar.NewReader(z)
	r := reader{members: map[string][]byte{}}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch {
		case h.Name == installerName || h.Name == programName: // for hosts without this program
			continue
		case h.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("%q is not a file", h.Name)
		}
		if err := r.take(h.Name, t); err != nil {
			return nil, err
		}
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(z, maxContent)); err != nil { // the checksum is at the end
		return nil, err
	}
	return r.bundle()
}

// take reads one member.
func (r *reader) take(name string, from io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(from, maxMember+1))
	if err != nil {
		return err
	}
	if r.total += len(data); len(data) > maxMember || r.total > maxContent {
		return fmt.Errorf("%s is too large", name)
	}
	if name == manifestName {
		if r.manifest != nil {
			return fmt.Errorf("%s is there twice", name)
		}
		r.manifest = &Manifest{}
		return json.Unmarshal(data, r.manifest)
	}
	if !memberName.MatchString(name) {
		return fmt.Errorf("%q is not the name of a member", name)
	}
	if _, twice := r.members[name]; twice {
		return fmt.Errorf("%s is there twice", name)
	}
	r.members[name] = data
	return nil
}

func (r *reader) bundle() (*Bundle, error) {
	if r.manifest == nil {
		return nil, fmt.Errorf("%s is missing", manifestName)
	}
	b := &Bundle{Manifest: *r.manifest, members: r.members}
	if err := b.check(); err != nil {
		return nil, err
	}
	if len(b.Resources()) == 0 {
		return nil, errors.New("it holds no resources")
	}
	return b, nil
}

// payload checks a shell file and returns the archive at its end.
func payload(data []byte) ([]byte, error) {
	if len(data) < block || !bytes.HasPrefix(data, []byte("#!/bin/sh\n")) {
		return nil, errors.New("it is neither a shell file nor an archive that was generated as one")
	}
	var want string
	var at int
	for line := range strings.SplitSeq(string(data[:block]), "\n") {
		if value, ok := strings.CutPrefix(line, sumLine); ok {
			want = strings.Trim(value, "'")
		}
		if value, ok := strings.CutPrefix(line, archiveLine); ok {
			if _, err := fmt.Sscanf(value, "%d", &at); err != nil {
				return nil, fmt.Errorf("its first block: %w", err)
			}
		}
	}
	if got := Sum(data[block:]); want != got {
		return nil, fmt.Errorf("its SHA-256 is %s, %q is expected", got, want)
	}
	if at < 1 || at > len(data)/block {
		return nil, errors.New("its first block names no archive")
	}
	return data[at*block:], nil
}
