package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority issues the certificates of a person.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "private CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// issue makes a certificate for some names, and its key in PKCS#8.
func (a *authority) issue(serial int64, names ...string) (cert, key string) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: names[0]}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// pair is issue for a program of the test.
func (a *authority) pair(serial int64, names ...string) tls.Certificate {
	a.t.Helper()
	cert, key := a.issue(serial, names...)
	return pairOf(a.t, cert, key)
}

func pairOf(t *testing.T, cert, key string) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func poolOf(certs ...string) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AppendCertsFromPEM([]byte(c))
	}
	return pool
}

// credentials writes files of input/certs of a site.
func (h *computer) credentials(name string, files map[string]string) {
	h.t.Helper()
	for file, text := range files {
		writeFile(h.t, h.data("namespaces/default/input/certs", name, file), text)
	}
}

// echoTLS is an echo server that speaks TLS.
func (h *computer) echoTLS(address string, config *tls.Config) net.Listener {
	h.t.Helper()
	l := h.listen(address)
	serve(h.t, l, func(c net.Conn) {
		s := tls.Server(c, config)
		_, _ = io.Copy(s, s)
		_ = s.Close() // so is the connection
	})
	return l
}

// speaks has a TLS client connect and be answered; it returns what the listener
// showed.
func (h *computer) speaks(address string, config *tls.Config) (*x509.Certificate, error) {
	c, err := h.tryDial(address)
	if err != nil {
		return nil, err
	}
	s := tls.Client(c, config)
	defer func() { _ = s.Close() }()
	if err := exchange(s, "hello"); err != nil {
		return nil, err
	}
	return s.ConnectionState().PeerCertificates[0], nil
}

func (h *computer) awaitTLS(address string, config *tls.Config) *x509.Certificate {
	h.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		cert, err := h.speaks(address, config)
		if err == nil {
			return cert
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("TLS to %s: %v", address, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestTLSService(t *testing.T) {
	t.Parallel()
	town := newTown(t, "front", "back")
	front, back := town.hosts["front"], town.hosts["back"]
	ca := newAuthority(t)
	back.knows("shop.internal.test", "127.0.0.1")
	back.credentials("shop-ca", map[string]string{"ca.crt": ca.pem})
	clientCert, clientKey := ca.issue(2, "ledger client")
	back.credentials("ledger-client", map[string]string{"ca.crt": ca.pem, "tls.crt": clientCert, "tls.key": clientKey})
	shop := ca.pair(3, "shop.internal.test")
	server := back.echoTLS("127.0.0.1:18445", &tls.Config{Certificates: []tls.Certificate{shop}, MinVersion: tls.VersionTLS12})
	ledger := ca.pair(4, "ledger", "127.0.0.1")
	back.echoTLS("127.0.0.1:18446", &tls.Config{
		Certificates: []tls.Certificate{ledger}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: poolOf(ca.pem), MinVersion: tls.VersionTLS12,
	})

	front.apply(front.site("tls-service/front"))
	if got := front.attribute("tcpListener/listener/shop", "sslProfile") + front.attribute("tcpListener/listener/shop-plain", "sslProfile"); got != "shop-front" {
		t.Errorf("sslProfile %q", got)
	}
	if got := front.attribute("tcpListener/multiAddress/shop-mtls", "authenticatePeer") + front.attribute("tcpListener/multiAddress/shop-mtls", "multiAddressStrategy"); got != "truepriority" {
		t.Errorf("shop-mtls: %q", got)
	}
	if got := front.attribute("listenerAddress/shop-mtls/shop", "value"); got != "0" {
		t.Errorf("value of shop-mtls/shop: %q", got)
	}
	links, err := os.ReadDir(front.data("namespaces/default/runtime/links"))
	if err != nil || len(links) != 1 || links[0].Name() != "link-front-"+front.address+".yaml" {
		t.Errorf("link files %v, %v", links, err)
	}
	back.apply(back.site("tls-service/back"))
	for name, want := range map[string]string{
		"tcpConnector/connector/shop@shop.internal.test": "shop-ca-profile",
		"tcpConnector/connector/ledger@127.0.0.1":        "ledger-client",
	} {
		if got := back.attribute(name, "sslProfile"); got != want {
			t.Errorf("%s: sslProfile %q, want %q", name, got, want)
		}
	}
	if got := back.attribute("tcpConnector/connector/ledger@127.0.0.1", "verifyHostname"); got != "false" {
		t.Errorf("verifyHostname of ledger: %q", got)
	}
	if file := back.attribute("sslProfile/shop-ca-profile", "caCertFile"); !exists(file) || back.attribute("sslProfile/shop-ca-profile", "certFile") != "" {
		t.Errorf("shop-ca-profile: caCertFile %s, certFile %s", file, back.attribute("sslProfile/shop-ca-profile", "certFile"))
	}
	back.linkTo(front, "front")

	// Clients that speak TLS, that do not, and that must show who they are.
	service, err := os.ReadFile(front.data("namespaces/default/runtime/issuers/skupper-service-ca/tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	trusting := &tls.Config{RootCAs: poolOf(string(service), ca.pem), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	shown := front.awaitTLS("127.0.0.1:18443", trusting)
	if shown.Subject.CommonName != "127.0.0.1" || shown.Issuer.CommonName != "skupper-service-ca" {
		t.Errorf("certificate of %s by %s", shown.Subject, shown.Issuer)
	}
	front.through("127.0.0.1:18081")
	if _, err := front.speaks("127.0.0.1:18444", trusting); err == nil {
		t.Error("a client without a certificate is served")
	}
	known := trusting.Clone()
	known.Certificates = []tls.Certificate{front.certificateBy(service)}
	front.awaitTLS("127.0.0.1:18444", known)
	front.must("listener", "create", "ledger", "18447", "--host", "127.0.0.1")
	front.through("127.0.0.1:18447")

	// The server shows a wrong name: the connector says why it does not work.
	open := front.through("127.0.0.1:18081")
	_ = server.Close() // another one takes its place
	wrong := ca.pair(5, "elsewhere.test")
	back.echoTLS("127.0.0.1:18445", &tls.Config{Certificates: []tls.Certificate{wrong}, MinVersion: tls.VersionTLS12})
	front.closed("127.0.0.1:18081")
	back.becomes("connector/shop", "Ready: last connect failed: shop.internal.test:18445: the peer's certificate is for elsewhere.test, not for shop.internal.test; …")
	back.must("connector", "update", "shop", "--verify-hostname=false")
	front.through("127.0.0.1:18081")
	converse(t, open, "the old server")

	// A key goes: refused, and nothing else changes.
	before := tree(t, back.data("namespaces/default/runtime/certs"))
	key := back.data("namespaces/default/input/certs/ledger-client/tls.key")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	back.refused(exitWrongUse, []string{"tls.key", "ledger-client"}, "system", "reload")
	unchanged(t, back.data("namespaces/default/runtime/certs"), before)
	front.through("127.0.0.1:18447")
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}

	// A person's certificate replaces the generated one, for new handshakes.
	c := front.dial("127.0.0.1:18443")
	old := tls.Client(c, trusting)
	converse(t, old, "before")
	cert, private := ca.issue(6, "127.0.0.1")
	front.credentials("shop-front", map[string]string{"tls.crt": cert, "tls.key": private})
	deadline := time.Now().Add(20 * time.Second)
	for front.awaitTLS("127.0.0.1:18443", trusting).SerialNumber.Int64() != 6 {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not shown")
		}
	}
	converse(t, old, "the old handshake")
	front.invariants(front, "127.0.0.1:18081")
}

// certificateBy makes a client certificate by an authority of the site.
func (h *computer) certificateBy(ca []byte) tls.Certificate {
	h.t.Helper()
	h.apply("apiVersion: skupper.io/v2alpha1\nkind: Certificate\nmetadata: {name: somebody}\nspec: {ca: skupper-service-ca, subject: somebody, client: true}\n")
	dir := h.data("namespaces/default/runtime/certs/somebody")
	cert, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
	if err != nil {
		h.t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "tls.key"))
	if err != nil {
		h.t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "ca.crt")); err != nil || string(got) != string(ca) {
		h.t.Errorf("ca.crt of a certificate is another one: %v", err)
	}
	return pairOf(h.t, string(cert), string(key))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
