package system

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/token"
)

// This file renews the certificates that the site has handed out to those who
// link to it. The other end of such a link is in renewlinks.go.

// renewalLinger is how long the grant server goes on for renewals after a pass.
// Passes come more often while somebody may ask.
const renewalLinger = 3 * rescanQuiet

// withRenewal adds to the Secret of a link where it is renewed.
func withRenewal(documents []byte, base string, ca []byte) ([]byte, error) {
	set, _, err := resource.Parse([]resource.Input{{Name: "link", Data: documents}})
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for o := range set.All() {
		if s, ok := o.(*resource.Secret); ok {
			s.Annotations = renewalAnnotations(base, ca)
		}
		out = append(out, resource.EncodeYAML(o))
	}
	return slices.Concat(joinDocuments(out)...), nil
}

func renewalAnnotations(base string, ca []byte) map[string]string {
	return map[string]string{token.RenewURL: "https://" + base + token.RenewPath, token.RenewCA: string(ca)}
}

// renewalHosts are the hosts at which somebody may ask now for another
// certificate than the one that the site has handed out to him.
func renewalHosts(s *site.Site, handed state.Ledger, now time.Time) []string {
	var hosts []string
	if !s.Settings.LinkRenewal {
		return nil
	}
	for _, h := range handed {
		from, until := h.Asking()
		if from.IsZero() || now.Before(from) || !now.Before(until) {
			continue
		}
		if host, _, err := net.SplitHostPort(h.Renew); err == nil && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// movedRenewals warns of links that name another place for renewals than where the
// grant server is now: another program has its former port. It is "" if none that
// may ask does.
func movedRenewals(s *site.Site, handed state.Ledger, at grantAddress, now time.Time) string {
	n, where := 0, ""
	for _, h := range handed {
		from, until := h.Asking()
		host, _, err := net.SplitHostPort(h.Renew)
		if err == nil && !now.Before(from) && now.Before(until) && at.port != 0 && at.base(s, host) != h.Renew {
			n, where = n+1, h.Renew
		}
	}
	if n == 0 {
		return ""
	}
	_, port, _ := net.SplitHostPort(where) // it was split above
	return advised(fmt.Sprintf("links that were handed out, whose certificates can be renewed now, say that it is done at %s, where the grant server is not any more: %d", where, n),
		fmt.Sprintf("start the agent with %s=%s once that port is free, or give those sites other links: `skupper token issue FILE`", grantPortVariable, port))
}

// admit is the record of a certificate that may be renewed, or a *token.Refusal.
// authority is whoever signs for an access. Nothing is told to those whose
// certificate was not made here.
func admit(s *site.Site, handed state.Ledger, shown *x509.Certificate, authority func(issuer string) []byte, now time.Time) (state.Handed, *site.Access, error) {
	h, ok := handed.Find(pki.Serial(shown))
	if !ok {
		return h, nil, token.ErrUnknown
	}
	list := accessesFor(s, h.Access, "")
	if h.Access == "" || len(list) == 0 || !pki.Signed(authority(list[0].Issuer), shown) {
		return h, nil, token.ErrUnknown
	}
	switch {
	case h.Revoked:
		return h, nil, token.ErrRevoked
	case !now.Before(shown.NotAfter.Add(state.GraceAfterExpiry)):
		return h, nil, token.ErrExpired
	case !s.Settings.LinkRenewal:
		return h, nil, token.ErrNoRenewal
	}
	return h, &list[0], nil
}

// renewalFor renews a certificate that the site has handed out: it checks, makes
// another one, records it where that survives a crash, and only then answers.
func (n *namespace) renewalFor(ctx context.Context, shown *x509.Certificate, r token.Renewal) ([]byte, error) {
	if err := n.take(ctx); err != nil {
		return nil, err
	}
	defer n.give()
	v, now := n.seen.Load(), time.Now()
	if v.site == nil {
		return nil, token.ErrUnknown
	}
	authority := func(issuer string) []byte { return readPair(n.paths.IssuerDir(issuer)).Cert }
	old, access, err := admit(v.site, v.memory.Links, shown, authority, now)
	if err != nil {
		return nil, err
	}
	if !r.Proven(shown) {
		return nil, token.ErrNotHolder
	}
	key, err := pki.ParseRequest(r.Request)
	if err != nil {
		return nil, token.ErrBadRequest
	}
	if !r.SameKey && pki.SamePublic(key, shown.PublicKey) {
		return nil, token.ErrSameKey
	}
	by, err := pki.ParseAuthority(readPair(n.paths.IssuerDir(access.Issuer)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", state.Authority(access.Issuer), err)
	}
	want := pki.Want{Subject: shown.Subject.CommonName, Validity: v.site.Settings.ClientValidity}
	digest, err := pki.KeyDigest(key)
	if err != nil {
		return nil, err
	}
	if last, ok := v.memory.Links.Answered(old, digest, now); ok {
		made := pki.Info{Serial: last.Serial, NotBefore: last.Issued, NotAfter: last.NotAfter}
		pair, err := pki.IssueAgain(want, key, by, made, now, rand.Reader)
		if err != nil {
			return nil, err
		}
		return n.renewed(last, pair), nil
	}
	if v.memory.Links.TooOften(old, now) {
		return nil, token.ErrTooOften
	}
	pair, err := pki.IssueFor(want, key, by, now, rand.Reader)
	if err != nil {
		return nil, err
	}
	info, err := pki.Describe(pair.Cert)
	if err != nil {
		return nil, err
	}
	next := old
	next.Serial, next.Issued, next.NotAfter, next.File = info.Serial, info.NotBefore, info.NotAfter, false
	next.Renewed, next.Key = time.Time{}, digest
	_, err = n.pass(ctx, wish{
		memory: func(m *state.Memory) { m.Links = m.Links.Renew(old, next, now) },
		held:   n.m.manual(),
	})
	if err != nil {
		n.log.Error("renewal not recorded", "link", old.Name, keyErr, err)
		return nil, token.ErrNotStored
	}
	return n.renewed(next, pair), nil
}

// renewed is the Secret with a certificate that was renewed.
func (n *namespace) renewed(h state.Handed, p pki.Pair) []byte {
	s := &resource.Secret{
		Meta: resource.Meta{Name: h.Name}, Type: resource.SecretTypeTLS,
		Data: map[string][]byte{resource.CACert: p.CA, resource.TLSCert: p.Cert},
	}
	if h.Renew != "" {
		s.Annotations = renewalAnnotations(h.Renew, n.m.grants.at().ca)
	}
	return resource.EncodeYAML(s)
}

// Warnings about certificates that others have.
const (
	endingMost  = 5 // that are named; the others are counted
	endingShare = 6 // of its life, that is left when somebody is warned, if that is less than expiryWarning
)

// endingSoon warns of links to this site that end soon, because nobody has renewed
// their certificates: those who hold them may not be able to.
func endingSoon(handed state.Ledger, now time.Time) []string {
	var ending []state.Handed
	for _, h := range handed {
		left := h.NotAfter.Sub(now)
		if !h.File && h.Renewed.IsZero() && left < min(expiryWarning, h.NotAfter.Sub(h.Issued)/endingShare) && left > -state.GraceAfterExpiry {
			ending = append(ending, h)
		}
	}
	slices.SortStableFunc(ending, func(a, b state.Handed) int { return a.NotAfter.Compare(b.NotAfter) })
	var list []string
	for i, h := range ending {
		if i == endingMost {
			list = append(list, fmt.Sprintf("%d more certificates that were handed out in links end soon", len(ending)-i))
			break
		}
		ends := " expires "
		if !now.Before(h.NotAfter) {
			ends = " expired "
		}
		list = append(list, advised(
			fmt.Sprintf("the certificate of link %s, handed out to %s,%s%s and was not renewed", h.Name, h.Subject, ends, h.NotAfter.UTC().Format(time.DateOnly)),
			"if that site still links here, give it another one: `skupper token issue FILE`"))
	}
	return list
}
