package router_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router/manage/client"
)

// TestAutoLinksJoinNetworks: a client asks a service of another network, and
// the answer comes back to its dynamic address.
func TestAutoLinksJoinNetworks(t *testing.T) {
	t.Parallel()
	between, edges := freeport.Get(t), freeport.Get(t)
	autoLink := func(connection string, more attrs) entity {
		a := attrs{"direction": "in", "connection": connection}
		for name, value := range more {
			a[name] = value
		}
		return entity{"autoLink", a}
	}
	foreign := listener("inter-network", between)
	foreign.attrs["name"] = "abroad"
	start(
		t, "west", "interior", entity{"network", attrs{"networkId": "net-w"}}, foreign, listener("edge", edges),
		autoLink("abroad", attrs{"externalAddress": "_xtopo/net-w"}),
	)
	edge := start(t, "west-edge", "edge", entity{"network", attrs{"networkId": "net-w"}}, connector("edge", edges))
	there := connector("inter-network", between)
	there.attrs["name"] = "abroad"
	east := start(
		t, "east", "interior", entity{"network", attrs{"networkId": "net-e"}}, there,
		autoLink("abroad", attrs{"address": "service"}),
	)
	m := east.manage(t)
	eventually(t, "the auto-link", func() error {
		rows, err := m.Query(t.Context(), "router.config.autoLink", "operStatus", "linkRef")
		if err == nil && (len(rows) != 1 || rows[0].Text("operStatus") != "active" || rows[0].Text("linkRef") == "") {
			err = fmt.Errorf("rows %v", rows)
		}
		return err
	})

	service := receive(t, east.session(t), "service")
	here := edge.session(t)
	answers := receive(t, here, "")
	if !strings.HasPrefix(answers.address, "amqp:/_xedge/net-w/west-edge/temp.") {
		t.Errorf("the dynamic address is %s, want one that names the network", answers.address)
	}
	send(t, here, "service", "", "question")
	service.expect(t, "question")
	send(t, east.session(t), "", answers.address, "answer")
	answers.expect(t, "answer")
}

// TestAutoLinkOut: what is sent to an address goes to a container that has it
// under another name, until the auto-link is deleted.
func TestAutoLinkOut(t *testing.T) {
	t.Parallel()
	container := start(t, "container", "standalone")
	broker := connector("route-container", container.port)
	broker.attrs["name"] = "broker"
	n := start(
		t, "A", "interior", broker,
		entity{"autoLink", attrs{"name": "queue", "direction": "out", "connection": "broker", "address": "here", "externalAddress": "there"}},
	)
	box := receive(t, container.session(t), "there")
	here := n.session(t)
	m := n.manage(t)
	eventually(t, "the auto-link", func() error {
		rows, err := m.Query(t.Context(), "router.config.autoLink", "operStatus")
		if err == nil && (len(rows) != 1 || rows[0].Text("operStatus") != "active") {
			err = fmt.Errorf("rows %v", rows)
		}
		return err
	})
	send(t, here, "here", "", "message")
	box.expect(t, "message")
	if err := m.Delete(t.Context(), client.Ref{Type: "router.config.autoLink", Name: "queue"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the address", func() error {
		rows, err := m.Query(t.Context(), "router.address", "key", "subscriberCount")
		for _, row := range rows {
			if row.Text("key") == "Mhere" && row.Int("subscriberCount") != 0 {
				return fmt.Errorf("it is still there: %v", row)
			}
		}
		return err
	})
}
