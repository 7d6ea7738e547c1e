package main

import (
	"context"
	"errors"
	"sync"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/observer"
	"github.com/skupper-host/skupper/observer/access"
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
				{Name: "listen", Kind: command.String, Value: "HOST:PORT", Default: "127.0.0.1:8080", Usage: "where the console, the API (described at /swagger/) and /metrics are served"},
				{Name: "listen-metrics", Kind: command.String, Value: "HOST:PORT", Usage: "where /metrics is served beside that, without a login"},
				{Name: "socket", Kind: command.String, Value: "PATH", Source: command.Files, Usage: "a Unix socket on which commands of its owner are answered, without a login"},
				{Name: "tls-cert", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "the certificate to serve it with HTTPS"},
				{Name: "tls-key", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "its key"},
				{Name: "htpasswd", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "who may log in (bcrypt); made with one user and a password where there is none"},
				{Name: "open", Kind: command.Bool, Usage: "serve others without a login, or without TLS: something else protects it"},
				{Name: "host", Kind: command.Strings, Value: "NAME", Usage: "a name of this host by which it may be asked without a login"},
				{Name: "console-location", Kind: command.String, Value: "DIR", Source: command.Files, Usage: "a build of Skupper's console to serve instead of the own one"},
				{Name: "enable-console", Kind: command.Bool, Default: "true", Usage: "serve a console"},
				{Name: "prometheus-api", Kind: command.String, Value: "URL", Usage: "a Prometheus that answers what that console asks; else the observer does"},
				{Name: "cors-allow-all", Kind: command.Bool, Usage: "let pages of any origin ask"},
				{Name: "enable-access-logs", Kind: command.Bool, Usage: "log every request"},
				{Name: "vanflow-logging-profile", Kind: command.String, Hidden: true, Usage: "accepted"},
			},
			Examples: []command.Example{
				{Line: "skupper network-observer run -n west", Text: "Observe the network of the site in namespace west; see http://127.0.0.1:8080/"},
				{Line: "skupper network-observer run --listen :8443 --htpasswd users --tls-cert tls.crt --tls-key tls.key", Text: "Show it to others, who have to log in"},
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
	living, end := context.WithCancel(ctx)
	var beat sync.WaitGroup
	beat.Go(func() { notifier.Watchdog(living, func() bool { return true }) })
	defer beat.Wait()
	defer end()
	err := observer.Run(ctx, observer.Config{
		Router: endpoint, CA: in.String("router-tls-ca"), Cert: in.String("router-tls-cert"), Key: in.String("router-tls-key"),
		Insecure: in.Bool("router-tls-insecure"), TTL: in.Duration("flow-record-ttl"), Log: p.logger(p.stderr), Ready: notifier.Ready,
		Listen: in.String("listen"), TLSCert: in.String("tls-cert"), TLSKey: in.String("tls-key"), Users: in.String("htpasswd"), Open: in.Bool("open"),
		Hosts: in.Strings("host"), Console: in.String("console-location"), Prometheus: in.String("prometheus-api"),
		NoConsole: !in.Bool("enable-console"), ListenMetrics: in.String("listen-metrics"), Version: p.version,
		CORS: in.Bool("cors-allow-all"), LogRequest: in.Bool("enable-access-logs"), Socket: in.String("socket"),
	})
	if err != nil {
		notifier.Status(err.Error()) // for whoever started it, and for its status
	}
	return observerError(err)
}

// observerError tells what is wrong with a configuration from what failed.
func observerError(err error) error {
	if wrong := (*observer.Error)(nil); errors.As(err, &wrong) {
		return &api.Error{Kind: api.Invalid, Message: wrong.Error(), Advice: wrong.Hint()}
	}
	if wrong := (*access.FileError)(nil); errors.As(err, &wrong) {
		return &api.Error{Kind: api.Invalid, Message: wrong.Error(), Advice: wrong.Hint()}
	}
	return err
}
