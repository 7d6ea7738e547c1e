package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/resource"
)

// cure is a fault that is mended: what the status said of it goes away.
type cure struct {
	fault
	mend func(*truth)
	then string // the status afterwards
	hint string // what it says then; "" is OK
}

// recovers makes a fault, waits until the status tells of it, mends it, and
// waits until the status tells nothing more.
func (h *truth) recovers(t *testing.T, c cure) {
	t.Helper()
	h.tells(t, c.fault)
	hint := c.hint
	if hint == "" {
		hint = "OK"
	}
	h.tells(t, fault{make: c.mend, ref: c.ref, want: c.then, says: []string{hint}})
}

// door is a port behind which a peer can be changed.
type door struct {
	h    *truth
	port string

	mu   sync.Mutex
	lead func(net.Conn) // guarded by mu
}

func (h *truth) door(lead func(net.Conn)) *door {
	h.t.Helper()
	d := &door{h: h, lead: lead}
	d.port = h.serves(func(c net.Conn) {
		d.mu.Lock()
		lead := d.lead
		d.mu.Unlock()
		lead(c)
	})
	return d
}

func (d *door) leadsTo(lead func(net.Conn)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lead = lead
}

// forward carries a connection to another port of this host.
func forward(port string) func(net.Conn) {
	return func(c net.Conn) {
		to, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return
		}
		defer func() { _ = to.Close() }() // nothing is lost that somebody waits for
		go func() {
			_, _ = io.Copy(to, c)
			_ = to.Close() // the other direction ends, too
		}()
		_, _ = io.Copy(c, to)
	}
}

// withTLS shakes hands over TLS, and has f go on.
func withTLS(config *tls.Config, f func(*tls.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		s := tls.Server(c, config)
		if s.Handshake() == nil && f != nil {
			f(s)
		}
	}
}

// nothing takes what comes, and says nothing.
func nothing(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// TestCuresOfLinks: what a link says of a fault goes away when the fault does.
func TestCuresOfLinks(t *testing.T) {
	t.Parallel()
	h := newTruth(t)
	h.must("-n", "peer", "site", "create", "peer", "--enable-link-access", "--start")
	port := regexp.MustCompile(`port: "(\d+)"`).FindStringSubmatch(h.must("-n", "peer", "link", "generate", "x", "--host", "localhost"))[1]
	peer := h.readsAuthority("peer", "skupper-site-ca")
	good, goodKey := peer.issueFor(time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour), "west") // not one that expires soon
	links := func(name, host, port string) { h.links(name, host, port, peer.pem, good, goodKey) }
	server := func(version uint16, by *authority, name string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{by.pair(3, name)}, MinVersion: tls.VersionTLS10, MaxVersion: version}
	}
	behind := func(name string, lead func(net.Conn)) (make, mend func(*truth)) {
		var d *door
		return func(h *truth) { d = h.door(lead); links(name, "localhost", d.port) }, func(*truth) { d.leadsTo(forward(port)) }
	}
	ready := func(f fault, mend func(*truth)) cure { return cure{fault: f, mend: mend, then: "Ready"} }
	through := func(name, want, says string, lead func(net.Conn)) cure {
		make, mend := behind(name, lead)
		return ready(fault{name, make, "Link/" + name, want, []string{says}, false}, mend)
	}
	old := withTLS(server(tls.VersionTLS11, peer, "localhost"), nil)
	strange := withTLS(server(tls.VersionTLS13, h.ca, "localhost"), nil)
	expired := func() func(net.Conn) {
		cert, key := peer.expired("localhost")
		return withTLS(&tls.Config{Certificates: []tls.Certificate{pairOf(t, cert, key)}, MinVersion: tls.VersionTLS12}, nil)
	}()
	for _, c := range []cure{
		ready(fault{"dns", func(*truth) { links("dns", "nosuch.invalid", port) }, "Link/dns", "Pending", []string{"nosuch.invalid"}, false},
			func(*truth) { links("dns", "localhost", port) }),
		through("silent", "Pending", "accepts connections but does not answer", nothing),
		through("dropped", "Pending", "by the peer", func(net.Conn) {}),
		through("plain", "Error", "does not speak TLS", func(c net.Conn) { _, _ = io.WriteString(c, "220 mail\r\n"); nothing(c) }),
		through("authority", "Error", "unknown authority", strange),
		through("expired", "Error", "expired on", expired),
		through("version", "Error", "version of TLS", old),
		ready(fault{"name", func(*truth) { links("name", "127.0.0.9", port) }, "Link/name", "Error", []string{"link generate --host 127.0.0.9"}, false},
			func(*truth) { h.must("-n", "peer", "link", "generate", "y", "--host", "127.0.0.9") }),
		ready(fault{"stranger", func(h *truth) { h.links("stranger", "localhost", port, peer.pem, "", "") }, "Link/stranger", "Error", []string{"authority of our certificate"}, false},
			func(*truth) { links("stranger", "localhost", port) }),
		ready(fault{"twice", func(*truth) { links("once", "localhost", port); links("twice", "localhost", port) }, "Link/twice", "Ready", []string{"second link to the same site"}, false},
			func(*truth) { h.must("link", "delete", "once") }),
		ready(fault{"stopped", func(*truth) { h.must("-n", "peer", "system", "stop") }, "Link/twice", "Pending", []string{"refused"}, false},
			func(*truth) { h.must("-n", "peer", "system", "start") }),
	} {
		t.Run(c.name, func(t *testing.T) { h.recovers(t, c) })
		if _, name, _ := strings.Cut(c.ref, "/"); name != "twice" { // the others would be second links
			h.must("link", "delete", name)
		}
	}
}

// TestCuresOfBridges: so does what listeners and connectors say.
func TestCuresOfBridges(t *testing.T) {
	t.Parallel()
	h := newTruth(t)
	const lonely = "No matching connectors"
	var holder net.Listener
	var clients []string
	h.drop("input/certs/back/ca.crt", h.ca.pem)
	server := &tls.Config{Certificates: []tls.Certificate{h.ca.pair(3, "localhost")}, MinVersion: tls.VersionTLS12}
	answers := withTLS(server, func(c *tls.Conn) { _, _ = io.Copy(c, c) })
	comesAgain := func() {
		c := dialPort(h.t, clients[len(clients)-1])
		_, _ = io.WriteString(c, "hello") // the router opens a connection for it
		h.t.Cleanup(func() { _ = c.Close() })
	}
	connects := func(name, port, more string) {
		clients = append(clients, h.nobody())
		h.applies(fmt.Sprintf("apiVersion: skupper.io/v2alpha1\nkind: Connector\nmetadata: {name: %s}\nspec: {routingKey: %[1]s, host: localhost, port: %s%s}\n", name, port, more))
		h.listens(name, clients[len(clients)-1], "")
		comesAgain()
	}
	behind := func(name string, lead func(net.Conn)) (make, mend func(*truth)) {
		var d *door
		return func(h *truth) {
				d = h.door(lead)
				connects(name, d.port, ", tlsCredentials: back, verifyHostname: true")
			},
			func(*truth) { d.leadsTo(answers); comesAgain() }
	}
	through := func(name, says string, lead func(net.Conn)) cure {
		make, mend := behind(name, lead)
		return cure{fault: fault{name, make, "Connector/" + name, "Ready", []string{"last connect failed", says}, false}, mend: mend, then: "Ready"}
	}
	refused := h.nobody()
	for _, c := range []cure{
		{
			fault: fault{"port taken", func(h *truth) {
				port := h.nobody()
				var err error
				if holder, err = net.Listen("tcp", "127.0.0.1:"+port); err != nil {
					h.t.Fatal(err)
				}
				h.applies("apiVersion: skupper.io/v2alpha1\nkind: Connector\nmetadata: {name: taken}\nspec: {routingKey: taken, host: localhost, port: 7077}\n")
				h.listens("taken", port, "")
			}, "Listener/taken", "Error", []string{"address already in use by"}, false},
			mend: func(*truth) { _ = holder.Close() }, then: "Ready",
		},
		{
			fault: fault{"no target", func(h *truth) { h.listens("lonely", h.nobody(), "") }, "Listener/lonely", "Pending", []string{lonely}, false},
			mend:  func(h *truth) { h.must("connector", "create", "lonely", "7077") }, then: "Ready",
		},
		{
			fault: fault{"target gone", func(h *truth) { h.must("connector", "delete", "lonely") }, "Listener/lonely", "Pending", []string{lonely}, false},
			mend:  func(h *truth) { h.must("connector", "create", "lonely", "7077") }, then: "Ready",
		},
		{
			fault: fault{"no client", func(h *truth) { h.must("connector", "create", "alone", "7077") }, "Connector/alone", "Pending", []string{"No matching listeners"}, false},
			mend:  func(h *truth) { h.must("listener", "create", "alone", h.nobody(), "--host", "127.0.0.1") }, then: "Ready",
		},
		{
			fault: fault{"refused", func(*truth) { connects("refused", refused, "") }, "Connector/refused", "Ready", []string{"last connect failed", "refused"}, false},
			mend:  func(h *truth) { echoServer(h.t, refused); comesAgain() }, then: "Ready",
		},
		through("plain", "does not speak TLS", func(c net.Conn) { _, _ = io.WriteString(c, "220 mail\r\n"); nothing(c) }),
		through("authority", "unknown authority", withTLS(&tls.Config{Certificates: []tls.Certificate{newAuthority(t).pair(3, "localhost")}, MinVersion: tls.VersionTLS12}, nil)),
		through("name", "not for localhost", withTLS(&tls.Config{Certificates: []tls.Certificate{h.ca.pair(3, "elsewhere.test")}, MinVersion: tls.VersionTLS12}, nil)),
	} {
		t.Run(c.name, func(t *testing.T) { h.recovers(t, c) })
	}
}

// TestCuresOfKeys: so does what grants, certificates, accesses and the site say.
func TestCuresOfKeys(t *testing.T) {
	t.Parallel()
	h := &truth{house: newHouse(t), ca: newAuthority(t)}
	h.program = append(h.program, "-n", "west")
	hold := func(port string) net.Listener {
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			h.t.Fatal(err)
		}
		return l
	}
	grantPort, accessPort := h.nobody(), h.nobody()
	grants, access := hold(grantPort), hold(accessPort)
	h.env = append(h.env, "SKUPPER_GRANT_SERVER_PORT="+grantPort)
	h.must("site", "create", "west", "--enable-link-access", "--start")
	supply := func(from, to time.Time) {
		cert, key := h.ca.issueFor(from, to, "localhost")
		for file, text := range map[string]string{"ca.crt": h.ca.pem, "tls.crt": cert, "tls.key": key} {
			h.drop(filepath.Join("input/certs/mine", file), text)
		}
	}
	now := time.Now()
	good := func(*truth) { supply(now.Add(-time.Hour), now.Add(90*24*time.Hour)) }
	const certificate = "apiVersion: skupper.io/v2alpha1\nkind: Certificate\nmetadata: {name: mine}\nspec: {ca: skupper-site-ca, subject: mine, server: true, hosts: [localhost]}\n"
	for _, c := range []cure{
		{
			fault: fault{"port of grants", func(h *truth) {
				h.applies("apiVersion: skupper.io/v2alpha1\nkind: AccessGrant\nmetadata: {name: g}\nspec: {expirationWindow: 1h}\n")
			}, "AccessGrant/g", "Error", []string{"grant server: ", "already in use"}, false},
			mend: func(*truth) { _ = grants.Close() }, then: resource.StatusReady,
		},
		{
			fault: fault{"port of links", func(h *truth) {
				h.applies("apiVersion: skupper.io/v2alpha1\nkind: RouterAccess\nmetadata: {name: second}\nspec: {bindHost: 127.0.0.1, roles: [{name: inter-router, port: " + accessPort + "}]}\n")
			}, "RouterAccess/second", "Error", []string{"already in use"}, false},
			mend: func(*truth) { _ = access.Close() }, then: resource.StatusReady,
		},
		{
			fault: fault{"expired", func(h *truth) { supply(now.Add(-48*time.Hour), now.Add(-24*time.Hour)); h.applies(certificate) }, "Certificate/mine", "Error", []string{"expired"}, false},
			mend:  good, then: resource.StatusReady,
		},
		{
			fault: fault{"expires soon", func(*truth) { supply(now.Add(-48*time.Hour), now.Add(24*time.Hour)) }, "Certificate/mine", "Pending", []string{"expires"}, false},
			mend:  good, then: resource.StatusReady,
		},
		{
			fault: fault{"wrong file", func(h *truth) { h.drop("input/resources/bad.yaml", "kind: Listener\n") }, "Site/west", "Error", []string{"bad.yaml"}, false},
			mend: func(h *truth) {
				if err := os.Remove(h.file("input/resources/bad.yaml")); err != nil {
					h.t.Fatal(err)
				}
			}, then: resource.StatusReady,
		},
		{
			fault: fault{"stopped", func(h *truth) { h.must("system", "stop") }, "Site/west", "Pending", []string{"router stopped"}, false},
			mend:  func(h *truth) { h.must("system", "start") }, then: resource.StatusReady,
		},
	} {
		t.Run(c.name, func(t *testing.T) { h.recovers(t, c) })
	}
}
