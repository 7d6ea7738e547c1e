package amqp

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skupper-host/skupper/internal/captures"
)

// recorded is one message of the vanflow and management captures: the octets
// and what another decoder made of them.
type recorded struct {
	Sections map[string]json.RawMessage
	Raw      string
}

// TestRecordedMessages decodes the messages of management tools, routers and
// Go programs and compares every section, value by value and type by type.
func TestRecordedMessages(t *testing.T) {
	t.Parallel()
	var all []recorded
	for _, exchange := range captures.Lines[struct{ Request, Response recorded }](t, "management/messages.jsonl") {
		all = append(all, exchange.Request, exchange.Response)
	}
	for _, name := range []string{"beacon-heartbeat", "flows", "flush-full-state", "go-controller", "logs", "corecords"} {
		all = append(all, captures.Lines[recorded](t, "vanflow/"+name+".jsonl")...)
	}
	compared := 0
	for i, r := range all {
		b, err := hex.DecodeString(r.Raw)
		if err != nil {
			continue // the recording of a long answer was cut off
		}
		compared++
		wantSections(t, i, b, r.Sections)
		m, err := ParseMessage(b)
		if err != nil {
			t.Errorf("message %d: %v", i, err)
			continue
		}
		again, err := ParseMessage(m.Append(nil))
		if err != nil || !cmp.Equal(m, again, cmpopts.EquateEmpty()) {
			t.Errorf("message %d: error %v, encoded again (-first +second):\n%s", i, err, cmp.Diff(m, again, cmpopts.EquateEmpty()))
		}
	}
	if compared < 150 {
		t.Errorf("%d messages compared", compared)
	}
}

func wantSections(t *testing.T, i int, b []byte, want map[string]json.RawMessage) {
	t.Helper()
	names := map[uint64]string{
		SectionHeader: "header", SectionProperties: "properties", SectionApplicationProperties: "application-properties", SectionValue: "amqp-value",
	}
	for len(b) > 0 {
		v, rest, err := DecodeValue(b)
		if err != nil {
			t.Errorf("message %d: %v", i, err)
			return
		}
		b = rest
		section := v.(Described)
		name := names[section.Descriptor.(uint64)]
		got := typed(section.Value)
		if name == "properties" {
			got = namedProperties(section.Value.(List))
		}
		var wanted any
		d := json.NewDecoder(strings.NewReader(string(want[name])))
		d.UseNumber()
		if err := d.Decode(&wanted); err != nil {
			t.Errorf("message %d: section %q: %v", i, name, err)
			continue
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("message %d: section %s (-want +got):\n%s", i, name, diff)
		}
	}
}

// namedProperties writes the properties as the recordings have them: fields
// that are not null, by name.
func namedProperties(fields List) any {
	names := []string{"message-id", "user-id", "to", "subject", "reply-to", "correlation-id", "content-type", "content-encoding"}
	m := map[string]any{}
	for i, v := range fields {
		if v != nil {
			m[names[i]] = typed(v)
		}
	}
	return m
}

// typed writes a value as the recordings have it: {"uint": 1}.
func typed(v any) any {
	name := map[string]string{
		"bool": "boolean", "string": "string", "amqp.Symbol": "symbol", "uint32": "uint", "uint64": "ulong", "int32": "int", "int64": "long",
	}[fmt.Sprintf("%T", v)]
	switch v := v.(type) {
	case nil:
		return map[string]any{"null": nil}
	case List:
		out := []any{}
		for _, e := range v {
			out = append(out, typed(e))
		}
		return map[string]any{"list": out}
	case Map:
		out := []any{}
		for _, p := range v {
			out = append(out, []any{typed(p.Key), typed(p.Value)})
		}
		return map[string]any{"map": out}
	case bool, string:
		return map[string]any{name: v}
	case Symbol:
		return map[string]any{name: string(v)}
	}
	return map[string]any{name: json.Number(fmt.Sprint(v))}
}
