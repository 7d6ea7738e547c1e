package tcp

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// topology is where clients and servers are.
type topology struct {
	ingress, egress *testRouter
	cut             func() // the (last) connection between the routers
}

// topologies are the ways that a stream can go.
func topologies() map[string]func(t testing.TB) topology {
	return map[string]func(t testing.TB) topology{
		"local": func(t testing.TB) topology {
			a := newTestRouter(t, "A")
			return topology{ingress: a, egress: a}
		},
		"pair": func(t testing.TB) topology {
			a, b := newTestRouter(t, "A"), newTestRouter(t, "B")
			a.routes["svc"] = "B"
			return topology{a, b, link(t, a, b, 0)}
		},
		"line": func(t testing.TB) topology {
			a, m, b := newTestRouter(t, "A"), newTestRouter(t, "M"), newTestRouter(t, "B")
			a.routes["svc"], m.routes["svc"] = "M", "B"
			link(t, a, m, 0)
			cut := link(t, m, b, 0)
			a.trunks["B"], b.trunks["A"] = a.trunks["M"], b.trunks["M"]
			return topology{a, b, cut}
		},
	}
}

// eachWay runs f over each topology, with plain sockets and with TLS at both
// ends.
func eachWay(t *testing.T, f func(t *testing.T, top topology, open func(serve func(c duplex)) duplex)) {
	for name, build := range topologies() {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,tls=%v", name, secure), func(t *testing.T) {
				t.Parallel()
				top := build(t)
				f(t, top, top.opener(t, secure))
			})
		}
	}
}

// duplex is what clients and servers use: a TCP or TLS connection.
type duplex interface {
	net.Conn
	CloseWrite() error
}

// opener returns a function that opens a stream to a server of its own.
func (top topology) opener(t *testing.T, secure bool) func(serve func(c duplex)) duplex {
	return func(handle func(c duplex)) duplex {
		server := serve(t, func(c *net.TCPConn) { handle(asServer(t, c, secure)) })
		top.egress.connect("svc", server, func(c *ConnectorConfig) {
			if secure {
				c.TLS = clientTLS(t)
			}
		})
		_, address := top.ingress.listen("svc", func(c *ListenerConfig) {
			if secure {
				c.TLS = serverConfig(t)
			}
		})
		return asClient(t, dial(t, address), secure)
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, _ topology, open func(func(duplex)) duplex) {
		c := open(func(c duplex) {
			_, _ = io.Copy(c, c)
			_ = c.CloseWrite()
		})
		for i := range 10 {
			want := fmt.Sprintf("message %d", i)
			fmt.Fprint(c, want)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
				t.Fatalf("%q, %v, want %q", got, err, want)
			}
		}
		_ = c.CloseWrite()
		if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
			t.Errorf("%q, %v at the end", rest, err)
		}
	})
}

func TestServerSpeaksFirst(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, _ topology, open func(func(duplex)) duplex) {
		c := open(func(c duplex) {
			fmt.Fprint(c, "220 ready\r\n")
			_, _ = io.Copy(io.Discard, c)
		})
		got := make([]byte, 11)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "220 ready\r\n" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestHalfClose(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, _ topology, open func(func(duplex)) duplex) {
		c := open(func(c duplex) {
			b, err := io.ReadAll(c)
			fmt.Fprintf(c, "got %d, %v", len(b), err)
			_ = c.CloseWrite()
		})
		_, _ = c.Write(make([]byte, 100_000))
		_ = c.CloseWrite()
		got, err := io.ReadAll(c)
		if want := "got 100000, <nil>"; err != nil || string(got) != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	})
}

func TestHalfCloseByServer(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, _ topology, open func(func(duplex)) duplex) {
		got := make(chan int, 1)
		c := open(func(c duplex) {
			fmt.Fprint(c, "bye")
			_ = c.CloseWrite()
			b, _ := io.ReadAll(c)
			got <- len(b)
		})
		if b, err := io.ReadAll(c); err != nil || string(b) != "bye" {
			t.Fatalf("%q, %v", b, err)
		}
		_, _ = c.Write(make([]byte, 100_000))
		_ = c.CloseWrite()
		if n := <-got; n != 100_000 {
			t.Errorf("server got %d bytes after its end", n)
		}
	})
}

// TestBulk sends checksummed bytes both ways at once: 1 GiB with
// SKUPPER_TEST_BULK=full, otherwise less.
func TestBulk(t *testing.T) {
	t.Parallel()
	size := int64(24 << 20)
	if os.Getenv("SKUPPER_TEST_BULK") == "full" {
		size = 1 << 30
	}
	if testing.Short() {
		size = 4 << 20
	}
	eachWay(t, func(t *testing.T, _ topology, open func(func(duplex)) duplex) {
		sums := make(chan uint32, 1)
		c := open(func(c duplex) {
			var sent sync.WaitGroup
			sent.Go(func() {
				_, _ = io.Copy(c, io.LimitReader(&numbers{seed: 1}, size))
				_ = c.CloseWrite()
			})
			h := crc32.NewIEEE()
			_, _ = io.Copy(h, c)
			sums <- h.Sum32()
			sent.Wait()
		})
		var sent sync.WaitGroup
		sent.Go(func() {
			_, _ = io.Copy(c, io.LimitReader(&numbers{seed: 2}, size))
			_ = c.CloseWrite()
		})
		h := crc32.NewIEEE()
		n, err := io.Copy(h, c)
		if err != nil || n != size || h.Sum32() != sum(1, size) {
			t.Errorf("download: %d of %d bytes, %v, or not what was sent", n, size, err)
		}
		if <-sums != sum(2, size) {
			t.Error("upload: not what was sent")
		}
		sent.Wait()
	})
}

// numbers yields bytes that repeat after a length that no buffer has.
type numbers struct{ seed, at int }

func (r *numbers) Read(p []byte) (n int, err error) {
	block := numberBlock()
	for n < len(p) {
		n += copy(p[n:], block[(r.seed*1000+r.at+n)%len(block):])
	}
	r.at += n
	return n, nil
}

var numberBlock = sync.OnceValue(func() []byte {
	block := make([]byte, 1_000_003)
	x := uint32(1)
	for i := range block {
		x = x*1664525 + 1013904223
		block[i] = byte(x >> 24)
	}
	return block
})

func sum(seed int, size int64) uint32 {
	h := crc32.NewIEEE()
	_, _ = io.Copy(h, io.LimitReader(&numbers{seed: seed}, size))
	return h.Sum32()
}

// TestReset: what one side drops is dropped at the other.
func TestReset(t *testing.T) {
	t.Parallel()
	for name, build := range topologies() {
		for _, byClient := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s,client=%v", name, byClient), func(t *testing.T) {
				t.Parallel()
				servers := make(chan *net.TCPConn, 1)
				release := make(chan struct{})
				top := build(t)
				client := top.opener(t, false)(func(c duplex) {
					servers <- c.(*net.TCPConn)
					<-release
				}).(*net.TCPConn)
				defer close(release)
				server := <-servers
				exchange(t, client, server)
				from, to := client, server
				if !byClient {
					from, to = server, client
				}
				_ = from.SetLinger(0)
				_ = from.Close()
				if _, err := io.ReadAll(to); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the other side sees %v, want a reset", err)
				}
			})
		}
	}
}

// exchange sends a byte each way.
func exchange(t *testing.T, a, b net.Conn) {
	t.Helper()
	for _, c := range []struct{ from, to net.Conn }{{a, b}, {b, a}} {
		fmt.Fprint(c.from, "x")
		if _, err := io.ReadFull(c.to, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestResetWhileStalled: a client that goes away while the server reads
// nothing is noticed, though the window allows no more to be read.
func TestResetWhileStalled(t *testing.T) {
	t.Parallel()
	for name, build := range topologies() {
		if name == "local" {
			continue // nothing but the kernel's buffers in between
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stall, stalled := make(chan struct{}), make(chan error, 1)
			client := build(t).opener(t, false)(func(c duplex) {
				_, _ = c.Write([]byte("x")) // then the stream is open
				<-stall
				_, err := io.Copy(io.Discard, c)
				stalled <- err
			}).(*net.TCPConn)
			if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			_ = client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			for {
				if _, err := client.Write(make([]byte, 1<<20)); err != nil {
					break
				}
			}
			_ = client.SetLinger(0)
			_ = client.Close()
			close(stall)
			if err := <-stalled; !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("server sees %v, want a reset", err)
			}
		})
	}
}

func TestHopLost(t *testing.T) {
	t.Parallel()
	for name, build := range topologies() {
		if name == "local" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := build(t)
			servers := make(chan duplex, 1)
			release := make(chan struct{})
			client := top.opener(t, false)(func(c duplex) {
				servers <- c
				<-release
			})
			defer close(release)
			server := <-servers
			exchange(t, client, server)
			top.cut()
			for side, c := range map[string]duplex{"client": client, "server": server} {
				if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%s sees %v, want a reset", side, err)
				}
			}
		})
	}
}

// TestRefused: the client is closed in order, and the connector says why.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, build := range topologies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := build(t)
			k := top.egress.connect("svc", deadPort(t), nil)
			_, address := top.ingress.listen("svc", nil)
			if b, err := io.ReadAll(dial(t, address)); err != nil || len(b) > 0 {
				t.Errorf("client sees %q, %v", b, err)
			}
			if err := k.Status().LastError; err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("last error %v", err)
			}
		})
	}
}

// deadPort returns an address where nobody listens.
func deadPort(t testing.TB) *net.TCPAddr {
	t.Helper()
	c, s := loopback(t)
	_ = s.Close()
	return c.LocalAddr().(*net.TCPAddr) // taken, and not by a listener
}

// TestAnotherServer: a router that cannot reach its server is not the end of
// it, whatever the client has already sent.
func TestAnotherServer(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"BC", "AB", "BA", "AA"} { // A is the client's own router
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			a := newTestRouter(t, "A")
			alive := serve(t, echo)
			o := &inOrder{testRouter: a, order: order}
			for i, server := range []*net.TCPAddr{deadPort(t), alive} {
				r := a
				if name := order[i : i+1]; name != "A" {
					r = newTestRouter(t, name)
					link(t, a, r, 0)
				}
				r.connect("svc", server, nil)
			}
			_, address := a.listen("svc", func(c *ListenerConfig) { c.Stream.Opener = o })
			c := dial(t, address)
			fmt.Fprint(c, "hello")
			_ = c.CloseWrite()
			if b, err := io.ReadAll(c); err != nil || string(b) != "hello" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

// TestManyAtOnce: 500 streams over one connection.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	for name, build := range topologies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := build(t)
			k := top.egress.connect("svc", serve(t, echo), nil)
			l, address := top.ingress.listen("svc", nil)
			const streams = 500
			var done sync.WaitGroup
			for i := range streams {
				c := dial(t, address)
				done.Go(func() {
					want := make([]byte, 1+i*100)
					_, _ = (&numbers{seed: i}).Read(want)
					_, _ = c.Write(want)
					_ = c.CloseWrite()
					if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
						t.Errorf("stream %d: %d of %d bytes, %v", i, len(got), len(want), err)
					}
				})
			}
			done.Wait()
			settle(t, func() bool { return l.Status().Active() == 0 && k.Status().Active() == 0 })
			if n := l.Status().Opened; n != streams {
				t.Errorf("listener counts %d", n)
			}
			if n := k.Status().Opened; n != streams {
				t.Errorf("connector counts %d", n)
			}
			if r, w := l.Status().Read, k.Status().Written; r != w || r != streams+100*streams*(streams-1)/2 {
				t.Errorf("%d bytes from clients, %d to servers", r, w)
			}
		})
	}
}

// settle waits for something that follows by itself.
func settle(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 10_000 {
		if ok() {
			return
		}
		<-tick.C
	}
	t.Fatal("did not come to rest")
}

// TestSlowReaderBesideOthers: whoever does not read stops nobody else on the
// same connection, and gets everything when it reads again.
func TestSlowReaderBesideOthers(t *testing.T) {
	t.Parallel()
	for name, build := range topologies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const size = 16 << 20
			top := build(t)
			top.egress.connect("svc", serve(t, func(c *net.TCPConn) {
				first := make([]byte, 1)
				if _, err := io.ReadFull(c, first); err == nil && first[0] == 's' {
					_, _ = io.Copy(c, io.LimitReader(&numbers{seed: 7}, size))
					_ = c.CloseWrite()
					return
				}
				echo(c)
			}), nil)
			_, address := top.ingress.listen("svc", nil)
			var slow []*net.TCPConn
			for range 4 {
				c := dial(t, address)
				fmt.Fprint(c, "s")
				slow = append(slow, c)
			}
			for range 50 {
				c := dial(t, address)
				fmt.Fprint(c, "fast")
				_ = c.CloseWrite()
				if got, err := io.ReadAll(c); err != nil || string(got) != "ast" {
					t.Fatalf("%q, %v beside readers that do not read", got, err)
				}
			}
			for _, c := range slow {
				h := crc32.NewIEEE()
				if n, err := io.Copy(h, c); err != nil || n != size || h.Sum32() != sum(7, size) {
					t.Errorf("%d bytes, %v after the pause", n, err)
				}
				_ = c.Close()
			}
		})
	}
}

// TestStallsAndResumes: a reader that stops for random times, in the middle of
// anything, gets everything.
func TestStallsAndResumes(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, _ topology, open func(func(duplex)) duplex) {
		const size = 6 << 20
		c := open(func(c duplex) {
			_, _ = io.Copy(c, io.LimitReader(&numbers{seed: 3}, size))
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		})
		h := crc32.NewIEEE()
		buf := make([]byte, 64<<10)
		pause := time.NewTicker(2 * time.Millisecond)
		defer pause.Stop()
		n := 0
		for {
			if rand.IntN(8) == 0 {
				<-pause.C
			}
			k, err := c.Read(buf[:1+rand.IntN(len(buf))])
			h.Write(buf[:k])
			if n += k; err != nil {
				if err != io.EOF || n != size || h.Sum32() != sum(3, size) {
					t.Errorf("%d of %d bytes, %v", n, size, err)
				}
				return
			}
		}
	})
}

// TestStreamBeforeRun: a stream that comes before its connector runs waits for
// that.
func TestStreamBeforeRun(t *testing.T) {
	t.Parallel()
	for name, build := range topologies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := build(t)
			k := top.egress.connector("svc", serve(t, echo), nil)
			_, address := top.ingress.listen("svc", nil)
			c := dial(t, address)
			fmt.Fprint(c, "hello")
			_ = c.CloseWrite()
			soon(t, "the stream is there", func() bool { return k.roster.counters().Opened == 1 })
			start(t, k.Run)
			if b, err := io.ReadAll(c); err != nil || string(b) != "hello" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}
