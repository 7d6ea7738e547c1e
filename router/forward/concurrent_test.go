package forward

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// TestConcurrentChoices has deliveries choose in snapshots while the table
// changes under them. Each sees one state of the table, and when all are done
// nothing is outstanding.
func TestConcurrentChoices(t *testing.T) {
	t.Parallel()
	table := NewTable(Config{Names: Names{ID: "A"}, Rules: []Rule{{Pattern: "near", Treatment: Closest, Priority: -1}}})
	topologies := [2]Topology{line(), line()}
	topologies[1].Routers[routerB], topologies[1].Routers[routerD] = Router{ID: "B"}, Router{ID: "D", Hop: 20, NextHop: routerC, Cost: 9}
	table.SetTopology(topologies[0])
	texts := [][]byte{[]byte("far"), []byte("near"), []byte("amqp:/_topo/0/E/x")}
	stay := make([]*Consumer, 2)
	for i := range stay {
		key := Key{ClassMobile, string(texts[i])}
		stay[i] = &Consumer{Capacity: 2, Target: "stays"}
		table.Add(key, stay[i], Unsaid)
		table.AddHolder(key, routerB, Unsaid, "")
		table.AddHolder(key, routerE, Unsaid, "")
	}
	var current atomic.Pointer[Snapshot]
	publish := func() {
		s, _ := table.Publish()
		current.Store(s)
	}
	publish()

	var users sync.WaitGroup
	var missed atomic.Int64
	for range 4 {
		users.Go(func() {
			var open []Choice
			var copies []Choice
			for i := range 5000 {
				s := current.Load()
				a := s.Find(texts[i%len(texts)])
				c, ok := s.Choose(a, &Delivery{Origin: i % 6})
				if !ok {
					missed.Add(1)
				}
				open = append(open, c)
				if len(open) > 20 {
					open[0].Done()
					open = open[1:]
				}
				copies = s.Multicast(a, &Delivery{}, copies[:0])
			}
			for _, c := range open {
				c.Done()
			}
		})
	}
	key := Key{ClassMobile, "far"}
	for i := range 500 {
		c := &Consumer{Conn: 3, Edge: true}
		table.Add(key, c, Unsaid)
		table.SetMesh(3, fmt.Sprint(i))
		table.SetTopology(topologies[i%2])
		table.AddHolder(key, routerC, Unsaid, fmt.Sprint(i))
		publish()
		table.Remove(c)
		publish()
	}
	users.Wait()
	if n := missed.Load(); n > 0 {
		t.Errorf("%d deliveries found no destination", n)
	}
	for i, c := range stay {
		if n := c.Load(); n != 0 {
			t.Errorf("consumer of %s has %d deliveries outstanding", texts[i], n)
		}
	}
	s := current.Load()
	for _, text := range texts {
		for slot := range s.network.slots {
			if n := s.Find(text).load.hops.value(int32(slot)); n != 0 {
				t.Errorf("%s has %d deliveries outstanding over slot %d", text, n, slot)
			}
		}
	}
}

// TestConcurrentBalance holds that those who choose in the same moment share
// evenly.
func TestConcurrentBalance(t *testing.T) {
	t.Parallel()
	b := newBench(t, Balanced, line())
	consumers := make([]*Consumer, 4)
	for i := range consumers {
		consumers[i] = b.add(fmt.Sprint(i), &Consumer{})
	}
	s := b.snapshot()
	a := s.Lookup(b.key)
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for range 500 {
				if _, ok := s.Choose(a, &Delivery{}); !ok {
					t.Error("nobody is chosen")
				}
			}
		})
	}
	users.Wait()
	for i, c := range consumers {
		if n := c.Load(); n < 990 || n > 1010 {
			t.Errorf("consumer %d has %d of 4,000 deliveries", i, n)
		}
	}
}
