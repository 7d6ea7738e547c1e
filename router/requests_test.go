package router

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/vanflow"
)

// answerWeb answers requests: as many octets as "size" says, in pieces with "pieces",
// with the status "status".
func answerWeb(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/early" {
		w.WriteHeader(http.StatusEarlyHints)
	}
	n, _ := io.Copy(io.Discard, r.Body)
	size, status := 0, http.StatusOK
	_, _ = fmt.Sscan(r.FormValue("size"), &size)
	_, _ = fmt.Sscan(r.FormValue("status"), &status)
	if r.FormValue("pieces") == "" && size > 0 {
		w.Header().Set("Content-Length", fmt.Sprint(size))
	}
	w.Header().Set("Trailer", "Grpc-Status")
	w.WriteHeader(status)
	for block := make([]byte, 1000); size > 0; size -= len(block) {
		block = block[:min(len(block), size)]
		if _, err := w.Write(block); err != nil {
			return
		}
		if r.FormValue("pieces") != "" {
			_ = http.NewResponseController(w).Flush()
		}
	}
	w.Header().Set("Grpc-Status", fmt.Sprint(n%16))
}

// serveWeb runs an HTTP server of both versions until the end of the test.
func serveWeb(t *testing.T) net.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", answerWeb)
	mux.HandleFunc("/ws", func(w http.ResponseWriter, _ *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(c, buffered)
	})
	s := &http.Server{Handler: mux, Protocols: &http.Protocols{}}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(ln) })
	t.Cleanup(func() {
		_ = s.Close()
		done.Wait()
	})
	return ln.Addr()
}

// told collects what a router tells network observers of its flows.
type told struct {
	mu      sync.Mutex
	records map[string]*vanflow.Record // Guarded by mu. By identity, merged.
}

// observeFlows attaches as a network observer does that wants to know of flows.
func observeFlows(t *testing.T, at, address string) *told {
	t.Helper()
	o := &told{records: map[string]*vanflow.Record{}}
	c, err := goamqp.Dial(t.Context(), "amqp://"+at, &goamqp.ConnOptions{SASLType: goamqp.SASLTypeAnonymous()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.NewSession(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.NewReceiver(t.Context(), address, &goamqp.ReceiverOptions{Credit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			m, err := r.Receive(context.Background(), nil)
			if err != nil {
				return
			}
			if octets, err := m.MarshalBinary(); err == nil {
				o.take(octets)
			}
		}
	})
	t.Cleanup(func() {
		_ = c.Close()
		done.Wait()
	})
	return o
}

func (o *told) take(octets []byte) {
	m, err := vanflow.Decode(octets)
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range m.Records {
		x := &m.Records[i]
		if o.records[x.Identity] == nil {
			o.records[x.Identity] = &vanflow.Record{Type: x.Type, Identity: x.Identity}
		}
		o.records[x.Identity].Merge(x)
	}
}

// requests are the lines of the requests, but those of a method.
func (o *told) requests(t *testing.T, but string) (lines []string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.records {
		if x.Type != vanflow.TypeBiflowApp || x.Text(vanflow.AttrMethod) == but {
			continue
		}
		line := fmt.Sprintf("%s %s %s %d/%d %s", x.Text(vanflow.AttrSourceHost), x.Text(vanflow.AttrProtocol), x.Text(vanflow.AttrMethod),
			x.Number(vanflow.AttrOctets), x.Number(vanflow.AttrOctetsReverse),
			strings.TrimSpace(x.Text(vanflow.AttrResult)+" "+x.Text(vanflow.AttrReason)))
		switch parent := o.records[x.Text(vanflow.AttrParent)]; {
		case parent == nil || parent.Type != vanflow.TypeBiflowTport:
			line += ", of no connection"
		case !x.Ended():
			line += ", live"
		case x.Number(vanflow.AttrEndTime) < x.Number(vanflow.AttrStartTime), x.Number(vanflow.AttrLatency) == 0:
			line += fmt.Sprintf(", answered after %d µs, from %d to %d", x.Number(vanflow.AttrLatency), x.Number(vanflow.AttrStartTime), x.Number(vanflow.AttrEndTime))
		}
		if (x.Number(vanflow.AttrStreamID) != 0) != (x.Text(vanflow.AttrProtocol) == "HTTP/2") {
			line += fmt.Sprintf(", stream %d", x.Number(vanflow.AttrStreamID))
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// visitor makes requests by one way and notes what is to be recorded of them.
type visitor struct {
	t       *testing.T
	name    string // what X-Forwarded-For says
	at      string
	tls     *tls.Config    // nil: none
	clients [3]http.Client // by major version

	mu   sync.Mutex
	want []string // Guarded by mu.
}

func newVisitor(t *testing.T, name, at string, config *tls.Config) *visitor {
	v := &visitor{t: t, name: name, at: at, tls: config}
	for major := range v.clients {
		transport := &http.Transport{TLSClientConfig: config, Protocols: &http.Protocols{}, ExpectContinueTimeout: patience, DisableCompression: true}
		transport.Protocols.SetHTTP1(major == 1)
		transport.Protocols.SetHTTP2(major == 2)
		transport.Protocols.SetUnencryptedHTTP2(major == 2 && config == nil)
		v.clients[major].Transport = transport
		t.Cleanup(transport.CloseIdleConnections)
	}
	return v
}

func (v *visitor) expect(major int, method string, sent, received, status int) {
	line := fmt.Sprintf("%s HTTP/2 %s %d/%d %d", v.name, method, sent, received, status)
	if major == 1 {
		line = fmt.Sprintf("%s HTTP/1.1 %s %d/%d %d %s", v.name, method, sent, received, status, http.StatusText(status))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.want = append(v.want, line)
}

// ask makes one request.
func (v *visitor) ask(major int, method, path string, body io.Reader, sent, received, status int, header ...string) {
	v.t.Helper()
	scheme := "http://"
	if v.tls != nil {
		scheme = "https://"
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, scheme+v.at+path, body)
	if err != nil {
		v.t.Error(err)
		return
	}
	r.Header.Set("X-Forwarded-For", v.name+", 198.51.100.1")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	v.expect(major, method, sent, received, status)
	answer, err := v.clients[major].Do(r)
	if err != nil {
		v.t.Errorf("%s %s: %v", method, path, err)
		return
	}
	n, err := io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	if err != nil || int(n) != received || answer.StatusCode != status || answer.ProtoMajor != major {
		v.t.Errorf("%s %s: %s %s with %d octets, %v", method, path, answer.Proto, answer.Status, n, err)
	}
}

// all makes requests of every kind.
func (v *visitor) all() {
	for major := 1; major <= 2; major++ {
		for size := 1; size < 200_000; size = 3*size + 1 {
			v.ask(major, "GET", fmt.Sprintf("/?size=%d", size), nil, 0, size, 200)
		}
		v.ask(major, "HEAD", "/?size=77", nil, 0, 0, 200)
		v.ask(major, "DELETE", "/?status=204", nil, 0, 0, 204)
		v.ask(major, "GET", "/?status=304", nil, 0, 0, 304)
		v.ask(major, "GET", "/?status=404&size=9", nil, 0, 9, 404)
		v.ask(major, "POST", "/early?size=10", strings.NewReader("12345"), 5, 10, 200)
		v.ask(major, "PUT", "/", strings.NewReader("12345"), 5, 0, 200, "Expect", "100-continue")
		v.ask(major, "PATCH", "/?size=5500&pieces=1", io.MultiReader(strings.NewReader(strings.Repeat("x", 70_000)), strings.NewReader("y")), 70_001, 5500, 200)
		var many sync.WaitGroup
		for i := range 12 {
			many.Go(func() {
				v.ask(major, "POST", fmt.Sprintf("/a.B/C?size=%d&pieces=1", 1000*i), strings.NewReader(strings.Repeat("x", 500*i)), 500*i, 1000*i, 200, "Te", "trailers")
			})
		}
		many.Wait()
	}
	v.speak(strings.Repeat(v.text("GET", "/?size=3", 1), 5), func(*bufio.Reader, net.Conn) {
		for range 5 {
			v.expect(1, "GET", 0, 3, 200)
		}
	})
	v.speak(v.text("GET", "/?size=7", 0), func(*bufio.Reader, net.Conn) {
		v.mu.Lock()
		v.want = append(v.want, v.name+" HTTP/1.0 GET 0/7 200 OK")
		v.mu.Unlock()
	})
	v.speak(v.text("GET", "/ws", 1, "Upgrade: websocket", "Connection: Upgrade"), func(in *bufio.Reader, c net.Conn) {
		v.expect(1, "GET", 0, 0, 101)
		for line := "-"; line != "\r\n" && line != ""; {
			line, _ = in.ReadString('\n')
		}
		fmt.Fprint(c, "\x81\x85GET / HTTP/1.1\r\n\r\n")
		if b := make([]byte, 10); true {
			_, _ = io.ReadFull(in, b)
		}
	})
}

// text is a request as it is sent.
func (v *visitor) text(method, path string, minor int, header ...string) string {
	return fmt.Sprintf("%s %s HTTP/1.%d\r\nHost: h\r\nX-Forwarded-For: %s\r\n%s\r\n", method, path, minor, v.name, lines(header))
}

func lines(list []string) (text string) {
	for _, s := range list {
		text += s + "\r\n"
	}
	return text
}

// speak sends text on a connection of its own, then goes on with f, until the
// server ends it.
func (v *visitor) speak(text string, f func(in *bufio.Reader, c net.Conn)) {
	v.t.Helper()
	c, err := net.DialTimeout("tcp", v.at, patience)
	if err != nil {
		v.t.Error(err)
		return
	}
	if v.tls != nil {
		c = tls.Client(c, v.tls)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(c, text)
	in := bufio.NewReader(c)
	f(in, c)
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, in)
}

// TestRequestsAreRecorded has clients of HTTP/1 and HTTP/2 go through listeners
// without and with TLS to a server at another router, and at the same one. The
// records are what the clients have done.
func TestRequestsAreRecorded(t *testing.T) {
	t.Parallel()
	server := serveWeb(t)
	ca := newAuthority(t)
	west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
	for _, n := range []*node{west, east} {
		n.entities[0].attrs["helloMaxAgeSeconds"] = 60 // a loaded machine loses no neighbor
	}
	west.add("sslProfile", ca.profile("front", certificate{name: "front"}))
	collectorHost, collectorPort := west.listens("clients", "normal", nil)
	host, port := west.listens("links", "inter-router", nil)
	east.dials("to-west", "inter-router", host, port, nil)
	west.offers("plain", "far")
	west.add("tcpListener", attrs{"name": "tls", "address": "far", "host": "127.0.0.1", "port": "0", "sslProfile": "front"})
	west.offers("near", "near")
	west.add("tcpListener", attrs{"name": "unobserved", "address": "near", "host": "127.0.0.1", "port": "0", "observer": "none"})
	west.serves("near", "near", server)
	east.serves("far", "far", server)
	west.start()
	east.start()
	id := ""
	west.on(func(r *Router) { id = r.flows.source.ID() })
	o := observeFlows(t, net.JoinHostPort(collectorHost, collectorPort), vanflow.AddressFlows(id))

	trusted := x509.NewCertPool()
	trusted.AddCert(ca.cert)
	visitors := []*visitor{
		newVisitor(t, "10.0.0.1", west.address("plain"), nil),
		newVisitor(t, "10.0.0.2", west.address("tls"), &tls.Config{RootCAs: trusted, ServerName: "127.0.0.1"}),
		newVisitor(t, "10.0.0.3", west.address("near"), nil),
	}
	const first = "TRACE"
	eventually(t, "the first record", func() error {
		visitors[0].speak(visitors[0].text(first, "/", 1, "Connection: close"), func(*bufio.Reader, net.Conn) {})
		if o.requests(t, "") == nil {
			return fmt.Errorf("no record of %s", first)
		}
		return nil
	})
	quiet := newVisitor(t, "10.0.0.4", west.address("unobserved"), nil)
	quiet.ask(1, "GET", "/?size=1", nil, 0, 1, 200)
	var want []string
	for _, v := range visitors {
		v.all()
		want = append(want, v.want...)
	}
	slices.SortFunc(want, cmp.Compare[string])
	var got []string
	eventually(t, "records", func() error {
		if got = o.requests(t, first); !slices.Equal(got, want) {
			return fmt.Errorf("(-asked +recorded):\n%s", gocmp.Diff(want, got))
		}
		return nil
	})

	held := newVisitor(t, "10.0.0.5", west.address("plain"), nil)
	for _, major := range []int{1, 2} {
		held.ask(major, "GET", "/?size=1", nil, 0, 1, 200)
	}
	counted := func(least, most uint64) func() error {
		return func() error {
			c := store{west.r}.Metrics().ConnectionCounters
			for _, protocol := range []string{"http1", "http2"} {
				if n := c[protocol]; n < least || n > most {
					return fmt.Errorf("%s: %d", protocol, n)
				}
			}
			return nil
		}
	}
	eventually(t, "open connections with requests are counted", counted(1, 1000))
	for _, v := range append(visitors, held, quiet) {
		for _, c := range v.clients {
			c.CloseIdleConnections()
		}
	}
	eventually(t, "those that have ended are not", counted(0, 0))
}
