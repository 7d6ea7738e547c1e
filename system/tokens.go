package system

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/token"
)

// fingerprint tells a token from others without telling its code.
func fingerprint(url, code string) string {
	sum := sha256.Sum256([]byte(url + "\n" + code))
	return hex.EncodeToString(sum[:])
}

// Times between attempts to redeem a token of the input.
const (
	tokenRetry    = 2 * time.Second
	tokenRetryMax = 5 * time.Minute
)

// attempts remembers how the redemption of each token went, by fingerprint.
type attempts struct {
	mu   sync.Mutex
	last map[string]attempt // guarded by mu
}

// attempt is the last one for a token.
type attempt struct {
	err   string
	final bool // another one cannot help
	next  time.Time
	wait  time.Duration
}

// due reports whether a token is to be tried now.
func (a *attempts) due(print string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, tried := a.last[print]
	return !tried || !t.final && !now.Before(t.next)
}

func (a *attempts) failed(print string, err error, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		a.last = map[string]attempt{}
	}
	t := attempt{err: advised(err.Error(), adviceOf(err)), wait: min(max(2*a.last[print].wait, tokenRetry), tokenRetryMax)}
	t.next = now.Add(t.wait)
	var e *token.Error
	t.final = errors.As(err, &e) && e.Final
	a.last[print] = t
}

// failure is why a token is not redeemed, "" if nobody knows.
func (a *attempts) failure(print string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last[print].err
}

// redeemTokens exchanges the tokens of the input that were not exchanged yet.
// It reports whether one is left to be tried again.
func (n *namespace) redeemTokens(ctx context.Context) (again bool) {
	v := n.seen.Load()
	if v.site == nil || v.memory.Stopped {
		return false
	}
	for _, t := range v.site.Tokens {
		print := fingerprint(t.URL, t.Code)
		if slices.Contains(v.memory.Redeemed, print) {
			continue
		}
		if n.tokens.due(print, time.Now()) {
			_, err := n.redeem(ctx, tokenOf(t), 0)
			if err == nil {
				continue
			}
			n.tokens.failed(print, err, time.Now())
			n.log.Warn("token not redeemed", "token", t.Name, keyErr, err)
		}
		again = true
	}
	return again
}

func tokenOf(t site.Token) *resource.AccessToken {
	o := &resource.AccessToken{Meta: resource.Meta{Name: t.Name}}
	o.Spec.URL, o.Spec.Code, o.Spec.CA, o.Spec.LinkCost = t.URL, t.Code, t.CA, t.Cost
	if t.Proxy != "" {
		o.Spec.Settings = resource.Settings{resource.SettingProxy: t.Proxy}
	}
	return o
}

// redeem exchanges a token and puts what it gives into the input, unless its link
// is there already.
func (n *namespace) redeem(ctx context.Context, t *resource.AccessToken, cost int) (*api.Result, error) {
	v := n.seen.Load()
	print := fingerprint(t.Spec.URL, t.Spec.Code)
	if n.linked(t.Name) {
		return &api.Result{
			Changes: []api.Change{{Object: "link/" + t.Name, Action: api.Unchanged}}, State: n.line(v, n.unitStatus(ctx), nil, "").State,
			Generation: v.memory.Generation,
		}, nil
	}
	if user := n.userOf(t.Name); user != "" {
		return nil, &api.Error{
			Kind: api.Conflict, Message: fmt.Sprintf("token %s: credentials of that name are those of %s, and those of the link would replace them", t.Name, user),
			Advice: "give the link another name: --name",
		}
	}
	subject, allocated := n.subject(v.memory.SiteID)
	proxy, err := n.proxyOf(t)
	if err != nil {
		return nil, err
	}
	// A token may be good for one time only: it is not used up for a site that cannot
	// take its link.
	if _, err := n.request(ctx, true, wish{change: func(*input.Edit) ([]api.Change, error) { return nil, nil }, noSite: true, dryRun: true}); err != nil {
		return nil, err
	}
	if err := n.room(); err != nil {
		return nil, wrong(err)
	}
	objects, err := token.Redeem(ctx, token.Request{Token: t, Subject: subject, Cost: cost, Proxy: proxy})
	if err != nil {
		return nil, err
	}
	set := resource.NewSet(objects...)
	return n.request(ctx, false, wish{
		change: func(e *input.Edit) ([]api.Change, error) {
			if allocated != nil {
				if _, err := e.Put(allocated); err != nil {
					return nil, err
				}
			}
			return n.put(e, set, api.ApplyRequest{})
		},
		memory: func(m *state.Memory) { m.Redeemed = append(slices.Clone(m.Redeemed), print) },
		noSite: true,
	})
}

// linkRoom is about what a link takes on the disk while a pass makes it: its
// objects and keys twice, and what is written anew beside what is there.
const linkRoom = 128 << 10

// room returns an error where the disk has no room for a link.
func (n *namespace) room() (err error) {
	dir := n.paths.Dir
	if !n.exists() {
		dir = n.m.options.Paths.DataHome
	}
	f, err := os.CreateTemp(dir, ".room.tmp-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	_, err = f.Write(make([]byte, linkRoom))
	return err
}

// subject is who redeems a token: the site, by its id. One that was never
// started gets its id now, as the uid of its Site, which is returned then. Where
// there is no Site it is the namespace.
func (n *namespace) subject(id string) (subject string, allocated *resource.Site) {
	if id != "" {
		return id, nil
	}
	set, err := input.Resources(n.paths.InputResources())
	if err != nil {
		return n.paths.Name, nil // said when the input is read for the change
	}
	sites := resource.Of[*resource.Site](set)
	if len(sites) == 0 {
		return n.paths.Name, nil
	}
	c := *sites[0]
	if c.UID != "" {
		return c.UID, nil
	}
	c.UID = newUID()
	return c.UID, &c
}

// linked reports whether the input has a Link of that name, or those that a
// token of that name was exchanged for.
func (n *namespace) linked(name string) bool {
	set, err := input.Resources(n.paths.InputResources())
	return err == nil && slices.ContainsFunc(resource.Of[*resource.Link](set), func(l *resource.Link) bool {
		return l.Name == name || l.Spec.TLSCredentials == name
	})
}

// userOf is what in the input uses, or makes, credentials of a name for
// something else than a link; "" if nothing does. Whoever gave out a token chose
// its name, and so the name of the Secret that it is exchanged for.
func (n *namespace) userOf(name string) string {
	set, err := input.Resources(n.paths.InputResources())
	if err != nil {
		return "" // said when the input is read for the change
	}
	if strings.HasPrefix(name, "skupper-") {
		return "the site itself"
	}
	for o := range set.All() {
		if slices.Contains(credentialsOf(o), name) {
			return o.Ref().String()
		}
	}
	return ""
}

// credentialsOf are the names of the credentials and authorities that an object
// uses or has made, but for links.
func credentialsOf(o resource.Object) []string {
	access := func(name string) []string { return []string{name, "client-" + name} }
	switch o := o.(type) {
	case *resource.Site:
		if o.Spec.AcceptsLinks() {
			return append(access(o.Name), o.Spec.DefaultIssuer)
		}
		return []string{o.Spec.DefaultIssuer}
	case *resource.RouterAccess:
		return append(access(first(o.Spec.TLSCredentials, o.Name)), o.Spec.Issuer)
	case *resource.Listener:
		return []string{o.Spec.TLSCredentials}
	case *resource.MultiKeyListener:
		return []string{o.Spec.TLSCredentials}
	case *resource.Connector:
		return []string{o.Spec.TLSCredentials}
	case *resource.AccessGrant:
		return []string{o.Spec.Issuer}
	case *resource.Certificate:
		return []string{o.Name, o.Spec.CA}
	}
	return nil
}

// tokenVerdict says how far a token of the input got.
func (n *namespace) tokenVerdict(redeemed []string) func(*resource.AccessToken) verdict {
	return func(t *resource.AccessToken) verdict {
		print := fingerprint(t.Spec.URL, t.Spec.Code)
		if slices.Contains(redeemed, print) {
			return good()
		}
		if why := n.tokens.failure(print); why != "" {
			return bad(why)
		}
		return pending("not redeemed yet")
	}
}

// redeemFile does what api.Controller.Redeem says.
func (n *namespace) redeemFile(ctx context.Context, r api.RedeemRequest) (*api.Result, error) {
	set, _, err := resource.Parse([]resource.Input{{Name: r.File.Name, Data: r.File.Data}})
	if err != nil {
		return nil, wrong(err)
	}
	tokens := resource.Of[*resource.AccessToken](set)
	if len(tokens) != 1 {
		return nil, &api.Error{Kind: api.Invalid, Message: r.File.Name + ": does not hold one AccessToken", Advice: "tokens are made by `skupper token issue` on the other site"}
	}
	t := tokens[0]
	t.Name = first(r.Name, t.Name)
	if err := checkName(t.Name); err != nil {
		return nil, err
	}
	if n.seen.Load().grants.own(t) && !n.linked(t.Name) && n.userOf(t.Name) == "" {
		return nil, &api.Error{
			Kind: api.Invalid, Message: fmt.Sprintf("token %s was issued by this very site", t.Name), Advice: "redeem it on the other site, or in its namespace: `skupper -n NAMESPACE token redeem FILE`",
		}
	}
	return n.redeem(ctx, t, r.Cost)
}
