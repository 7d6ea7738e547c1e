package system

import (
	"context"
	"fmt"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// check does what api.Controller.Check says. It takes no turn, and asks the
// router for no more than the objects need: whoever waits asks often.
func (n *namespace) check(ctx context.Context, r api.CheckRequest) (*api.Check, error) {
	if !n.exists() {
		return nil, n.missing()
	}
	refs, err := refsOf(r.Objects)
	if err != nil {
		return nil, err
	}
	v := n.seen.Load()
	switch {
	case v.memory.Generation >= r.Generation:
	case v.failure != "":
		return nil, &api.Error{Kind: api.Internal, Message: v.failure}
	default:
		return &api.Check{Missing: "the agent has not applied the input yet"}, nil
	}
	wanted := resource.NewSet()
	if v.site != nil {
		for _, ref := range refs {
			if o := v.site.Objects.Find(ref); o != nil {
				wanted.Put(o)
			}
		}
		if r.Site {
			for _, o := range resource.Of[*resource.Site](v.site.Objects) {
				wanted.Put(o)
			}
		}
	}
	return n.checked(ctx, v, wanted, r.Ready)
}

// checked looks at some objects of the site in effect.
func (n *namespace) checked(ctx context.Context, v *view, wanted *resource.Set, ready bool) (*api.Check, error) {
	l, _, why := n.lookWith(ctx, v, func(ctx context.Context, a Asker) (*live, error) {
		if fewBridges(wanted, ready) {
			return askFew(ctx, a, wanted)
		}
		return ask(ctx, a)
	})
	if l == nil {
		return &api.Check{Missing: "router: " + why}, nil
	}
	objects, _ := n.assessedAt(ctx, v, l, why, wanted)
	for _, o := range sortedObjects(objects) {
		if h := o.Health(); h != nil && !reached(o, h, ready) {
			return &api.Check{Missing: fmt.Sprintf("%s: %s: %s", o.Ref(), h.Status, h.Message)}, nil
		}
	}
	return &api.Check{Done: true}, nil
}

// fewBridges reports whether the router can be asked for the objects one by one.
// Whether a connector has a listener is known by the whole network only.
func fewBridges(set *resource.Set, ready bool) bool {
	if set.Len() > readFew {
		return false
	}
	for o := range set.All() {
		switch o.(type) {
		case *resource.Listener, *resource.MultiKeyListener:
		case *resource.Connector:
			if ready {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// reached reports whether an object works, or else whether the running router
// has it.
func reached(o resource.Object, h *resource.Health, ready bool) bool {
	if ready {
		return h.Status == resource.StatusReady
	}
	switch o.(type) {
	case *resource.AccessGrant, *resource.AccessToken, *resource.Certificate:
		return true // the router knows nothing of them
	}
	c := h.Condition(resource.ConditionConfigured)
	return c != nil && c.Status == resource.ConditionTrue
}
