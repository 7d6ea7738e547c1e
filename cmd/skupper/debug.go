package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/resource"
)

func (p *program) debugCommands() *command.Command {
	return &command.Command{
		Name: "debug", Summary: "find out what is wrong, and collect it for a report",
		Retired: map[string]string{
			"policies": "`skupper debug check`", "service": "`skupper debug check`",
		},
		Commands: []*command.Command{
			{
				Name: "check", Summary: "test what a site needs, one line each",
				Text:  "A test that fails says what to do. WARN is what may be as wanted, and what will be wrong one day.",
				Flags: statusFlags()[:2],
				Exits: []command.Exit{{Code: exitUnhealthy, Meaning: "a test failed"}},
				Examples: []command.Example{
					{Line: "skupper -n west debug check", Text: "What is wrong with the site of namespace west, and what to do"},
					{Line: "skupper debug check -o json", Text: "The same for a program"},
				},
				Run: p.debugCheck,
			},
			{
				Name: "dump", Summary: "write resources, configuration, status and logs into an archive, without keys and codes",
				Args: []command.Arg{{Name: "file", Optional: true, Source: command.Files}},
				Text: "The name of the archive is FILE, or skupper-dump, with the namespace and the time; it is printed. What cannot be collected is named in it.",
				Examples: []command.Example{
					{Line: "skupper debug dump", Text: "Makes skupper-dump-default-<time>.tar.gz in this directory"},
					{Line: "skupper -n west debug dump /tmp/report", Text: "Makes /tmp/report-west-<time>.tar.gz"},
				},
				Run: p.debugDump,
			},
			p.oldEventsCommand(),
		},
	}
}

// check is the result of one test.
type check struct {
	Name    string `json:"name"`
	Result  string `json:"result"` // PASS, WARN, FAIL
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func pass(name, message string) check       { return check{name, "PASS", message, ""} }
func warning(name, message, h string) check { return check{name, "WARN", message, h} }
func failed(name, message, h string) check  { return check{name, "FAIL", message, h} }

func (p *program) debugCheck(ctx context.Context, in *command.Input) error {
	checks, err := p.checks(ctx)
	if err != nil {
		return err
	}
	t := &output.Table{Header: []string{"TEST", "STATUS", "MESSAGE"}, Paint: p.paint()}
	bad := false
	for _, c := range checks {
		message := c.Message
		if c.Hint != "" {
			message += "; " + c.Hint
		}
		t.Add(c.Name, c.Result, p.here(message))
		bad = bad || c.Result == "FAIL"
	}
	if err := p.listOf(in, t, checks); err != nil {
		return err
	}
	if bad {
		return &exitError{code: exitUnhealthy}
	}
	return nil
}

func (p *program) checks(ctx context.Context) ([]check, error) {
	n, err := p.namespacePaths()
	if err != nil {
		return nil, err
	}
	list := []check{p.checkDataHome(n)}
	c, online, err := p.controller(ctx)
	if err != nil {
		return append(list, failed("agent", err.Error(), hintOf(err))), nil
	}
	agent, err := c.Agent(ctx)
	if err != nil {
		return nil, err
	}
	if online {
		list = append(list, pass("agent", fmt.Sprintf("pid %d, version %s", agent.PID, agent.Version)))
	} else {
		list = append(list, failed("agent", "not running", "`skupper system start` starts it"))
	}
	list = append(list, p.checkSupervision(agent))
	s, err := c.Status(ctx, p.namespace)
	if err != nil {
		return append(list, failed("namespace", err.Error(), hintOf(err))), nil
	}
	list = append(list, checkSite(s)...)
	return append(list, p.checkKeys(n)...), nil
}

func (p *program) checkDataHome(n layout.NamespacePaths) check {
	info, err := os.Stat(n.Dir)
	if err != nil {
		return failed("namespace directory", fileErrorText(err), "`skupper site create NAME` makes it")
	}
	if info.Mode().Perm()&0o077 != 0 && !p.paths.System {
		return warning("namespace directory", fmt.Sprintf("%s can be read by others (mode %o)", n.Dir, info.Mode().Perm()), "chmod 700 "+n.Dir)
	}
	f, err := os.CreateTemp(n.InternalDir(), ".check-*")
	if err != nil && !os.IsNotExist(err) {
		return failed("namespace directory", fileErrorText(err), "make it writable for its owner")
	}
	if err == nil {
		_, err = f.Write(make([]byte, 4096)) // a full disk makes empty files
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		if err != nil {
			return failed("namespace directory", err.Error(), "make room: what is asked for cannot be written, and what runs goes on")
		}
	}
	return pass("namespace directory", n.Dir)
}

func fileErrorText(err error) string {
	if p, ok := err.(*fs.PathError); ok {
		return p.Path + ": " + p.Err.Error()
	}
	return err.Error()
}

// checkSupervision says who brings routers back, and when not.
func (p *program) checkSupervision(agent *api.Agent) check {
	const name = "supervision"
	if agent.Units != "systemd" {
		return warning(name, "no systemd answers: the agent supervises the routers; nothing starts them at boot", "start the agent at boot, as by cron: @reboot skupper controller run")
	}
	if p.paths.System {
		return pass(name, "systemd")
	}
	user := first(p.getenv("USER"), p.getenv("LOGNAME"))
	if _, err := os.Stat(layout.LingerFile(user)); user != "" && os.IsNotExist(err) {
		return warning(name, "systemd, but the user's services end with the last log-out", "loginctl enable-linger "+user)
	}
	return pass(name, "systemd")
}

// checkSite tests what the status of a site says.
func checkSite(s *api.Status) []check {
	var list []check
	switch {
	case s.Error != "":
		list = append(list, failed("input", s.Error, "the last good state goes on"))
	case s.Generation == 0:
		list = append(list, pass("input", "valid; the site is not started"))
	default:
		list = append(list, pass("input", fmt.Sprintf("generation %d is in effect", s.Generation)))
	}
	switch {
	case s.Observed:
		list = append(list, pass("router", fmt.Sprintf("%s, pid %d", s.Router.ID, s.Router.PID)))
	case s.Namespace.State == api.Stopped, s.Namespace.State == api.Defined:
		return append(list, warning("router", first(s.Namespace.Message, "stopped"), "`skupper system start` starts it"))
	default:
		return append(list, failed("router", s.Namespace.Message, "`skupper system logs` shows what it said"))
	}
	all, err := views(s, kindsWithStatus()...)
	if err != nil {
		return append(list, failed("status", err.Error(), ""))
	}
	for _, v := range all {
		switch v.Status.Status {
		case resource.StatusError:
			list = append(list, failed(v.ref(), v.Status.Message, ""))
		case resource.StatusPending:
			list = append(list, warning(v.ref(), v.Status.Message, ""))
		}
	}
	for _, c := range s.Certificates {
		name := "certificate/" + c.Name
		if slices.ContainsFunc(list, func(told check) bool { return told.Name == name }) {
			continue
		}
		switch c.Status {
		case resource.StatusError:
			list = append(list, failed(name, c.Message, ""))
		case resource.StatusPending:
			list = append(list, warning(name, c.Message, ""))
		}
	}
	for _, w := range s.Warnings {
		list = append(list, warning("input", w, ""))
	}
	return list
}

// checkKeys looks for keys that others can read.
func (p *program) checkKeys(n layout.NamespacePaths) []check {
	var list []check
	for _, dir := range []string{n.InputCerts(), n.InputIssuers()} {
		for _, key := range glob(dir, "*/tls.key") {
			if info, err := os.Stat(key); err == nil && info.Mode().Perm()&0o077 != 0 {
				list = append(list, warning("key", fmt.Sprintf("%s can be read by others (mode %o)", key, info.Mode().Perm()), "chmod 600 "+key))
			}
		}
	}
	return list
}

func glob(dir, pattern string) []string {
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return nil // the pattern is ours
	}
	return list
}

// kindsWithStatus are the kinds that can be in order or not.
func kindsWithStatus() []string {
	return []string{
		string(resource.KindSite), string(resource.KindLink), string(resource.KindListener), string(resource.KindConnector),
		string(resource.KindMultiKeyListener), string(resource.KindRouterAccess), string(resource.KindAccessGrant),
		string(resource.KindAccessToken), string(resource.KindCertificate),
	}
}
