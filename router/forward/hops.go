package forward

import (
	"slices"
	"sync"
	"sync/atomic"
)

// hopCounters counts the outstanding deliveries of one address by the slot of
// the next hop. It grows when a slot is used for the first time; counters
// never move.
type hopCounters struct {
	mu    sync.Mutex // growing
	slots atomic.Pointer[[]*atomic.Int64]
}

// value returns the count of a slot.
func (h *hopCounters) value(slot int32) int64 {
	slots := h.slots.Load()
	if slots == nil || int(slot) >= len(*slots) {
		return 0
	}
	return (*slots)[slot].Load()
}

// counter returns the counter of a slot, making it if need be.
func (h *hopCounters) counter(slot int32) *atomic.Int64 {
	if slots := h.slots.Load(); slots != nil && int(slot) < len(*slots) {
		return (*slots)[slot]
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var grown []*atomic.Int64
	if slots := h.slots.Load(); slots != nil {
		grown = slices.Clone(*slots)
	}
	for int(slot) >= len(grown) {
		grown = append(grown, new(atomic.Int64))
	}
	h.slots.Store(&grown)
	return grown[slot]
}
