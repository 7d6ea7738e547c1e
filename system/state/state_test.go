package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMemoryComesBack(t *testing.T) {
	t.Parallel()
	m := Memory{
		Schema: memorySchema, SiteID: "s", RouterID: "r", Stopped: true, Generation: 7, InputHash: "h",
		Ports: map[string]int{"skupper-local": 5671}, ExtraHosts: map[string][]string{"west": {"a", "b"}},
		Credentials: map[string]Issue{"west": {Serial: "1f", NotAfter: time.Unix(1e9, 0).UTC(), Ordinal: 2, Oldest: 1}},
		Links:       []Handed{{Name: "west-1", Access: "west", Host: "h", Serial: "2", File: true}},
		Redeemed:    []string{"f"},
	}
	got, err := ParseMemory(m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if string(m.Encode()) != string(got.Encode()) {
		t.Error("the same memory has other bytes")
	}
}

func TestParseMemory(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"empty": "", "half": `{"siteId":`, "zeros": "\x00\x00", "other": `[1]`, "of something else": `{"siteId":"x"}`} {
		if m, err := ParseMemory([]byte(text)); err == nil || errors.Is(err, ErrLater) || m.SiteID != "" {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := ParseMemory([]byte(`{"schema":99}`)); !errors.Is(err, ErrLater) {
		t.Errorf("later version: %v", err)
	}
}

// TestRecall reads the configuration of a router as upstream's tools wrote it.
func TestRecall(t *testing.T) {
	t.Parallel()
	config, err := os.ReadFile(filepath.Join("testdata", "upstream.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Recall(config)
	if err != nil {
		t.Fatal(err)
	}
	want := Memory{
		SiteID: "5a2e9a6c-7f1d-4b57-9f0e-0c8b8a0f1f11", RouterID: "west-1753257600-123456789",
		Ports:       map[string]int{"skupper-local": 5671, "west/inter-router": 55671, "west/edge": 45671},
		Credentials: map[string]Issue{"west": {Ordinal: 3, Oldest: 2}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for text, want := range map[string]string{`{"id":"x"}`: "x", `{"id":"x","name":"west"}`: "x, ours", `{"id":"x","platform":"podman"}`: "x", `{"id":"x","name":"west","platform":"podman"}`: "x, ours in podman", "plain": "plain", "{half": "", "": ""} {
		got, platform, ours := metadata(text)
		if ours {
			got += ", ours"
		}
		if platform != "" {
			got += " in " + platform
		}
		if got != want {
			t.Errorf("metadata %q: site %q, want %q", text, got, want)
		}
	}
}

func TestEntities(t *testing.T) {
	t.Parallel()
	list, err := Entities([]byte(`[
		["tcpListener",{"name":"listener/a","port":"1","x":{"y": [1, true]}}], ["router",{"id":"r"}],
		["log",{"module":"DEFAULT","enable":"info+"}], ["address",{"prefix":"mc"}], ["vhost",{}]]`))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, e := range list {
		keys = append(keys, e.Key())
	}
	if diff := cmp.Diff([]string{"address/mc", "log/DEFAULT", "router/", "tcpListener/listener/a", "vhost/4"}, keys); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := list[3].Attrs["x"]; got != `{"y":[1,true]}` {
		t.Errorf("attribute %q", got)
	}
	for _, text := range []string{`{`, `{}`, `[1]`, `[["a"]]`, `[[1,{}]]`, `[["a",1]]`} {
		if _, err := Entities([]byte(text)); err == nil {
			t.Errorf("%s is understood", text)
		}
	}
}

// laidOut writes pairs as routers' configurations are written.
func laidOut(pairs ...string) string {
	if len(pairs) == 0 {
		return "[]"
	}
	return "[\n    [\n        " + strings.Join(pairs, "\n    ],\n    [\n        ") + "\n    ]\n]"
}

func TestDifference(t *testing.T) {
	t.Parallel()
	a, b, c := `"log", {"module": "A"}`, `"log", {"module": "B"}`, `"address", {"prefix": "c"}`
	for _, row := range []struct{ name, was, is, gone, fresh string }{
		{"nothing", laidOut(a, b), laidOut(a, b), "", ""},
		{"order", laidOut(a, b), laidOut(b, a), "", ""},
		{"the first ever", "", laidOut(b, a), "", "log/A log/B"},
		{"all of it", laidOut(a), "", "log/A", ""},
		{"one for another", laidOut(a, b), laidOut(b, c), "log/A", "address/c"},
		{"an attribute", laidOut(a, b), laidOut(`"log", {"module": "A", "enable": "info+"}`, b), "log/A", "log/A"},
		{"twice", laidOut(a, a), laidOut(a), "log/A", ""},
		{"another layout", "[[" + a + "],[" + b + "]]", laidOut(a), "log/A log/B", "log/A"},
		{"empty", "[]", laidOut(a), "", "log/A"},
	} {
		before, after, err := Difference([]byte(row.was), []byte(row.is))
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		keys := func(list []Entity) string {
			var names []string
			for _, e := range list {
				names = append(names, e.Key())
			}
			return strings.Join(names, " ")
		}
		if keys(before) != row.gone || keys(after) != row.fresh {
			t.Errorf("%s: gone %q, fresh %q", row.name, keys(before), keys(after))
		}
	}
	if _, _, err := Difference([]byte("[\n    [\n"), []byte(laidOut(a))); err == nil {
		t.Error("half a configuration is understood")
	}
}

func FuzzEntities(f *testing.F) {
	f.Add([]byte(`[["router",{"id":"r","metadata":"{\"id\":\"s\"}"}],["listener",{"name":"a-edge","role":"edge","port":1}]]`))
	f.Add([]byte(`[["x",{"a":null,"b":1e400,"c":"\ud800"}]]`))
	f.Fuzz(func(t *testing.T, config []byte) {
		list, err := Entities(config)
		if err != nil {
			return
		}
		before, after, err := Difference(nil, config)
		if err != nil || len(before) > 0 || len(list)+len(after) > 0 && cmp.Diff(list, after) != "" {
			t.Errorf("against nothing: %v, %v", before, err)
		}
		if !slices.IsSortedFunc(list, func(a, b Entity) int { return strings.Compare(a.Key(), b.Key()) }) {
			t.Error("not sorted")
		}
		if _, err := Recall(config); err != nil {
			t.Errorf("entities, but no memory: %v", err)
		}
	})
}

func TestPrintShowsNoSecrets(t *testing.T) {
	t.Parallel()
	s := State{
		Dirs:  map[string]Dir{"/n": {Mode: 0o710, Owner: Owner{Group: "skupper"}}},
		Files: map[string]File{"/n/key": {Data: []byte("hush"), Mode: 0o600, Secret: true}, "/n/open": {Data: []byte("text"), Mode: 0o644}},
		Units: map[string]Unit{"u": {Running: true, Identity: "edge r"}},
	}
	want := `dir  rwx--x--- self:skupper /n
file rw------- /n/key: secret
file rw-r--r-- /n/open: 4 bytes, sha256 982d9e3eb996
unit u: running, disabled (edge r)
`
	if diff := cmp.Diff(want, s.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, text := range []string{fmt.Sprintf("%v", s.Files), fmt.Sprintf("%+v", s.Files["/n/key"]), fmt.Sprintf("%#v", s.Files["/n/key"]), fmt.Sprintf("%x", s.Files["/n/key"])} {
		if strings.Contains(text, "hush") || strings.Contains(text, "68757368") || strings.Contains(text, "104") {
			t.Errorf("a secret shows: %s", text)
		}
	}
}
