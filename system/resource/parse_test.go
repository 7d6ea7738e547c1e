package resource

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// said is what loading says about a text, a line each.
func said(name, text string) []string {
	_, warnings, err := Parse([]Input{{Name: name, Data: []byte(text)}})
	var lines []string
	for _, e := range Problems(err) {
		lines = append(lines, e.Error())
	}
	for _, w := range warnings {
		lines = append(lines, "warning: "+w.String())
	}
	return lines
}

// listener is a listener with a spec in one line.
func listener(spec string) string {
	return "apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: l}\nspec: {" + spec + "}\n"
}

func TestLoading(t *testing.T) {
	t.Parallel()
	const good = "routingKey: k, host: 127.0.0.1, port: 80"
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"only comments", "# one\n---\n# two\n---\n", nil},
		{"null", "null\n---\n~\n", nil},
		{"good", listener(good), nil},
		{"Windows line ends", strings.ReplaceAll("---\n"+listener(good)+"---\n"+listener(good), "\n", "\r\n"), nil},
		{"byte order mark", "\xef\xbb\xbf" + listener(good), nil},
		{"directive", "%YAML 1.2\n---\n" + listener(good), nil},
		{"end marker", listener(good) + "...\n# rest\n", nil},
		{"UTF-16", "\xff\xfea\x00", []string{"f.yaml: not a text in UTF-8"}},
		{"a word", "hello", []string{"f.yaml:1: a resource expected, got string"}},
		{"a list", "- 1\n", []string{"f.yaml:1: a resource expected, got list"}},
		{"no kind", "metadata: {}\n", []string{"f.yaml:1: not a resource: apiVersion and kind are required"}},
		{"another kind", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n", []string{
			"warning: f.yaml:1: deployment/d: skipped: apps/v1 Deployment has no meaning on this platform",
		}},
		{"another version", strings.Replace(listener(good), "v2alpha1", "v3", 1), []string{
			"warning: f.yaml:1: listener/l: skipped: skupper.io/v3 Listener has no meaning on this platform",
		}},
		{"no name", "apiVersion: skupper.io/v2alpha1\nkind: Site\n", []string{"f.yaml:1: site/: metadata.name: name is required"}},
		{"every error of a document", listener(`host: "a b", port: 1.5, observer: x, type: udp, routingKey: [k]`), []string{
			`f.yaml:4: listener/l: spec.host: invalid host "a b": a valid IP address or hostname is expected`,
			`f.yaml:4: listener/l: spec.observer: "x" is not one of auto, none, http1, http2`,
			`f.yaml:4: listener/l: spec.port: integer expected, got number`,
			`f.yaml:4: listener/l: spec.routingKey: string expected, got list`,
			`f.yaml:4: listener/l: spec.type: type udp not supported, only tcp is`,
		}},
		{"errors of several documents, one of them broken", "a: [\n---\n" + listener("port: 0") + "---\n" + listener(good), []string{
			"f.yaml:2: YAML: did not find expected node content",
			"f.yaml:6: listener/l: spec.host: host is required",
			"f.yaml:6: listener/l: spec.port: 0 is out of range 1..65535",
			"f.yaml:6: listener/l: spec.routingKey: routingKey is required",
		}},
		{"no spec", "apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: l}\n", []string{
			"f.yaml:1: listener/l: spec.host: host is required",
			"f.yaml:1: listener/l: spec.port: port is required",
			"f.yaml:1: listener/l: spec.routingKey: routingKey is required",
		}},
		{"null is absent", listener("routingKey: k, host: null, port: ~"), []string{
			"f.yaml:4: listener/l: spec.host: host is required",
			"f.yaml:4: listener/l: spec.port: port is required",
		}},
		{"empty is absent", listener(`routingKey: "", host: h, port: 1`), []string{
			"f.yaml:4: listener/l: spec.routingKey: routingKey is required",
		}},
		{"huge number", listener("routingKey: k, host: h, port: 99999999999999999999"), []string{
			"f.yaml:4: listener/l: spec.port: integer expected, got number",
		}},
		{"unknown field", listener(good + ", Port: 1, x: {y: 1}"), []string{
			"warning: f.yaml:4: listener/l: spec.Port: unknown field, ignored; did you mean port?",
			"warning: f.yaml:4: listener/l: spec.x: unknown field, ignored",
		}},
		{"unknown setting", listener(good + ", settings: {a: b, observer: auto}"), []string{
			"warning: f.yaml:4: listener/l: spec.settings.a: unknown setting, ignored",
		}},
		{"setting that is no string", listener(good + ", settings: {observer: true}"), []string{
			"f.yaml:4: listener/l: spec.settings.observer: string expected, got boolean",
		}},
		{"fields for Kubernetes", listener(good + ", exposePodsByName: true"), []string{
			"warning: f.yaml:4: listener/l: spec.exposePodsByName: ignored on this platform",
		}},
		{"fields for Kubernetes that say nothing", listener(good + ", exposePodsByName: false"), nil},
		{"booleans of YAML 1.1", listener(good + ", exposePodsByName: no"), nil},
		{"quoted booleans", listener(good + `, exposePodsByName: "true"`), []string{
			"f.yaml:4: listener/l: spec.exposePodsByName: boolean expected, got string",
		}},
		{"key twice", listener(good + ", port: 81"), []string{
			"f.yaml:4: listener/l: spec.port: key given twice, first in line 4",
		}},
		{"key that is no string", listener(good + ", 1: 2"), []string{"f.yaml:4: listener/l: spec: keys must be strings, got integer"}},
		{"merge key", "a: &a {b: c}\n" + listener(good+", <<: *a"), []string{
			"f.yaml:5: listener/l: spec: merge keys (<<) are not supported",
			"warning: f.yaml:1: listener/l: a: unknown field, ignored",
		}},
		{"status in the input is not trusted", listener(good) + "status: {status: Great, conditions: 7, hasMatchingConnector: 3, x: 1}\n", []string{
			`warning: f.yaml:5: listener/l: status.conditions: list of object expected, got integer`,
			`warning: f.yaml:5: listener/l: status.hasMatchingConnector: boolean expected, got integer`,
			`warning: f.yaml:5: listener/l: status.status: "Great" is not one of Pending, Error, Ready`,
			`warning: f.yaml:5: listener/l: status.x: unknown field, ignored`,
		}},
		{"what Kubernetes adds", "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: s, creationTimestamp: null, resourceVersion: \"1\", generation: 2}\nstatus: {}\n", nil},
		{"token", "apiVersion: skupper.io/v2alpha1\nkind: AccessToken\nmetadata: {name: t}\nspec: {url: http://x/y, code: 12, ca: c}\n", []string{
			"f.yaml:4: accesstoken/t: spec.code: string expected, got integer",
			"f.yaml:4: accesstoken/t: spec.url: a URL that begins with https:// is expected",
		}},
		{"grant", "apiVersion: skupper.io/v2alpha1\nkind: AccessGrant\nmetadata: {name: g}\nspec: {expirationWindow: 1 day}\n", []string{
			`f.yaml:4: accessgrant/g: spec.expirationWindow: invalid duration "1 day": a number with a unit is expected, such as 15m or 24h`,
		}},
		{"endpoint", "apiVersion: skupper.io/v2alpha1\nkind: Link\nmetadata: {name: k}\nspec:\n  tlsCredentials: c\n  endpoints:\n  - name: edge\n    host: h\n    port: 1\n  - {name: edge, host: h, port: \"70000\"}\n  - {}\n", []string{
			"f.yaml:9: link/k: spec.endpoints[0].port: string expected, got integer",
			"f.yaml:10: link/k: spec.endpoints[1].port: 70000 is out of range 1..65535",
			"f.yaml:11: link/k: spec.endpoints[2].host: host is required",
			"f.yaml:11: link/k: spec.endpoints[2].name: name is required",
			"f.yaml:11: link/k: spec.endpoints[2].port: port is required",
		}},
		{"secret", "apiVersion: v1\nkind: Secret\nmetadata: {name: s.t}\ndata: {a: '!', b: 1}\nstringData: {c: 2}\n", []string{
			"f.yaml:4: secret/s.t: data.a: not in base64",
			"f.yaml:4: secret/s.t: data.b: base64 expected, got integer",
			"f.yaml:5: secret/s.t: stringData.c: string expected, got integer",
		}},
		{"list of Kubernetes", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: skupper.io/v2alpha1\n  kind: Site\n  metadata: {name: A}\n- apiVersion: v1\n  kind: List\n", []string{
			`f.yaml:6: site/A: metadata.name: invalid site name "A": only lower-case letters, digits and - are allowed, - neither first nor last`,
			"f.yaml:7: a resource expected in a list",
		}},
		{"defined twice", listener(good) + "---\n" + listener("routingKey: k, host: 127.0.0.1, port: 81"), []string{
			"f.yaml:8: listener/l: metadata.name: Listener l is defined twice, first in f.yaml:3",
		}},
		{"defined twice, the same", listener(good) + "---\n" + listener("port: 80, routingKey: k, host: '127.0.0.1'"), nil},
		{"too many aliases", "x: &x [" + strings.Repeat("a,", 300) + "]\n" + "apiVersion: skupper.io/v2alpha1\nkind: Link\nmetadata: {name: k}\nspec:\n  tlsCredentials: c\n  endpoints:\n  - &e {name: edge, host: h, port: \"1\", " + manyKeys(1000) + "}\n" + strings.Repeat("  - *e\n", 1000), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := said("f.yaml", c.text)
			if c.name == "too many aliases" {
				if len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), "more than 100000 members") {
					t.Errorf("got %d lines, no complaint about the number of members", len(got))
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1, ", i)
	}
	return b.String()
}

func TestLoadingJSON(t *testing.T) {
	t.Parallel()
	const good = `{
	"apiVersion": "skupper.io/v2alpha1",
	"kind": "Listener",
	"metadata": {"name": "l", "annotations": {"smile": "\ud83d\ude00", "path": "a\/b"}},
	"spec": {"routingKey": "k", "host": "127.0.0.1",
		"port": 80}
}`
	for _, c := range []struct {
		name, file, text string
		want             []string
	}{
		{"good", "f.json", good, nil},
		{"several", "f.json", good + "\n" + strings.Replace(good, `"l"`, `"m"`, 1), nil},
		{"from standard input", "-", "\n\n" + good, nil},
		{"in a YAML file", "f.yaml", good, nil},
		{"wrong type, with its line", "f.json", strings.Replace(good, "80", `"80"`, 1), []string{
			"f.json:6: listener/l: spec.port: integer expected, got string",
		}},
		{"fraction", "f.json", strings.Replace(good, "80", `80.0`, 1), []string{
			"f.json:6: listener/l: spec.port: integer expected, got number",
		}},
		{"key twice", "f.json", strings.Replace(good, "80", `80, "port": 81`, 1), []string{
			"f.json:6: listener/l: spec.port: key given twice, first in line 6",
		}},
		{"broken", "f.json", good + "\n{\n,", []string{"f.json:9: JSON: invalid character ','"}},
		{"cut off", "f.json", good[:40], []string{"f.json:2: JSON: unexpected EOF"}},
		{"YAML in a JSON file", "f.json", listener("port: 1"), []string{"f.json:1: JSON: invalid character 'a' looking for beginning of value"}},
		{"deep", "f.json", strings.Repeat("[", 1000), []string{"f.json:1: JSON: nested deeper than 100 levels"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, said(c.file, c.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	set, _, err := Parse([]Input{{"f.json", []byte(good)}})
	if err != nil {
		t.Fatal(err)
	}
	l := Get[*Listener](set, "l")
	if l == nil || l.Annotations["smile"] != "\U0001f600" || l.Annotations["path"] != "a/b" || l.Spec.Port != 80 {
		t.Errorf("got %+v", l)
	}
}

func TestFileLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		size int
		want string
	}{
		{"file", MaxFile + 1, "f.yaml: file too large: 16777217 bytes, 16777216 are read"},
		{"document", MaxDocument + 1, "f.yaml:1: document too large: 1048577 bytes, 1048576 are read"},
	} {
		got := said("f.yaml", strings.Repeat("#", c.size))
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFilesAreReadInTheOrderOfTheirNames(t *testing.T) {
	t.Parallel()
	doc := func(name string) []byte {
		return []byte(strings.Replace(listener("routingKey: k, host: h, port: 1"), "l}", name+"}", 1))
	}
	set, _, err := Parse([]Input{{"b.yaml", doc("one")}, {"a.yaml", doc("two")}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for o := range set.All() {
		names = append(names, o.Head().Source.File+" "+o.Head().Name)
	}
	if diff := cmp.Diff([]string{"a.yaml two", "b.yaml one"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestLineOfAField(t *testing.T) {
	t.Parallel()
	const text = `# comment
---
apiVersion: skupper.io/v2alpha1
kind: RouterAccess
metadata:
  name: r
spec:
  roles:
    - name: edge
      port: 1
    - &second
      name: inter-router
      port: 2
`
	set, _, err := Parse([]Input{{"f.yaml", []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	m := Get[*RouterAccess](set, "r").Head()
	for field, want := range map[string]int{
		"": 3, "metadata.name": 6, "spec": 8, "spec.roles": 9, "spec.roles[0].port": 10, "spec.roles[1].port": 13,
		"spec.roles[7].port": 9, "spec.bindHost": 8, "status.message": 3,
	} {
		if got := m.Line(field); got != want {
			t.Errorf("%q: line %d, want %d", field, got, want)
		}
	}
	if got := (&Meta{}).Line("spec"); got != 0 {
		t.Errorf("made object: line %d, want 0", got)
	}
	if diff := cmp.Diff(Source{File: "f.yaml", Line: 3, Doc: 1}, m.Source); diff != "" {
		t.Error(diff)
	}
}

func TestSplitDocuments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"a", []string{"1 a"}},
		{"a\n---\nb\n", []string{"1 a\n", "2 ---\nb\n"}},
		{"---\na\n---\n", []string{"1 ---\na\n", "3 ---\n"}},
		{"# c\n---\na\n", []string{"1 # c\n", "2 ---\na\n"}},
		{"%YAML 1.2\n---\na\n", []string{"1 %YAML 1.2\n---\na\n"}},
		{"a\n...\n%YAML 1.2\n---\nb", []string{"1 a\n...\n", "3 %YAML 1.2\n---\nb"}},
		{"a: |\n  ---\n  x\n--- {b: c}\n", []string{"1 a: |\n  ---\n  x\n", "4 --- {b: c}\n"}},
		{"----\n---x\n", []string{"1 ----\n---x\n"}},
		{"a\r\n---\r\nb", []string{"1 a\r\n", "2 ---\r\nb"}},
	} {
		var got []string
		whole := ""
		for _, p := range splitDocuments([]byte(c.text)) {
			got = append(got, fmt.Sprint(p.line, " ", string(p.text)))
			whole += string(p.text)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || whole != c.text {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
	}
}
