package system

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/pki"
)

// grantServerOf is a grant server of an agent without namespaces.
func grantServerOf(t *testing.T, env map[string]string) *grantServer {
	t.Helper()
	units, o := newMachinery(t)
	o.Getenv = func(name string) string { return env[name] }
	return newGrantServer(newMachine(o, units), nil)
}

func TestCertificateOfTheGrantServerIsGoodForEveryHost(t *testing.T) {
	t.Parallel()
	g := grantServerOf(t, nil)
	if err := g.open(t.Context(), "gate.example.com", "other.example.com"); err != nil {
		t.Fatal(err)
	}
	defer g.listener.Close()
	certificate, err := x509.ParseCertificate(g.identity.Certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"gate.example.com", "other.example.com", "localhost"} {
		if err := certificate.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
}

func TestGrantsAreServedAlwaysIfToldSo(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": false, "false": false, "true": true, "1": true, "perhaps": false} {
		g := grantServerOf(t, map[string]string{"SKUPPER_ENABLE_GRANTS": value})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.run(ctx)
		}()
		if want {
			for deadline := time.Now().Add(10 * time.Second); g.at().port == 0; {
				if time.Now().After(deadline) {
					t.Fatal("it does not listen")
				}
				<-time.After(time.Millisecond)
			}
		}
		cancel()
		<-done
		if got := g.always(); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// present is the certificate that the server shows.
func present(t *testing.T, g *grantServer) *x509.Certificate {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.identity == nil {
		t.Fatal("there is no certificate")
	}
	certificate, err := x509.ParseCertificate(g.identity.Certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// TestGrantServerListensWhenItsPortIsFree: whoever frees the port need do nothing
// else.
func TestGrantServerListensWhenItsPortIsFree(t *testing.T) {
	t.Parallel()
	held, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	g := grantServerOf(t, map[string]string{"SKUPPER_GRANT_SERVER_PORT": strconv.Itoa(held.Addr().(*net.TCPAddr).Port)})
	mended := make(chan struct{}, 1)
	g.mended = func() { mended <- struct{}{} }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.run(ctx)
	}()
	defer func() { cancel(); <-done }()
	g.want(ctx, time.Now().Add(time.Hour), []string{"gate.example.com"})
	if g.at().port != 0 || !strings.Contains(g.failure(), portTaken) {
		t.Errorf("at %+v: %s", g.at(), g.failure())
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-mended:
	case <-time.After(20 * time.Second):
		t.Fatalf("it does not listen: %s", g.failure())
	}
	if g.at().port == 0 || g.failure() != "" {
		t.Errorf("at %+v: %s", g.at(), g.failure())
	}
	if err := present(t, g).VerifyHostname("gate.example.com"); err != nil {
		t.Error(err)
	}
}

// TestGrantServerWaitsForThePortThatWasHandedOut: tokens and links name it. While
// none does, the next free one is as good.
func TestGrantServerWaitsForThePortThatWasHandedOut(t *testing.T) {
	t.Parallel()
	held, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	port := held.Addr().(*net.TCPAddr).Port
	for name, row := range map[string]struct {
		file    string
		promise time.Duration
		stays   bool
	}{
		"of an agent before":    {`{"port":%d,"until":"2100-01-01T00:00:00Z"}`, 0, true},
		"by what it remembers":  {`{"port":%d}`, time.Hour, true},
		"nothing was handed":    {`{"port":%d}`, 0, false},
		"everything has ended":  {`{"port":%d,"until":"2020-01-01T00:00:00Z"}`, 0, false},
		"half of the file":      {`{"port":`, 0, true},
		"nobody listened there": {``, 0, false},
	} {
		g := grantServerOf(t, nil)
		text := row.file
		if strings.Contains(text, "%d") {
			text = fmt.Sprintf(text, port)
		}
		if err := os.MkdirAll(filepath.Dir(g.portFile()), 0o700); err != nil {
			t.Fatal(err)
		}
		if text != "" {
			if err := os.WriteFile(g.portFile(), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		g.promise(time.Now().Add(row.promise))
		err := g.open(t.Context())
		if g.listener != nil {
			defer g.listener.Close()
		}
		if stays := err != nil; stays != row.stays || g.at().port == port {
			t.Errorf("%s: at %+v, %v", name, g.at(), err)
		}
		if !row.stays || row.file == `{"port":` {
			continue
		}
		// It says who has the port and what to do, and what to give up.
		for _, words := range []string{portTaken, "(pid " + strconv.Itoa(os.Getpid()) + ")", "end that program", grantPortVariable} {
			if !strings.Contains(g.failure(), words) {
				t.Errorf("%s: %q is not in: %s", name, words, g.failure())
			}
		}
	}
	// It is kept in mind for the next agent, and never shortened.
	g := grantServerOf(t, nil)
	if err := g.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer g.listener.Close()
	most := time.Now().Add(time.Hour)
	for _, until := range []time.Time{most, most.Add(-time.Minute)} {
		g.promise(until)
	}
	if k, err := g.kept(); err != nil || k.Port != g.at().port || !k.Until.Equal(most) {
		t.Errorf("kept %+v, %v; at %+v", k, err, g.at())
	}
}

// TestCertificateOfTheGrantServerIsMadeAnewInTime: an agent may run for longer
// than its certificate is good.
func TestCertificateOfTheGrantServerIsMadeAnewInTime(t *testing.T) {
	t.Parallel()
	g := grantServerOf(t, nil)
	if err := g.open(t.Context(), "gate.example.com"); err != nil {
		t.Fatal(err)
	}
	defer g.listener.Close()
	first := present(t, g)
	if err := g.open(t.Context(), "gate.example.com"); err != nil || !present(t, g).Equal(first) {
		t.Errorf("made anew for nothing: %v", err)
	}
	// The files of an agent that has run for long.
	paths := g.m.options.Paths
	by, err := pki.ParseAuthority(readPair(paths.AgentIssuerDir(grantCA)))
	if err != nil {
		t.Fatal(err)
	}
	old, err := pki.Issue(pki.Want{Subject: grantCredential, Hosts: first.DNSNames, Validity: time.Minute}, by, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	writePair(t, paths.AgentCertDir(grantCredential), old)
	if err := g.open(t.Context(), "gate.example.com"); err != nil {
		t.Fatal(err)
	}
	if now := present(t, g); now.NotAfter.Before(time.Now().Add(300 * 24 * time.Hour)) {
		t.Errorf("it ends %v", now.NotAfter)
	}
}

func writePair(t *testing.T, dir string, p pki.Pair) {
	t.Helper()
	for name, data := range map[string][]byte{pki.CAFile: p.CA, pki.CertFile: p.Cert, pki.KeyFile: p.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCertificateOfAPersonForGrants: one that lies where the agent keeps its own
// is shown, and never replaced. It says for which hosts there are tokens.
func TestCertificateOfAPersonForGrants(t *testing.T) {
	t.Parallel()
	g := grantServerOf(t, nil)
	if err := g.open(t.Context(), "gate.example.com"); err != nil {
		t.Fatal(err)
	}
	defer g.listener.Close()
	dir := g.m.options.Paths.AgentCertDir(grantCredential)
	made := readPair(dir)
	root, err := pki.Issue(pki.Want{Authority: true, Subject: "house", Validity: time.Hour}, nil, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by, err := pki.ParseAuthority(root)
	if err != nil {
		t.Fatal(err)
	}
	own, err := pki.Issue(pki.Want{Subject: "grants", Hosts: []string{"gate.example.com"}, Validity: time.Hour}, by, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	writePair(t, dir, own)
	if err := g.open(t.Context(), "gate.example.com"); err != nil {
		t.Fatal(err)
	}
	if got := present(t, g).Issuer.CommonName; got != "house" || !bytes.Equal(g.at().ca, root.Cert) {
		t.Errorf("shown is a certificate of %s, tokens trust\n%s", got, g.at().ca)
	}
	if err := g.openToo(t.Context(), "other.example.com"); err == nil || !strings.Contains(err.Error(), "is for gate.example.com, not for other.example.com") {
		t.Errorf("another host: %v", err)
	}
	if g.failure() != "" {
		t.Errorf("a refused request has the server say %s", g.failure())
	}
	if !readPair(dir).Equal(own) {
		t.Error("the files of a person were replaced")
	}
	for name, row := range map[string]struct {
		pair pki.Pair
		want string
	}{
		"no authority":   {pki.Pair{Cert: own.Cert, Key: own.Key}, "ca.crt: missing"},
		"key of another": {pki.Pair{CA: own.CA, Cert: own.Cert, Key: made.Key}, "the key does not belong"},
	} {
		writePair(t, dir, row.pair)
		if err := g.open(t.Context()); err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(g.failure(), row.want) {
			t.Errorf("%s: %v; %s", name, err, g.failure())
		}
	}
	writePair(t, dir, made) // the agent's own again
	if err := g.open(t.Context(), "gate.example.com"); err != nil || present(t, g).Issuer.CommonName != grantCA {
		t.Errorf("with its own again: %v", err)
	}
}
