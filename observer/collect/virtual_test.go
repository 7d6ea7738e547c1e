package collect

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/vanflow"
)

// hub is what a collector is connected to in virtual time: it hands messages of
// event sources to whoever takes them, and commands to the sources.
type hub struct {
	mu      sync.Mutex
	links   map[*conn.Link]string             // Guarded by mu: of the collector, with their address.
	command map[string]func([]byte)           // Guarded by mu: by address.
	asked   map[string]int                    // Guarded by mu: commands by address.
	pass    func(p publication) []publication // Guarded by mu: what becomes of a message; nil: it passes
}

type publication = vanflow.Publication

// inVirtualTime runs f with a collector that is connected to a hub.
func inVirtualTime(t *testing.T, f func(t *testing.T, h *hub, n *network.Network)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hub{links: map[*conn.Link]string{}, command: map[string]func([]byte){}, asked: map[string]int{}}
		n := network.New(network.Limits{})
		c := New(Config{Dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			h.serve(t, theirs)
			return ours, nil
		}}, n)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = c.Run(ctx) }) // it returns nil
		defer running.Wait()
		defer cancel()
		f(t, h, n)
	})
}

// serve is the router's side of a connection until the test ends.
func (h *hub) serve(t *testing.T, nc net.Conn) {
	c := conn.New(nc, conn.Config{Open: amqp.Open{ContainerID: "hub"}}, h)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = c.Run(ctx) }) // the collector has gone
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
}

func (*hub) Opened(*conn.Conn, *amqp.Open) {}

func (h *hub) Attached(_ *conn.Conn, l *conn.Link) {
	remote := l.Remote()
	switch {
	case l.Sender() && remote.Source.Dynamic: // nobody says which sources there are
		l.Refuse(&amqp.Error{Condition: amqp.ErrNotFound})
		return
	case l.Sender():
		l.Accept(nil, nil, nil, conn.CreditPolicy{}, h)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.links[l], _ = remote.Source.Address.(string)
	default:
		l.App = remote.Target.Address
		l.Accept(nil, nil, nil, conn.CreditPolicy{Window: 10}, h)
	}
}

func (*hub) Answered(*conn.Link) {}
func (*hub) Credit(*conn.Link)   {}

func (h *hub) Detached(l *conn.Link, _ *amqp.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.links, l)
}

func (h *hub) Begin(r *conn.Receiving) conn.Sink { return &command{h: h, r: r} }

// command is a message of the collector to a source.
type command struct {
	h   *hub
	r   *conn.Receiving
	buf []byte
}

func (c *command) Transfer(payload []byte, more bool) {
	c.buf = append(c.buf, payload...)
	if more {
		return
	}
	c.r.Update(amqp.State{Code: amqp.StateAccepted}, true)
	address, _ := c.r.Link().App.(string)
	c.h.mu.Lock()
	take := c.h.command[address]
	c.h.asked[address]++
	c.h.mu.Unlock()
	if take != nil {
		take(c.buf)
	}
}

func (*command) Settled(amqp.State) {}
func (*command) Abort()             {}
func (*command) Lost(error)         {}

// nobody hears of what becomes of a message: it is settled.
type nobody struct{}

func (nobody) Update(amqp.State, bool) {}
func (nobody) Ready()                  {}
func (nobody) Lost(error)              {}

func (h *hub) Usable(address string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.links {
		if a == address {
			return true
		}
	}
	return h.command[address] != nil
}

func (h *hub) Publish(p publication) {
	h.mu.Lock()
	all := []publication{p}
	if h.pass != nil {
		all = h.pass(p)
	}
	type delivery struct {
		link    *conn.Link
		payload []byte
	}
	var out []delivery
	take := h.command[p.To]
	for _, p := range all {
		for l, address := range h.links {
			if address == p.To {
				out = append(out, delivery{l, p.Payload})
			}
		}
	}
	h.mu.Unlock()
	if take != nil {
		take(p.Payload)
	}
	for _, d := range out {
		d.link.Send(nobody{}, true).WriteBytes(d.payload, false)
	}
}

// meddle says what becomes of messages from now on.
func (h *hub) meddle(pass func(publication) []publication) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pass = pass
}

func (h *hub) askedFor(id string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[vanflow.AddressDirect(id)]
}

// runRouter runs the event source of a router of a site until kill, after which
// nothing more comes from it, not even that it ends.
func (h *hub) runRouter(t *testing.T, prefix string) (r *vanflow.Router, kill func()) {
	r = vanflow.NewRouter(time.Now(), vanflow.RouterConfig{
		Prefix: prefix, RouterID: "west-1", Mode: "interior", Version: "test", Site: &vanflow.Site{Name: "west"},
	})
	h.mu.Lock()
	h.command[r.Direct()], h.command[r.CoRecordAddress()] = r.Command, r.CoRecords
	h.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	dead := false
	var done sync.WaitGroup
	done.Go(func() { _ = vanflow.Run(ctx, mortal{h, &dead}, r) }) // it returns nil
	kill = sync.OnceFunc(func() {
		synctest.Wait() // nobody looks now
		dead = true
		cancel()
		done.Wait()
	})
	t.Cleanup(kill)
	return r, kill
}

// mortal is a hub that a source cannot reach any more when it is dead.
type mortal struct {
	*hub
	dead *bool
}

func (m mortal) Publish(p publication) {
	if !*m.dead {
		m.hub.Publish(p)
	}
}

// pass lets time go by, with all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// row is the source with an id.
func row(n *network.Network, id string) record.Source {
	for _, s := range n.Sources() {
		if s.Identity == id {
			return *s
		}
	}
	return record.Source{}
}

// living are the routers that live.
func living(n *network.Network) (ids []string) {
	for _, r := range n.Routers() {
		if r.EndTime == 0 {
			ids = append(ids, r.Identity)
		}
	}
	return ids
}

// TestSilentSource: a source that dies without a word is silent after 10 s, and
// is given up 30 s after it was heard the last time, with all that it said. It
// comes back under another id.
func TestSilentSource(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, h *hub, n *network.Network) {
		first, kill := h.runRouter(t, "first")
		web := first.Listener(time.Now(), "web", "127.0.0.1", "8080", "web")
		open := web.Open(time.Now(), "192.0.2.1", "40000")
		pass(15 * time.Second)
		if s := row(n, first.ID()); s.State != record.SourceLive || s.Lost != 0 || len(n.Listeners()) != 1 {
			t.Fatalf("%+v, listeners %v", s, n.Listeners())
		}
		kill()
		heard := time.UnixMicro(int64(row(n, first.ID()).LastHeard))
		for _, at := range []struct {
			after   time.Duration
			state   string
			routers int
		}{
			{9 * time.Second, record.SourceLive, 1},
			{12 * time.Second, record.SourceSilent, 1},
			{29 * time.Second, record.SourceSilent, 1},
			{32 * time.Second, record.SourceGone, 0},
		} {
			pass(time.Until(heard.Add(at.after)))
			if s, routers := row(n, first.ID()), len(living(n)); s.State != at.state || routers != at.routers {
				t.Errorf("%v after the last word: %s, %d routers, want %+v", at.after, s.State, routers, at)
			}
		}
		if l, flows := n.Listeners(), row(n, first.ID()).Flows; len(l) != 0 || flows != 0 {
			t.Errorf("what is left of it: listeners %v, %d connections", l, flows)
		}
		open.Close(time.Now()) // nobody hears it

		second, _ := h.runRouter(t, "other")
		second.Listener(time.Now(), "web", "127.0.0.1", "8080", "web")
		pass(5 * time.Second)
		if ids := living(n); fmt.Sprint(ids) != fmt.Sprint([]string{second.ID()}) || len(n.Listeners()) != 1 || len(n.Sites()) != 1 {
			t.Errorf("routers %v, listeners %v, sites %v", ids, n.Listeners(), n.Sites())
		}
		pass(time.Minute)
		if was, is := row(n, first.ID()), row(n, second.ID()); was.State != record.SourceGone || is.State != record.SourceLive || is.Lost != 0 {
			t.Errorf("%+v, then %+v", was, is)
		}
	})
}

// TestLostMessages: nothing of a source arrives for 10 s. It is noticed by the
// next heartbeat, and what was said meanwhile is asked for.
func TestLostMessages(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, h *hub, n *network.Network) {
		r, _ := h.runRouter(t, "route")
		r.Listener(time.Now(), "kept", "127.0.0.1", "8080", "kept")
		pass(15 * time.Second)
		asked := h.askedFor(r.ID())
		lost := uint64(0)
		h.meddle(func(p publication) []publication {
			if m, err := vanflow.Decode(p.Payload); err == nil && m.Subject == vanflow.SubjectHeartbeat {
				lost++
			}
			return nil
		})
		r.Listener(time.Now(), "new", "127.0.0.1", "8081", "new")
		pass(10 * time.Second)
		h.meddle(nil)
		pass(5 * time.Second)
		if s := row(n, r.ID()); s.Lost != lost || lost == 0 || s.State != record.SourceLive {
			t.Errorf("%d heartbeats were lost: %+v", lost, s)
		}
		if l := n.Listeners(); len(l) != 2 || h.askedFor(r.ID()) != asked+1 {
			t.Errorf("asked %d times, then listeners %v", h.askedFor(r.ID())-asked, l)
		}
		pass(time.Minute)
		if s := row(n, r.ID()); s.Lost != lost || h.askedFor(r.ID()) != asked+1 {
			t.Errorf("asked %d times: %+v", h.askedFor(r.ID())-asked, s)
		}
	})
}

// TestMessagesOutOfOrder: the first word of a connection arrives after its end,
// and everything twice. It is one connection, which has ended, with all of its
// bytes.
func TestMessagesOutOfOrder(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, h *hub, n *network.Network) {
		r, _ := h.runRouter(t, "route")
		web := r.Listener(time.Now(), "web", "127.0.0.1", "8080", "web")
		server := r.Connector(time.Now(), "web", "192.0.2.9", "80", "web", "")
		pass(15 * time.Second)
		var held []publication
		ended, words, doubled := false, 0, uint64(0)
		h.meddle(func(p publication) []publication {
			if p.To != vanflow.AddressFlows(r.ID()) {
				return []publication{p}
			}
			held = append(held, p)
			words++
			m, err := vanflow.Decode(p.Payload)
			if err != nil {
				t.Error(err)
			}
			for i := range m.Records {
				ended = ended || m.Records[i].Ended()
			}
			if !ended {
				return nil
			}
			var out []publication
			for _, p := range slices.Backward(held) {
				out = append(out, p, p)
				doubled++
			}
			held = nil
			return out
		})
		var sent, received atomic.Uint64
		flow := web.Open(time.Now(), "192.0.2.1", "40000")
		flow.Count(&sent, &received)
		other := server.Open(flow.Identity(), nil)
		for range 5 {
			sent.Add(100)
			received.Add(1000)
			pass(2 * time.Second)
		}
		other.Close(time.Now())
		flow.Close(time.Now())
		pass(30 * time.Second)
		if words < 3 || !ended {
			t.Fatalf("%d messages of the connection, ended: %v", words, ended)
		}
		rows := n.Connections()
		if len(rows) != 1 {
			t.Fatalf("connections %+v", rows)
		}
		if c := rows[0]; c.EndTime == 0 || c.StartTime == 0 || c.EndTime <= c.StartTime || c.OctetCount != 500 || c.OctetReverseCount != 5000 || c.ListenerID != web.Identity() || c.ConnectorID != server.Identity() {
			t.Errorf("%+v", c)
		}
		if err := counted(n, 1, 500, 5000); err != nil {
			t.Error(err)
		}
		if s := row(n, r.ID()); s.Duplicates != doubled || s.Lost != 0 || s.Refused != 0 || s.Flows != 0 {
			t.Errorf("%d messages came twice: %+v", doubled, s)
		}
	})
}
