package trunk

import (
	"math/rand/v2"
	"time"
)

// Waits between attempts. compat: skupper-router waits 5 s after a failed
// attempt and 2 s after a lost connection; we try at once and then ever more
// rarely, but never so rarely that a person who has mended a link waits for it.
const (
	minWait = 100 * time.Millisecond
	maxWait = 3 * time.Second
	// steady is how long a connection must have been up to count as a success;
	// one that is dropped sooner is as good as refused.
	steady = time.Second
)

// backoff counts failures in a row.
type backoff struct{ failures int }

func (b *backoff) succeeded() { b.failures = 0 }

// next returns how long to wait before the next attempt: half to all of a time
// that doubles with each failure, so that routers which lost the same peer do
// not come back in step.
func (b *backoff) next() time.Duration {
	wait := maxWait
	if b.failures < 8 { // a shift that does not overflow
		wait = min(minWait<<b.failures, maxWait)
	}
	b.failures++
	return wait/2 + rand.N(wait/2)
}
