package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/system/api"
)

func (p *program) pingCommand() *command.Command {
	return &command.Command{
		Name: "ping", Summary: "follow the way to the servers of a routing key, and say where it is broken",
		Text: "Goes from router to router, as a connection would, to each that has a connector for the routing key, and has it " +
			"connect to the server once. Routers of Skupper's own cannot be asked to connect: the way to them is followed all the same. " +
			"Where no connector offers the name, it may be that of a site.",
		Args:  []command.Arg{{Name: "routing-key|site", Source: command.RoutingKeys}},
		Flags: []command.Flag{outputFlag("table", "table", "json", "yaml")},
		Exits: []command.Exit{{Code: exitUnhealthy, Meaning: "no way works"}},
		Examples: []command.Example{
			{Line: "skupper ping db", Text: "The routers on the way to db, how long each takes to answer, and whether the server lets itself be connected to"},
			{Line: "skupper ping east", Text: "The way to site east"},
		},
		Run: p.ping,
	}
}

func (p *program) ping(ctx context.Context, in *command.Input) error {
	c, _, err := p.controller(ctx)
	if err != nil {
		return err
	}
	found, err := c.Ping(ctx, p.namespace, api.PingRequest{Target: in.Arg(0)})
	if err != nil {
		return err
	}
	switch format := output.Format(in.String("output")); format {
	case output.AsJSON, output.AsYAML:
		plain, err := output.Plain(found)
		if err != nil {
			return err
		}
		if err := output.Objects(p.stdout, format, false, plain); err != nil {
			return err
		}
		if !found.OK {
			return &exitError{code: exitUnhealthy}
		}
		return nil
	case output.AsTable, output.AsWide, output.AsName:
	}
	for _, path := range found.Paths {
		if err := p.pingPath(path); err != nil {
			return err
		}
	}
	if !found.OK {
		return &exitError{code: exitUnhealthy, message: found.Problem, hint: found.Advice}
	}
	return nil
}

// pingPath writes one way: its routers, then the servers at its end.
func (p *program) pingPath(path api.PingPath) error {
	if _, err := fmt.Fprintf(p.stdout, "To site %s, %s:\n", path.Site, counted(len(path.Hops)-1, "hop")); err != nil {
		return err
	}
	hops := &output.Table{Header: []string{"HOP", "SITE", "ROUTER", "COST", "ROUND TRIP", "MESSAGE"}, Paint: p.paint()}
	for i, h := range path.Hops {
		took := "-"
		if h.Problem == "" {
			took = microseconds(h.RoundTrip)
		}
		hops.Add(strconv.Itoa(i), h.Site, h.Router, strconv.Itoa(h.Cost), took, first(h.Problem, "-"))
	}
	if err := hops.Write(p.stdout); err != nil || len(path.Servers) == 0 {
		return err
	}
	servers := &output.Table{Header: []string{"SERVER", "CONNECTOR", "CONNECT", "MESSAGE"}, Paint: p.paint()}
	for _, s := range path.Servers {
		took := "-"
		if s.OK && s.Note == "" {
			took = microseconds(s.Took)
		}
		servers.Add(net.JoinHostPort(s.Host, s.Port), s.Connector, took, first(s.Problem, s.Note, "-"))
	}
	return servers.Write(p.stdout)
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// microseconds is a short time for people, with three digits.
func microseconds(us int64) string {
	d := time.Duration(us) * time.Microsecond
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(us)/1000)
	}
	return fmt.Sprintf("%.2f ms", float64(us)/1000)
}
