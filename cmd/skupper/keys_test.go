package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/resource"
)

// keyForm is a kind of keys, and how a tool writes them.
type keyForm struct {
	name  string
	make  func() (crypto.Signer, error)
	write func(crypto.Signer) (typ string, der []byte, err error)
	dress func(pem string) string // what else is in the files
}

func keyForms() []keyForm {
	curve := func(c elliptic.Curve) func() (crypto.Signer, error) {
		return func() (crypto.Signer, error) { return ecdsa.GenerateKey(c, rand.Reader) }
	}
	edwards := func() (crypto.Signer, error) { _, key, err := ed25519.GenerateKey(rand.Reader); return key, err }
	short := func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }
	pkcs1 := func(k crypto.Signer) (string, []byte, error) {
		return "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.(*rsa.PrivateKey)), nil
	}
	sec1 := func(k crypto.Signer) (string, []byte, error) {
		der, err := x509.MarshalECPrivateKey(k.(*ecdsa.PrivateKey))
		return "EC PRIVATE KEY", der, err
	}
	pkcs8 := func(k crypto.Signer) (string, []byte, error) {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		return "PRIVATE KEY", der, err
	}
	bare := func(text string) string { return text }
	lines := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	prose := func(text string) string { return "Bag Attributes\n    friendlyName: x\n" + text + "that was all" }
	return []keyForm{
		{"rsa-pkcs1", short, pkcs1, lines},
		{"rsa-pkcs8", short, pkcs8, bare},
		{"p256-sec1", curve(elliptic.P256()), sec1, prose},
		{"p256-pkcs8", curve(elliptic.P256()), pkcs8, lines},
		{"p384-sec1", curve(elliptic.P384()), sec1, bare},
		{"p384-pkcs8", curve(elliptic.P384()), pkcs8, prose},
		{"ed25519", edwards, pkcs8, lines},
	}
}

// chain is a root, an intermediate authority below it, and what that one signs.
type chain struct {
	t         *testing.T
	form      keyForm
	root      *x509.Certificate
	rootPEM   string
	middle    *x509.Certificate
	middleKey crypto.Signer
	leafKeys  map[string]crypto.Signer // by who has them
	serial    int64
}

// newChain takes four keys of the kind of a form.
func newChain(t *testing.T, form keyForm, keys []crypto.Signer) *chain {
	t.Helper()
	c := &chain{t: t, form: form}
	ca := &x509.Certificate{
		Subject: pkix.Name{CommonName: form.name + " root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	}
	c.root = c.sign(ca, ca, keys[0], keys[0])
	ca.Subject.CommonName = form.name + " intermediate"
	c.middle = c.sign(ca, c.root, keys[1], keys[0])
	c.middleKey, c.rootPEM = keys[1], certPEM(c.root)
	c.leafKeys = map[string]crypto.Signer{"west": keys[2], "east": keys[3]}
	return c
}

// newChains makes a chain for every form. Forms of the same kind share keys.
func newChains(t *testing.T) []*chain {
	t.Helper()
	kinds := map[string][]crypto.Signer{}
	var list []*chain
	for _, form := range keyForms() {
		kind, _, _ := strings.Cut(form.name, "-")
		for len(kinds[kind]) < 4 {
			key, err := form.make()
			if err != nil {
				t.Fatal(err)
			}
			kinds[kind] = append(kinds[kind], key)
		}
		list = append(list, newChain(t, form, kinds[kind]))
	}
	return list
}

func (c *chain) sign(template, by *x509.Certificate, key, signer crypto.Signer) *x509.Certificate {
	c.t.Helper()
	c.serial++
	template.SerialNumber = big.NewInt(c.serial)
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), signer)
	if err != nil {
		c.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	return cert
}

func certPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func (c *chain) keyPEM(key crypto.Signer) string {
	c.t.Helper()
	typ, der, err := c.form.write(key)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

// files are those of a credential that a site has for 127.0.0.1: its tls.crt leads up to the
// root, which its ca.crt holds beside another one.
func (c *chain) files(site string) map[string]string {
	c.t.Helper()
	leaf := c.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "of " + site}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, c.middle, c.leafKeys[site], c.middleKey)
	return map[string]string{
		"ca.crt":  c.form.dress(newAuthority(c.t).pem + c.rootPEM),
		"tls.crt": c.form.dress(certPEM(leaf) + certPEM(c.middle)),
		"tls.key": c.form.dress(c.keyPEM(c.leafKeys[site])),
	}
}

// authority are the files of the intermediate authority.
func (c *chain) authority() map[string]string {
	return map[string]string{"ca.crt": c.form.dress(c.rootPEM), "tls.crt": c.form.dress(certPEM(c.middle)), "tls.key": c.form.dress(c.keyPEM(c.middleKey))}
}

// supply puts the files of a credential or authority into the input of a site.
func (h *house) supply(namespace, kind, name string, files map[string]string) {
	h.t.Helper()
	for file, text := range files {
		writeFile(h.t, h.data("namespaces", namespace, "input", kind, name, file), text)
	}
}

// TestKeysOfEveryKind links two sites once with a person's certificates and once
// with certificates that the site makes with a person's authority, and has TLS
// services between a person's client and server, all that for every usual kind
// of keys.
func TestKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	chains := newChains(t)
	ports := freePorts(t, 3*len(chains))
	west, east := "kind: Site\napiVersion: skupper.io/v2alpha1\nmetadata: {name: west}\n", "kind: Site\napiVersion: skupper.io/v2alpha1\nmetadata: {name: east}\n"
	document := func(kind, name, spec string) string {
		return fmt.Sprintf("---\napiVersion: skupper.io/v2alpha1\nkind: %s\nmetadata: {name: %s}\nspec: {%s}\n", kind, name, spec)
	}
	var links []string
	for i, c := range chains {
		form := c.form
		h.supply("west", "certs", "own-"+form.name, c.files("west"))
		h.supply("west", "issuers", "ca-"+form.name, c.authority())
		h.supply("west", "certs", "svc-"+form.name, c.files("west"))
		h.supply("east", "certs", "svc-"+form.name, c.files("east"))
		west += document("RouterAccess", "own-"+form.name, "bindHost: 127.0.0.1, tlsCredentials: own-"+form.name+", roles: [{name: inter-router, port: "+ports[3*i]+"}]")
		west += document("RouterAccess", "ca-"+form.name, "bindHost: 127.0.0.1, subjectAlternativeNames: [127.0.0.1], issuer: ca-"+form.name+", roles: [{name: inter-router, port: "+ports[3*i+1]+"}]")
		west += document("Listener", "svc-"+form.name, "host: 127.0.0.1, routingKey: svc-"+form.name+", tlsCredentials: svc-"+form.name+", port: "+ports[3*i+2])
		link := "link-" + form.name
		links = append(links, "own-"+form.name)
		secret := "---\napiVersion: v1\nkind: Secret\nmetadata: {name: " + link + "}\ndata:\n"
		for file, text := range c.files("east") {
			secret += "  " + file + ": " + base64.StdEncoding.EncodeToString([]byte(text)) + "\n"
		}
		east += secret + document("Link", "own-"+form.name, "tlsCredentials: "+link+", endpoints: [{name: inter-router, host: 127.0.0.1, port: \""+ports[3*i]+"\"}]")
		server := h.tlsServer(c)
		east += document("Connector", "svc-"+form.name, "host: 127.0.0.1, routingKey: svc-"+form.name+", useClientCert: true, tlsCredentials: svc-"+form.name+", port: "+server)
	}
	apply := func(namespace, text string) {
		file := filepath.Join(t.TempDir(), "input.yaml")
		writeFile(t, file, text)
		h.must("-n", namespace, "system", "apply", file)
	}
	apply("west", west)
	for _, c := range chains {
		made, err := os.ReadFile(h.data("namespaces/west/runtime/links/link-ca-" + c.form.name + "-127.0.0.1.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		east += "---\n" + string(made)
		set, _, err := resource.Parse([]resource.Input{{Name: "made.yaml", Data: made}})
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range resource.Of[*resource.Link](set) {
			links = append(links, link.Name)
		}
	}
	apply("east", east)
	if len(links) != 2*len(chains) {
		t.Errorf("%d links", len(links))
	}
	for _, link := range links {
		h.eventually("Ready", "-n", "east", "link", "status", link)
	}
	for i, c := range chains {
		name := c.form.name
		h.eventually("True", "-n", "west", "listener", "status", "svc-"+name, "-o", "yaml")
		client := &tls.Config{RootCAs: poolOf(c.rootPEM), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
		deadline := time.Now().Add(30 * time.Second)
		for {
			err := speak(net.JoinHostPort("127.0.0.1", ports[3*i+2]), client)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s: the service: %v", name, err)
				break
			}
			<-time.After(50 * time.Millisecond)
		}
	}
	h.keepsKeys("west", "east")
}

// tlsServer is an echo server that shows a certificate of a chain and wants to
// see one. The result is its port.
func (h *house) tlsServer(c *chain) string {
	h.t.Helper()
	files := c.files("east")
	config := &tls.Config{
		Certificates: []tls.Certificate{pairOf(h.t, files["tls.crt"], files["tls.key"])}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: poolOf(c.rootPEM), MinVersion: tls.VersionTLS12,
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	serve(h.t, l, func(c net.Conn) {
		s := tls.Server(c, config)
		_, _ = io.Copy(s, s)
		_ = s.Close() // so is the connection
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		h.t.Fatal(err)
	}
	return port
}

// speak has a TLS client connect and be answered.
func speak(address string, config *tls.Config) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	s := tls.Client(c, config)
	defer func() { _ = s.Close() }()
	return exchange(s, "hello")
}

// keepsKeys looks for the keys of one site in the files of another.
func (h *house) keepsKeys(owner, other string) {
	h.t.Helper()
	var keys []string
	each := func(namespace string, f func(path, text string)) {
		err := filepath.WalkDir(h.data("namespaces", namespace), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			f(path, string(data))
			return err
		})
		if err != nil {
			h.t.Error(err)
		}
	}
	each(owner, func(path, text string) {
		if filepath.Base(path) == "tls.key" {
			keys = append(keys, text)
		}
	})
	if len(keys) == 0 {
		h.t.Errorf("site %s has no keys", owner)
	}
	each(other, func(path, text string) {
		for _, key := range keys {
			if strings.Contains(text, key) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(key))) {
				h.t.Errorf("%s holds a key of site %s", path, owner)
			}
		}
	})
}
