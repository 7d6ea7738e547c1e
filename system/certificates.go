package system

import (
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
)

// credential is a certificate in use. Its status depends on the time: see at.
type credential struct {
	api.Certificate
	begins time.Time
	own    bool   // the site renews it
	peer   bool   // of a link: the site at its other end renews it
	failed string // then: why it did not, with what to do, "" if it need not or did
	from   string // where a person's material lies: "input/certs/x", "Secret x"; "" where the site makes it
	broken bool   // it cannot be read; Status and Message say so
}

// certificates describes the credentials in use.
func certificates(s *site.Site, pairs map[render.CredentialKey]pki.Pair) []credential {
	list := []credential{}
	for _, c := range s.Credentials {
		pair := pairs[render.CredentialKey{Authority: c.Use == site.CA, Name: c.Name}]
		data := pair.Cert
		if c.Use == site.Trust {
			data = pair.CA
		}
		entry := credential{Certificate: api.Certificate{Name: c.Name, Use: c.Use.String(), Source: c.Origin.String()}, from: materialOf(c)}
		info, err := pki.Describe(data)
		if err != nil {
			entry.Status, entry.Message, entry.broken = resource.StatusError, err.Error(), true
			list = append(list, entry)
			continue
		}
		entry.Subject, entry.Issuer, entry.Hosts, entry.Serial, entry.Expires = info.Subject, info.Issuer, info.Hosts, info.Serial, info.NotAfter
		entry.begins = info.NotBefore
		switch {
		case c.Origin == site.Generated && c.Use != site.CA:
			entry.own, entry.Renews = true, info.RenewAt
		case ofPeer(s, c):
			entry.peer, entry.Renews = true, spread(info)
		}
		list = append(list, entry)
	}
	return list
}

// materialOf says where a person's material of a credential lies.
func materialOf(c site.Credential) string {
	switch {
	case c.Origin == site.Secret:
		return "Secret " + c.Source
	case c.Origin == site.Directory && c.Use == site.CA:
		return "input/issuers/" + c.Source
	case c.Origin == site.Directory:
		return "input/certs/" + c.Source
	}
	return ""
}

// Certificates are shown as expiring this long before they end, if nobody
// renews them by then.
const expiryWarning = 30 * 24 * time.Hour

// at is the certificate with its status at a time.
func (c credential) at(now time.Time) api.Certificate {
	out := c.Certificate
	if c.broken {
		return out
	}
	out.Status, out.Message = resource.StatusReady, "OK"
	end := c.Expires.UTC().Format(time.DateOnly)
	switch left := c.Expires.Sub(now); {
	case now.Before(c.begins):
		out.Status = resource.StatusError
		out.Message = advised(c.Name+" is not valid before "+c.begins.UTC().Format(time.RFC3339), "is the clock of this host right?")
	case left <= 0 && c.failed != "":
		out.Status, out.Message = resource.StatusError, c.Name+" expired "+end+" and is not renewed: "+c.failed
	case c.failed != "":
		out.Status, out.Message = resource.StatusPending, c.Name+" expires "+end+" and is not renewed: "+c.failed
	case left <= 0:
		out.Status, out.Message = resource.StatusError, advised(c.Name+" expired "+end, c.replacement())
	case left < expiryWarning && c.Renews.IsZero():
		out.Status, out.Message = resource.StatusPending, advised(c.Name+" expires "+end+" and is not renewed by this site", c.replacement())
	}
	return out
}

// replacement is how a certificate is replaced.
func (c credential) replacement() string {
	switch {
	case c.from != "":
		return "put a new one into " + c.from
	case c.Use == site.CA.String():
		return "every certificate that it signed ends with it"
	}
	return "`skupper cert renew " + c.Name + "` makes it anew"
}

// judged is a list of certificates with their status at a time.
func (n *namespace) judged(list []credential, now time.Time) []api.Certificate {
	out := make([]api.Certificate, 0, len(list))
	for _, c := range list {
		if c.peer {
			c.failed = n.renewals.failure(c.Serial)
		}
		out = append(out, c.at(now))
	}
	return out
}
