package router

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates for tests.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, "ca")
	return a
}

// certificate describes what an authority signs. Without host it is for every
// address of this machine that tests use.
type certificate struct {
	name     string // of the files and of the subject
	host     string
	from, to time.Time // zero: valid now
}

// files are those of a certificate.
func (a *authority) files(name string) (cert, key string) {
	return filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
}

// issue writes the files of a certificate, in place of those of that name.
func (a *authority) issue(c certificate) {
	a.t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: c.name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   c.from, NotAfter: c.to,
	}
	if c.from.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if c.to.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	if c.host != "" {
		template.DNSNames = []string{c.host}
	} else {
		host, _ := place(a.t)
		template.DNSNames, template.IPAddresses = []string{"localhost", host}, []net.IP{net.ParseIP(host), net.IPv4(127, 0, 0, 1)}
	}
	a.sign(template, c.name)
}

// takes puts a certificate of another authority in the place of its own.
func (a *authority) takes(other *authority, name string) {
	a.t.Helper()
	fromCert, fromKey := other.files(name)
	toCert, toKey := a.files(name)
	for from, to := range map[string]string{fromCert: toCert, fromKey: toKey} {
		text, err := os.ReadFile(from)
		a.must(err)
		a.must(os.WriteFile(to, text, 0o600))
	}
}

// profile issues a certificate and returns an sslProfile with it.
func (a *authority) profile(name string, c certificate) attrs {
	a.t.Helper()
	a.issue(c)
	ca, _ := a.files("ca")
	cert, key := a.files(c.name)
	return attrs{"name": name, "caCertFile": ca, "certFile": cert, "privateKeyFile": key}
}

func (a *authority) sign(template *x509.Certificate, file string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	a.must(err)
	der, err := x509.CreateCertificate(rand.Reader, template, cmp.Or(a.cert, template), key.Public(), cmp.Or(a.key, key))
	a.must(err)
	cert, err := x509.ParseCertificate(der)
	a.must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	a.must(err)
	certFile, keyFile := a.files(file)
	a.write(certFile, "CERTIFICATE", der)
	a.write(keyFile, "PRIVATE KEY", secret)
	return cert, key
}

// write replaces a file in one step.
func (a *authority) write(file, kind string, der []byte) {
	a.t.Helper()
	a.must(os.WriteFile(file+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	a.must(os.Rename(file+".new", file))
}

func (a *authority) must(err error) {
	if err != nil {
		a.t.Helper()
		a.t.Fatal(err)
	}
}
