package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

func (p *program) siteCommands() *command.Command {
	name := command.Arg{Name: "name"}
	known := command.Arg{Name: "name", Optional: true, Source: command.Sites}
	return &command.Command{
		Name: "site", Summary: "describe this host's site",
		Text: "A namespace holds one site. Making a site writes its description; `skupper system start` (or --start) runs it.",
		Commands: []*command.Command{
			{
				Name: "create", Summary: "describe a new site", Args: []command.Arg{name},
				Text: "Nothing runs before the site is started: with --start, or by `skupper system start`. The same again changes nothing; " +
					"a namespace that has another site is left alone.",
				Flags: append(append(siteFlags(), command.Flag{Name: "start", Kind: command.Bool, Usage: "start the site as well"}),
					append(waitFlags(waitReady, "3m"), resultFlags()...)...),
				Examples: []command.Example{
					{Line: "skupper site create west --enable-link-access --start", Text: "Make and start a site that others can link to"},
					{Line: "skupper -n lab site create east --edge", Text: "Describe an edge site in the namespace lab"},
				},
				Run: p.siteCreate,
			},
			{
				Name: "update", Summary: "change the site's description", Args: []command.Arg{known},
				Text:  "What is not given stays as it is, also what other tools wrote into the resource. --set KEY= takes a setting away.",
				Flags: append(siteFlags(), append(waitFlags(waitReady, "3m"), resultFlags()...)...),
				Examples: []command.Example{
					{Line: "skupper site update west --enable-link-access", Text: "Let other sites link to this one"},
					{Line: "skupper site update --set router-logging=ROUTER:debug", Text: "Change a setting of the only site"},
				},
				Run: p.siteUpdate,
			},
			{
				Name: "delete", Summary: "remove the site's description; what runs goes on until teardown", Args: []command.Arg{known},
				Text: "Listeners, connectors and links stay, unless --all is given. `skupper system teardown` ends what runs and removes everything.",
				Flags: append([]command.Flag{
					{Name: "all", Kind: command.Bool, Usage: "remove every resource of the namespace's input"},
					{Name: "yes", Kind: command.Bool, Usage: "do not ask"},
				}, append(deleteWaitFlags(), resultFlags()...)...),
				Examples: []command.Example{
					{Line: "skupper site delete west", Text: "Remove the description of the site"},
					{Line: "skupper site delete --all --yes", Text: "Remove all resources of the namespace"},
				},
				Run: p.siteDelete,
			},
			p.statusCommand("site", known, resource.KindSite),
			{
				Name: "generate", Summary: "print a site's description without applying it", Args: []command.Arg{name},
				Text:  "What is printed is checked as that of create. No agent is asked and nothing is changed.",
				Flags: append(siteFlags(), outputFlag("yaml", documentFormats()...)),
				Examples: []command.Example{
					{Line: "skupper site generate west --enable-link-access > site.yaml", Text: "Write a description to a file"},
					{Line: "skupper site generate west --router-access-host west.example.com -o json", Text: "With the RouterAccess that goes with it, as JSON"},
				},
				Run: func(_ context.Context, in *command.Input) error {
					objects, err := p.siteObjects(in)
					if err != nil {
						return err
					}
					return p.print(in.String("output"), objects...)
				},
			},
		},
	}
}

func siteFlags() []command.Flag {
	return []command.Flag{
		{Name: "enable-link-access", Kind: command.Bool, Usage: "let other sites link to this one"},
		{Name: "link-access-type", Kind: command.String, Value: "TYPE", Usage: "how others reach this site; hosts know one way: default"},
		{Name: "edge", Kind: command.Bool, Usage: "an edge site: it links to others, carries nothing for them"},
		{Name: "enable-ha", Kind: command.Bool, Usage: "kept in the description; a host runs one router"},
		{Name: "router-access-host", Kind: command.Strings, Value: "HOST", Usage: "a name or address at which other sites reach this host"},
		{Name: "inter-router-port", Kind: command.Int, Value: "PORT", Usage: "port for links of interior sites"},
		{Name: "edge-port", Kind: command.Int, Value: "PORT", Usage: "port for links of edge sites"},
		{Name: "set", Kind: command.Strings, Value: "KEY=VALUE", Usage: "a setting of the site"},
	}
}

// siteObjects are the resources that the flags describe: the Site, and a
// RouterAccess where hosts or ports are given.
func (p *program) siteObjects(in *command.Input) ([]resource.Object, error) {
	s := &resource.Site{Meta: resource.Meta{Name: in.Arg(0), Namespace: p.namespace}}
	s.Spec.Edge, s.Spec.HA = in.Bool("edge"), in.Bool("enable-ha")
	if in.Bool("enable-link-access") || in.Changed("link-access-type") {
		s.Spec.LinkAccess = first(in.String("link-access-type"), resource.LinkAccessDefault)
	}
	settings, err := pairs(in.Strings("set"))
	if err != nil {
		return nil, err
	}
	if len(settings) > 0 {
		s.Spec.Settings = settings
	}
	objects := []resource.Object{s}
	if changesAccess(in) {
		objects = append(objects, routerAccess(in, in.Arg(0), p.namespace))
	}
	return objects, validate(objects...)
}

// routerAccess describes where other sites reach a site. It has the name that the
// site's own would have.
func routerAccess(in *command.Input, site, namespace string) *resource.RouterAccess {
	ra := &resource.RouterAccess{Meta: resource.Meta{Name: site, Namespace: namespace}}
	ra.Spec.SubjectAlternativeNames = in.Strings("router-access-host")
	ra.Spec.Roles = []resource.Role{
		{Name: "inter-router", Port: in.Int("inter-router-port")},
		{Name: "edge", Port: in.Int("edge-port")},
	}
	return ra
}

// pairs reads KEY=VALUE arguments.
func pairs(list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, item := range list {
		k, v, ok := strings.Cut(item, "=")
		if !ok || k == "" {
			return nil, &command.UsageError{Message: fmt.Sprintf("--set %q: not KEY=VALUE", item)}
		}
		m[k] = v
	}
	return m, nil
}

// setSettings adds settings to the fields of an update; an empty value takes one
// away.
func setSettings(fields map[string]any, settings map[string]string) {
	for k, v := range settings {
		fields["spec.settings."+k] = v
		if v == "" {
			fields["spec.settings."+k] = nil
		}
	}
}

func (p *program) siteCreate(ctx context.Context, in *command.Input) error {
	objects, err := p.siteObjects(in)
	if err != nil {
		return err
	}
	if in.Bool("start") && !in.Changed("dry-run") {
		return p.createAndStart(ctx, in, objects)
	}
	return p.create(ctx, in, waitReady, objects...)
}

// createAndStart is `site create` and `system start` in one.
func (p *program) createAndStart(ctx context.Context, in *command.Input, objects []resource.Object) error {
	if err := p.platformOfNew(); err != nil {
		return err
	}
	c, err := p.startAgent(ctx)
	if err != nil {
		return err
	}
	result, err := c.Apply(ctx, p.namespace, api.ApplyRequest{Files: typed(objects...), Create: true, Start: true, Platform: p.platform})
	if err != nil {
		return err
	}
	return p.finish(ctx, in, c, true, waitReady, result)
}

func (p *program) siteUpdate(ctx context.Context, in *command.Input) error {
	ref, err := p.only(ctx, in, resource.KindSite)
	if err != nil {
		return err
	}
	fields := map[string]any{}
	if in.Changed("enable-link-access") || in.Changed("link-access-type") {
		fields["spec.linkAccess"] = resource.LinkAccessNone
		if in.Bool("enable-link-access") || !in.Changed("enable-link-access") {
			fields["spec.linkAccess"] = first(in.String("link-access-type"), resource.LinkAccessDefault)
		}
	}
	if in.Changed("edge") {
		fields["spec.edge"] = in.Bool("edge")
	}
	if in.Changed("enable-ha") {
		fields["spec.ha"] = in.Bool("enable-ha")
	}
	settings, err := pairs(in.Strings("set"))
	if err != nil {
		return err
	}
	setSettings(fields, settings)
	if !changesAccess(in) {
		return p.update(ctx, in, waitReady, ref, fields)
	}
	if len(fields) > 0 {
		return &command.UsageError{
			Message: "where other sites reach this one is a resource of its own, and changes alone",
			Advice:  "give --router-access-host, --inter-router-port and --edge-port to an update without other flags",
		}
	}
	return p.accessUpdate(ctx, in, ref.Name)
}

// accessUpdate changes where other sites reach this one: the RouterAccess that has
// the name of the site. Where there is none it is made.
func (p *program) accessUpdate(ctx context.Context, in *command.Input, site string) error {
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	s, err := c.Status(ctx, p.namespace)
	if err != nil {
		return err
	}
	list, err := views(s, string(resource.KindSite), string(resource.KindRouterAccess))
	if err != nil {
		return err
	}
	ra := routerAccess(in, site, p.namespace)
	known := false
	for _, v := range list {
		switch {
		case v.Metadata.Name != site:
		case v.Kind == string(resource.KindSite):
			known = true
		default:
			old := resource.Of[*resource.RouterAccess](resource.NewSet(resource.ParseFile(resource.Input{Name: "agent's answer.json", Data: v.raw}).Objects...))
			if len(old) == 1 {
				ra = changedAccess(old[0], ra, in)
			}
		}
	}
	if !known {
		return &api.Error{Kind: api.Missing, Message: fmt.Sprintf("site/%s does not exist", site), Advice: "`skupper site status` lists what there is"}
	}
	if err := validate(ra); err != nil {
		return err
	}
	if dryRunOfClient(in) {
		return p.preview(in, ra)
	}
	result, err := c.Apply(ctx, p.namespace, api.ApplyRequest{Files: typed(ra), DryRun: in.Changed("dry-run"), Platform: p.platform})
	if err != nil {
		return err
	}
	return p.finish(ctx, in, c, online, waitReady, result)
}

// changedAccess is a RouterAccess with what flags say of another; what they do not
// say stays.
func changedAccess(old, asked *resource.RouterAccess, in *command.Input) *resource.RouterAccess {
	c, ok := resource.WithoutStatus(old).(*resource.RouterAccess)
	if !ok {
		return asked
	}
	if in.Changed("router-access-host") {
		c.Spec.SubjectAlternativeNames = asked.Spec.SubjectAlternativeNames
	}
	for i, role := range asked.Spec.Roles {
		if !in.Changed(role.Name + "-port") {
			continue
		}
		at := slices.IndexFunc(c.Spec.Roles, func(r resource.Role) bool { return r.Name == role.Name })
		if at < 0 {
			c.Spec.Roles = append(c.Spec.Roles, asked.Spec.Roles[i])
			continue
		}
		c.Spec.Roles[at].Port = role.Port
	}
	return c
}

func changesAccess(in *command.Input) bool {
	return in.Changed("router-access-host") || in.Changed("inter-router-port") || in.Changed("edge-port")
}

func (p *program) siteDelete(ctx context.Context, in *command.Input) error {
	if in.Bool("all") {
		if err := p.confirm(ctx, in, "remove every resource of namespace "+p.namespace); err != nil {
			return err
		}
		return p.remove(ctx, in, api.DeleteRequest{All: true})
	}
	ref, err := p.only(ctx, in, resource.KindSite)
	if err != nil {
		return err
	}
	return p.remove(ctx, in, api.DeleteRequest{Missing: true, Objects: []api.Ref{{Kind: string(ref.Kind), Name: ref.Name}}})
}

// only is the object that the first argument names or, without one, the only
// object of the kind.
func (p *program) only(ctx context.Context, in *command.Input, kind resource.Kind) (resource.Ref, error) {
	if name := in.Arg(0); name != "" {
		return resource.Ref{Kind: kind, Name: name}, nil
	}
	c, _, err := p.controller(ctx)
	if err != nil {
		return resource.Ref{}, err
	}
	s, err := c.Status(ctx, p.namespace)
	if err != nil {
		return resource.Ref{}, err
	}
	list, err := views(s, string(kind))
	if err != nil {
		return resource.Ref{}, err
	}
	switch len(list) {
	case 1:
	case 0:
		return resource.Ref{}, &api.Error{
			Kind: api.Missing, Message: fmt.Sprintf("namespace %s has no %s", p.namespace, lower(string(kind))), Advice: fmt.Sprintf("`skupper %s create NAME` makes one", lower(string(kind))),
		}
	default:
		return resource.Ref{}, &api.Error{
			Kind: api.Invalid, Message: fmt.Sprintf("namespace %s has %d of kind %s: name one", p.namespace, len(list), kind), Advice: fmt.Sprintf("`skupper %s status` lists them", lower(string(kind))),
		}
	}
	return resource.Ref{Kind: kind, Name: list[0].Metadata.Name}, nil
}
