package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// bridgeFlags are those that listeners and connectors share.
func bridgeFlags(host, hostUsage string) []command.Flag {
	return []command.Flag{
		{Name: "routing-key", Short: "r", Kind: command.String, Value: "KEY", Source: command.RoutingKeys, Usage: "what listeners and connectors have in common (default the name)"},
		{Name: "host", Kind: command.String, Value: "HOST", Default: host, Usage: hostUsage},
		{Name: "tls-credentials", Kind: command.String, Value: "NAME", Usage: "TLS with this Secret or directory of input/certs; \"\" for none"},
		{Name: "type", Kind: command.String, Value: "TYPE", Default: "tcp", Usage: "what is carried: tcp"},
		{Name: "set", Kind: command.Strings, Value: "KEY=VALUE", Usage: "a setting"},
	}
}

func listenerFlags() []command.Flag {
	return append(bridgeFlags("0.0.0.0", "address to listen on"),
		command.Flag{Name: "observer", Kind: command.String, Choices: []string{"auto", "none", "http1", "http2"}, Usage: "which requests network observers are told of: of HTTP/1 and HTTP/2 (auto), of one of them, or none"},
		command.Flag{Name: "keys", Kind: command.String, Value: "A,B,C", Usage: "several routing keys: makes a MultiKeyListener"},
		command.Flag{Name: "strategy", Kind: command.String, Choices: []string{"priority", "weighted"}, Default: "priority", Usage: "how one of --keys is chosen; weighted keys are written key=weight"},
		command.Flag{Name: "client-auth", Kind: command.Bool, Usage: "clients must show a certificate (with --keys and --tls-credentials)"},
	)
}

func connectorFlags() []command.Flag {
	return append(bridgeFlags("localhost", "host of the server"),
		command.Flag{Name: "verify-hostname", Kind: command.Bool, Usage: "the server's certificate must name its host"},
		command.Flag{Name: "use-client-cert", Kind: command.Bool, Usage: "show the server a client certificate"},
	)
}

// without drops the defaults: for an update a flag that is not given keeps
// what is there.
func without(flags []command.Flag) []command.Flag {
	for i := range flags {
		flags[i].Default = ""
	}
	return append(flags, command.Flag{Name: "port", Kind: command.Int, Value: "PORT", Usage: "another port"})
}

func (p *program) listenerCommands() *command.Command {
	return p.bridgeCommands(bridge{
		noun: "listener", kind: resource.KindListener, source: command.Listeners, flags: listenerFlags,
		summary: "accept connections here for servers of other sites",
		text:    "A listener accepts TCP connections on this host and leads them to a connector with the same routing key, on any site of the network. It listens only while such a connector is known.",
		object:  p.listenerObject,
		example: "skupper listener create db 5432",
		does:    "Accept connections on port 5432 for the connectors with routing key db",
	})
}

func (p *program) connectorCommands() *command.Command {
	return p.bridgeCommands(bridge{
		noun: "connector", kind: resource.KindConnector, source: command.Connectors, flags: connectorFlags,
		summary: "offer a server that this host reaches",
		text:    "A connector opens a TCP connection to a server for each connection that a listener with the same routing key accepts, on any site of the network.",
		object:  p.connectorObject,
		example: "skupper connector create db 5432 --host 10.0.0.5",
		does:    "Offer the server at 10.0.0.5:5432 under routing key db",
	})
}

// bridge is what the commands of listeners and of connectors differ in.
type bridge struct {
	noun, summary, text string
	kind                resource.Kind
	source              command.Source
	flags               func() []command.Flag
	object              func(*command.Input) (resource.Object, error)
	example, does       string
}

func (p *program) bridgeCommands(b bridge) *command.Command {
	args := []command.Arg{{Name: "name"}, {Name: "port"}}
	known := command.Arg{Name: "name", Source: b.source}
	optional := known
	optional.Optional = true
	return &command.Command{
		Name: b.noun, Summary: b.summary, Text: b.text,
		Commands: []*command.Command{
			{
				Name: "create", Summary: "make a " + b.noun, Args: args,
				Text:  "It takes effect at once where the site runs; nothing else of the site is touched. The same again changes nothing, another one of that name is left alone.",
				Flags: append(b.flags(), append(waitFlags(waitConfigured, "60s"), resultFlags()...)...),
				Examples: []command.Example{
					{Line: b.example, Text: b.does},
					{Line: fmt.Sprintf("skupper %s create db 5432 --dry-run", b.noun), Text: "See what it would change"},
				},
				Run: func(ctx context.Context, in *command.Input) error {
					o, err := b.object(in)
					if err != nil {
						return err
					}
					return p.create(ctx, in, waitConfigured, o)
				},
			},
			{
				Name: "update", Summary: "change a " + b.noun, Args: []command.Arg{known},
				Text:  "What is not given stays as it is, also what other tools wrote into the resource. --set KEY= takes a setting away.",
				Flags: append(without(b.flags()), append(waitFlags(waitConfigured, "60s"), resultFlags()...)...),
				Examples: []command.Example{
					{Line: fmt.Sprintf("skupper %s update db --port 5433", b.noun), Text: "Change the port"},
					{Line: fmt.Sprintf("skupper %s update db --host 127.0.0.1 --dry-run", b.noun), Text: "See what another address would change, and whether connections would drop"},
				},
				Run: func(ctx context.Context, in *command.Input) error { return p.bridgeUpdate(ctx, in, b.kind) },
			},
			{
				Name: "delete", Summary: "remove a " + b.noun, Args: []command.Arg{known},
				Text:  "New connections are not taken any more; those that are open may finish.",
				Flags: append(deleteWaitFlags(), resultFlags()...),
				Examples: []command.Example{
					{Line: fmt.Sprintf("skupper %s delete db", b.noun), Text: "Remove it; open connections may finish"},
					{Line: fmt.Sprintf("skupper %s delete db --wait=false", b.noun), Text: "Do not wait until the router has dropped it"},
				},
				Run: func(ctx context.Context, in *command.Input) error {
					ref, err := p.named(ctx, in.Arg(0), statusKinds(b.kind)...)
					if err != nil {
						return err
					}
					return p.remove(ctx, in, api.DeleteRequest{Missing: true, Objects: []api.Ref{{Kind: string(ref.Kind), Name: ref.Name}}})
				},
			},
			p.statusCommand(b.noun, optional, statusKinds(b.kind)...),
			{
				Name: "generate", Summary: "print a " + b.noun + " without applying it", Args: args,
				Text:  "What is printed is checked as that of create. No agent is asked and nothing is changed.",
				Flags: append(b.flags(), outputFlag("yaml", documentFormats()...)),
				Examples: []command.Example{
					{Line: fmt.Sprintf("skupper %s generate db 5432 > %s.yaml", b.noun, b.noun), Text: "Write it to a file"},
					{Line: fmt.Sprintf("skupper %s generate db 5432 --routing-key shop -o json", b.noun), Text: "As JSON"},
				},
				Run: func(_ context.Context, in *command.Input) error {
					o, err := b.object(in)
					if err != nil {
						return err
					}
					return p.print(in.String("output"), o)
				},
			},
		},
	}
}

// statusKinds are the kinds that the status of a kind shows.
func statusKinds(kind resource.Kind) []resource.Kind {
	if kind == resource.KindListener {
		return []resource.Kind{kind, resource.KindMultiKeyListener}
	}
	return []resource.Kind{kind}
}

// named is the object with a name among those of some kinds; where there is
// none, what one of the first kind would be.
func (p *program) named(ctx context.Context, name string, kinds ...resource.Kind) (resource.Ref, error) {
	ref := resource.Ref{Kind: kinds[0], Name: name}
	if len(kinds) == 1 {
		return ref, nil
	}
	c, _, err := p.controller(ctx)
	if err != nil {
		return ref, err
	}
	list, err := c.Names(ctx, p.namespace)
	if err != nil {
		return ref, err
	}
	for _, kind := range kinds {
		if slices.Contains(*list, api.Ref{Kind: string(kind), Name: name}) {
			return resource.Ref{Kind: kind, Name: name}, nil
		}
	}
	return ref, nil
}

func portArg(in *command.Input, i int) (int, error) {
	n, reason := resource.CheckPort(in.Arg(i))
	if reason != "" {
		return 0, &command.UsageError{Message: "port: " + reason, Advice: "choose a free port above 1023; lower ones need a system site"}
	}
	return n, nil
}

func (p *program) listenerObject(in *command.Input) (resource.Object, error) {
	port, err := portArg(in, 1)
	if err != nil {
		return nil, err
	}
	settings, err := pairs(in.Strings("set"))
	if err != nil {
		return nil, err
	}
	meta := resource.Meta{Name: in.Arg(0), Namespace: p.namespace}
	if in.Changed("keys") {
		return p.multiKeyListener(in, meta, port, settings)
	}
	for _, flag := range []string{"strategy", "client-auth"} {
		if in.Changed(flag) {
			return nil, &command.UsageError{Message: "--" + flag + ": only a listener of several routing keys has it", Advice: "name them: --keys A,B"}
		}
	}
	l := &resource.Listener{Meta: meta}
	l.Spec.RoutingKey = first(in.String("routing-key"), in.Arg(0))
	l.Spec.Host, l.Spec.Port, l.Spec.Type = in.String("host"), port, in.String("type")
	l.Spec.TLSCredentials, l.Spec.Observer = in.String("tls-credentials"), in.String("observer")
	l.Spec.Settings = settings
	return l, validate(l)
}

func (p *program) multiKeyListener(in *command.Input, meta resource.Meta, port int, settings map[string]string) (resource.Object, error) {
	if in.Changed("routing-key") {
		return nil, &command.UsageError{Message: "--routing-key and --keys exclude each other", Advice: "name all routing keys with --keys"}
	}
	m := &resource.MultiKeyListener{Meta: meta}
	m.Spec.Host, m.Spec.Port, m.Spec.Observer = in.String("host"), port, in.String("observer")
	m.Spec.TLSCredentials, m.Spec.RequireClientCert = in.String("tls-credentials"), in.Bool("client-auth")
	m.Spec.Settings = settings
	keys := strings.Split(in.String("keys"), ",")
	if in.String("strategy") == "priority" {
		m.Spec.Strategy.Priority = &resource.PriorityStrategy{RoutingKeys: keys}
		return m, validate(m)
	}
	weights := map[string]int{}
	for _, item := range keys {
		key, text, ok := strings.Cut(item, "=")
		weight := 1
		if ok {
			var err error
			if weight, err = strconv.Atoi(text); err != nil {
				return nil, &command.UsageError{Message: fmt.Sprintf("--keys %q: the weight is not a whole number", item)}
			}
		}
		weights[key] = weight
	}
	m.Spec.Strategy.Weighted = &resource.WeightedStrategy{RoutingKeys: weights}
	return m, validate(m)
}

func (p *program) connectorObject(in *command.Input) (resource.Object, error) {
	port, err := portArg(in, 1)
	if err != nil {
		return nil, err
	}
	settings, err := pairs(in.Strings("set"))
	if err != nil {
		return nil, err
	}
	c := &resource.Connector{Meta: resource.Meta{Name: in.Arg(0), Namespace: p.namespace}}
	c.Spec.RoutingKey = first(in.String("routing-key"), in.Arg(0))
	c.Spec.Host, c.Spec.Port, c.Spec.Type = in.String("host"), port, in.String("type")
	c.Spec.TLSCredentials = in.String("tls-credentials")
	c.Spec.VerifyHostname, c.Spec.UseClientCert = in.Bool("verify-hostname"), in.Bool("use-client-cert")
	c.Spec.Settings = settings
	return c, validate(c)
}

// bridgeUpdate sets the fields whose flags were given.
func (p *program) bridgeUpdate(ctx context.Context, in *command.Input, kind resource.Kind) error {
	fields := map[string]any{}
	for flag, field := range map[string]string{
		"routing-key": "spec.routingKey", "host": "spec.host", "tls-credentials": "spec.tlsCredentials",
		"type": "spec.type", "observer": "spec.observer",
	} {
		if in.Changed(flag) {
			fields[field] = in.String(flag)
			if in.String(flag) == "" {
				fields[field] = nil
			}
		}
	}
	for flag, field := range map[string]string{"verify-hostname": "spec.verifyHostname", "use-client-cert": "spec.useClientCert"} {
		if in.Changed(flag) {
			fields[field] = in.Bool(flag)
		}
	}
	if in.Changed("port") && in.Int("port") != 0 {
		port, reason := resource.CheckPort(in.String("port"))
		if reason != "" {
			return &command.UsageError{Message: "port: " + reason}
		}
		fields["spec.port"] = port
	}
	settings, err := pairs(in.Strings("set"))
	if err != nil {
		return err
	}
	setSettings(fields, settings)
	if in.Changed("keys") {
		return &command.UsageError{Message: "--keys: the routing keys of a MultiKeyListener change by `skupper system apply`"}
	}
	ref, err := p.named(ctx, in.Arg(0), statusKinds(kind)...)
	if err != nil {
		return err
	}
	if in.Changed("client-auth") {
		fields["spec.requireClientCert"] = in.Bool("client-auth")
	}
	for flag, only := range map[string]resource.Kind{"routing-key": resource.KindListener, "type": resource.KindListener, "client-auth": resource.KindMultiKeyListener} {
		if in.Changed(flag) && kind == resource.KindListener && ref.Kind != only {
			return &command.UsageError{Message: fmt.Sprintf("--%s: %s is a %s, which has no such field", flag, in.Arg(0), ref.Kind)}
		}
	}
	return p.update(ctx, in, waitConfigured, ref, fields)
}
