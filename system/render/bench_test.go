package render

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
)

// BenchmarkLargeSite renders and plans a site of 1,000 listeners and 1,000
// connectors that is on disk already: what every pass costs.
func BenchmarkLargeSite(b *testing.B) {
	var text strings.Builder
	text.WriteString("apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: west}\nspec: {linkAccess: default}\n")
	for n := range 1000 {
		fmt.Fprintf(&text, "---\napiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: l%d}\nspec: {routingKey: k%d, host: 127.0.0.1, port: %d}\n", n, n, 10000+n)
		fmt.Fprintf(&text, "---\napiVersion: skupper.io/v2alpha1\nkind: Connector\nmetadata: {name: c%d}\nspec: {routingKey: k%d, host: 10.0.0.1, port: %d}\n", n, n, 20000+n)
	}
	set, _, err := resource.Parse([]resource.Input{{Name: "large.yaml", Data: []byte(text.String())}})
	if err != nil {
		b.Fatal(err)
	}
	s, _, err := site.Build(set, site.Context{Namespace: "west", Hostname: "box"})
	if err != nil {
		b.Fatal(err)
	}
	in := Input{Site: s, Now: epoch, Random: rand.Reader, Machine: Machine{Binary: "/usr/bin/skupper", Platform: "linux"}}
	for o := range s.Objects.All() {
		in.Objects = append(in.Objects, o)
	}
	for o := range set.All() {
		in.Snapshot = append(in.Snapshot, o)
	}
	out, err := Render(in)
	if err != nil {
		b.Fatal(err)
	}
	in.Have, in.Memory = out.State, out.Memory
	for _, keeps := range []bool{false, true} {
		b.Run(fmt.Sprintf("keeps documents %v", keeps), func(b *testing.B) {
			if keeps {
				in.Records, in.Writer = keeper{}, new(config.Writer)
			}
			for b.Loop() {
				out, err := Render(in)
				if err != nil {
					b.Fatal(err)
				}
				if steps := plan.Make(out.State, in.Have); len(steps) > 0 {
					b.Fatal(plan.Text(steps[:1]))
				}
			}
		})
	}
}

// keeper keeps every document, and leaves none out.
type keeper map[resource.Object][]byte

func (k keeper) Text(_ RecordKind, o resource.Object) (text []byte, kept bool) {
	if k[o] == nil {
		k[o] = resource.EncodeYAML(o)
	}
	return k[o], false
}
