package conn

import (
	"context"
	"crypto/tls"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// BenchmarkEcho sends 64 octets there and back, one at a time, beside a bare TLS
// connection. It reports the median of ours and how much of the pair's that is.
func BenchmarkEcho(b *testing.B) {
	const rounds = 5000
	id := newAuthority(b, "ca").identity("leaf", leaf{dns: []string{"localhost"}})
	var ours, bare []time.Duration
	for range b.N {
		bare = append(bare, echoTLS(b, id, rounds)...)
		ours = append(ours, echoConn(b, id, rounds)...)
	}
	slices.Sort(ours)
	slices.Sort(bare)
	o, p := ours[len(ours)/2], bare[len(bare)/2]
	b.ReportMetric(float64(o.Nanoseconds())/1e3, "µs-p50")
	b.ReportMetric(float64(o)/float64(p), "×pair")
	b.ReportMetric(0, "ns/op")
}

func echoTLS(b *testing.B, id *Identity, rounds int) (took []time.Duration) {
	x, y := loopback(b)
	client, server := tls.Client(x, id.Client("localhost", true)), tls.Server(y, id.Server(true))
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.CopyBuffer(struct{ io.Writer }{server}, struct{ io.Reader }{server}, make([]byte, 1024))
	})
	buf := make([]byte, 64)
	for range rounds {
		begin := time.Now()
		_, _ = client.Write(buf)
		_, _ = io.ReadFull(client, buf)
		took = append(took, time.Since(begin))
	}
	_ = client.Close()
	wg.Wait()
	return took
}

func echoConn(b *testing.B, id *Identity, rounds int) (took []time.Duration) {
	x, y := loopback(b)
	there, back := make(chan []byte, 1), make(chan []byte, 1)
	hand := func(ch chan []byte) *owner {
		return &owner{begin: func(*Receiving) Sink { return handOver(ch) }}
	}
	a := New(x, Config{Client: true, TLS: id.Client("localhost", true), Open: amqp.Open{ContainerID: "a"}}, hand(back))
	c := New(y, Config{TLS: id.Server(true), Open: amqp.Open{ContainerID: "b"}}, hand(there))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.Run(ctx) })
	wg.Go(func() { _ = c.Run(ctx) })
	begin := func(c *Conn) *Sending {
		s := c.StreamLink(false).Send(&outcome{o: &owner{}}, false)
		s.Inline = true
		return s
	}
	wg.Go(func() {
		s := begin(c)
		for p := range there {
			write(s, p)
		}
	})
	s := begin(a)
	buf := make([]byte, 64)
	for range rounds {
		begin := time.Now()
		write(s, buf)
		<-back
		took = append(took, time.Since(begin))
	}
	close(there)
	cancel()
	wg.Wait()
	return took
}

func write(s *Sending, p []byte) {
	buf := session.GetBuffer(len(p))
	buf.Append(p)
	s.Write(buf, true)
}

// handOver gives each payload to another goroutine, as the kernel does between
// a router and its client.
type handOver chan []byte

func (h handOver) Transfer(p []byte, _ bool) { h <- p }
func (h handOver) Settled(amqp.State)        {}
func (h handOver) Abort()                    {}
func (h handOver) Lost(error)                {}
