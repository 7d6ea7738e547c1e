package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/observer"
	"github.com/skupper-host/skupper/observer/access"
	"github.com/skupper-host/skupper/system"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/systemd"
)

// Where the console is served unless something else is asked for: the first free
// one of these ports.
const (
	firstObserverPort = 8080
	lastObserverPort  = 8179
)

// passwordAuto stands for a password that is made.
//
// compat: the word is upstream's.
const passwordAuto = "auto"

func (p *program) systemObserverCommands() *command.Command {
	login := []command.Flag{
		{Name: "username", Kind: command.String, Value: "NAME", Usage: "have people log in, under this name (with --password alone: skupper)"},
		{Name: "password", Kind: command.String, Value: "PASSWORD", Usage: "have people log in, with this password; auto makes one"},
	}
	dryRun := command.Flag{Name: "dry-run", Kind: command.Bool, Usage: "change nothing: say what would be changed"}
	purge := command.Flag{Name: "purge", Kind: command.Bool, Usage: "remove the file with those who may log in, too"}
	install := append([]command.Flag{
		{Name: "listen", Kind: command.String, Value: "HOST:PORT", Usage: "where the console, the API and /metrics are served (127.0.0.1:8080, or the next free port)"},
		{Name: "listen-metrics", Kind: command.String, Value: "HOST:PORT", Usage: "where /metrics is served beside that, without a login"},
		{Name: "tls-cert", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "the certificate to serve it with HTTPS"},
		{Name: "tls-key", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "its key"},
		{Name: "htpasswd", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "who may log in (bcrypt)"},
		{Name: "open", Kind: command.Bool, Usage: "serve others without a login, or without TLS: something else protects it"},
		{Name: "host", Kind: command.Strings, Value: "NAME", Usage: "a name of this host by which it may be asked without a login"},
		dryRun,
	}, login...)
	return &command.Command{
		Name: "network-observer", Summary: "have a network observer show the whole network of a site",
		Text:  "Without a command it is installed with a login and, unless one is given, a password that is made, as other implementations have it.",
		Flags: append([]command.Flag{{Name: "uninstall", Kind: command.Bool, Usage: "remove it"}}, login...),
		Examples: []command.Example{
			{Line: "skupper system network-observer --username ann", Text: "The same as `skupper system network-observer install --username ann --password auto`"},
			{Line: "skupper system network-observer --uninstall", Text: "The same as `skupper system network-observer uninstall`"},
		},
		Run: p.observerByOldForm,
		Commands: []*command.Command{
			{
				Name: "install", Summary: "start a network observer, now and with this host",
				Text: "It is connected to the router of the namespace and shows the whole network: console, API and /metrics. systemd runs it or, without one, the agent. " +
					"Installed again, with other flags, it keeps what these do not say; a flag with an empty value takes back what was said. " +
					"On an address that others reach people have to log in, and it takes a certificate.",
				Flags: install,
				Examples: []command.Example{
					{Line: "skupper -n west system network-observer install", Text: "Show the network of the site in namespace west on this host"},
					{Line: "skupper system network-observer install --listen :8443 --tls-cert tls.crt --tls-key tls.key --password auto", Text: "Show it to others, who have to log in"},
				},
				Run: p.observerInstall,
			},
			{
				Name: "uninstall", Summary: "stop the network observer and remove what was made for it",
				Text:  "The unit, or what the agent keeps, goes with the options. The file with those who may log in stays unless --purge is given.",
				Flags: []command.Flag{purge, dryRun},
				Examples: []command.Example{
					{Line: "skupper system network-observer uninstall", Text: "Remove it, keep who may log in"},
					{Line: "skupper system network-observer uninstall --purge", Text: "Leave nothing"},
				},
				Run: p.observerUninstall,
			},
			{
				Name: "status", Summary: "show whether the network observer runs, where, and what it hears",
				Text: "The address of the console, whether a login is needed and where a password that was made lies, whether the router is connected, and how many event sources live.",
				Flags: []command.Flag{
					outputFlag("table", "table", "json", "yaml"),
					{Name: "check", Kind: command.Bool, Usage: "exit with status 3 unless it runs, is connected and hears somebody"},
				},
				Exits: unhealthyExit(),
				Examples: []command.Example{
					{Line: "skupper system network-observer status", Text: "The address of the console, and where a password is"},
					{Line: "skupper system network-observer status --check", Text: "For a script: status 3 unless it shows the network"},
				},
				Run: p.observerStatus,
			},
		},
	}
}

// observerByOldForm is the command as upstream has it: flags and no command.
func (p *program) observerByOldForm(ctx context.Context, in *command.Input) error {
	if in.Bool("uninstall") {
		p.renamed("system network-observer --uninstall", "system network-observer uninstall")
		return p.observerUninstall(ctx, in)
	}
	p.renamed("system network-observer", "system network-observer install")
	flags := map[string][]string{"password": {first(in.String("password"), passwordAuto)}}
	if in.Changed("username") {
		flags["username"] = in.Strings("username")
	}
	return p.observerInstall(ctx, command.NewInput(in.Path, nil, flags))
}

// observerOptions are the options that were remembered, changed by what was
// typed. password is what is to be written of a login: nil for none.
func (p *program) observerOptions(in *command.Input, have *system.ObserverRecord) (o system.ObserverOptions, login *[2]string, err error) {
	o.Namespace = p.namespace
	if have != nil {
		o = have.ObserverOptions
		if p.asked != "" {
			o.Namespace = p.asked
		}
	}
	for flag, value := range map[string]*string{"listen": &o.Listen, "listen-metrics": &o.ListenMetrics} {
		if in.Changed(flag) {
			*value = in.String(flag)
		}
	}
	for flag, value := range map[string]*string{"tls-cert": &o.TLSCert, "tls-key": &o.TLSKey, "htpasswd": &o.Users} {
		if !in.Changed(flag) {
			continue
		}
		*value = in.String(flag)
		if *value != "" {
			if *value, err = filepath.Abs(*value); err != nil {
				return o, nil, err
			}
		}
	}
	if in.Changed("open") {
		o.Open = in.Bool("open")
	}
	if in.Changed("host") {
		o.Hosts = in.Strings("host")
	}
	if in.Changed("username") || in.Changed("password") {
		if in.Changed("htpasswd") {
			return o, nil, &command.UsageError{Message: "--htpasswd and --username or --password exclude each other", Advice: "have the file name the user, or leave --htpasswd out"}
		}
		password := in.String("password")
		if password == passwordAuto {
			password = ""
		}
		o.Users, login = p.paths.ObserverUsers(), &[2]string{first(in.String("username"), access.GeneratedUser), password}
	}
	if o.Listen == "" {
		o.Listen, err = freeAddress()
	}
	return o, login, err
}

// freeAddress is where nobody listens yet.
func freeAddress() (string, error) {
	var last error
	for port := firstObserverPort; port <= lastObserverPort; port++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", address)
		if err == nil {
			return address, l.Close()
		}
		last = err
	}
	return "", &api.Error{Kind: api.Conflict, Message: fmt.Sprintf("network observer: %v", last), Advice: "name a free one with --listen HOST:PORT"}
}

func (p *program) observerInstall(ctx context.Context, in *command.Input) error {
	n, err := p.namespacePaths()
	if err != nil {
		return err
	}
	have, err := system.ReadObserverRecord(p.paths)
	if err != nil {
		return err
	}
	o, login, err := p.observerOptions(in, have)
	if err != nil {
		return err
	}
	if o.Namespace == p.namespace && !isDir(n.Dir) {
		return namespaceMissing(n.Name)
	}
	check := observer.Config{Listen: o.Listen, TLSCert: o.TLSCert, TLSKey: o.TLSKey, Users: o.Users, Open: o.Open}
	if login != nil {
		check.Users = filepath.Join(n.Dir, "none") // the file is made anew, whatever is there
	}
	if err := observerError(check.Check()); err != nil {
		return err
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
	if in.Bool("dry-run") {
		lines, err := system.MissingObserver(ctx, conn, binary, p.paths, o)
		return errors.Join(p.printLines(lines), err)
	}
	if err := system.PrepareObserver(conn, p.paths); err != nil {
		return err
	}
	if login != nil {
		if err := access.Set(o.Users, login[0], login[1]); err != nil {
			return err
		}
		if err := system.OwnObserverFiles(p.paths); err != nil {
			return err
		}
		if err := p.printLines([]string{"wrote " + o.Users}); err != nil {
			return err
		}
	}
	lines, err := system.InstallObserver(ctx, conn, binary, p.paths, o, func() error { return p.superviseObserver(ctx, api.Start) })
	if err := errors.Join(p.printLines(lines), err); err != nil {
		return err
	}
	if conn != nil {
		p.lingerHint()
	}
	return p.observerStatus(ctx, in)
}

// superviseObserver asks the agent, which is started if need be.
func (p *program) superviseObserver(ctx context.Context, op api.Operation) error {
	c, err := p.startAgent(ctx)
	if err != nil {
		return err
	}
	_, err = c.Observer(ctx, api.ObserverRequest{Operation: op})
	return err
}

func (p *program) observerUninstall(ctx context.Context, in *command.Input) error {
	if p.pathsErr != nil {
		return p.pathsErr
	}
	conn, err := p.manager(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if in.Bool("dry-run") {
		lines, err := system.RemovableObserver(ctx, conn, p.paths, in.Bool("purge"))
		return errors.Join(p.printLines(lines), err)
	}
	return p.removeObserver(ctx, conn, in.Bool("purge"))
}

// removeObserver uninstalls the network observer, if there is one.
func (p *program) removeObserver(ctx context.Context, conn *systemd.Conn, purge bool) error {
	lines, err := system.UninstallObserver(ctx, conn, p.paths, purge, func() error { return p.superviseObserver(ctx, api.Stop) })
	return errors.Join(p.printLines(lines), err)
}

// observerView is what there is to say of the network observer.
type observerView struct {
	Installed   bool             `json:"installed"`
	Running     bool             `json:"running"`
	Supervisor  string           `json:"supervisor"` // systemd or agent
	Message     string           `json:"message"`    // why it does not run
	Address     string           `json:"address"`    // of the console
	Metrics     string           `json:"metrics"`    // their address, without a login
	Login       bool             `json:"login"`
	Users       string           `json:"users"`       // file of those who may log in
	HasPassword bool             `json:"hasPassword"` // in the clear, in that file
	Namespace   string           `json:"namespace"`
	Observer    *observer.Status `json:"observer,omitempty"` // what it says itself
}

func (p *program) lookAtObserver(ctx context.Context) (*observerView, error) {
	if p.pathsErr != nil {
		return nil, p.pathsErr
	}
	r, err := system.ReadObserverRecord(p.paths)
	if err != nil || r == nil {
		return &observerView{}, err
	}
	v := &observerView{
		Installed: true, Address: consoleAddress(r.Listen, r.TLSCert != ""), Login: r.Users != "", Users: r.Users, Namespace: r.Namespace,
		HasPassword: hasPassword(r.Users),
	}
	if r.ListenMetrics != "" {
		v.Metrics = "http://" + reachable(r.ListenMetrics) + "/metrics"
	}
	conn, err := p.manager(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if conn != nil {
		v.Supervisor = "systemd"
		s, err := conn.Status(ctx, layout.ObserverUnitName)
		if err != nil {
			return nil, err
		}
		v.Running = s.Active == "active"
		v.Message = first(s.Result, s.Text, s.Active)
	} else {
		v.Supervisor = "agent"
		c, _, err := p.controller(ctx)
		if err != nil {
			return nil, err
		}
		s, err := c.Observer(ctx, api.ObserverRequest{})
		if err != nil {
			return nil, err
		}
		v.Running, v.Message = s.Running, s.Message
	}
	if v.Running {
		v.Message = ""
	}
	o, err := p.observer()
	if err != nil {
		return nil, err
	}
	v.Observer, err = o.status(ctx)
	if err != nil {
		v.Observer = nil
		if v.Running {
			v.Message = err.Error()
		}
	}
	return v, nil
}

// hasPassword reports whether a file of users has a password in the clear, as
// one has that was made.
func hasPassword(path string) bool {
	data, err := os.ReadFile(path)
	return err == nil && strings.Contains(string(data), ":{PLAIN}")
}

// consoleAddress is what to open in a browser.
func consoleAddress(listen string, tls bool) string {
	if tls {
		return "https://" + reachable(listen) + "/"
	}
	return "http://" + reachable(listen) + "/"
}

// reachable replaces the address of every interface by the name of this host.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		if name, err := os.Hostname(); err == nil {
			return net.JoinHostPort(name, port)
		}
	}
	return listen
}

// well reports whether it shows the network.
func (v *observerView) well() bool {
	return v.Running && v.Observer != nil && v.Observer.Connected && v.Observer.Sources["live"] > 0
}

func (p *program) observerStatus(ctx context.Context, in *command.Input) error {
	v, err := p.lookAtObserver(ctx)
	if err != nil {
		return err
	}
	switch format := output.Format(in.String("output")); format {
	case output.AsJSON, output.AsYAML:
		plain, err := output.Plain(v)
		if err != nil {
			return err
		}
		return checked(in, v.well(), output.Objects(p.stdout, format, false, plain))
	case output.AsTable, output.AsWide, output.AsName:
	}
	if !v.Installed {
		p.note("no network observer is installed; `skupper system network-observer install` starts one")
		return checked(in, false, nil)
	}
	_, err = fmt.Fprint(p.stdout, v.text(time.Now()))
	return checked(in, v.well(), err)
}

// text is the status for people.
func (v *observerView) text(now time.Time) string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s%s\n", name+":", fmt.Sprintf(format, args...))
	}
	if v.Running && v.Observer != nil {
		row("Observer", "running, pid %d, version %s, since %s; supervised by %s", v.Observer.PID, v.Observer.Version, v.Observer.Started.Local().Format(time.DateTime), v.Supervisor)
	} else {
		row("Observer", "not running: %s; supervised by %s", first(v.Message, "it does not answer"), v.Supervisor)
	}
	row("Address", "%s", v.Address)
	switch {
	case !v.Login:
		row("Login", "not needed")
	case v.HasPassword:
		row("Login", "needed; name and password are in %s", v.Users)
	default:
		row("Login", "needed; those in %s may", v.Users)
	}
	if v.Metrics != "" {
		row("Metrics", "%s, without a login", v.Metrics)
	}
	o := v.Observer
	switch {
	case o == nil:
	case o.Connected:
		row("Router", "connected to that of namespace %s for %s", v.Namespace, now.Sub(o.Since).Round(time.Second))
	default:
		row("Router", "not connected to that of namespace %s: %s", v.Namespace, first(o.Problem, "not tried yet"))
	}
	if o != nil {
		row("Sources", "%d live, %d new, %d silent", o.Sources["live"], o.Sources["new"], o.Sources["silent"])
	}
	return b.String()
}
