package system

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/token"
)

func leafOf(t *testing.T, p pki.Pair) *x509.Certificate {
	t.Helper()
	list, err := pki.Certificates(p.Cert)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

func madeBy(t *testing.T, w pki.Want, by *pki.Authority, now time.Time) pki.Pair {
	t.Helper()
	p, err := pki.Issue(w, by, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func rootOf(t *testing.T, name string, now time.Time) (*pki.Authority, pki.Pair) {
	t.Helper()
	p := madeBy(t, pki.Want{Authority: true, Subject: name, Validity: 20 * 365 * 24 * time.Hour}, nil, now)
	by, err := pki.ParseAuthority(p)
	if err != nil {
		t.Fatal(err)
	}
	return by, p
}

func TestWhoseCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	by, root := rootOf(t, "skupper-site-ca", start)
	stranger, _ := rootOf(t, "skupper-site-ca", start)
	w := pki.Want{Subject: "east", Validity: 300 * 24 * time.Hour}
	shown := leafOf(t, madeBy(t, w, by, start))
	forged := leafOf(t, madeBy(t, w, stranger, start))
	forged.SerialNumber = shown.SerialNumber
	record := state.Handed{Name: "east", Access: "west", Serial: pki.Serial(shown), Issued: shown.NotBefore, NotAfter: shown.NotAfter}
	ok := &site.Site{Settings: site.Settings{LinkRenewal: true}, Accesses: []site.Access{{Name: "west", Issuer: "skupper-site-ca"}}}
	authority := func(issuer string) []byte {
		if issuer != "skupper-site-ca" {
			return nil
		}
		return root.Cert
	}
	revoked := record
	revoked.Revoked = true
	for _, row := range []struct {
		name   string
		site   *site.Site
		ledger state.Ledger
		shown  *x509.Certificate
		after  time.Duration
		want   error
	}{
		{"in time", ok, state.Ledger{record}, shown, 200 * 24 * time.Hour, nil},
		{"early", ok, state.Ledger{record}, shown, 0, nil},
		{"six days after it expired", ok, state.Ledger{record}, shown, 306 * 24 * time.Hour, nil},
		{"eight days after it expired", ok, state.Ledger{record}, shown, 308 * 24 * time.Hour, token.ErrExpired},
		{"not on record", ok, nil, shown, 0, token.ErrUnknown},
		{"forged", ok, state.Ledger{record}, forged, 0, token.ErrUnknown},
		{"revoked", ok, state.Ledger{revoked}, shown, 0, token.ErrRevoked},
		{"forged of a revoked one", ok, state.Ledger{revoked}, forged, 0, token.ErrUnknown},
		{"the access is gone", &site.Site{Settings: ok.Settings}, state.Ledger{record}, shown, 0, token.ErrUnknown},
		{"another issuer", &site.Site{Settings: ok.Settings, Accesses: []site.Access{{Name: "west", Issuer: "other"}}}, state.Ledger{record}, shown, 0, token.ErrUnknown},
		{"disabled", &site.Site{Accesses: ok.Accesses}, state.Ledger{record}, shown, 0, token.ErrNoRenewal},
	} {
		h, a, err := admit(row.site, row.ledger, row.shown, authority, start.Add(row.after))
		if !errors.Is(err, row.want) || err == nil && (h.Name != "east" || a.Name != "west") {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

func TestWarningOfLinksThatNameAnotherPort(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 12, 15, 0, 0, 0, 0, time.UTC)
	h := func(at string, left time.Duration) state.Handed {
		return state.Handed{Serial: at, Renew: at, NotAfter: now.Add(left), Issued: now.Add(left - 300*24*time.Hour)}
	}
	const due, young = 50 * 24 * time.Hour, 290 * 24 * time.Hour
	at := grantAddress{port: 9091}
	for name, row := range map[string]struct {
		handed state.Ledger
		at     grantAddress
		want   []string // in the warning, none without one
	}{
		"the same":       {state.Ledger{h("west:9091", due)}, at, nil},
		"another port":   {state.Ledger{h("west:9090", due), h("w:9091", due), h("west.lan:9090", due)}, at, []string{"west.lan:9090", ": 2;", "SKUPPER_GRANT_SERVER_PORT=9090", "`skupper token issue FILE`"}},
		"not yet":        {state.Ledger{h("west:9090", young)}, at, nil},
		"not listening":  {state.Ledger{h("west:9090", due)}, grantAddress{}, nil},
		"behind a proxy": {state.Ledger{h("proxy:443", due)}, grantAddress{port: 9091, fixed: "proxy:443"}, nil},
		"of no place":    {state.Ledger{h("", due)}, at, nil},
	} {
		got := movedRenewals(&site.Site{}, row.handed, row.at, now)
		if (got == "") != (row.want == nil) {
			t.Errorf("%s: %q", name, got)
		}
		for _, part := range row.want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q lacks %q", name, got, part)
			}
		}
	}
}

func TestWarningOfLinksThatEndSoon(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 12, 15, 0, 0, 0, 0, time.UTC)
	h := func(name string, left, life time.Duration) state.Handed {
		return state.Handed{Name: name, Subject: "site-" + name, Serial: name, NotAfter: now.Add(left), Issued: now.Add(left - life)}
	}
	const day, years = 24 * time.Hour, 5 * 365 * 24 * time.Hour
	renewed, file := h("renewed", day, years), h("file", day, years)
	renewed.Renewed, file.File = now, true
	got := endingSoon(state.Ledger{
		h("later", 31*day, years), renewed, file, h("soon", 29*day, years), h("sooner", 2*day, years), h("ended", -day, years),
		h("long ended", -8*day, years), h("short", 2*time.Hour, 10*time.Hour), h("short and old", time.Hour, 10*time.Hour),
	}, now)
	want := []string{
		"link ended, handed out to site-ended, expired 2031-12-14", "link short and old,", "link sooner, handed out to site-sooner, expires 2031-12-17", "link soon,",
	}
	if len(got) != len(want) {
		t.Fatalf("%d warnings:\n%s", len(got), strings.Join(got, "\n"))
	}
	for i := range got {
		if !strings.Contains(got[i], want[i]) || !strings.Contains(got[i], "`skupper token issue FILE`") {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	var many state.Ledger
	for i := range 9 {
		many = append(many, h(fmt.Sprint(i), day, years))
	}
	if got := endingSoon(many, now); len(got) != endingMost+1 || !strings.HasPrefix(got[endingMost], "4 more ") {
		t.Errorf("of nine:\n%s", strings.Join(got, "\n"))
	}
}

// redeemed is what a token of a site is exchanged for.
func redeemed(t *testing.T, a *Agent, name string) *resource.Secret {
	t.Helper()
	f, err := a.Token(t.Context(), "west", api.TokenRequest{Name: name, Redemptions: 1, Window: "1h", Hosts: []string{"127.0.0.1"}, Cost: 1})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := resource.Parse([]resource.Input{{Name: "token", Data: f.Document}})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := token.Redeem(t.Context(), token.Request{Token: resource.Of[*resource.AccessToken](set)[0], Subject: "site-" + name})
	if err != nil {
		t.Fatal(err)
	}
	return objects[0].(*resource.Secret)
}

// TestRenewalAtTheGrantServer has certificates renewed that were handed out for
// tokens, over the network.
func TestRenewalAtTheGrantServer(t *testing.T) {
	t.Parallel()
	units, o := newMachinery(t)
	o.Getenv = grantsAt(freeport.Get(t))
	a, stop := passingAgent(t, units, o)
	t.Cleanup(func() { stop() })
	apply := func(settings string) {
		t.Helper()
		_, err := a.Apply(t.Context(), "west", api.ApplyRequest{Start: true, Files: []api.File{{Name: "site.yaml", Data: []byte(
			"apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: west}\nspec: {linkAccess: default" + settings + "}\n")}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	apply("")
	s := redeemed(t, a, "east")
	ask := func(s *resource.Secret) (*resource.Secret, error) {
		return token.Renew(t.Context(), token.RenewRequest{Secret: s, Now: time.Now()})
	}
	hours := 50_000
	renew := func(s *resource.Secret) (*resource.Secret, error) {
		t.Helper()
		hours++ // a certificate has to last longer than the one before
		apply(fmt.Sprintf(", settings: {link-cert-validity: %dh}", hours))
		return ask(s)
	}
	next, err := renew(s)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := renew(s); err != nil { // the answer may have been lost
		t.Fatal(err)
	} else if _, err := renew(again); err != nil {
		t.Fatal(err)
	}
	ledger := a.spaces["west"].seen.Load().memory.Links
	old, _ := ledger.Find(serialOf(t, s))
	got, ok := ledger.Find(serialOf(t, next))
	if old.Renewed.IsZero() || old.Grant != "east" || !ok || got.Subject != "site-east" || got.Origin != old.Serial || got.Renew != old.Renew || got.Grant != "east" {
		t.Errorf("recorded %+v\nafter %+v", got, old)
	}
	// What is on disk is what counts: another agent knows it as well.
	stop()
	a, stop = passingAgent(t, units, o)
	if next, err = renew(next); err != nil {
		t.Fatalf("after the agent ended: %v", err)
	}
	refused := func(s *resource.Secret, status int) {
		t.Helper()
		var e *token.Error
		if _, err := ask(s); !errors.As(err, &e) || e.Status != status {
			t.Errorf("%v, want status %d", err, status)
		}
	}
	apply(", settings: {link-cert-renewal: \"false\"}")
	refused(next, http.StatusNotFound)
	apply("")
	// A certificate of the site's own is none that was handed out.
	p, err := o.Paths.Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	server := readPair(p.CertDir("west"))
	own := *s
	own.Data = map[string][]byte{resource.CACert: server.CA, resource.TLSCert: server.Cert, resource.TLSKey: server.Key}
	refused(&own, http.StatusForbidden)
	// Whoever has the certificate and not its key gets nothing, even where he asks
	// the agent itself.
	shown, err := pki.Certificates(next.Data[resource.TLSCert])
	if err != nil {
		t.Fatal(err)
	}
	_, request, err := pki.NewRequest("", "thief", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, proof := range [][]byte{nil, []byte("x")} {
		_, err := claims{a}.Renew(t.Context(), token.Renewal{From: "127.0.0.1", Certificate: shown[0].Raw, Request: request, Proof: proof})
		if !errors.Is(err, token.ErrNotHolder) {
			t.Errorf("without the key: %v", err)
		}
	}
	// The same request again, by whoever has seen it, gets the same certificate.
	// That keeps nobody from having it renewed.
	renewable := redeemed(t, a, "replayed")
	shown, err = pki.Certificates(renewable.Data[resource.TLSCert])
	if err != nil {
		t.Fatal(err)
	}
	request, proof := requestOf(t, renewable)
	before, serials := len(a.spaces["west"].seen.Load().memory.Links), map[string]bool{}
	for i := range 15 {
		text, err := claims{a}.Renew(t.Context(), token.Renewal{From: "127.0.0.1", Certificate: shown[0].Raw, Request: request, Proof: proof})
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		set, _, err := resource.Parse([]resource.Input{{Name: "answer", Data: text}})
		if err != nil {
			t.Fatal(err)
		}
		serials[serialOf(t, resource.Of[*resource.Secret](set)[0])] = true
	}
	if n := len(a.spaces["west"].seen.Load().memory.Links) - before; n != 1 || len(serials) != 1 {
		t.Errorf("%d records, %d serial numbers for one request", n, len(serials))
	}
	for i := range 10 {
		request, proof := requestOf(t, renewable)
		_, err := claims{a}.Renew(t.Context(), token.Renewal{From: "127.0.0.1", Certificate: shown[0].Raw, Request: request, Proof: proof})
		if last := i == 9; last != errors.Is(err, token.ErrTooOften) || !last && err != nil {
			t.Errorf("another request, number %d: %v", i, err)
		}
	}
	other := redeemed(t, a, "other")
	result, err := a.Delete(t.Context(), "west", api.DeleteRequest{Missing: true, Revoke: true, Objects: []api.Ref{{Kind: "AccessGrant", Name: "east"}}})
	if err != nil || !slices.Contains(result.Notes, "certificates handed out through east that are not renewed any more: 5") {
		t.Errorf("%+v, %v", result, err)
	}
	refused(next, http.StatusForbidden)
	if _, err := renew(other); err != nil {
		t.Errorf("of another grant: %v", err)
	}
	if _, err = a.Delete(t.Context(), "west", api.DeleteRequest{Missing: true, Revoke: true, Objects: []api.Ref{{Kind: "AccessGrant", Name: "east"}}}); api.KindOf(err) != api.Missing {
		t.Errorf("revoked again: %v", err)
	}
}

// requestOf is what the holder of a certificate sends to have it renewed, with a
// new key.
func requestOf(t *testing.T, s *resource.Secret) (request, proof []byte) {
	t.Helper()
	old, err := tls.X509KeyPair(s.Data[resource.TLSCert], s.Data[resource.TLSKey])
	if err != nil {
		t.Fatal(err)
	}
	if _, request, err = pki.NewRequest("", "east", rand.Reader); err != nil {
		t.Fatal(err)
	}
	if proof, err = token.Prove(old.PrivateKey, old.Leaf.Raw, request); err != nil {
		t.Fatal(err)
	}
	return request, proof
}

// grantsAt is an environment that has the grant server stay at a port, whatever
// other tests listen at meanwhile.
func grantsAt(port int) func(string) string {
	return func(name string) string {
		if name == "SKUPPER_GRANT_SERVER_PORT" {
			return strconv.Itoa(port)
		}
		return ""
	}
}

// renewingSite has a site hand out certificates that end later and later: one that
// renews another has to last longer.
type renewingSite struct {
	t     *testing.T
	hours int
}

func (r *renewingSite) later(a *Agent) {
	r.t.Helper()
	r.hours++
	apply(r.t, a, "west", siteFile("west", fmt.Sprintf("linkAccess: default, settings: {link-cert-validity: %dh}", r.hours)))
}

func (r *renewingSite) renew(s *resource.Secret) (*resource.Secret, error) {
	return token.Renew(r.t.Context(), token.RenewRequest{Secret: s, Now: time.Now()})
}

// TestRenewalsAtOnce has one certificate renewed several times at once: everyone
// gets his own, and each is on record.
func TestRenewalsAtOnce(t *testing.T) {
	t.Parallel()
	units, o := newMachinery(t)
	o.Getenv = grantsAt(freeport.Get(t))
	a, stop := passingAgent(t, units, o)
	defer stop()
	site := &renewingSite{t, 50_000}
	site.later(a)
	s := redeemed(t, a, "east")
	site.later(a)
	var all sync.WaitGroup
	got, errs := make([]*resource.Secret, 5), make([]error, 5)
	for i := range got {
		all.Go(func() { got[i], errs[i] = site.renew(s) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	ledger := a.spaces["west"].seen.Load().memory.Links
	serials := map[string]bool{}
	for _, s := range got {
		h, ok := ledger.Find(serialOf(t, s))
		if !ok || h.Subject != "site-east" {
			t.Errorf("recorded: %+v, %v", h, ok)
		}
		serials[h.Serial] = true
	}
	ledger = slices.DeleteFunc(slices.Clone(ledger), func(h state.Handed) bool { return h.Grant != "east" })
	if len(serials) != len(got) || len(ledger) != len(got)+1 {
		t.Errorf("%d certificates, %d records", len(serials), len(ledger))
	}
}

// TestRenewalIsRecordedFirst fails at each step of a renewal, and loses power
// there: an answer is one that the next agent knows, and without one the old
// certificate can be renewed again.
func TestRenewalIsRecordedFirst(t *testing.T) {
	t.Parallel()
	units, o := newMachinery(t)
	o.Getenv = grantsAt(freeport.Get(t))
	var d *disk
	var full atomic.Bool
	o.Step = func(step string) error {
		switch {
		case full.Load():
			return errors.New("failed on purpose")
		case d == nil:
			return nil
		}
		return d.step(step)
	}
	a, stop := passingAgent(t, units, o)
	site := &renewingSite{t, 50_000}
	site.later(a)
	old := redeemed(t, a, "east")
	site.later(a)
	full.Store(true)
	var e *token.Error
	if _, err := site.renew(old); !errors.As(err, &e) || e.Status != http.StatusServiceUnavailable || e.Final {
		t.Errorf("with a disk that is full: %v", err)
	}
	full.Store(false)
	if ledger := a.spaces["west"].seen.Load().memory.Links; slices.ContainsFunc(ledger, func(h state.Handed) bool { return h.Origin != "" || !h.Renewed.IsZero() }) {
		t.Errorf("recorded nevertheless: %+v", ledger)
	}
	stop()
	d = newDisk(t, o.Paths.DataHome)
	a, stop = passingAgent(t, units, o)
	site.later(a)
	awaitStatus(t, a, "west", func(s *api.Status) bool { return s.Namespace.State == api.Running && s.Error == "" })
	d.mu.Lock()
	d.instants = nil
	d.mu.Unlock()
	next, err := site.renew(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.step("answered"); err != nil {
		t.Fatal(err)
	}
	stop()
	o.Step = nil
	answered, tried := false, map[string]bool{}
	for _, at := range d.instants {
		answered = answered || at.step == "answered"
		for _, kept := range []bool{false, true} {
			left := at.left(func(s string) string { return s[:len(s)/2] }, func() bool { return kept })
			if key := fmt.Sprint(left, answered); tried[key] {
				continue
			} else {
				tried[key] = true
			}
			restore(t, o.Paths.DataHome, left)
			a, stop := passingAgent(t, units, o)
			site.later(a)
			if _, err := site.renew(old); err != nil {
				t.Errorf("%s: the old certificate: %v", at.step, err)
			}
			if _, err := site.renew(next); answered && err != nil {
				t.Errorf("%s: the new certificate: %v", at.step, err)
			}
			stop()
		}
	}
	if !answered || len(tried) < 3 {
		t.Errorf("%d disks tried", len(tried))
	}
	t.Logf("%d steps, %d disks", len(d.instants), len(tried))
}

func TestReasonsAreSaidOnce(t *testing.T) {
	t.Parallel()
	var r renewals
	now := time.Unix(1000, 0)
	refused := &token.Error{Reason: "404", Final: true}
	for i, row := range []struct {
		err  error
		news bool
	}{{errors.New("refused"), true}, {errors.New("refused"), false}, {refused, true}, {refused, false}, {errors.New("refused"), true}} {
		if news := r.failed("1", row.err, now); news != row.news {
			t.Errorf("%d: news %v", i, news)
		}
	}
	list := []credential{{peer: true, Certificate: api.Certificate{Serial: "1"}}, {peer: true, Certificate: api.Certificate{Serial: "2", Renews: now}}, {Certificate: api.Certificate{Serial: "3"}}}
	if due := r.due(list, now); len(due) != 1 || due[0].Serial != "2" {
		t.Errorf("due at once: %+v", due)
	}
	if due := r.due(list, now.Add(renewRetryMax)); len(due) != 2 || due[0].Serial != "2" {
		t.Errorf("due later: %+v", due)
	}
}

func serialOf(t *testing.T, s *resource.Secret) string {
	t.Helper()
	info, err := pki.Describe(s.Data[resource.TLSCert])
	if err != nil {
		t.Fatal(err)
	}
	return info.Serial
}

// bureau renews for the site at the other end of a link.
type bureau struct {
	by *pki.Authority

	mu    sync.Mutex
	now   time.Time // guarded by mu
	err   error     // guarded by mu
	asked int       // guarded by mu
}

func (b *bureau) Renew(_ context.Context, r token.Renewal) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.err != nil {
		return nil, b.err
	}
	key, err := pki.ParseRequest(r.Request)
	if err != nil {
		return nil, err
	}
	pair, err := pki.IssueFor(pki.Want{Subject: "east", Validity: 300 * 24 * time.Hour}, key, b.by, b.now, rand.Reader)
	if err != nil {
		return nil, err
	}
	return resource.EncodeYAML(&resource.Secret{
		Meta: resource.Meta{Name: "x"}, Type: resource.SecretTypeTLS, Data: map[string][]byte{resource.CACert: pair.CA, resource.TLSCert: pair.Cert},
	}), nil
}

func (b *bureau) set(now time.Time, err error) (asked int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked = b.asked
	b.now, b.err, b.asked = now, err, 0
	return asked
}

// TestLinksHaveTheirCertificatesRenewed follows the certificate of a link for most
// of a year, of virtual time: the other site does not answer at first, refuses
// then, and renews at last.
func TestLinksHaveTheirCertificatesRenewed(t *testing.T) {
	t.Parallel()
	b := &bureau{}
	server := httptest.NewUnstartedServer(token.Route(&token.RenewHandler{Renewer: b}, http.NotFoundHandler()))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	units, o := newMachinery(t)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)))
		by, _ := rootOf(t, "skupper-site-ca", time.Now())
		b.by = by
		pair := madeBy(t, pki.Want{Subject: "east", Validity: 300 * 24 * time.Hour}, by, time.Now())
		secret := &resource.Secret{
			Meta: resource.Meta{Name: "west", Annotations: map[string]string{
				token.RenewURL: server.URL + token.RenewPath, token.RenewCA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
			}},
			Type: resource.SecretTypeTLS, Data: map[string][]byte{resource.CACert: pair.CA, resource.TLSCert: pair.Cert, resource.TLSKey: pair.Key},
		}
		text := "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: east}\n---\napiVersion: skupper.io/v2alpha1\nkind: Link\nmetadata: {name: west}\n" +
			"spec: {tlsCredentials: west, endpoints: [{name: inter-router, host: west, port: \"55671\"}]}\n---\n"
		paths, err := o.Paths.Namespace("east")
		if err != nil {
			t.Fatal(err)
		}
		o.Log = slog.New(slog.DiscardHandler)
		n := newNamespace(newMachine(o, units), paths)
		close(n.recollected)
		_, err = n.apply(t.Context(), api.ApplyRequest{Start: true, Files: []api.File{{Name: "site.yaml", Data: append([]byte(text), resource.EncodeYAML(secret)...)}}})
		if err != nil {
			t.Fatal(err)
		}
		certificate := func() api.Certificate {
			t.Helper()
			c, ok := described(n.judged(n.seen.Load().credentials, time.Now()), "west-profile", false)
			if !ok {
				t.Fatal("there is no certificate of the link")
			}
			return c
		}
		// onward goes on as the loop does.
		onward := func(d time.Duration) {
			t.Helper()
			for end := time.Now().Add(d); ; {
				if n.renewalDue(time.Now()) {
					n.renewLinks(t.Context())
				}
				at := n.renewals.next(certificate().Serial, certificate().Renews)
				if at.After(end) {
					time.Sleep(time.Until(end))
					return
				}
				time.Sleep(time.Until(at))
			}
		}
		first := certificate()
		if life := first.Expires.Sub(time.Now()); first.Renews.Before(time.Now().Add(life*2/3-time.Hour)) || first.Renews.After(time.Now().Add(life*2/3+time.Hour)) {
			t.Errorf("renewed %v, expires %v", first.Renews, first.Expires)
		}
		units.took()
		onward(199 * 24 * time.Hour)
		if asked := b.set(time.Now(), token.ErrNotStored); asked != 0 {
			t.Fatalf("%d asked before its time", asked)
		}
		onward(24*time.Hour + 2*time.Hour) // it is due within an hour of a day
		c := certificate()
		if asked := b.set(time.Now(), token.ErrRevoked); asked < 9 || asked > 12 || c.Serial != first.Serial || c.Status != resource.StatusPending ||
			!strings.Contains(c.Message, "expires 2027-10-28 and is not renewed: the grant server answers 503") {
			t.Errorf("%d asked; %s %s", asked, c.Status, c.Message)
		}
		onward(24 * time.Hour)
		c = certificate()
		if asked := b.set(time.Now(), nil); asked < 20 || asked > 25 || !strings.Contains(c.Message, "This certificate was revoked; take a new link or token from that site") {
			t.Errorf("%d asked; %s", asked, c.Message)
		}
		if calls := units.took(); len(calls) > 0 {
			t.Errorf("failures do %q to the router", calls)
		}
		onward(2 * time.Hour)
		c = certificate()
		if asked := b.set(time.Now(), nil); asked != 1 || c.Serial == first.Serial || c.Status != resource.StatusReady || !c.Expires.After(first.Expires) {
			t.Errorf("%d asked; %+v", asked, c)
		}
		if calls := units.took(); !slices.Equal(calls, []string{"reload skupper-east.service"}) {
			t.Errorf("the router is told %q", calls)
		}
		data, err := os.ReadFile(paths.InputResource("Secret", "west"))
		if err != nil {
			t.Fatal(err)
		}
		set, _, err := resource.Parse([]resource.Input{{Name: "west", Data: data}})
		if err != nil {
			t.Fatal(err)
		}
		if kept := resource.Get[*resource.Secret](set, "west"); serialOf(t, kept) != c.Serial || !token.Renewable(kept) {
			t.Error("the input has not what is in use")
		}
		onward(190 * 24 * time.Hour)
		if asked := b.set(time.Now(), nil); asked != 0 {
			t.Errorf("%d asked before its time again", asked)
		}
		onward(20 * 24 * time.Hour)
		if asked := b.set(time.Now(), nil); asked != 1 || certificate().Serial == c.Serial {
			t.Errorf("%d asked for a third one", asked)
		}
	})
}
