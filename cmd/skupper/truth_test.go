package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/system/resource"
)

// The tests of this file make each fault that a status can tell of, with real
// processes, and read what it says: what `skupper … status` prints, and what is
// written below runtime/resources.

// fault is one of them.
type fault struct {
	name string
	make func(*truth)
	ref  string // kind/name of the object that tells
	want string // its status
	says []string
	slow bool // the fault shows itself only after a time limit of the router
}

// truth is a place for faults: namespace west has a site with link access.
type truth struct {
	*house
	ca *authority
}

func newTruth(t *testing.T) *truth {
	t.Helper()
	h := &truth{house: newHouse(t), ca: newAuthority(t)}
	h.program = append(h.program, "-n", "west")
	h.must("site", "create", "west", "--enable-link-access", "--start")
	return h
}

// statusWithin is how long a status may take to tell of a fault. On a machine
// that does much else nothing is said about it.
func statusWithin(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SKUPPER_STATUS_WITHIN")
	if text == "" {
		return 30 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (h *truth) tells(t *testing.T, f fault) {
	t.Helper()
	defer func(outer *testing.T) { h.t = outer }(h.t)
	h.t = t
	f.make(h)
	limit := statusWithin(t)
	if f.slow {
		limit += 15 * time.Second
	}
	begun := time.Now()
	kind, name, _ := strings.Cut(f.ref, "/")
	for {
		shown := h.shown(t, kind, name)
		written := h.written(t, kind, name)
		missing := lacks(shown, f)
		if missing == "" {
			if missing = lacks(written, f); missing == "" {
				t.Logf("after %v: %s", time.Since(begun).Round(10*time.Millisecond), written)
				return
			}
		}
		if time.Since(begun) > limit {
			t.Fatalf("status lacks %q after %v\nshown:   %s\nwritten: %s", missing, limit, shown, written)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// lacks is what of a fault a status does not tell, "" if it tells all.
func lacks(text string, f fault) string {
	if !strings.HasPrefix(text, f.want+" ") {
		return f.want
	}
	for _, words := range f.says {
		if !strings.Contains(text, words) {
			return words
		}
	}
	return ""
}

// shown is the status that a command prints, and its message.
func (h *truth) shown(t *testing.T, kind, name string) string {
	t.Helper()
	switch kind {
	case "Site", "Link", "Listener", "Connector":
		a := h.say(strings.ToLower(kind), "status", name, "--no-headers")
		words := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(a.out), -1)
		if len(words) < 3 {
			return a.out + a.err
		}
		if strings.Contains(strings.TrimSpace(a.out), "\n") {
			t.Errorf("the status of %s/%s is more than a line:\n%s", kind, name, a.out)
		}
		return words[1] + " " + words[len(words)-1]
	}
	a := h.say("debug", "check", "--no-headers")
	result := map[string]string{"FAIL": resource.StatusError, "WARN": resource.StatusPending}
	for line := range strings.Lines(a.out) {
		words := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1)
		if len(words) == 3 && words[0] == strings.ToLower(kind)+"/"+name {
			return result[words[1]] + " " + words[2]
		}
	}
	if strings.Contains(a.out, "\nrouter ") {
		return resource.StatusReady + " OK" // of what is in order it says nothing
	}
	return "nothing told: " + a.out
}

// written is the status below runtime/resources, and its message.
func (h *truth) written(t *testing.T, kind, name string) string {
	t.Helper()
	data, err := os.ReadFile(h.data("namespaces/west/runtime/resources", kind+"-"+name+".yaml"))
	if err != nil {
		return err.Error()
	}
	set, _, err := resource.Parse([]resource.Input{{Name: "status", Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	o := set.Find(resource.Ref{Kind: resource.Kind(kind), Name: name})
	if o == nil || o.Health() == nil {
		return "no such object"
	}
	return o.Health().Status + " " + o.Health().Message
}

// serves accepts on a free port of this machine until the test ends.
func (h *truth) serves(f func(net.Conn)) (port string) {
	h.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = l.Close() })
	serve(h.t, l, f)
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		h.t.Fatal(err)
	}
	return port
}

// servesTLS has f serve connections over TLS, or only shakes hands.
func (h *truth) servesTLS(config *tls.Config, f func(*tls.Conn)) (port string) {
	return h.serves(func(c net.Conn) {
		s := tls.Server(c, config)
		if s.Handshake() == nil && f != nil {
			f(s)
		}
	})
}

// nobody is a port on which nothing listens.
func (h *truth) nobody() string {
	h.t.Helper()
	return strconv.Itoa(freeport.Get(h.t))
}

// blackHole is a port whose packets get no answer: the queue of its socket is
// full.
func (h *truth) blackHole() (port string) {
	h.t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		h.t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		h.t.Fatal(err)
	}
	port = strconv.Itoa(name.(*unix.SockaddrInet4).Port)
	for { // until nobody is let in any more
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, 500*time.Millisecond)
		var silent net.Error
		if errors.As(err, &silent) && silent.Timeout() {
			return port
		}
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { _ = c.Close() })
	}
}

// file is one of the namespace.
func (h *truth) file(elem ...string) string {
	return h.data(append([]string{"namespaces/west"}, elem...)...)
}

func (h *truth) drop(path, text string) {
	h.t.Helper()
	whole := filepath.Join(h.t.TempDir(), "file") // nobody sees half of it
	writeFile(h.t, whole, text)
	if err := errors.Join(os.MkdirAll(filepath.Dir(h.file(path)), 0o700), os.Rename(whole, h.file(path))); err != nil {
		h.t.Fatal(err)
	}
}

// applies applies input; whether that is good is told by the status.
func (h *truth) applies(text string) {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "input.yaml")
	writeFile(h.t, file, text)
	h.must("system", "apply", file, "--wait", "none")
}

// links makes a link with credentials; what is "" is of the test's authority.
func (h *truth) links(name, host, port, ca, cert, key string) {
	h.t.Helper()
	if ca == "" {
		ca = h.ca.pem
	}
	if cert == "" {
		cert, key = h.ca.issue(2, name)
	}
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	h.applies(fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: %[1]s}
data: {ca.crt: %[4]s, tls.crt: %[5]s, tls.key: %[6]s}
---
apiVersion: skupper.io/v2alpha1
kind: Link
metadata: {name: %[1]s}
spec: {tlsCredentials: %[1]s, endpoints: [{name: inter-router, host: %[2]s, port: "%[3]s"}]}
`, name, host, port, encoded(ca), encoded(cert), encoded(key)))
}

// readsAuthority is an authority that the site made itself.
func (h *truth) readsAuthority(namespace, name string) *authority {
	h.t.Helper()
	dir := h.data("namespaces", namespace, "runtime/issuers", name)
	block := func(file string) (string, []byte) {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			h.t.Fatal(err)
		}
		b, _ := pem.Decode(data)
		return string(data), b.Bytes
	}
	text, der := block("tls.crt")
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		h.t.Fatal(err)
	}
	_, der = block("tls.key")
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		h.t.Fatal(err)
	}
	return &authority{h.t, cert, key.(*ecdsa.PrivateKey), text}
}

// issueFor is issue for a time.
func (a *authority) issueFor(from, to time.Time, names ...string) (cert, key string) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: names[0]}, NotBefore: from, NotAfter: to, DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &private.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// expired makes a certificate that ended yesterday.
func (a *authority) expired(names ...string) (cert, key string) {
	return a.issueFor(time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour), names...)
}

// TestTruthOfLinks: a link that does not work says why and what to do.
func TestTruthOfLinks(t *testing.T) {
	t.Parallel()
	h := newTruth(t)
	h.must("-n", "peer", "site", "create", "peer", "--enable-link-access", "--start")
	port := regexp.MustCompile(`port: "(\d+)"`).FindStringSubmatch(h.must("-n", "peer", "link", "generate", "x", "--host", "localhost"))[1]
	peer := h.readsAuthority("peer", "skupper-site-ca")
	good, goodKey := peer.issue(11, "west")
	server := func(min, max uint16, issue func() (cert, key string)) *tls.Config {
		cert, key := issue()
		return &tls.Config{Certificates: []tls.Certificate{pairOf(t, cert, key)}, MinVersion: min, MaxVersion: max}
	}
	local := func() (cert, key string) { return h.ca.issue(3, "localhost") }
	for _, f := range []fault{
		{"dns", func(h *truth) { h.links("dns", "nosuch.invalid", "55671", "", "", "") }, "Link/dns", "Pending", []string{"nosuch.invalid:55671: "}, false},
		{"refused", func(h *truth) { h.links("refused", "localhost", h.nobody(), "", "", "") }, "Link/refused", "Pending", []string{"connection refused"}, false},
		{"silent", func(h *truth) {
			h.links("silent", "localhost", h.serves(nothing), "", "", "")
		}, "Link/silent", "Pending", []string{"accepts connections but does not answer"}, false},
		{"black hole", func(h *truth) { h.links("hole", "127.0.0.1", h.blackHole(), "", "", "") }, "Link/hole", "Pending", []string{"connecting to 127.0.0.1:", "open in every firewall"}, false},
		{"no TLS", func(h *truth) {
			h.links("plain", "localhost", h.serves(func(c net.Conn) { _, _ = io.WriteString(c, "220 mail\r\n"); _, _ = io.Copy(io.Discard, c) }), "", "", "")
		}, "Link/plain", "Error", []string{"does not speak TLS"}, false},
		{"name", func(h *truth) { h.links("name", "127.0.0.9", port, peer.pem, good, goodKey) }, "Link/name", "Error", []string{"certificate is for", "not for 127.0.0.9"}, false},
		{"authority", func(h *truth) { h.links("authority", "localhost", port, "", good, goodKey) }, "Link/authority", "Error", []string{"signed by an unknown authority"}, false},
		{"stranger", func(h *truth) { h.links("stranger", "localhost", port, peer.pem, "", "") }, "Link/stranger", "Error", []string{"does not know the authority of our certificate"}, false},
		{"expired there", func(h *truth) {
			h.links("old", "localhost", h.servesTLS(server(tls.VersionTLS12, 0, func() (cert, key string) { return h.ca.expired("localhost") }), nil), "", "", "")
		}, "Link/old", "Error", []string{"expired on"}, false},
		{"expired here", func(h *truth) {
			cert, key := peer.expired("west")
			h.links("own", "localhost", port, peer.pem, cert, key)
		}, "Link/own", "Error", []string{"expired"}, false},
		{"not valid yet", func(h *truth) {
			early := func() (cert, key string) {
				return h.ca.issueFor(time.Now().Add(time.Hour), time.Now().Add(2*time.Hour), "localhost")
			}
			h.links("early", "localhost", h.servesTLS(server(tls.VersionTLS12, 0, early), nil), "", "", "")
		}, "Link/early", "Error", []string{"not valid before"}, false},
		{"old TLS", func(h *truth) {
			h.links("tls", "localhost", h.servesTLS(server(tls.VersionTLS10, tls.VersionTLS11, local), nil), "", "", "")
		}, "Link/tls", "Error", []string{"version of TLS"}, false},
		{"old AMQP", func(h *truth) {
			answer := func(c *tls.Conn) { _, _ = c.Write([]byte("AMQP\x00\x00\x09\x01")); _, _ = io.Copy(io.Discard, c) }
			h.links("amqp", "localhost", h.servesTLS(server(tls.VersionTLS12, 0, local), answer), "", "", "")
		}, "Link/amqp", "Error", []string{"does not speak AMQP 1.0"}, false},
		{"two to one", func(h *truth) {
			h.links("once", "localhost", port, peer.pem, good, goodKey)
			h.links("twice", "localhost", port, peer.pem, good, goodKey)
		}, "Link/twice", "Ready", []string{"second link to the same site, beside link/"}, false},
	} {
		t.Run(f.name, func(t *testing.T) { h.tells(t, f) })
	}
}

// holder is how a status names this process.
func holder() string { return fmt.Sprintf("(pid %d)", os.Getpid()) }

// listens adds a listener.
func (h *truth) listens(name, port, more string) {
	h.t.Helper()
	h.applies(fmt.Sprintf("apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: %s}\nspec: {routingKey: %[1]s, host: 127.0.0.1, port: %s%s}\n", name, port, more))
}

// TestTruthOfListeners: so does a listener.
func TestTruthOfListeners(t *testing.T) {
	t.Parallel()
	h := newTruth(t)
	for _, f := range []fault{
		{"port taken", func(h *truth) { h.listens("taken", h.serves(func(net.Conn) {}), "") }, "Listener/taken", "Error", []string{"address already in use by", holder()}, false},
		{"no address of the host", func(h *truth) {
			h.applies("apiVersion: skupper.io/v2alpha1\nkind: Connector\nmetadata: {name: away}\nspec: {routingKey: away, host: localhost, port: 7077}\n")
			h.applies("apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: away}\nspec: {routingKey: away, host: 192.0.2.77, port: 7077}\n")
		}, "Listener/away", "Error", []string{"192.0.2.77:7077", "not an address of this host"}, false},
		{"no target", func(h *truth) { h.listens("lonely", h.nobody(), "") }, "Listener/lonely", "Pending", []string{"No matching connectors"}, false},
		{"no target of two", func(h *truth) {
			h.applies("apiVersion: skupper.io/v2alpha1\nkind: MultiKeyListener\nmetadata: {name: many}\nspec: {host: 127.0.0.1, port: " + h.nobody() + ", strategy: {priority: {routingKeys: [a, b]}}}\n")
		}, "MultiKeyListener/many", "Pending", []string{"No matching connectors"}, false},
		{"key missing", func(h *truth) {
			cert, key := h.ca.issue(21, "127.0.0.1")
			h.drop("input/certs/front/tls.crt", cert)
			h.drop("input/certs/front/tls.key", key)
			h.listens("front", h.nobody(), ", tlsCredentials: front")
			if err := os.Remove(h.file("input/certs/front/tls.key")); err != nil {
				h.t.Fatal(err)
			}
		}, "Listener/front", "Error", []string{"tls.key", "input/certs/front"}, false},
		{"key of another", func(h *truth) {
			_, key := h.ca.issue(22, "127.0.0.1")
			h.drop("input/certs/front/tls.key", key)
		}, "Listener/front", "Error", []string{"the key does not belong to the certificate", "input/certs/front"}, false},
		{"damaged", func(h *truth) { h.drop("input/certs/front/tls.key", "rubbish") }, "Listener/front", "Error", []string{"tls.key", "PEM", "input/certs/front"}, false},
		{"expired", func(h *truth) {
			cert, key := h.ca.expired("127.0.0.1")
			h.drop("input/certs/front/tls.crt", cert)
			h.drop("input/certs/front/tls.key", key)
		}, "Listener/front", "Error", []string{"expired", "front"}, false},
		{"mended", func(h *truth) {
			cert, key := h.ca.issue(23, "127.0.0.1")
			h.drop("input/certs/front/tls.crt", cert)
			h.drop("input/certs/front/tls.key", key)
		}, "Listener/front", "Pending", []string{"No matching connectors"}, false},
	} {
		t.Run(f.name, func(t *testing.T) { h.tells(t, f) })
	}
}

// connects adds a connector, and a listener that a client has come to.
func (h *truth) connects(name, host, port, more string) {
	h.t.Helper()
	listen := h.nobody()
	h.applies(fmt.Sprintf("apiVersion: skupper.io/v2alpha1\nkind: Connector\nmetadata: {name: %s}\nspec: {routingKey: %[1]s, host: %s, port: %s%s}\n", name, host, port, more))
	h.listens(name, listen, "")
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, err := net.Dial("tcp", "127.0.0.1:"+listen)
		if err == nil {
			h.t.Cleanup(func() { _ = c.Close() })
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// TestTruthOfConnectors: so does a connector that reaches no server.
func TestTruthOfConnectors(t *testing.T) {
	t.Parallel()
	h := newTruth(t)
	const tlsOf = ", tlsCredentials: back, verifyHostname: true"
	h.drop("input/certs/back/ca.crt", h.ca.pem)
	server := func(cert, key string) string {
		return h.servesTLS(&tls.Config{Certificates: []tls.Certificate{pairOf(t, cert, key)}, MinVersion: tls.VersionTLS12}, nil)
	}
	for _, f := range []fault{
		{"nobody listens", func(h *truth) {
			h.applies("apiVersion: skupper.io/v2alpha1\nkind: Connector\nmetadata: {name: lonely}\nspec: {routingKey: lonely, host: localhost, port: 7}\n")
		}, "Connector/lonely", "Pending", []string{"No matching listeners"}, false},
		{"refused", func(h *truth) { h.connects("refused", "localhost", h.nobody(), "") }, "Connector/refused", "Ready", []string{"last connect failed", "connection refused"}, false},
		{"dns", func(h *truth) { h.connects("dns", "nosuch.invalid", "7", "") }, "Connector/dns", "Ready", []string{"last connect failed: nosuch.invalid:7: "}, false},
		{"no TLS", func(h *truth) {
			h.connects("plain", "localhost", h.serves(func(c net.Conn) { _, _ = io.WriteString(c, "220 mail\r\n"); _, _ = io.Copy(io.Discard, c) }), tlsOf)
		}, "Connector/plain", "Ready", []string{"last connect failed", "does not speak TLS"}, false},
		{"authority", func(h *truth) {
			cert, key := newAuthority(h.t).issue(3, "localhost")
			h.connects("authority", "localhost", server(cert, key), tlsOf)
		}, "Connector/authority", "Ready", []string{"last connect failed", "unknown authority"}, false},
		{"name", func(h *truth) {
			cert, key := h.ca.issue(3, "elsewhere.test")
			h.connects("name", "localhost", server(cert, key), tlsOf)
		}, "Connector/name", "Ready", []string{"last connect failed", "certificate is for elsewhere.test, not for localhost"}, false},
		{"expired", func(h *truth) {
			cert, key := h.ca.expired("localhost")
			h.connects("expired", "localhost", server(cert, key), tlsOf)
		}, "Connector/expired", "Ready", []string{"last connect failed", "expired on"}, false},
		{"silent", func(h *truth) { h.connects("mute", "localhost", h.serves(nothing), tlsOf) }, "Connector/mute", "Ready", []string{"connecting to localhost:", "no answer yet", "does the server answer"}, false},
		{"silent for long", func(h *truth) { h.connects("silent", "localhost", h.serves(nothing), tlsOf) }, "Connector/silent", "Ready", []string{"last connect failed", "timed out"}, true},
		{"black hole", func(h *truth) { h.connects("hole", "127.0.0.1", h.blackHole(), "") }, "Connector/hole", "Ready", []string{"127.0.0.1:", "firewall"}, false},
		{"trust damaged", func(h *truth) { h.drop("input/certs/back/ca.crt", "rubbish") }, "Connector/name", "Error", []string{"ca.crt", "back"}, false},
	} {
		t.Run(f.name, func(t *testing.T) { h.tells(t, f) })
	}
}

// TestTruthOfGrants: so do grants, and tokens that cannot be redeemed.
func TestTruthOfGrants(t *testing.T) {
	t.Parallel()
	h := &truth{house: newHouse(t), ca: newAuthority(t)}
	h.program = append(h.program, "-n", "west")
	taken := h.serves(func(net.Conn) {})
	h.env = append(h.env, "SKUPPER_GRANT_SERVER_PORT="+taken)
	h.must("site", "create", "west", "--enable-link-access", "--start")
	grant := func(name, spec string) string {
		return fmt.Sprintf("apiVersion: skupper.io/v2alpha1\nkind: AccessGrant\nmetadata: {name: %s}\nspec: {%s}\n", name, spec)
	}
	token := func(name, url string) string {
		return fmt.Sprintf("apiVersion: skupper.io/v2alpha1\nkind: AccessToken\nmetadata: {name: %s}\nspec: {url: %q, code: secret, ca: %q}\n", name, url, h.ca.pem)
	}
	answers := func(status string) string {
		return h.servesTLS(&tls.Config{Certificates: []tls.Certificate{h.ca.pair(3, "localhost")}, MinVersion: tls.VersionTLS13}, func(c *tls.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		})
	}
	for _, f := range []fault{
		{"port taken", func(h *truth) { h.applies(grant("g", "")) }, "AccessGrant/g", "Error", []string{"grant server: ", "address already in use", taken, holder()}, false},
		{"no such issuer", func(h *truth) {
			h.applies(grant("by", "issuer: nobody-ca"))
		}, "AccessGrant/by", "Error", []string{"no RouterAccess has the issuer nobody-ca", "spec.issuer"}, false},
		{"no duration", func(h *truth) { h.drop("input/resources/bad.yaml", grant("bad", "expirationWindow: soon")) }, "Site/west", "Error", []string{"bad.yaml:4", "spec.expirationWindow"}, false},
		{"gone", func(h *truth) {
			if err := os.Remove(h.file("input/resources/bad.yaml")); err != nil {
				h.t.Fatal(err)
			}
			h.applies(token("gone", "https://localhost:"+answers("404 Not Found")+"/x"))
		}, "AccessToken/gone", "Error", []string{"404", "issue another"}, false},
		{"code", func(h *truth) { h.applies(token("code", "https://localhost:"+answers("403 Forbidden")+"/x")) }, "AccessToken/code", "Error", []string{"403", "as it was issued"}, false},
		{"refused", func(h *truth) { h.applies(token("refused", "https://localhost:"+h.nobody()+"/x")) }, "AccessToken/refused", "Error", []string{"connection refused", "does the agent of the other site run"}, false},
		{"dns", func(h *truth) { h.applies(token("dns", "https://nosuch.invalid:9090/x")) }, "AccessToken/dns", "Error", []string{"nosuch.invalid", "cannot be resolved"}, false},
		{"authority", func(h *truth) {
			pair := newAuthority(h.t).pair(3, "localhost")
			h.applies(token("authority", "https://localhost:"+h.servesTLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}, nil)+"/x"))
		}, "AccessToken/authority", "Error", []string{"unknown authority", "not the one that issued"}, false},
		{"name", func(h *truth) {
			pair := h.ca.pair(3, "elsewhere.test")
			h.applies(token("name", "https://localhost:"+h.servesTLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}, nil)+"/x"))
		}, "AccessToken/name", "Error", []string{"elsewhere.test", "--host"}, false},
		{"edge", func(h *truth) {
			if err := os.Remove(h.file("input/resources/Site-west.yaml")); err != nil {
				h.t.Fatal(err)
			}
			h.drop("input/resources/Site-west.yaml", "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: west}\nspec: {edge: true}\n")
		}, "AccessGrant/g", "Error", []string{"dge sites cannot accept incoming links"}, false},
	} {
		t.Run(f.name, func(t *testing.T) { h.tells(t, f) })
	}
}

// TestTruthOfSpentGrants: so does a grant that nobody can use any more, and the
// token that was made from it.
func TestTruthOfSpentGrants(t *testing.T) {
	t.Parallel()
	h := newTruth(t)
	h.env = append(h.env, "SKUPPER_GRANT_SERVER_PORT="+h.nobody())
	east := *h.house
	east.program = append(slices.Clone(h.program[:len(h.program)-2]), "-n", "east")
	east.must("site", "create", "east", "--start")
	token := filepath.Join(h.home, "spent.token")
	other := filepath.Join(h.home, "other.token")
	h.must("token", "issue", token, "--name", "spent", "--host", "localhost")
	h.must("token", "issue", other, "--name", "short", "--host", "localhost")
	for _, f := range []fault{
		{"used up", func(*truth) { east.must("token", "redeem", token, "--wait", "none") }, "AccessGrant/spent", "Pending", []string{"used up", "token issue` makes another one"}, false},
		{"too late for the last", func(*truth) {
			data := strings.Replace(read(h.t, token), "name: spent", "name: late", 1)
			h.drop("input/resources/AccessToken-late.yaml", data)
		}, "AccessToken/late", "Error", []string{"404: No such access granted", "issue another"}, false},
		{"revoked", func(*truth) {
			h.must("token", "revoke", "short")
			h.drop("input/resources/AccessToken-short.yaml", read(h.t, other))
		}, "AccessToken/short", "Error", []string{"404: No such claim", "issue another"}, false},
		{"expired", func(*truth) {
			h.applies("apiVersion: skupper.io/v2alpha1\nkind: AccessGrant\nmetadata: {name: blink}\nspec: {expirationWindow: 1s}\n")
		}, "AccessGrant/blink", "Pending", []string{"expired ", "token issue` makes another one"}, false},
	} {
		t.Run(f.name, func(t *testing.T) { h.tells(t, f) })
	}
}

// TestTruthOfCertificates: so do certificates.
func TestTruthOfCertificates(t *testing.T) {
	t.Parallel()
	h := newTruth(t)
	certificate := func(name string) {
		h.applies(fmt.Sprintf("apiVersion: skupper.io/v2alpha1\nkind: Certificate\nmetadata: {name: %s}\nspec: {ca: skupper-site-ca, subject: %[1]s, server: true, hosts: [localhost]}\n", name))
	}
	supply := func(name string, from, to time.Time) {
		cert, key := h.ca.issueFor(from, to, "localhost")
		h.drop("input/certs/"+name+"/ca.crt", h.ca.pem)
		h.drop("input/certs/"+name+"/tls.crt", cert)
		h.drop("input/certs/"+name+"/tls.key", key)
		certificate(name)
	}
	now := time.Now()
	for _, f := range []fault{
		{"expired", func(*truth) { supply("old", now.Add(-48*time.Hour), now.Add(-24*time.Hour)) }, "Certificate/old", "Error", []string{"expired " + now.Add(-24*time.Hour).UTC().Format(time.DateOnly), "input/certs/old"}, false},
		{"expires soon", func(*truth) { supply("soon", now.Add(-time.Hour), now.Add(48*time.Hour)) }, "Certificate/soon", "Pending", []string{"expires " + now.Add(48*time.Hour).UTC().Format(time.DateOnly), "input/certs/soon"}, false},
		{"not yet", func(*truth) { supply("early", now.Add(time.Hour), now.Add(48*time.Hour)) }, "Certificate/early", "Error", []string{"not valid before"}, false},
		{"expires by the way", func(*truth) { supply("blink", now.Add(-time.Hour), time.Now().Add(time.Second)) }, "Certificate/blink", "Error", []string{"expired"}, false},
	} {
		t.Run(f.name, func(t *testing.T) { h.tells(t, f) })
	}
}

// TestTruthOfSites: so does a site, of its router and its input.
func TestTruthOfSites(t *testing.T) {
	t.Parallel()
	h := newTruth(t)
	for _, f := range []fault{
		{
			"wrong input", func(h *truth) {
				h.drop("input/resources/bad.yaml", "apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: bad}\nspec: {routingKey: x, host: 127.0.0.1, port: many}\n")
			},
			"Site/west", "Error",
			[]string{"bad.yaml:4", "spec.port"},
			false,
		},
		{"port of links taken", func(h *truth) {
			if err := os.Remove(h.file("input/resources/bad.yaml")); err != nil {
				h.t.Fatal(err)
			}
			h.applies("apiVersion: skupper.io/v2alpha1\nkind: RouterAccess\nmetadata: {name: second}\nspec: {roles: [{name: inter-router, port: " + h.serves(func(net.Conn) {}) + "}], bindHost: 127.0.0.1}\n")
		}, "RouterAccess/second", "Error", []string{"address already in use by", holder()}, false},
		{"stopped", func(h *truth) { h.must("system", "stop") }, "Site/west", "Pending", []string{"router stopped", "system start"}, false},
	} {
		t.Run(f.name, func(t *testing.T) { h.tells(t, f) })
	}
}
