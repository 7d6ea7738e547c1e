package resource

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const handWritten = `# the site of the west coast
apiVersion: skupper.io/v2alpha1
kind:   Site      # odd blanks stay
metadata: {name: west}
---
# what the shop asks for
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata:
  name: db
  labels:
    team: blue
spec:
  # keep in step with the firewall
  port: 5432 # the usual one
  host: 0.0.0.0
  routingKey: db
  someFutureField: {a: 1}
  settings:
    x: y
---
apiVersion: apps/v1
kind: Deployment
`

func TestPutKeepsWhatItDoesNotChange(t *testing.T) {
	t.Parallel()
	text, err := NewText(Input{"f.yaml", []byte(handWritten)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(handWritten, string(text.Bytes())); diff != "" {
		t.Errorf("unchanged (-want +got):\n%s", diff)
	}
	set, _, err := Parse([]Input{{"f.yaml", []byte(handWritten)}})
	if err != nil {
		t.Fatal(err)
	}
	l := *Get[*Listener](set, "db")
	l.Spec.Port = 5433
	l.Spec.TLSCredentials = "db-tls"
	l.Labels = nil
	l.Annotations = map[string]string{"by": "me"}
	if err := text.Put(&l); err != nil {
		t.Fatal(err)
	}
	if err := text.Put(&Connector{Meta: Meta{Name: "c"}, Spec: ConnectorSpec{Host: "h", Port: 1, RoutingKey: "k"}}); err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		"5432", "5433",
		"  labels:\n    team: blue\n", "  annotations:\n    by: me\n",
		"    x: y\n", "    x: y\n  tlsCredentials: db-tls\n",
	).Replace(handWritten) + `---
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata:
  name: c
spec:
  host: h
  port: 1
  routingKey: k
`
	if diff := cmp.Diff(want, string(text.Bytes())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPutAndRemove(t *testing.T) {
	t.Parallel()
	site := func(edge bool) Object { return &Site{Meta: Meta{Name: "s"}, Spec: SiteSpec{Edge: edge}} }
	const plain = "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata:\n  name: s\n"
	for _, c := range []struct {
		name, file, text string
		change           func(*testing.T, *Text)
		want             string
	}{
		{"into an empty file", "f.yaml", "", put(site(false)), plain},
		{"the same", "f.yaml", plain, put(site(false)), plain},
		{"after a comment without an end", "f.yaml", "# c", put(site(false)), "# c\n---\n" + plain},
		{"a new member", "f.yaml", "metadata: {name: s}\nkind: Site\napiVersion: skupper.io/v2alpha1", put(site(true)), "metadata: {name: s}\nkind: Site\napiVersion: skupper.io/v2alpha1\nspec:\n  edge: true\n"},
		{"in flow style", "f.yaml", "{apiVersion: skupper.io/v2alpha1, kind: Site, metadata: {name: s}, spec: {edge: false}}", put(site(true)), "{apiVersion: skupper.io/v2alpha1, kind: Site, metadata: {name: s}, spec: {edge: true}}\n"},
		{"a member goes", "f.yaml", "---\n" + plain + "spec:\n  edge: true\n", put(site(false)), "---\n" + plain},
		{"JSON", "f.json", `{"kind":"Site","apiVersion":"skupper.io/v2alpha1","metadata":{"name":"s"},"x":[1,"<&>"]}`, put(site(true)), `{
  "apiVersion": "skupper.io/v2alpha1",
  "kind": "Site",
  "metadata": {
    "name": "s"
  },
  "spec": {
    "edge": true
  },
  "x": [
    1,
    "<&>"
  ]
}
`},
		{
			"JSON beside other JSON", "f.json", "{\"x\":  1e400}\n" + `{"kind":"Site","apiVersion":"skupper.io/v2alpha1","metadata":{"name":"s"}}` + "\n",
			put(site(false)), "{\"x\":  1e400}\n" + `{"kind":"Site","apiVersion":"skupper.io/v2alpha1","metadata":{"name":"s"}}` + "\n",
		},
		{"remove the first", "f.yaml", plain + "---\n# c\n" + listener("routingKey: k, host: h, port: 1"), remove(Ref{KindSite, "s"}, true), "---\n# c\n" + listener("routingKey: k, host: h, port: 1")},
		{"remove what is not there", "f.yaml", plain, remove(Ref{KindSite, "t"}, false), plain},
		{"remove the last", "f.yaml", "# c\n---\n" + plain, remove(Ref{KindSite, "s"}, true), "# c\n"},
		{"secret with plain text", "f.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {a: old}\n", put(&Secret{Meta: Meta{Name: "x"}, Data: map[string][]byte{"a": []byte("new")}}), "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata:\n  a: bmV3\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text, err := NewText(Input{c.file, []byte(c.text)})
			if err != nil {
				t.Fatal(err)
			}
			c.change(t, text)
			if diff := cmp.Diff(c.want, string(text.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func put(o Object) func(*testing.T, *Text) {
	return func(t *testing.T, text *Text) {
		t.Helper()
		if err := text.Put(o); err != nil {
			t.Fatal(err)
		}
		if text.Empty() {
			t.Error("empty after Put")
		}
	}
}

func remove(ref Ref, there bool) func(*testing.T, *Text) {
	return func(t *testing.T, text *Text) {
		t.Helper()
		if text.Remove(ref) != there {
			t.Errorf("Remove %s: %v", ref, !there)
		}
		if _, _, err := Parse([]Input{{"f.yaml", text.Bytes()}}); err != nil {
			t.Errorf("unreadable: %v", err)
		}
	}
}

func TestTextRefusesWhatItCannotChange(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"syntax": "a: [", "encoding": "\xff", "JSON": "{",
	} {
		file := "f.yaml"
		if name == "JSON" {
			file = "f.json"
		}
		if _, err := NewText(Input{file, []byte(text)}); len(Problems(err)) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	const alias = "x: &x {edge: false}\napiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: s}\nspec: *x\n"
	text, err := NewText(Input{"f.yaml", []byte(alias)})
	if err != nil {
		t.Fatal(err)
	}
	if err := text.Put(&Site{Meta: Meta{Name: "s"}, Spec: SiteSpec{Edge: true}}); !errors.Is(err, ErrAlias) {
		t.Errorf("got %v", err)
	}
	text, err = NewText(Input{"f.yaml", []byte(listener("port: x"))})
	if err != nil {
		t.Fatal(err)
	}
	if err := text.Put(&Listener{Meta: Meta{Name: "l"}}); len(Problems(err)) == 0 {
		t.Errorf("got %v", err)
	}
	if got := string(text.Bytes()); got != listener("port: x") {
		t.Errorf("changed to %s", got)
	}
}

func TestEmptyText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"": true, "# c\n---\n": true, "kind: x\n": false} {
		got, err := NewText(Input{"f.yaml", []byte(text)})
		if err != nil || got.Empty() != want {
			t.Errorf("%q: %v %v", text, got.Empty(), err)
		}
	}
}
