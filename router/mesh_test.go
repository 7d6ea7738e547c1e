package router_test

import (
	"fmt"
	"testing"

	"github.com/skupper-host/skupper/internal/freeport"
)

// edgeMesh starts three edge routers that are all connected to each other, two
// of them in both directions. more are entities of each.
func edgeMesh(t *testing.T, more ...[]entity) []*node {
	t.Helper()
	ports := []int{freeport.Get(t), freeport.Get(t), freeport.Get(t)}
	dials := [][]int{{1, 2}, {0}, {1}}
	var nodes []*node
	for i, id := range []string{"EA", "EB", "EC"} {
		entities := []entity{listener("inter-edge", ports[i])}
		for _, to := range dials[i] {
			entities = append(entities, connector("inter-edge", ports[to]))
		}
		if i < len(more) {
			entities = append(entities, more[i]...)
		}
		nodes = append(nodes, start(t, id, "edge", entities...))
	}
	return nodes
}

func TestEdgeRoutersReachEachOtherWithoutAnInteriorRouter(t *testing.T) {
	t.Parallel()
	mesh := edgeMesh(t)
	a, b, c := mesh[0].session(t), mesh[1].session(t), mesh[2].session(t)

	service := receive(t, b, "service")
	send(t, a, "service", "", "from EA")
	send(t, c, "", "service", "from EC")
	service.expect(t, "from EA", "from EC")

	replies := receive(t, a, "")
	send(t, c, "", replies.address, "reply from EC")
	replies.expect(t, "reply from EC")

	one, two := receive(t, a, "mc/news"), receive(t, b, "mc/news")
	eventually(t, "news reaches both", func() error {
		send(t, c, "mc/news", "", "again")
		if first, second := len(one.received()), len(two.received()); first == 0 || second == 0 {
			return fmt.Errorf("EA has %d, EB %d", first, second)
		}
		return nil
	})
}

func TestAMeshOfEdgeRoutersIsOneDestinationForTheInterior(t *testing.T) {
	t.Parallel()
	uplink := freeport.Get(t)
	interior := start(t, "IX", "interior", listener("edge", uplink))
	up := []entity{connector("edge", uplink)}
	mesh := edgeMesh(t, up, up)

	m := interior.manage(t)
	eventually(t, "both uplinks name the same mesh", func() error {
		rows, err := m.Query(t.Context(), "connection", "role", "meshId")
		if err != nil {
			return err
		}
		ids := map[any]int{}
		for _, row := range rows {
			if row["role"] == "edge" && row["meshId"] != nil {
				ids[row["meshId"]]++
			}
		}
		for _, count := range ids {
			if len(ids) == 1 && count == 2 {
				return nil
			}
		}
		return fmt.Errorf("mesh ids %v", ids)
	})

	// EC has no uplink: what is for it from the interior stays out of reach,
	// what is at EB is reached by the mesh from EA and from the interior.
	service := receive(t, mesh[1].session(t), "service")
	send(t, mesh[0].session(t), "service", "", "from EA")
	send(t, interior.session(t), "service", "", "from IX")
	service.expect(t, "from EA", "from IX")
}
