package router

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
)

// TestBadCertificates: a link does not come up with a certificate that is of
// another authority, expired, not valid yet or for another host, whichever side
// has it; the connector's status says why; and the link comes up by itself when
// the files are mended.
func TestBadCertificates(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	now := time.Now()
	for _, c := range []struct {
		name  string
		cert  certificate
		other bool // it is of another authority
		// What the connector says if it is the listener's certificate, and if
		// it is its own; empty: that is no fault.
		listener, dialer string
	}{
		{
			"another authority",
			certificate{},
			true,
			"TLS: the peer's certificate is signed by an unknown authority", "the peer does not know the authority of our certificate",
		},
		{
			"expired",
			certificate{from: now.Add(-2 * hour), to: now.Add(-hour)},
			false,
			"TLS: the peer's certificate expired on ", "the peer says that our certificate has expired",
		},
		{
			"not valid yet",
			certificate{from: now.Add(hour), to: now.Add(2 * hour)},
			false,
			"TLS: the peer's certificate is not valid before ", "the peer says that our certificate has expired",
		},
		{
			"another host",
			certificate{host: "elsewhere.example"},
			false,
			"TLS: the peer's certificate is for elsewhere.example, not for 127.", "",
		},
	} {
		for _, side := range []string{"listener", "dialer"} {
			want := map[string]string{"listener": c.listener, "dialer": c.dialer}[side]
			if want == "" {
				continue
			}
			t.Run(c.name+" of the "+side, func(t *testing.T) {
				t.Parallel()
				ca, wrong := newAuthority(t), newAuthority(t)
				west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
				profiles := map[*node]attrs{west: ca.profile("links", certificate{name: "west"}), east: ca.profile("links", certificate{name: "east"})}
				bad := map[string]*node{"listener": west, "dialer": east}[side]
				cert := c.cert
				cert.name = bad.id()
				if c.other {
					wrong.issue(cert)
					ca.takes(wrong, cert.name)
				} else {
					ca.issue(cert)
				}
				for n, p := range profiles {
					n.add("sslProfile", p)
				}
				host, port := west.listens("links", "inter-router", attrs{"sslProfile": "links", "saslMechanisms": "EXTERNAL", "authenticatePeer": true})
				east.dials("to-west", "inter-router", host, port, attrs{"sslProfile": "links"})
				west.offers("in", "svc")
				east.serves("out", "svc", serve(t, echo))
				west.start()
				east.start()
				status := func() manage.ConnectorStatus {
					return east.row(&config.Connector{Name: "to-west"}).(manage.ConnectorStatus)
				}
				eventually(t, "the status says why", func() error {
					st := status()
					if st.ConnectionStatus != "CONNECTING" || !strings.Contains(st.ConnectionMsg, " failed: ") || !strings.Contains(st.ConnectionMsg, want) {
						return fmt.Errorf("%+v, want %q", st, want)
					}
					return nil
				})
				if west.counts("svc").Reachable() || len(west.peersOf("links")) > 0 {
					t.Error("the link is up all the same")
				}
				ca.issue(certificate{name: bad.id()})
				eventually(t, "the link comes up when that is mended", func() error {
					if st := status(); st.ConnectionStatus != "SUCCESS" {
						return fmt.Errorf("%+v", st)
					}
					return nil
				})
				if err := request(west.address("in")); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestPeerWithoutCertificate: a listener that wants certificates refuses a
// peer without one.
func TestPeerWithoutCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
	west.add("sslProfile", ca.profile("links", certificate{name: "west"}))
	host, port := west.listens("links", "inter-router", attrs{"sslProfile": "links", "saslMechanisms": "EXTERNAL", "authenticatePeer": true})
	p := ca.profile("links", certificate{name: "east"})
	delete(p, "certFile")
	delete(p, "privateKeyFile")
	east.add("sslProfile", p)
	east.dials("to-west", "inter-router", host, port, attrs{"sslProfile": "links"})
	east.dials("plainly", "inter-router", host, port, nil)
	west.start()
	east.start()
	for connector, want := range map[string]string{
		"to-west": "the peer requires a client certificate",
		"plainly": "", // whatever the words: the peer has closed
	} {
		eventually(t, connector+" says why", func() error {
			st := east.row(&config.Connector{Name: connector}).(manage.ConnectorStatus)
			if st.ConnectionStatus != "CONNECTING" || !strings.Contains(st.ConnectionMsg, " failed: ") || !strings.Contains(st.ConnectionMsg, want) {
				return fmt.Errorf("%+v", st)
			}
			return nil
		})
	}
	if len(west.peersOf("links")) > 0 {
		t.Error("somebody got in")
	}
}

// TestAProfileThatNothingUsesMayBeWrong: its files are looked at by those who
// use it, so it may be changed in several steps.
func TestAProfileThatNothingUsesMayBeWrong(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior")
	n.add("sslProfile", newAuthority(t).profile("spare", certificate{name: "only"}))
	n.start()
	var problems []error
	n.on(func(r *Router) {
		next := r.cfg.Clone()
		next.SSLProfiles[0].PrivateKeyFile = "/does/not/exist"
		problems = r.adopt(next, false)
	})
	if len(problems) != 0 {
		t.Errorf("the change is refused: %v", problems)
	}
}
