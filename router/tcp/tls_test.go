package tcp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// testCertificate is one for 127.0.0.1, localhost and clients, and its pool.
var testCertificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
})

func serverConfig(t testing.TB) *tls.Config {
	t.Helper()
	cert, _ := testCertificate()
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

func clientTLS(t testing.TB) *tls.Config {
	t.Helper()
	_, pool := testCertificate()
	return &tls.Config{RootCAs: pool}
}

func asServer(t testing.TB, c *net.TCPConn, secure bool) duplex {
	if !secure {
		return c
	}
	return tls.Server(c, serverConfig(t))
}

func asClient(t testing.TB, c *net.TCPConn, secure bool) duplex {
	if !secure {
		return c
	}
	cfg := clientTLS(t)
	cfg.ServerName = "127.0.0.1"
	return tls.Client(c, cfg)
}
