package system

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/token"
)

// grantHost is the annotation of a grant that names the hosts at which its
// server can be reached, apart by commas. The first is that of its URL and of
// its links.
const grantHost = "skupper-agent/host"

// hostsOf are the hosts of a grant; "" is the best known one.
func hostsOf(g *resource.AccessGrant) []string { return strings.Split(g.Annotations[grantHost], ",") }

// keepGrant is how long a grant that nobody can use any more stays in the
// input, for people to look at.
const keepGrant = 24 * time.Hour

// grantBook is what is known of each grant of a site: its uid, its code, when
// it ends, how often it was used. It lives in the status of the AccessGrants
// below runtime/resources.
type grantBook map[string]*resource.AccessGrant

// updated is the book for the grants of a site: those that are new are
// entered, those that went are struck out. The book itself is not changed.
func (b grantBook) updated(s *site.Site, server grantAddress, now time.Time) grantBook {
	next := grantBook{}
	for _, g := range s.Grants {
		o, ok := s.Objects.Find(resource.Ref{Kind: resource.KindAccessGrant, Name: g.Name}).(*resource.AccessGrant)
		if !ok {
			continue
		}
		entry := &resource.AccessGrant{Meta: o.Meta, Spec: o.Spec}
		if old := b[g.Name]; old != nil {
			entry.UID, entry.Status = old.UID, old.Status
		} else {
			entry.UID = newUID()
			entry.Status.ExpirationTime = now.Add(g.Window).UTC().Truncate(time.Second)
		}
		entry.Status.Code = first(g.Code, entry.Status.Code)
		if entry.Status.Code == "" {
			entry.Status.Code = newCode()
		}
		entry.Status.URL, entry.Status.CA = "", string(server.ca)
		if server.port > 0 {
			entry.Status.URL = fmt.Sprintf("https://%s/%s", server.base(s, hostsOf(entry)[0]), entry.UID)
		}
		next[g.Name] = entry
	}
	return next
}

// own reports whether a token is of a grant of the book.
func (b grantBook) own(t *resource.AccessToken) bool {
	for _, g := range b {
		if g.UID != "" && strings.HasSuffix(t.Spec.URL, "/"+g.UID) {
			return true
		}
	}
	return false
}

// hosts are the names and addresses at which the grants of a site are redeemed.
func (b grantBook) hosts(s *site.Site, server grantAddress) []string {
	var list []string
	for _, g := range b {
		for _, asked := range hostsOf(g) {
			host, _, err := net.SplitHostPort(server.base(s, asked))
			if err == nil && host != "" && !slices.Contains(list, host) {
				list = append(list, host)
			}
		}
	}
	return list
}

// alive is when the last grant of the book ends; zero if all have. One that is
// used up is alive: who comes too late is told so.
func (b grantBook) alive(now time.Time) (until time.Time) {
	for _, g := range b {
		if now.Before(g.Status.ExpirationTime) && g.Status.ExpirationTime.After(until) {
			until = g.Status.ExpirationTime
		}
	}
	return until
}

// stale lists grants that ended long ago.
func (b grantBook) stale(now time.Time) []resource.Ref {
	var refs []resource.Ref
	for _, g := range b {
		if now.After(g.Status.ExpirationTime.Add(keepGrant)) {
			refs = append(refs, g.Ref())
		}
	}
	return refs
}

// dropStaleGrants removes them from the input.
func (n *namespace) dropStaleGrants(ctx context.Context) {
	refs := n.seen.Load().grants.stale(time.Now())
	if len(refs) == 0 {
		return
	}
	_, err := n.request(ctx, false, wish{
		change: func(e *input.Edit) ([]api.Change, error) { return dropAll(e, refs, api.DeleteRequest{}) },
	})
	if err != nil {
		n.log.Warn("ended grants not removed", keyErr, err)
	}
}

// counted is the book with one redemption more of a grant.
func (b grantBook) counted(name string) grantBook {
	next := grantBook{}
	for k, g := range b {
		c := *g
		if k == name {
			c.Status.Redemptions++
		}
		next[k] = &c
	}
	return next
}

// newUID is a random UUID (RFC 9562 §5.4).
func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newCode is 24 random characters, 120 bits.
func newCode() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// grant says in the status of an AccessGrant how it is.
func (m *moment) grant(o *resource.AccessGrant, h *resource.Health) {
	entry := m.grants[o.Name]
	if entry == nil {
		m.set(h, resource.ConditionProcessed, pending("not processed yet"))
		return
	}
	conditions := h.Conditions
	o.UID, o.Status = entry.UID, entry.Status
	o.Status.Conditions = conditions
	m.set(h, resource.ConditionProcessed, good())
	switch {
	case m.live == nil:
		m.set(h, resource.ConditionResolved, m.down())
	case len(accessesFor(m.site, "", "")) == 0:
		m.set(h, resource.ConditionResolved, bad(advised("the site does not let others link to it", "`skupper site update "+m.site.Name+" --enable-link-access`")))
	case len(accessesFor(m.site, "", o.Spec.Issuer)) == 0:
		m.set(h, resource.ConditionResolved, bad(advised("no RouterAccess has the issuer "+o.Spec.Issuer, "change spec.issuer, or leave it out")))
	case m.grantFailure != "":
		m.set(h, resource.ConditionResolved, bad(advised("grant server: "+m.grantFailure, among(m.grantFailure, "`skupper system reload` tries again",
			remedy{portTaken, ""}, // it is said already
			remedy{processEnded, "it is started again by itself; `skupper system logs --agent` tells more"}))))
	case m.now.After(entry.Status.ExpirationTime):
		m.set(h, resource.ConditionResolved, pending(advised("expired "+entry.Status.ExpirationTime.Format(time.RFC3339), anotherToken)))
	case entry.Status.Redemptions >= max(o.Spec.RedemptionsAllowed, 1):
		m.set(h, resource.ConditionResolved, pending(advised("used up", anotherToken)))
	case entry.Status.URL == "":
		m.set(h, resource.ConditionResolved, pending(advised("the grant server is starting", downAdvice(m.site.Namespace, "starting"))))
	default:
		m.set(h, resource.ConditionResolved, good())
	}
}

// anotherToken is what to do about a grant that nobody can use any more.
const anotherToken = "`skupper token issue` makes another one"

// issueToken does what api.Controller.Token says.
func (n *namespace) issueToken(ctx context.Context, r api.TokenRequest) (*api.TokenFile, error) {
	if !n.exists() {
		return nil, n.missing()
	}
	v := n.seen.Load()
	a, err := accessFor(v, "")
	if err != nil {
		return nil, err
	}
	name, err := grantName(v, r)
	if err != nil {
		return nil, err
	}
	var hosts, warnings []string
	if g := resource.Get[*resource.AccessGrant](v.site.Objects, name); g != nil {
		r.Hosts = hostsOf(g) // it has its own
	}
	for _, asked := range strings.Split(strings.Join(r.Hosts, ","), ",") { // none is ""
		host, w, err := hostFor(a, asked)
		if err != nil {
			return nil, err
		}
		hosts, warnings = append(hosts, host), append(warnings, w...)
	}
	if err := n.m.grants.openToo(ctx, hosts...); err != nil {
		return nil, fmt.Errorf("grant server: %w", err)
	}
	if resource.Get[*resource.AccessGrant](v.site.Objects, name) == nil {
		if err := n.makeGrant(ctx, name, hosts, r); err != nil {
			return nil, err
		}
	}
	entry := n.seen.Load().grants[name]
	if entry == nil || entry.Status.URL == "" {
		return nil, errors.New("the grant is not ready: " + first(n.m.grants.failure(), "the grant server does not run"))
	}
	t := &resource.AccessToken{Meta: resource.Meta{Name: name}}
	t.Spec.URL, t.Spec.Code, t.Spec.CA, t.Spec.LinkCost = entry.Status.URL, entry.Status.Code, entry.Status.CA, r.Cost
	return &api.TokenFile{
		Name: name, URL: entry.Status.URL, Expires: entry.Status.ExpirationTime, Document: resource.EncodeYAML(t), Warnings: warnings,
		Redemptions: max(entry.Spec.RedemptionsAllowed, 1) - entry.Status.Redemptions,
	}, nil
}

// grantName is the name of the grant that a token is of: one that exists, or that
// of a new one.
func grantName(v *view, r api.TokenRequest) (string, error) {
	name := first(r.Grant, r.Name, render.LinkName(v.site.Name, random4()))
	if r.Grant != "" && resource.Get[*resource.AccessGrant](v.site.Objects, name) == nil {
		return "", absent(resource.Ref{Kind: resource.KindAccessGrant, Name: name})
	}
	return name, checkName(name)
}

// checkName refuses what cannot be the name of an object, before it is in the
// input or in the hands of another site.
func checkName(name string) error {
	if reason := resource.CheckName(name); reason != "" {
		return &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("name %q: %s", name, reason)}
	}
	return nil
}

func random4() []byte {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return b
}

// makeGrant puts a grant into the input.
func (n *namespace) makeGrant(ctx context.Context, name string, hosts []string, r api.TokenRequest) error {
	g := &resource.AccessGrant{Meta: resource.Meta{Name: name, Namespace: n.paths.Name}}
	g.Spec.RedemptionsAllowed, g.Spec.ExpirationWindow = max(r.Redemptions, 1), first(r.Window, "15m")
	g.Annotations = map[string]string{grantHost: strings.Join(hosts, ",")}
	set := resource.NewSet(g)
	_, err := n.request(ctx, false, wish{
		change: func(e *input.Edit) ([]api.Change, error) { return n.put(e, set, api.ApplyRequest{}) }, strict: true,
	})
	return err
}

// grantFor redeems a grant: it checks, makes the link, counts where the count
// survives a crash, and only then answers.
func (n *namespace) grantFor(ctx context.Context, name string, c token.Claim) ([]byte, error) {
	if err := n.take(ctx); err != nil {
		return nil, err
	}
	defer n.give()
	v := n.seen.Load()
	g := v.grants[name]
	switch {
	case g == nil, time.Now().After(g.Status.ExpirationTime):
		return nil, token.ErrNoGrant
	case g.Status.Redemptions >= max(g.Spec.RedemptionsAllowed, 1):
		return nil, token.ErrUsedUp
	case !token.SameCode(c.Code, g.Status.Code):
		return nil, token.ErrWrongCode
	}
	documents, handed, err := n.linksFor(ctx, v, g, first(c.Name, g.Name), c.Subject)
	if err != nil {
		return nil, err
	}
	handed.Grant = name
	if v.site.Settings.LinkRenewal {
		at := n.m.grants.at()
		handed.Renew = at.base(v.site, hostsOf(g)[0])
		if documents, err = withRenewal(documents, handed.Renew, at.ca); err != nil {
			return nil, err
		}
	}
	_, err = n.pass(ctx, wish{
		memory: func(m *state.Memory) { m.Links = m.Links.With(handed, time.Now()) },
		grants: func(b grantBook) grantBook { return b.counted(name) },
	})
	if err != nil {
		n.log.Error("redemption not recorded", "grant", name, keyErr, err)
		return nil, token.ErrNotStored
	}
	return documents, nil
}

// linksFor makes a Secret with a new key, and a Link for each access that takes
// it: those with the issuer of the grant or, where it names none, of the first.
func (n *namespace) linksFor(ctx context.Context, v *view, g *resource.AccessGrant, name, subject string) ([]byte, state.Handed, error) {
	if _, err := accessFor(v, ""); err != nil {
		return nil, state.Handed{}, err
	}
	list := accessesFor(v.site, "", g.Spec.Issuer)
	if len(list) == 0 {
		return nil, state.Handed{}, fmt.Errorf("no RouterAccess has the issuer %s", g.Spec.Issuer)
	}
	a, asked := &list[0], hostsOf(g)[0]
	host, _, err := hostFor(a, asked)
	if err != nil {
		return nil, state.Handed{}, err
	}
	cover, err := coverage(a, host)
	if err != nil {
		return nil, state.Handed{}, err
	}
	o, err := n.pass(ctx, wish{memory: cover})
	if err != nil || o.site == nil {
		return nil, state.Handed{}, errors.Join(err, errors.New("the site is not in order"))
	}
	in := render.Input{Site: o.site, Paths: n.paths, Now: time.Now(), Random: rand.Reader}
	authority := o.output.Credentials[render.CredentialKey{Authority: true, Name: a.Issuer}]
	document, handed, err := render.IssueLink(in, *a, authority, host, name, subject, 1)
	if err != nil {
		return nil, state.Handed{}, err
	}
	parts := [][]byte{document}
	for _, more := range accessesFor(o.site, "", a.Issuer) {
		at, _, err := hostFor(&more, "")
		if err != nil || more.Name == a.Name {
			continue // others do not reach it
		}
		i := len(parts)
		link := render.LinkDocument(fmt.Sprintf("%s-%d", name, i), more, at, 1, pki.Pair{})
		_, link, _ = bytes.Cut(link, []byte("---\n"))
		parts = append(parts, bytes.ReplaceAll(link, fmt.Appendf(nil, "tlsCredentials: %s-%d", name, i), []byte("tlsCredentials: "+name)))
	}
	return bytes.Join(parts, []byte("---\n")), handed, nil
}

// base is host:port of the URLs of a site's grants.
func (g grantAddress) base(s *site.Site, host string) string {
	switch {
	case g.fixed != "":
		return g.fixed
	case s.Settings.GrantURL != "":
		return s.Settings.GrantURL
	}
	if host == "" {
		for _, a := range accessesFor(s, "", "") {
			if h, _, err := hostFor(&a, ""); err == nil {
				host = h
				break
			}
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(g.port))
}
