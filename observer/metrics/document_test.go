package metrics

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// document is where every metric is listed for those who scrape.
const document = "../../docs/network-observer.md"

// rows are the metrics as the document lists them.
func rows(theirs bool) string {
	var out strings.Builder
	l := strings.Join(traffic(), " ")
	for _, m := range table() {
		if m.theirs != theirs {
			continue
		}
		kind := map[bool]string{true: "histogram"}[m.typ == histogram]
		switch m.typ {
		case counter:
			kind = "counter"
		case gauge:
			kind = "gauge"
		default:
		}
		labels := "`" + strings.Join(m.labels, " ") + "`"
		if rest, ok := strings.CutPrefix(strings.Join(m.labels, " "), l); ok {
			labels = "L"
			if rest = strings.TrimSpace(rest); rest != "" {
				labels += ", `" + rest + "`"
			}
		}
		if len(m.labels) == 0 {
			labels = ""
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", m.name, kind, labels, m.help)
	}
	return out.String()
}

func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, theirs := range []bool{true, false} {
		if want := rows(theirs); !strings.Contains(string(text), want) {
			t.Errorf("%s does not have these rows:\n%s", document, want)
		}
	}
}
