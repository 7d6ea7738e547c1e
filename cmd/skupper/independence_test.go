package main

import (
	"fmt"
	"syscall"
	"testing"
)

// TestRouterThatKeepsDying kills the router of one site again and again, whatever
// its supervisor does. The other site takes changes meanwhile, by the same agent
// and the same router; the one that was killed comes back by itself.
func TestRouterThatKeepsDying(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.must("-n", "dying", "site", "create", "dying", "--start")
	h.must("-n", "well", "site", "create", "well", "--start")
	agent, router := h.agentPID(), h.routerPID("well")
	for round := range 5 {
		if pid := h.routerPID("dying"); pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be down at the moment
		}
		h.must("-n", "well", "listener", "create", fmt.Sprintf("l%d", round), fmt.Sprint(23000+round), "--host", "127.0.9.1")
		h.must("-n", "well", "site", "status", "--check")
	}
	if is := h.agentPID(); is != agent {
		t.Errorf("the agent is process %d, was %d", is, agent)
	}
	if is := h.routerPID("well"); is != router {
		t.Errorf("the other site's router is process %d, was %d", is, router)
	}
	h.eventually("Ready", "-n", "dying", "site", "status", "--no-headers")
}
