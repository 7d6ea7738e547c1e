package site

import (
	"fmt"
	"strings"

	"github.com/skupper-host/skupper/system/resource"
)

// printed is a site as text, for golden files: what is zero is left out, and
// key material is.
func printed(s *Site) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	mode := "interior"
	if s.Edge {
		mode = "edge"
	}
	line("site %s namespace %s id %q mode %s", s.Name, s.Namespace, s.ID, mode)
	line("settings %+v", s.Settings)
	for _, l := range s.Listeners {
		line("listener %+v", l)
	}
	for _, l := range s.MultiKeyListeners {
		line("multikeylistener %+v", l)
	}
	for _, c := range s.Connectors {
		line("connector %+v", c)
	}
	for _, a := range s.Accesses {
		line("access %+v", a)
	}
	for _, l := range s.Links {
		line("link %+v", l)
	}
	for _, g := range s.Grants {
		line("grant %+v", g)
	}
	for _, t := range s.Tokens {
		line("token %s url %s cost %d", t.Name, t.URL, t.Cost)
	}
	for _, p := range s.Proxies {
		line("proxy %s from %v", p.Name, p.Origin)
	}
	for _, c := range s.Credentials {
		text := fmt.Sprintf("credential %s %v %s from %v", c.Use, c.Origin, c.Name, c.Source)
		if c.Origin == Generated {
			text += fmt.Sprintf(" issuer %q subject %q hosts %v", c.Issuer, c.Subject, c.Hosts)
		}
		if c.Connect {
			text += " connect"
		}
		if c.Handed {
			text += " handed"
		}
		line("%s", text)
	}
	line("ports %v", s.Ports)
	var refs []string
	for o := range s.Objects.All() {
		refs = append(refs, o.Ref().String())
	}
	line("objects %s", strings.Join(refs, " "))
	for _, k := range s.Objects.Skipped {
		line("skipped %s %s %s", k.APIVersion, k.Kind, k.Name)
	}
	for _, f := range s.Faults {
		line("fault %s: %v", f.Object, f.Err)
	}
	return b.String()
}

// report is what a person would read of a failed build.
func report(warnings []resource.Warning, err error) string {
	var b strings.Builder
	for _, e := range resource.Problems(err) {
		fmt.Fprintf(&b, "error: %v\n", e)
		if e.Hint() != "" {
			fmt.Fprintf(&b, "hint: %s\n", e.Hint())
		}
	}
	for _, w := range warnings {
		fmt.Fprintf(&b, "warning: %v\n", w)
	}
	return b.String()
}
