package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Reason is why a certificate has to be made anew.
type Reason int

// The reasons. Keep is that there is none.
const (
	Keep          Reason = iota
	Missing              // there is no certificate, or no key
	Unreadable           // a file is damaged, or the key is of another certificate
	IssuerChanged        // the authority did not sign it
	NameMissing          // a host is not in it
	Due                  // less than a third of its life remains
	Asked                // a person wants a new one
)

func (r Reason) String() string {
	return [...]string{"keep", "missing", "unreadable", "issuer changed", "name missing", "due", "asked for"}[r]
}

// Decision says whether a certificate is kept.
type Decision struct {
	Reason Reason
	Detail string // in words for people; empty for Keep
}

// Decide compares what the files of a credential hold with what is wanted of
// it. It is the only rule by which a certificate is made anew, so that an
// unchanged site has unchanged certificates. Without an authority the
// certificate signs itself. An authority is never Due.
func Decide(w Want, by *Authority, have Pair, now time.Time) Decision {
	switch {
	case len(have.Cert) == 0 && len(have.Key) == 0:
		return Decision{Missing, "there was none"}
	case len(have.Cert) == 0:
		return Decision{Missing, CertFile + " is missing"}
	case len(have.Key) == 0:
		return Decision{Missing, KeyFile + " is missing"}
	}
	c, err := Load(Pair{Cert: have.Cert, Key: have.Key})
	if err != nil {
		return Decision{Unreadable, err.Error()}
	}
	leaf := c.Leaf()
	if by == nil && !selfSigned(leaf) {
		return Decision{IssuerChanged, "not signed by itself"}
	}
	if by != nil && !by.signed(leaf) {
		return Decision{IssuerChanged, fmt.Sprintf("not signed by %s", by.cert.Subject.CommonName)}
	}
	if host := missingHost(leaf, w.Hosts); host != "" {
		return Decision{NameMissing, fmt.Sprintf("%s is not in it", host)}
	}
	if !w.Authority && !now.Before(renewAt(leaf)) && (by == nil || leaf.NotAfter.Before(by.cert.NotAfter)) {
		return Decision{Due, fmt.Sprintf("expires %s", leaf.NotAfter.UTC().Format(time.RFC3339))}
	}
	return Decision{}
}

// signed reports whether the authority signed c.
func (a *Authority) signed(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, a.cert.RawSubject) && c.CheckSignatureFrom(a.cert) == nil
}

// renewAt is when a third of a certificate's life remains. One that ends with
// its authority is not renewed: the new one would not last longer.
func renewAt(c *x509.Certificate) time.Time {
	return c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore) / 3)
}

// missingHost finds a host that is not named as Issue names it.
func missingHost(c *x509.Certificate, hosts []string) string {
	for _, h := range hosts {
		h = strings.TrimSpace(h)
		if h == "" {
			continue
		}
		if !slices.Contains(c.DNSNames, h) {
			return h
		}
		if addr, err := netip.ParseAddr(h); err == nil && !hasAddr(c, addr) {
			return h
		}
	}
	return ""
}

func hasAddr(c *x509.Certificate, want netip.Addr) bool {
	for _, ip := range c.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok && addr.Unmap() == want.Unmap() {
			return true
		}
	}
	return false
}
