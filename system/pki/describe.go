package pki

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Info is what a certificate says, for status and for people.
type Info struct {
	Subject   string // common name
	Issuer    string // common name
	Hosts     []string
	Serial    string // hexadecimal
	CA        bool
	NotBefore time.Time
	NotAfter  time.Time
	RenewAt   time.Time // when a certificate of the site's own making is renewed
}

// Describe tells what the first certificate of a PEM file says.
func Describe(cert []byte) (Info, error) {
	certs, err := Certificates(cert)
	if err != nil {
		return Info{}, err
	}
	return describe(certs[0]), nil
}

func describe(c *x509.Certificate) Info {
	i := Info{
		Subject: c.Subject.CommonName, Issuer: c.Issuer.CommonName, Serial: Serial(c), CA: c.IsCA,
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), Hosts: slices.Clone(c.DNSNames),
	}
	for _, ip := range c.IPAddresses {
		if text := ip.String(); !slices.Contains(i.Hosts, text) {
			i.Hosts = append(i.Hosts, text)
		}
	}
	if !c.IsCA {
		i.RenewAt = renewAt(c).UTC()
	}
	return i
}

// Serial is the serial number of a certificate, hexadecimal.
func Serial(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SerialNumber) }

// Covers reports whether a peer that asks for host would accept the
// certificate: one of ours or an upstream router, which looks at DNS names only.
func (i Info) Covers(host string) bool {
	for _, h := range i.Hosts {
		if strings.EqualFold(h, host) {
			return true
		}
		if rest, ok := strings.CutPrefix(h, "*."); ok {
			if _, domain, ok := strings.Cut(host, "."); ok && strings.EqualFold(domain, rest) {
				return true
			}
		}
	}
	return false
}

// ConnectFile is the name of the file that tells clients of the router where it
// is and what to trust.
const ConnectFile = "connect.json"

// Connect makes connect.json for a router at host and port.
//
// compat: the paths are those of a container, as upstream writes them; nothing
// of upstream's version 2 reads the file.
func Connect(host string, port int) []byte {
	return fmt.Appendf(nil, `
{
    "scheme": "amqps",
    "host": %q,
    "port": "%d",
    "tls": {
        "ca": "/etc/messaging/ca.crt",
        "cert": "/etc/messaging/tls.crt",
        "key": "/etc/messaging/tls.key",
        "verify": true
    }
}
`, host, port)
}
