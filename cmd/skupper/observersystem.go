package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
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

// passwordInput stands for one that is read from standard input.
const passwordInput = "-"

func (p *program) systemObserverCommands() *command.Command {
	login := []command.Flag{
		{Name: "username", Kind: command.String, Value: "NAME", Usage: "have people log in, under this name (skupper)"},
		{Name: "password", Kind: command.String, Value: "auto|-|PASSWORD", Usage: "have people log in: with a password that is made (auto), with the first line of standard input (-), or with this one, which others on this host may see"},
		{Name: "password-file", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "have people log in, with the password in the first line of this file"},
		{Name: "password-stdin", Kind: command.Bool, Usage: "the same as --password -"},
	}
	dryRun := command.Flag{Name: "dry-run", Kind: command.Bool, Usage: "change nothing: say what would be changed"}
	purge := command.Flag{Name: "purge", Kind: command.Bool, Usage: "remove the file with those who may log in, too"}
	install := append([]command.Flag{
		{Name: "listen", Kind: command.String, Value: "HOST:PORT", Usage: "where the console, the API and /metrics are served (127.0.0.1:8080, or the next free port)"},
		{Name: "listen-metrics", Kind: command.String, Value: "HOST:PORT", Usage: "where /metrics is served beside that, without a login"},
		{Name: "tls-cert", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "the certificate to serve it with HTTPS (for an address that others reach: one that is made, and renewed)"},
		{Name: "tls-key", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "its key"},
		{Name: "htpasswd", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "who may log in (bcrypt)"},
		{Name: "open", Kind: command.Bool, Usage: "serve others without a login, or without TLS: something else protects it"},
		{Name: "host", Kind: command.Strings, Value: "NAME", Usage: "a name of this host by which it may be asked without a login, and for the certificate that is made"},
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
					"On an address that others reach people have to log in, over TLS: with the certificate that is named or, without one, with one of its own, which the agent renews. " +
					"An installation that fails changes nothing: what was there before goes on.",
				Flags: install,
				Examples: []command.Example{
					{Line: "skupper -n west system network-observer install", Text: "Show the network of the site in namespace west on this host"},
					{Line: "skupper system network-observer install --listen :8443 --password auto", Text: "Show it to others, who have to log in; status says the fingerprint of the certificate"},
					{Line: "skupper system network-observer install --username ann --password-file secret", Text: "With a password of your own, which stands in no list of processes"},
					{Line: "skupper system network-observer install --listen :8443 --tls-cert tls.crt --tls-key tls.key", Text: "With a certificate that browsers know"},
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
	flags := map[string][]string{}
	for _, name := range []string{"username", "password", "password-file", "password-stdin"} {
		if in.Changed(name) {
			flags[name] = []string{in.String(name)}
		}
	}
	if !in.Changed("password-file") && !in.Changed("password-stdin") {
		flags["password"] = []string{first(in.String("password"), passwordAuto)}
	}
	return p.observerInstall(ctx, command.NewInput(in.Path, nil, flags))
}

// observerOptions are the options that were remembered, changed by what was
// typed. users is what the file of those who may log in is to hold, nil for what
// it holds.
func (p *program) observerOptions(ctx context.Context, in *command.Input, have *system.ObserverRecord) (o system.ObserverOptions, users []byte, err error) {
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
	if o.Listen == "" {
		if o.Listen, err = freeAddress(); err != nil {
			return o, nil, err
		}
	}
	o.OwnCert = o.TLSCert == "" && o.TLSKey == "" && !o.Open && !observer.Local(o.Listen)
	if !slices.ContainsFunc(loginFlags(), in.Changed) {
		return o, nil, nil
	}
	if in.Changed("htpasswd") {
		return o, nil, &command.UsageError{Message: "--htpasswd and --username or --password exclude each other", Advice: "have the file name the user, or leave --htpasswd out"}
	}
	o.Users = p.paths.ObserverUsers()
	users, err = p.observerLogin(ctx, in)
	return o, users, err
}

// loginFlags are the flags of a login that is written.
func loginFlags() []string {
	return []string{"username", "password", "password-file", "password-stdin"}
}

// observerLogin is the file with the login that flags ask for. A password is made
// or read: what is typed as an argument stands in the list of processes, for
// everybody on this host.
func (p *program) observerLogin(ctx context.Context, in *command.Input) ([]byte, error) {
	typed := in.String("password")
	if in.Changed("password-file") && (in.Changed("password") || in.Changed("password-stdin")) || typed != "" && typed != passwordInput && in.Bool("password-stdin") {
		return nil, &command.UsageError{Message: "--password, --password-file and --password-stdin exclude each other", Advice: "leave all but one of them out"}
	}
	from, password := in.String("password-file"), ""
	if typed == passwordInput || in.Bool("password-stdin") {
		from = passwordInput
	}
	if from == "" && in.Changed("password-file") {
		return nil, &command.UsageError{Message: "--password-file: no file is named", Advice: "name one, or - for standard input"}
	}
	if typed != "" && typed != passwordAuto && typed != passwordInput {
		// compat: upstream takes it there.
		p.warn("a password that is typed as an argument can be read by every process of this host while the command runs, and in the history of the shell; --password-stdin and --password-file keep it to themselves")
		password = typed
	}
	if from != "" {
		var err error
		if password, err = p.readPassword(ctx, from); err != nil {
			return nil, err
		}
	}
	users, err := access.Entry(first(in.String("username"), access.GeneratedUser), password)
	var wrong *access.LoginError
	if errors.As(err, &wrong) {
		return nil, &api.Error{Kind: api.Invalid, Message: wrong.Error(), Advice: wrong.Hint()}
	}
	return users, err
}

// readPassword reads the first line of a file, or of standard input: without an
// echo where a person types it.
func (p *program) readPassword(ctx context.Context, from string) (string, error) {
	var text []byte
	switch {
	case from == passwordInput && p.stdinTerminal && p.typedSecret != nil:
		if _, err := fmt.Fprint(p.stderr, "Password: "); err != nil {
			return "", err
		}
		err := interruptible(ctx, func() (err error) {
			text, err = p.typedSecret()
			return err
		})
		if _, again := fmt.Fprintln(p.stderr); errors.Join(err, again) != nil {
			return "", errors.Join(err, again)
		}
	case isDir(from):
		return "", &api.Error{Kind: api.Invalid, Message: from + ": is a directory", Advice: "name the file with the password"}
	default:
		files, err := p.readOne(ctx, from)
		if err != nil {
			return "", err
		}
		text, from = files[0].Data, files[0].Name
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", &api.Error{Kind: api.Invalid, Message: from + ": no password in the first line", Advice: "write one there, or use --password auto"}
	}
	return line, nil
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
	if have == nil && !isDir(n.Dir) { // before a password is asked for
		return namespaceMissing(n.Name)
	}
	o, users, err := p.observerOptions(ctx, in, have)
	if err != nil {
		return err
	}
	if o.Namespace == p.namespace && !isDir(n.Dir) {
		return namespaceMissing(n.Name)
	}
	if err := p.checkObserver(o, users != nil); err != nil {
		return err
	}
	conn, err := p.manager(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	s := &system.ObserverSetup{Conn: conn, Paths: p.paths, Options: o, Users: users, Ask: p.superviseObserver, Own: p.observerProcess(ctx)}
	if s.Binary, err = os.Executable(); err != nil {
		return err
	}
	if in.Bool("dry-run") {
		lines, err := s.Missing(ctx)
		return errors.Join(err, p.printLines(lines))
	}
	lines, err := s.Install(ctx)
	if err := errors.Join(p.printLines(lines), err); err != nil {
		return err
	}
	if conn != nil {
		p.lingerHint()
	}
	p.awaitObserver(ctx)
	return p.observerStatus(ctx, in)
}

// observerGlance is what a network observer that was just started gets to find its
// router, before it is told how it is.
const observerGlance = 3 * time.Second

// awaitObserver waits until the network observer is connected, for a while: it may
// have been started before its router.
func (p *program) awaitObserver(ctx context.Context) {
	o, err := p.observer()
	if err != nil {
		return // the status says so
	}
	ctx, cancel := context.WithTimeout(ctx, observerGlance)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if s, err := o.status(ctx); err == nil && s.Connected {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// checkObserver reports what the network observer would refuse. made says that who
// may log in is written with the installation.
func (p *program) checkObserver(o system.ObserverOptions, made bool) error {
	check := observer.Config{Listen: o.Listen, Users: o.Users, Open: o.Open}
	check.TLSCert, check.TLSKey = o.Certificate(p.paths)
	if err := observerError(check.Check(true)); err != nil {
		return err
	}
	if o.OwnCert {
		check.TLSCert, check.TLSKey, check.Open = "", "", true
	}
	if made {
		check.Users, check.Open = "", true
	}
	return observerError(check.Check(false))
}

// observerProcess is the process of the network observer that runs, 0 for none.
func (p *program) observerProcess(ctx context.Context) int {
	o, err := p.observer()
	if err != nil {
		return 0
	}
	s, err := o.status(ctx)
	if err != nil {
		return 0 // it does not run, or answers to nobody
	}
	return s.PID
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
	Certificate *observedCert    `json:"certificate,omitempty"`
	Namespace   string           `json:"namespace"`
	Observer    *observer.Status `json:"observer,omitempty"` // what it says itself
}

// observedCert is the certificate of the console's listener.
type observedCert struct {
	File string `json:"file"`
	Own  bool   `json:"own"`          // it is made, and renewed by the agent
	CA   string `json:"ca,omitempty"` // file of the authority that signs one of its own
	*observer.Certificate
	Problem string `json:"problem,omitempty"` // why nothing can be said of it
}

// lookAtCertificate is that of what is installed: what the running observer shows
// or, where none runs, what is in the files.
func (p *program) lookAtCertificate(o *system.ObserverOptions, running *observer.Status) *observedCert {
	cert, key := o.Certificate(p.paths)
	if cert == "" {
		return nil
	}
	c := &observedCert{File: cert, Own: o.OwnCert}
	if o.OwnCert {
		c.CA = filepath.Join(p.paths.ObserverCerts(), "ca.crt")
	}
	if running != nil && running.Certificate != nil {
		c.Certificate = running.Certificate
		return c
	}
	var err error
	if c.Certificate, err = observer.ReadCertificate(cert, key); err != nil {
		c.Problem = err.Error()
	}
	return c
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
		Installed: true, Address: consoleAddress(r.Listen, r.OwnCert || r.TLSCert != ""), Login: r.Users != "", Users: r.Users, Namespace: r.Namespace,
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
	v.Certificate = p.lookAtCertificate(&r.ObserverOptions, v.Observer)
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
		fmt.Fprintf(&b, "%-13s%s\n", name+":", fmt.Sprintf(format, args...))
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
	if c := v.Certificate; c != nil {
		c.rows(row, now)
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

// rows tell people of the certificate.
func (c *observedCert) rows(row func(name, format string, args ...any), now time.Time) {
	switch {
	case c.Certificate == nil:
		row("Certificate", "%s: %s", c.File, c.Problem)
		return
	case !now.Before(c.Expires):
		row("Certificate", "EXPIRED %s: %s", c.Expires.Local().Format(time.DateTime), c.File)
	case c.Own:
		row("Certificate", "until %s, renewed before by the agent; of its own authority, to be trusted by browsers: %s", c.Expires.Local().Format(time.DateTime), c.CA)
	default:
		row("Certificate", "until %s: %s", c.Expires.Local().Format(time.DateTime), c.File)
	}
	row("Fingerprint", "SHA-256 %s", c.SHA256)
}
