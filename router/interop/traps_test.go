package interop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestIdleDataConnectionsStay: connections on which nothing is said are kept
// alive by both ends, beyond the time after which a silent one is given up.
func TestIdleDataConnectionsStay(t *testing.T) {
	t.Parallel()
	mixedPairs(t, func(t *testing.T, tp topology) {
		const data, idle = 2, 2 * time.Second
		w := tp.build(t)
		for _, n := range w.nodes {
			n.set("router", "dataConnectionCount", strconv.Itoa(data))
			for _, typ := range []string{"listener", "connector"} {
				n.set(typ, "idleTimeoutSeconds", int(idle.Seconds()))
			}
		}
		listener := w.nodes[tp.links[0][1]].admin()
		newService(t, w.back).run(echo)
		w.start()
		control, members := listener.connections(t, data)
		<-time.After(4 * idle)
		again, later := listener.connections(t, data)
		slices.Sort(members)
		slices.Sort(later)
		if control != again || !slices.Equal(members, later) {
			t.Errorf("the control connection was from %s and is from %s, data connections were from %v and are from %v", control, again, members, later)
		}
	})
}

// TestManyAddresses: lists of addresses that are longer than a frame reach the
// other router whole, and so does what changes later.
func TestManyAddresses(t *testing.T) {
	t.Parallel()
	mixedPairs(t, func(t *testing.T, tp topology) {
		const count = 400
		w := tp.build(t)
		long := strings.Repeat("x", 60)
		var admins []admin
		for _, n := range w.nodes {
			admins = append(admins, n.admin())
			for i := range count {
				name := fmt.Sprintf("%s-%s-%d", n.name, long, i)
				n.add("tcpConnector", map[string]any{"name": name, "host": "127.0.0.1", "port": strconv.Itoa(w.back), "address": name})
			}
		}
		newService(t, w.back).run(echo)
		w.start()
		for i, a := range admins {
			other := w.nodes[1-i].name
			eventually(t, time.Minute, "the addresses of "+other+" at "+w.nodes[i].name, func() error {
				rows, err := a.query("router.address", "name", "remoteCount")
				known := 0
				for _, row := range rows {
					if strings.HasPrefix(fmt.Sprint(row["name"]), "M"+other+"-"+long) && fmt.Sprint(row["remoteCount"]) == "1" {
						known++
					}
				}
				if err == nil && known != count {
					err = fmt.Errorf("%d of %d", known, count)
				}
				return err
			})
		}
	})
}
