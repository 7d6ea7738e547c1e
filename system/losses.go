package system

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/skupper-host/skupper/router/manage/client"
	"github.com/skupper-host/skupper/system/state"
)

// losses is which connections end when a router gets another configuration, of
// which before and after are what differs.
func (n *namespace) losses(ctx context.Context, before, after []state.Entity) map[string]state.Losses {
	entities, changes := changesOf(before, after)
	if len(changes) == 0 {
		return nil
	}
	return n.foretold(ctx, entities, changes)
}

// changesOf lists what changes or goes of the entities that connections go
// through, and those entities as they are.
func changesOf(before, after []state.Entity) (entities []state.Entity, changes []client.Change) {
	next := make(map[string]state.Entity, len(after))
	for _, e := range after {
		next[e.Key()] = e
	}
	for _, e := range before {
		switch e.Type {
		case "tcpListener", "tcpConnector", "listener", "connector":
		default:
			continue
		}
		c := client.Change{Type: e.Type, Name: e.Name}
		if to, stays := next[e.Key()]; stays {
			c.Attributes = differing(e.Attrs, to.Attrs)
		}
		entities, changes = append(entities, e), append(changes, c)
	}
	return entities, changes
}

// allLosses is which connections end with the router.
func (n *namespace) allLosses(ctx context.Context, have state.State) map[string]state.Losses {
	all, err := state.Entities(have.Files[n.paths.RouterConfig()].Data)
	if err != nil {
		all = nil // a file that somebody has spoilt: it is written anew
	}
	return n.foretold(ctx, all, nil)
}

func differing(a, b map[string]string) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	maps.DeleteFunc(all, func(name, _ string) bool { return a[name] == b[name] })
	return slices.Sorted(maps.Keys(all))
}

// foretold asks the router which connections changes of entities end, or its end
// if there are none. A router that does not answer has none to lose.
func (n *namespace) foretold(ctx context.Context, entities []state.Entity, changes []client.Change) map[string]state.Losses {
	var losses map[string]state.Losses
	_ = n.router.ask(ctx, func(ctx context.Context, a Asker) (err error) {
		losses, err = foretold(ctx, a, entities, changes)
		return err
	})
	return losses
}

func foretold(ctx context.Context, a Asker, entities []state.Entity, changes []client.Change) (map[string]state.Losses, error) {
	f, ok := a.(foreteller)
	if !ok {
		return tallied(ctx, a, entities, changes)
	}
	list, err := f.Losses(ctx, changes)
	var refused *client.Error
	if errors.As(err, &refused) {
		return tallied(ctx, a, entities, changes)
	}
	losses := make(map[string]state.Losses)
	for _, l := range list {
		by, service := "", ""
		if len(changes) > 0 {
			by = entities[l.Change].Key()
		}
		if l.Type != "" {
			service = state.Entity{Type: l.Type, Name: l.Name}.Key()
		}
		lose(losses, by, service, int64(l.Connections))
	}
	return losses, err
}

func lose(losses map[string]state.Losses, by, service string, connections int64) {
	if losses[by] == nil {
		losses[by] = state.Losses{}
	}
	losses[by][service] += connections
}

// tallied is what a router of another version can say: how many connections
// services have that go, or all of them if the router does.
func tallied(ctx context.Context, a Asker, entities []state.Entity, changes []client.Change) (map[string]state.Losses, error) {
	var services []state.Entity
	for i, e := range entities {
		goes := len(changes) == 0 || len(changes[i].Attributes) == 0
		if goes && (e.Type == "tcpListener" || e.Type == "tcpConnector") {
			services = append(services, e)
		}
	}
	found, err := find(ctx, a, services, "connectionsOpened", "connectionsClosed")
	losses := make(map[string]state.Losses)
	for _, e := range services {
		r := found[e.Key()]
		if r == nil {
			continue
		}
		opened := r.opened()
		if e.Type == "tcpConnector" {
			opened = r.servers()
		}
		by := ""
		if len(changes) > 0 {
			by = e.Key()
		}
		if active := opened - r.number("connectionsClosed"); active > 0 {
			lose(losses, by, e.Key(), active)
		}
	}
	return losses, err
}
