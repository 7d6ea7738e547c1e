package router

import (
	"testing"
	"time"
)

func TestTheLongestRunningRouterNamesTheMesh(t *testing.T) {
	t.Parallel()
	start := time.UnixMicro(1_000_000_000)
	var e election
	e.draw(start)
	own := e.own
	if e.winner != own || own.id == "" {
		t.Fatalf("own %v, winner %v", own, e.winner)
	}
	older, oldest := bid{own.ordinal - 1, "older"}, bid{own.ordinal - 2, "oldest"}
	for _, step := range []struct {
		heard, winner bid
	}{
		{bid{own.ordinal + 1, "younger"}, own},
		{older, older},
		{oldest, oldest},
		{older, oldest},
		{own, oldest}, // our own, come back
	} {
		if e.heard(step.heard) {
			t.Errorf("%v is a tie", step.heard)
		}
		if e.winner != step.winner {
			t.Errorf("after %v the winner is %v, want %v", step.heard, e.winner, step.winner)
		}
	}
	if !e.heard(bid{own.ordinal, "other"}) {
		t.Error("the same ordinal of another router is no tie")
	}
}
