package api

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/network"
)

// certificate returns one that signs itself, and its pool.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// serve runs Serve until the returned function is called.
func serve(t *testing.T, h http.Handler, secure *tls.Config) (addr string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h, secure, nil) }()
	return l.Addr().String(), func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestServesWithTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	addr, stop := serve(t, handler(populated(t)), &tls.Config{Certificates: []tls.Certificate{cert}})
	defer stop()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	r, err := client.Get("https://" + addr + Prefix + "/sites")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }() // read to the end
	if body, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK || r.ProtoMajor != 2 || !strings.Contains(string(body), `"timeRangeCount"`) {
		t.Errorf("%s %s: %s, %v", r.Proto, r.Status, body, err)
	}
	if c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		_ = c.Close() // it was not to be
		t.Error("TLS 1.1 is accepted")
	}
}

// TestStreamEndsWithTheServer opens a stream of events over a real connection:
// the limits of a request do not end it, the end of the server does.
func TestStreamEndsWithTheServer(t *testing.T) {
	t.Parallel()
	a := New(Options{Network: network.New(network.Limits{})})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	addr, stop := serve(t, a.Handler(), nil)
	r, err := http.Get("http://" + addr + Prefix + "/events")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(r.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "retry: 3000\n" {
		t.Errorf("%q, %v", line, err)
	}
	stop()
	_, _ = io.ReadAll(lines) // that it ends is what is asked, not how
	_ = r.Body.Close()       // it has ended
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}
