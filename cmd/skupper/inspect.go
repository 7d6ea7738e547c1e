package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/resource"
)

func (p *program) namespaceCommands() *command.Command {
	return &command.Command{
		Name: "namespace", Summary: "list and remove namespaces", Text: "Each namespace holds one site; a host may have any number of them.",
		Commands: []*command.Command{
			{
				Name: "list", Summary: "list the namespaces", Flags: statusFlags()[:2],
				Text: "STATUS is that of the site: defined (never started), running, stopped, failed, or leftover where a unit or process has no namespace.",
				Examples: []command.Example{
					{Line: "skupper namespace list -o wide", Text: "List all, with their units, directories and what is wrong"},
					{Line: "skupper namespace list -o name", Text: "The names, for a script"},
				},
				Run: p.namespaceList,
			},
			{
				Name: "delete", Summary: "stop a namespace's site and remove everything of it",
				Args: []command.Arg{{Name: "name", Source: command.Namespaces}},
				Text: teardownText,
				Flags: []command.Flag{
					{Name: "yes", Kind: command.Bool, Usage: "do not ask"},
					{Name: "keep-input", Kind: command.Bool, Usage: "keep the resources and certificates that were given"},
					{Name: "purge", Kind: command.Bool, Usage: "keep no archive"},
					dryRunFlag(), outputFlag("table", "table", "json"),
				},
				Examples: []command.Example{
					{Line: "skupper namespace delete lab --yes", Text: "As `skupper -n lab system teardown --yes`"},
					{Line: "skupper namespace delete lab --dry-run", Text: "See what would be stopped and removed"},
				},
				Run: func(ctx context.Context, in *command.Input) error {
					p.namespace = in.Arg(0)
					return p.systemTeardown(ctx, in)
				},
			},
		},
	}
}

func (p *program) namespaceList(ctx context.Context, in *command.Input) error {
	c, _, err := p.controller(ctx)
	if err != nil {
		return err
	}
	list, err := c.Namespaces(ctx)
	if err != nil {
		return err
	}
	rows := p.namespaceTable(list, in.String("output") == string(output.AsWide))
	return p.listOf(in, rows, list)
}

func (p *program) namespaceTable(list []api.Namespace, wide bool) *output.Table {
	t := &output.Table{Header: []string{"NAMESPACE", "PLATFORM", "SITE", "STATUS"}, Paint: p.paint()}
	if wide {
		t.Header = append(t.Header, "UNIT", "PID", "DATA", "MESSAGE")
	}
	for _, n := range list {
		row := []string{n.Name, n.Platform, n.Site, string(n.State)}
		if wide {
			row = append(row, first(n.Unit, "-"), pid(n.PID), n.Dir, messageOf(n))
		}
		t.Add(row...)
	}
	return t
}

// messageOf is what there is to say about a namespace, with commands for it.
func messageOf(n api.Namespace) string {
	if n.Name == layout.DefaultNamespace {
		return n.Message
	}
	return inNamespace(n.Message, n.Name)
}

func pid(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func (p *program) networkCommands() *command.Command {
	return &command.Command{
		Name: "network", Summary: "look at the network of sites",
		Commands: []*command.Command{{
			Name: "status", Summary: "list the sites of the network", Flags: statusFlags(), Exits: unhealthyExit(),
			Text: "The answer is what the routers tell each other, as this site's router knows it. Where a network observer runs on this host " +
				"(`skupper system network-observer install`), what flows over each link and through each service follows in the table.",
			Examples: []command.Example{
				{Line: "skupper network status", Text: "Every site, with its distance from this one and the sites that it links to"},
				{Line: "skupper network status -o wide", Text: "With the routing keys of each site as well"},
			},
			Run: p.networkStatus,
		}},
	}
}

func (p *program) networkStatus(ctx context.Context, in *command.Input) error {
	s, err := p.ask(ctx)
	if err != nil {
		return err
	}
	t := &output.Table{Header: []string{"SITE", "HOPS", "COST", "VERSION", "PLATFORM", "ROUTERS", "LINKS"}}
	wide := in.String("output") == string(output.AsWide)
	if wide {
		t.Header = append(t.Header, "SERVICES")
	}
	well := s.Observed
	for _, site := range s.Network {
		var links []string
		for _, l := range site.Links {
			text := first(l.Site, l.Name)
			if !l.Operational {
				text += " (down)"
				well = false
			}
			links = append(links, text)
		}
		row := []string{
			site.Name, strconv.Itoa(site.Hops), strconv.Itoa(site.Cost), site.Version, site.Platform, strings.Join(site.Routers, ","),
			dash(links),
		}
		if wide {
			row = append(row, dash(keysAt(s.Services, site.Name)))
		}
		t.Add(row...)
	}
	if err := p.listOf(in, t, s.Network); err != nil {
		return err
	}
	return checked(in, well, p.flowing(ctx, in))
}

// flowing adds to a table what flows over links and through services, where a
// network observer runs.
func (p *program) flowing(ctx context.Context, in *command.Input) error {
	if format := output.Format(in.String("output")); format != output.AsTable && format != output.AsWide {
		return nil
	}
	o, err := p.observer()
	if err != nil {
		return err
	}
	links, rates, err := o.links(ctx)
	if kind := api.KindOf(err); kind == api.Unavailable || kind == api.Denied {
		return nil
	}
	if err != nil {
		return err
	}
	services, err := o.flows(ctx, byService)
	if err != nil {
		return err
	}
	t := &output.Table{Header: []string{"LINK", "FROM-SITE", "TO-SITE", "STATUS", "COST", "SENT/S", "RECEIVED/S", "REASON"}, Paint: p.paint(), NoHeader: in.Bool("no-headers")}
	for _, l := range links {
		to, cost := "-", "-"
		if l.DestinationSiteName != nil {
			to = known(*l.DestinationSiteName)
		}
		if l.Cost != nil {
			cost = strconv.FormatUint(*l.Cost, 10)
		}
		reason := ""
		if l.Status != "up" {
			reason = l.Reason
		}
		r := rates[l.Identity]
		t.Add(l.Name, known(l.SourceSiteName), to, l.Status, cost, octets(r.Sent, false), octets(r.Received, false), first(reason, "-"))
	}
	f := flowTable(byService, services, false)
	f.NoHeader = t.NoHeader
	for _, t := range []*output.Table{t, f} {
		if len(t.Rows) == 0 {
			continue
		}
		if _, err := fmt.Fprintln(p.stdout); err != nil {
			return err
		}
		if err := t.Write(p.stdout); err != nil {
			return err
		}
	}
	return nil
}

// keysAt are the routing keys that a site uses.
func keysAt(services []api.Service, site string) []string {
	var keys []string
	for _, v := range services {
		if slices.ContainsFunc(v.Sites, func(s api.ServiceSite) bool { return s.Site == site }) {
			keys = append(keys, v.RoutingKey)
		}
	}
	return keys
}

// dash is a list in one cell.
func dash(list []string) string { return first(strings.Join(list, ","), "-") }

// checked is the end of a status command: with --check what is not well is an
// exit status of its own.
func checked(in *command.Input, well bool, err error) error {
	if err == nil && in.Bool("check") && !well {
		return &exitError{code: exitUnhealthy}
	}
	return err
}

func (p *program) serviceCommands() *command.Command {
	return &command.Command{
		Name: "service", Summary: "look at the services of the network",
		Retired: map[string]string{
			"create": "`skupper listener create NAME PORT`",
			"bind":   "`skupper connector create NAME PORT --host HOST`",
			"unbind": "`skupper connector delete NAME`",
			"delete": "`skupper listener delete NAME`",
			"label":  "labels are part of the resource: edit the file and `skupper system apply` it",
		},
		Commands: []*command.Command{{
			Name: "status", Summary: "list the routing keys of the network", Flags: statusFlags(),
			Text:  "LOCAL says whether this site has a part in it. The answer is what the routers tell each other, as this site's router knows it.",
			Exits: []command.Exit{{Code: exitUnhealthy, Meaning: "with --check: a routing key lacks a listener or a connector"}},
			Examples: []command.Example{
				{Line: "skupper service status", Text: "Every routing key, with the sites of its listeners and connectors as seen from here"},
				{Line: "skupper service status --check", Text: "For a script: status 3 where a routing key lacks a listener or a connector"},
			},
			Run: p.serviceStatus,
		}},
	}
}

func (p *program) serviceStatus(ctx context.Context, in *command.Input) error {
	s, err := p.ask(ctx)
	if err != nil {
		return err
	}
	t := &output.Table{Header: []string{"ROUTING-KEY", "LISTENERS", "CONNECTORS", "LOCAL", "LISTENER-SITES", "CONNECTOR-SITES"}}
	well := s.Observed
	for _, v := range s.Services {
		var in, out []string
		for _, site := range v.Sites {
			if len(site.Listeners) > 0 {
				in = append(in, site.Site)
			}
			if len(site.Connectors) > 0 {
				out = append(out, site.Site)
			}
		}
		t.Add(v.RoutingKey, strconv.Itoa(v.Listeners), strconv.Itoa(v.Connectors), strconv.FormatBool(v.Local), dash(in), dash(out))
		well = well && v.Listeners > 0 && v.Connectors > 0
	}
	return checked(in, well, p.listOf(in, t, s.Services))
}

func (p *program) certCommands() *command.Command {
	return &command.Command{
		Name: "cert", Summary: "look at certificates and renew them",
		Text: "Certificates that a site makes for itself are renewed by the agent when a third of their life is left; connections stay. Those of links are renewed by the sites that they lead to, if they came with a token of such a site; those that a person supplied are watched, and their expiry is shown.",
		Commands: []*command.Command{
			{
				Name: "list", Summary: "list the site's certificates", Flags: statusFlags()[:2],
				Text: "EXPIRES is when a certificate ends, RENEWS when the agent makes another one; SOURCE says who made it, MESSAGE what is wrong with it.",
				Examples: []command.Example{
					{Line: "skupper cert list", Text: "Every certificate with its issuer and expiry"},
					{Line: "skupper cert list -o json", Text: "The same for a program, with serial numbers and subjects"},
				},
				Run: func(ctx context.Context, in *command.Input) error {
					s, err := p.ask(ctx)
					if err != nil {
						return err
					}
					t := &output.Table{Header: []string{"NAME", "USE", "STATUS", "EXPIRES", "RENEWS", "ISSUER", "SOURCE", "MESSAGE"}, Paint: p.paint()}
					now := time.Now()
					for _, c := range s.Certificates {
						t.Add(c.Name, c.Use, c.Status, ago(c.Expires, now), ago(c.Renews, now), c.Issuer, c.Source, c.Message)
					}
					return p.listOf(in, t, s.Certificates)
				},
			},
			{
				Name: "renew", Summary: "make new certificates now",
				Args:  []command.Arg{{Name: "name", Optional: true, Repeat: true, Source: command.Certificates}},
				Text:  "Without a name all are renewed that the site makes for itself. Authorities and certificates that a person supplied are not. Connections stay.",
				Flags: append(resultFlags(), waitFlags(waitConfigured, "60s")...),
				Examples: []command.Example{
					{Line: "skupper cert renew west", Text: "Renew the certificate named west"},
					{Line: "skupper cert renew --dry-run", Text: "See which would be renewed"},
				},
				Run: p.certRenew,
			},
		},
	}
}

func (p *program) certRenew(ctx context.Context, in *command.Input) error {
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	if !online {
		return p.needsAgent(ctx, c, "certificates are renewed by the agent")
	}
	result, err := c.Renew(ctx, p.namespace, api.RenewRequest{Names: in.Args, DryRun: in.Changed("dry-run")})
	if err != nil {
		return err
	}
	return p.finish(ctx, in, c, online, waitConfigured, result)
}

// ask gets the status of the namespace.
func (p *program) ask(ctx context.Context) (*api.Status, error) {
	c, _, err := p.controller(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.Status(ctx, p.namespace)
	if err != nil {
		return nil, err
	}
	if err := p.platformOf(s); err != nil {
		return nil, err
	}
	p.staleness(s)
	if !s.Observed {
		p.note("the router does not answer: %s", first(s.Namespace.Message, "it does not run"))
	}
	return s, nil
}

// platformOf refuses another platform than that of the site.
func (p *program) platformOf(s *api.Status) error {
	is := s.Namespace.Platform
	if p.platform == "" || p.platform == is || s.Namespace.Generation == 0 {
		return nil
	}
	return &api.Error{
		Kind: api.Conflict, Message: fmt.Sprintf("the site of namespace %s runs on the platform %s", p.namespace, is),
		Advice: fmt.Sprintf("`skupper -n %s system migrate --to %s` moves it", p.namespace, p.platform),
	}
}

// listOf writes items in the form that in asks for: t for people, items for
// programs, the first column as names.
func (p *program) listOf(in *command.Input, t *output.Table, items any) error {
	switch format := output.Format(in.String("output")); format {
	case output.AsJSON, output.AsYAML:
		plain, err := output.Plain(items)
		if err != nil {
			return err
		}
		values, _ := plain.([]any) // null, where there is none
		return output.Objects(p.stdout, format, true, values...)
	case output.AsName:
		for _, row := range t.Rows {
			if _, err := fmt.Fprintln(p.stdout, row[0]); err != nil {
				return err
			}
		}
		return nil
	case output.AsTable, output.AsWide:
	}
	t.NoHeader = in.Bool("no-headers")
	return t.Write(p.stdout)
}

func (p *program) explainCommand() *command.Command {
	return &command.Command{
		Name: "explain", Summary: "explain a kind of resource, or one of its fields",
		Text: "Without an argument the kinds are listed. The same is in skupper-resources(5).",
		Args: []command.Arg{{Name: "kind[.field]", Optional: true, Source: command.Kinds}},
		Examples: []command.Example{
			{Line: "skupper explain listener", Text: "The fields of a Listener"},
			{Line: "skupper explain site.spec.settings", Text: "The settings of a Site"},
		},
		Run: func(_ context.Context, in *command.Input) error { return p.explain(in.Arg(0)) },
	}
}

func (p *program) explain(path string) error {
	if path == "" {
		t := &output.Table{Header: []string{"KIND", "MEANING"}}
		for _, k := range resource.Kinds() {
			t.Add(string(k), resource.Describe(k))
		}
		return t.Write(p.stdout)
	}
	name, rest, _ := strings.Cut(path, ".")
	kind, ok := resource.KindNamed(name)
	if !ok {
		return &api.Error{Kind: api.Missing, Message: fmt.Sprintf("%q is not a kind of resource", name), Advice: "`skupper explain` lists the kinds"}
	}
	field, members, ok := resource.Explain(kind, rest)
	if !ok {
		return &api.Error{Kind: api.Missing, Message: fmt.Sprintf("%s has no field %s", kind, rest), Advice: fmt.Sprintf("`skupper explain %s` lists its fields", lower(string(kind)))}
	}
	fmt.Fprintf(p.stdout, "%s (%s)\n", kind, kind.APIVersion())
	if rest == "" {
		fmt.Fprintf(p.stdout, "%s\n", resource.Describe(kind))
	} else {
		fmt.Fprintf(p.stdout, "%s\n", describeField(field))
	}
	if len(members) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	t := &output.Table{Header: []string{"FIELD", "TYPE", "MEANING"}}
	for _, m := range members {
		t.Add(m.Path, m.Type, describeField(m))
	}
	return t.Write(p.stdout)
}

// describeField is what a field means, with its default and its values.
func describeField(f resource.Field) string {
	text := f.Doc
	if f.Required {
		text += " Required."
	}
	if f.Default != "" {
		text += " Default: " + f.Default + "."
	}
	if len(f.Allowed) > 0 {
		text += " One of: " + strings.Join(f.Allowed, ", ") + "."
	}
	if f.KubernetesOnly {
		text += " Has no effect on hosts."
	}
	return text
}
