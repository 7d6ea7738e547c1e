package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/layout"
)

func (p *program) systemCommands() *command.Command {
	files := command.Arg{Name: "file", Optional: true, Repeat: true, Source: command.Files}
	filename := command.Flag{Name: "filename", Short: "f", Kind: command.Strings, Value: "FILE", Source: command.Files, Usage: "a file, a directory, or - for standard input"}
	store := command.Flag{Name: "no-reload", Kind: command.Bool, Usage: "only write the input"}
	return &command.Command{
		Name: "system", Summary: "start, stop and change this host's sites as a whole",
		Commands: []*command.Command{
			{
				Name: "apply", Summary: "make a site as files describe it, and start it", Args: []command.Arg{files},
				Text: "Files, directories and - (standard input) in any mix. Everything is checked first; where anything is wrong, all of it is reported and nothing changes. " +
					"Then what differs is changed, while all else goes on. A site that was never started is started; one that was stopped stays stopped.",
				Flags: append([]command.Flag{
					filename, store,
					{Name: "prune", Kind: command.Bool, Usage: "remove resources that the files do not hold"},
					dryRunFlag(), outputFlag("table", resultFormats()...),
				}, waitFlags(waitConfigured, "3m")...),
				Examples: []command.Example{
					{Line: "skupper system apply site.yaml listener.yaml", Text: "Apply two files"},
					{Line: "skupper system apply west/ --dry-run", Text: "See what a directory would change, and whether connections would drop"},
					{Line: "skupper system apply west/ --dry-run -o json", Text: "The same for a program, with each document before and after, without keys and codes"},
				},
				Run: p.systemApply,
			},
			{
				Name: "delete", Summary: "remove the resources that files name", Args: []command.Arg{files},
				Text: "Files, directories and - (standard input) in any mix; of what they hold only kinds and names matter. Where one is not there, all that are not are named and nothing changes.",
				Flags: append([]command.Flag{
					filename, store,
					{Name: "ignore-not-found", Kind: command.Bool, Usage: "what is not there is as wanted"},
					dryRunFlag(), outputFlag("table", resultFormats()...),
				}, deleteWaitFlags()...),
				Examples: []command.Example{
					{Line: "skupper system delete listener.yaml", Text: "Remove what the file holds"},
					{Line: "skupper system delete west/ --ignore-not-found", Text: "Have nothing of a directory's be there"},
				},
				Run: p.systemDelete,
			},
			{
				Name: "diff", Summary: "show what files, or the input, would change", Args: []command.Arg{files},
				Text:  "The answer is that of `skupper system apply --dry-run`. Without a file the input of the namespace is compared with what runs.",
				Flags: []command.Flag{filename},
				Exits: []command.Exit{{Code: exitUnhealthy, Meaning: "there is a difference"}},
				Examples: []command.Example{
					{Line: "skupper system diff west/", Text: "Compare a directory with what runs"},
					{Line: "skupper -n west system diff", Text: "See whether the input of namespace west is in effect"},
				},
				Run: p.systemDiff,
			},
			p.operation(api.Start, "start the site, and the agent where none runs", "Does nothing to a site that runs.", waitFlags(waitReady, "3m")),
			p.operation(api.Stop, "stop the site and keep everything", "The site stays stopped, also after a reboot, until it is started again.", nil),
			p.operation(api.Reload, "read the input again and change what differs", "Nothing that did not change is touched. The agent does this by itself when files change. A site that was never started is started; one that was stopped stays stopped.", waitFlags(waitConfigured, "60s")),
			{
				Name: "migrate", Summary: "move the site to another platform",
				Text: "The router ends where it runs and starts on the other platform: as a process of the host, or in a container of podman or docker. " +
					"Its connections end; the site's id, its keys, ports and links stay. Where it does not start there, it goes on where it was.",
				Flags: append([]command.Flag{
					{Name: "to", Kind: command.String, Choices: []string{"linux", container.Podman, container.Docker}, Value: "PLATFORM", Usage: "the platform: linux, podman or docker"},
					dryRunFlag(),
				}, waitFlags(waitReady, "3m")...),
				Examples: []command.Example{
					{Line: "skupper -n west system migrate --to podman", Text: "Run the router of namespace west in a container"},
					{Line: "skupper -n west system migrate --to linux --dry-run", Text: "See what moving it back would change"},
				},
				Run: p.systemMigrate,
			},
			p.operation(api.Restart, "restart the router", "Its connections end. A newer program takes effect this way.", waitFlags(waitReady, "3m")),
			{
				Name: "teardown", Summary: "stop the site and remove everything of the namespace",
				Text: teardownText,
				Flags: []command.Flag{
					{Name: "yes", Kind: command.Bool, Usage: "do not ask"},
					{Name: "keep-input", Kind: command.Bool, Usage: "keep the resources and certificates that were given"},
					{Name: "purge", Kind: command.Bool, Usage: "keep no archive"},
					dryRunFlag(), outputFlag("table", "table", "json"),
				},
				Examples: []command.Example{
					{Line: "skupper -n west system teardown --yes", Text: "Remove the site of namespace west"},
					{Line: "skupper -n west system teardown --dry-run", Text: "See what would be stopped and removed"},
				},
				Run: p.systemTeardown,
			},
			{
				Name: "status", Summary: "show the agent and every site of this host",
				Text:  "One line for each namespace, with the reason where something is not right, and what of its input has no effect.",
				Flags: statusFlags(), Exits: unhealthyExit(),
				Examples: []command.Example{
					{Line: "skupper system status", Text: "Show all namespaces"},
					{Line: "skupper system status --check", Text: "For a script: status 3 unless all sites run"},
				},
				Run: p.systemStatus,
			},
			{
				Name: "logs", Summary: "print the router's log",
				Text: "From the journal where systemd runs the router, from its engine where it is a container, and from a file otherwise. Interrupting --follow ends it.",
				Flags: []command.Flag{
					{Name: "follow", Short: "f", Kind: command.Bool, Usage: "go on with new lines"},
					{Name: "since", Kind: command.Duration, Usage: "only what is newer"},
					{Name: "agent", Kind: command.Bool, Usage: "the agent's log instead"},
				},
				Examples: []command.Example{
					{Line: "skupper -n west system logs -f", Text: "Watch the router of namespace west"},
					{Line: "skupper system logs --agent --since 1h", Text: "What the agent said in the last hour"},
				},
				Run: p.systemLogs,
			},
			p.generateBundleCommand(),
			p.installBundleCommand(),
			p.installCommand(),
			p.uninstallCommand(),
			p.systemObserverCommands(),
			p.setupCommand(),
		},
	}
}

func (p *program) systemApply(ctx context.Context, in *command.Input) error {
	if p.getenv("GOGC") == "" {
		debug.SetGCPercent(applyGC) // the process ends in a moment
	}
	names, err := inputNames(in)
	if err != nil {
		return err
	}
	files, err := p.readInput(ctx, names)
	if err != nil {
		return err
	}
	set, warnings, err := parse(files)
	if err != nil {
		return err
	}
	objects := slices.Collect(set.All())
	if len(objects)+len(warnings) == 0 {
		return &api.Error{Kind: api.Invalid, Message: "no resource is in " + strings.Join(filesIn(files), ", ")}
	}
	if dryRunOfClient(in) {
		for _, w := range warnings {
			p.warn("%s", w)
		}
		return p.preview(in, objects...)
	}
	r := api.ApplyRequest{Files: files, Prune: in.Bool("prune"), Store: in.Bool("no-reload"), Start: true, DryRun: in.Changed("dry-run")}
	c, online, err := p.applier(ctx, r)
	if err != nil {
		return err
	}
	r.Platform = p.platform
	result, err := c.Apply(ctx, p.namespace, r)
	if err != nil {
		return err
	}
	standard := waitConfigured
	if result.Started {
		standard = waitReady
	}
	if r.Store {
		return p.printResult(in, result)
	}
	if result.State == api.Stopped {
		return p.letRest(in, result)
	}
	if !in.Changed("wait") && result.Started {
		return p.finishStart(ctx, in, c, result)
	}
	return p.finish(ctx, in, c, online, standard, result)
}

// applyGC is the garbage, in percent of what is in use, at which an apply
// collects: thousands of files make some, and it is gone with the process.
const applyGC = 400

// applier is who applies: the agent, started where that is needed. What only
// writes or only looks needs none, and input that is wrong starts none.
func (p *program) applier(ctx context.Context, r api.ApplyRequest) (c api.Controller, online bool, err error) {
	if err := p.platformOfNew(); err != nil {
		return nil, false, err
	}
	c, online, err = p.controller(ctx)
	if err != nil || online || r.Store || r.DryRun {
		return c, online, err
	}
	check := r
	check.DryRun, check.Store = true, true // of the input alone: what is made of it is not looked at
	if _, err := c.Apply(ctx, p.namespace, check); err != nil {
		return nil, false, err
	}
	c, err = p.startAgent(ctx)
	return c, true, err
}

// finishStart prints a result and waits for a site that was just started.
func (p *program) finishStart(ctx context.Context, in *command.Input, c api.Controller, result *api.Result) error {
	if err := p.printResult(in, result); err != nil || in.Changed("dry-run") {
		return err
	}
	return p.wait(ctx, c, awaited{namespace: p.namespace, generation: result.Generation, target: waitReady, timeout: in.Duration("timeout")})
}

func (p *program) systemDelete(ctx context.Context, in *command.Input) error {
	names, err := inputNames(in)
	if err != nil {
		return err
	}
	files, err := p.readInput(ctx, names)
	if err != nil {
		return err
	}
	lenient := in.Bool("ignore-not-found")
	err = p.remove(ctx, in, api.DeleteRequest{Files: files, Missing: !lenient, Store: in.Bool("no-reload")})
	if lenient && api.KindOf(err) == api.Missing { // the whole namespace
		return p.printResult(in, &api.Result{})
	}
	return err
}

func (p *program) systemDiff(ctx context.Context, in *command.Input) error {
	files, err := p.readInput(ctx, append(in.Args, in.Strings("filename")...))
	if err != nil {
		return err
	}
	c, _, err := p.controller(ctx)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		if _, err := c.Names(ctx, p.namespace); err != nil {
			return err
		}
	}
	result, err := c.Apply(ctx, p.namespace, api.ApplyRequest{Files: files, Start: true, DryRun: true})
	if err != nil {
		return err
	}
	if len(result.Plan) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(p.stdout, strings.Join(append(result.Plan, result.Summary), "\n")); err != nil {
		return err
	}
	return &exitError{code: exitUnhealthy}
}

// operation is a command that does one thing with the site as a whole.
func (p *program) operation(op api.Operation, summary, text string, wait []command.Flag) *command.Command {
	return &command.Command{
		Name: string(op), Summary: summary, Text: text,
		Flags: append(wait, dryRunFlag(), outputFlag("table", "table", "json")),
		Examples: []command.Example{
			{Line: fmt.Sprintf("skupper -n west system %s", op), Text: "For the site of namespace west"},
			{Line: fmt.Sprintf("skupper system %s --dry-run", op), Text: "See what would be done, and whether connections would drop"},
		},
		Run: func(ctx context.Context, in *command.Input) error { return p.operate(ctx, in, op, len(wait) > 0) },
	}
}

func (p *program) operate(ctx context.Context, in *command.Input, op api.Operation, waits bool) error {
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	if !online && !in.Changed("dry-run") {
		if err := p.exists(ctx, c); err != nil { // no agent is started for what is not there
			return err
		}
		if op == api.Stop { // what was started has had its agent started
			return p.printResult(in, &api.Result{State: api.Defined, Notes: []string{"the site was never started"}})
		}
		if c, err = p.startAgent(ctx); err != nil {
			return err
		}
	}
	result, err := c.Operate(ctx, p.namespace, api.OperateRequest{Operation: op, DryRun: in.Changed("dry-run"), Platform: p.platform})
	if err != nil {
		return err
	}
	if err := p.printResult(in, result); err != nil || in.Changed("dry-run") {
		return err
	}
	if waits && result.State != api.Stopped {
		target := waitTarget(in, map[bool]string{true: waitConfigured, false: waitReady}[op == api.Reload])
		if err := p.wait(ctx, c, awaited{namespace: p.namespace, generation: result.Generation, target: target, timeout: in.Duration("timeout")}); err != nil {
			return err
		}
	}
	if len(result.Notes) == 0 {
		p.note("%s", p.here(outcome(op, result.State)))
	}
	return nil
}

// outcome is what an operation has led to, in words.
func outcome(op api.Operation, state api.State) string {
	switch {
	case state == api.Stopped:
		return "the site is stopped; `skupper system start` starts it again"
	case op == api.Reload:
		return "the input is in effect"
	case op == api.Restart:
		return "the router was restarted"
	}
	return "the site runs"
}

func (p *program) systemMigrate(ctx context.Context, in *command.Input) error {
	if in.String("to") == "" {
		return &command.UsageError{Message: "--to is missing", Advice: "name the platform: linux, podman or docker"}
	}
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	if !online && !in.Changed("dry-run") {
		if c, err = p.startAgent(ctx); err != nil {
			return err
		}
	}
	result, err := c.Operate(ctx, p.namespace, api.OperateRequest{Operation: api.Migrate, DryRun: in.Changed("dry-run"), Platform: in.String("to")})
	if err != nil {
		return err
	}
	if err := p.printResult(in, result); err != nil || in.Changed("dry-run") || result.State != api.Running {
		return err
	}
	return p.wait(ctx, c, awaited{namespace: p.namespace, generation: result.Generation, target: waitTarget(in, waitReady), timeout: in.Duration("timeout")})
}

func (p *program) systemTeardown(ctx context.Context, in *command.Input) error {
	if !in.Changed("dry-run") {
		c, _, err := p.controller(ctx)
		if err != nil {
			return err
		}
		if err := p.exists(ctx, c); err != nil { // nobody is asked about what is not there
			return err
		}
		if err := p.confirm(ctx, in, "remove the site of namespace "+p.namespace+" with its keys"); err != nil {
			return err
		}
	}
	c, _, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	result, err := c.Operate(ctx, p.namespace, api.OperateRequest{
		Operation: api.Teardown, DryRun: in.Changed("dry-run"), KeepInput: in.Bool("keep-input"), Purge: in.Bool("purge"),
	})
	if err != nil {
		return err
	}
	if result.Archive != "" {
		p.note("archive: %s", result.Archive)
	}
	return p.printResult(in, result)
}

func (p *program) systemStatus(ctx context.Context, in *command.Input) error {
	c, online, err := p.controller(ctx)
	if err != nil {
		return err
	}
	list, err := c.Namespaces(ctx)
	if err != nil {
		return err
	}
	agent, err := c.Agent(ctx)
	if err != nil {
		return err
	}
	format := output.Format(in.String("output"))
	switch format {
	case output.AsJSON, output.AsYAML:
		err = output.Objects(p.stdout, format, false, map[string]any{"agent": agent, "agentState": agentState(online), "namespaces": list})
	case output.AsName:
		for _, n := range list {
			if _, err := fmt.Fprintln(p.stdout, n.Name); err != nil {
				return err
			}
		}
	case output.AsTable, output.AsWide:
		err = p.systemTable(in, agent, online, list, format == output.AsWide)
	}
	if err != nil {
		return err
	}
	if in.Bool("check") && !healthy(online, list) {
		return &exitError{code: exitUnhealthy}
	}
	return nil
}

func agentState(online bool) string {
	if online {
		return "running"
	}
	return "not running"
}

func healthy(online bool, list []api.Namespace) bool {
	for _, n := range list {
		if n.State != api.Running && n.State != api.Stopped {
			return false
		}
	}
	return online
}

func (p *program) systemTable(in *command.Input, agent *api.Agent, online bool, list []api.Namespace, wide bool) error {
	if !in.Bool("no-headers") {
		line := fmt.Sprintf("Agent: %s, pid %d, version %s, since %s; routers supervised by %s",
			agentState(online), agent.PID, agent.Version, agent.StartedAt.Local().Format(time.DateTime), agent.Units)
		if !online {
			line = "Agent: " + agentState(online)
		}
		fmt.Fprintf(p.stdout, "%s\nData:  %s\n\n", line, agent.DataHome)
	}
	t := p.siteTable(list, wide)
	t.NoHeader = in.Bool("no-headers")
	if len(list) == 0 {
		p.note("no namespace; `skupper site create NAME --start` makes one")
		if p.systemHasAgent() {
			p.note("the system has an agent of its own; `sudo skupper system status` shows its sites")
		}
		return nil
	}
	if err := t.Write(p.stdout); err != nil || t.NoHeader {
		return err
	}
	return p.inputWarnings(list)
}

// systemHasAgent reports that, beside the instance of this user, that of the
// system has an agent, whoever may look at it.
func (p *program) systemHasAgent() bool {
	socket, err := layout.SystemPaths().AgentSocket()
	if err != nil || p.paths.System {
		return false
	}
	_, err = os.Lstat(socket)
	return !errors.Is(err, fs.ErrNotExist)
}

// teardownText is of both commands that do it.
const teardownText = "An archive goes to the directory `trash` of the data home unless --purge is given, and its path is printed. " +
	"Unpacked into the directory `namespaces` beside it, as by `tar -xzf`, it is the site again once it is started, with its id, keys, ports and links."

// siteTable is what there is to say about each site in one line.
func (p *program) siteTable(list []api.Namespace, wide bool) *output.Table {
	t := &output.Table{Header: []string{"NAMESPACE", "PLATFORM", "SITE", "STATUS", "LINKS", "REMOTE-LINKS", "LISTENERS", "CONNECTIONS", "MESSAGE"}, Paint: p.paint()}
	if wide {
		t.Header = append(t.Header, "ROUTER-ID", "VERSION", "UPTIME", "CERT-EXPIRES", "UNIT", "PID", "DATA")
	}
	now := time.Now()
	for _, n := range list {
		row := []string{
			n.Name, n.Platform, n.Site, string(n.State), n.Links.String(), strconv.Itoa(n.RemoteLinks), n.Listeners.String(),
			strconv.FormatInt(n.Connections, 10), messageOf(n),
		}
		if wide {
			row = append(row, first(n.RouterID, "-"), first(n.Version, "-"), uptime(n.Since), ago(n.Expires, now), first(n.Unit, "-"), pid(n.PID), n.Dir)
		}
		t.Add(row...)
	}
	return t
}

// inputWarnings lists what of the input has no effect, and why.
func (p *program) inputWarnings(list []api.Namespace) error {
	for _, n := range list {
		for i, w := range n.Warnings {
			if i == 0 {
				if _, err := fmt.Fprintf(p.stdout, "\nWarnings about the input of %s:\n", n.Name); err != nil {
					return err
				}
			}
			if _, err := fmt.Fprintln(p.stdout, w); err != nil {
				return err
			}
		}
	}
	return nil
}
