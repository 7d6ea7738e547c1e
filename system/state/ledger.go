package state

import (
	"cmp"
	"slices"
	"time"
)

// Handed is a client certificate that left the host in a link file or through
// a grant.
type Handed struct {
	Name     string    `json:"name"` // of the Link and its Secret
	Access   string    `json:"access"`
	Host     string    `json:"host"`
	Subject  string    `json:"subject"`
	Serial   string    `json:"serial"`
	Issued   time.Time `json:"issued"` // when it became valid, a little before it was made
	NotAfter time.Time `json:"notAfter"`
	// File says that it is in runtime/links, where it is renewed.
	File bool `json:"file,omitempty"`

	// Grant is the AccessGrant through which it was handed out.
	Grant string `json:"grant,omitempty"`
	// Renew is the host:port where its holder was told to have it renewed; "" where
	// he was told of none.
	Renew string `json:"renew,omitempty"`
	// Origin is the serial number of the first certificate of those that renew each
	// other; "" for that one itself.
	Origin string `json:"origin,omitempty"`
	// Made is when one was made that renews another, Of the serial number of that
	// one, and Key the digest of its own key: who asks again gets it again.
	Made time.Time `json:"made,omitzero"`
	Of   string    `json:"of,omitempty"`
	Key  string    `json:"key,omitempty"`
	// Renewed is when another certificate was handed out in its place. It is good
	// all the same: nobody knows whether that one arrived.
	Renewed time.Time `json:"renewed,omitzero"`
	// Revoked says that it is not renewed any more.
	Revoked bool `json:"revoked,omitempty"`
}

// Ledger is a list of certificates that were handed out. It is never changed: a
// change makes another one.
type Ledger []Handed

// Times around the renewal of certificates that were handed out.
const (
	// GraceAfterExpiry is how long a certificate that has expired can still be
	// renewed: its holder may have been off.
	GraceAfterExpiry = 7 * 24 * time.Hour
	// maxRenewals is how often one credential is renewed within renewalsWithin or,
	// if that is less, a third of its life.
	maxRenewals    = 10
	renewalsWithin = 24 * time.Hour
)

// Find is the record of a certificate, by its serial number.
func (l Ledger) Find(serial string) (Handed, bool) {
	i := slices.IndexFunc(l, func(h Handed) bool { return h.Serial == serial && serial != "" })
	if i < 0 {
		return Handed{}, false
	}
	return l[i], true
}

// Credential is what the certificates that renew each other have in common.
func (h Handed) Credential() string { return cmp.Or(h.Origin, h.Serial) }

func (h Handed) life() time.Duration { return h.NotAfter.Sub(h.Issued) }

// ofLate is since when renewals of the credential of h are counted.
func (h Handed) ofLate(now time.Time) time.Time {
	return now.Add(-min(renewalsWithin, h.life()/3))
}

// Answered is what was handed out of late in the place of h for a key. Whoever
// sends a request again, also one that is not his, gets that, and it counts once.
func (l Ledger) Answered(h Handed, key string, now time.Time) (Handed, bool) {
	i := slices.IndexFunc(l, func(other Handed) bool {
		return other.Of == h.Serial && other.Key == key && key != "" && other.Made.After(h.ofLate(now))
	})
	if i < 0 {
		return Handed{}, false
	}
	return l[i], true
}

// TooOften reports whether the credential of h was renewed too often of late.
func (l Ledger) TooOften(h Handed, now time.Time) bool {
	since, n := h.ofLate(now), 0
	for _, other := range l {
		if other.Origin == h.Credential() && other.Made.After(since) {
			n++
		}
	}
	return n >= maxRenewals
}

// With is the ledger with another certificate. What ended too long ago to be
// renewed is struck out.
func (l Ledger) With(next Handed, now time.Time) Ledger {
	return append(l.current(now), next)
}

// current is a copy of the ledger without what cannot be renewed any more.
func (l Ledger) current(now time.Time) Ledger {
	return slices.DeleteFunc(slices.Clone(l), func(h Handed) bool { return !h.File && !now.Before(h.NotAfter.Add(GraceAfterExpiry)) })
}

// Renew is the ledger with a certificate that is handed out in the place of
// another one. Of the others of the same credential the last ones stay: whoever
// has it renewed as often as he may does not fill the disk.
func (l Ledger) Renew(old, next Handed, now time.Time) Ledger {
	made := now.UTC().Truncate(time.Second)
	out := l.current(now)
	for i := range out {
		if !out[i].File && out[i].Serial == old.Serial {
			out[i].Renewed = made
		}
	}
	next.Origin, next.Of, next.Made = old.Credential(), old.Serial, made
	others := 0
	for i := len(out) - 1; i >= 0; i-- { // the last ones come last
		if h := out[i]; h.File || h.Credential() != next.Origin || h.Serial == old.Serial {
			continue
		}
		if others++; others > maxRenewals {
			out = slices.Delete(out, i, i+1)
		}
	}
	return append(out, next)
}

// Revoke is the ledger in which what was handed out through a grant is not
// renewed any more; revoked counts those for which that is new.
func (l Ledger) Revoke(grant string) (next Ledger, revoked int) {
	next = slices.Clone(l)
	for i := range next {
		if h := &next[i]; h.Grant == grant && grant != "" && !h.Revoked {
			h.Revoked = true
			revoked++
		}
	}
	return next, revoked
}

// Asking is when the holder of a certificate may ask for another one: somewhat
// before a third of its life is left, since clocks differ, until it is too late
// or he has certainly got one. Both are zero for a certificate that nobody
// renews.
func (h Handed) Asking() (from, until time.Time) {
	if h.Renew == "" || h.Revoked || h.File {
		return time.Time{}, time.Time{}
	}
	from = h.NotAfter.Add(-h.life() / 3).Add(-min(h.life()/20, 24*time.Hour))
	until = h.NotAfter.Add(GraceAfterExpiry)
	if !h.Renewed.IsZero() && h.Renewed.Add(GraceAfterExpiry).Before(until) {
		until = h.Renewed.Add(GraceAfterExpiry)
	}
	return from, until
}
