package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/systemd"
)

func (p *program) installCommand() *command.Command {
	return &command.Command{
		Name: "install", Summary: "prepare this host, or this user, for sites that start with it",
		Text: "Makes the directories and, as root, the user that routers run as; has systemd start the agent, now and at boot. " +
			"With --platform podman or docker the engine is prepared as well: podman's socket is enabled, and the image of the router is made from this program. " +
			"What is there already stays. Sites work without this as well; then they start when the agent does.",
		Flags: []command.Flag{
			{Name: "enable-linger", Kind: command.Bool, Usage: "have the user's services run without a login"},
			{Name: "reload-type", Kind: command.String, Choices: []string{system.ReloadAuto, system.ReloadManual}, Default: system.ReloadAuto, Usage: "whether changes of files take effect by themselves, or with system reload"},
			{Name: "yes", Kind: command.Bool, Usage: "stop and disable upstream's controller, where there is one"},
			{Name: "dry-run", Kind: command.Bool, Usage: "change nothing: say what would be changed"},
		},
		Examples: []command.Example{
			{Line: "sudo skupper system install", Text: "For the system's sites"},
			{Line: "skupper system install --platform podman --enable-linger", Text: "For sites of this user whose routers run in containers"},
			{Line: "skupper system install --enable-linger", Text: "For the sites of this user, also without a login"},
		},
		Run: p.systemInstall,
	}
}

func (p *program) uninstallCommand() *command.Command {
	return &command.Command{
		Name: "uninstall", Summary: "undo what system install changed",
		Text: "Where sites are left it is refused, unless --keep-sites or --force says what becomes of them. The network observer goes too, with --force also who may log in to it; with --keep-sites it stays. Directories go where nothing needs them any more.",
		Flags: []command.Flag{
			{Name: "force", Short: "f", Kind: command.Bool, Usage: "remove every site first"},
			{Name: "keep-sites", Kind: command.Bool, Usage: "leave the sites as they are"},
			{Name: "yes", Kind: command.Bool, Usage: "do not ask"},
			{Name: "dry-run", Kind: command.Bool, Usage: "change nothing: say what would be changed of what install made"},
		},
		Examples: []command.Example{
			{Line: "skupper system uninstall --keep-sites", Text: "Remove the agent's unit, keep the sites"},
			{Line: "sudo skupper system uninstall --force --yes", Text: "Remove the sites of the system as well"},
		},
		Run: p.systemUninstall,
	}
}

// manager is systemd, nil where none answers. Whoever asks closes it.
func (p *program) manager(ctx context.Context) (*systemd.Conn, error) {
	conn, err := systemd.Connect(ctx, p.systemdOptions())
	if errors.Is(err, systemd.ErrAbsent) {
		return nil, nil
	}
	return conn, err
}

func (p *program) systemInstall(ctx context.Context, in *command.Input) error {
	if p.pathsErr != nil {
		return p.pathsErr
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	conn, err := p.manager(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	linger := ""
	if in.Bool("enable-linger") && !p.paths.System {
		linger = first(p.getenv("USER"), p.getenv("LOGNAME"))
	}
	platform := first(p.platform, p.getenv("SKUPPER_PLATFORM"))
	if err := platformOfHosts(platform); err != nil {
		return err
	}
	reloadType := ""
	if in.Changed("reload-type") {
		reloadType = in.String("reload-type")
	}
	if in.Bool("dry-run") {
		retired, err := p.rivalController(ctx, in, conn)
		if err != nil {
			return err
		}
		lines, err := system.Missing(ctx, conn, p.paths, linger, reloadType)
		lines = append(retired, lines...)
		if err == nil && container.Known(platform) {
			var more []string
			more, err = p.withEngine(platform, func(s system.EngineSetup) ([]string, error) { return system.MissingEngine(ctx, conn, s) })
			lines = append(lines, more...)
		}
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			p.note("nothing to do")
		}
		return p.printLines(lines)
	}
	var ready system.Readied
	if container.Known(platform) { // before anything is changed for what cannot be had
		if err := system.Installable(ctx, conn, p.paths); err != nil {
			return err
		}
		lines, err := p.withEngine(platform, func(s system.EngineSetup) (lines []string, err error) {
			ready, lines, err = system.ReadyEngine(ctx, conn, s)
			return lines, err
		})
		if err := errors.Join(p.printLines(lines), err); err != nil {
			return err
		}
	}
	err = p.retireController(ctx, in, conn)
	if err == nil && linger == "" && conn != nil {
		linger = p.askToLinger(ctx, in)
	}
	if err == nil {
		var lines []string
		lines, err = system.Install(ctx, conn, binary, p.paths, reloadType)
		err = errors.Join(p.printLines(lines), err)
	}
	if err == nil && container.Known(platform) {
		var lines []string
		lines, err = p.withEngine(platform, func(s system.EngineSetup) ([]string, error) {
			return system.InstallEngine(ctx, conn, p.paths, s, ready)
		})
		err = errors.Join(p.printLines(lines), err)
	}
	if err != nil {
		if container.Known(platform) {
			lines, undo := p.withEngine(platform, func(s system.EngineSetup) ([]string, error) { return system.UnreadyEngine(ctx, conn, s, ready) })
			err = errors.Join(err, p.printLines(lines), undo)
		}
		return err
	}
	if linger != "" {
		lines, err := system.Linger(ctx, p.paths, linger)
		if err := errors.Join(p.printLines(lines), err); err != nil {
			return err
		}
	}
	if conn == nil {
		p.note("no systemd answers: the agent is started by the first command that needs it; at boot, have cron or an init script run `skupper controller run`")
		return nil
	}
	if linger == "" {
		p.lingerHint()
	}
	return nil
}

// lingerHint tells a user that his services end with his last log-out.
func (p *program) lingerHint() {
	if user := p.unlingering(); user != "" {
		p.note("hint: services of %s end with the last log-out; `loginctl enable-linger %s` changes that", user, user)
	}
}

// unlingering is the user whose services end with his last log-out, "" if they
// do not.
func (p *program) unlingering() string {
	user := first(p.getenv("USER"), p.getenv("LOGNAME"))
	if p.paths.System || user == "" {
		return ""
	}
	if _, err := os.Stat(layout.LingerFile(user)); err == nil {
		return ""
	}
	return user
}

// askToLinger asks whether the user's services are to run without a login, where
// somebody can answer. It is the user who lingers from now on, "" if nobody does.
func (p *program) askToLinger(ctx context.Context, in *command.Input) string {
	user := p.unlingering()
	if user == "" || in.Bool("yes") || !p.stdinTerminal || !p.stderrTerminal || p.quiet {
		return ""
	}
	if p.confirm(ctx, in, fmt.Sprintf("services of %s end with the last log-out; have them run without a login", user)) != nil {
		return "" // the hint that follows says how it is done later
	}
	return user
}

// withEngine does something with the engine of a platform.
func (p *program) withEngine(platform string, do func(system.EngineSetup) ([]string, error)) ([]string, error) {
	e, err := p.engine(platform)
	if err != nil {
		return nil, err
	}
	s := system.EngineSetup{Platform: platform, Engine: e, Endpoint: p.askedEndpoint(platform)}
	s.Image, s.Local = system.RouterImage(p.getenv, p.version)
	return do(s)
}

// upstreamController is the unit of upstream's controller, which would write the
// same files.
const upstreamController = "skupper-controller.service"

// rivalController tells of upstream's controller where it runs, or would at boot. With
// --yes it is to go: the lines say so.
func (p *program) rivalController(ctx context.Context, in *command.Input, conn *systemd.Conn) ([]string, error) {
	file := p.paths.UpstreamControllerUnit()
	if _, err := os.Stat(file); err != nil {
		return nil, nil // it is not here
	}
	if conn != nil {
		s, err := conn.Status(ctx, upstreamController)
		if err != nil || !s.Enabled && (s.Active == "inactive" || s.Active == "failed") {
			return nil, err
		}
		if in.Bool("yes") {
			return []string{"stopped and disabled " + upstreamController}, nil
		}
	}
	p.warn("%s: upstream's controller is installed and would write the same files; `skupper system install --yes` stops and disables it", file)
	return nil, nil
}

// retireController ends upstream's controller, if it is to go.
func (p *program) retireController(ctx context.Context, in *command.Input, conn *systemd.Conn) error {
	lines, err := p.rivalController(ctx, in, conn)
	if err != nil || len(lines) == 0 {
		return err
	}
	if err := errors.Join(conn.Stop(ctx, upstreamController), conn.Disable(ctx, upstreamController)); err != nil {
		return err
	}
	return p.printLines(lines)
}

func (p *program) printLines(lines []string) error {
	for _, l := range lines {
		if _, err := fmt.Fprintln(p.stdout, l); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) systemUninstall(ctx context.Context, in *command.Input) error {
	if in.Bool("dry-run") {
		return p.uninstallPlan(ctx, in)
	}
	if p.paths.System && os.Geteuid() != 0 { // who may command the agent could remove its sites, and then no more
		return &api.Error{Kind: api.Denied, Message: "only root removes what belongs to the system; nothing was changed", Advice: "`sudo skupper system uninstall`"}
	}
	c, _, err := p.controller(ctx)
	if err != nil {
		return err
	}
	sites, err := c.Namespaces(ctx)
	if err != nil {
		return err
	}
	switch {
	case len(sites) > 0 && in.Bool("force"):
		if err := p.removeSites(ctx, in, sites); err != nil {
			return err
		}
	case len(sites) > 0 && !in.Bool("keep-sites"):
		return &api.Error{
			Kind: api.Conflict, Message: "sites are left: " + names(sites),
			Advice: "--keep-sites leaves them, --force removes them first; `skupper namespace list` lists them",
		}
	}
	conn, err := p.manager(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if !in.Bool("keep-sites") { // it shows nothing without them
		if err := p.removeObserver(ctx, conn, in.Bool("force")); err != nil {
			return err
		}
	}
	if conn == nil {
		c, online, err := p.controller(ctx) // sites may have been removed by one that was started for it
		if err != nil {
			return err
		}
		if online {
			if err := errors.Join(p.endAgent(ctx, c), p.awaitAgentEnd(ctx)); err != nil {
				return err
			}
		}
	}
	lines, err := system.UninstallEngines(ctx, conn, p.paths, p.engine, len(sites) > 0 && !in.Bool("force"))
	if err := errors.Join(p.printLines(lines), err); err != nil {
		return err
	}
	lines, err = system.Uninstall(ctx, conn, p.paths)
	return errors.Join(p.printLines(lines), err)
}

// names lists namespaces.
func names(sites []api.Namespace) string {
	list := make([]string, 0, len(sites))
	for _, s := range sites {
		list = append(list, s.Name)
	}
	return strings.Join(list, ", ")
}

// uninstallPlan says what an uninstallation would change; sites are not asked.
func (p *program) uninstallPlan(ctx context.Context, in *command.Input) error {
	if p.pathsErr != nil {
		return p.pathsErr
	}
	conn, err := p.manager(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if !in.Bool("keep-sites") {
		lines, err := system.RemovableObserver(ctx, conn, p.paths, in.Bool("force"))
		if err := errors.Join(p.printLines(lines), err); err != nil {
			return err
		}
	}
	lines, err := system.Removable(ctx, conn, p.paths)
	return errors.Join(p.printLines(lines), err)
}

// endAgent ends an agent that no service manager runs.
func (p *program) endAgent(ctx context.Context, c api.Controller) error {
	a, err := c.Agent(ctx)
	if err != nil || a.PID == 0 {
		return nil // it ended by itself
	}
	return syscall.Kill(a.PID, syscall.SIGTERM)
}

func (p *program) removeSites(ctx context.Context, in *command.Input, sites []api.Namespace) error {
	if err := p.confirm(ctx, in, fmt.Sprintf("remove %d sites with their keys", len(sites))); err != nil {
		return err
	}
	c, err := p.startAgent(ctx)
	if err != nil {
		return err
	}
	for _, s := range sites {
		result, err := c.Operate(ctx, s.Name, api.OperateRequest{Operation: api.Teardown})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(p.stdout, "removed namespace %s (archive %s)\n", s.Name, result.Archive); err != nil {
			return err
		}
	}
	return nil
}
