package conn

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// BenchmarkBytes moves bytes from one connection to another over loopback and
// mutual TLS, beside a bare pair of TLS connections with 32 KiB pieces, in turns.
// It reports the throughput of ours, and how much of the pair's throughput and
// CPU per byte that is.
func BenchmarkBytes(b *testing.B) {
	for _, streams := range []int{1, 8} {
		for _, size := range []int{session.BufferMedium, session.BufferLarge} {
			b.Run(map[int]string{1: "1 stream, ", 8: "8 streams, "}[streams]+map[bool]string{true: "16 KiB", false: "64 KiB"}[size == session.BufferMedium], func(b *testing.B) {
				benchBytes(b, streams, size)
			})
		}
	}
}

func benchBytes(b *testing.B, streams, size int) {
	const total = 256 << 20
	ca := newAuthority(b, "ca")
	id := ca.identity("leaf", leaf{dns: []string{"localhost"}})
	var ours, bare measurement
	for range b.N {
		bare.add(func() { bareTLS(b, id, streams, total) })
		ours.add(func() { overConn(b, id, streams, size, total) })
	}
	b.ReportMetric(float64(total)*float64(b.N)/ours.wall.Seconds()/1e6, "MB/s")
	b.ReportMetric(bare.wall.Seconds()/ours.wall.Seconds(), "×throughput")
	b.ReportMetric(ours.cpu.Seconds()/bare.cpu.Seconds(), "×cpu")
	b.ReportMetric(ours.cpu.Seconds()/(float64(total)*float64(b.N)/1e9), "cpu-s/GB")
	b.ReportMetric(0, "ns/op")
}

type measurement struct{ wall, cpu time.Duration }

func (m *measurement) add(f func()) {
	begin, used := time.Now(), cpuTime()
	f()
	m.wall += time.Since(begin)
	m.cpu += cpuTime() - used
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func loopback(b testing.TB) (x, y net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	x, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	y, err = ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	return x, y
}

// bareTLS moves total bytes over one TLS connection for each stream.
func bareTLS(b *testing.B, id *Identity, streams, total int) {
	var wg sync.WaitGroup
	for range streams {
		x, y := loopback(b)
		client, server := tls.Client(x, id.Client("localhost", true)), tls.Server(y, id.Server(true))
		wg.Go(func() {
			buf := make([]byte, 32<<10)
			for left := total / streams; left > 0; left -= len(buf) {
				if _, err := client.Write(buf); err != nil {
					b.Error(err)
					return
				}
			}
			_ = client.Close()
		})
		wg.Go(func() {
			buf := make([]byte, 32<<10)
			_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{server}, buf)
			_ = server.Close()
		})
	}
	wg.Wait()
}

// overConn moves total bytes as deliveries over one connection.
func overConn(b *testing.B, id *Identity, streams, size, total int) {
	x, y := loopback(b)
	done := make(chan struct{}, streams)
	recv := &owner{begin: func(r *Receiving) Sink { return &ackingSink{r: r, done: done} }}
	send := &owner{}
	ctx, cancel := context.WithCancel(context.Background())
	client := New(x, Config{Client: true, TLS: id.Client("localhost", true), Open: amqp.Open{ContainerID: "a"}}, send)
	server := New(y, Config{TLS: id.Server(true), Open: amqp.Open{ContainerID: "b"}}, recv)
	var wg sync.WaitGroup
	for _, c := range []*Conn{client, server} {
		wg.Go(func() {
			if err := c.Run(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	var pumps sync.WaitGroup
	for range streams {
		pumps.Go(func() { pump(client.StreamLink(false), send, size, total/streams) })
	}
	pumps.Wait()
	if send.took() == "opened b" {
		for range streams {
			<-done
		}
	}
	cancel()
	wg.Wait()
}

// pump sends n bytes in buffers of size, at most two waiting.
func pump(l *Link, o *owner, size, n int) {
	out := &outcome{o: o, ready: make(chan struct{}, 1), lost: make(chan struct{})}
	s := l.Send(out, false)
	s.Inline = true
	for n > 0 {
		for s.Queued() >= 2 {
			select {
			case <-out.ready:
			case <-out.lost:
				return
			}
		}
		buf := session.GetBuffer(size)
		k := min(n, size)
		buf.Grow(k)
		n -= k
		s.Write(buf, n > 0)
	}
}

// ackingSink acknowledges every 128 KiB, as a stream does.
type ackingSink struct {
	r           *Receiving
	n, reported uint64
	done        chan struct{}
}

func (k *ackingSink) Transfer(p []byte, more bool) {
	k.n += uint64(len(p))
	switch {
	case !more:
		k.r.Update(amqp.State{Code: amqp.StateAccepted}, true)
		k.done <- struct{}{}
	case k.n-k.reported >= 128<<10:
		k.reported = k.n
		k.r.Update(amqp.State{Code: amqp.StateReceived, Offset: k.n}, false)
	}
}
func (k *ackingSink) Settled(amqp.State) {}
func (k *ackingSink) Abort()             {}
func (k *ackingSink) Lost(error)         {}
