package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/resource"
)

// maxDumped bounds what is taken of one log, bytes: its end matters.
const maxDumped = 4 << 20

// dump is an archive in the making. What could not be had is said in it.
type dump struct {
	tar   *tar.Writer
	now   time.Time
	notes []string
}

// debugDump writes the archive.
//
// compat: the names of its members are those of upstream's dump.
func (p *program) debugDump(ctx context.Context, in *command.Input) error {
	n, err := p.namespacePaths()
	if err != nil {
		return err
	}
	if !isDir(n.Dir) {
		return namespaceMissing(n.Name)
	}
	now := time.Now()
	file := fmt.Sprintf("%s-%s-%s", first(in.Arg(0), "skupper-dump"), n.Name, now.Format("20060102150405"))
	if filepath.Ext(in.Arg(0)) == "" {
		file += ".tar.gz"
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fileError(file, err)
	}
	z := gzip.NewWriter(f)
	d := &dump{tar: tar.NewWriter(z), now: now}
	err = p.fill(ctx, d, n)
	if err = errors.Join(err, d.tar.Close(), z.Close(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	_, err = fmt.Fprintln(p.stdout, file)
	return err
}

func (p *program) fill(ctx context.Context, d *dump, n layout.NamespacePaths) error {
	var uname syscall.Utsname
	if syscall.Uname(&uname) == nil {
		d.add("versions/uname.txt", []byte(cString(uname.Sysname[:])+" "+cString(uname.Release[:])+" "+cString(uname.Machine[:])+"\n"))
	}
	d.add("versions/skupper.yaml", fmt.Appendf(nil, "version: %s\ncommit: %s\n", p.version, p.commit))
	d.file("versions/os-release.txt", "/etc/os-release")
	const site = "site-namespace/resources/"
	d.resources(site+"input/", n.InputResources())
	d.resources(site+"runtime/", n.RuntimeResources())
	d.file(site+"router-config.json", n.RouterConfig())
	for _, part := range [][2]string{{"certs/input/", n.InputCerts()}, {"certs/runtime/", n.Certs()}, {"issuers/runtime/", n.Issuers()}} {
		for _, cert := range glob(part[1], "*/*.crt") {
			d.file(site+part[0]+filepath.Base(filepath.Dir(cert))+"/"+filepath.Base(cert), cert)
		}
	}
	d.file("site-namespace/events.log", n.Events())
	d.log("site-namespace/logs/"+n.Name+"-skupper-router.txt", n.RouterLog())
	d.log("site-namespace/logs/skupper-controller.txt", p.paths.AgentLog())
	p.dumpStatus(ctx, d)
	d.add("site-namespace/not-included.txt", []byte(strings.Join(d.notes, "\n")+"\n"))
	return ctx.Err()
}

// dumpStatus adds what the agent says.
func (p *program) dumpStatus(ctx context.Context, d *dump) {
	c, _, err := p.controller(ctx)
	if err != nil {
		d.note("status", err)
		return
	}
	s, err := c.Status(ctx, p.namespace)
	if err != nil {
		d.note("status", err)
		return
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		d.note("status", err)
		return
	}
	d.add("site-namespace/status.json", b)
}

// secretText finds what must not be in a dump wherever it may have got to.
func secretText() *regexp.Regexp {
	return regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)`)
}

// add writes one member. Private keys in it are cut out.
func (d *dump) add(name string, data []byte) {
	data = secretText().ReplaceAll(data, []byte("(private key removed)"))
	h := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: d.now, Format: tar.FormatPAX}
	err := d.tar.WriteHeader(h)
	if err == nil {
		_, err = d.tar.Write(data)
	}
	if err != nil {
		d.note(name, err)
	}
}

func (d *dump) note(name string, err error) {
	d.notes = append(d.notes, fmt.Sprintf("%s: %v", name, err))
}

// file adds a file if it is there.
func (d *dump) file(name, path string) {
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		d.add(name, data)
	case !errors.Is(err, fs.ErrNotExist):
		d.note(name, err)
	}
}

// log adds the end of a log.
func (d *dump) log(name, path string) {
	f, err := os.Open(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.note(name, err)
		}
		return
	}
	defer func() { _ = f.Close() }() // only read from
	if size, err := f.Seek(0, io.SeekEnd); err == nil && size > maxDumped {
		_, err = f.Seek(-maxDumped, io.SeekEnd)
		if err != nil {
			d.note(name, err)
			return
		}
	} else if _, err := f.Seek(0, io.SeekStart); err != nil {
		d.note(name, err)
		return
	}
	data, err := io.ReadAll(io.LimitReader(f, maxDumped))
	if err != nil {
		d.note(name, err)
		return
	}
	d.add(name, data)
}

// resources adds the resources below a directory, one member each, without
// their secrets. A file that cannot be understood may hold anything and is
// left out.
func (d *dump) resources(prefix, dir string) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !resource.Loadable(path) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			d.note(path, err)
			return nil
		}
		f := resource.ParseFile(resource.Input{Name: path, Data: data})
		if err := resource.JoinErrors(f.Errors); err != nil {
			d.note(path, err)
		}
		var out bytes.Buffer
		for i, o := range f.Objects {
			if i > 0 {
				out.WriteString("---\n")
			}
			out.Write(resource.EncodeYAML(system.Redacted(o)))
		}
		d.add(prefix+filepath.Base(path), out.Bytes())
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.note(dir, err)
	}
}

func cString(b []int8) string {
	var out []byte
	for _, c := range b {
		if c == 0 {
			break
		}
		out = append(out, byte(c))
	}
	return string(out)
}
