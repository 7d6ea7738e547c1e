package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// statusFlags are those of every status command.
func statusFlags() []command.Flag {
	return []command.Flag{
		outputFlag("table", output.Formats()...),
		{Name: "no-headers", Kind: command.Bool, Usage: "print the table without its header"},
		{Name: "check", Kind: command.Bool, Usage: "exit with status 3 unless all is Ready"},
	}
}

// unhealthyExit documents --check.
func unhealthyExit() []command.Exit {
	return []command.Exit{{Code: exitUnhealthy, Meaning: "with --check: something is not Ready"}}
}

// statusCommand is `<noun> status [name]`.
func (p *program) statusCommand(noun string, arg command.Arg, kinds ...resource.Kind) *command.Command {
	return &command.Command{
		Name: "status", Summary: "show how it is now", Args: []command.Arg{arg},
		Text:  "The answer comes from the running router. Where it does not run, the status says so, with the reason.",
		Flags: statusFlags(), Exits: unhealthyExit(),
		Examples: []command.Example{
			{Line: fmt.Sprintf("skupper %s status", noun), Text: "Show all"},
			{Line: fmt.Sprintf("skupper %s status -o json", noun), Text: "The same for a program"},
		},
		Run: func(ctx context.Context, in *command.Input) error { return p.status(ctx, in, noun, kinds) },
	}
}

func (p *program) status(ctx context.Context, in *command.Input, noun string, kinds []resource.Kind) error {
	c, _, err := p.controller(ctx)
	if err != nil {
		return err
	}
	s, err := c.Status(ctx, p.namespace)
	if err != nil {
		return err
	}
	if err := p.platformOf(s); err != nil {
		return err
	}
	names := make([]string, 0, len(kinds))
	for _, k := range kinds {
		names = append(names, string(k))
	}
	list, err := views(s, names...)
	if err != nil {
		return err
	}
	if name := in.Arg(0); name != "" {
		if list = named(list, name); len(list) == 0 {
			return &api.Error{
				Kind: api.Missing, Message: fmt.Sprintf("%s/%s does not exist in namespace %s", noun, name, p.namespace),
				Advice: fmt.Sprintf("`skupper %s status` lists what there is", noun),
			}
		}
	}
	p.staleness(s)
	if err := p.showStatus(in, noun, s, list); err != nil {
		return err
	}
	if in.Bool("check") && !(s.Observed && allReady(list)) {
		return &exitError{code: exitUnhealthy}
	}
	return nil
}

func named(list []*view, name string) []*view {
	for _, v := range list {
		if v.Metadata.Name == name {
			return []*view{v}
		}
	}
	return nil
}

func allReady(list []*view) bool {
	for _, v := range list {
		if v.Status.Status != resource.StatusReady {
			return false
		}
	}
	return true
}

// staleness says what stands above a status: a site that does not run, an
// input that is not in effect.
func (p *program) staleness(s *api.Status) {
	if s.Namespace.State == api.Defined && len(s.Objects) > 0 {
		p.note("%s", p.here("the site is not started; `skupper system start` starts it"))
	}
	if s.Error != "" {
		p.warn("the newest input is not in effect: %s", s.Error)
	}
	for _, w := range s.Warnings {
		if p.verbose {
			p.warn("%s", w)
		}
	}
}

// showStatus writes the objects in the form asked for.
func (p *program) showStatus(in *command.Input, noun string, s *api.Status, list []*view) error {
	format := output.Format(in.String("output"))
	switch format {
	case output.AsJSON, output.AsYAML:
		values := make([]any, 0, len(list))
		for _, v := range list {
			values = append(values, p.observed(s, v.raw))
		}
		bare := in.Arg(0) != "" || noun == "site"
		return output.Objects(p.stdout, format, !bare, values...)
	case output.AsName:
		for _, v := range list {
			if _, err := fmt.Fprintln(p.stdout, v.ref()); err != nil {
				return err
			}
		}
		return nil
	case output.AsTable, output.AsWide:
	}
	remote := noun == "link" && in.Arg(0) == "" && len(s.RemoteLinks) > 0
	if len(list) == 0 {
		if noun == "site" {
			p.note("namespace %s has no site", p.namespace)
		} else if !remote {
			p.note("namespace %s has no %s", p.namespace, noun)
		}
	} else {
		t := p.statusTable(noun, s, list, format == output.AsWide)
		t.NoHeader = in.Bool("no-headers")
		if err := t.Write(p.stdout); err != nil {
			return err
		}
	}
	if remote {
		return p.remoteLinks(s, len(list) > 0, in.Bool("no-headers"))
	}
	return nil
}

// observed marks an object whose status is not from the running router.
func (p *program) observed(s *api.Status, raw json.RawMessage) any {
	if s.Observed {
		return raw
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return raw
	}
	if status, ok := m["status"].(map[string]any); ok {
		status["observed"] = false
	}
	return m
}

// statusTable is the table of a noun: the usual columns, then in wide form
// those that only we have.
func (p *program) statusTable(noun string, s *api.Status, list []*view, wide bool) *output.Table {
	t := &output.Table{Paint: p.paint()}
	switch noun {
	case "site":
		t.Header = []string{"NAME", "STATUS", "MESSAGE"}
		if wide {
			t.Header = append(t.Header, "PLATFORM", "MODE", "SITES-IN-NETWORK", "ROUTER-ID", "VERSION", "UPTIME")
		}
	case "link":
		t.Header = []string{"NAME", "STATUS", "COST", "MESSAGE"}
		if wide {
			t.Header = append(t.Header, "REMOTE-SITE", "DIRECTION", "ROLE", "ENDPOINT", "RTT", "CERT-EXPIRES", "SINCE")
		}
	case "listener":
		t.Header = []string{"NAME", "STATUS", "ROUTING-KEY", "HOST", "PORT", "MATCHING-CONNECTOR", "MESSAGE"}
		if wide {
			t.Header = append(t.Header, "ACTIVE", "TOTAL", "BYTES-IN", "BYTES-OUT", "TLS")
		}
	case "connector":
		t.Header = []string{"NAME", "STATUS", "ROUTING-KEY", "SELECTOR", "HOST", "PORT", "HAS-MATCHING-LISTENER", "MESSAGE"}
		if wide {
			t.Header = append(t.Header, "ACTIVE", "TOTAL", "FAILED", "LAST-ERROR")
		}
	}
	for _, v := range list {
		row := p.usualCells(noun, v)
		if wide {
			row = append(row, wideCells(noun, s, v)...)
		}
		t.Add(row...)
	}
	return t
}

func (p *program) usualCells(noun string, v *view) []string {
	name, status, message := v.Metadata.Name, v.Status.Status, p.here(v.Status.Message)
	port := strconv.Itoa(v.Spec.Port)
	switch noun {
	case "link":
		return []string{name, status, strconv.Itoa(max(v.Spec.Cost, 1)), message}
	case "listener":
		matched := v.Status.HasMatchingConnector || v.Status.HasDestination
		return []string{name, status, strings.Join(v.keys(), ","), v.Spec.Host, port, strconv.FormatBool(matched), message}
	case "connector":
		return []string{name, status, v.Spec.RoutingKey, v.selector(), v.Spec.Host, port, strconv.FormatBool(v.Status.HasMatchingListener), message}
	}
	return []string{name, status, message}
}

func wideCells(noun string, s *api.Status, v *view) []string {
	name := v.Metadata.Name
	switch noun {
	case "site":
		return []string{
			s.Namespace.Platform, s.Router.Mode, strconv.Itoa(v.Status.SitesInNetwork), s.Router.ID, s.Router.Version, uptime(s.Router.Since),
		}
	case "link":
		for _, l := range s.Links {
			if l.Name == name {
				return []string{l.RemoteSite, l.Direction, l.Role, l.Endpoint, roundTrip(l.RoundTrip), ago(l.Expires, time.Now()), ago(l.Since, time.Now())}
			}
		}
		return make([]string, 7)
	case "listener":
		return listenerCells(trafficOf(s.Listeners, v))
	case "connector":
		return connectorCells(trafficOf(s.Connectors, v))
	}
	return nil
}

// trafficOf is the traffic of a listener or a connector; none if the router does
// not know it.
func trafficOf(list []api.BridgeState, v *view) api.BridgeState {
	for _, b := range list {
		if b.Kind == v.Kind && b.Name == v.Metadata.Name {
			return b
		}
	}
	return api.BridgeState{}
}

func listenerCells(b api.BridgeState) []string {
	return []string{count(b.Active), count(b.Total), count(b.BytesIn), count(b.BytesOut), strconv.FormatBool(b.TLS)}
}

func connectorCells(b api.BridgeState) []string {
	return []string{count(b.Active), count(b.Total), count(b.Failed), b.LastError}
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func uptime(since time.Time) string {
	if since.IsZero() {
		return "-"
	}
	return roughly(time.Since(since))
}

// remoteLinks is the second table of `link status`.
func (p *program) remoteLinks(s *api.Status, below, bare bool) error {
	if below {
		fmt.Fprintln(p.stdout)
	}
	if !bare {
		fmt.Fprintln(p.stdout, "Links from remote sites:")
	}
	t := &output.Table{Header: []string{"REMOTE-SITE", "STATUS", "ROLE", "MESSAGE"}, Paint: p.paint(), NoHeader: bare}
	for _, l := range s.RemoteLinks {
		t.Add(l.RemoteSite, l.Status, l.Role, l.Message)
	}
	return t.Write(p.stdout)
}

// paint colors status words where the output is a terminal that wants it.
func (p *program) paint() func(column, text string) string {
	on := p.color == "always" ||
		p.color == "auto" && p.stdoutTerminal && p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb"
	if !on {
		return nil
	}
	return func(column, text string) string {
		if column != "STATUS" && column != "STATE" {
			return text
		}
		switch text {
		case resource.StatusReady, string(api.Running), "PASS":
			return "\x1b[32m" + text + "\x1b[0m"
		case resource.StatusPending, string(api.Stopped), string(api.Defined), "WARN":
			return "\x1b[33m" + text + "\x1b[0m"
		case resource.StatusError, string(api.Failed), "FAIL":
			return "\x1b[31m" + text + "\x1b[0m"
		}
		return text
	}
}

// roundTrip is a time of some microseconds, for a table.
func roundTrip(us int64) string {
	if us == 0 {
		return "-"
	}
	return (time.Duration(us) * time.Microsecond).Round(10 * time.Microsecond).String()
}
