package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/resource"
)

// controller is whom a command asks: the agent if it answers, and otherwise
// the same code in this process, which can write input and look at what is
// there but runs nothing. online tells which.
func (p *program) controller(ctx context.Context) (c api.Controller, online bool, err error) {
	if _, err := p.namespacePaths(); err != nil {
		return nil, false, err
	}
	socket, err := p.paths.AgentSocket()
	if err != nil {
		return nil, false, err
	}
	client := api.NewClient(socket)
	err = p.mine(ctx, client, socket)
	if api.KindOf(err) == api.Unavailable {
		// An agent of another session may serve the same sites.
		if elsewhere := host.ControllerAt(p.paths.ControllerLock()); filepath.IsAbs(elsewhere) && elsewhere != socket {
			other := api.NewClient(elsewhere)
			if p.mine(ctx, other, elsewhere) == nil {
				return other, true, nil
			}
		}
		c, err = p.offline(ctx)
		return c, false, err
	}
	return client, err == nil, err
}

// mine asks an agent whether it serves the sites that are meant. One of the same
// session may serve those of another data home: what is asked of it would be
// done to sites that nobody named.
func (p *program) mine(ctx context.Context, c *api.Client, socket string) error {
	a, err := c.Agent(ctx)
	if err != nil || sameDirectory(a.DataHome, p.paths.DataHome) {
		return err
	}
	return &api.Error{
		Kind: api.Conflict, Message: fmt.Sprintf("the agent at %s serves the sites in %s, not those in %s", socket, a.DataHome, p.paths.DataHome),
		Advice: "have SKUPPER_OUTPUT_PATH, XDG_DATA_HOME and HOME say the same as when it was started; another data home takes another XDG_RUNTIME_DIR as well",
	}
}

func sameDirectory(a, b string) bool {
	if a == b {
		return true
	}
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// changer is whom a command asks that changes something: the agent. One that
// ended although the site was started is started again, as it keeps the router
// up. Where the site was never started, and for a dry run, controller will do.
func (p *program) changer(ctx context.Context, in *command.Input) (c api.Controller, online bool, err error) {
	if err := p.platformOfNew(); err != nil {
		return nil, false, err
	}
	c, online, err = p.controller(ctx)
	if err != nil || online || in.Changed("dry-run") || !p.started() {
		return c, online, err
	}
	c, err = p.startAgent(ctx)
	return c, err == nil, err
}

// exists is the error about a namespace that is not there. One whose input cannot
// be read is there.
func (p *program) exists(ctx context.Context, c api.Controller) error {
	if _, err := c.Names(ctx, p.namespace); api.KindOf(err) == api.Missing || api.KindOf(err) == api.Denied {
		return err
	}
	return nil
}

// started reports whether the namespace was ever started.
func (p *program) started() bool {
	ns, err := p.paths.Namespace(p.namespace)
	if err != nil {
		return false
	}
	for _, file := range []string{ns.State(), ns.RouterConfig()} { // either may be lost
		if _, err := os.Stat(file); err == nil {
			return true
		}
	}
	return false
}

// offline does without an agent what can be done without one.
func (p *program) offline(ctx context.Context) (api.Controller, error) {
	o, err := p.options()
	if err != nil {
		return nil, err
	}
	units, _, _, err := p.supervision(ctx, o)
	if err != nil {
		return nil, err
	}
	return system.NewOffline(o, units), nil
}

// beforeStep is called before each step of a change. Only tests set it, before
// anything runs.
var beforeStep func(step string) error

// machine is what package system needs to know of the surroundings.
func (p *program) machine() system.Options {
	return system.Options{
		Paths: p.paths, Version: p.version, Getenv: p.getenv, UID: p.uid, Dial: system.DialRouter, Step: beforeStep, Engines: p.engine,
	}
}

// parse reads resources that were given to a command.
func parse(files []api.File) (*resource.Set, []resource.Warning, error) {
	return resource.Parse(asInput(files))
}
