package observer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/record"
)

// writeCertificate writes a certificate for 127.0.0.1 that signs itself, and its
// key.
func writeCertificate(t *testing.T, dir string, serial int64, until time.Time) (cert, key string) {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "observer"}, NotBefore: until.Add(-10 * 24 * time.Hour), NotAfter: until,
		DNSNames: []string{"east.example.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestCertificateIsReadAgain: a listener shows a certificate that was replaced,
// and the one before while the files are wrong.
func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	soon := time.Now().Add(time.Hour)
	cert, key := writeCertificate(t, dir, 1, soon)
	address := observing(t, Config{Router: "unix:" + filepath.Join(dir, "none.sock"), TLSCert: cert, TLSKey: key, NoConsole: true})
	serial := func() int64 {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("certificate %d", got)
	}
	writeCertificate(t, dir, 2, soon)
	for deadline := time.Now().Add(patience); serial() != 2; {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not shown")
		}
		<-time.After(50 * time.Millisecond)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	if status, _, err := get(client, "https://"+address+"/healthz"); status != http.StatusOK || err != nil {
		t.Errorf("%d, %v", status, err)
	}
}

// TestCertificateAtAnyMoment goes through what may be in the files while they are
// replaced.
func TestCertificateAtAnyMoment(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	soon, now := time.Now().Add(time.Hour), time.Now()
	cfg := &Config{}
	cfg.TLSCert, cfg.TLSKey = writeCertificate(t, dir, 1, soon)
	c, err := cfg.certificate()
	if err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, other, 2, soon)
	move := func(name string) {
		t.Helper()
		if err := os.Rename(filepath.Join(other, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for i, step := range []struct {
		do   func()
		want int64
	}{
		{func() {}, 1},
		{func() { move("tls.crt") }, 1}, // the key is still that of the first
		{func() { move("tls.key") }, 2},
		{func() { _ = os.Remove(cfg.TLSKey) }, 2},
		{func() { _ = os.WriteFile(cfg.TLSCert, []byte("nonsense"), 0o600) }, 2},
		{func() { writeCertificate(t, dir, 3, soon) }, 3},
	} {
		step.do()
		now = now.Add(certificateCheck)
		if got := c.now(now).Leaf.SerialNumber.Int64(); got != step.want {
			t.Errorf("step %d: certificate %d, want %d", i, got, step.want)
		}
	}
	writeCertificate(t, dir, 4, soon)
	if got := c.now(now.Add(certificateCheck - 1)).Leaf.SerialNumber.Int64(); got != 3 {
		t.Errorf("looked again too soon: %d", got)
	}
	told, err := ReadCertificate(cfg.TLSCert, cfg.TLSKey)
	if err != nil || len(told.SHA256) != 32*3-1 || !told.Expires.Equal(soon.UTC().Truncate(time.Second)) || strings.Join(told.Names, " ") != "east.example.com 127.0.0.1" {
		t.Errorf("%+v, %v", told, err)
	}
}

// TestCheck: what Run would refuse, or nobody would trust, is said beforehand.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, 1, time.Now().Add(time.Hour))
	expired := t.TempDir()
	oldCert, oldKey := writeCertificate(t, expired, 1, time.Now().Add(-time.Hour))
	users := filepath.Join(dir, "users")
	if err := os.WriteFile(users, []byte("anna:{PLAIN}secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(dir, "wrong")
	if err := os.WriteFile(wrong, []byte("anna\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	for _, row := range []struct {
		name string
		cfg  Config
		made bool
		want string // "" if nothing is wrong
	}{
		{"loopback", Config{Listen: "127.0.0.1:8080"}, false, ""},
		{"by name", Config{Listen: "localhost:8080"}, false, ""},
		{"of IPv6", Config{Listen: "[::1]:8080"}, false, ""},
		{"with a login", Config{Listen: "127.0.0.1:8080", Users: users}, false, ""},
		{"users that are made", Config{Listen: "127.0.0.1:8080", Users: none}, false, ""},
		{"for others", Config{Listen: ":8443", Users: users, TLSCert: cert, TLSKey: key}, false, ""},
		{"for others, all made", Config{Listen: ":8443", Users: none, TLSCert: none, TLSKey: none}, true, ""},
		{"open", Config{Listen: "0.0.0.0:8080", Open: true}, false, ""},
		{"no port", Config{Listen: "127.0.0.1"}, false, "not an address with a port"},
		{"an empty port", Config{Listen: "127.0.0.1:"}, false, "not an address with a port"},
		{"any port", Config{Listen: "127.0.0.1:0"}, false, "not an address with a port"},
		{"for others, nothing", Config{Listen: "10.0.0.1:8080"}, false, "to whoever asks or listens"},
		{"for others, no TLS", Config{Listen: ":8080", Users: users}, false, "to whoever asks or listens"},
		{"for others, no login", Config{Listen: ":8080", TLSCert: cert, TLSKey: key}, false, "shows the network to whoever asks"},
		{"for others, no login, made", Config{Listen: ":8080", TLSCert: none, TLSKey: none}, true, "shows the network to whoever asks"},
		{"no key", Config{Listen: "127.0.0.1:8080", TLSCert: cert}, false, "belong together"},
		{"no certificate", Config{Listen: "127.0.0.1:8080", TLSKey: key}, false, "belong together"},
		{"another key", Config{Listen: "127.0.0.1:8080", TLSCert: cert, TLSKey: oldKey}, false, "certificate of the listener: tls: private key does not match"},
		{"a file that is none", Config{Listen: "127.0.0.1:8080", TLSCert: users, TLSKey: key}, false, "certificate of the listener: "},
		{"a missing file", Config{Listen: "127.0.0.1:8080", TLSCert: none, TLSKey: key}, false, "no such file"},
		{"expired", Config{Listen: "127.0.0.1:8080", TLSCert: oldCert, TLSKey: oldKey}, false, oldCert + " is valid from "},
		{"wrong users", Config{Listen: "127.0.0.1:8080", Users: wrong}, false, "wrong:1: not of the form name:hash"},
	} {
		err := row.cfg.Check(row.made)
		if row.want == "" {
			if err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			continue
		}
		var advised interface{ Hint() string }
		if err == nil || !strings.Contains(err.Error(), row.want) || !errors.As(err, &advised) || advised.Hint() == "" {
			t.Errorf("%s: %v, want %q and a hint", row.name, err, row.want)
		}
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("checking has made a file")
	}
}

// TestLinkRates: what flowed between two observations is a rate, whatever comes
// in between.
func TestLinkRates(t *testing.T) {
	t.Parallel()
	link := func(id string, sent, received uint64) *record.RouterLink {
		l := &record.RouterLink{OctetCount: sent, OctetReverseCount: received}
		l.Identity = id
		return l
	}
	begin := time.Unix(1_000_000, 0)
	l := &linkRates{}
	if got := l.rates(); len(got) != 0 {
		t.Errorf("before the first observation: %v", got)
	}
	for i, step := range []struct {
		after time.Duration
		links []*record.RouterLink
		want  map[string]LinkRate
	}{
		{0, []*record.RouterLink{link("a", 1000, 500)}, map[string]LinkRate{}}, // what was before nobody knows
		{10 * time.Second, []*record.RouterLink{link("a", 3000, 500), link("b", 70, 7)}, map[string]LinkRate{"a": {200, 0}}},
		{20 * time.Second, []*record.RouterLink{link("a", 3000, 1500), link("b", 170, 7)}, map[string]LinkRate{"a": {0, 100}, "b": {10, 0}}},
		{20 * time.Second, []*record.RouterLink{link("a", 9000, 9000)}, map[string]LinkRate{}},              // no time has gone by
		{25 * time.Second, []*record.RouterLink{link("a", 500, 9050)}, map[string]LinkRate{"a": {100, 10}}}, // its router began anew
		{30 * time.Second, nil, map[string]LinkRate{}},                                                      // it went
		{40 * time.Second, []*record.RouterLink{link("a", 1<<40, 0)}, map[string]LinkRate{}},                // and came: what it has may be old
		{50 * time.Second, []*record.RouterLink{link("a", 1<<40+10, 0)}, map[string]LinkRate{"a": {Sent: 1}}},
	} {
		l.observe(begin.Add(step.after), step.links)
		got := l.rates()
		if len(got) != len(step.want) {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
		for id, want := range step.want {
			if got[id] != want {
				t.Errorf("step %d: link %s %v, want %v", i, id, got[id], want)
			}
		}
	}
}
