package pipe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// grantor answers claims by a function.
type grantor func(context.Context, token.Claim) ([]byte, error)

func (g grantor) Redeem(ctx context.Context, c token.Claim) ([]byte, error) { return g(ctx, c) }

// renewer answers renewals by a function.
type renewer func(context.Context, token.Renewal) ([]byte, error)

func (r renewer) Renew(ctx context.Context, asked token.Renewal) ([]byte, error) {
	return r(ctx, asked)
}

// ends are both ends of a pipe.
func ends(t *testing.T) (agent, process net.Conn) {
	t.Helper()
	agent, file, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	process, err = net.FileConn(file)
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = agent.Close(), process.Close() })
	return agent, process
}

// identity is a certificate for 127.0.0.1, with the authority to trust.
func identity(t *testing.T, subject string) (Identity, []byte) {
	t.Helper()
	root, err := pki.Issue(pki.Want{Authority: true, Subject: "root of " + subject, Validity: time.Hour}, nil, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by, err := pki.ParseAuthority(root)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pki.Issue(pki.Want{Subject: subject, Hosts: []string{"127.0.0.1"}, Validity: time.Hour}, by, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Identity{Cert: p.Cert, Key: p.Key}, root.Cert
}

// shows is a certificate that is always the same.
func shows(t *testing.T) func() Identity {
	t.Helper()
	id, _ := identity(t, "gate")
	return func() Identity { return id }
}

// office is an agent's desk with a process at it, both in this test.
type office struct {
	agent   net.Conn
	asker   *asker // only where there is no server
	url     string
	ready   chan struct{}
	renewed chan struct{}
	ended   chan error // of the desk
	served  chan error // of the process
}

// open opens a desk with an asker at it and, if serves is set, with the whole
// server.
func open(t *testing.T, g token.Grantor, shown func() Identity, serves bool) *office {
	t.Helper()
	agent, process := ends(t)
	o := &office{agent: agent, ready: make(chan struct{}), renewed: make(chan struct{}, 1), ended: make(chan error, 1), served: make(chan error, 1)}
	var parts sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); parts.Wait() })
	desk := &Desk{Grantor: g, Identity: shown, Renewed: o.renewed, Ready: func() { close(o.ready) }}
	parts.Go(func() { o.ended <- desk.Answer(ctx, agent) })
	if serves {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o.url = "https://" + l.Addr().String() + "/uid-1"
		parts.Go(func() { o.served <- serve(ctx, process, l) })
	} else {
		o.asker = newAsker(process)
		if err := o.asker.say(ask{Ready: true}); err != nil {
			t.Fatal(err)
		}
		parts.Go(func() { o.served <- o.asker.listen() })
	}
	await(t, o.ready)
	return o
}

func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing comes in time")
	}
	return v
}

const links = `---
apiVersion: v1
kind: Secret
metadata: {name: east}
data: {ca.crt: eA==, tls.crt: eA==, tls.key: eA==}
---
apiVersion: skupper.io/v2alpha1
kind: Link
metadata: {name: east}
spec: {endpoints: [{name: inter-router, host: west, port: "55671"}], tlsCredentials: east}
`

func tokenFor(url string, ca []byte) *resource.AccessToken {
	tok := &resource.AccessToken{Meta: resource.Meta{Name: "east"}}
	tok.Spec.URL, tok.Spec.Code, tok.Spec.CA = url, "open sesame", string(ca)
	return tok
}

// TestRedemptionByWayOfAPipe: what a client gets is what the agent has decided,
// under the certificate that the agent has at that moment.
func TestRedemptionByWayOfAPipe(t *testing.T) {
	t.Parallel()
	one, trustOne := identity(t, "one")
	two, trustTwo := identity(t, "two")
	var now atomic.Pointer[Identity]
	now.Store(&one)
	asked := make(chan token.Claim, 1)
	var refuse atomic.Bool
	o := open(t, grantor(func(_ context.Context, c token.Claim) ([]byte, error) {
		if refuse.Load() {
			return nil, token.ErrWrongCode
		}
		asked <- c
		return []byte(links), nil
	}), func() Identity { return *now.Load() }, true)
	objects, err := token.Redeem(t.Context(), token.Request{Token: tokenFor(o.url, trustOne), Subject: "site-id"})
	if err != nil || len(objects) != 2 {
		t.Fatalf("%d objects: %v", len(objects), err)
	}
	want := token.Claim{From: "127.0.0.1", Grant: "uid-1", Code: "open sesame", Name: "east", Subject: "site-id"}
	if got := await(t, asked); got != want {
		t.Errorf("asked %+v, want %+v", got, want)
	}

	now.Store(&two)
	o.renewed <- struct{}{}
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err := token.Redeem(t.Context(), token.Request{Token: tokenFor(o.url, trustTwo)})
		if err == nil {
			<-asked
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the other certificate is not shown: %v", err)
		}
	}
	refuse.Store(true)
	var refusal *token.Error
	if _, err := token.Redeem(t.Context(), token.Request{Token: tokenFor(o.url, trustTwo)}); !errors.As(err, &refusal) || refusal.Status != http.StatusForbidden {
		t.Errorf("refused: %v", err)
	}

	if err := o.agent.Close(); err != nil {
		t.Fatal(err)
	}
	if err := await(t, o.served); err != nil {
		t.Errorf("the process ends with the agent: %v", err)
	}
}

// TestClaimsPassUnchanged: what strangers write need not be text, and may be as
// long as a request.
func TestClaimsPassUnchanged(t *testing.T) {
	t.Parallel()
	asked := make(chan token.Claim, 1)
	o := open(t, grantor(func(_ context.Context, c token.Claim) ([]byte, error) {
		asked <- c
		return bytes.Repeat([]byte("x"), 300_000), nil
	}), shows(t), false)
	long := strings.Repeat("\xff<", 10<<10)
	for _, want := range []token.Claim{
		{From: "::1"},
		{From: "2001:db8::1", Grant: "uid", Code: "\x00\xff\"", Name: "\xc3(", Subject: "ü", Key: token.GrantKey{Namespace: "west", Name: "a/b"}},
		{From: "192.0.2.1", Grant: long, Code: strings.Repeat("\xff", 4<<10), Key: token.GrantKey{Namespace: long[:10], Name: long[10:]}},
	} {
		documents, err := o.asker.Redeem(t.Context(), want)
		if err != nil || len(documents) != 300_000 {
			t.Fatalf("%d bytes, %v", len(documents), err)
		}
		if got := <-asked; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestRefusalsPass: with status and text, and what is no refusal without its
// words.
func TestRenewalsPassUnchanged(t *testing.T) {
	t.Parallel()
	want := token.Renewal{From: "2001:db8::1", Certificate: []byte("\x30\xff"), Request: []byte("PEM\xff<"), SameKey: true, Proof: []byte{0, 1, 2}}
	agent, process := ends(t)
	id, _ := identity(t, "gate")
	desk := &Desk{Identity: func() Identity { return id }, Ready: func() {}, Renewer: renewer(func(_ context.Context, r token.Renewal) ([]byte, error) {
		if diff := cmp.Diff(want, r); diff != "" {
			t.Error(diff)
			return nil, token.ErrRevoked
		}
		return []byte("secret"), nil
	})}
	var parts sync.WaitGroup
	parts.Go(func() { _ = desk.Answer(t.Context(), agent) })
	a := newAsker(process)
	if err := a.say(ask{Ready: true}); err != nil {
		t.Fatal(err)
	}
	parts.Go(func() { _ = a.listen() })
	if got, err := a.Renew(t.Context(), want); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	want.From = "::1"
	want.Proof = make([]byte, 8<<10)
	want.Request, want.Certificate = make([]byte, 8<<10), make([]byte, 16<<10) // as long as they may be
	if got, err := a.Renew(t.Context(), want); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	_ = process.Close()
	parts.Wait()
}

func TestRefusalsPass(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err  error
		want token.Refusal
	}{
		{token.ErrNoGrant, *token.ErrNoGrant},
		{fmt.Errorf("grant: %w", token.ErrNotStored), *token.ErrNotStored},
		{errors.New("open /var/lib/secret: no such file"), token.Refusal{Status: 500, Text: "The link cannot be made"}},
	} {
		o := open(t, grantor(func(context.Context, token.Claim) ([]byte, error) { return nil, row.err }), shows(t), false)
		var got *token.Refusal
		if _, err := o.asker.Redeem(t.Context(), token.Claim{From: "::1"}); !errors.As(err, &got) || *got != row.want {
			t.Errorf("%v passes as %v", row.err, err)
		}
	}
	// Links that do not fit are none.
	o := open(t, grantor(func(context.Context, token.Claim) ([]byte, error) { return make([]byte, maxTell), nil }), shows(t), false)
	var got *token.Refusal
	if _, err := o.asker.Redeem(t.Context(), token.Claim{From: "::1"}); !errors.As(err, &got) || got.Status != 500 {
		t.Errorf("too much passes as %v", err)
	}
	if _, err := o.asker.Redeem(t.Context(), token.Claim{From: "::1"}); !errors.As(err, &got) || got.Status != 500 {
		t.Errorf("and then %v", err)
	}
}

// TestSlowClaimsDelayNoOther: claims are decided side by side.
func TestSlowClaimsDelayNoOther(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	waiting := make(chan struct{}, maxOpen)
	o := open(t, grantor(func(_ context.Context, c token.Claim) ([]byte, error) {
		if c.Grant == "slow" {
			waiting <- struct{}{}
			<-release
		}
		return []byte(c.Grant), nil
	}), shows(t), false)
	var slow sync.WaitGroup
	for range maxOpen - 1 {
		slow.Go(func() {
			if got, err := o.asker.Redeem(t.Context(), token.Claim{From: "::1", Grant: "slow"}); err != nil || string(got) != "slow" {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
	for range maxOpen - 1 {
		await(t, waiting)
	}
	for range 3 {
		if got, err := o.asker.Redeem(t.Context(), token.Claim{From: "::1", Grant: "quick"}); err != nil || string(got) != "quick" {
			t.Errorf("%s, %v", got, err)
		}
	}
	close(release)
	slow.Wait()
}

// TestClientThatHangsUp: what is not decided yet is called off, and there is room
// for others afterwards.
func TestClientThatHangsUp(t *testing.T) {
	t.Parallel()
	begun, called := make(chan struct{}), make(chan error, 1)
	o := open(t, grantor(func(ctx context.Context, c token.Claim) ([]byte, error) {
		if c.Grant == "slow" {
			begun <- struct{}{}
			<-ctx.Done()
			called <- context.Cause(ctx)
			return nil, ctx.Err()
		}
		return nil, nil
	}), shows(t), false)
	for range maxOpen + 1 {
		ctx, hangUp := context.WithCancel(t.Context())
		var client sync.WaitGroup
		client.Go(func() {
			if _, err := o.asker.Redeem(ctx, token.Claim{From: "::1", Grant: "slow"}); !errors.Is(err, errNoAnswer) {
				t.Errorf("who hung up is told %v", err)
			}
		})
		await(t, begun)
		hangUp()
		if err := await(t, called); !errors.Is(err, context.Canceled) {
			t.Errorf("called off by %v", err)
		}
		client.Wait()
	}
	if _, err := o.asker.Redeem(t.Context(), token.Claim{From: "::1"}); err != nil {
		t.Error(err)
	}
}

// TestProcessThatDies: what is being decided for it is called off.
func TestProcessThatDies(t *testing.T) {
	t.Parallel()
	begun, called := make(chan struct{}), make(chan struct{})
	o := open(t, grantor(func(ctx context.Context, _ token.Claim) ([]byte, error) {
		close(begun)
		<-ctx.Done()
		close(called)
		return nil, ctx.Err()
	}), shows(t), false)
	var client sync.WaitGroup
	client.Go(func() {
		if _, err := o.asker.Redeem(t.Context(), token.Claim{From: "::1"}); !errors.Is(err, errNoAnswer) {
			t.Errorf("the client is told %v", err)
		}
	})
	await(t, begun)
	_ = o.asker.conn.Close()
	await(t, called)
	if err := await(t, o.ended); !Ended(err) {
		t.Errorf("the desk says %v", err)
	}
	client.Wait()
	if _, err := o.asker.Redeem(t.Context(), token.Claim{From: "::1"}); !errors.Is(err, errNoAnswer) {
		t.Errorf("later clients are told %v", err)
	}
}

// frame is a message as raw bytes.
func frame(text string) string {
	return string([]byte{0, 0, byte(len(text) >> 8), byte(len(text))}) + text
}

// TestProcessThatTalksNonsense: the agent turns it away, whatever it says, and
// decides nothing.
func TestProcessThatTalksNonsense(t *testing.T) {
	t.Parallel()
	ready := frame(`{"ready":true}`)
	var many strings.Builder
	for i := range maxOpen + 1 {
		many.WriteString(frame(fmt.Sprintf(`{"id":%d,"claim":{"from":"::1"}}`, i)))
	}
	for name, said := range map[string]string{
		"not ready":        frame(`{"id":1,"claim":{"from":"::1"}}`),
		"no JSON":          ready + frame(`ready`),
		"nothing":          ready + frame(``),
		"null":             ready + frame(`null`),
		"two":              ready + frame(`{"id":1,"cancel":true}{}`),
		"unknown":          ready + frame(`{"id":1,"cancel":true,"also":1}`),
		"several things":   ready + frame(`{"id":1,"claim":{"from":"::1"},"cancel":true}`),
		"ready twice":      ready + ready,
		"a number twice":   ready + frame(`{"id":1,"claim":{"from":"::1"}}`) + frame(`{"id":1,"claim":{"from":"::1"}}`),
		"too much at once": ready + many.String(),
		"renews nowhere":   ready + frame(`{"id":1,"renewal":{"from":""}}`),
		"both":             ready + frame(`{"id":1,"renewal":{"from":"::1"},"claim":{"from":"::1"}}`),
		"no address":       ready + frame(`{"id":1,"claim":{"from":"a"}}`),
		"a long address":   ready + frame(`{"id":1,"claim":{"from":"fe80::1%`+strings.Repeat("z", maxFrom)+`"}}`),
		"too long":         ready + "\xff\xff\xff\xff",
		"a byte too long":  ready + "\x00\x02\x00\x01",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent, process := ends(t)
			id, _ := identity(t, "gate")
			desk := &Desk{Identity: func() Identity { return id }, Ready: func() {}, Grantor: grantor(func(ctx context.Context, _ token.Claim) ([]byte, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})}
			if _, err := io.WriteString(process, said); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			var answering sync.WaitGroup
			answering.Go(func() { ended <- desk.Answer(context.Background(), agent) })
			if err := await(t, ended); !errors.Is(err, errMessage) || Ended(err) {
				t.Errorf("it says %v", err)
			}
			answering.Wait()
		})
	}
}

// TestProcessThatIsStuck: one that is not ready, or does not take its answer, in
// time is given up.
func TestProcessThatIsStuck(t *testing.T) {
	t.Parallel()
	id, _ := identity(t, "gate")
	for name, row := range map[string]struct {
		does func(net.Conn)
		want time.Duration
	}{
		"says nothing":  {func(net.Conn) {}, readyTime},
		"reads nothing": {func(c net.Conn) { _, _ = io.WriteString(c, frame(`{"ready":true}`)) }, writeTime},
		"reads no answer": {func(c net.Conn) {
			_, _ = io.WriteString(c, frame(`{"ready":true}`))
			_ = read(c, maxTell, &tell{})
			_, _ = io.WriteString(c, frame(`{"id":1,"claim":{"from":"::1"}}`))
		}, writeTime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				agent, process := net.Pipe()
				defer process.Close()
				desk := &Desk{Identity: func() Identity { return id }, Ready: func() {}, Grantor: grantor(func(context.Context, token.Claim) ([]byte, error) {
					return []byte(links), nil
				})}
				began := time.Now()
				var doing sync.WaitGroup
				doing.Go(func() { row.does(process) })
				err := desk.Answer(t.Context(), agent)
				if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != row.want {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
				doing.Wait()
			})
		})
	}
}

// TestAgentThatIsStuck: clients are told to come again.
func TestAgentThatIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		agent, process := net.Pipe()
		a := newAsker(process)
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = io.Copy(io.Discard, agent) })
		began := time.Now()
		if _, err := a.Redeem(t.Context(), token.Claim{From: "::1"}); !errors.Is(err, errNoAnswer) || time.Since(began) != token.AnswerTime {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		_ = process.Close()
		reading.Wait()
	})
}

// TestRunWithoutAnAgent: who runs the process by hand is told so.
func TestRunWithoutAnAgent(t *testing.T) {
	t.Parallel()
	if _, _, err := inherited(); !errors.Is(err, ErrAlone) {
		t.Errorf("it says %v", err)
	}
}

func FuzzAsk(f *testing.F) {
	for _, said := range []string{"", "\x00", frame(`{"ready":true}`), frame(`{"id":1,"cancel":true}`), frame(`{"id":7,"claim":{"from":"::1","code":"/w=="}}`), frame(`{}{}`)} {
		f.Add([]byte(said))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		a, err := readAsk(r)
		if err != nil {
			return
		}
		if a.Claim != nil {
			if back := claimOf(a.Claim.token()); back.token() != a.Claim.token() {
				t.Errorf("%+v becomes %+v", a.Claim, back)
			}
		}
		again, err := encode(len(data)*7+1000, a)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > maxAsk {
			return // of characters that are longer when they are written
		}
		b, err := readAsk(bytes.NewReader(again))
		if err != nil || cmp.Diff(plain(t, a), plain(t, b)) != "" {
			t.Errorf("%v\n%s", err, cmp.Diff(plain(t, a), plain(t, b)))
		}
	})
}

// plain is a message as text: none and empty are the same.
func plain(t *testing.T, a ask) string {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
