package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/supervise"
	"github.com/skupper-host/skupper/system/systemd"
)

// Times of starting an agent.
const (
	agentStart = 15 * time.Second      // until it must answer
	agentPoll  = 10 * time.Millisecond // how often it is asked
	agentIdle  = 3 * time.Second       // a detached agent without a namespace ends
)

func (p *program) controllerCommands() *command.Command {
	return &command.Command{
		Name: "controller", Summary: "the agent that looks after sites", Hidden: true, Daemon: true,
		Text: "One for each user, or one for the system. It reads what is wanted of each namespace, makes keys and certificates, " +
			"writes what the routers read, has them run, serves grants (for the system by a process without rights, skupper-grant-server(8)) and answers the commands over a Unix socket. " +
			"Commands start it when they need it; with `skupper system install` it starts with the host or the user.\n\n" +
			"Ending or killing it costs no connection: routers go on without it.",
		Commands: []*command.Command{{
			Name: "run", Summary: "run the agent in the foreground, as its unit does",
			Text: "It serves every namespace of the instance until it is terminated; routers go on without it. The log goes to standard error.",
			Flags: []command.Flag{
				{Name: "detached", Kind: command.Bool, Hidden: true, Usage: "started by a command: log to a file, end when nothing is left"},
			},
			Examples: []command.Example{
				{Line: "skupper controller run", Text: "Run the agent of this user, or as root of the system"},
				{Line: "@reboot skupper controller run", Text: "In a crontab: have the agent, and so its sites, start with a host that has no systemd"},
			},
			Run: p.controllerRun,
		}},
	}
}

// controllerRun is the agent.
func (p *program) controllerRun(ctx context.Context, in *command.Input) error {
	if p.pathsErr != nil {
		return p.pathsErr
	}
	o, err := p.options()
	if err != nil {
		return err
	}
	out := p.stderr
	if in.Bool("detached") {
		log, err := supervise.OpenLog(p.paths.AgentLog())
		if err != nil {
			return err
		}
		defer func() { _ = log.Close() }() // nothing is written any more
		out, o.IdleExit = log, agentIdle
	}
	o.Log = p.logger(out)
	notifier := systemd.NewNotifier(p.getenv)
	units, beside, closeUnits, err := p.supervision(ctx, o)
	if err != nil {
		return err
	}
	defer closeUnits()
	parts := []func(context.Context) error{func(ctx context.Context) error {
		notifier.Watchdog(ctx, func() bool { return true })
		return nil
	}}
	if beside != nil {
		parts = append(parts, beside)
	}
	return system.NewAgent(o, units).Run(ctx, notifier.Ready, parts...)
}

// options are the surroundings of the agent.
func (p *program) options() (system.Options, error) {
	binary, err := os.Executable()
	if err != nil {
		return system.Options{}, err
	}
	o := p.machine()
	o.Binary = strings.TrimSuffix(binary, " (deleted)")
	return o, nil
}

// logger writes structured lines at the level of SKUPPER_LOG; under systemd
// they go to the journal with their fields.
func (p *program) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if text := p.getenv("SKUPPER_LOG"); text != "" && level.UnmarshalText([]byte(text)) != nil {
		p.warn("SKUPPER_LOG=%q is not a level; info is used", text)
	}
	lines := slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	if w == p.stderr && systemd.LogsToJournal() {
		return slog.New(systemd.NewJournalHandler(level, lines))
	}
	return slog.New(lines)
}

// startAgent returns the agent, started if none answers: by systemd where a
// manager answers, otherwise detached from this process.
func (p *program) startAgent(ctx context.Context) (api.Controller, error) {
	c, online, err := p.controller(ctx)
	if err != nil || online {
		return c, err
	}
	if err := p.engineAnswers(ctx); err != nil {
		return nil, err
	}
	conn, err := systemd.Connect(ctx, p.systemdOptions())
	switch {
	case err == nil:
		defer conn.Close()
		if err := p.startAgentUnit(ctx, conn); err != nil {
			return nil, err
		}
		return p.awaitAgent(ctx, nil)
	case !errors.Is(err, systemd.ErrAbsent):
		return nil, err
	}
	died, err := p.spawnAgent()
	if err != nil {
		return nil, err
	}
	return p.awaitAgent(ctx, died)
}

// engineAnswers asks the engine of the site that would be this host's first one,
// before an agent is set up for it.
func (p *program) engineAnswers(ctx context.Context) error {
	if !container.Known(p.platform) || isDir(p.paths.NamespacesDir()) {
		return nil
	}
	e, err := p.engine(p.platform)
	if err == nil {
		_, err = e.Version(ctx)
	}
	return err
}

// spawnAgent starts the agent as a process of its own session. The channel
// yields when it ends before this process does.
func (p *program) spawnAgent() (<-chan error, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.paths.ControllerDir(), 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(p.paths.AgentLog(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	args := []string{"controller", "run", "--detached", "--user"}
	if p.paths.System {
		args[3] = "--system"
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir = "/"
	cmd.Stderr = log // what the agent says before it has its log, and a panic
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	died := make(chan error, 1)
	go func() { died <- cmd.Wait() }()
	return died, nil
}

// awaitAgent returns when the agent answers. Another one that was started at
// the same moment is as good.
func (p *program) awaitAgent(ctx context.Context, died <-chan error) (api.Controller, error) {
	limit := time.After(agentStart)
	var ended error
	for {
		c, online, err := p.controller(ctx)
		if err != nil {
			return nil, err
		}
		if online {
			return c, nil
		}
		select {
		case <-time.After(agentPoll):
		case err := <-died:
			died, ended = nil, cmpErr(err)
			limit = time.After(time.Second) // another one may have won
		case <-limit:
			return nil, p.agentFailure(ended)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func cmpErr(err error) error {
	if err == nil {
		return errors.New("it ended")
	}
	return err
}

// agentFailure says why an agent did not come up: its last words.
func (p *program) agentFailure(ended error) error {
	text := fmt.Sprintf("it does not answer within %s", agentStart)
	if ended != nil {
		text = ended.Error()
	}
	hint := "its log is " + p.paths.AgentLog()
	data, err := os.ReadFile(p.paths.AgentLog())
	if err == nil {
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		last := lines[len(lines)-1]
		if advice, ok := strings.CutPrefix(last, "hint: "); ok && len(lines) > 1 {
			hint, last = advice, lines[len(lines)-2]
		}
		if last = strings.TrimPrefix(last, "error: "); last != "" {
			text += ": " + last
		}
	}
	return &exitError{code: exitFailed, message: "agent: " + text, hint: hint}
}

// startAgentUnit has systemd run the agent. The unit file is that of a package,
// or is made here.
func (p *program) startAgentUnit(ctx context.Context, conn *systemd.Conn) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = system.StartAgentUnit(ctx, conn, binary, p.paths)
	return err
}

func (p *program) systemdOptions() systemd.Options {
	return systemd.Options{User: !p.paths.System, RuntimeDir: p.paths.RuntimeDir}
}

// supervision is who runs routers here: systemd, or the agent itself with the
// built-in supervisor, which must run beside it.
func (p *program) supervision(ctx context.Context, o system.Options) (units host.Units, beside func(context.Context) error, done func(), err error) {
	conn, err := systemd.Connect(ctx, p.systemdOptions())
	if err == nil {
		return host.NewPlatforms(host.NewSystemd(conn), o.Engines, system.ProgramFile), nil, func() { conn.Close() }, nil
	}
	if !errors.Is(err, systemd.ErrAbsent) {
		return nil, nil, nil, err
	}
	s := supervise.New(supervise.Config{Socket: p.paths.NotifySocket(), Log: o.Log})
	return host.NewPlatforms(host.NewSupervised(s), o.Engines, system.ProgramFile), s.Run, func() {}, nil
}

// systemLogs prints a log.
func (p *program) systemLogs(ctx context.Context, in *command.Input) error {
	n, err := p.namespacePaths()
	if err != nil {
		return err
	}
	unit, file := filepath.Base(n.Unit), n.RouterLog()
	if in.Bool("agent") {
		unit, file = filepath.Base(p.paths.AgentUnit()), p.paths.AgentLog()
	} else if !isDir(n.Dir) {
		return namespaceMissing(n.Name)
	}
	if !in.Bool("agent") {
		if done, err := p.containerLogs(ctx, in, n); done {
			return err
		}
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return p.journal(ctx, in, "-u", unit)
	}
	return p.tail(ctx, file, sinceOf(in), in.Bool("follow"))
}

// sinceOf is the moment from which on a log is wanted, zero for all of it.
func sinceOf(in *command.Input) time.Time {
	if !in.Changed("since") {
		return time.Time{}
	}
	return time.Now().Add(-in.Duration("since"))
}

// journal hands over to journalctl, which knows the journal.
func (p *program) journal(ctx context.Context, in *command.Input, match ...string) error {
	args := []string{"--no-pager"}
	if !p.paths.System {
		args = append([]string{"--user"}, args...)
	}
	if in.Bool("follow") {
		args = append(args, "-f")
	}
	if in.Changed("since") {
		args = append(args, "--since", sinceOf(in).Format(time.DateTime))
	}
	cmd := exec.CommandContext(ctx, "journalctl", append(args, match...)...)
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return &api.Error{Kind: api.Missing, Message: "there is no log: neither a file nor a journal", Advice: "`skupper system status` shows whether the site runs"}
	}
	return err
}

// containerLogs prints the log of a router in a container, if it is in one: the
// engine's, or the journal's where a unit runs it.
func (p *program) containerLogs(ctx context.Context, in *command.Input, n layout.NamespacePaths) (done bool, err error) {
	platform := host.Platform(n)
	if !container.Known(platform) {
		return false, nil
	}
	name := layout.ContainerName(n.Name)
	conn, err := p.manager(ctx)
	if err != nil {
		return true, err
	}
	conn.Close()
	if conn != nil && platform == container.Podman {
		unit := map[bool]string{true: "_SYSTEMD_UNIT=", false: "_SYSTEMD_USER_UNIT="}[p.paths.System] + filepath.Base(n.Unit)
		return true, p.journal(ctx, in, "CONTAINER_NAME="+name, "+", unit)
	}
	e, err := p.engine(platform)
	if err != nil {
		return true, err
	}
	return true, e.Logs(ctx, name, sinceOf(in), in.Bool("follow"), p.stdout)
}

// tailPoll is how often a followed file is looked at.
const tailPoll = 200 * time.Millisecond

// tail prints what a log has since a moment, and what is added to it. A file that
// was rotated away is opened anew.
func (p *program) tail(ctx context.Context, path string, since time.Time, follow bool) error {
	for {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		again, err := p.copyWhile(ctx, f, since, follow)
		_ = f.Close() // only read from
		if err != nil || !again {
			return err
		}
	}
}

// copyWhile copies the lines of f since a moment until its end or, with follow,
// until it is rotated away.
func (p *program) copyWhile(ctx context.Context, f *os.File, since time.Time, follow bool) (again bool, err error) {
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if err == nil && lineBefore(line, since) {
			continue
		}
		if _, err := p.stdout.Write(line); err != nil {
			return false, err
		}
		if err != nil {
			break // at its end
		}
		since = time.Time{} // they are in order
	}
	for {
		if _, err := io.Copy(p.stdout, lines); err != nil || !follow {
			return false, err
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(tailPoll):
		}
		now, err := os.Stat(f.Name())
		mine, err2 := f.Stat()
		if err == nil && err2 == nil && !os.SameFile(now, mine) {
			return true, nil
		}
	}
}

// lineBefore reports whether a line of a log is older than a moment. One that
// does not say its time goes with those around it.
func lineBefore(line []byte, since time.Time) bool {
	if since.IsZero() {
		return false
	}
	word, _, _ := strings.Cut(strings.TrimPrefix(string(line), "time="), " ")
	t, err := time.Parse(time.RFC3339, word)
	return err != nil || t.Before(since)
}
