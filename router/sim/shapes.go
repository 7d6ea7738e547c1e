package sim

import "fmt"

// Shape names a kind of network.
type Shape string

// Shapes.
const (
	Ring   Shape = "ring"
	Mesh   Shape = "mesh" // a grid whose borders are joined: many paths of equal cost
	Tree   Shape = "tree"
	Random Shape = "random" // connected, four links per router on average
)

// Build adds n routers named r000, r001 … to a network and connects them.
func (n *Network) Build(shape Shape, count int) {
	routers := make([]*Router, count)
	for i := range routers {
		routers[i] = n.Add(fmt.Sprintf("r%03d", i))
	}
	switch shape {
	case Ring:
		for i := range routers {
			n.Connect(routers[i], routers[(i+1)%count], 1)
		}
	case Tree:
		for i := 1; i < count; i++ {
			n.Connect(routers[i], routers[(i-1)/3], 1)
		}
	case Mesh:
		width := 1
		for width*width < count {
			width++
		}
		for i := range routers {
			if right := i - i%width + (i+1)%width; right != i && right < count {
				n.Connect(routers[i], routers[right], 1)
			}
			if below := i + width; below < count {
				n.Connect(routers[i], routers[below], 1)
			} else if i%width != i {
				n.Connect(routers[i], routers[i%width], 1)
			}
		}
	case Random:
		for i := 1; i < count; i++ {
			n.Connect(routers[i], routers[n.rand.IntN(i)], 1+n.rand.IntN(3))
		}
		for range count {
			if a, b := n.rand.IntN(count), n.rand.IntN(count); a != b {
				n.Connect(routers[a], routers[b], 1+n.rand.IntN(3))
			}
		}
	}
}
