package resource

import (
	"testing"
	"time"
)

func TestAggregate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	yes := func(typ string) Condition {
		return Condition{Type: typ, Status: ConditionTrue, Reason: StatusReady, Message: "OK"}
	}
	no := func(typ, reason, message string) Condition {
		return Condition{Type: typ, Status: ConditionFalse, Reason: reason, Message: message}
	}
	open := &Site{Spec: SiteSpec{LinkAccess: "default"}}
	for _, c := range []struct {
		name            string
		object          Object
		conditions      []Condition
		status, message string
		mirrored        bool
	}{
		{"fresh listener", &Listener{}, nil, StatusPending, "Not Configured", true},
		{"configured listener", &Listener{}, []Condition{yes(ConditionConfigured)}, StatusPending, "Not Matched", true},
		{"unmatched listener", &Listener{}, []Condition{yes(ConditionConfigured), no(ConditionMatched, StatusPending, "No matching connectors")}, StatusPending, "No matching connectors", true},
		{"the first problem counts", &Connector{}, []Condition{no(ConditionMatched, StatusPending, "x"), no(ConditionConfigured, StatusError, "port taken")}, StatusError, "port taken", true},
		{"ready listener", &Listener{}, []Condition{yes(ConditionMatched), yes(ConditionConfigured)}, StatusReady, "OK", true},
		{"ready site", &Site{}, []Condition{yes(ConditionConfigured), yes(ConditionRunning)}, StatusReady, "OK", true},
		{"site with link access", open, []Condition{yes(ConditionConfigured), yes(ConditionRunning)}, StatusPending, "Not Resolved", true},
		{"ready multi-key listener", &MultiKeyListener{}, []Condition{yes(ConditionConfigured), yes(ConditionOperational)}, StatusReady, "OK", false},
		{"link", &Link{}, []Condition{yes(ConditionConfigured), no(ConditionOperational, StatusPending, "Not operational")}, StatusPending, "Not operational", true},
		{"router access", &RouterAccess{}, []Condition{yes(ConditionConfigured)}, StatusPending, "Not Resolved", true},
		{"grant", &AccessGrant{}, []Condition{no(ConditionProcessed, StatusError, "edge")}, StatusError, "edge", true},
		{"token", &AccessToken{}, []Condition{no(ConditionRedeemed, StatusError, "refused")}, StatusError, "refused", false},
		{"redeemed token", &AccessToken{}, []Condition{yes(ConditionRedeemed)}, StatusReady, "OK", false},
		{"certificate", &Certificate{}, []Condition{yes(ConditionReady)}, StatusReady, "OK", false},
	} {
		h := c.object.Health()
		*h = Health{}
		for _, x := range c.conditions {
			h.Set(x, now)
		}
		if !Aggregate(c.object, now) {
			t.Errorf("%s: nothing changed", c.name)
		}
		if h.Status != c.status || h.Message != c.message {
			t.Errorf("%s: %s %q, want %s %q", c.name, h.Status, h.Message, c.status, c.message)
		}
		if c.mirrored {
			m := h.Condition(ConditionReady)
			if m == nil || (m.Status == ConditionTrue) != (c.status == StatusReady) || m.Reason != c.status || m.Message != c.message {
				t.Errorf("%s: condition %+v", c.name, m)
			}
		} else if len(h.Conditions) != len(c.conditions) {
			t.Errorf("%s: %d conditions", c.name, len(h.Conditions))
		}
		if Aggregate(c.object, now.Add(time.Hour)) {
			t.Errorf("%s: changed without a reason", c.name)
		}
	}
	if Aggregate(&Secret{}, now) {
		t.Error("a Secret has no status")
	}
}

func TestTransitionTime(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 999, time.FixedZone("X", 3600)) }
	var h Health
	for i, c := range []struct {
		status, message string
		changed         bool
		since           int
	}{
		{ConditionFalse, "a", true, 0},
		{ConditionFalse, "a", false, 0},
		{ConditionFalse, "b", true, 0},
		{ConditionTrue, "b", true, 3},
		{ConditionTrue, "b", false, 3},
	} {
		changed := h.Set(Condition{Type: ConditionMatched, Status: c.status, Message: c.message}, at(i))
		got := h.Condition(ConditionMatched).LastTransitionTime
		if want := time.Date(2026, 1, 2, 2, 4, c.since, 0, time.UTC); changed != c.changed || got != want {
			t.Errorf("step %d: changed %v, since %v; want %v, %v", i, changed, got, c.changed, want)
		}
	}
}
