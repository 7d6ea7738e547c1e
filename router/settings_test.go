package router

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/manage/client"
)

// receives attaches a link on channel 0 to receive on, with handle 1 and credit
// for ten deliveries.
func (x *rogue) receives(address string) *rogue {
	x.send(0, &amqp.Attach{
		Name: "in", Handle: 1, Role: amqp.RoleReceiver, SndSettleMode: amqp.SndMixed, Source: &amqp.Source{Address: address}, Target: &amqp.Target{},
	})
	x.send(0, &amqp.Flow{
		HasNextIncomingID: true, IncomingWindow: 8192, OutgoingWindow: 1 << 31, HasHandle: true, Handle: 1, HasDeliveryCount: true, HasLinkCredit: true, LinkCredit: 10,
	})
	return x
}

// message reads until a message has come.
func (x *rogue) message() (octets []byte) {
	x.t.Helper()
	for {
		p, payload, _, err := x.next()
		if err != nil {
			x.t.Fatal(err)
		}
		if tr, ok := p.(*amqp.Transfer); ok {
			if octets = append(octets, payload...); !tr.More {
				return octets
			}
		}
	}
}

// TestStripAnnotations: which annotations of routers clients get, and which of
// theirs count.
func TestStripAnnotations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		strip    string
		in, back bool // count, are given
	}{{"both", false, false}, {"in", false, true}, {"out", true, false}, {"no", true, true}} {
		n := newNode(t, "only", "interior")
		host, port := n.listens("clients", "normal", attrs{"stripAnnotations": c.strip})
		_, all := n.listens("all", "normal", attrs{"stripAnnotations": "no"})
		n.start()
		watcher := newRogue(t, host, all).opens("watcher").begins().receives("watched")
		n.reaches("watched", true)
		m := &amqp.Message{
			Annotations: &amqp.Annotations{Ingress: "0/far", HasIngress: true, Trace: []string{"0/far"}},
			Properties:  &amqp.Properties{To: "watched"}, Kind: amqp.BodyValue, Value: "x",
		}
		newRogue(t, host, port).opens("sender").begins().attaches("").credited().send(0, transfer(0, false), m.Append(nil)...)
		got, err := amqp.ParseMessage(watcher.message())
		if err != nil {
			t.Fatal(err)
		}
		want := "0/only"
		if c.in {
			want = "0/far"
		}
		if got.Annotations == nil || got.Annotations.Ingress != want {
			t.Errorf("%s: a client's message comes in with %+v, want ingress %s", c.strip, got.Annotations, want)
		}
		reader := newRogue(t, host, port).opens("reader").begins().receives("read")
		n.reaches("read", true)
		m.Annotations, m.Properties = nil, &amqp.Properties{To: "read"}
		newRogue(t, host, port).opens("sender").begins().attaches("").credited().send(0, transfer(0, false), m.Append(nil)...)
		if octets := reader.message(); amqp.IsAnnotations(octets) != c.back {
			t.Errorf("%s: a client gets annotations: %v", c.strip, !c.back)
		}
	}
}

// TestLimitsOfAListener: what it is configured to take is what it says to
// peers, and what they get.
func TestLimitsOfAListener(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior")
	host, port := n.listens("clients", "normal", attrs{"linkCapacity": 3, "maxSessions": 4, "maxSessionFrames": 7, "maxFrameSize": 4096, "idleTimeoutSeconds": 20})
	n.start()
	x := newRogue(t, host, port)
	x.write([]byte(amqp.ProtocolHeaderAMQP)...)
	x.send(0, &amqp.Open{ContainerID: "client", MaxFrameSize: 512, ChannelMax: 100})
	x.begins().attaches("")
	for seen := 0; seen < 3; {
		p, _, _, err := x.next()
		if err != nil {
			t.Fatal(err)
		}
		switch p := p.(type) {
		case *amqp.Open:
			seen++
			if p.MaxFrameSize != 4096 || p.ChannelMax != 3 || p.IdleTimeOut != 10_000 { // half of what it waits for
				t.Errorf("it opens with %+v", p)
			}
		case *amqp.Begin:
			seen++
			if p.IncomingWindow != 7 {
				t.Errorf("the window of a session is %d", p.IncomingWindow)
			}
		case *amqp.Flow:
			seen++
			if p.LinkCredit != 3 {
				t.Errorf("a link has credit for %d", p.LinkCredit)
			}
		}
	}
	x.send(4, &amqp.Begin{IncomingWindow: 1, OutgoingWindow: 1, HandleMax: 1})
	if got := x.answer(); got != "connection amqp:connection:framing-error" {
		t.Errorf("a fifth session is answered with %q", got)
	}
}

// meets shakes hands and returns the serial number of the certificate.
func meets(t *testing.T, address string, cfg *tls.Config) string {
	t.Helper()
	c := tls.Client(dial(t, address), cfg)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// trusts is how a client of this authority is configured.
func (a *authority) trusts() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &tls.Config{ServerName: "localhost", RootCAs: roots}
}

// TestHTTPSListener: health and figures are there over TLS, and only so; files
// that are replaced are used without being told.
func TestHTTPSListener(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	n := newNode(t, "only", "interior")
	n.add("sslProfile", ca.profile("web", certificate{name: "web"}))
	host, port := n.listens("web", "normal", attrs{"http": true, "sslProfile": "web", "requireSsl": true})
	n.start()
	at := net.JoinHostPort(host, port)
	transport := &http.Transport{TLSClientConfig: ca.trusts(), DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	web := &http.Client{Transport: transport, Timeout: patience}
	for path, want := range map[string]string{"/healthz": "OK", "/readyz": "OK", "/metrics": "qdr_connections_total "} {
		response, err := web.Get("https://" + at + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: status %d, %v, %.100q", path, response.StatusCode, err, body)
		}
	}
	if response, err := web.Get("http://" + at + "/healthz"); err == nil {
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			t.Error("it answers without TLS")
		}
	}
	first := meets(t, at, ca.trusts())
	ca.issue(certificate{name: "web"})
	eventually(t, "the new certificate", func() error {
		if meets(t, at, ca.trusts()) == first {
			return errors.New("it is the old one")
		}
		return nil
	})
}

// TestProfileIsReplacedInPlace: another certificate, by management, is what new
// clients of a service meet; those that are there go on.
func TestProfileIsReplacedInPlace(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	n := newNode(t, "only", "interior")
	n.add("sslProfile", ca.profile("tls", certificate{name: "first"}))
	n.offers("in", "svc")
	n.entity("tcpListener", "in")["sslProfile"] = "tls"
	n.serves("out", "svc", serve(t, echo))
	host, port := n.listens("clients", "normal", nil)
	n.start()
	at := n.address("in")
	old := tls.Client(dial(t, at), ca.trusts())
	if err := roundTrip(old, "before"); err != nil {
		t.Fatal(err)
	}
	serial := meets(t, at, ca.trusts())
	second := ca.profile("tls", certificate{name: "second"})
	m, err := client.Dial(t.Context(), client.Target{Network: "tcp", Address: net.JoinHostPort(host, port)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	change := map[string]any{"certFile": second["certFile"], "privateKeyFile": second["privateKeyFile"]}
	if _, err := m.Update(t.Context(), client.Ref{Type: "sslProfile", Name: "tls"}, change); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second certificate", func() error {
		if now := meets(t, at, ca.trusts()); now == serial {
			return errors.New("it is the first one")
		}
		return nil
	})
	if err := roundTrip(old, "after"); err != nil {
		t.Errorf("a connection that was open: %v", err)
	}
}

// TestUplinkWithNewCredentials: an edge router whose credentials are replaced,
// with a higher ordinal, uses them, and its services go on.
func TestUplinkWithNewCredentials(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	interior, edge := newNode(t, "interior", "interior"), newNode(t, "edge", "edge")
	interior.add("sslProfile", ca.profile("links", certificate{name: "interior"}))
	host, port := interior.listens("edges", "edge", attrs{"sslProfile": "links", "saslMechanisms": "EXTERNAL", "authenticatePeer": true})
	edge.add("sslProfile", merge(ca.profile("links", certificate{name: "edge"}), attrs{"ordinal": 1}))
	edge.dials("uplink", "edge", host, port, attrs{"sslProfile": "links"})
	interior.offers("in", "svc")
	edge.serves("out", "svc", serve(t, echo))
	interior.start()
	edge.start()
	at := interior.address("in")
	if err := request(at); err != nil {
		t.Fatal(err)
	}
	serials := func() (list []string) {
		for _, p := range interior.peersOf("edges") {
			list = append(list, p.conn.State().TLS.PeerCertificates[0].SerialNumber.String())
		}
		return list
	}
	before := serials()
	ca.issue(certificate{name: "edge"})
	edge.entity("sslProfile", "links")["ordinal"] = 2
	edge.entity("sslProfile", "links")["oldestValidOrdinal"] = 2
	edge.reloads()
	eventually(t, "only the new certificate is in use", func() error {
		if now := serials(); len(now) != 1 || now[0] == before[0] {
			return fmt.Errorf("%v, before it were %v", now, before)
		}
		return nil
	})
	within(t, time.Minute, "the service", func() error { return request(interior.address("in")) })
}
