package system

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/render"
)

// chronicle adds to the events of the namespace what a change did, or why it
// failed; a failure that is tried again stands there once. Nothing depends on
// it: one that cannot be written is only logged.
func (n *namespace) chronicle(h *host.Namespace, steps []plan.Step, out render.Output, failure error) {
	now := time.Now().UTC()
	var events []host.Event
	add := func(what, text string) { events = append(events, host.Event{Time: now, What: what, Text: text}) }
	if failure != nil {
		if text := failure.Error(); text != n.noted {
			n.noted = text
			add("failed", text)
		}
	} else {
		n.noted = ""
		if touches(steps) {
			add("applied", plan.Summarize(steps).String())
		}
		if slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Op == plan.Restart }) {
			add("restarted", "the router")
		}
		if names := issued(out); len(names) > 0 {
			add("renewed", strings.Join(names, ", "))
		}
	}
	if len(events) == 0 {
		return
	}
	if err := h.Note(events...); err != nil {
		n.log.Warn("events not written", keyErr, err)
	}
}

// issued names the certificates that were made.
func issued(out render.Output) []string {
	var names []string
	for _, i := range out.Issued {
		names = append(names, i.Key.String())
	}
	slices.SortFunc(names, cmp.Compare[string])
	return slices.Compact(names)
}

// keepGeneration adds the snapshot of the input in effect to the history, once.
// In a large site that takes longer than a change, so that nobody who changes
// something waits for it.
func (n *namespace) keepGeneration(ctx context.Context) {
	if err := n.take(ctx); err != nil {
		return
	}
	defer n.give()
	if !n.unkept || n.texts.owed || !n.exists() {
		return
	}
	h, err := n.m.host.Open(ctx, n.paths)
	if err == nil {
		err = h.KeepSnapshot(ctx, n.seen.Load().memory.Generation)
		_ = h.Close() // the lock goes with the process at the latest
	}
	if err != nil {
		n.log.Warn("generation not kept in the history", keyErr, err)
		return
	}
	n.unkept = false
}
