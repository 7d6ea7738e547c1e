package site

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/resource"
)

// Build makes a site of the resources in set, or says everything that is wrong
// with them: the error joins a *resource.FieldError for each problem. Warnings
// do not repeat those of loading. Neither set nor its objects are changed.
func Build(set *resource.Set, ctx Context) (*Site, []resource.Warning, error) {
	b := &builder{ctx: ctx, set: set, site: &Site{Ports: make(map[string]int), Objects: resource.NewSet()}}
	spec := b.theSite()
	b.namespace()
	b.settings(spec)
	b.bridges()
	b.accesses(spec)
	b.claims()
	b.allocate(spec)
	b.links()
	b.grants(spec)
	b.certificates()
	b.objects()
	b.arrange()
	resource.SortWarnings(b.warnings)
	if len(b.errs) > 0 {
		return nil, b.warnings, resource.JoinErrors(b.errs)
	}
	return b.site, b.warnings, nil
}

// builder is a site in the making.
type builder struct {
	ctx      Context
	set      *resource.Set
	site     *Site
	errs     []*resource.FieldError
	warnings []resource.Warning
	sockets  []claim
	creds    credentials
	issuer   string            // the site's default, if it names one
	made     []resource.Object // what the site adds to its objects
}

func (b *builder) fail(o resource.Object, field, reason string) *resource.FieldError {
	e := resource.Problem(o, field, reason)
	b.errs = append(b.errs, e)
	return e
}

func (b *builder) warn(o resource.Object, field, reason string) {
	b.warnings = append(b.warnings, resource.Remark(o, field, reason))
}

// fault leaves o out of the site because of what is wrong with it.
func (b *builder) fault(o resource.Object, e *resource.FieldError) {
	b.site.Faults = append(b.site.Faults, Fault{o.Ref(), e})
}

// theSite finds the one Site. Without one, or with several, it goes on with a
// stand-in, so that other problems are found as well.
func (b *builder) theSite() *resource.Site {
	sites := resource.Of[*resource.Site](b.set)
	if len(sites) == 0 {
		e := &resource.FieldError{Reason: "no valid site definition found", Advice: "add a resource of kind Site"}
		for o := range b.set.All() {
			e.File, e.Line = o.Head().Source.File, o.Head().Source.Line
			break
		}
		b.errs = append(b.errs, e)
		return &resource.Site{}
	}
	for _, s := range sites[1:] {
		b.fail(s, "metadata.name", fmt.Sprintf("multiple sites found, only one is allowed: %s and %s", sites[0].Name, s.Name)).Advice = "describe the other one in a namespace of its own: `skupper -n NAMESPACE site create " + s.Name + "`"
	}
	s := sites[0]
	b.site.Name, b.site.Edge = s.Name, s.Spec.Edge
	b.issuer = s.Spec.DefaultIssuer
	b.site.ID = cmp.Or(s.UID, b.ctx.SiteID)
	if s.Spec.Edge && s.Spec.HA {
		b.fail(s, "spec.ha", "edge sites cannot have HA enabled")
	}
	if s.Spec.Edge && s.Spec.AcceptsLinks() {
		b.fail(s, "spec.linkAccess", edgeRefusal).Advice = "remove linkAccess or edge"
	}
	if v := s.Spec.LinkAccess; s.Spec.AcceptsLinks() && v != resource.LinkAccessDefault {
		b.warn(s, "spec.linkAccess", fmt.Sprintf("%q means %q on this platform", v, resource.LinkAccessDefault))
	}
	return s
}

const edgeRefusal = "edge sites cannot accept incoming links"

// namespace finds the namespace of the site and checks that all resources are
// of it. A resource that names none belongs to it.
func (b *builder) namespace() {
	var named []string // in order
	var first resource.Object
	for o := range b.set.All() {
		ns := o.Head().Namespace
		switch {
		case ns == "" || slices.Contains(named, ns):
			continue
		case len(named) == 0:
			first = o
		case len(named) == 1:
			b.fail(o, "metadata.namespace", fmt.Sprintf("more than one namespace: %s, %s", named[0], ns))
		}
		named = append(named, ns)
	}
	target := cmp.Or(b.ctx.Namespace, append(named, "default")[0])
	if len(named) == 1 && named[0] != target && !b.ctx.AnyNamespace {
		b.fail(first, "metadata.namespace", fmt.Sprintf("namespace %s expected, got %s", target, named[0])).
			Advice = "leave the namespace out, or choose it with --namespace " + named[0]
	}
	if reason := resource.CheckNamespace(target); reason != "" {
		b.errs = append(b.errs, &resource.FieldError{Field: "metadata.namespace", Reason: fmt.Sprintf("invalid namespace %q: %s", target, reason)})
	}
	b.site.Namespace = target
}

// objects collects the resources in effect.
func (b *builder) objects() {
	for o := range b.set.All() {
		b.site.Objects.Put(resource.WithoutStatus(o))
		if s, ok := o.(*resource.SecuredAccess); ok {
			b.warn(s, "", "no effect on this platform")
		}
	}
	for _, o := range b.made {
		b.site.Objects.Put(o)
	}
	for _, o := range b.creds.objects() {
		b.site.Objects.Put(o)
	}
	for o := range b.site.Objects.All() {
		o.Head().Namespace = b.site.Namespace
	}
	b.site.Objects.Skipped = slices.Clone(b.set.Skipped)
}

// arrange sorts what was found in the order of the input.
func (b *builder) arrange() {
	s := b.site
	sortByName(s.Listeners, func(l Listener) string { return l.Name })
	sortByName(s.MultiKeyListeners, func(l MultiKeyListener) string { return l.Name })
	sortByName(s.Connectors, func(c Connector) string { return c.Name })
	sortByName(s.Accesses, func(a Access) string { return a.Name })
	sortByName(s.Links, func(l Link) string { return l.Name })
	sortByName(s.Proxies, func(p Proxy) string { return p.Name })
	sortByName(s.Grants, func(g Grant) string { return g.Name })
	sortByName(s.Tokens, func(t Token) string { return t.Name })
	slices.SortStableFunc(s.Faults, func(x, y Fault) int { return x.Object.Compare(y.Object) })
	s.Credentials = b.creds.sorted()
}

func sortByName[T any](list []T, name func(T) string) {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(name(a), name(b)) })
}
