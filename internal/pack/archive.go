package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// archived are the parts of a stage that the archive has.
var archived = []string{"LICENSE", "completion", "doc", "install.sh", "man", "skupper", "systemd"}

// archive writes the archive for hosts without DEB and RPM.
func (r release) archive(stage, path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	for _, name := range archived {
		err := filepath.Walk(filepath.Join(stage, name), func(file string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return r.member(t, stage, file, info)
		})
		if err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func (r release) member(t *tar.Writer, stage, path string, info os.FileInfo) error {
	name, err := filepath.Rel(stage, path)
	if err != nil {
		return err
	}
	h := &tar.Header{Name: filepath.Join("skupper-"+r.version, name), Mode: int64(info.Mode().Perm()), ModTime: r.time, Format: tar.FormatGNU}
	if info.IsDir() {
		h.Typeflag, h.Name, h.Mode = tar.TypeDir, h.Name+"/", 0o755
		return t.WriteHeader(h)
	}
	h.Typeflag, h.Size = tar.TypeReg, info.Size()
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(t, f)
	return err
}
