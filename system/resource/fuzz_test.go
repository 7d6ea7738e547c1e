package resource

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzResource loads anything, as YAML and as JSON. What is valid must survive
// being written, and being put into the text it came from without a change.
func FuzzResource(f *testing.F) {
	for _, pattern := range []string{"*/*.yaml", "*/*/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(sites, pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte(`{"apiVersion":"skupper.io/v2alpha1","kind":"Site","metadata":{"name":"s"}}{}`))
	f.Add([]byte("a: &a [*a]\n---\n- &b {<<: *b}\n--- !!binary x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range []string{"f.yaml", "f.json"} {
			in := Input{name, data}
			set, _, err := Parse([]Input{in})
			_ = Problems(err)
			for o := range set.All() {
				again, _, err := Parse([]Input{{"g.yaml", EncodeYAML(o)}})
				if err != nil || again.Find(o.Ref()) == nil {
					t.Fatalf("%v\n%s", err, EncodeYAML(o))
				}
				if !bytes.Equal(EncodeYAML(again.Find(o.Ref())), EncodeYAML(o)) {
					t.Fatalf("changed:\n%s", EncodeYAML(o))
				}
				EncodeJSON(o)
				o.Head().Line("spec.port")
				Same(o, o)
			}
			putBack(t, in, set)
		}
	})
}

func putBack(t *testing.T, in Input, set *Set) {
	text, err := NewText(in)
	if err != nil {
		return
	}
	for o := range set.All() {
		if err := text.Put(o); err != nil {
			return // defined twice, differently in what nobody knows
		}
	}
	again, _, _ := Parse([]Input{{in.Name, text.Bytes()}})
	for o := range set.All() {
		if other := again.Find(o.Ref()); other == nil || !bytes.Equal(EncodeYAML(other), EncodeYAML(o)) {
			t.Fatalf("%s changed in\n%s", o.Ref(), text.Bytes())
		}
	}
}
