package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/layout"
)

// program is one run of the command line. The fields are set before run and
// then read only.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	uid            int

	stdoutTerminal, stderrTerminal, stdinTerminal bool
	typedSecret                                   func() ([]byte, error) // reads a line from the terminal that is not shown

	width func() int // columns of the terminal at stderr, 0 if that is not known

	version, commit string

	// Set by perform from the global flags.
	quiet, verbose bool
	color          string
	paths          layout.Paths
	namespace      string
	asked          string // the namespace of --namespace, "" if it was not given
	platform       string // of --platform, "" if it was not given
	preferred      string // platform of new namespaces, "" if no configuration file says one
	pathsErr       error  // why paths is not known; matters to those who need it
}

// perform parses the command line and runs the command.
func (p *program) perform(ctx context.Context, args []string) error {
	root := p.tree()
	config, complaints := p.configure(systemConfig, p.userConfig())
	preferOutput(root, config.output)
	inv, err := command.Prepare(root, args, foreignFlags())
	if err != nil {
		return err
	}
	if err := p.globals(inv, config); err != nil {
		return err
	}
	for _, text := range complaints {
		p.warn("%s", text)
	}
	switch {
	case inv.Input.Bool("version"):
		_, err := fmt.Fprintln(p.stdout, p.version)
		return err
	case inv.Help:
		_, err := io.WriteString(p.stdout, p.manual().Help(inv.Input.Path, inv.Command))
		return err
	}
	return inv.Run(ctx)
}

// globals takes the flags of every command and the environment that stands in
// for them.
func (p *program) globals(inv *command.Invocation, config settings) error {
	in := inv.Input
	p.quiet, p.verbose, p.color = in.Bool("quiet"), in.Bool("verbose"), in.String("color")
	if !in.Changed("color") {
		p.color = first(config.color, p.color)
	}
	p.preferred = config.platform
	for _, flag := range []string{"context", "kubeconfig"} {
		if in.Changed(flag) {
			p.warn("--%s has no meaning on hosts and is ignored", flag)
		}
	}
	if err := p.choosePlatform(in); err != nil {
		return err
	}
	if in.Changed("namespace") {
		p.asked = in.String("namespace")
	}
	p.namespace = first(in.String("namespace"), p.getenv("SKUPPER_NAMESPACE"), config.namespace, layout.DefaultNamespace)
	env, err := p.layoutEnv(in)
	if err != nil {
		return err
	}
	p.paths, p.pathsErr = layout.Locate(env)
	return nil
}

// choosePlatform refuses what is not a platform of hosts.
func (p *program) choosePlatform(in *command.Input) error {
	p.platform = in.String("platform")
	return platformOfHosts(p.platform)
}

// platformOfNew has a new namespace get the platform of the environment, or else
// of the configuration, where none is named. Namespaces that exist have theirs,
// whatever these say.
func (p *program) platformOfNew() error {
	n, err := p.namespacePaths()
	if err != nil || p.platform != "" || isDir(n.Dir) {
		return err
	}
	p.platform = first(p.getenv("SKUPPER_PLATFORM"), p.preferred)
	return platformOfHosts(p.platform)
}

func platformOfHosts(asked string) error {
	switch asked {
	case "", "linux", container.Podman, container.Docker:
		return nil
	case "kubernetes":
		return &command.UsageError{
			Message: "this program serves hosts, not Kubernetes clusters",
			Advice:  "use Skupper's own command line for clusters; here the platforms are linux, podman and docker",
		}
	default:
		return &command.UsageError{Message: fmt.Sprintf("platform %q is not known", asked), Advice: "use linux, podman or docker"}
	}
}

// layoutEnv is the environment that decides where things lie.
func (p *program) layoutEnv(in *command.Input) (layout.Env, error) {
	env := layout.Env{
		UID: p.uid, Home: p.getenv("HOME"), XDGDataHome: p.getenv("XDG_DATA_HOME"),
		XDGConfigHome: p.getenv("XDG_CONFIG_HOME"), XDGRuntimeDir: p.getenv("XDG_RUNTIME_DIR"),
		OutputPath: p.getenv("SKUPPER_OUTPUT_PATH"),
	}
	switch asked := p.getenv("SKUPPER_AGENT_INSTANCE"); {
	case in.Bool("system") && in.Bool("user"):
		return env, &command.UsageError{Message: "--system and --user exclude each other", Advice: "name one of them"}
	case in.Bool("system"), asked == "system" && !in.Bool("user"):
		env.Instance = layout.System
	case in.Bool("user"), asked == "user":
		env.Instance = layout.User
	case asked != "":
		return env, &command.UsageError{Message: fmt.Sprintf("SKUPPER_AGENT_INSTANCE=%q: not one of system, user", asked)}
	}
	env.NoRuntimeDir = !isDir(fmt.Sprintf("/run/user/%d", p.uid))
	return env, nil
}

// namespacePaths are the places of the namespace that the command is about.
func (p *program) namespacePaths() (layout.NamespacePaths, error) {
	if p.pathsErr != nil {
		return layout.NamespacePaths{}, p.pathsErr
	}
	if err := checkNamespace(p.namespace); err != nil {
		return layout.NamespacePaths{}, err
	}
	n, err := p.paths.Namespace(p.namespace)
	if errors.Is(err, layout.ErrNamespace) {
		return n, &api.Error{Kind: api.Invalid, Message: err.Error()}
	}
	return n, err
}

// warn tells a person something that is not an error.
func (p *program) warn(format string, args ...any) {
	if !p.quiet {
		fmt.Fprintf(p.stderr, "warning: "+format+"\n", args...)
	}
}

// note tells a person something of use.
func (p *program) note(format string, args ...any) {
	if !p.quiet {
		fmt.Fprintf(p.stderr, format+"\n", args...)
	}
}

// hint tells a person what to type next.
func (p *program) hint(text string) { p.note("hint: %s", p.here(text)) }

// interruptible reads from the standard input, where somebody may be typing: a
// signal ends it.
func interruptible(ctx context.Context, read func() error) error {
	done := make(chan error, 1)
	go func() { done <- read() }() // it is left alone when the program ends
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func lower(kind string) string { return strings.ToLower(kind) }
