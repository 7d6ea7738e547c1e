package router

import (
	"net"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/stream"
	"github.com/skupper-host/skupper/router/tcp"
	"github.com/skupper-host/skupper/router/vanflow"
)

// BenchmarkFlow is what the records of one connection cost both routers, from
// its first byte to its end: while nobody wants to know, and with a collector
// that is told of each, messages between the routers included.
func BenchmarkFlow(b *testing.B) {
	for name, listening := range map[string]bool{"nobody": false, "collector": true} {
		b.Run(name, func(b *testing.B) {
			start := time.Now()
			near := vanflow.NewRouter(start, vanflow.RouterConfig{Prefix: "near1", RouterID: "near", Mode: "interior"})
			far := vanflow.NewRouter(start, vanflow.RouterConfig{Prefix: "far-1", RouterID: "far", Mode: "interior"})
			s := &service{}
			s.records.Store(&map[string]*vanflow.Listener{"svc": near.Listener(start, "in", "127.0.0.1", "80", "svc")})
			k := &connectorService{record: far.Connector(start, "out", "127.0.0.1", "81", "svc", "")}
			client, local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000}
			trace := []string{"0/near"}
			usable := func(address string) bool { return listening || address == near.CoRecordAddress() }
			octets, now := 0, start
			b.ReportAllocs()
			for i := 1; b.Loop(); i++ {
				in, _ := s.accepted(tcp.Accepted{Address: "svc", Remote: client, Observer: config.ObserverAuto})
				if in == nil {
					b.Fatal("a connection without a record")
				}
				out := k.arrived(stream.Call{Correlation: in.Identity(), Trace: trace})
				out.Connected(local)
				var up, down stream.Flow
				in.Opened(&up)
				out.Opened(&down)
				up.Read.Add(5)
				in.Answered(time.Millisecond)
				out.Answered(time.Millisecond)
				in.Closed(nil)
				out.Closed(nil)
				if i%1000 != 0 {
					continue
				}
				// The records' time is up.
				now = now.Add(time.Minute)
				for _, p := range far.Step(now, usable).Send {
					octets += len(p.Payload)
					near.CoRecords(p.Payload)
				}
				for _, p := range near.Step(now, usable).Send {
					octets += len(p.Payload)
				}
			}
			b.ReportMetric(float64(octets)/float64(b.N), "octets/op")
		})
	}
}

// BenchmarkObserved is what looking at one request and its response costs, its
// record included: while nobody wants to know, and with a collector.
func BenchmarkObserved(b *testing.B) {
	ask := []byte("GET /64 HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n")
	answer := append([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 64\r\n\r\n"), make([]byte, 64)...)
	for name, listening := range map[string]bool{"nobody": false, "collector": true} {
		b.Run(name, func(b *testing.B) {
			now := time.Now()
			near := vanflow.NewRouter(now, vanflow.RouterConfig{Prefix: "near1", RouterID: "near", Mode: "interior"})
			s := &service{}
			s.records.Store(&map[string]*vanflow.Listener{"svc": near.Listener(now, "in", "127.0.0.1", "80", "svc")})
			usable := func(string) bool { return listening }
			near.Step(now, usable)
			client := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}
			_, tap := s.accepted(tcp.Accepted{Address: "svc", Remote: client, Observer: config.ObserverAuto})
			b.ReportAllocs()
			for i := 1; b.Loop(); i++ {
				tap.Client(ask)
				tap.Server(answer)
				if i%10_000 == 0 { // of a second
					now = now.Add(time.Second)
					near.Step(now, usable)
				}
			}
			if !tap.Watching() {
				b.Error("it could not be read")
			}
		})
	}
}
