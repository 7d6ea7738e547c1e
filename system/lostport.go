package system

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// portChoices bounds how often a new site chooses ports.
const portChoices = 3

// secondChoice gives a site that has just been started for the first time other
// ports where somebody took those that were chosen before the router could
// listen there. Later a port is never exchanged: links name it. Neither is one of
// a site that is taken over, which may well be in use: by its router of before.
func (n *namespace) secondChoice(ctx context.Context, o *outcome) {
	for range portChoices {
		lost := slices.DeleteFunc(n.lostPorts(ctx, o.site), func(key string) bool {
			return o.kept[key] != 0 && key != site.LocalAccess
		})
		if len(lost) == 0 {
			return
		}
		n.log.Warn("ports are taken, others are chosen", "ports", lost)
		next, err := n.onePass(ctx, wish{memory: func(m *state.Memory) {
			m.Ports = maps.Clone(m.Ports)
			maps.DeleteFunc(m.Ports, func(key string, _ int) bool { return slices.Contains(lost, key) })
		}})
		if err != nil {
			n.log.Warn("ports not exchanged", keyErr, err) // the site's status goes on telling of them
			return
		}
		o.output, o.site, o.memory = next.output, next.site, next.memory
	}
}

// lostPorts are the keys of the allocated ports that the router could not
// listen on.
func (n *namespace) lostPorts(ctx context.Context, s *site.Site) (keys []string) {
	keyOf := map[string]string{}
	for i := range s.Accesses {
		a := &s.Accesses[i]
		for _, r := range a.Roles {
			if key := a.PortKey(r); key != "" {
				keyOf[a.Name+"-"+r.Name] = key
			}
		}
	}
	err := n.router.ask(ctx, func(ctx context.Context, a Asker) error {
		rows, err := a.Query(ctx, "", typeListener, attributesOf(typeListener)...)
		keys = nil // it may be asked twice
		for _, entity := range rows {
			e := row(entity)
			if key := keyOf[e.text("name")]; key != "" && e.text("operStatus") != "up" && strings.Contains(e.text("connectionMsg"), portTaken) {
				keys = append(keys, key)
			}
		}
		return err
	})
	if err != nil {
		n.log.Warn("router does not say where it listens", keyErr, err)
		return nil
	}
	return keys
}
