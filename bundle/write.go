package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"hash/crc32"
	"math/bits"
	"strings"
	"text/template"
	"time"
)

// Names of the members that are for hosts without this program.
//
// compat: the installer of an archive has upstream's name.
const (
	installerName = "install.sh"
	programName   = "skupper"
)

// block is what the parts of a shell file are multiples of, bytes: dd copies
// whole blocks, and dd is on every host.
const block = 4096

// Lines of the first block that Open looks for.
const (
	sumLine     = "sum="
	archiveLine = "archive="
)

// Program is a program to come along.
type Program struct {
	Arch string // as GOARCH
	Data []byte
}

// What the shell runs: what checks a shell file, what checks an unpacked
// archive, and what both do then.
//
//go:embed shell.sh
var shellHead string

//go:embed archive.sh
var archiveHead string

//go:embed install.sh
var installer string

// script is what the templates know.
type script struct {
	Site, Namespace, Platform, Version, Arch string

	Sum, CRC               string // of all but the first block; of bundle.json
	ProgramSum, ProgramCRC string
	At, Count, Archive     int // of the program and the archive, blocks
	Block                  int
}

func (b *Bundle) script(p *Program) script {
	s := script{Site: b.Site, Namespace: b.Namespace, Platform: b.Platform, Version: b.Version, Block: block}
	if p != nil {
		s.Arch, s.ProgramSum, s.ProgramCRC = p.Arch, Sum(p.Data), cksum(p.Data)
	}
	return s
}

// Shell is the bundle as a shell file. p comes along unless it is nil.
func (b *Bundle) Shell(p *Program) ([]byte, error) {
	s := b.script(p)
	body, err := fill(installer, s)
	if err != nil {
		return nil, err
	}
	rest := padded(body, '\n')
	if p != nil {
		program := padded(p.Data, 0)
		s.At, s.Count = 1+len(rest)/block, len(program)/block
		rest = append(rest, program...)
	}
	s.Archive = 1 + len(rest)/block
	archive, err := compress(b.entries())
	if err != nil {
		return nil, err
	}
	rest = append(rest, archive...)
	s.Sum, s.CRC = Sum(rest), cksum(rest)
	head, err := fill(shellHead, s)
	if err != nil {
		return nil, err
	}
	if len(head) > block {
		return nil, fmt.Errorf("bundle: the first block of a shell file has %d bytes, %d are allowed", len(head), block)
	}
	return append(padded(head, '\n'), rest...), nil
}

// Archive is the bundle as a tar.gz with an installer.
func (b *Bundle) Archive(p *Program) ([]byte, error) {
	s := b.script(p)
	manifest := b.encode()
	s.Sum, s.CRC = Sum(manifest), cksum(manifest)
	head, err := fill(archiveHead, s)
	if err != nil {
		return nil, err
	}
	body, err := fill(installer, s)
	if err != nil {
		return nil, err
	}
	list := append([]entry{{installerName, 0o755, append(head, body...)}}, b.entries()...)
	if p != nil {
		list = append(list, entry{programName, 0o755, p.Data})
	}
	return compress(list)
}

// entry is a file of an archive.
type entry struct {
	name string
	mode int64
	data []byte
}

// entries are the members, the manifest first.
func (b *Bundle) entries() []entry {
	list := []entry{{manifestName, 0o600, b.encode()}}
	for _, name := range sortedNames(b.members) {
		list = append(list, entry{name, 0o600, b.members[name]})
	}
	return list
}

// compress makes a tar.gz that depends on nothing but its entries.
func compress(list []entry) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	t := tar.NewWriter(z)
	for _, e := range list {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(e.data)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("bundle: %s: %w", e.name, err)
		}
		if _, err := t.Write(e.data); err != nil {
			return nil, fmt.Errorf("bundle: %s: %w", e.name, err)
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// fill puts values into a shell script, quoted for the shell.
func fill(text string, s script) ([]byte, error) {
	t, err := template.New("script").Option("missingkey=error").Funcs(template.FuncMap{"quote": quote}).Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, s)
	return out.Bytes(), err
}

// quote is a word of the shell that stands for text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// padded fills data up to whole blocks.
func padded(data []byte, with byte) []byte {
	fill := -len(data) & (block - 1)
	return append(bytes.Clone(data), bytes.Repeat([]byte{with}, fill)...)
}

// cksum is what POSIX's cksum says of data, in decimal: the one checksum that
// every host can compute. It is the CRC of IEEE 802.3 with the bits of each
// byte in the other order, from zero on, and with the length behind the data.
func cksum(data []byte) string {
	crc := ^uint32(0) // zero: Update inverts it
	var turned [block]byte
	add := func(data []byte) {
		for len(data) > 0 {
			n := min(len(data), len(turned))
			for i, b := range data[:n] {
				turned[i] = bits.Reverse8(b)
			}
			crc, data = crc32.Update(crc, crc32.IEEETable, turned[:n]), data[n:]
		}
	}
	add(data)
	for n := len(data); n > 0; n >>= 8 {
		add([]byte{byte(n)})
	}
	return fmt.Sprint(bits.Reverse32(crc))
}
