package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/resource"
)

// grantOf is what the issuer has written about a grant.
func (h *computer) grantOf(name string) *resource.AccessGrant {
	h.t.Helper()
	data, err := os.ReadFile(h.data("namespaces/default/runtime/resources/AccessGrant-" + name + ".yaml"))
	if err != nil {
		h.t.Fatal(err)
	}
	set, _, err := resource.Parse([]resource.Input{{Name: "grant", Data: data}})
	if err != nil {
		h.t.Fatal(err)
	}
	return resource.Get[*resource.AccessGrant](set, name)
}

// claim asks for a link as any program does that knows the protocol.
func (h *computer) claim(g *resource.AccessGrant, method, url, code, name, subject string, version uint16) (int, string) {
	h.t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: poolOf(g.Status.CA), MinVersion: tls.VersionTLS12, MaxVersion: version},
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return h.tryDial(net.JoinHostPort("127.0.0.1", port))
		},
	}}
	req, err := http.NewRequestWithContext(h.t.Context(), method, url, strings.NewReader(code))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("name", name)
	req.Header.Set("subject", subject)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // read to its end
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

func TestGrants(t *testing.T) {
	t.Parallel()
	town := newTown(t, "issuer", "redeemer", "second")
	issuer, redeemer, second := town.hosts["issuer"], town.hosts["redeemer"], town.hosts["second"]
	for _, h := range town.hosts {
		h.knows("issuer.test", issuer.address)
	}
	issuer.apply(issuer.site("grants/issuer"))
	issuer.becomes("accessgrant/partners", "Ready: OK")
	g := issuer.grantOf("partners")
	if !regexp.MustCompile(`^https://issuer\.test:\d+/[0-9a-f-]{36}$`).MatchString(g.Status.URL) || len(g.Status.Code) != 24 || g.Status.Redemptions != 0 {
		t.Errorf("grant: url %s, code of %d characters, %d redemptions", g.Status.URL, len(g.Status.Code), g.Status.Redemptions)
	}
	if left := time.Until(g.Status.ExpirationTime); left > 10*time.Minute || left < 8*time.Minute {
		t.Errorf("the grant is good for %s more", left)
	}
	// What is refused costs no redemption.
	const tls13 = tls.VersionTLS13
	for _, c := range []struct {
		method, url, code string
		version           uint16
		want              []int
	}{
		{http.MethodGet, g.Status.URL, "", tls13, []int{405}},
		{http.MethodPost, g.Status.URL + "0", g.Status.Code, tls13, []int{404}},
		{http.MethodPost, g.Status.URL, "guessed", tls13, []int{403}},
		{http.MethodPost, g.Status.URL, strings.Repeat("x", 1<<20), tls13, []int{400, 413, 0}},
		{http.MethodPost, g.Status.URL, g.Status.Code, tls.VersionTLS12, []int{0}},
	} {
		status, text := issuer.claim(g, c.method, c.url, c.code, "other", "subject", c.version)
		if !slices.Contains(c.want, status) {
			t.Errorf("%s with %d bytes: status %d, want one of %v: %s", c.method, len(c.code), status, c.want, text)
		}
	}
	if n := issuer.grantOf("partners").Status.Redemptions; n != 0 {
		t.Errorf("%d redemptions after refusals", n)
	}

	// A program of its own redeems; the agent dies and knows the rest.
	status, text := issuer.claim(g, http.MethodPost, g.Status.URL, g.Status.Code, "other", "some subject", tls13)
	set, _, err := resource.Parse([]resource.Input{{Name: "answer", Data: []byte(text)}})
	if status != http.StatusOK || err != nil || !strings.HasPrefix(strings.TrimPrefix(text, "---\n"), "apiVersion: v1\n") {
		t.Fatalf("status %d, %v:\n%s", status, err, text)
	}
	l, s := resource.Get[*resource.Link](set, "other"), resource.Get[*resource.Secret](set, "other")
	if l == nil || s == nil || l.Spec.TLSCredentials != "other" || len(l.Spec.Endpoints) != 2 {
		t.Fatalf("answer:\n%s", text)
	}
	for _, e := range l.Spec.Endpoints {
		if want := map[string]string{"inter-router": "29671", "edge": "29672"}[e.Name]; e.Port != want || e.Host != "issuer.test" {
			t.Errorf("endpoint %+v", e)
		}
	}
	if cn := subjectOf(t, s.Data["tls.crt"]); cn != "some subject" {
		t.Errorf("certificate for %q", cn)
	}
	if err := syscall.Kill(issuer.agentPID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	issuer.must("system", "reload")
	again := issuer.grantOf("partners")
	if again.UID != g.UID || again.Status.URL != g.Status.URL || again.Status.Code != g.Status.Code || again.Status.Redemptions != 1 {
		t.Errorf("after the agent died: %+v, was %+v", again.Status, g.Status)
	}

	// Ten at once want the last one.
	issuer.becomes("accessgrant/partners", "Ready: OK")
	var won, lost atomic.Int32
	var race sync.WaitGroup
	for range 10 {
		race.Go(func() {
			switch status, text := issuer.claim(g, http.MethodPost, g.Status.URL, g.Status.Code, "last", "last", tls13); status {
			case http.StatusOK:
				won.Add(1)
			case http.StatusNotFound:
				lost.Add(1)
			default:
				t.Errorf("status %d: %s", status, text)
			}
		})
	}
	race.Wait()
	if won.Load() != 1 || lost.Load() != 9 {
		t.Errorf("%d of ten redeemed one redemption, %d were told so", won.Load(), lost.Load())
	}

	// People use tokens: the link works without more, and again is no work.
	dir := t.TempDir()
	issuer.must("token", "issue", dir+"/one.token", "--cost", "4")
	redeemer.apply(redeemer.site("grants/redeemer"))
	redeemer.must("token", "redeem", dir+"/one.token")
	if out := redeemer.must("link", "status", "--no-headers"); !regexp.MustCompile(`^\S+ +Ready +4 +OK\n$`).MatchString(out) {
		t.Errorf("link: %s", out)
	}

	// A token among the files is redeemed once, however often it is read.
	issuer.must("token", "issue", dir+"/two.token", "--name", "two")
	second.apply(second.site("grants/redeemer"))
	unreachable := "apiVersion: skupper.io/v2alpha1\nkind: AccessToken\nmetadata: {name: nowhere}\nspec: {url: \"https://127.0.0.1:1/x\", code: x, ca: " + quoted(g.Status.CA) + "}\n"
	writeFile(t, second.data("namespaces/default/input/resources/AccessToken-nowhere.yaml"), unreachable)
	token, err := os.ReadFile(dir + "/two.token")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, second.data("namespaces/default/input/resources/AccessToken-two.yaml"), string(token))
	second.becomes("link/two", "Ready: OK")
	second.becomes("accesstoken/two", "Ready: OK")
	second.becomes("accesstoken/nowhere", "Error: …")
	second.must("system", "reload")
	second.must("system", "restart")
	second.becomes("link/two", "Ready: OK")
	second.becomes("site/redeemer", "Ready: OK")
	if n := issuer.grantOf("two").Status.Redemptions; n != 1 {
		t.Errorf("the token was redeemed %d times", n)
	}

	// Each has a certificate of its own, made out to its site.
	serials := map[string]bool{}
	for _, h := range []*computer{redeemer, second} {
		data := h.must("cert", "list", "-o", "json")
		m := regexp.MustCompile(`"serial": "([0-9a-f]+)",\s+"source": "secret"`).FindStringSubmatch(data)
		if m == nil {
			t.Fatalf("no certificate from a Secret:\n%s", data)
		}
		serials[m[1]] = true
		record, err := os.ReadFile(issuer.data("namespaces/default/internal/state.json"))
		if err != nil || !strings.Contains(string(record), m[1]) {
			t.Errorf("serial %s is not on record: %v", m[1], err)
		}
	}
	if len(serials) != 2 {
		t.Errorf("serials %v", serials)
	}
	issuer.refused(exitWrongUse, []string{"edge sites cannot accept incoming links"}, "site", "update", "issuer", "--edge")
}

func quoted(text string) string { return `"` + strings.ReplaceAll(text, "\n", `\n`) + `"` }

// subjectOf is the common name of a certificate in PEM.
func subjectOf(t *testing.T, data []byte) string {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("no certificate: %s", data)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Subject.CommonName
}
