package network

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/vanflow"
)

// load is a simulated network: as many services as there are sites times ten at
// most, each with a listener in some sites and a connector in one.
type load struct {
	n         *Network
	now       time.Time
	sites     int
	listeners []string // identities
	routers   []string // of the listeners
	connector []string // of the services of the listeners
	next      int
}

func routerOf(site int) string { return fmt.Sprintf("%05d:0", site) }

// build makes a network of that many sites and services; each service has a
// connector and ten listeners.
func build(sites, services int, limits Limits) *load {
	l := &load{n: New(limits), now: start(), sites: sites}
	text, number := vanflow.Text, vanflow.Number
	for i := range sites {
		id, router := fmt.Sprintf("%08d-site", i), routerOf(i)
		l.n.SourceSeen(l.now, id, vanflow.SourceController)
		l.n.SourceSeen(l.now, router, vanflow.SourceRouter)
		l.n.Apply(l.now, id, []vanflow.Record{siteRecord(id, fmt.Sprint("site-", i), "linux")})
		records := routerRecords(router, id, fmt.Sprint("router-", i))
		if i > 0 {
			records = append(records, rec(
				vanflow.TypeLink, fmt.Sprintf("%05d:1", i), text(vanflow.AttrParent, router), text(vanflow.AttrRole, "inter-router"),
				text(vanflow.AttrOperStatus, "up"), number(vanflow.AttrUpTimeStamp, 1), text(vanflow.AttrPeer, "00000:2"),
			))
		}
		l.n.Apply(l.now, router, records)
	}
	for k := range services {
		key, at := fmt.Sprint("service-", k), k%sites
		connector := fmt.Sprintf("%05d:%d", at, 10_000+k)
		l.n.Apply(l.now, routerOf(at), []vanflow.Record{rec(
			vanflow.TypeConnector, connector, text(vanflow.AttrParent, routerOf(at)), number(vanflow.AttrStartTime, 3), text(vanflow.AttrProtocol, "tcp"),
			text(vanflow.AttrVanAddress, key), text(vanflow.AttrDestHost, fmt.Sprintf("10.0.%d.%d", k/250, k%250)), text(vanflow.AttrName, key),
		)})
		for j := range 10 {
			at := (k*7 + j*13) % sites
			listener := fmt.Sprintf("%05d:%d", at, 100_000+10*k+j)
			l.n.Apply(l.now, routerOf(at), []vanflow.Record{rec(
				vanflow.TypeListener, listener, text(vanflow.AttrParent, routerOf(at)), number(vanflow.AttrStartTime, 3), text(vanflow.AttrProtocol, "tcp"),
				text(vanflow.AttrVanAddress, key), text(vanflow.AttrName, key), text(vanflow.AttrDestHost, "0.0.0.0"),
			)})
			l.listeners, l.routers, l.connector = append(l.listeners, listener), append(l.routers, routerOf(at)), append(l.connector, connector)
		}
	}
	l.tick(3 * time.Second)
	return l
}

func (l *load) tick(d time.Duration) {
	l.now = l.now.Add(d)
	l.n.Tick(l.now)
}

// connect applies a connection as a router tells it: its beginning, its connector,
// its bytes and its end, in three messages.
func (l *load) connect() {
	text, number := vanflow.Text, vanflow.Number
	i := (l.next * 31) % len(l.listeners)
	id := fmt.Sprintf("%s%d", l.routers[i][:6], 1_000_000+l.next)
	l.next++
	at := uint64(l.now.UnixMicro())
	l.n.Apply(l.now, l.routers[i], []vanflow.Record{{Type: vanflow.TypeBiflowTport, Identity: id, Attributes: []vanflow.Attribute{
		text(vanflow.AttrParent, l.listeners[i]), number(vanflow.AttrStartTime, at), text(vanflow.AttrSourceHost, fmt.Sprintf("10.1.0.%d", l.next%16)),
		text(vanflow.AttrSourcePort, "40000"), number(vanflow.AttrOctets, 0), number(vanflow.AttrOctetsReverse, 0),
	}}})
	l.n.Apply(l.now, l.routers[i], []vanflow.Record{{Type: vanflow.TypeBiflowTport, Identity: id, Attributes: []vanflow.Attribute{
		number(vanflow.AttrOctets, 1000), number(vanflow.AttrLatency, 2000), text(vanflow.AttrTrace, "0/router-0"), number(vanflow.AttrOctetsReverse, 5000),
		text(vanflow.AttrConnector, l.connector[i]), number(vanflow.AttrProcessLatency, 1000),
	}}})
	l.n.Apply(l.now, l.routers[i], []vanflow.Record{{Type: vanflow.TypeBiflowTport, Identity: id, Attributes: []vanflow.Attribute{
		number(vanflow.AttrEndTime, at+5000), number(vanflow.AttrOctets, 2000), number(vanflow.AttrOctetsReverse, 9000),
	}}})
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkConnections is what a connection costs from its beginning to its end
// (three messages), by the size of the network, in steady state: 5,000 of them a
// second of the network's time, a Tick each second.
func BenchmarkConnections(b *testing.B) {
	for _, size := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("sites=%d/services=%d", size, size), func(b *testing.B) {
			before := heap()
			l := build(size, size, Limits{})
			for range 25_000 { // rows are full, from here on old ones make room
				l.connect()
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.connect()
				if i%5000 == 4999 {
					l.tick(time.Second)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
			b.ReportMetric(float64(len(l.n.Traffic())), "series")
			runtime.KeepAlive(l)
		})
	}
}

// BenchmarkLists is what the list of 20,000 connections costs when 100 are new.
func BenchmarkLists(b *testing.B) {
	for _, size := range []int{10, 1000} {
		b.Run(fmt.Sprintf("sites=%d/services=%d", size, size), func(b *testing.B) {
			l := build(size, size, Limits{})
			for range 25_000 {
				l.connect()
			}
			for b.Loop() {
				b.StopTimer()
				for range 100 {
					l.connect()
				}
				b.StartTimer()
				l.n.Connections()
			}
		})
	}
}

// TestLargeNetwork is a network under load, in a size that every run of the
// tests has time for: nothing is lost or counted twice while rows come and go.
func TestLargeNetwork(t *testing.T) {
	l := build(50, 50, Limits{Connections: 500, Requests: 500})
	const many = 1500
	for i := range many {
		l.connect()
		if i%500 == 499 {
			l.tick(time.Second)
		}
	}
	v := check(t, l.n)
	if len(v.Sites) != 50 || len(v.Services) != 50 || len(v.Listeners) != 500 || len(v.Connections) != 500 || len(v.Links) != 49 {
		t.Errorf("%d sites, %d services, %d listeners, %d connections, %d links", len(v.Sites), len(v.Services), len(v.Listeners), len(v.Connections), len(v.Links))
	}
	var opened, closed, sent, received uint64
	for _, s := range v.Traffic {
		opened, closed, sent, received = opened+s.Opened, closed+s.Closed, sent+s.Sent, received+s.Received
	}
	if opened != many || closed != many || sent != many*2000 || received != many*9000 {
		t.Errorf("%d opened, %d closed, %d sent, %d received", opened, closed, sent, received)
	}
	// What is said of one more connection costs the same in a network of any size.
	small := build(2, 2, Limits{Connections: 500, Requests: 500})
	for range 700 {
		small.connect()
	}
	few, more := testing.AllocsPerRun(200, small.connect), testing.AllocsPerRun(200, l.connect)
	if more > 2*few+20 {
		t.Errorf("%v allocations in a network of 50 sites, %v in one of 2", more, few)
	}
}
