package main

import (
	"context"
	"os"
	"strings"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// retired maps commands of earlier versions to what does their job now.
func retired() map[string]string {
	return map[string]string{
		"delete":           "`skupper site delete` removes the site's description, `skupper system teardown` everything",
		"expose":           "`skupper connector create NAME PORT --host HOST` here, `skupper listener create NAME PORT` where it is used",
		"unexpose":         "`skupper connector delete NAME` and `skupper listener delete NAME`",
		"gateway":          "a host is a full site: `skupper site create NAME`, then `skupper system start`",
		"revoke-access":    "`skupper token revoke NAME` ends a grant; `skupper cert list` shows the certificates",
		"switch":           "`skupper system migrate --to PLATFORM` moves a site; SKUPPER_PLATFORM is the platform of new ones",
		"update":           "upgrade the package, then `skupper system restart`",
		"upgrade":          "upgrade the package, then `skupper system restart`",
		"connect":          "`skupper system apply link.yaml` with a file from `skupper link generate` of the other site",
		"disconnect":       "`skupper link delete NAME`",
		"connection-token": "`skupper token issue FILE`",
		"list-connectors":  "`skupper link status`",
		"check-connection": "`skupper link status`",
		"list-exposed":     "`skupper service status`",
		"bind":             "`skupper connector create NAME PORT --host HOST`",
		"unbind":           "`skupper connector delete NAME`",
	}
}

// renamed says that what was typed is called something else by now.
func (p *program) renamed(old, now string) {
	p.note("note: `skupper %s` is now `skupper %s`", old, now)
}

// initCommand is `init` of version 1: it made a site and started it.
func (p *program) initCommand() *command.Command {
	return &command.Command{
		Name: "init", Hidden: true, Summary: "make a site and start it, by its old name",
		Flags: []command.Flag{
			{Name: "site-name", Kind: command.String, Value: "NAME", Usage: "the site's name (default that of the host)"},
			{Name: "ingress", Kind: command.String, Value: "TYPE", Usage: "none: other sites cannot link to this one"},
		},
		Foreign: "`skupper site create --help` lists what a site can be told",
		Run: func(ctx context.Context, in *command.Input) error {
			name := first(in.String("site-name"), siteName(os.Hostname), p.namespace)
			flags := map[string][]string{"start": {"true"}, "wait": {waitReady}, "timeout": {"3m"}}
			line := "site create " + name
			if in.String("ingress") != "none" {
				flags["enable-link-access"] = []string{"true"}
				line += " --enable-link-access"
			}
			p.renamed("init", line+" --start")
			return p.siteCreate(ctx, command.NewInput([]string{"skupper", "site", "create"}, []string{name}, flags))
		},
	}
}

// siteName is the first label of the host's name, "" where it is none for a
// site.
func siteName(hostname func() (string, error)) string {
	host, err := hostname()
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(strings.ToLower(host), ".")
	if resource.CheckNamespace(name) != "" {
		return ""
	}
	return name
}

// oldStatusCommand is `status` of version 1.
func (p *program) oldStatusCommand() *command.Command {
	return &command.Command{
		Name: "status", Hidden: true, Summary: "show the agent and every site of this host, by its old name", Flags: statusFlags(), Exits: unhealthyExit(),
		Run: func(ctx context.Context, in *command.Input) error {
			p.renamed("status", "system status")
			return p.systemStatus(ctx, in)
		},
	}
}

// oldEventsCommand is `debug events` of version 1.
func (p *program) oldEventsCommand() *command.Command {
	events := p.eventsCommand()
	run := events.Run
	events.Hidden = true
	events.Run = func(ctx context.Context, in *command.Input) error {
		p.renamed("debug events", "events")
		return run(ctx, in)
	}
	return events
}

// setupCommand is `system setup` of version 2.0.
func (p *program) setupCommand() *command.Command {
	start := p.operation(api.Start, "start the site, by its old name", "", waitFlags(waitReady, "3m"))
	run := start.Run
	start.Name, start.Hidden = "setup", true
	start.Run = func(ctx context.Context, in *command.Input) error {
		p.renamed("system setup", "system start")
		return run(ctx, in)
	}
	return start
}

// oldTokenCommand is `token create` of version 1, for what issue does now.
func (p *program) oldTokenCommand(issue *command.Command) *command.Command {
	return &command.Command{
		Name: "create", Hidden: true, Summary: "make a token, by its old name", Args: issue.Args,
		Flags: append([]command.Flag{
			{Name: "expiry", Kind: command.Duration, Usage: "as --expiration-window"},
			{Name: "uses", Kind: command.Int, Usage: "as --redemptions-allowed"},
			{Name: "token-type", Kind: command.String, Value: "TYPE", Usage: "claim; for cert there are link files"},
		}, issue.Flags...),
		Foreign: "`skupper token issue --help` lists the flags",
		Run: func(ctx context.Context, in *command.Input) error {
			switch in.String("token-type") {
			case "", "claim":
			case "cert":
				return &command.UsageError{
					Message: "token-type cert: a token holds a code, not a certificate",
					Advice:  "`skupper link generate --output-file " + in.Arg(0) + "` makes a file with a certificate",
				}
			default:
				return &command.UsageError{Message: "--token-type " + in.String("token-type") + ": not one of claim, cert"}
			}
			p.renamed("token create", "token issue")
			flags := map[string][]string{}
			for _, f := range issue.Flags {
				if in.Changed(f.Name) || in.String(f.Name) != "" {
					flags[f.Name] = in.Strings(f.Name)
				}
			}
			for old, now := range map[string]string{"expiry": "expiration-window", "uses": "redemptions-allowed"} {
				if in.Changed(old) {
					flags[now] = in.Strings(old)
				}
			}
			return issue.Run(ctx, command.NewInput(in.Path, in.Args, flags))
		},
	}
}
