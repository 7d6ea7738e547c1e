package captures

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Side is the end of the connection that sent something.
type Side uint8

// The two ends.
const (
	Connector Side = 0 // opened the TCP connection
	Listener  Side = 1 // accepted it
)

func (s Side) String() string {
	if s == Connector {
		return "connector"
	}
	return "listener"
}

// Chunk is what one read returned. No data means that the side closed.
type Chunk struct {
	From Side
	Time time.Duration // since the start of the recording
	Data []byte
}

// Frame is one frame, or one 8-octet protocol header, with its octets.
type Frame struct {
	From   Side
	Time   time.Duration // arrival of its last octet
	Offset int           // of its first octet in what the side sent
	Data   []byte
}

// Header reports whether the frame is a protocol header.
func (f Frame) Header() bool { return len(f.Data) == 8 && string(f.Data[:4]) == "AMQP" }

// Capture is one recorded connection.
type Capture struct {
	Name   string
	Chunks []Chunk
}

// Dir returns the path of testdata/captures.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return filepath.Join(dir, "testdata", "captures")
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	tb.Fatal(err)
	return ""
}

// Names lists the captures of a group, "control" or "tcp", as Load wants them.
func Names(tb testing.TB, group string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(Dir(tb), group, "*.cap.gz"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("captures of group %s: %d files, %v", group, len(files), err)
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = group + "/" + strings.TrimSuffix(filepath.Base(f), ".cap.gz")
	}
	return names
}

// magic begins every capture; then come chunks: side, uvarint of microseconds,
// uvarint of the length, octets. The whole file is compressed with gzip.
const magic = "amqpcap1"

// Load reads a capture, for example "tcp/echo".
func Load(tb testing.TB, name string) *Capture {
	tb.Helper()
	raw, err := readAll(filepath.Join(Dir(tb), filepath.FromSlash(name)+".cap.gz"))
	if err != nil {
		tb.Fatalf("capture %s: %v", name, err)
	}
	rest, ok := bytes.CutPrefix(raw, []byte(magic))
	if !ok {
		tb.Fatalf("capture %s: no %q at the start", name, magic)
	}
	c := &Capture{Name: name}
	for r := bytes.NewReader(rest); r.Len() > 0; {
		chunk, err := readChunk(r)
		if err != nil {
			tb.Fatalf("capture %s: chunk %d: %v", name, len(c.Chunks), err)
		}
		c.Chunks = append(c.Chunks, chunk)
	}
	return c
}

func readAll(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func readChunk(r *bytes.Reader) (Chunk, error) {
	side, err := r.ReadByte()
	if err != nil {
		return Chunk{}, err
	}
	micros, err := binary.ReadUvarint(r)
	if err != nil {
		return Chunk{}, err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return Chunk{}, err
	}
	if n > uint64(r.Len()) {
		return Chunk{}, io.ErrUnexpectedEOF
	}
	data := make([]byte, n)
	_, err = io.ReadFull(r, data)
	return Chunk{From: Side(side), Time: time.Duration(micros) * time.Microsecond, Data: data}, err
}

// Sent returns everything that one side sent.
func (c *Capture) Sent(side Side) []byte {
	var b []byte
	for _, chunk := range c.Chunks {
		if chunk.From == side {
			b = append(b, chunk.Data...)
		}
	}
	return b
}

// Frames cuts the capture into frames, in the order in which their last octets
// arrived. A last frame that was cut off is left out.
func (c *Capture) Frames(tb testing.TB) []Frame {
	tb.Helper()
	var frames []Frame
	var pending [2][]byte
	var offset [2]int
	for _, chunk := range c.Chunks {
		s := chunk.From
		pending[s] = append(pending[s], chunk.Data...)
		for len(pending[s]) >= 8 {
			n := frameSize(pending[s])
			if n < 8 {
				tb.Fatalf("capture %s: frame of %d octets at %d of the %v", c.Name, n, offset[s], s)
			}
			if n > len(pending[s]) {
				break
			}
			frames = append(frames, Frame{From: s, Time: chunk.Time, Offset: offset[s], Data: pending[s][:n:n]})
			pending[s] = pending[s][n:]
			offset[s] += n
		}
	}
	return frames
}

func frameSize(b []byte) int {
	if string(b[:4]) == "AMQP" {
		return 8
	}
	return int(binary.BigEndian.Uint32(b))
}

// Units returns single frames (frame-*), protocol headers (header-*) and
// message payloads (msg-*) of the control captures by name.
func Units(tb testing.TB) map[string][]byte {
	tb.Helper()
	units := map[string][]byte{}
	for _, line := range lines(tb, "control/units.txt") {
		name, octets, _ := strings.Cut(line, " ")
		b, err := hex.DecodeString(octets)
		if err != nil {
			tb.Fatalf("unit %s: %v", name, err)
		}
		units[name] = b
	}
	return units
}

// Lines decodes a file of one JSON value per line, for example
// "vanflow/flows.jsonl".
func Lines[T any](tb testing.TB, name string) []T {
	tb.Helper()
	var all []T
	for i, line := range lines(tb, name) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			tb.Fatalf("%s:%d: %v", name, i+1, err)
		}
		all = append(all, v)
	}
	return all
}

func lines(tb testing.TB, name string) []string {
	tb.Helper()
	f, err := os.Open(filepath.Join(Dir(tb), filepath.FromSlash(name)))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var all []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		all = append(all, s.Text())
	}
	if err := s.Err(); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return all
}
