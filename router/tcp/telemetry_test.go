package tcp

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/stream"
)

// diary is a Recorder that tells everything on a channel.
type diary struct {
	said chan string
	flow *stream.Flow
}

func newDiary() *diary { return &diary{said: make(chan string, 16)} }

func (d *diary) Identity() string { return "AbCdE:7" }
func (d *diary) Opened(f *stream.Flow) {
	d.flow = f
	d.said <- "opened"
}
func (d *diary) Answered(latency time.Duration) { d.said <- fmt.Sprintf("answered %t", latency > 0) }
func (d *diary) Connected(local net.Addr)       { d.said <- "connected from " + local.String() }
func (d *diary) Closed(err error) {
	octets := ""
	if d.flow != nil {
		octets = fmt.Sprintf(" %d/%d", d.flow.Read.Load(), d.flow.Written.Load())
	}
	d.said <- fmt.Sprintf("closed %v%s", err, octets)
	close(d.said)
}

// all returns what was said until Closed.
func (d *diary) all() string {
	var list []string
	for s := range d.said {
		list = append(list, s)
	}
	return strings.Join(list, ", ")
}

// TestTelemetry follows one stream through the recorders of both ends.
func TestTelemetry(t *testing.T) {
	t.Parallel()
	for name, passed := range map[string]string{"local": "", "pair": "0/A", "line": "0/A 0/M"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := topologies()[name](t)
			seen := make(chan string, 1)
			server := serve(t, func(c *net.TCPConn) {
				seen <- c.RemoteAddr().String()
				echo(c)
			})
			near, far := newDiary(), newDiary()
			calls := make(chan stream.Call, 1)
			top.egress.connect("svc", server, func(cfg *ConnectorConfig) {
				cfg.Arrived = func(call stream.Call) Recorder {
					calls <- call
					return far
				}
			})
			clients := make(chan Accepted, 1)
			_, address := top.ingress.listen("svc", func(cfg *ListenerConfig) {
				cfg.Observer = "http1"
				cfg.Accepted = func(a Accepted) (stream.Recorder, stream.Tap) {
					clients <- a
					return near, nil
				}
			})
			c := dial(t, address)
			fmt.Fprint(c, "hello")
			_ = c.CloseWrite()
			if got, err := io.ReadAll(c); err != nil || string(got) != "hello" {
				t.Fatalf("%q, %v", got, err)
			}
			if a := <-clients; a.Remote.String() != c.LocalAddr().String() || a.Address != "svc" || a.Observer != "http1" {
				t.Errorf("accepted %+v", a)
			}
			if call := <-calls; call.Correlation != "AbCdE:7" || strings.Join(call.Trace, " ") != passed {
				t.Errorf("arrived %+v, want trace %s", call, passed)
			}
			if got, want := near.all(), "opened, answered true, closed <nil> 5/5"; got != want {
				t.Errorf("listener's end: %s\nwant %s", got, want)
			}
			if got, want := far.all(), "connected from "+<-seen+", opened, answered true, closed <nil> 5/5"; got != want {
				t.Errorf("connector's end: %s\nwant %s", got, want)
			}
		})
	}
}

// TestTelemetryWithoutServer tells why there was no connection.
func TestTelemetryWithoutServer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"local", "pair"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := topologies()[name](t)
			server := serve(t, echo)
			far := newDiary()
			top.egress.connect("svc", server, func(cfg *ConnectorConfig) {
				cfg.Port = "no-such-service"
				cfg.Arrived = func(stream.Call) Recorder { return far }
			})
			_, address := top.ingress.listen("svc", nil)
			_, _ = io.ReadAll(dial(t, address))
			if got := far.all(); !strings.HasPrefix(got, "closed connect to "+server.IP.String()) {
				t.Errorf("connector's end: %s", got)
			}
		})
	}
}

// looker is a Tap that watches until it has seen so many bytes of either side.
type looker struct {
	limit  int
	off    atomic.Bool
	client []byte // Owned by who calls Client.
	server []byte // Owned by who calls Server.
	closed chan struct{}
}

func (l *looker) look(seen *[]byte, p []byte) {
	if !l.off.Load() {
		*seen = append(*seen, p...)
		l.off.CompareAndSwap(false, len(*seen) >= l.limit)
	}
}

func (l *looker) Client(p []byte) { l.look(&l.client, p) }
func (l *looker) Server(p []byte) { l.look(&l.server, p) }
func (l *looker) Watching() bool  { return !l.off.Load() }
func (l *looker) Closed()         { close(l.closed) }

// TestTap shows what passes, from its beginning, as long as it is watched, and
// changes nothing.
func TestTap(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	for name := range topologies() {
		for _, limit := range []int{1, 100_000, 2 * size} {
			t.Run(fmt.Sprintf("%s,%d", name, limit), func(t *testing.T) {
				t.Parallel()
				top := topologies()[name](t)
				top.egress.connect("svc", serve(t, echo), nil)
				l := &looker{limit: limit, closed: make(chan struct{})}
				said := newDiary()
				_, address := top.ingress.listen("svc", func(cfg *ListenerConfig) {
					cfg.Accepted = func(Accepted) (stream.Recorder, stream.Tap) { return said, l }
				})
				sent, err := io.ReadAll(io.LimitReader(&numbers{}, size))
				if err != nil {
					t.Fatal(err)
				}
				c := dial(t, address)
				var sending sync.WaitGroup
				sending.Go(func() {
					_, _ = c.Write(sent)
					_ = c.CloseWrite()
				})
				got, err := io.ReadAll(c)
				sending.Wait()
				if err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%d bytes came back, %v, or not those that were sent", len(got), err)
				}
				if all := said.all(); !strings.HasSuffix(all, fmt.Sprintf("closed <nil> %d/%d", size, size)) {
					t.Error(all)
				}
				<-l.closed
				for side, seen := range map[string][]byte{"client": l.client, "server": l.server} {
					if len(seen) < min(limit, size) && l.Watching() || !bytes.HasPrefix(sent, seen) {
						t.Errorf("%s: %d bytes seen, or not those that were sent", side, len(seen))
					}
				}
			})
		}
	}
}
