package conn

import (
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
	name string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	a := &authority{t: t, dir: t.TempDir(), name: name}
	a.cert, a.key = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, name)
	return a
}

// leaf describes a certificate; the zero value is a valid one for localhost.
type leaf struct {
	name   string
	dns    []string
	ips    []net.IP
	from   time.Time
	to     time.Time
	usages []x509.ExtKeyUsage
}

// issue writes a certificate and returns its files.
func (a *authority) issue(file string, l leaf) Credentials {
	if l.usages == nil {
		l.usages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: l.name}, DNSNames: l.dns, IPAddresses: l.ips,
		NotBefore: l.from, NotAfter: l.to, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: l.usages,
	}, file)
	return Credentials{
		CertFile: filepath.Join(a.dir, file+".crt"), KeyFile: filepath.Join(a.dir, file+".key"), CAFile: filepath.Join(a.dir, a.name+".crt"),
	}
}

func (a *authority) sign(template *x509.Certificate, file string) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	a.must(err)
	cert, err := x509.ParseCertificate(der)
	a.must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	a.must(err)
	a.write(file+".crt", "CERTIFICATE", der)
	a.write(file+".key", "PRIVATE KEY", secret)
	return cert, key
}

func (a *authority) write(file, kind string, der []byte) {
	a.must(os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (a *authority) must(err error) {
	if err != nil {
		a.t.Helper()
		a.t.Fatal(err)
	}
}

// identity issues and loads a certificate.
func (a *authority) identity(file string, l leaf) *Identity {
	i, err := LoadIdentity(a.issue(file, l))
	a.must(err)
	return i
}
