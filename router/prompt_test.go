package router

import (
	"errors"
	"testing"

	"github.com/skupper-host/skupper/router/linkstate"
)

// Two routers of this kind are patient with each other for half of the time.
func TestRoutersOfThisKindArePrompt(t *testing.T) {
	t.Parallel()
	west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
	host, port := west.listens("links", "inter-router", nil)
	east.dials("to-west", "inter-router", host, port, nil)
	west.start()
	east.start()
	for n, name := range map[*node]string{west: "links", east: "to-west"} {
		eventually(t, "a neighbor of "+n.id(), func() (err error) {
			n.on(func(r *Router) {
				if list := r.engine.Neighbors(); len(list) == 0 || list[0].State != linkstate.Up {
					err = errors.New("there is none")
				}
			})
			return err
		})
		for _, p := range n.peersOf(name) {
			if !p.prompt {
				t.Errorf("%s is not prompt with %s", n.id(), p.remote)
			}
		}
		n.on(func(r *Router) {
			if heard := r.tick().Heard; len(heard) != 1 || heard[0].Link != r.engine.Neighbors()[0].Link {
				t.Errorf("at a tick %s tells of %v", n.id(), heard)
			}
		})
	}
}
