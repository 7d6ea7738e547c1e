package system

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
)

// quiet is a look at a namespace after which there was nothing to do. It makes
// looking again cheap: while all that a status is made of is the same, the
// statuses are. What a router does not have itself is how the sites beyond its
// neighbors are: that is for the records of the network alone.
type quiet struct {
	view   *view
	digest uint64 // of the router, before the look
	unit   host.UnitStatus
	grants string // why the grant server does not listen
	since  time.Time
	pass   time.Time // when the last pass looked at everything

	// What other routers have is not in the digest. They are asked again, less and
	// less often while they say the same.
	network *network
	pause   time.Duration // until they are
	again   time.Time     // when they are; zero where there are none
}

// errNoDigest is of a router that is asked for everything instead.
var errNoDigest = errors.New("the router has no digest")

// digest asks the router for the number that stands for everything that
// statuses are made of.
func (n *namespace) digest(ctx context.Context) (digest uint64, err error) {
	err = n.router.ask(ctx, func(ctx context.Context, a Asker) error {
		d, ok := a.(digester)
		if !ok {
			return nil
		}
		digest, err = d.Digest(ctx, telling())
		return err
	})
	if err == nil && digest == 0 {
		err = errNoDigest
	}
	return digest, err
}

// still reports whether nothing has changed since the namespace was found quiet.
// Time alone changes statuses as well: those of certificates, grants and tokens.
func (n *namespace) still(ctx context.Context, digest uint64, now time.Time) bool {
	q := n.quiet
	return q != nil && q.view == n.seen.Load() && q.digest == digest && q.network == n.router.surveyed() && (q.again.IsZero() || now.Before(q.again)) && q.grants == n.m.grants.failure() && sameProcess(q.unit, n.unitStatus(ctx)) &&
		slices.EqualFunc(n.judged(q.view.credentials, q.since), n.judged(q.view.credentials, now), func(a, b api.Certificate) bool {
			return a.Status == b.Status && a.Message == b.Message
		})
}

func sameProcess(a, b host.UnitStatus) bool {
	return a.State == b.State && a.PID == b.PID && a.Restarts == b.Restarts
}

// lookQuietly is statusMoved, but asks for one number where that is enough.
func (n *namespace) lookQuietly(ctx context.Context) bool {
	v := n.seen.Load()
	if v.site == nil || v.memory.Stopped {
		return false
	}
	now := time.Now()
	digest, err := n.digest(ctx)
	if err == nil && n.still(ctx, digest, now) {
		return false
	}
	before := n.quiet
	n.quiet = nil
	moved := n.statusMoved(ctx)
	if l := n.router.latest(); !moved && err == nil && l != nil && l.settled() && len(v.grants) == 0 && len(v.site.Tokens) == 0 {
		n.quiet = &quiet{view: v, digest: digest, unit: n.unitStatus(ctx), grants: n.m.grants.failure(), since: now, pass: n.passed, network: n.router.surveyed()}
		if !l.alone() {
			n.quiet.pauseAfter(before)
		}
	}
	return moved
}

// pauseAfter says when other routers are asked again: after twice the time if
// nothing has changed since the look before, in either router or network.
func (q *quiet) pauseAfter(before *quiet) {
	q.pause = surveyAge
	if before != nil && before.digest == q.digest && before.network == q.network {
		q.pause = min(max(2*before.pause, surveyAge), surveyRarely)
	}
	q.again = q.since.Add(q.pause)
}

// renewalDue reports whether by now a certificate is to be made anew or asked
// for, or the grant server to be opened for those who ask here.
func (n *namespace) renewalDue(now time.Time) bool {
	return slices.ContainsFunc(n.renewalTimes(), func(at time.Time) bool { return !at.After(now) })
}

// untilNext is how long nothing need be done if nothing happens: until the next
// certificate is to be made anew, and never longer than rescan.
func (n *namespace) untilNext(now time.Time) time.Duration {
	wait := rescan
	for _, at := range n.renewalTimes() {
		if at.After(now) {
			wait = min(wait, at.Sub(now))
		}
	}
	return wait
}

// renewalTimes are when something about certificates is to be done, but for what
// the last pass did.
func (n *namespace) renewalTimes() []time.Time {
	v := n.seen.Load()
	var times []time.Time
	for _, c := range v.credentials {
		switch {
		case c.own:
			times = append(times, c.Renews)
		case c.peer && !v.memory.Stopped:
			times = append(times, n.renewals.next(c.Serial, c.Renews))
		}
	}
	for _, h := range v.memory.Links {
		if from, _ := h.Asking(); from.After(n.passed) {
			times = append(times, from)
		}
	}
	return times
}
