package render_test

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// A line of YAML on its way to a plan.
func Example() {
	set, _, err := resource.Parse([]resource.Input{{Name: "west.yaml", Data: []byte(`
apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: west}
---
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata: {name: greeter}
spec: {routingKey: greeter, host: 127.0.0.1, port: 18080}
`)}})
	if err != nil {
		panic(err)
	}
	s, _, err := site.Build(set, site.Context{Namespace: "west"})
	if err != nil {
		panic(err)
	}
	base, err := layout.Locate(layout.Env{UID: 1000, Home: "/home/ann"})
	if err != nil {
		panic(err)
	}
	paths, err := base.Namespace("west")
	if err != nil {
		panic(err)
	}
	out, err := render.Render(render.Input{
		Site: s, Base: base, Paths: paths, Now: time.Now(), Random: rand.Reader,
		Machine: render.Machine{Binary: "/usr/bin/skupper", Platform: "linux", Version: "1.0"},
	})
	if err != nil {
		panic(err)
	}
	for _, step := range plan.Make(out.State, state.State{}) {
		if step.Op == plan.Add || step.Op == plan.Start {
			fmt.Println(step)
		}
	}
	// Output:
	// add address mc
	// add router access skupper-local-normal on 127.0.0.1:5671
	// add log ROUTER_CORE
	// add router
	// add site
	// add TLS profile skupper-local-server
	// add listener/greeter on 127.0.0.1:18080 for greeter
	// start skupper-west.service
}
