package main

import (
	"encoding/base64"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/pki"
)

// TestCertificatesOfLinksAreRenewed has two sites linked by a token whose
// certificate is soon due: the agent of the one has it renewed at the grant server
// of the other while a stream is open, and says so when that is refused.
func TestCertificatesOfLinksAreRenewed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ports := freePorts(t, 3)
	echoServer(t, ports[0])
	// A third of its life, which begins five minutes before it is made, is left 12
	// seconds after that.
	h.must("-n", "west", "site", "create", "west", "--set", "link-cert-validity=168s")
	file := h.home + "/access.yaml"
	writeFile(t, file, "apiVersion: skupper.io/v2alpha1\nkind: RouterAccess\nmetadata: {name: links}\n"+
		"spec: {bindHost: 127.0.0.1, subjectAlternativeNames: [127.0.0.1], roles: [{name: inter-router, port: "+ports[2]+"}]}\n")
	h.must("-n", "west", "system", "apply", file)
	h.must("-n", "west", "listener", "create", "plain", ports[1], "--routing-key", "echo", "--host", "127.0.0.1")
	h.must("-n", "west", "system", "start")
	h.must("-n", "east", "site", "create", "east")
	h.must("-n", "east", "connector", "create", "echo", ports[0], "--host", "127.0.0.1")
	h.must("-n", "east", "system", "start")
	token := h.home + "/east.token"
	h.must("-n", "west", "token", "issue", token, "--host", "127.0.0.1", "--name", "joined")
	h.must("-n", "east", "token", "redeem", token)

	held := func() (serial string, issuedTo string) {
		t.Helper()
		data, err := os.ReadFile(h.data("namespaces/east/input/resources/Secret-joined.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		match := regexp.MustCompile(`(?m)^  tls\.crt: (.*)$`).FindSubmatch(data)
		if match == nil || !strings.Contains(string(data), "skupper-agent/renew-url: ") {
			t.Fatalf("Secret:\n%s", data)
		}
		text, err := base64.StdEncoding.DecodeString(string(match[1]))
		if err != nil {
			t.Fatal(err)
		}
		info, err := pki.Describe(text)
		if err != nil {
			t.Fatal(err)
		}
		return info.Serial, info.Subject
	}
	first, subject := held()
	stream := dialUntil(t, net.JoinHostPort("127.0.0.1", ports[1]))
	defer stream.Close()
	if err := exchange(stream, "at first"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(90 * time.Second); ; {
		if serial, whose := held(); serial != first {
			if whose != subject {
				t.Errorf("it is for %s now, and was for %s", whose, subject)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not renewed:\n%s", h.must("-n", "east", "link", "status"))
		}
		<-time.After(100 * time.Millisecond)
	}
	if err := exchange(stream, "after the certificate was renewed"); err != nil {
		t.Error(err)
	}
	h.eventually("Ready", "-n", "east", "link", "status")
	revoked := regexp.MustCompile(`certificates handed out through joined that are not renewed any more: [2-9]`)
	if a := h.say("-n", "west", "token", "revoke", "joined", "--links"); a.code != 0 || !revoked.MatchString(a.err) {
		t.Errorf("revoke says\n%s%s", a.out, a.err)
	}
	h.eventually("is not renewed: the grant server answers 403: This certificate was revoked; take a new link or token from that site", "-n", "east", "link", "status")
	if err := exchange(stream, "after it was revoked"); err != nil {
		t.Error(err)
	}
	h.keepsKeys("west", "east")
}
