package resource

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const sites = "../../testdata/sites"

func readFile(t *testing.T, path string) Input {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sites, path))
	if err != nil {
		t.Fatal(err)
	}
	return Input{Name: filepath.Base(path), Data: data}
}

func parseFile(t *testing.T, path string) *Set {
	t.Helper()
	set, _, err := Parse([]Input{readFile(t, path)})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestEncodesAsUpstream compares with files that upstream's command line wrote.
func TestEncodesAsUpstream(t *testing.T) {
	t.Parallel()
	site := &Site{Meta: Meta{Name: "west", Namespace: "west"}, Spec: SiteSpec{LinkAccess: "default"}}
	listener := &Listener{Meta: Meta{Name: "backend", Namespace: "west"}}
	listener.Spec = ListenerSpec{RoutingKey: "backend", Host: "0.0.0.0", Port: 8080, TLSCredentials: "backend-tls", Type: "tcp"}
	connector := &Connector{Meta: Meta{Name: "database", Namespace: "west"}}
	connector.Spec = ConnectorSpec{RoutingKey: "database", Host: "localhost", Port: 5432, Type: "tcp"}
	for file, o := range map[string]Object{
		"Site-west.yaml":          site,
		"Listener-backend.yaml":   listener,
		"Connector-database.yaml": connector,
	} {
		want := readFile(t, "upstream-files/input/"+file)
		if diff := cmp.Diff(string(want.Data), string(EncodeYAML(o))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// TestEncodeKeepsTexts has texts that YAML would take for something else.
func TestEncodeKeepsTexts(t *testing.T) {
	t.Parallel()
	o := &Listener{Meta: Meta{Name: "l", Labels: map[string]string{
		"a": "yes", "b": "1.0", "c": "null", "d": "0x1f", "e": "2024-01-02", "f": "", "g": "a: b", "h": "- x", "i": "1:30",
		"j": "line\nbreak\n", "k": " blank ", "l": "#", "m": "\u00e4\u2028", "n": "on", "o": "~", "p": "*a", "q": "!x", "r": "\x7f",
	}}}
	o.Spec = ListenerSpec{RoutingKey: "8080", Host: "h", Port: 1}
	for name, text := range map[string][]byte{"f.yaml": EncodeYAML(o), "f.json": EncodeJSON(o)} {
		set, warnings, err := Parse([]Input{{name, text}})
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%v %v in\n%s", err, warnings, text)
		}
		got := Get[*Listener](set, "l")
		if diff := cmp.Diff(o.Labels, got.Labels); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%s", name, diff, text)
		}
		if diff := cmp.Diff(o.Spec, got.Spec); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestEncodeStatus(t *testing.T) {
	t.Parallel()
	o := &Listener{Meta: Meta{Name: "l"}}
	o.Health().Set(Condition{Type: ConditionConfigured, Status: ConditionTrue, Reason: StatusReady, Message: "OK"}, time.Unix(1700000000, 5))
	Aggregate(o, time.Unix(1700000001, 0))
	const want = `apiVersion: skupper.io/v2alpha1
kind: Listener
metadata:
  name: l
status:
  conditions:
    - lastTransitionTime: "2023-11-14T22:13:20Z"
      message: OK
      reason: Ready
      status: "True"
      type: Configured
    - lastTransitionTime: "2023-11-14T22:13:21Z"
      message: Not Matched
      reason: Pending
      status: "False"
      type: Ready
  hasMatchingConnector: false
  message: Not Matched
  status: Pending
`
	if diff := cmp.Diff(want, string(EncodeYAML(o))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEveryFieldSurvives loads every field, writes it, and loads it again.
func TestEveryFieldSurvives(t *testing.T) {
	t.Parallel()
	set := parseFile(t, "every-field/site.yaml")
	if set.Len() != 18 {
		t.Errorf("%d objects, want 18", set.Len())
	}
	for o := range set.All() {
		for name, text := range map[string][]byte{"f.yaml": EncodeYAML(o), "f.json": EncodeJSON(o)} {
			again, _, err := Parse([]Input{{name, text}})
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			opts := cmp.Options{cmpopts.IgnoreUnexported(Meta{}), cmpopts.IgnoreFields(Meta{}, "Source")}
			if diff := cmp.Diff(o, again.Find(o.Ref()), opts); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", o.Ref(), name, diff)
			}
		}
	}
}

// TestReadsWhatUpstreamWrites has upstream's own shape of lists and metadata.
func TestReadsWhatUpstreamWrites(t *testing.T) {
	t.Parallel()
	set := parseFile(t, "upstream-files/runtime/resources.yaml")
	a := Get[*RouterAccess](set, "skupper-local")
	if a.Spec.Roles[0] != (Role{"normal", 5671}) || a.Health().Status != StatusPending {
		t.Errorf("got %+v", a)
	}
	if c := a.Health().Condition(ConditionConfigured); c == nil || c.LastTransitionTime.IsZero() {
		t.Errorf("condition %+v", c)
	}
	l := Get[*Link](set, "link-east")
	if l.Status.RemoteSiteName != "east" || l.Spec.Endpoints[1].Port != "45671" {
		t.Errorf("got %+v", l)
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	read := func(text string) Object {
		set, _, err := Parse([]Input{{"f.yaml", []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		return set.Find(Ref{KindListener, "l"})
	}
	a := read(listener("routingKey: k, host: h, port: 1"))
	for _, c := range []struct {
		name string
		b    Object
		want bool
	}{
		{"itself", a, true},
		{"another order", read(listener("port: 1, host: 'h', routingKey: k # comment\n")), true},
		{"another value", read(listener("port: 2, host: h, routingKey: k")), false},
		{"an unknown field", read(listener("routingKey: k, host: h, port: 1, x: 1")), false},
		{"another object", &Listener{Meta: Meta{Name: "m"}}, false},
	} {
		if got := Same(a, c.b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
