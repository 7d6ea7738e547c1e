package conn

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/sim/netpipe"
)

// both runs a client against a server until both have opened, or one has
// failed; it returns what Run returned, empty for success.
func both(t *testing.T, client, server *tls.Config) (c, s string, state State) {
	t.Helper()
	x, y := netpipe.Pair(netpipe.Options{})
	opened := make(chan struct{}, 2)
	o := func() *owner { return &owner{opened: func(*Conn, *amqp.Open) { opened <- struct{}{} }} }
	a := startFor(t, x, Config{Client: true, TLS: client, HandshakeTimeout: 5 * time.Second}, o())
	b := startFor(t, y, Config{TLS: server, HandshakeTimeout: 5 * time.Second}, o())
	for range 2 {
		select {
		case <-opened:
		case err := <-a.done:
			a.done <- err
		case err := <-b.done:
			b.done <- err
		}
	}
	state = b.State()
	a.Close(nil)
	_, _ = a.stopped(), b.stopped()
	text := func(r *running) string {
		if e := r.ended.Load(); e != nil {
			return e.Error()
		}
		return ""
	}
	return text(a), text(b), state
}

func TestMutualTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	server := ca.identity("server", leaf{name: "west", dns: []string{"west.example"}})
	client := ca.identity("client", leaf{name: "east"})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := client.Client("west.example", true)
		cfg.MaxVersion = version
		c, s, state := both(t, cfg, server.Server(true))
		if c != "" || s != "" {
			t.Fatalf("%q, %q", c, s)
		}
		if state.TLS.Version != version || state.Mechanism != External || state.User != "CN=east" {
			t.Errorf("version %x, %s, %s", state.TLS.Version, state.Mechanism, state.User)
		}
	}
	files := ca.issue("newest", leaf{name: "west", dns: []string{"west.example"}})
	files.MinVersion = tls.VersionTLS13
	newest, err := LoadIdentity(files)
	ca.must(err)
	older := client.Client("west.example", true)
	older.MaxVersion = tls.VersionTLS12
	if c, s, _ := both(t, older, newest.Server(true)); c != "TLS: the peer does not speak this version of TLS" || s == "" {
		t.Errorf("%q, %q", c, s)
	}
	old := client.Client("west.example", true)
	old.MinVersion, old.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	if c, s, _ := both(t, old, server.Server(true)); c != "TLS: the peer does not speak this version of TLS" || s == "" {
		t.Errorf("%q, %q", c, s)
	}
}

func TestWhyTLSFails(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	past, future := time.Now().Add(-time.Minute).Truncate(time.Second), time.Now().Add(time.Hour).Truncate(time.Second)
	good := ca.identity("good", leaf{name: "good", dns: []string{"west.example"}})
	load := func(c Credentials) *Identity {
		i, err := LoadIdentity(c)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	stranger := other.issue("stranger", leaf{name: "stranger", dns: []string{"west.example"}})
	stranger.CAFile = filepath.Join(ca.dir, "ca.crt")
	noCert := load(Credentials{CAFile: filepath.Join(ca.dir, "ca.crt")})
	day := func(at time.Time) string { return at.UTC().Format(time.DateTime) }
	for _, c := range []struct {
		name           string
		client, server *Identity
		host           string
		wantC, wantS   string // prefix of what each side says
	}{
		{name: "unknown server authority", server: load(stranger), wantC: "TLS: the peer's certificate is signed by an unknown authority", wantS: "TLS: the peer"},
		{name: "unknown client authority", client: load(stranger), wantC: "the peer does not know the authority of our certificate", wantS: "TLS: the peer's certificate is signed by an unknown authority"},
		{name: "expired server", server: ca.identity("old", leaf{dns: []string{"west.example"}, to: past}), wantC: "TLS: the peer's certificate expired on " + day(past), wantS: "TLS: "},
		{name: "expired client", client: ca.identity("old-client", leaf{to: past}), wantS: "TLS: the peer's certificate expired on " + day(past)},
		{name: "server from the future", server: ca.identity("new", leaf{dns: []string{"west.example"}, from: future, to: future.Add(time.Hour)}), wantC: "TLS: the peer's certificate is not valid before " + day(future), wantS: "TLS: "},
		{name: "wrong name", host: "north.example", wantC: "TLS: the peer's certificate is for west.example, not for north.example", wantS: "TLS: the peer does not take our certificate"},
		{name: "no client certificate", client: noCert, wantC: "", wantS: "TLS: the peer has no client certificate"},
		{name: "client certificate as server", server: ca.identity("wrong-use", leaf{dns: []string{"west.example"}, usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}), wantC: "TLS: the peer's certificate is not meant for this use", wantS: "TLS: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, server, host := good, good, "west.example"
			if c.client != nil {
				client = c.client
			}
			if c.server != nil {
				server = c.server
			}
			if c.host != "" {
				host = c.host
			}
			gotC, gotS, _ := both(t, client.Client(host, true), server.Server(true))
			if gotC == "" || !strings.Contains(gotC, c.wantC) {
				t.Errorf("client says %q, want %q", gotC, c.wantC)
			}
			if gotS == "" || !strings.HasPrefix(gotS, c.wantS) {
				t.Errorf("server says %q, want %q", gotS, c.wantS)
			}
		})
	}
}

func TestPlainMeetsTLS(t *testing.T) {
	t.Parallel()
	id := newAuthority(t, "ca").identity("x", leaf{dns: []string{"west.example"}})
	if c, s, _ := both(t, nil, id.Server(true)); s != "TLS: the peer does not speak TLS" || c == "" {
		t.Errorf("%q, %q", c, s)
	}
	if c, s, _ := both(t, id.Client("west.example", true), nil); s != "SASL: the peer speaks TLS, but this connection is plain" || c == "" {
		t.Errorf("%q, %q", c, s)
	}
}

// TestServerNames: what counts as the name of a server.
func TestServerNames(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	ip := net.ParseIP("192.0.2.7")
	for _, c := range []struct {
		name string
		leaf leaf
		host string
		ok   bool
	}{
		{"DNS name", leaf{dns: []string{"west.example"}}, "west.example", true},
		{"wildcard", leaf{dns: []string{"*.example"}}, "west.example", true},
		{"other name", leaf{dns: []string{"east.example"}}, "west.example", false},
		{"common name alone", leaf{name: "west.example"}, "west.example", true},
		{"common name beside a DNS name", leaf{name: "west.example", dns: []string{"east.example"}}, "west.example", false},
		{"IP address", leaf{ips: []net.IP{ip}}, "192.0.2.7", true},
		{"IP address as a DNS name", leaf{dns: []string{"192.0.2.7"}}, "192.0.2.7", true},
		{"IP address as common name", leaf{name: "192.0.2.7", dns: []string{"x"}}, "192.0.2.7", true},
		{"other IP address", leaf{name: "west", dns: []string{"192.0.2.70"}, ips: []net.IP{net.ParseIP("192.0.2.70")}}, "192.0.2.7", false},
		{"IPv6 address", leaf{ips: []net.IP{net.ParseIP("2001:db8::1")}}, "2001:db8::1", true},
	} {
		der, err := os.ReadFile(ca.issue("names", c.leaf).CertFile)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(der)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifyName(cert, c.host); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestVerifyHostOff(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	id := ca.identity("x", leaf{dns: []string{"west.example"}})
	if c, s, _ := both(t, id.Client("north.example", false), id.Server(true)); c != "" || s != "" {
		t.Errorf("%q, %q", c, s)
	}
	// The chain is checked all the same.
	stranger := other.identity("y", leaf{dns: []string{"north.example"}})
	if c, _, _ := both(t, id.Client("north.example", false), stranger.Server(false)); !strings.Contains(c, "unknown authority") {
		t.Errorf("%q", c)
	}
}

// TestFilesAreReadAgain: new handshakes use new files, unfinished ones are not
// used.
func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	ca, next := newAuthority(t, "ca"), newAuthority(t, "next")
	files := ca.issue("server", leaf{name: "first", dns: []string{"west.example"}})
	server, err := LoadIdentity(files)
	ca.must(err)
	serverConfig := server.Server(true)
	client := ca.identity("client", leaf{name: "client"})
	if c, s, _ := both(t, client.Client("west.example", true), serverConfig); c+s != "" {
		t.Fatal(c, s)
	}
	if changed, err := server.Refresh(); changed || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
	put := func(to, from string) {
		b, err := os.ReadFile(from)
		ca.must(err)
		ca.must(os.WriteFile(to+".new", b, 0o600))
		ca.must(os.Rename(to+".new", to))
	}
	fresh := next.issue("server", leaf{name: "second", dns: []string{"west.example"}})
	put(files.CertFile, fresh.CertFile) // half of it: the key does not fit
	if changed, err := server.Refresh(); changed || err == nil || !strings.Contains(err.Error(), files.KeyFile) {
		t.Errorf("%v, %v", changed, err)
	}
	if server.Certificate().Subject.CommonName != "first" {
		t.Error("unfinished files are used")
	}
	put(files.KeyFile, fresh.KeyFile)
	put(files.CAFile, fresh.CAFile)
	if changed, err := server.Refresh(); !changed || err != nil || server.Certificate().Subject.CommonName != "second" {
		t.Errorf("%v, %v", changed, err)
	}
	if _, s, _ := both(t, client.Client("west.example", true), serverConfig); s == "" {
		t.Error("a client of the old authority is taken")
	}
	if c, s, _ := both(t, next.identity("client", leaf{}).Client("west.example", true), serverConfig); c+s != "" {
		t.Error(c, s)
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	good := ca.issue("good", leaf{})
	write := func(name, text string) string {
		path := filepath.Join(ca.dir, name)
		ca.must(os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for name, c := range map[string]struct {
		change func(*Credentials)
		want   string
	}{
		"no such file": {func(c *Credentials) { c.CertFile = "/nowhere.crt" }, "/nowhere.crt: no such file or directory"},
		"no key file":  {func(c *Credentials) { c.KeyFile = "/nowhere.key" }, "/nowhere.key: no such file or directory"},
		"no anchors":   {func(c *Credentials) { c.CAFile = write("empty", "") }, "empty: holds no certificate"},
		"garbage":      {func(c *Credentials) { c.KeyFile = write("garbage", "x") }, "garbage: holds no key"},
		"encrypted key": {func(c *Credentials) {
			c.KeyFile = write("p8", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
		}, "an encrypted key that cannot be parsed"},
		"somebody's key": {func(c *Credentials) { c.KeyFile = filepath.Join(ca.dir, "ca.key") }, "private key does not match public key"},
	} {
		files := good
		c.change(&files)
		if _, err := LoadIdentity(files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReconnectShakesHandsAnew: sessions are not resumed, see Identity.Client.
func TestReconnectShakesHandsAnew(t *testing.T) {
	t.Parallel()
	id := newAuthority(t, "ca").identity("x", leaf{name: "x", dns: []string{"west.example"}})
	server := id.Server(true)
	_, _, first := both(t, id.Client("west.example", true), server)
	c, s, second := both(t, id.Client("west.example", true), server)
	if c+s != "" || first.TLS.DidResume || second.TLS.DidResume || second.User != "CN=x" {
		t.Errorf("%q, %q, resumed %v and %v, user %s", c, s, first.TLS.DidResume, second.TLS.DidResume, second.User)
	}
}

// TestHandshakeIsLimited: a peer that connects to a TLS listener and says
// nothing.
func TestHandshakeIsLimited(t *testing.T) {
	id := newAuthority(t, "ca").identity("x", leaf{})
	inBubble(t, func(t *testing.T) {
		r, s := scripted(t, Config{TLS: id.Server(true)})
		begin := time.Now()
		s.write(0x16, 0x03)
		wantError(t, r, "TLS: timed out")
		if d := time.Since(begin); d != 10*time.Second {
			t.Errorf("given up after %v", d)
		}
	})
}
