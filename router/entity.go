package router

import (
	"context"
	"fmt"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/forward"
)

// entityKey names a configured entity.
type entityKey struct {
	typ  *config.Type
	name string
}

func keyOf(e config.Entity) entityKey { return entityKey{e.Type(), config.Name(e)} }

// entity is something configured that lives.
type entity interface {
	// remove ends it. With drain its streams may go on for a while.
	remove(drain bool)
}

// task is a goroutine of an entity.
type task struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// run starts f in a goroutine that Run waits for.
func (r *Router) run(f func(ctx context.Context)) *task {
	t := &task{done: make(chan struct{})}
	ready := make(chan struct{})
	r.spawn(func(ctx context.Context) {
		ctx, t.cancel = context.WithCancelCause(ctx)
		close(ready)
		defer close(t.done)
		defer t.cancel(nil)
		f(ctx)
	})
	<-ready
	return t
}

// stop ends the task; after grace if it has not ended by itself.
func (r *Router) stop(t *task, grace time.Duration) {
	if grace == 0 {
		t.cancel(nil)
		return
	}
	r.spawn(func(ctx context.Context) {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-t.done:
		case <-ctx.Done():
		case <-timer.C:
		}
		t.cancel(nil)
	})
}

// apply makes the changes, as far as they can be made live, and returns what
// went wrong with single entities; the others are in effect all the same.
func (r *Router) apply(changes config.Changes, drain bool) []error {
	var problems []error
	for _, c := range changes {
		if !c.Live {
			r.log.Warn("change needs a restart of the router", "module", "AGENT", "change", c.String())
			continue
		}
		if err := r.change(c, drain); err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %w", c.Entity().Type().Name, config.Name(c.Entity()), err))
			r.log.Error("configuration", "module", "AGENT", "change", c.String(), "err", err)
			continue
		}
		r.log.Debug("configuration", "module", "AGENT", "change", c.String())
	}
	return problems
}

func (r *Router) change(c config.Change, drain bool) error {
	if _, ok := c.Entity().(*config.Site); ok {
		r.flows.changeSite(c)
		return nil
	}
	if next, ok := c.New.(*config.SSLProfile); ok && c.Op != config.OpCreate {
		return r.changeProfile(c, next, drain)
	}
	if c.Op == config.OpModify || c.Op == config.OpReplace {
		if m, ok := r.entities[keyOf(c.Old)].(modifiable); ok && m.takes(c.Attributes) {
			m.modify(c)
			return nil
		}
	}
	if c.Op == config.OpReplace && r.grace(drain) > 0 {
		old, _ := r.entities[keyOf(c.Old)].(*amqpConnector)
		if old != nil && old.succeededBy(c.New) {
			return r.succeed(old, c.New.(*config.Connector))
		}
	}
	if c.Op == config.OpDelete {
		if l, ok := r.entities[keyOf(c.Old)].(*amqpListener); ok {
			l.dismiss()
		}
	}
	if c.Op != config.OpCreate {
		r.removeEntity(c.Old, drain)
	}
	if c.Op != config.OpDelete {
		return r.createEntity(c.New)
	}
	return nil
}

// modifiable is an entity that can take some changes without being made anew.
type modifiable interface {
	// takes reports whether it can take a change of these attributes.
	takes(attributes []string) bool
	// modify makes a change that it takes.
	modify(c config.Change)
}

func (r *Router) removeEntity(e config.Entity, drain bool) {
	delete(r.failed, keyOf(e))
	switch e := e.(type) {
	case *config.SSLProfile:
		delete(r.profiles, e.Name)
	default:
		if x := r.entities[keyOf(e)]; x != nil {
			x.remove(drain)
			delete(r.entities, keyOf(e))
		}
	}
}

func (r *Router) createEntity(e config.Entity) error {
	var made entity
	var err error
	switch e := e.(type) {
	case *config.SSLProfile:
		// compat: what is wrong with a profile is wrong with those that use it.
		r.profiles[e.Name] = r.loadProfile(e)
		return nil
	case *config.Listener:
		if forWeb(e) {
			made, err = r.newWebListener(e)
		} else {
			made, err = r.newAMQPListener(e)
		}
	case *config.Connector:
		made, err = r.newAMQPConnector(e, nil)
	case *config.AutoLink:
		made = r.newAutoLink(e)
	case *config.TCPListener:
		made, err = r.newService(e)
	case *config.TCPConnector:
		made, err = r.newConnectorService(e)
	default:
		return nil // what others read from the configuration
	}
	if made != nil {
		r.entities[keyOf(e)] = made
	}
	if err != nil {
		r.failed[keyOf(e)] = true
	}
	return err
}

// retry creates what could not be created before: the files of its credentials
// may be there by now.
func (r *Router) retry() {
	for _, e := range r.cfg.Entities() {
		if k := keyOf(e); r.failed[k] {
			r.removeEntity(e, true)
			if err := r.createEntity(e); err != nil {
				r.log.Error("configuration", "module", "AGENT", "entity", config.Name(e), "err", err)
			}
		}
	}
}

// rules translates the configured addresses.
func rules(addresses []config.Address) []forward.Rule {
	// What observers listen to is multicast, configured or not.
	list := []forward.Rule{{Pattern: "mc/sfe", Prefix: true, Treatment: forward.Multicast, Priority: -1}}
	for _, a := range addresses {
		rule := forward.Rule{Pattern: a.Pattern, Treatment: treatment(a.Distribution), Priority: int(a.Priority)}
		if a.Prefix != "" {
			rule.Pattern, rule.Prefix = a.Prefix, true
		}
		list = append(list, rule)
	}
	return list
}

func treatment(distribution string) forward.Treatment {
	switch distribution {
	case config.DistributionMulticast:
		return forward.Multicast
	case config.DistributionClosest:
		return forward.Closest
	case config.DistributionUnavailable:
		return forward.Unavailable
	}
	return forward.Balanced
}
