package output

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	t.Parallel()
	table := Table{Header: []string{"NAME", "STATUS", "MESSAGE"}}
	table.Add("west", "Ready", "OK")
	table.Add("größer", "Pending", "no\tconnector\nyet")
	table.Add("x", "", "")
	table.Paint = func(column, text string) string {
		if column == "STATUS" && text != "" {
			return "<" + text + ">"
		}
		return text
	}
	var b strings.Builder
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := "NAME    STATUS   MESSAGE\n" +
		"west    <Ready>    OK\n" +
		"größer  <Pending>  no connector yet\n" +
		"x\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	a := map[string]any{
		"kind": "Listener", "spec": map[string]any{"port": 8080, "host": "", "tls": false, "ratio": 1.5},
		"status": map[string]any{"hasMatchingConnector": false, "message": "", "since": zeroTime},
		"empty":  map[string]any{"deep": map[string]any{}},
	}
	b := json.RawMessage(`{"kind":"Site","html":"<&>","big":12345678901}`)
	for _, row := range []struct {
		name   string
		format Format
		list   bool
		values []any
		want   string
	}{
		{"one as JSON", AsJSON, false, []any{a}, `{
  "kind": "Listener",
  "spec": {
    "port": 8080,
    "ratio": 1.5
  },
  "status": {
    "hasMatchingConnector": false
  }
}
`},
		{"one as YAML", AsYAML, false, []any{b}, "big: 12345678901\nhtml: <&>\nkind: Site\n"},
		{"a stream", AsYAML, true, []any{b, a}, `big: 12345678901
html: <&>
kind: Site
---
kind: Listener
spec:
  port: 8080
  ratio: 1.5
status:
  hasMatchingConnector: false
`},
		{"a list of none", AsJSON, true, nil, "{\n  \"apiVersion\": \"v1\",\n  \"items\": [],\n  \"kind\": \"List\"\n}\n"},
		{"nothing as YAML", AsYAML, true, nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if err := Objects(&out, row.format, row.list, row.values...); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(row.want, out.String()); d != "" {
				t.Error(d)
			}
		})
	}
}
