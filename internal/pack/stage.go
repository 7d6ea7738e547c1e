package main

import (
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// plain are the files and directories that go into a package as they are, from
// the checkout to the stage.
var plain = map[string]string{
	"packaging/systemd":        "systemd",
	"packaging/preset":         "preset",
	"packaging/sysusers.d":     "sysusers.d",
	"packaging/tmpfiles.d":     "tmpfiles.d",
	"packaging/firewalld":      "firewalld",
	"packaging/ufw":            "ufw",
	"packaging/completion":     "completion",
	"packaging/deb":            "deb",
	"packaging/rpm":            "rpm",
	"packaging/install.sh":     "install.sh",
	"packaging/observer":       "doc/observer",
	"LICENSE":                  "LICENSE",
	"README.md":                "doc/README.md",
	"testdata/sites/README.md": "doc/examples/README.md",
}

// examples are the sites that are shown.
var examples = []string{"hello-world", "tcp-database", "three-site-edge", "ha-two-path", "multikey-failover", "tls-service"}

// fill makes everything that a package consists of, below stage.
func (r release) fill(stage string) error {
	for from, to := range plain {
		if err := r.copy(from, filepath.Join(stage, to)); err != nil {
			return err
		}
	}
	for _, name := range examples {
		if err := r.copy(filepath.Join("testdata/sites", name), filepath.Join(stage, "doc/examples", name)); err != nil {
			return err
		}
	}
	if err := r.copy(r.program, filepath.Join(stage, "skupper")); err != nil {
		return err
	}
	pages, err := filepath.Glob("packaging/man/*.[1-8]")
	if err != nil {
		return err
	}
	for _, page := range pages {
		to := filepath.Join(stage, "man", "man"+filepath.Ext(page)[1:], filepath.Base(page)+".gz")
		if err := r.compress(page, to); err != nil {
			return err
		}
	}
	if err := r.compress("CHANGELOG.md", filepath.Join(stage, "doc/NEWS.gz")); err != nil {
		return err
	}
	if err := r.origins(stage); err != nil {
		return err
	}
	return r.describe(stage)
}

// origins writes what the program is made of: the licences of its libraries and
// a bill of materials.
func (r release) origins(stage string) error {
	info, err := buildinfo.ReadFile(r.program)
	if err != nil {
		return err
	}
	notices, err := notices(info)
	if err != nil {
		return err
	}
	bill, err := json.MarshalIndent(r.bill(info), "", "  ")
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"doc/NOTICES.gz":     squeezed(notices),
		"doc/sbom.spdx.json": append(bill, '\n'),
	} {
		if err := r.put(filepath.Join(stage, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// notices are the licences of all modules in a program, as their files say.
func notices(info *buildinfo.BuildInfo) ([]byte, error) {
	var b bytes.Buffer
	for _, m := range info.Deps {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", m.Path+"@"+m.Version).Output()
		if err != nil {
			return nil, fmt.Errorf("licence of %s: %w", m.Path, err)
		}
		dir := strings.TrimSpace(string(out))
		files, err := licences(dir)
		if err != nil {
			return nil, fmt.Errorf("licence of %s: %w", m.Path, err)
		}
		fmt.Fprintf(&b, "%s %s\n\n", m.Path, m.Version)
		for _, name := range files {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return nil, err
			}
			b.Write(bytes.TrimSpace(text))
			b.WriteString("\n\n")
		}
	}
	return b.Bytes(), nil
}

// licences are the names of the files of a module that state its licence. A
// module without any cannot be shipped.
func licences(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if !e.IsDir() && (strings.HasPrefix(name, "LICENSE") || strings.HasPrefix(name, "LICENCE") || strings.HasPrefix(name, "COPYING") || strings.HasPrefix(name, "NOTICE")) {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no file in %s states one", dir)
	}
	slices.Sort(names)
	return names, nil
}

func squeezed(text []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a known one
	_, _ = z.Write(text)                                  // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// compress puts a compressed copy of a file, without its name and time.
func (r release) compress(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return r.put(to, squeezed(text), 0o644)
}

// copy puts a file or a directory.
func (r release) copy(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		return r.put(to, data, mode)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := r.copy(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (r release) put(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		return err
	}
	return os.Chtimes(path, r.time, r.time)
}
