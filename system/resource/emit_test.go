package resource

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestPlainDocumentsAreWrittenAsBefore compares with yaml.v3 whatever is written
// without it.
func TestPlainDocumentsAreWrittenAsBefore(t *testing.T) {
	t.Parallel()
	words := rapid.OneOf(
		rapid.SampledFrom([]string{
			"OK", "yes", "NO", "On", "null", "Null", "~", "true", "False", "y", "127.0.0.1", "1.2.3", "1.5", "1e3", "0x10", "010", "10", "55671", "-1", "+1",
			"2026-11-26T17:40:15Z", "2026-13-40T99:99:99Z", "2026-11-26", "12:30:00", "a: b", "a #b", "a:b", "a b", "a ", " a", "-", "- a", "a-b_c.d/e", ".nan", "Inf",
			"<<", "=", "", "a\nb", "ä", "a\tb", "'a'", "1.2.3.4.5", "0.0.0.0", "255.255.255.255", "v1", "skupper.io/v2alpha1", "e10", "a,b", "[a]", "{a}", "a*", "&a", "!a",
			"a long message that goes on and on, beyond the width of a line that anybody would like to read",
			"a long message that goes on and on beyond the width of a line that anybody would",
		}),
		rapid.StringMatching(`[a-zA-Z0-9 ._/:#-]{0,12}`),
		rapid.StringMatching("[a-z][a-z0-9 ._/:;,()%+='`-]{0,200}"),
		rapid.String(),
	)
	scalars := rapid.OneOf(
		rapid.Map(words, func(s string) any { return s }),
		rapid.Map(rapid.Int(), func(n int) any { return n }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	)
	keys := rapid.OneOf(rapid.StringMatching(`[a-zA-Z]{1,8}`), words)
	depth := 0
	var mapping *rapid.Generator[map[string]any]
	values := rapid.Custom(func(r *rapid.T) any {
		depth++
		defer func() { depth-- }()
		switch kind := rapid.IntRange(0, 5).Draw(r, "kind"); {
		case kind == 0 && depth < 4:
			return mapping.Draw(r, "mapping")
		case kind == 1 && depth < 4:
			list := make([]any, rapid.IntRange(0, 3).Draw(r, "length"))
			for i := range list {
				if rapid.Bool().Draw(r, "nested") {
					list[i] = mapping.Draw(r, "element")
				} else {
					list[i] = scalars.Draw(r, "element")
				}
			}
			return list
		}
		return scalars.Draw(r, "scalar")
	})
	mapping = rapid.Custom(func(r *rapid.T) map[string]any {
		m := map[string]any{}
		for range rapid.IntRange(0, 4).Draw(r, "size") {
			m[keys.Draw(r, "key")] = values.Draw(r, "value")
		}
		return m
	})
	plain := 0
	rapid.Check(t, func(r *rapid.T) {
		m := mapping.Draw(r, "document")
		got, ok := emitPlain(m)
		if !ok {
			return
		}
		plain++
		if diff := cmp.Diff(string(encodeTree(m)), string(got)); diff != "" {
			r.Fatalf("(-yaml.v3 +ours):\n%s", diff)
		}
	})
	if plain == 0 {
		t.Error("no document is plain")
	}
}

// TestOrdinaryDocumentsArePlain makes sure that those of a large site are
// written the short way.
func TestOrdinaryDocumentsArePlain(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{
		"kind: Listener\nmetadata: {name: db-1}\nspec: {routingKey: db-1, host: 127.0.0.1, port: 5432}\nstatus:\n  status: Pending\n" +
			"  message: 'router starting; this takes a moment; `skupper -n west system logs` tells more'\n",
		"kind: Listener\nmetadata: {name: db-1}\nspec: {routingKey: db-1, host: 127.0.0.1, port: 5432}\nstatus:\n  status: Pending\n" +
			"  message: 'No matching connectors; on the site of the server: `skupper connector create db-1 PORT`'\n",
		"kind: Listener\nmetadata: {name: db-1, namespace: west}\nspec: {routingKey: db-1, host: 127.0.0.1, port: 5432}\n",
		"kind: Connector\nmetadata: {name: db-1}\nspec: {routingKey: db-1, host: db.example.com, port: 5432}\nstatus:\n  status: Ready\n  message: OK\n" +
			"  conditions: [{type: Ready, status: 'True', reason: Ready, message: OK, lastTransitionTime: '2026-11-26T17:40:15Z'}]\n",
	} {
		f := ParseFile(Input{Name: "x.yaml", Data: fmt.Appendf(nil, "apiVersion: %s\n%s", KindListener.APIVersion(), spec)})
		if len(f.Objects) != 1 {
			t.Fatal(f.Errors)
		}
		text, ok := emitPlain(tree(f.Objects[0]))
		if !ok {
			t.Errorf("not plain:\n%s", EncodeYAML(f.Objects[0]))
		}
		if diff := cmp.Diff(string(encodeTree(tree(f.Objects[0]))), string(text)); diff != "" {
			t.Errorf("(-yaml.v3 +ours):\n%s", diff)
		}
	}
}
