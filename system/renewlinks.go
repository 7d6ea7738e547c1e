package system

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/token"
)

// This file has the certificates of the site's links renewed by the sites that
// they lead to. The other end is in renewals.go.

// Times between attempts to have a certificate renewed.
const (
	renewRetry    = 5 * time.Second
	renewRetryMax = time.Hour
	// renewAtOnce is how long attempts that follow each other may keep the loop; the
	// others have their turn later.
	renewAtOnce = token.Timeout
)

// renewals remembers how the renewal of certificates went, by serial number. The
// zero value is ready.
type renewals struct {
	mu   sync.Mutex
	last map[string]attempt // guarded by mu
}

// next is when a certificate is to be renewed, if its time is at.
func (r *renewals) next(serial string, at time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, tried := r.last[serial]; tried {
		return t.next
	}
	return at
}

// due are the certificates that are to be renewed by now; those that wait longest
// come first.
func (r *renewals) due(list []credential, now time.Time) []credential {
	due := slices.DeleteFunc(slices.Clone(list), func(c credential) bool { return !c.peer || r.next(c.Serial, c.Renews).After(now) })
	slices.SortStableFunc(due, func(a, b credential) int { return r.next(a.Serial, a.Renews).Compare(r.next(b.Serial, b.Renews)) })
	return due
}

// failed keeps in mind why a certificate was not renewed. What no other attempt
// can help is tried again all the same, as rarely as anything: the other site may
// change its mind. It reports whether there was another reason before, or none.
func (r *renewals) failed(serial string, err error, now time.Time) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[string]attempt{}
	}
	t := attempt{err: advised(err.Error(), adviceOf(err)), wait: min(max(2*r.last[serial].wait, renewRetry), renewRetryMax)}
	var e *token.Error
	if errors.As(err, &e) {
		t.err = advised(e.Reason, e.Advice)
		if t.final = e.Final; t.final {
			t.wait = renewRetryMax
		}
	}
	t.next = now.Add(t.wait)
	news = t.err != r.last[serial].err
	r.last[serial] = t
	return news
}

// failure is why a certificate was not renewed, "" if nobody tried or it was.
func (r *renewals) failure(serial string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[serial].err
}

// keep forgets all certificates but those in use.
func (r *renewals) keep(list []credential) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for serial := range r.last {
		if !slices.ContainsFunc(list, func(c credential) bool { return c.Serial == serial }) {
			delete(r.last, serial)
		}
	}
}

// ofPeer reports whether a credential is that of a link, and renewed by the site
// at its other end.
func ofPeer(s *site.Site, c site.Credential) bool {
	return c.Use == site.Client && c.Origin == site.Secret && token.Renewable(c.Secret) && linkOf(s, c.Name) != nil
}

// linkOf is a link that uses a credential, nil if none does.
func linkOf(s *site.Site, profile string) *site.Link {
	for i, l := range s.Links {
		if l.Profile == profile {
			return &s.Links[i]
		}
	}
	return nil
}

// spread is when a certificate of a link is to be renewed: when a third of its
// life is left, or somewhat later: those that were handed out together do not all
// ask together.
func spread(info pki.Info) time.Time {
	const share = 50
	most := min(info.NotAfter.Sub(info.NotBefore)/share, time.Hour)
	sum := sha256.Sum256([]byte(info.Serial))
	return info.RenewAt.Add(most * time.Duration(binary.BigEndian.Uint16(sum[:])) / (1 << 16))
}

// renewLinks has the certificates of links renewed whose time has come. It is
// called by the loop.
func (n *namespace) renewLinks(ctx context.Context) {
	v := n.seen.Load()
	n.renewals.keep(v.credentials)
	if v.site == nil || v.memory.Stopped {
		return
	}
	began := time.Now()
	for _, c := range n.renewals.due(v.credentials, began) {
		if time.Since(began) >= renewAtOnce {
			return // the loop comes again
		}
		err := n.renewLink(ctx, v.site, c)
		if ctx.Err() != nil {
			return
		}
		n.quiet = nil // statuses say how it went
		if err != nil {
			level := slog.LevelDebug // once said is enough: the status says so all the time
			if n.renewals.failed(c.Serial, err, time.Now()) {
				level = slog.LevelWarn
			}
			n.log.Log(ctx, level, "certificate of a link not renewed", "credential", c.Name, keyErr, err)
		}
	}
}

// renewLink has the certificate of a link renewed and puts it into the input, in
// the place of the old one.
func (n *namespace) renewLink(ctx context.Context, s *site.Site, c credential) error {
	i := slices.IndexFunc(s.Credentials, func(have site.Credential) bool { return have.Name == c.Name && have.Use == site.Client })
	link := linkOf(s, c.Name)
	if i < 0 || link == nil {
		return nil // it went meanwhile
	}
	old := s.Credentials[i].Secret
	proxy, err := n.proxyNamed(link.Proxy)
	if err != nil {
		return err
	}
	renewed, err := token.Renew(ctx, token.RenewRequest{Secret: old, KeyType: pki.KeyType(s.Settings.KeyType), Proxy: proxy, Now: time.Now()})
	if err != nil {
		return err
	}
	result, err := n.request(ctx, false, wish{
		held: n.m.manual(),
		change: func(e *input.Edit) ([]api.Change, error) {
			have := resource.Get[*resource.Secret](e.Set(), old.Name)
			if have == nil || !bytes.Equal(have.Data[resource.TLSCert], old.Data[resource.TLSCert]) {
				return nil, nil // somebody has replaced it meanwhile
			}
			action, err := e.Put(renewed)
			return []api.Change{{Object: renewed.Ref().String(), Action: actionOf(action)}}, err
		},
	})
	if err == nil && len(result.Changes) > 0 {
		n.log.Info("certificate of a link renewed", "credential", c.Name, "link", link.Name)
	}
	return err
}
