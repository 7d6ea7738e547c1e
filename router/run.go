package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/journal"
	"github.com/skupper-host/skupper/router/trunk"
)

// Notifier tells a supervisor how the process is doing (sd_notify).
type Notifier interface {
	Ready()
	Reloading()
	Status(text string)
	Stopping()
	Watchdog(ctx context.Context, alive func() bool)
}

// Options say which router to run.
type Options struct {
	ConfigPath string
	// Include are directories of upstream's Python packages; their schema is
	// shown to management clients.
	Include []string
	// SocketPath is a Unix socket for management by this user; empty: none. Beside
	// it is what one run of the router has to tell the next.
	SocketPath string
	Version    string
	Log        *slog.Logger
	// Drain is how long streams that are open when ctx is done may go on. New
	// ones are not taken then.
	Drain time.Duration
	// Notify may be nil.
	Notify Notifier
	// Environment resolves ${VARIABLE} in the configuration; nil is the
	// process's.
	Environment config.Environment
}

// Run runs the router of a configuration file until ctx is done. SIGHUP makes
// it read the file again and put the differences in effect.
//
// Errors of the configuration come joined, as *config.Error with file and line.
func Run(ctx context.Context, opt Options) error {
	if opt.Environment == nil {
		opt.Environment = os.LookupEnv
	}
	logs := journal.New(opt.Log.Handler(), os.Stdout)
	defer func() { _ = logs.Close() }()
	opt.Log = slog.New(logs.Handler())
	err := run(ctx, opt, logs)
	logFailure(opt.Log, err)
	return err
}

// run is Run with its log.
func run(ctx context.Context, opt Options, logs *journal.Journal) error {
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	r, end, err := launch(ctx, opt, logs)
	if r == nil {
		return err
	}
	defer end()
	r.serve(ctx, opt, reload)
	return nil
}

// launch reads the configuration and starts the router, which lives until end
// is called. The router is nil if it could not be started, or ctx was done
// before it was.
func launch(ctx context.Context, opt Options, logs *journal.Journal) (r *Router, end func(), err error) {
	reader := config.NewReader(opt.ConfigPath, opt.Environment)
	cfg, warnings, err := reader.Load()
	settings := logSettings(cfg)
	if err != nil {
		settings.Settings = moduleSettings(config.LoadLogs(opt.ConfigPath, opt.Environment))
	}
	if err := logs.Configure(settings); err != nil {
		opt.Log.Error("log", "module", "AGENT", "err", err)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, w := range warnings {
		opt.Log.Warn(w.String(), "module", "AGENT")
	}
	live, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	end = func() {
		cancel()
		wg.Wait()
	}
	if r, err = newRouter(cfg, opt, func(f func(context.Context)) { wg.Go(func() { f(live) }) }); err != nil {
		end()
		return nil, nil, err
	}
	r.journal, r.reader = logs, reader
	r.include = opt.Include
	if opt.SocketPath != "" {
		r.flows.remember(opt.SocketPath + ".processes")
	}
	if err := r.serveSocket(opt.SocketPath); err != nil {
		end()
		return nil, nil, err
	}
	wg.Go(func() { r.loop(live) })
	wg.Go(func() { r.keepLot(live) })
	var problems []error
	if err := r.box.call(ctx, func() { r.establish(cfg); problems = r.problems }); err != nil {
		end()
		return nil, nil, nil // stopped before it began
	}
	if len(problems) > 0 {
		end()
		return nil, nil, errors.Join(problems...)
	}
	return r, end, nil
}

// serve keeps the router running until ctx is done; then it drains. Each
// signal makes it read its configuration again.
func (r *Router) serve(ctx context.Context, opt Options, reload <-chan os.Signal) {
	r.tellReady(opt.Notify)
	for {
		select {
		case <-ctx.Done():
			if opt.Notify != nil {
				opt.Notify.Stopping()
			}
			r.drain(opt.Drain)
			r.flows.stop()
			return
		case <-reload:
			r.reload(ctx, opt)
		}
	}
}

// drain withdraws this router's services from the network, takes no new
// clients and waits for the open streams, but not longer than limit.
func (r *Router) drain(limit time.Duration) {
	if limit <= 0 {
		return
	}
	var open []*task
	// The control loop lives longer than this.
	_ = r.box.call(context.Background(), func() {
		r.leaving = true
		for _, e := range r.entities {
			if s, ok := e.(streams); ok {
				open = append(open, s.withdraw())
			}
		}
	})
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, t := range open {
		select {
		case <-t.done:
		case <-timer.C:
			r.log.Info("streams are cut", "module", "SERVER", "after", limit)
			return
		}
	}
}

// threads is the configured number of worker threads. How many run is the Go
// scheduler's matter; what is derived from the number is upstream's.
func (r *Router) threads() int { return int(r.cfg.Router.WorkerThreads) }

// tellReady says that the router is up.
func (r *Router) tellReady(n Notifier) {
	if r.interior() {
		r.logDataConnections()
	}
	// compat: tools wait for this line.
	r.log.Info(fmt.Sprintf("Operational, %d Threads Running (process ID %d)", r.threads(), os.Getpid()), "module", "SERVER")
	if n == nil {
		return
	}
	n.Ready()
	r.spawn(func(ctx context.Context) { n.Watchdog(ctx, r.alive) })
}

// alive reports whether the control loop still works.
func (r *Router) alive() bool {
	ctx, cancel := context.WithTimeout(context.Background(), watchdogPatience)
	defer cancel()
	return r.box.call(ctx, func() {}) == nil
}

// reload reads the configuration again and applies what is different.
func (r *Router) reload(ctx context.Context, opt Options) {
	if opt.Notify != nil {
		opt.Notify.Reloading()
		defer opt.Notify.Ready()
	}
	cfg, warnings, err := r.reader.Load()
	if err == nil && (cfg.Router.ID != r.id || cfg.Router.Mode != r.mode) {
		// Also a file that was cut off: an empty one is a valid configuration.
		err = fmt.Errorf("it is of router %q, %s, and this is %q, %s: restart the router for that", cfg.Router.ID, cfg.Router.Mode, r.id, r.mode)
	}
	if err != nil {
		r.log.Error("configuration is not taken", "module", "AGENT", "file", opt.ConfigPath, "err", err)
		return
	}
	for _, w := range warnings {
		r.log.Warn(w.String(), "module", "AGENT")
	}
	// ctx is done only when the router ends.
	_ = r.box.call(ctx, func() { r.adopt(cfg, true) })
}

// adopt makes cfg the configuration in effect.
func (r *Router) adopt(cfg *config.Config, drain bool) []error {
	changes := config.Diff(r.cfg, cfg)
	r.cfg = cfg
	r.setLog()
	r.table.SetRules(rules(cfg.Addresses))
	for _, p := range r.profiles {
		if p.identity == nil {
			continue
		}
		if _, err := p.identity.Refresh(); err != nil {
			r.log.Warn("credentials stay as they are", "module", "AGENT", "err", err)
		}
	}
	r.retry()
	problems := r.apply(changes, drain)
	r.problems = problems
	r.retarget()
	return problems
}

// retarget gives listeners with several addresses those that are configured.
func (r *Router) retarget() {
	for _, e := range r.entities {
		if s, ok := e.(*service); ok && s.cfg.Address == "" {
			s.setTargets()
		}
	}
}

// establish creates everything that is configured at the start.
func (r *Router) establish(cfg *config.Config) {
	r.addProcesses()
	r.flows.start()
	r.adopt(cfg, false)
	r.working = len(r.problems) == 0
	r.flows.established()
}

// serveSocket serves AMQP without TLS on a Unix socket, for management by the
// user who runs the router.
func (r *Router) serveSocket(path string) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("socket: %w", err)
	}
	// The mode must be right from the first moment.
	old := syscall.Umask(0o177)
	ln, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	owner := &connections{r: r, name: "socket", set: linkSettings{capacity: routerCredit}}
	l := trunk.NewListener(trunk.ListenConfig{Name: owner.name, Role: trunk.Normal, Connections: maxSocketConnections, Log: r.log}, r.groups, owner)
	r.run(func(ctx context.Context) {
		if err := l.Run(ctx, ln); err != nil {
			r.log.Error("management socket", "module", "SERVER", "err", err)
		}
	})
	return nil
}

// watchdogPatience is how long the control loop may take to answer.
const watchdogPatience = 5 * time.Second

// maxSocketConnections bounds the connections on the Unix socket.
const maxSocketConnections = 256

// windowBudget is the sum of the stream windows that may grow: a quarter of
// the memory limit, 1 GiB if there is none.
func windowBudget() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return 1 << 30
	}
	return limit / 4
}
