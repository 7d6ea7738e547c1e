package main

import (
	"context"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/observer"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/systemd"
)

func (p *program) observerCommands() *command.Command {
	return &command.Command{
		Name: "network-observer", Summary: "what flows where in the whole network", Hidden: true, Daemon: true,
		Text: "One process that learns from the routers of a network which sites, links, services and connections there are. " +
			"It is connected to one router, and sees all of them. Ending it costs no connection; it knows everything again within seconds of its start, " +
			"but counts anew.",
		Commands: []*command.Command{{
			Name: "run", Summary: "run a network observer in the foreground",
			Text: "It goes on until it is terminated, and goes on trying while the router is away. The log goes to standard error. " +
				"Without --router-endpoint it is connected to the router of the namespace, over its Unix socket.",
			Flags: []command.Flag{
				{Name: "router-endpoint", Kind: command.String, Value: "URL", Usage: "a router of the network: amqps://HOST:PORT, amqp://HOST:PORT or unix:PATH (the namespace's own)"},
				{Name: "router-tls-ca", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "with amqps: the CA of the router's certificate"},
				{Name: "router-tls-cert", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "with amqps: the certificate to log in with"},
				{Name: "router-tls-key", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "with amqps: its key"},
				{Name: "router-tls-insecure", Kind: command.Bool, Usage: "with amqps: do not check who the router is"},
				{Name: "flow-record-ttl", Kind: command.Duration, Default: "15m", Usage: "how long connections and requests are kept after their end"},
				{Name: "vanflow-logging-profile", Kind: command.String, Hidden: true, Usage: "accepted"},
			},
			Examples: []command.Example{
				{Line: "skupper network-observer run -n west", Text: "Observe the network of the site in namespace west"},
				{Line: "skupper network-observer run --router-endpoint unix:/run/skupper/west/router.sock", Text: "Observe that of a router by its socket"},
			},
			Run: p.observerRun,
		}},
	}
}

// observerRun is the network observer.
func (p *program) observerRun(ctx context.Context, in *command.Input) error {
	endpoint := in.String("router-endpoint")
	if endpoint == "" {
		n, err := p.namespacePaths()
		if err != nil {
			return err
		}
		endpoint = "unix:" + n.RouterSocket
	}
	notifier := systemd.NewNotifier(p.getenv)
	err := observer.Run(ctx, observer.Config{
		Router: endpoint, CA: in.String("router-tls-ca"), Cert: in.String("router-tls-cert"), Key: in.String("router-tls-key"),
		Insecure: in.Bool("router-tls-insecure"), TTL: in.Duration("flow-record-ttl"), Log: p.logger(p.stderr), Ready: notifier.Ready,
	})
	if err != nil {
		return &api.Error{Kind: api.Invalid, Message: err.Error()}
	}
	return nil
}
