package forward

import (
	"fmt"
	"testing"
)

// wide returns a table with n addresses, each with consumers here, a holder
// and, every tenth, many holders; in a network of 1,000 routers behind ten
// neighbors.
func wide(n int) *Table {
	const routers, neighbors = 1000, 10
	top := Topology{Routers: make([]Router, routers)}
	sets := make([]uint64, (routers+63)/64)
	for i := range top.Routers {
		via := 1 + i%neighbors
		top.Routers[i] = Router{ID: fmt.Sprintf("router-%d", i), Hop: HopID(via), NextHop: via, Cost: int64(1 + i/neighbors)}
		sets[i/64] |= 1 << (i % 64)
	}
	top.Routers[0].Hop = 0
	top.Through = func(int) []uint64 { return sets }
	table := NewTable(Config{Names: Names{ID: "router-0"}, Rules: []Rule{{Pattern: "mc", Prefix: true, Treatment: Multicast, Priority: -1}}})
	table.SetTopology(top)
	for i := range n {
		key := Key{ClassMobile, fmt.Sprintf("service-%d", i)}
		if i%2 == 0 {
			table.Add(key, &Consumer{}, Treatment(2+i/2%2))
		}
		table.AddHolder(key, 1+i%(routers-1), Treatment(2+i/2%2), "")
		if i%10 == 1 {
			for h := range 10 {
				table.AddHolder(key, 1+(i+17*h)%(routers-1), Unsaid, "")
			}
		}
	}
	return table
}

func TestNoAllocations(t *testing.T) {
	s, _ := wide(200).Publish()
	texts := [][]byte{
		[]byte("service-2"),  // balanced, here
		[]byte("service-4"),  // closest, here
		[]byte("service-3"),  // balanced, one elsewhere
		[]byte("service-11"), // balanced, many elsewhere
		[]byte("service-21"), // closest, many elsewhere
		[]byte("amqp:/_topo/0/router-500/temp.x"),
		[]byte("amqp://host/service-7/"),
		[]byte("unknown"),
	}
	d := &Delivery{Origin: 5, Trace: []string{"0/router-5", "0/router-77"}, Mesh: "one", Conn: 3, Edge: true}
	for _, text := range texts {
		choose := func() {
			if c, ok := s.Choose(s.Find(text), d); ok {
				c.Done()
			}
		}
		choose() // the counter of the hop
		if n := testing.AllocsPerRun(100, choose); n != 0 {
			t.Errorf("%s: %v allocations for finding and choosing", text, n)
		}
		var copies []Choice
		if n := testing.AllocsPerRun(100, func() { copies = s.Multicast(s.Find(text), d, copies[:0]) }); n != 0 {
			t.Errorf("%s: %v allocations for finding and multicast", text, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = s.Looping(d.Trace) || s.Origin("0/router-5") < 0 }); n != 0 {
		t.Errorf("%v allocations for reading annotations", n)
	}
}

// BenchmarkChoose is what the first transfer of a stream costs, with 20,000
// addresses.
func BenchmarkChoose(b *testing.B) {
	s, _ := wide(20_000).Publish()
	for _, text := range []string{"service-4000", "service-4001", "service-4002", "service-4011", "amqp:/_topo/0/router-500/temp.x"} {
		b.Run(s.Names().Key(text).String(), func(b *testing.B) {
			b.ReportAllocs()
			address := []byte(text)
			d := &Delivery{Origin: 5, Trace: []string{"0/router-5"}}
			for b.Loop() {
				c, ok := s.Choose(s.Find(address), d)
				if !ok {
					b.Fatal("nobody is chosen")
				}
				c.Done()
			}
		})
	}
}

// BenchmarkPublish is what a change costs, with 20,000 addresses.
func BenchmarkPublish(b *testing.B) {
	table := wide(20_000)
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("changed=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range n {
					table.AddProducer(Key{ClassMobile, fmt.Sprintf("service-%d", i)}, Unsaid)
				}
				table.Publish()
			}
		})
	}
	b.Run("topology", func(b *testing.B) {
		b.ReportAllocs()
		top := table.network.Topology
		for b.Loop() {
			table.SetTopology(top)
			table.Publish()
		}
	})
}

// BenchmarkConcurrentChoose has all processors choose for the same address.
func BenchmarkConcurrentChoose(b *testing.B) {
	s, _ := wide(20_000).Publish()
	b.RunParallel(func(p *testing.PB) {
		d := &Delivery{Origin: 5}
		for p.Next() {
			c, _ := s.Choose(s.Find([]byte("service-4011")), d)
			c.Done()
		}
	})
}
