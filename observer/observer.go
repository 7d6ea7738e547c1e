package observer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/skupper-host/skupper/observer/access"
	"github.com/skupper-host/skupper/observer/api"
	"github.com/skupper-host/skupper/observer/collect"
	"github.com/skupper-host/skupper/observer/console"
	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/metrics"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/record"
)

// Config says what an observer observes, and to whom it shows it.
type Config struct {
	Router        string        // URL of a router: amqps://, amqp:// or unix:PATH
	Cert, Key, CA string        // files of mutual TLS with it
	Insecure      bool          // do not check who the router is
	TTL           time.Duration // how long connections and requests are kept after their end; 0: 15 min
	NoLogs        bool          // leave the routers' logs alone

	Listen           string   // HOST:PORT
	TLSCert, TLSKey  string   // files, to serve HTTPS; read again when they change
	Users            string   // htpasswd file of those who may log in; "": nobody has to
	Open             bool     // nobody has to log in, though others than this host reach the listener
	Hosts            []string // names under which it may be asked then
	NoConsole        bool     // neither the console nor what it alone needs
	Console          string   // directory of another console; "": the own one
	Prometheus       string   // base URL of one that answers the console's queries; "": the history does
	CORS, LogRequest bool
	ListenMetrics    string // HOST:PORT of a listener for /metrics alone, open to whom it reaches; "": none
	Socket           string // path of a Unix socket on which whoever may open it is served without a login; "": none
	Version          string

	Log   *slog.Logger
	Ready func() // called when the observer serves; may be nil
}

// Error is about a Config.
type Error struct{ what, hint string }

func (e *Error) Error() string { return e.what }

// Hint says what to do about it.
func (e *Error) Hint() string { return e.hint }

// Run observes and serves until ctx is done. While the router cannot be reached
// it goes on trying. Errors are about the configuration or the listener.
func Run(ctx context.Context, cfg Config) error {
	endpoint, err := collect.ParseEndpoint(cfg.Router, collect.Certificates{Cert: cfg.Cert, Key: cfg.Key, CA: cfg.CA, Insecure: cfg.Insecure})
	if err != nil {
		return &Error{what: err.Error()}
	}
	gate, users, err := cfg.gate()
	if err != nil {
		return err
	}
	n, ring := network.New(network.Limits{TTL: cfg.TTL}), history.New()
	figures, err := metrics.Handler(n, ring, cfg.Version)
	if err != nil {
		return err
	}
	c := collect.New(collect.Config{Endpoint: endpoint, NoLogs: cfg.NoLogs, Log: cfg.Log}, n)
	served, err := cfg.serve(n, ring, c, figures, gate, users)
	if err != nil {
		return err
	}
	shown, err := cfg.certificate()
	if err != nil {
		return err
	}
	l, err := listen(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // it is closed already, unless nothing was served
	var m net.Listener
	if cfg.ListenMetrics != "" {
		if m, err = listen(ctx, cfg.ListenMetrics); err != nil {
			return err
		}
	}
	var beside net.Listener
	if cfg.Socket != "" {
		if beside, err = listenUnix(ctx, cfg.Socket); err != nil {
			return err
		}
	}
	links := &linkRates{}
	live, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { _ = c.Run(live) })      // it returns nil
	wg.Go(func() { _ = served.Run(live) }) // it ends with the context
	wg.Go(func() { remember(live, ring, n, links) })
	if m != nil {
		alone := http.NewServeMux()
		alone.Handle("GET /metrics", figures)
		wg.Go(func() {
			if err := api.Serve(live, m, alone, nil, cfg.Log); err != nil && cfg.Log != nil {
				cfg.Log.Error("metrics are no longer served", "err", err)
			}
		})
	}
	if beside != nil {
		own := cfg.beside(served.Handler(), n, c, links, shown)
		wg.Go(func() {
			if err := api.Serve(live, beside, own, nil, cfg.Log); err != nil && cfg.Log != nil {
				cfg.Log.Error("commands of this host are no longer answered", "err", err)
			}
		})
	}
	if cfg.Ready != nil {
		cfg.Ready()
	}
	return api.Serve(live, l, gate.Wrap(served.Handler()), shown.secure(), cfg.Log)
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("network observer: %w", err)
	}
	return l, nil
}

// remember writes the history of the counters until ctx is done.
func remember(ctx context.Context, ring *history.Ring, n *network.Network, links *linkRates) {
	ticker := time.NewTicker(history.Step)
	defer ticker.Stop()
	for {
		now := time.Now()
		ring.Observe(now, n.Traffic())
		links.observe(now, n.RouterLinks())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Check reports what Run would refuse of who may see the network, and what it
// would show that nobody can trust; it changes nothing. made says that the
// certificate, and who may log in, are made before Run: their files are not looked
// at. Errors are of type *Error,
// or of the file with the users.
func (cfg *Config) Check(made bool) error {
	if _, port, err := net.SplitHostPort(cfg.Listen); err != nil || port == "" || port == "0" {
		return &Error{what: fmt.Sprintf("listener %q: not an address with a port", cfg.Listen), hint: "write HOST:PORT, as 127.0.0.1:8080"}
	}
	if err := cfg.guarded(); err != nil {
		return err
	}
	if made {
		return nil
	}
	c, err := cfg.certificate()
	if err != nil {
		return err
	}
	if now := time.Now(); c != nil {
		leaf := c.now(now).Leaf
		if now.Before(leaf.NotBefore) || !now.Before(leaf.NotAfter) {
			return &Error{
				what: fmt.Sprintf("certificate of the listener: %s is valid from %s to %s", cfg.TLSCert, leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339)),
				hint: "name one that is valid now",
			}
		}
	}
	if cfg.Users == "" {
		return nil
	}
	if _, err := os.Stat(cfg.Users); errors.Is(err, fs.ErrNotExist) {
		return nil // it is made
	}
	_, err = access.ReadUsers(cfg.Users)
	return err
}

// guarded refuses a listener that others reach without a login and TLS, unless
// it is open on purpose.
func (cfg *Config) guarded() error {
	switch {
	case cfg.Open || Local(cfg.Listen) || cfg.Users != "" && cfg.TLSCert != "":
		return nil
	case cfg.TLSCert != "":
		return &Error{
			cfg.Listen + " is reached by others, and shows the network to whoever asks",
			"listen on 127.0.0.1, or have people log in, with --password auto or --htpasswd; --open if something else stands in front of it",
		}
	}
	return &Error{
		cfg.Listen + " is reached by others, and shows the network to whoever asks or listens",
		"listen on 127.0.0.1, or use --htpasswd, --tls-cert and --tls-key; --open if something else stands in front of it",
	}
}

// gate makes who may see what.
func (cfg *Config) gate() (gate *access.Gate, users *access.Users, err error) {
	if err := cfg.guarded(); err != nil {
		return nil, nil, err
	}
	if cfg.Users != "" {
		made, err := access.Generate(cfg.Users)
		if err != nil {
			return nil, nil, err
		}
		if made && cfg.Log != nil {
			cfg.Log.Info("a login was made", "user", access.GeneratedUser, "file", cfg.Users)
		}
		if users, err = access.ReadUsers(cfg.Users); err != nil {
			return nil, nil, err
		}
	}
	return access.New(access.Options{
		Users: users, Hosts: cfg.Hosts, Any: cfg.Open && len(cfg.Hosts) == 0, Open: []string{api.HealthPath}, TLS: cfg.TLSCert != "", Log: cfg.Log,
	}), users, nil
}

// Local reports whether only this host reaches a listener at HOST:PORT.
func Local(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// serve makes what is served.
func (cfg *Config) serve(n *network.Network, ring *history.Ring, c *collect.Collector, figures http.Handler, gate *access.Gate, users *access.Users) (*api.API, error) {
	o := api.Options{Network: n, History: ring, Metrics: figures, Observer: func() record.Observer { return shown(c.Status()) }, CORS: cfg.CORS, Access: cfg.LogRequest, Log: cfg.Log}
	if users != nil {
		o.User, o.Logout = access.User, gate.Logout
	}
	var err error
	switch {
	case cfg.NoConsole:
	case cfg.Console != "":
		if o.Console, err = api.Directory(cfg.Console); err != nil {
			return nil, &Error{what: err.Error()}
		}
	default:
		if o.Console, err = console.Handler(); err != nil {
			return nil, err
		}
	}
	if cfg.Prometheus != "" {
		u, err := url.Parse(cfg.Prometheus)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, &Error{what: fmt.Sprintf("Prometheus %q: write http://HOST:PORT or https://HOST:PORT", cfg.Prometheus)}
		}
		o.Prometheus = u
	}
	return api.New(o), nil
}
