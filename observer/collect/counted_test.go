package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/observer/api"
	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/metrics"
)

// tally is what clients of a service did, or what is said of it: keys are what is
// counted.
type tally map[string]uint64

// wire counts what a client sends and gets through its connections, below HTTP.
type wire struct {
	opened, sent, received atomic.Uint64
	open                   atomic.Int64
	ends                   sync.WaitGroup
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.opened.Add(1)
	w.open.Add(1)
	return &tap{TCPConn: c.(*net.TCPConn), wire: w}, nil
}

// tap is a connection that ends so that nothing of it is lost: what the
// server still says after its client has no more to say is read, and counts.
type tap struct {
	*net.TCPConn
	wire *wire
	once sync.Once
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.wire.received.Add(uint64(n))
	return n, err
}

func (c *tap) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.wire.sent.Add(uint64(n))
	return n, err
}

// WriteTo and ReadFrom go through Read and Write.
func (c *tap) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}

func (c *tap) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, r)
}

func (c *tap) Close() error {
	c.once.Do(func() {
		_ = c.CloseWrite()                              // the server may have ended it
		_ = c.SetReadDeadline(time.Now().Add(patience)) // a TCP connection has deadlines
		c.wire.ends.Go(func() {
			defer c.wire.open.Add(-1)
			_, _ = io.Copy(io.Discard, struct{ io.Reader }{c}) // until the server ends it
			_ = c.TCPConn.Close()
		})
	})
	return nil
}

// reach waits until a listener takes connections, which it does when there is a
// way to a server. The connection that shows it counts as any other.
func (w *wire) reach(t *testing.T, port int) {
	t.Helper()
	eventually(t, "a listener that takes connections", func() error {
		c, err := w.dial(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

// end waits until every connection has ended, which closing has those do that
// carry nothing at the moment.
func (w *wire) end(t *testing.T, closing func()) {
	t.Helper()
	eventually(t, "the end of the connections", func() error {
		closing()
		if n := w.open.Load(); n > 0 {
			return fmt.Errorf("%d are open", n)
		}
		return nil
	})
	w.ends.Wait()
}

// serveWeb serves both versions of HTTP until the end of the test: it answers as
// many bytes as "size" says with the status "status".
func serveWeb(t *testing.T) (port int) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a client that is gone fails the test itself
		size, _ := strconv.Atoi(r.FormValue("size"))
		status, _ := strconv.Atoi(r.FormValue("status"))
		w.WriteHeader(status)
		_, _ = w.Write(make([]byte, size)) // as above
	}))
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

// visit makes requests of several methods, sizes and outcomes with a version of
// HTTP, many of them at a time, and returns what it did.
func visit(t *testing.T, major, port int) tally {
	t.Helper()
	w := &wire{}
	w.reach(t, port)
	transport := &http.Transport{DialContext: w.dial, Protocols: &http.Protocols{}, DisableCompression: true}
	transport.Protocols.SetHTTP1(major == 1)
	transport.Protocols.SetUnencryptedHTTP2(major == 2)
	client := http.Client{Transport: transport, Timeout: patience}
	done := tally{}
	var all sync.WaitGroup
	for i, r := range []struct {
		method         string
		status         int
		sent, received int
	}{
		{"GET", 200, 0, 1},
		{"GET", 200, 0, 200_000},
		{"GET", 404, 0, 9},
		{"POST", 201, 70_000, 10},
		{"POST", 500, 5, 0},
		{"PUT", 200, 300_000, 3},
		{"DELETE", 204, 0, 0},
		{"HEAD", 200, 0, 0},
	} {
		for range i + 1 {
			all.Go(func() {
				to := fmt.Sprintf("http://127.0.0.1:%d/?status=%d&size=%d", port, r.status, r.received)
				request, err := http.NewRequestWithContext(t.Context(), r.method, to, bytes.NewReader(make([]byte, r.sent)))
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := client.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = answer.Body.Close() }() // read to its end
				n, err := io.Copy(io.Discard, answer.Body)
				if err != nil || int(n) != r.received || answer.StatusCode != r.status || answer.ProtoMajor != major {
					t.Errorf("%s: %s %s with %d bytes, %v", r.method, answer.Proto, answer.Status, n, err)
				}
			})
			done[fmt.Sprintf("%s %dxx", r.method, r.status/100)]++
			done["requests"]++
			done["sent in requests"] += uint64(r.sent)
			done["received in requests"] += uint64(r.received)
		}
	}
	all.Wait()
	w.end(t, transport.CloseIdleConnections)
	w.add(done)
	return done
}

// talk has connections of TCP carry bytes there and back, and returns how many.
func talk(t *testing.T, port int) tally {
	t.Helper()
	w := &wire{}
	w.reach(t, port)
	for _, size := range []int{0, 1, 1000, 70_000, 1_000_000} {
		c, err := w.dial(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		w.ends.Go(func() {
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
			_ = c.Close() // it never fails
		})
	}
	w.end(t, func() {})
	done := tally{}
	w.add(done)
	if done["sent"] != 1_071_001 || done["received"] != done["sent"] {
		t.Errorf("the clients of TCP: %v", done)
	}
	return done
}

func (w *wire) add(to tally) {
	to["opened"], to["closed"] = w.opened.Load(), w.opened.Load()
	to["sent"], to["received"] = w.sent.Load(), w.received.Load()
}

// listed is what the API says of a service: the sums of its connections and
// requests. Its lists have no classes of status codes, they are made here.
func listed(h http.Handler, service string) (tally, error) {
	said := tally{}
	for _, list := range []string{"connections", "applicationflows"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, api.Prefix+"/"+list+"?routingKey="+url.QueryEscape(service), nil))
		var page struct {
			Results []struct {
				EndTime                       uint64
				OctetCount, OctetReverseCount uint64
				Method, Status                string
			}
			TimeRangeCount uint64
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			return nil, fmt.Errorf("%s: %d %s %w", list, w.Code, w.Body, err)
		}
		if page.TimeRangeCount != uint64(len(page.Results)) {
			return nil, fmt.Errorf("%s: %d of %d", list, len(page.Results), page.TimeRangeCount)
		}
		for _, r := range page.Results {
			switch {
			case list == "connections":
				said["opened"]++
				said["sent"] += r.OctetCount
				said["received"] += r.OctetReverseCount
				if r.EndTime != 0 {
					said["closed"]++
				}
			case r.EndTime != 0 && r.Status != "":
				said[fmt.Sprintf("%s %sxx", r.Method, r.Status[:1])]++
				said["requests"]++
				said["sent in requests"] += r.OctetCount
				said["received in requests"] += r.OctetReverseCount
			}
		}
	}
	return said, nil
}

// measured is what the metrics say of a service. They have no bytes of requests.
func measured(h http.Handler, service string) (tally, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		return nil, err
	}
	said := tally{}
	for name, as := range map[string]string{
		"skupper_connections_opened_total": "opened", "skupper_connections_closed_total": "closed",
		"skupper_sent_bytes_total": "sent", "skupper_received_bytes_total": "received", "skupper_requests_total": "requests",
	} {
		for _, m := range families[name].GetMetric() {
			if label(m, "routing_key") != service || m.GetCounter().GetValue() == 0 {
				continue
			}
			n := uint64(m.GetCounter().GetValue())
			said[as] += n
			if as == "requests" {
				said[label(m, "method")+" "+label(m, "code")] += n
			}
		}
	}
	return said, nil
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// TestTrafficIsCounted: what the API and the metrics say of connections, bytes
// and requests is exactly what the clients did, over HTTP/1, HTTP/2 and TCP.
func TestTrafficIsCounted(t *testing.T) {
	t.Parallel()
	links := freeport.Get(t)
	ports := map[string]int{"one": freeport.Get(t), "two": freeport.Get(t), "raw": freeport.Get(t)}
	servers := map[string]int{"one": serveWeb(t), "two": serveWeb(t), "raw": echo(t)}
	here := []entity{on("listener", "links", links, attrs{"role": "inter-router"})}
	there := []entity{on("connector", "to-west", links, attrs{"role": "inter-router"})}
	for name, observer := range map[string]string{"one": "auto", "two": "http2", "raw": "none"} {
		here = append(here, on("tcpListener", name, ports[name], attrs{"address": name, "siteId": siteID(1), "observer": observer}))
		there = append(there, on("tcpConnector", name, servers[name], attrs{"address": name, "siteId": siteID(2)}))
	}
	west := startSite(t, 1, "west", here...)
	startSite(t, 2, "east", there...)
	n, _, _ := observe(t, west)
	figures, err := metrics.Handler(n, history.New(), "test")
	if err != nil {
		t.Fatal(err)
	}
	h := api.New(api.Options{Network: n, History: history.New(), Metrics: figures}).Handler()
	eventually(t, "services with both ends", func() error {
		for _, s := range n.Services() {
			if s.IsBound && s.HasListener {
				continue
			}
			return fmt.Errorf("%s has not both ends", s.Name)
		}
		if l, c := len(n.Listeners()), len(n.Connectors()); l != len(ports) || c != len(servers) {
			return fmt.Errorf("%d listeners, %d connectors", l, c)
		}
		return nil
	})
	want := map[string]tally{"one": visit(t, 1, ports["one"]), "two": visit(t, 2, ports["two"]), "raw": talk(t, ports["raw"])}
	for service, done := range want {
		eventually(t, "what the API says of "+service, func() error { return same(done, listed, h, service, "") })
		eventually(t, "what the metrics say of "+service, func() error { return same(done, measured, h, service, " in requests") })
	}
}

// same compares what was done with what is said of it, but for what is counted
// as but.
func same(done tally, say func(http.Handler, string) (tally, error), h http.Handler, service, but string) error {
	want := maps.Clone(done)
	maps.DeleteFunc(want, func(what string, n uint64) bool { return n == 0 || but != "" && strings.HasSuffix(what, but) })
	said, err := say(h, service)
	if err == nil {
		maps.DeleteFunc(said, func(_ string, n uint64) bool { return n == 0 })
		if d := cmp.Diff(want, said); d != "" {
			err = fmt.Errorf("(-done +said):\n%s", d)
		}
	}
	return err
}
