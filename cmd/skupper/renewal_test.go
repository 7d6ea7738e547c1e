package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// shown is the serial number of the certificate that a TLS server shows, in
// hexadecimal.
func shown(address string) (string, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }() // nothing was sent
	s := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err := s.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	_ = s.Handshake() // it may want to see a certificate
	if certs := s.ConnectionState().PeerCertificates; len(certs) > 0 {
		return certs[0].SerialNumber.Text(16), nil
	}
	return "", errors.New("no certificate is shown")
}

// awaitOther waits until a server shows another certificate than the one with
// a serial number.
func awaitOther(t *testing.T, address, serial string) string {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		now, err := shown(address)
		if err == nil && now != serial {
			return now
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s still shows %s (%v)", address, now, err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// TestRenewalWhileBytesFlow has streams open over a link while the certificates
// of both sites become due and are made anew, and while a person has them made
// anew.
func TestRenewalWhileBytesFlow(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ports := freePorts(t, 4)
	echoServer(t, ports[0])
	plain, secured := net.JoinHostPort("127.0.0.1", ports[1]), net.JoinHostPort("127.0.0.1", ports[2])
	access := net.JoinHostPort("127.0.0.1", ports[3])
	// A certificate is made anew when a third of its life remains, and it begins
	// five minutes before it is made: this is some seconds from now.
	const settings = "cert-validity=159s"
	for _, name := range []string{"west", "east"} {
		h.must("-n", name, "site", "create", name, "--set", settings, "--set", "tls-prior-valid-revisions=100")
	}
	file := h.home + "/access.yaml"
	writeFile(t, file, "apiVersion: skupper.io/v2alpha1\nkind: RouterAccess\nmetadata: {name: links}\n"+
		"spec: {bindHost: 127.0.0.1, subjectAlternativeNames: [127.0.0.1], roles: [{name: inter-router, port: "+ports[3]+"}]}\n")
	h.must("-n", "west", "system", "apply", file)
	h.must("-n", "west", "listener", "create", "plain", ports[1], "--routing-key", "echo", "--host", "127.0.0.1")
	h.must("-n", "west", "listener", "create", "secured", ports[2], "--routing-key", "echo", "--host", "127.0.0.1", "--tls-credentials", "secured")
	h.must("-n", "west", "system", "start")
	h.must("-n", "east", "connector", "create", "echo", ports[0], "--host", "127.0.0.1")
	h.must("-n", "east", "system", "start")
	h.must("-n", "east", "system", "apply", h.data("namespaces/west/runtime/links/link-links-127.0.0.1.yaml"), "--wait", "ready")

	open := []net.Conn{dialUntil(t, plain), tls.Client(dialUntil(t, secured), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})}
	goesOn := func(when string) {
		t.Helper()
		for i, c := range open {
			if err := exchange(c, when); err != nil {
				t.Errorf("%s: stream %d: %v", when, i, err)
			}
		}
		h.eventually("Ready", "-n", "east", "link", "status")
	}
	goesOn("at first")
	if wide := h.must("-n", "east", "link", "status", "-o", "wide"); !regexp.MustCompile(`RTT(.|\n)* [0-9.]+(µs|ms) `).MatchString(wide) {
		t.Errorf("no round trip in\n%s", wide)
	}
	service, _ := shown(secured)
	link, _ := shown(access)
	service, link = awaitOther(t, secured, service), awaitOther(t, access, link)
	goesOn("after the certificates were made anew by themselves")

	expiry := func() map[string]time.Time {
		var list struct {
			Items []struct {
				Name    string
				Expires time.Time
			}
		}
		if err := json.Unmarshal([]byte(h.must("-n", "west", "cert", "list", "-o", "json")), &list); err != nil {
			t.Fatal(err)
		}
		m := map[string]time.Time{}
		for _, c := range list.Items {
			m[c.Name] = c.Expires
		}
		return m
	}
	before := expiry()
	if left := time.Until(before["secured"]); left <= 0 || left > 160*time.Second {
		t.Errorf("the certificate of the service expires in %v", left)
	}
	said := h.must("-n", "west", "cert", "renew")
	for _, name := range []string{"secured", "links"} {
		if !strings.Contains(said, "certificate/"+name+" ") {
			t.Errorf("cert renew says\n%s", said)
		}
	}
	awaitOther(t, secured, service)
	awaitOther(t, access, link)
	if after := expiry(); after["secured"].Before(before["secured"]) {
		t.Errorf("the certificate of the service expires %v, and did %v", after["secured"], before["secured"])
	}
	h.must("-n", "east", "cert", "renew")
	goesOn("after a person had them made anew")
	open = append(open, dialUntil(t, plain))
	goesOn("with a new stream")
	for _, c := range open {
		_ = c.Close() // nothing more is asked
	}
	h.keepsKeys("west", "east")
}

// dialUntil connects as soon as somebody listens.
func dialUntil(t *testing.T, address string) net.Conn {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(20 * time.Millisecond)
	}
}
