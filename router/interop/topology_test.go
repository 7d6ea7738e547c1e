package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
)

// certs is a directory with ca.crt, tls.crt and tls.key for localhost.
func certs(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	caKey, ca := makeCert(t, "test-ca", nil, nil)
	key, leaf := makeCert(t, "localhost", caKey, ca)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.crt":  {Type: "CERTIFICATE", Bytes: ca.Raw},
		"tls.crt": {Type: "CERTIFICATE", Bytes: leaf.Raw},
		"tls.key": {Type: "EC PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func makeCert(t testing.TB, cn string, caKey *ecdsa.PrivateKey, ca *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost", "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true,
	}
	signer, parent := caKey, ca
	if ca == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
		template.DNSNames, template.IPAddresses = nil, nil
		signer, parent = key, template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

// network is a set of routers and the service that the scenarios use: a
// listener at the first node, a connector at the last.
type network struct {
	t      testing.TB
	nodes  []*node
	edges  []int // indices of edge routers
	certs  string
	cables []*cable // of the links, in the same order
	offers *offers  // of a network of TestNetworks
	links  []int    // ports that the links are dialed at, in the order they were made
	in     int      // port of the tcpListener
	back   int      // port the tcpConnector points to
}

// topology describes a network: whose routers, in which modes, linked how.
type topology struct {
	name  string
	kinds []kind
	edges []int    // indices of edge routers
	links [][2]int // dialing node, listening node
	// reference is for comparison: our router has no part in it.
	reference bool
}

var topologies = []topology{
	{name: "ours-ours", kinds: []kind{ours, ours}, links: line(2)},
	{name: "ours-ours-ours", kinds: []kind{ours, ours, ours}, links: line(3)},
	{name: "our edge-our interior", kinds: []kind{ours, ours}, edges: []int{0}, links: [][2]int{{0, 1}}},
	{name: "our interior-our edge", kinds: []kind{ours, ours}, edges: []int{1}, links: [][2]int{{1, 0}}},
	{name: "ours-theirs", kinds: []kind{ours, theirs}, links: line(2)},
	{name: "theirs-ours", kinds: []kind{theirs, ours}, links: line(2)},
	{name: "ours-theirs, they dial", kinds: []kind{ours, theirs}, links: [][2]int{{1, 0}}},
	{name: "theirs-ours, we dial", kinds: []kind{theirs, ours}, links: [][2]int{{1, 0}}},
	{name: "ours-theirs-ours", kinds: []kind{ours, theirs, ours}, links: line(3)},
	{name: "theirs-ours-theirs", kinds: []kind{theirs, ours, theirs}, links: line(3)},
	{name: "our edge-their interior", kinds: []kind{ours, theirs}, edges: []int{0}, links: [][2]int{{0, 1}}},
	{name: "their interior-our edge", kinds: []kind{theirs, ours}, edges: []int{1}, links: [][2]int{{1, 0}}},
	{name: "their edge-our interior", kinds: []kind{theirs, ours}, edges: []int{0}, links: [][2]int{{0, 1}}},
	{name: "our interior-their edge", kinds: []kind{ours, theirs}, edges: []int{1}, links: [][2]int{{1, 0}}},
	{name: "theirs-theirs", kinds: []kind{theirs, theirs}, links: line(2), reference: true},
	{name: "ring of four mixed", kinds: []kind{ours, theirs, ours, theirs}, links: [][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 0}}},
}

// line links n nodes in a row, each dialing the next.
func line(n int) [][2]int {
	var links [][2]int
	for i := range n - 1 {
		links = append(links, [2]int{i, i + 1})
	}
	return links
}

// build makes the network's nodes; nothing runs yet.
func (tp topology) build(t testing.TB) *network {
	t.Helper()
	requires(t, tp.kinds...)
	if tp.reference && os.Getenv("INTEROP_TABLE") == "" {
		t.Skip("a network without our router is only a row of the table")
	}
	w := &network{t: t, edges: tp.edges, in: freeport.Get(t), back: freeport.Get(t)}
	dir := certs(t)
	w.certs = dir
	edge := map[int]bool{}
	for _, i := range tp.edges {
		edge[i] = true
	}
	for i, k := range tp.kinds {
		mode := "interior"
		if edge[i] {
			mode = "edge"
		}
		n := newNode(t, fmt.Sprintf("%s%d", strings.ToLower(string(k[:1])), i), k, mode)
		n.add("sslProfile", map[string]any{
			"name": "link", "caCertFile": filepath.Join(dir, "ca.crt"),
			"certFile": filepath.Join(dir, "tls.crt"), "privateKeyFile": filepath.Join(dir, "tls.key"),
		})
		w.nodes = append(w.nodes, n)
	}
	for i, l := range tp.links {
		port, role := freeport.Get(t), "inter-router"
		switch {
		case edge[l[0]] && edge[l[1]]:
			role = "inter-edge"
		case edge[l[0]] || edge[l[1]]:
			role = "edge"
		}
		line, way := newCable(t, port)
		w.links = append(w.links, way)
		w.cables = append(w.cables, line)
		w.nodes[l[1]].add("listener", map[string]any{
			"name": "link-" + strconv.Itoa(i), "host": "127.0.0.1", "port": strconv.Itoa(port), "role": role,
			"sslProfile": "link", "saslMechanisms": "EXTERNAL", "authenticatePeer": true,
		})
		w.nodes[l[0]].add("connector", map[string]any{
			"name": "to-" + strconv.Itoa(i), "host": "localhost", "port": strconv.Itoa(way), "role": role, "sslProfile": "link",
		})
	}
	w.nodes[0].add("tcpListener", map[string]any{"name": "in", "host": "127.0.0.1", "port": strconv.Itoa(w.in), "address": "svc"})
	last := w.nodes[len(w.nodes)-1]
	last.add("tcpConnector", map[string]any{"name": "out", "host": "127.0.0.1", "port": strconv.Itoa(w.back), "address": "svc"})
	return w
}

// start starts every router and waits until an echo comes back through all of
// them.
func (w *network) start() {
	w.t.Helper()
	for _, n := range w.nodes {
		n.start()
	}
	w.reachable()
}

func (w *network) reachable() {
	w.t.Helper()
	eventually(w.t, 30*time.Second, "an echo through the network", func() error {
		c, err := net.Dial("tcp", local(w.in))
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(2 * time.Second))
		if err := roundTrip(c, "probe"); err != nil {
			return err
		}
		_ = c.(*net.TCPConn).CloseWrite()
		return closedSoon(c, 2*time.Second)
	})
}
