package system

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/supervise"
	"github.com/skupper-host/skupper/system/token"
)

// oneGrant is good for one redemption, with one code.
type oneGrant struct {
	begun chan struct{} // takes that a redemption of "slow" waits to be called off
	used  atomic.Int32
}

const oneCode = "open sesame"

func (g *oneGrant) Redeem(ctx context.Context, c token.Claim) ([]byte, error) {
	switch {
	case c.Grant == "slow":
		g.begun <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	case c.Grant != "uid-1":
		return nil, token.ErrNoGrant
	case !token.SameCode(c.Code, oneCode):
		return nil, token.ErrWrongCode
	case !g.used.CompareAndSwap(0, 1):
		return nil, token.ErrUsedUp
	}
	return []byte("---\napiVersion: v1\nkind: Secret\nmetadata: {name: east}\ndata: {ca.crt: eA==, tls.crt: eA==, tls.key: eA==}\n" +
		"---\napiVersion: skupper.io/v2alpha1\nkind: Link\nmetadata: {name: east}\n" +
		"spec: {endpoints: [{name: inter-router, host: west, port: \"55671\"}], tlsCredentials: east}\n"), nil
}

// pids is a log that yields the processes that are ready.
type pids struct {
	slog.Handler
	ready chan int
}

func (p pids) Enabled(context.Context, slog.Level) bool { return true }

func (p pids) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == keyPID {
			p.ready <- int(a.Value.Int64())
		}
		return true
	})
	return nil
}

// apartServer is a grant server whose process is the test binary.
type apartServer struct {
	*grantServer
	t      *testing.T
	ready  chan int      // the process that is
	mended chan struct{} // yields when the server says so
	stop   func()
}

// onlyGrants renews nothing: nobody asks it to.
type onlyGrants struct {
	token.Grantor
	token.Renewer
}

func newApartServer(t *testing.T, grantor token.Grantor, change func(*grantProcess)) *apartServer {
	t.Helper()
	units, o := newMachinery(t)
	ready := make(chan int, 8)
	o.Log = slog.New(pids{slog.DiscardHandler, ready})
	s := &apartServer{t: t, grantServer: newGrantServer(newMachine(o, units), onlyGrants{grantor, nil}), ready: ready, mended: make(chan struct{}, 8)}
	s.apart = true
	if os.Getuid() != 0 {
		s.process.user = func() (int, error) { return os.Getuid(), nil }
	}
	if change != nil {
		change(&s.process)
	}
	s.grantServer.mended = func() { s.mended <- struct{}{} }
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.run(ctx) })
	s.stop = func() { cancel(); running.Wait() }
	t.Cleanup(s.stop)
	if err := s.open(ctx, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	return s
}

// token is one for a grant of the server.
func (s *apartServer) token(grant, code string) *resource.AccessToken {
	at := s.at()
	tok := &resource.AccessToken{Meta: resource.Meta{Name: "east"}}
	tok.Spec.URL = fmt.Sprintf("https://%s/%s", net.JoinHostPort("127.0.0.1", strconv.Itoa(at.port)), grant)
	tok.Spec.Code, tok.Spec.CA = code, string(at.ca)
	return tok
}

// redeem is what a client is answered: a status, 200 with links.
func (s *apartServer) redeem(ctx context.Context, grant, code string) int {
	s.t.Helper()
	_, err := token.Redeem(ctx, token.Request{Token: s.token(grant, code)})
	var refusal *token.Error
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &refusal) && refusal.Status != 0:
		return refusal.Status
	}
	s.t.Errorf("redemption: %v", err)
	return 0
}

// next is the next process that is ready.
func (s *apartServer) next() int {
	s.t.Helper()
	select {
	case pid := <-s.ready:
		return pid
	case <-time.After(20 * time.Second):
		s.t.Fatalf("no process is ready: %s", s.failure())
	}
	return 0
}

// awaitFailure waits until the server says that it does not serve, in some words.
func (s *apartServer) awaitFailure(words string) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(s.failure(), words); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("it says %q, want %q", s.failure(), words)
		}
	}
}

// TestWhatFacesTheNetworkHasNoRights looks at the process as the kernel has it.
func TestWhatFacesTheNetworkHasNoRights(t *testing.T) {
	t.Parallel()
	s := newApartServer(t, &oneGrant{}, nil)
	pid := s.next()
	if got := s.redeem(t.Context(), "uid-1", oneCode); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	proc := fmt.Sprintf("/proc/%d/", pid)
	data, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]string{}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		has[key] = strings.Join(strings.Fields(value), " ")
	}
	want := map[string]string{"Name": "skupper", "NoNewPrivs": "1"}
	if os.Getuid() == 0 {
		uid, err := grantUser()
		if err != nil || uid == 0 {
			t.Fatalf("user %d: %v", uid, err)
		}
		four := func(id int) string { return strings.TrimSpace(strings.Repeat(strconv.Itoa(id)+" ", 4)) }
		want["Uid"], want["Gid"], want["Groups"] = four(uid), four(nogroup), ""
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
			want[set] = "0000000000000000"
		}
		// What others of that user could read would be theirs.
		info, err := os.Stat(proc + "mem")
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("its memory belongs to %+v, %v", info, err)
		}
		if environ, err := os.ReadFile(proc + "environ"); err != nil || len(environ) > 0 {
			t.Errorf("it has the environment %q, %v", environ, err)
		}
	}
	for key, value := range want {
		if has[key] != value {
			t.Errorf("%s is %q, want %q", key, has[key], value)
		}
	}
	s.stop()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it goes on without the agent: %v", err)
	}
}

// TestProcessOfTheGrantServerDies: it is said, there is another one at the same
// port, and who has guessed before guesses no more; what was counted is counted.
func TestProcessOfTheGrantServerDies(t *testing.T) {
	t.Parallel()
	grants := &oneGrant{begun: make(chan struct{})}
	s := newApartServer(t, grants, func(p *grantProcess) { p.timing = supervise.Timing{First: 2 * time.Second} })
	pid, port := s.next(), s.at().port
	if got := s.redeem(t.Context(), "uid-1", oneCode); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	if got := s.redeem(t.Context(), "uid-1", oneCode); got != http.StatusNotFound {
		t.Errorf("status %d the second time", got)
	}
	for range 8 {
		if got := s.redeem(t.Context(), "uid-1", "guess"); got != http.StatusForbidden {
			t.Errorf("status %d for a guess", got)
		}
	}
	// It dies over a redemption, which is the tenth failure.
	var client sync.WaitGroup
	ctx, hangUp := context.WithCancel(t.Context())
	client.Go(func() {
		if _, err := token.Redeem(ctx, token.Request{Token: s.token("slow", oneCode)}); err == nil {
			t.Error("there is an answer of a dead process")
		}
	})
	<-grants.begun
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.awaitFailure(processEnded + "signal: killed")
	hangUp()
	client.Wait()
	select {
	case <-s.mended:
	case <-time.After(20 * time.Second):
		t.Fatalf("it is not mended: %s", s.failure())
	}
	if again := s.next(); again == pid || s.failure() != "" || s.at().port != port {
		t.Errorf("process %d at %d, and before %d at %d; %q", again, s.at().port, pid, port, s.failure())
	}
	if got := s.redeem(t.Context(), "uid-1", oneCode); got != http.StatusTooManyRequests {
		t.Errorf("status %d after ten failures", got)
	}
	if n := grants.used.Load(); n != 1 {
		t.Errorf("%d redemptions", n)
	}
}

// TestProcessOfTheGrantServerCannotBeStarted: it is said why, with its words.
func TestProcessOfTheGrantServerCannotBeStarted(t *testing.T) {
	t.Parallel()
	shell := func(script string) func(*grantProcess) {
		return func(p *grantProcess) { p.program, p.args = "/bin/sh", []string{"sh", "-c", script} }
	}
	for words, change := range map[string]func(*grantProcess){
		"no such file or directory": func(p *grantProcess) { p.program = "/nonexistent/skupper" },
		"exit status 3: no luck":    shell("echo no luck >&2; echo more >&2; exit 3"),
		"exit status 0":             shell(":"),
		"exit status 1: ?[2Jgone":   shell(`printf '\033[2Jgone' >&2; exit 1`),
		"not a message":             shell("echo hello >&3; exec sleep 60"),
		"no such user":              func(p *grantProcess) { p.user = func() (int, error) { return 0, errors.New("no such user") } },
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			s := newApartServer(t, &oneGrant{}, change)
			s.awaitFailure(processEnded)
			if !strings.Contains(s.failure(), words) {
				t.Errorf("it says %q, want %q", s.failure(), words)
			}
			if s.at().port == 0 {
				t.Error("the port is given up")
			}
		})
	}
}

// turnedAway renews nothing, and says so.
type turnedAway struct{ asked chan token.Renewal }

func (r turnedAway) Renew(_ context.Context, asked token.Renewal) ([]byte, error) {
	r.asked <- asked
	return nil, token.ErrRevoked
}

// TestRenewalsPassTheProcess has somebody ask for another certificate whose agent
// faces the network through a process.
func TestRenewalsPassTheProcess(t *testing.T) {
	t.Parallel()
	r := turnedAway{make(chan token.Renewal, 1)}
	s := newApartServer(t, nil, nil)
	s.renewer.Renewer = r
	by, _ := rootOf(t, "skupper-site-ca", time.Now())
	pair := madeBy(t, pki.Want{Subject: "east", Validity: time.Hour}, by, time.Now())
	at := s.at()
	secret := &resource.Secret{
		Meta: resource.Meta{Name: "west", Annotations: map[string]string{
			token.RenewURL: "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(at.port)) + token.RenewPath, token.RenewCA: string(at.ca),
		}},
		Type: resource.SecretTypeTLS, Data: map[string][]byte{resource.CACert: pair.CA, resource.TLSCert: pair.Cert, resource.TLSKey: pair.Key},
	}
	_, err := token.Renew(t.Context(), token.RenewRequest{Secret: secret, Now: time.Now()})
	var e *token.Error
	if !errors.As(err, &e) || e.Status != token.ErrRevoked.Status || !strings.Contains(e.Error(), token.ErrRevoked.Text) {
		t.Fatalf("%v", err)
	}
	asked := <-r.asked
	leaf, err := pki.Certificates(pair.Cert)
	if err != nil || asked.From != "127.0.0.1" || !asked.Proven(leaf[0]) {
		t.Errorf("asked %+v, %v", asked, err)
	}
}
