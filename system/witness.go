package system

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/resource"
)

// sight is what of a namespace is an event when it changes.
type sight struct {
	health       map[resource.Ref]resource.Health
	certificates map[string]string // status, by use and name
	sites        map[string]string // names, by id or name; nil where nothing is known of the network
}

// sightOf is what a pass left behind, with the certificates as they are judged now.
func sightOf(v *view, certificates []api.Certificate) *sight {
	s := &sight{health: v.shown.health, certificates: map[string]string{}}
	for _, c := range certificates {
		s.certificates[c.Use+"/"+c.Name] = c.Status
		if c.Message != "" {
			s.certificates[c.Use+"/"+c.Name] += ": " + c.Message
		}
	}
	if v.network != nil {
		s.sites = make(map[string]string, len(v.network.sites))
		for key, site := range v.network.sites {
			s.sites[key] = site.name
		}
	}
	return s
}

// changes are the events between two sights, in order of what they are about.
// That an object is new, or gone, is told of by the change that made it so.
func (s *sight) changes(before *sight, now time.Time) []host.Event {
	var events []host.Event
	add := func(what, format string, args ...any) {
		events = append(events, host.Event{Time: now, What: what, Text: fmt.Sprintf(format, args...)})
	}
	refs := slices.SortedFunc(maps.Keys(s.health), func(a, b resource.Ref) int { return strings.Compare(a.String(), b.String()) })
	for _, ref := range refs {
		old, known := before.health[ref]
		h := s.health[ref]
		switch {
		case known && old.Status == h.Status:
		case h.Status == resource.StatusReady && known:
			add("status", "%s: %s, was %s", ref, h.Status, old.Status)
		case h.Status == resource.StatusReady:
			add("status", "%s: %s", ref, h.Status)
		default:
			add("status", "%s: %s: %s", ref, h.Status, h.Message)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.certificates)) {
		if old, known := before.certificates[name]; known && word(old) != word(s.certificates[name]) {
			add("certificate", "%s: %s", name, s.certificates[name])
		}
	}
	if s.sites == nil || before.sites == nil {
		return events
	}
	for _, key := range slices.Sorted(maps.Keys(s.sites)) {
		if _, known := before.sites[key]; !known {
			add("site", "%s came", s.sites[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before.sites)) {
		if _, still := s.sites[key]; !still {
			add("site", "%s went", before.sites[key])
		}
	}
	return events
}

// word is what stands before the reason.
func word(status string) string {
	w, _, _ := strings.Cut(status, ":")
	return w
}

// witness adds to the events of the namespace what has changed since it looked
// before: statuses with their reasons, certificates, sites of the network. What
// an agent finds when it starts is no change.
func (n *namespace) witness(ctx context.Context) {
	v, now := n.seen.Load(), time.Now().UTC()
	if v.site == nil || v.shown.health == nil {
		return
	}
	s, before := sightOf(v, n.judged(v.credentials, now)), n.seenBefore
	if s.sites == nil && before != nil && !v.memory.Stopped {
		s.sites = before.sites // nobody could be asked
	}
	n.seenBefore = s
	if before == nil {
		return
	}
	events := s.changes(before, now)
	if len(events) == 0 || n.take(ctx) != nil {
		return
	}
	defer n.give()
	if !n.exists() {
		return
	}
	h, err := n.m.host.Open(ctx, n.paths)
	if err == nil {
		err = h.Note(events...)
		_ = h.Close() // the lock goes with the process at the latest
	}
	if err != nil {
		n.log.Warn("events not written", keyErr, err)
	}
}
