package api

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/router/vanflow"
)

// large is a network of so many sites and services: each site has a router that
// is linked to the one before, listeners of a hundred services and a connector
// of one, and connections to it from the site before.
func large(b *testing.B, sites, services, connections int) *network.Network {
	b.Helper()
	n := network.New(network.Limits{})
	now := time.Now()
	text, number := vanflow.Text, vanflow.Number
	started := number(vanflow.AttrStartTime, uint64(now.Add(-time.Hour).UnixMicro()))
	rec := func(kind vanflow.Type, id string, attributes ...vanflow.Attribute) vanflow.Record {
		r := vanflow.Record{Type: kind, Identity: id}
		for _, a := range append(attributes, started) {
			r.Set(a)
		}
		return r
	}
	router := func(i int) string { return fmt.Sprintf("%05d", i%sites) }
	service := func(i int) string { return fmt.Sprintf("service-%d", i%services) }
	for i := range sites {
		id, host := router(i), fmt.Sprintf("10.%d.%d.1", i/250, i%250)
		all := []vanflow.Record{
			rec(vanflow.TypeSite, "site-"+id, text(vanflow.AttrName, fmt.Sprintf("site %d", i)), text(vanflow.AttrPlatform, "linux"), text(vanflow.AttrBuildVersion, "2.2")),
			rec(vanflow.TypeRouter, id+":0", text(vanflow.AttrParent, "site-"+id), text(vanflow.AttrName, "0/"+id), text(vanflow.AttrMode, "interior")),
			rec(vanflow.TypeRouterAccess, id+":1", text(vanflow.AttrParent, id+":0"), text(vanflow.AttrName, "access"), text(vanflow.AttrRole, "inter-router")),
			rec(vanflow.TypeLink, id+":2", text(vanflow.AttrParent, id+":0"), text(vanflow.AttrName, "link"), text(vanflow.AttrRole, "inter-router"),
				text(vanflow.AttrOperStatus, "up"), text(vanflow.AttrPeer, router(i+1)+":1"), number(vanflow.AttrLinkCost, 1)),
			rec(vanflow.TypeConnector, id+":3", text(vanflow.AttrParent, id+":0"), text(vanflow.AttrVanAddress, service(i)), text(vanflow.AttrProtocol, "tcp"),
				text(vanflow.AttrName, "connector"), text(vanflow.AttrDestHost, host), text(vanflow.AttrDestPort, "80")),
		}
		for l := range 100 {
			all = append(all, rec(vanflow.TypeListener, fmt.Sprintf("%s:%d", id, 10+l), text(vanflow.AttrParent, id+":0"), text(vanflow.AttrVanAddress, service(i+1+l)),
				text(vanflow.AttrProtocol, "tcp"), text(vanflow.AttrName, service(i+1+l)), text(vanflow.AttrDestHost, "127.0.0.1"), text(vanflow.AttrDestPort, fmt.Sprint(20000+l))))
		}
		n.Apply(now, id+":0", all)
	}
	n.Tick(now)
	n.Tick(now.Add(20 * time.Second))
	for i := range connections {
		from := i % sites
		id := router(from)
		r := rec(vanflow.TypeBiflowTport, fmt.Sprintf("%s:%d", id, 1000+i), text(vanflow.AttrParent, id+":10"), text(vanflow.AttrConnector, router(from+1)+":3"),
			text(vanflow.AttrSourceHost, fmt.Sprintf("192.0.2.%d", i%3)), text(vanflow.AttrSourcePort, fmt.Sprint(i)), number(vanflow.AttrOctets, 100))
		n.Apply(now, id+":0", []vanflow.Record{r})
	}
	for i := range 30 {
		n.Tick(now.Add(time.Duration(20+i) * time.Second))
	}
	return n
}

// asked is what a console asks for, of a service as well.
func asked(service string) []string {
	return []string{
		"sites", "routerlinks", "sitepairs", "services?limit=20&sortBy=name.asc", "services/" + service, "services/" + service + "/processpairs?limit=20",
		"listeners?serviceId=" + service, "listeners?limit=20&sortBy=name.desc", "listeners?limit=0&routingKey=service-7", "processes?limit=20", "processpairs?limit=20",
		"connections?limit=20&sortBy=startTime.desc", "connections?limit=0&state=active", "connections?limit=20&routingKey=service-77", "sources?limit=20",
	}
}

// BenchmarkLargeNetwork asks for what a console asks for, in a network of 1,000
// sites and 1,000 services with 100,000 listeners and 20,000 connections, of
// which some change between the requests.
func BenchmarkLargeNetwork(b *testing.B) {
	n := large(b, 1000, 1000, 20_000)
	h := handler(n)
	if got := [...]int{len(n.Sites()), len(n.Services()), len(n.Listeners()), len(n.Connections())}; got != [...]int{1000, 1000, 100_000, 20_000} {
		b.Fatalf("sites, services, listeners, connections: %v", got)
	}
	for _, target := range asked(n.Services()[500].Identity) {
		b.Run(target, func(b *testing.B) {
			var took []time.Duration
			i := 0
			for b.Loop() {
				i++
				id := fmt.Sprintf("%05d", i%1000)
				n.Apply(time.Now(), id+":0", []vanflow.Record{{
					Type: vanflow.TypeBiflowTport, Identity: fmt.Sprintf("%s:%d", id, 1000+i%1000), Attributes: []vanflow.Attribute{vanflow.Number(vanflow.AttrOctets, uint64(1000+i))},
				}})
				begun := time.Now()
				if w := get(h, Prefix+"/"+target); w.Code != 200 {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// Of BenchmarkBusyNetwork: connections a second, each from its beginning to its
// end, and requests a second.
const (
	busyConnections = 5000
	busyRequests    = 100
)

// busy has connections come and go until it is stopped: each is a beginning, its
// connector with its octets, and an end, in messages as routers send them.
func busy(b *testing.B, n *network.Network, sites int) (stop func() (made int)) {
	b.Helper()
	text, number := vanflow.Text, vanflow.Number
	apply := func(to string, r vanflow.Record) {
		for _, p := range vanflow.AppendRecords(nil, to, 1, []vanflow.Record{r}) {
			m, err := vanflow.Decode(p.Payload)
			if err != nil {
				b.Error(err)
				return
			}
			n.Apply(time.Now(), to[len("mc/sfe."):]+":0", m.Records)
		}
	}
	over, ended := make(chan struct{}), make(chan int)
	go func() {
		made, begun, second := 0, time.Now(), time.Now()
		every := time.NewTicker(time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-over:
				ended <- made
				return
			case now := <-every.C:
				for due := int(now.Sub(begun).Seconds() * busyConnections); made < due; made++ {
					from := fmt.Sprintf("%05d", made%sites)
					id, at := fmt.Sprintf("%s:%d", from, 1_000_000+made), uint64(now.UnixMicro())
					for _, attributes := range [][]vanflow.Attribute{
						{text(vanflow.AttrParent, from+":10"), number(vanflow.AttrStartTime, at), text(vanflow.AttrSourceHost, fmt.Sprintf("192.0.2.%d", made%16)), text(vanflow.AttrSourcePort, "40000")},
						{text(vanflow.AttrConnector, fmt.Sprintf("%05d:3", (made+1)%sites)), number(vanflow.AttrOctets, 1000), number(vanflow.AttrOctetsReverse, 5000), number(vanflow.AttrLatency, 2000)},
						{number(vanflow.AttrEndTime, at+5000), number(vanflow.AttrOctets, 2000)},
					} {
						r := vanflow.Record{Type: vanflow.TypeBiflowTport, Identity: id}
						for _, a := range attributes {
							r.Set(a)
						}
						apply("mc/sfe."+from, r)
					}
				}
				if now.Sub(second) >= time.Second {
					n.Tick(now)
					second = now
				}
			}
		}
	}()
	return func() int {
		close(over)
		return <-ended
	}
}

// BenchmarkBusyNetwork asks for the same a hundred times a second while 5,000
// connections a second come and go, by the size of the network. The CPU is that of
// all of it, encoding included.
func BenchmarkBusyNetwork(b *testing.B) {
	for _, size := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("sites=%d/services=%d", size, size), func(b *testing.B) {
			n := large(b, size, size, 20_000)
			h, targets := handler(n), asked(n.Services()[size/2].Identity)
			stop := busy(b, n, size)
			begun, used := time.Now(), cpu(b)
			var took []time.Duration
			every := time.NewTicker(time.Second / busyRequests)
			defer every.Stop()
			for i := 0; b.Loop(); i++ {
				<-every.C
				asked := time.Now()
				if w := get(h, Prefix+"/"+targets[i%len(targets)]); w.Code != 200 {
					b.Fatalf("%s: %d %s", targets[i%len(targets)], w.Code, w.Body)
				}
				took = append(took, time.Since(asked))
			}
			used = cpu(b) - used
			elapsed := time.Since(begun).Seconds()
			made := stop()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(made)/elapsed, "connections/s")
			b.ReportMetric(used.Seconds()/elapsed*100, "%CPU")
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB")
			runtime.KeepAlive(n)
		})
	}
}

// cpu is what this process has used so far.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
