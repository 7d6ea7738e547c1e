package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/footprint"
	"github.com/skupper-host/skupper/router"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/system"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/systemd"
)

func (p *program) routerCommands() *command.Command {
	return &command.Command{
		Name: "router", Summary: "the router of a site", Hidden: true, Daemon: true,
		Text: "Carries the connections of one site and finds the paths to others. The agent writes its configuration " +
			"(runtime/router/skrouterd.json of the namespace) and has a service manager run it; nobody else needs to. " +
			"Started under the name skrouterd it takes the same options and files as the router of Skupper on clusters.\n\n" +
			"SIGHUP: the configuration is read again and what differs is changed; connections that are not concerned go on. " +
			"SIGTERM: nothing new is taken, open streams get a few seconds, then it ends with status 0. " +
			"It reports to its service manager that it is ready, how many links and connections it has, and that it is alive.",
		Commands: []*command.Command{{
			Name: "run", Summary: "run a router in the foreground, as its unit does", Raw: true,
			Text:     routerUsage,
			Examples: []command.Example{{Line: "skupper router run -c skrouterd.json", Text: "Run a router from a configuration file"}},
			Run:      func(ctx context.Context, in *command.Input) error { return p.skrouterd(ctx, in.Args) },
		}, {
			Name: "check", Summary: "ask a router whether it is well, as its container's engine does",
			Text:  "It ends with status 0 when the router answers at its Unix socket.",
			Flags: []command.Flag{{Name: "socket", Kind: command.String, Value: "PATH", Default: container.Socket, Usage: "the router's socket"}},
			Examples: []command.Example{
				{Line: "skupper router check --socket $XDG_RUNTIME_DIR/skupper/default/router.sock", Text: "Ask the router of this user's default namespace"},
				{Line: "skupper router check --socket /run/skupper/west/router.sock", Text: "Ask the router of namespace west of the system"},
			},
			Run: func(ctx context.Context, in *command.Input) error { return routerCheck(ctx, in.String("socket")) },
		}},
	}
}

// routerCheck asks a router for itself.
func routerCheck(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, container.HealthTimeout)
	defer cancel()
	a, err := system.DialRouter(ctx, socket)
	if err != nil {
		return fmt.Errorf("router: %w", err)
	}
	defer func() { _ = a.Close() }() // nothing was sent
	_, err = a.Query(ctx, "", "router", "name")
	return err
}

// routerUsage is the help of the router; its options are upstream's.
const routerUsage = `Usage: skupper router run [options]   (or started as skrouterd)

  -c, --conf FILE        configuration, JSON or skrouterd.conf syntax
      --socket PATH      also serve management on a Unix socket (mode 0600)
  -I, --include DIR      accepted; nothing is loaded from it
  -d, --daemon           run in the background
  -P, --pidfile FILE     with -d: write the process id
  -U, --user NAME        run as this user
  -v, --version          print the version
  -h, --help             print this help
`

// routerOptions are the options of a router as typed.
type routerOptions struct {
	conf, socket, pidfile, user string
	daemon, version, help       bool
	include                     []string
}

// parseRouter reads the options in the way of getopt_long.
func parseRouter(args []string) (routerOptions, error) {
	var o routerOptions
	tree := &command.Command{
		Name: "skrouterd", Run: func(context.Context, *command.Input) error { return nil },
		Flags: []command.Flag{
			{Name: "conf", Short: "c", Kind: command.String},
			{Name: "include", Short: "I", Kind: command.Strings},
			{Name: "daemon", Short: "d", Kind: command.Bool},
			{Name: "pidfile", Short: "P", Kind: command.String},
			{Name: "user", Short: "U", Kind: command.String},
			{Name: "version", Short: "v", Kind: command.Bool},
			{Name: "help", Short: "h", Kind: command.Bool},
			{Name: "test-hooks", Short: "T", Kind: command.Bool},
			{Name: "socket", Kind: command.String},
		},
	}
	inv, err := command.Prepare(tree, args, nil)
	if err != nil {
		return o, err
	}
	in := inv.Input
	return routerOptions{
		conf: in.String("conf"), socket: in.String("socket"), pidfile: in.String("pidfile"), user: in.String("user"),
		include: in.Strings("include"), daemon: in.Bool("daemon"), version: in.Bool("version"), help: in.Bool("help"),
	}, nil
}

// skrouterd is the router, with upstream's options.
func (p *program) skrouterd(ctx context.Context, args []string) error {
	o, err := parseRouter(args)
	if err != nil {
		return err
	}
	switch {
	case o.help:
		_, err := io.WriteString(p.stdout, routerUsage)
		return err
	case o.version:
		_, err := fmt.Fprintln(p.stdout, p.version)
		return err
	case o.daemon:
		return p.detachRouter(o)
	}
	if o.user != "" {
		if err := becomeUser(o.user); err != nil {
			return err
		}
	}
	if p.getenv("GOGC") == "" {
		debug.SetGCPercent(routerGC)
	}
	signal.Ignore(syscall.SIGPIPE) // who takes the log may end, as a container engine does; the router goes on
	log := p.logger(os.Stderr)
	notifier := &settled{Notifier: systemd.NewNotifier(p.getenv), log: log}
	err = router.Run(ctx, router.Options{
		ConfigPath: first(o.conf, "/etc/skupper-router/skrouterd.conf"), SocketPath: o.socket, Include: o.include,
		Log: log, Version: p.version, Notify: notifier, Drain: routerDrain,
	})
	p.printStartup(err)
	return err
}

// settled gives back what only the start of the router needed.
type settled struct {
	*systemd.Notifier
	log *slog.Logger
}

// Ready implements router.Notifier.
func (s *settled) Ready() {
	s.Notifier.Ready()
	if _, err := footprint.Shrink(); err != nil {
		s.log.Debug("the program stays as large as its start has made it", "err", err)
	}
}

// printStartup says what is wrong with a configuration in upstream's words,
// compat: scripts look for them in the output of skrouterd.
func (p *program) printStartup(err error) {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, x := range e.Unwrap() {
			p.printStartup(x)
		}
	case *config.Error:
		fmt.Fprintln(p.stderr, e.Startup())
	}
}

// routerGC is the garbage, in percent of what is in use, at which the router
// collects. Bytes pass without making garbage, connections that come and go make
// it: collecting earlier than Go does by itself halves what a crowd takes and
// costs nothing that can be measured.
const routerGC = 50

// routerDrain is how long open streams may go on when the router is told to
// stop; the units wait for longer.
const routerDrain = 5 * time.Second

// detachRouter starts the router in a session of its own and writes its
// process id.
func (p *program) detachRouter(o routerOptions) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"router", "run", "-c", o.conf}
	if o.socket != "" {
		args = append(args, "--socket", o.socket)
	}
	for _, dir := range o.include {
		args = append(args, "-I", dir)
	}
	if o.user != "" {
		args = append(args, "-U", o.user)
	}
	cmd := exec.Command(binary, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	if o.pidfile != "" {
		return os.WriteFile(o.pidfile, fmt.Appendf(nil, "%d\n", cmd.Process.Pid), 0o644)
	}
	return nil
}

// becomeUser gives up the rights of root for those of a user.
func becomeUser(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return fmt.Errorf("user %s: %w", name, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return fmt.Errorf("user %s: %w", name, err)
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("user %s: %w", name, err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("user %s: %w", name, err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("user %s: %w", name, err)
	}
	return nil
}
