package api

import (
	"fmt"
	"slices"
	"testing"
	"time"

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

// BenchmarkLargeNetwork asks for what a console asks for, in a network of 1,000
// sites and 1,000 services with 100,000 listeners and 20,000 connections, of
// which some change between the requests.
func BenchmarkLargeNetwork(b *testing.B) {
	n := large(b, 1000, 1000, 20_000)
	h := handler(n)
	if got := [...]int{len(n.Sites()), len(n.Services()), len(n.Listeners()), len(n.Connections())}; got != [...]int{1000, 1000, 100_000, 20_000} {
		b.Fatalf("sites, services, listeners, connections: %v", got)
	}
	one := n.Services()[500].Identity
	for _, target := range []string{
		"sites", "routerlinks", "sitepairs", "services?limit=20&sortBy=name.asc", "services/" + one, "services/" + one + "/processpairs?limit=20",
		"listeners?serviceId=" + one, "listeners?limit=20&sortBy=name.desc", "listeners?limit=0&routingKey=service-7", "processes?limit=20", "processpairs?limit=20",
		"connections?limit=20&sortBy=startTime.desc", "connections?limit=0&state=active", "connections?limit=20&routingKey=service-77", "sources?limit=20",
	} {
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
