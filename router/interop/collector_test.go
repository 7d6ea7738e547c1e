package interop

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"

	"github.com/skupper-host/skupper/router/vanflow"
)

// collector is a network observer: it finds the event sources, asks each for
// its state and merges what they say.
type collector struct {
	t    testing.TB
	name string // of this one
	conn *goamqp.Conn
	ctx  context.Context
	wg   sync.WaitGroup

	mu      sync.Mutex
	sources map[string]*eventSource // Guarded by mu: by id.
}

// eventSource is what a collector knows of one event source.
type eventSource struct {
	kind    vanflow.SourceType
	beats   int
	records map[string]*vanflow.Record // by identity
	logs    []string
}

// collect observes the network from the AMQP listener at a port until the end
// of the test. Name says in messages which collector it is.
func collect(t testing.TB, name string, port int) *collector {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &collector{t: t, name: name, ctx: ctx, sources: map[string]*eventSource{}}
	eventually(t, 20*time.Second, "a connection for the collector", func() (err error) {
		c.conn, err = goamqp.Dial(ctx, "amqp://"+local(port), &goamqp.ConnOptions{SASLType: goamqp.SASLTypeAnonymous()})
		return err
	})
	t.Cleanup(func() {
		cancel()
		_ = c.conn.Close()
		c.wg.Wait()
	})
	session := c.session()
	c.receive(session, vanflow.AddressAll, c.beacon)
	return c
}

func (c *collector) session() *goamqp.Session {
	c.t.Helper()
	s, err := c.conn.NewSession(c.ctx, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// receive gives f every message to an address.
func (c *collector) receive(s *goamqp.Session, address string, f func(m vanflow.Message)) {
	r, err := s.NewReceiver(c.ctx, address, &goamqp.ReceiverOptions{Credit: 256})
	if err != nil {
		c.t.Errorf("receiver %s: %v", address, err)
		return
	}
	c.wg.Go(func() {
		for {
			msg, err := r.Receive(c.ctx, nil)
			if err != nil {
				return // the end of the test, or of the router
			}
			_ = r.AcceptMessage(c.ctx, msg) // presettled ones need it not
			raw, err := msg.MarshalBinary()
			if err != nil {
				c.t.Errorf("%s: %v", address, err)
				continue
			}
			m, err := vanflow.Decode(raw)
			if err != nil || m.Skipped > 0 {
				c.t.Errorf("%s: %v, %d records skipped", address, err, m.Skipped)
			}
			f(m)
		}
	})
}

// beacon begins to observe a source that is new.
func (c *collector) beacon(m vanflow.Message) {
	if m.Subject != vanflow.SubjectBeacon || m.ID == "" {
		c.t.Errorf("%s where beacons are expected", m.Subject)
		return
	}
	c.mu.Lock()
	known := c.sources[m.ID] != nil
	if !known {
		c.sources[m.ID] = &eventSource{kind: m.Source, records: map[string]*vanflow.Record{}}
	}
	c.mu.Unlock()
	if known {
		return
	}
	s, err := c.conn.NewSession(c.ctx, nil)
	if err != nil {
		return // the end of the test
	}
	c.receive(s, m.Address, func(r vanflow.Message) { c.merge(m.ID, r) })
	switch m.Source {
	case vanflow.SourceRouter:
		c.receive(s, m.Address+".flows", func(r vanflow.Message) { c.merge(m.ID, r) })
		c.receive(s, m.Address+".logs", func(r vanflow.Message) { c.merge(m.ID, r) })
	case vanflow.SourceController:
		c.receive(s, m.Address+".heartbeats", func(r vanflow.Message) { c.merge(m.ID, r) })
	}
	c.wg.Go(func() {
		sender, err := s.NewSender(c.ctx, m.Direct, nil)
		if err != nil {
			return
		}
		subject := string(vanflow.SubjectFlush)
		// The first FLUSH may come before the way to us is known.
		for range 2 {
			if err := sender.Send(c.ctx, &goamqp.Message{Properties: &goamqp.MessageProperties{To: &m.Direct, Subject: &subject}}, nil); err != nil && c.ctx.Err() == nil {
				c.t.Errorf("FLUSH %s: %v", m.Direct, err)
			}
			select {
			case <-c.ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
}

// merge takes what a source says.
func (c *collector) merge(id string, m vanflow.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sources[id]
	if m.Subject == vanflow.SubjectHeartbeat {
		s.beats++
	}
	for i := range m.Records {
		r := &m.Records[i]
		if r.Type == vanflow.TypeLog {
			s.logs = append(s.logs, r.Text(vanflow.AttrLogText))
			continue
		}
		if s.records[r.Identity] == nil {
			s.records[r.Identity] = &vanflow.Record{Type: r.Type, Identity: r.Identity}
		}
		s.records[r.Identity].Merge(r)
	}
}

// find returns the records of a type that have the attributes. A wanted value
// of "*" is any that is there.
func (c *collector) find(typ vanflow.Type, want map[vanflow.Code]string) (found []vanflow.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sources {
		for _, r := range s.records {
			ok := r.Type == typ
			for code, w := range want {
				have := value(r, code)
				ok = ok && have != "" && (w == "*" || w == have)
			}
			if ok {
				copied := *r
				copied.Attributes = slices.Clone(r.Attributes)
				found = append(found, copied)
			}
		}
	}
	return found
}

// value is an attribute as text, empty if it is not there or zero.
func value(r *vanflow.Record, code vanflow.Code) string {
	if !code.IsNumber() {
		return r.Text(code)
	}
	if n := r.Number(code); n != 0 {
		return fmt.Sprint(n)
	}
	return ""
}

// one waits for exactly one record of a type with the attributes.
func (c *collector) one(typ vanflow.Type, want map[vanflow.Code]string) (r vanflow.Record) {
	c.t.Helper()
	eventually(c.t, 30*time.Second, fmt.Sprintf("%s: one %v with %v", c.name, typ, want), func() error {
		found := c.find(typ, want)
		if len(found) != 1 {
			return fmt.Errorf("%d of them, among:\n%s", len(found), c.dump())
		}
		r = found[0]
		return nil
	})
	return r
}

// dump lists everything known.
func (c *collector) dump() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(c.sources)) {
		s := c.sources[id]
		fmt.Fprintf(&b, "%s %s, %d heartbeats\n", s.kind, id, s.beats)
		for _, k := range slices.Sorted(maps.Keys(s.records)) {
			r := s.records[k]
			fmt.Fprintf(&b, "  %v %s", r.Type, k)
			for _, a := range r.Attributes {
				if a.Code > vanflow.AttrIdentity {
					fmt.Fprintf(&b, " %v=%s", a.Code, value(r, a.Code))
				}
			}
			b.WriteByte('\n')
		}
		for _, l := range s.logs {
			fmt.Fprintf(&b, "  %s\n", l)
		}
	}
	return b.String()
}
