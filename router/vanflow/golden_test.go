package vanflow

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/amqp"
)

// recorded is a message of the vanflow captures and what another decoder made
// of it.
type recorded struct {
	T          float64
	LinkSource string `json:"link_source"`
	Subject    string
	Raw        string
	Records    []struct {
		RecordType string
		Attrs      map[string]any
	}
	Sections struct {
		Properties struct {
			MessageID map[string]json.Number `json:"message-id"`
		}
		ApplicationProperties struct {
			Map [][2]map[string]any
		} `json:"application-properties"`
	}
}

// recording reads a capture without its messages of other protocols.
func recording(t testing.TB, name string) []recorded {
	t.Helper()
	return captures.Lines[recorded](t, "vanflow/"+name+".jsonl")
}

func (r recorded) payload(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(r.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func recordings(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(captures.Dir(t), "vanflow", "*.jsonl"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".jsonl")
	}
	return files
}

// readable writes a record as the recordings have it.
func readable(r *Record) (string, map[string]any) {
	attributes := map[string]any{"identity": r.Identity}
	for _, a := range r.Attributes {
		if a.Code.IsNumber() {
			attributes[a.Code.String()] = float64(a.Number)
		} else {
			attributes[a.Code.String()] = a.Text
		}
	}
	return r.Type.String(), attributes
}

// TestRecordedMessages decodes everything that upstream's routers and
// controllers sent, attribute by attribute.
func TestRecordedMessages(t *testing.T) {
	t.Parallel()
	for _, name := range recordings(t) {
		for i, r := range recording(t, name) {
			m, err := Decode(r.payload(t))
			if err != nil {
				t.Errorf("%s, message %d: %v", name, i, err)
				continue
			}
			if string(m.Subject) != r.Subject || m.Skipped != 0 || len(m.Records) != len(r.Records) {
				t.Errorf("%s, message %d: %s with %d records, %d skipped; want %s with %d",
					name, i, m.Subject, len(m.Records), m.Skipped, r.Subject, len(r.Records))
				continue
			}
			for j := range m.Records {
				typ, attributes := readable(&m.Records[j])
				if typ != r.Records[j].RecordType {
					t.Errorf("%s, message %d, record %d: %s, want %s", name, i, j, typ, r.Records[j].RecordType)
				}
				if diff := cmp.Diff(r.Records[j].Attrs, attributes); diff != "" {
					t.Errorf("%s, message %d, record %d (-want +got):\n%s", name, i, j, diff)
				}
			}
			wantAnnouncement(t, fmt.Sprintf("%s, message %d", name, i), m, r)
		}
	}
}

// wantAnnouncement compares what a beacon or heartbeat says.
func wantAnnouncement(t *testing.T, where string, m Message, r recorded) {
	t.Helper()
	for _, pair := range r.Sections.ApplicationProperties.Map {
		var key string
		for _, k := range pair[0] {
			key = k.(string)
		}
		var got any
		switch key {
		case "id":
			got = m.ID
		case "address":
			got = m.Address
		case "direct":
			got = m.Direct
		case "sourceType":
			got = string(m.Source)
		case "now":
			got = float64(m.Now.UnixMicro())
		case "v":
			got = float64(version)
		}
		for _, want := range pair[1] {
			if got != want {
				t.Errorf("%s: %s is %v, want %v", where, key, got, want)
			}
		}
	}
}

// TestRecordsEncodedAgain composes the records of upstream's routers again:
// the same octets, but for the message id, which is a ulong of ours and a long,
// outside of the specification, of theirs.
func TestRecordsEncodedAgain(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, name := range recordings(t) {
		for i, r := range recording(t, name) {
			id, isLong := r.Sections.Properties.MessageID["long"]
			if r.Subject != "RECORD" || !isLong {
				continue
			}
			number, err := id.Int64()
			if err != nil {
				t.Fatal(err)
			}
			raw := r.payload(t)
			m, err := Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			out := AppendRecords(nil, m.To, uint64(number), m.Records)
			if len(out) != 1 || out[0].To != r.LinkSource {
				t.Fatalf("%s, message %d: %d messages", name, i, len(out))
			}
			theirs, ours := bodyOf(t, raw), bodyOf(t, out[0].Payload)
			if !bytes.Equal(theirs, ours) {
				t.Errorf("%s, message %d: body\n got %x\nwant %x", name, i, ours, theirs)
			}
			compared++
		}
	}
	if compared < 50 {
		t.Errorf("%d messages compared", compared)
	}
}

// bodyOf returns the body section of a message.
func bodyOf(t *testing.T, message []byte) []byte {
	t.Helper()
	p, complete, err := amqp.ScanPrefix(message)
	if err != nil || !complete {
		t.Fatalf("complete %v, error %v", complete, err)
	}
	return message[p.BodyOffset:]
}

// fullState returns what sources sent in answer to FLUSH, by name of source.
func fullState(t *testing.T, source string) []Record {
	t.Helper()
	for _, r := range recording(t, "flush-full-state") {
		if r.LinkSource == Address(source) && r.Subject == "RECORD" {
			m, err := Decode(r.payload(t))
			if err != nil {
				t.Fatal(err)
			}
			return m.Records
		}
	}
	t.Fatalf("no full state of %s", source)
	return nil
}
