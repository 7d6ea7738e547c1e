package router

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

// TestRoutingMessages: what a neighbor is told is presettled and in frames that
// it takes; what it says in many frames is put together, and settled if it was
// not.
func TestRoutingMessages(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior")
	host, port := n.listens("links", "inter-router", nil)
	chost, cport := n.listens("clients", "normal", nil)
	n.start()
	const addresses = 400
	long := strings.Repeat("x", 60)
	client := newRogue(t, chost, cport).opens("client").begins()
	for i := range uint32(addresses) {
		client.send(0, &amqp.Attach{
			Name: fmt.Sprintf("in-%d", i), Handle: i, Role: amqp.RoleReceiver, SndSettleMode: amqp.SndMixed,
			Source: &amqp.Source{Address: fmt.Sprintf("%s-%d", long, i)}, Target: &amqp.Target{},
		})
	}
	var wg sync.WaitGroup
	wg.Go(client.drains)
	n.reaches(fmt.Sprintf("%s-%d", long, addresses-1), true)

	x := newRogue(t, host, port).opens("rogue").controls()
	var id uint32
	says := func(message []byte, size int, settled bool) {
		for part := range slices.Chunk(message, size) {
			message = message[len(part):]
			tr := transfer(id, len(message) > 0)
			tr.Settled = settled
			x.send(0, tr, part...)
		}
		id++
	}
	_ = x.nc.SetReadDeadline(time.Now().Add(patience))
	handle := uint32(0) // the router's handle of the link that it sends on
	next := func() (amqp.Performative, []byte) {
		p, payload, _, err := x.next()
		if err != nil {
			t.Fatal(err)
		}
		if a, ok := p.(*amqp.Attach); ok && a.Role == amqp.RoleSender {
			handle = a.Handle
		}
		return p, payload
	}
	for credit := uint32(0); credit == 0; {
		p, _ := next()
		if f, ok := p.(*amqp.Flow); ok && f.HasHandle {
			credit = f.LinkCredit
		}
	}
	says(hello("rogue", "only"), 1000, false)
	says(control("LSU", "amqp:/_topo/0/only/qdrouter", amqp.Map{
		{Key: "id", Value: "rogue"},
		{Key: "pv", Value: int32(1)},
		{Key: "instance", Value: int32(1)},
		{Key: "ls_seq", Value: int32(1)},
		{Key: "ls", Value: amqp.Map{{Key: "id", Value: "rogue"}, {Key: "ls_seq", Value: int32(1)}, {Key: "peers", Value: amqp.Map{{Key: "only", Value: int32(1)}}}}},
	}), 10, true)
	lies := amqp.List{}
	for i := range addresses {
		lies = append(lies, amqp.List{fmt.Sprintf("Mlie-%d", i), int32(3), int32(0)})
	}
	says(addressesOf("MAU", amqp.Pair{Key: amqp.Symbol("mobile_seq"), Value: int64(1)}, amqp.Pair{Key: amqp.Symbol("exist"), Value: lies}), 100, true)
	n.reaches(fmt.Sprintf("lie-%d", addresses-1), true)

	var message []byte
	disposed, told, frames, said := false, false, 0, time.Time{}
	for !disposed || !told {
		if time.Since(said) > 200*time.Millisecond {
			said = time.Now()
			says(hello("rogue", "only"), 1000, true)
			says(addressesOf("MAR", amqp.Pair{Key: amqp.Symbol("have_seq"), Value: int64(0)}), 1000, true)
		}
		p, payload := next()
		switch p := p.(type) {
		case *amqp.Disposition:
			if p.Role == amqp.RoleReceiver && p.First == 0 {
				disposed = p.Settled && p.State.Code == amqp.StateAccepted
			}
		case *amqp.Transfer:
			if p.Handle != handle || !p.Settled {
				t.Fatalf("a routing message on handle %d, settled %v; the control link has %d", p.Handle, p.Settled, handle)
			}
			if message = append(message, payload...); p.More {
				frames++
				continue
			}
			m, err := amqp.ParseMessage(message)
			if err != nil {
				t.Fatal(err)
			}
			message = nil
			body, _ := m.Value.(amqp.Map)
			count := 0
			for _, k := range []string{"exist", "add"} {
				list, _ := body.Get(k).(amqp.List)
				for _, a := range list {
					if entry, ok := a.(amqp.List); ok && strings.HasPrefix(fmt.Sprint(entry[0]), "M"+long) {
						count++
					}
				}
			}
			if count > 0 && (count != addresses || frames == 0) {
				t.Errorf("%d addresses are told of in %d frames, want %d in several", count, frames+1, addresses)
			}
			told, frames = told || count > 0, 0
		}
	}
	for _, c := range []*rogue{x, client} {
		_ = c.nc.Close()
	}
	wg.Wait()
}

// TestDataLinksHavePriorities: the n-th data link that a neighbor attaches takes
// the messages of priority n-1, and if there is none, the next lower one.
func TestDataLinksHavePriorities(t *testing.T) {
	t.Parallel()
	for links, want := range map[uint32]string{10: "map[0:0 4:4 7:7 9:9 200:9]", 5: "map[0:0 4:4 7:4 9:4 200:4]"} {
		n := newNode(t, "only", "interior")
		host, port := n.listens("links", "inter-router", nil)
		chost, cport := n.listens("clients", "normal", nil)
		n.start()
		x := newRogue(t, host, port).opens("rogue").controls()
		capability := []amqp.Symbol{capData}
		for i := range links {
			x.send(0, &amqp.Attach{
				Name: fmt.Sprint(i), Handle: 100 + i, Role: amqp.RoleReceiver, SndSettleMode: amqp.SndMixed,
				Source: &amqp.Source{Capabilities: capability}, Target: &amqp.Target{Capabilities: capability},
			})
			x.send(0, &amqp.Flow{IncomingWindow: 100, OutgoingWindow: 100, HasHandle: true, Handle: 100 + i, HasLinkCredit: true, LinkCredit: 10})
		}
		_ = x.nc.SetReadDeadline(time.Now().Add(patience))
		names, got := map[uint32]string{}, map[uint32]string{}
		next := func() (amqp.Performative, []byte) {
			p, payload, _, err := x.next()
			if err != nil {
				t.Fatal(err)
			}
			x.heard(p, err)
			if a, ok := p.(*amqp.Attach); ok {
				names[a.Handle] = a.Name
			}
			return p, payload
		}
		for x.limit == 0 || len(names) < 2+int(links) {
			next()
		}
		says := func(id uint32, message []byte) {
			tr := transfer(id, false)
			tr.Settled = true
			x.send(0, tr, message...)
		}
		says(0, hello("rogue", "only"))
		says(1, addressesOf("MAU", amqp.Pair{Key: amqp.Symbol("mobile_seq"), Value: int64(1)}, amqp.Pair{Key: amqp.Symbol("exist"), Value: amqp.List{amqp.List{"Mfar", int32(2)}}}))
		n.reaches("far", true)
		client := newRogue(t, chost, cport).opens("client").begins().attaches("").credited()
		for i, priority := range []uint8{0, 4, 7, 9, 200} {
			m := &amqp.Message{Header: &amqp.Header{Priority: priority, HasPriority: true}, Properties: &amqp.Properties{To: "far"}, Kind: amqp.BodyValue, Value: uint32(priority)}
			client.send(0, transfer(uint32(i), false), m.Append(nil)...)
		}
		for len(got) < 5 {
			p, payload := next()
			if tr, ok := p.(*amqp.Transfer); ok {
				if m, err := amqp.ParseMessage(payload); err == nil && m.Properties != nil && m.Properties.To == "far" {
					got[m.Value.(uint32)] = names[tr.Handle]
				}
			}
		}
		if fmt.Sprint(got) != want {
			t.Errorf("of %d data links, by priority: %v, want %s", links, got, want)
		}
		for _, c := range []*rogue{x, client} {
			_ = c.nc.Close()
		}
	}
}

// addressesOf is a message of the rogue about addresses.
func addressesOf(op string, more ...amqp.Pair) []byte {
	body := amqp.Map{{Key: amqp.Symbol("id"), Value: "rogue"}, {Key: amqp.Symbol("pv"), Value: int64(2)}}
	return control(op, "amqp:/_topo/0/only/qdrouter.ma", append(body, more...))
}

// TestInstanceChanges: a router that starts again, however soon, is another
// instance, and says so in a positive int.
func TestInstanceChanges(t *testing.T) {
	t.Parallel()
	for _, now := range []time.Time{time.Unix(1_800_000_000, 0), time.Unix(1<<33, 999_000_000)} {
		one, two := instance(now), instance(now.Add(10*time.Millisecond))
		if one == two || one < 0 || two < 0 || one > 1<<31-1 || two > 1<<31-1 {
			t.Errorf("instances of %v are %d and %d", now, one, two)
		}
	}
}

// TestCostIsAnInt: the larger one of both ends' costs counts, and what is of
// another type is none.
func TestCostIsAnInt(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior")
	host, port := n.listens("links", "inter-router", attrs{"cost": 3})
	n.start()
	for _, c := range []struct {
		says any
		want int
	}{{int32(7), 7}, {int32(2), 3}, {uint32(7), 3}, {int64(7), 3}, {"7", 3}, {nil, 3}} {
		x := newRogue(t, host, port)
		x.write([]byte(amqp.ProtocolHeaderAMQP)...)
		x.send(0, &amqp.Open{ContainerID: "x", Properties: amqp.Map{{Key: propCost, Value: c.says}}})
		var theirs *amqp.Open
		for theirs == nil {
			p, _, _, err := x.next()
			if err != nil {
				t.Fatal(err)
			}
			theirs, _ = p.(*amqp.Open)
		}
		if own := theirs.Properties.Get(string(propCost)); own != int32(3) {
			t.Errorf("says a cost of %T %v", own, own)
		}
		eventually(t, "the connection", func() error {
			if peers := n.peersOf("links"); len(peers) != 1 || peers[0].cost != c.want {
				return fmt.Errorf("%d connections; want one, of cost %d", len(peers), c.want)
			}
			return nil
		})
		_ = x.nc.Close()
		eventually(t, "its end", func() error {
			if left := len(n.peersOf("links")); left > 0 {
				return fmt.Errorf("%d connections", left)
			}
			return nil
		})
	}
}
