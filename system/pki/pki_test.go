package pki

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func authority(t *testing.T, w Want) (*Authority, Pair) {
	t.Helper()
	w.Authority = true
	p, err := Issue(w, nil, epoch, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseAuthority(p)
	if err != nil {
		t.Fatal(err)
	}
	return a, p
}

func issue(t *testing.T, a *Authority, w Want, now time.Time) Pair {
	t.Helper()
	p, err := Issue(w, a, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func leafOf(t *testing.T, p Pair) *x509.Certificate {
	t.Helper()
	c, err := Load(p)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf()
}

func TestAuthorityShape(t *testing.T) {
	t.Parallel()
	for _, typ := range []KeyType{"", ECDSAP256, RSA2048} {
		a, p := authority(t, Want{Subject: "skupper-site-ca", KeyType: typ, Validity: 10 * year})
		c := a.Certificate()
		switch {
		case !c.IsCA || !c.BasicConstraintsValid || c.MaxPathLen >= 0:
			t.Errorf("%q: CA %v, path length %d", typ, c.IsCA, c.MaxPathLen)
		case c.KeyUsage&x509.KeyUsageCertSign == 0:
			t.Errorf("%q: key usage %b", typ, c.KeyUsage)
		case len(c.SubjectKeyId) == 0:
			t.Errorf("%q: no subject key identifier", typ)
		case c.Subject.String() != "CN=skupper-site-ca" || c.Issuer.String() != "CN=skupper-site-ca":
			t.Errorf("%q: subject %s, issuer %s", typ, c.Subject, c.Issuer)
		case !c.NotBefore.Equal(epoch.Add(-5*time.Minute)) || !c.NotAfter.Equal(epoch.Add(10*year)):
			t.Errorf("%q: valid %v to %v", typ, c.NotBefore, c.NotAfter)
		case string(p.CA) != string(p.Cert):
			t.Errorf("%q: ca.crt is not tls.crt", typ)
		}
		block, _ := pem.Decode(p.Key)
		if want := map[KeyType]string{RSA2048: "RSA PRIVATE KEY"}[typ]; want != "" && block.Type != want {
			t.Errorf("%q: key in %q", typ, block.Type)
		}
	}
}

func TestLeafShape(t *testing.T) {
	t.Parallel()
	a, ca := authority(t, Want{Subject: "ca", Validity: 10 * year})
	hosts := []string{"west.example", "10.0.0.5", "fd00::5", "::1", " west.example ", "", "West.Example"}
	p := issue(t, a, Want{Subject: "west", Hosts: hosts, Validity: 397 * 24 * time.Hour}, epoch)
	c := leafOf(t, p)
	if got := strings.Join(c.DNSNames, ","); got != "west.example,10.0.0.5,fd00::5,::1,West.Example" {
		t.Errorf("DNS names %s", got)
	}
	if len(c.IPAddresses) != 3 || !hasAddr(c, netip.MustParseAddr("::ffff:10.0.0.5")) {
		t.Errorf("IP addresses %v", c.IPAddresses)
	}
	if len(c.ExtKeyUsage) != 2 || c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("usages %v %b, CA %v", c.ExtKeyUsage, c.KeyUsage, c.IsCA)
	}
	if string(c.AuthorityKeyId) != string(a.Certificate().SubjectKeyId) || len(c.SubjectKeyId) == 0 {
		t.Errorf("authority key identifier %x, of the authority %x", c.AuthorityKeyId, a.Certificate().SubjectKeyId)
	}
	if string(p.CA) != string(ca.Cert) {
		t.Error("ca.crt is not the authority's certificate")
	}
	if c.SerialNumber.Sign() <= 0 || c.SerialNumber.BitLen() > 127 {
		t.Errorf("serial number %x", c.SerialNumber)
	}
}

func TestLeafEndsWithItsAuthority(t *testing.T) {
	t.Parallel()
	a, _ := authority(t, Want{Subject: "ca", Validity: 30 * 24 * time.Hour})
	w := Want{Subject: "x", Validity: 397 * 24 * time.Hour}
	p := issue(t, a, w, epoch.Add(29*24*time.Hour))
	if got := leafOf(t, p).NotAfter; !got.Equal(a.Certificate().NotAfter) {
		t.Errorf("leaf ends %v, authority %v", got, a.Certificate().NotAfter)
	}
	if d := Decide(w, a, p, epoch.Add(30*24*time.Hour-time.Second)); d.Reason != Keep {
		t.Errorf("one that ends with its authority: %v", d)
	}
	if _, err := Issue(w, a, epoch.Add(30*24*time.Hour), rand.Reader); !errors.Is(err, ErrExpired) {
		t.Errorf("expired authority: %v", err)
	}
}

func TestNoCertificatesByAWrongClock(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{time.Unix(0, 0), time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC)} {
		_, err := Issue(Want{Subject: "ca", Validity: year, Authority: true}, nil, at, rand.Reader)
		var advised interface{ Hint() string }
		if err == nil || !strings.Contains(err.Error(), "the clock of this host is wrong: it says "+at.UTC().Format(time.RFC3339)) || !errors.As(err, &advised) {
			t.Errorf("%v: %v", at, err)
		}
	}
	a, _ := authority(t, Want{Subject: "ca", Validity: year})
	if _, err := Issue(Want{Subject: "x", Validity: year}, a, epoch.AddDate(0, -1, 0), rand.Reader); !errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), "the clock says 2026-02-01") {
		t.Errorf("a clock before the authority: %v", err)
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	a, _ := authority(t, Want{Subject: "ca", Validity: 10 * year})
	other, _ := authority(t, Want{Subject: "ca", Validity: 10 * year})
	w := Want{Subject: "x", Hosts: []string{"h", "10.0.0.1"}, Validity: 300 * 24 * time.Hour}
	have := issue(t, a, w, epoch)
	mixed := have
	mixed.Key = issue(t, a, w, epoch).Key
	cut := have
	cut.Cert = cut.Cert[:len(cut.Cert)/2]
	dnsOnly := issue(t, a, Want{Subject: "x", Hosts: []string{"h"}, Validity: year}, epoch)
	with := func(hosts ...string) Want { w := w; w.Hosts = hosts; return w }
	lone := func() Pair {
		p, err := Issue(w, nil, epoch, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}()
	for _, row := range []struct {
		name string
		want Want
		by   *Authority
		have Pair
		at   time.Duration
		is   Reason
	}{
		{"same", w, a, have, 0, Keep},
		{"fewer hosts", with("h"), a, have, 0, Keep},
		{"other life and key", Want{Subject: "x", Hosts: w.Hosts, KeyType: RSA2048, Validity: year}, a, have, 0, Keep},
		{"nothing", w, a, Pair{}, 0, Missing},
		{"no key", w, a, Pair{CA: have.CA, Cert: have.Cert}, 0, Missing},
		{"cut off", w, a, cut, 0, Unreadable},
		{"key of another", w, a, mixed, 0, Unreadable},
		{"other authority of the same name", w, other, have, 0, IssuerChanged},
		{"host added", with("h", "10.0.0.1", "new"), a, have, 0, NameMissing},
		{"address added", with("h", "10.0.0.2"), a, have, 0, NameMissing},
		{"address as DNS name is missing", with("h", "10.0.0.1"), a, dnsOnly, 0, NameMissing},
		{"more than a third left", w, a, have, 199 * 24 * time.Hour, Keep},
		{"less than a third left", w, a, have, 200 * 24 * time.Hour, Due},
		{"signs itself", w, nil, lone, 0, Keep},
		{"signs itself, near the end", w, nil, lone, 200 * 24 * time.Hour, Due},
		{"signed by another instead of itself", w, nil, have, 0, IssuerChanged},
		{"expired", w, a, have, 400 * 24 * time.Hour, Due},
	} {
		if d := Decide(row.want, row.by, row.have, epoch.Add(row.at)); d.Reason != row.is {
			t.Errorf("%s: %v (%s), want %v", row.name, d.Reason, d.Detail, row.is)
		}
	}
}

func TestLoadUsualKeys(t *testing.T) {
	t.Parallel()
	for name, key := range usualKeys(t) {
		signed := selfMade(t, key)
		for form, text := range encodings(t, key) {
			c, err := Load(Pair{Cert: signed, Key: text})
			if err != nil {
				t.Errorf("%s in %s: %v", name, form, err)
				continue
			}
			a, err := ParseAuthority(Pair{Cert: signed, Key: text})
			if err != nil {
				t.Errorf("%s in %s: authority: %v", name, form, err)
				continue
			}
			leaf := issue(t, a, Want{Subject: "leaf", Hosts: []string{"127.0.0.1"}, Validity: year}, epoch)
			if err := handshake(leaf, c.Certs[0]); err != nil {
				t.Errorf("%s in %s: handshake with what it signed: %v", name, form, err)
			}
		}
	}
}

func usualKeys(t *testing.T) map[string]any {
	t.Helper()
	keys := map[string]any{}
	var err error
	if keys["RSA"], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		if keys[c.Params().Name], err = ecdsa.GenerateKey(c, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	if _, keys["Ed25519"], err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	return keys
}

// encodings are the ways in which tools write a key.
func encodings(t *testing.T, key any) map[string][]byte {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(typ string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}) }
	out := map[string][]byte{
		"PKCS #8":             block("PRIVATE KEY", pkcs8),
		"PKCS #8, mislabeled": block("RSA PRIVATE KEY", pkcs8),
		"text before":         append([]byte("Bag Attributes: x\n"), block("PRIVATE KEY", pkcs8)...),
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		out["PKCS #1"] = block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		out["SEC 1"] = block("EC PRIVATE KEY", der)
		out["SEC 1 after parameters"] = append(block("EC PARAMETERS", []byte{6, 1, 42}), out["SEC 1"]...)
	}
	return out
}

func selfMade(t *testing.T, key any) []byte {
	t.Helper()
	signer, err := PrivateKey(encodings(t, key)["PKCS #8"])
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template(Want{Subject: "ca", Validity: 10 * year}, signer.Public(), epoch, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.IsCA, tmpl.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// handshake has a server and a client with the same pair authenticate each
// other.
func handshake(p Pair, root *x509.Certificate) error {
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	now := func() time.Time { return epoch }
	a, b := net.Pipe()
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, Time: now, MinVersion: tls.VersionTLS12})
	client := tls.Client(b, &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: "127.0.0.1", Time: now, MinVersion: tls.VersionTLS12})
	done := make(chan error, 1)
	go func() {
		err := server.Handshake()
		if err == nil {
			_, err = server.Write([]byte("x"))
		}
		done <- errors.Join(err, a.Close())
	}()
	err = client.Handshake()
	if err == nil {
		_, err = io.ReadFull(client, make([]byte, 1))
	}
	return errors.Join(err, b.Close(), <-done)
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	a, ca := authority(t, Want{Subject: "ca", Validity: year})
	leaf := issue(t, a, Want{Subject: "x", Validity: year}, epoch)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	for _, row := range []struct {
		name string
		pair Pair
		want error
		says string
	}{
		{"no certificate", Pair{Key: leaf.Key}, ErrMissing, "tls.crt"},
		{"blank key", Pair{Cert: leaf.Cert, Key: []byte(" \n")}, ErrMissing, "tls.key"},
		{"key in the certificate's place", Pair{Cert: leaf.Key, Key: leaf.Key}, ErrNoPEM, "tls.crt"},
		{"no PEM", Pair{Cert: leaf.Cert, Key: []byte("hello")}, ErrNoPEM, "tls.key"},
		{"another key", Pair{Cert: leaf.Cert, Key: ca.Key}, ErrMismatch, "tls.key"},
		{"damaged ca.crt", Pair{CA: []byte("x"), Cert: leaf.Cert, Key: leaf.Key}, ErrNoPEM, "ca.crt"},
		{"encrypted", Pair{Cert: leaf.Cert, Key: []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n")}, ErrEncrypted, "tls.key"},
		{"old encryption", Pair{Cert: leaf.Cert, Key: []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMAA=\n-----END RSA PRIVATE KEY-----\n")}, ErrEncrypted, "tls.key"},
		{"P-224", Pair{Cert: leaf.Cert, Key: pkcs8(p224)}, ErrKeyKind, "tls.key"},
		{"X25519", Pair{Cert: leaf.Cert, Key: pkcs8(x25519)}, ErrKeyKind, "tls.key"},
	} {
		_, err := Load(row.pair)
		if !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, want %v in %s", row.name, err, row.want, row.says)
		}
	}
	if _, err := ParseAuthority(leaf); !errors.Is(err, ErrNotAuthority) {
		t.Errorf("leaf as authority: %v", err)
	}
	if _, err := Trusted(nil); !errors.Is(err, ErrMissing) {
		t.Errorf("no ca.crt: %v", err)
	}
}

// TestIntermediateAuthority checks that what an intermediate authority signs
// brings the way to the root along.
func TestIntermediateAuthority(t *testing.T) {
	t.Parallel()
	root, _ := authority(t, Want{Subject: "root", Validity: 10 * year})
	pair := issue(t, root, Want{Authority: true, Subject: "middle", Validity: 5 * year}, epoch)
	if d := Decide(Want{Authority: true, Subject: "middle"}, root, pair, epoch.Add(5*year-time.Hour)); d.Reason != Keep {
		t.Errorf("an authority near its end: %v", d)
	}
	middle, err := ParseAuthority(pair)
	if err != nil {
		t.Fatal(err)
	}
	leaf := issue(t, middle, Want{Subject: "x", Hosts: []string{"127.0.0.1"}, Validity: year}, epoch)
	if err := handshake(leaf, root.Certificate()); err != nil {
		t.Errorf("trusting the root only: %v", err)
	}
	if cas, err := Certificates(leaf.CA); err != nil || len(cas) != 2 {
		t.Errorf("ca.crt holds %d certificates (%v), want the intermediate and the root", len(cas), err)
	}
}

func TestDescribeAndCovers(t *testing.T) {
	t.Parallel()
	a, _ := authority(t, Want{Subject: "ca", Validity: 10 * year})
	p := issue(t, a, Want{Subject: "x", Hosts: []string{"h.test", "*.wild.test", "10.0.0.1"}, Validity: 300 * 24 * time.Hour}, epoch)
	i, err := Describe(p.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if i.Subject != "x" || i.Issuer != "ca" || i.CA || i.Serial == "" || len(i.Hosts) != 3 {
		t.Errorf("%+v", i)
	}
	if life := i.NotAfter.Sub(i.NotBefore); !i.RenewAt.Equal(i.NotAfter.Add(-life / 3)) {
		t.Errorf("renewed at %v of %v to %v", i.RenewAt, i.NotBefore, i.NotAfter)
	}
	for host, want := range map[string]bool{"h.test": true, "H.TEST": true, "10.0.0.1": true, "a.wild.test": true, "wild.test": false, "a.b.wild.test": false, "other": false} {
		if got := i.Covers(host); got != want {
			t.Errorf("covers %s: %v", host, got)
		}
	}
}

// TestOpenSSLAccepts has the library that upstream's router uses verify a chain.
func TestOpenSSLAccepts(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	for _, typ := range []KeyType{ECDSAP256, RSA2048} {
		dir := t.TempDir()
		a, _ := authority(t, Want{Subject: "skupper-site-ca", KeyType: typ, Validity: 10 * year})
		leaf := issue(t, a, Want{Subject: "west", Hosts: []string{"10.0.0.5", "west.test"}, KeyType: typ, Validity: year}, epoch)
		for name, data := range map[string][]byte{CAFile: leaf.CA, CertFile: leaf.Cert, KeyFile: leaf.Key} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		at := []string{"-attime", "1772370000"} // a day that both are valid on
		for _, args := range [][]string{
			{"verify", "-x509_strict", "-CAfile", CAFile, "-purpose", "sslserver", "-verify_ip", "10.0.0.5", CertFile},
			{"verify", "-CAfile", CAFile, "-purpose", "sslserver", "-verify_hostname", "10.0.0.5", CertFile},
			{"verify", "-CAfile", CAFile, "-purpose", "sslclient", "-verify_hostname", "west.test", CertFile},
		} {
			cmd := exec.CommandContext(t.Context(), openssl, append(args[:1:1], append(at, args[1:]...)...)...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s %s: %v\n%s", typ, strings.Join(args, " "), err, out)
			}
		}
		cmd := exec.CommandContext(t.Context(), openssl, "pkey", "-in", KeyFile, "-noout", "-check")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s key: %v\n%s", typ, err, out)
		}
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	text := string(Connect("127.0.0.1", 5671))
	for _, want := range []string{`"scheme": "amqps"`, `"host": "127.0.0.1"`, `"port": "5671"`, `"verify": true`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

// FuzzPair reads anything as a pair. It must not panic, and what it accepts
// must be usable for TLS.
func FuzzPair(f *testing.F) {
	p, err := Issue(Want{Authority: true, Subject: "ca", Validity: year}, nil, epoch, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Cert, p.Key)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		if _, err := Load(Pair{CA: cert, Cert: cert, Key: key}); err == nil {
			if _, err := tls.X509KeyPair(cert, key); err != nil {
				t.Errorf("accepted, but not usable for TLS: %v", err)
			}
		}
	})
}
