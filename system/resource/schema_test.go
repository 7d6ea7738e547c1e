package resource

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestEveryFieldIsDescribed walks the Go types and the tables against each
// other.
func TestEveryFieldIsDescribed(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		if !strings.HasSuffix(Describe(kind), ".") {
			t.Errorf("%s: described as %q", kind, Describe(kind))
		}
		inTypes := paths(reflect.TypeOf(New(kind, "")).Elem(), "")
		inTable := map[string]bool{}
		for _, f := range Fields(kind) {
			if inTable[f.Path] {
				t.Errorf("%s.%s: two rows", kind, f.Path)
			}
			inTable[f.Path] = true
			if f.Doc == "" || !strings.HasSuffix(f.Doc, ".") || f.Type == "" {
				t.Errorf("%s.%s: type %q, described as %q", kind, f.Path, f.Type, f.Doc)
			}
			if setting, ok := strings.CutPrefix(f.Path, "spec.settings."); ok {
				if setting == "" || f.Type != "string" {
					t.Errorf("%s.%s: type %q", kind, f.Path, f.Type)
				}
			} else if !slices.Contains(inTypes, f.Path) {
				t.Errorf("%s.%s: no such field in the Go type", kind, f.Path)
			}
		}
		for _, path := range inTypes {
			if !inTable[path] {
				t.Errorf("%s.%s: no row in the table", kind, path)
			}
		}
	}
}

// paths lists the fields of a type as documents name them.
func paths(t reflect.Type, below string) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return paths(t.Elem(), below)
	case reflect.Struct:
	default:
		return nil
	}
	if t == timeType {
		return nil
	}
	var list []string
	for i := range t.NumField() {
		f := t.Field(i)
		name := memberName(f)
		switch {
		case name != "":
			path := strings.TrimPrefix(below+"."+name, ".")
			list = append(append(list, path), paths(f.Type, path)...)
		case f.Anonymous && f.IsExported():
			list = append(list, paths(f.Type, below)...)
		}
	}
	return list
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind            Kind
		path            string
		want            string // type
		required        bool
		members, absent []string
	}{
		{KindListener, "", "object", false, []string{"metadata", "spec", "status"}, []string{"spec.port"}},
		{KindListener, "spec.port", "integer", true, nil, nil},
		{KindListener, "port", "integer", true, nil, nil},
		{KindRouterAccess, "roles", "list of object", true, []string{"spec.roles.name", "spec.roles.port"}, nil},
		{KindMultiKeyListener, "strategy.weighted.routingKeys", "map of integer", false, nil, nil},
		{KindSite, "settings", "map of string", false, []string{"spec.settings.key-type"}, nil},
		{KindSite, "settings.key-type", "string", false, nil, nil},
		{KindSecret, "data", "map of base64", false, nil, nil},
		{KindCertificate, "status.expiration", "time", false, nil, nil},
	} {
		f, members, ok := Explain(c.kind, c.path)
		if !ok || f.Type != c.want || f.Required != c.required {
			t.Errorf("%s %s: %+v %v", c.kind, c.path, f, ok)
		}
		has := func(path string) bool {
			return slices.ContainsFunc(members, func(f Field) bool { return f.Path == path })
		}
		for _, path := range c.members {
			if !has(path) {
				t.Errorf("%s %s: no member %s", c.kind, c.path, path)
			}
		}
		for _, path := range c.absent {
			if has(path) {
				t.Errorf("%s %s: has member %s", c.kind, c.path, path)
			}
		}
	}
	for _, path := range []string{"x", "spec.x", "spec.port.x"} {
		if _, _, ok := Explain(KindListener, path); ok {
			t.Errorf("%s is explained", path)
		}
	}
	if _, _, ok := Explain("Pod", ""); ok || Fields("Pod") != nil {
		t.Error("Pod is explained")
	}
}

func TestKindNamed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Kind{
		"site": KindSite, "Sites": KindSite, "routeraccess": KindRouterAccess, "routeraccesses": KindRouterAccess, "pod": "",
	} {
		if got, ok := KindNamed(name); got != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, k := range Kinds() {
		if o := New(k, "x"); o.Ref() != (Ref{k, "x"}) {
			t.Errorf("New(%s) makes %s", k, o.Ref())
		}
	}
	if New("Pod", "x") != nil {
		t.Error("New makes a Pod")
	}
}
