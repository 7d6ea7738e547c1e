package supervise

import "time"

// Timing are the times that a Supervisor works with. Zero values mean the
// defaults.
type Timing struct {
	Ready  time.Duration // from the start until a process must be ready; 90 s
	First  time.Duration // before the second try of a process that ended badly; 1 s
	Last   time.Duration // the longest time between two tries; 60 s
	Stable time.Duration // a process that ran for so long had been running well; 10 s
	Rotate time.Duration // between two looks at the size of a log; 1 min
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&t.Ready, 90*time.Second)
	set(&t.First, time.Second)
	set(&t.Last, time.Minute)
	set(&t.Stable, 10*time.Second)
	set(&t.Rotate, time.Minute)
	return t
}

// Backoff decides when a process that ended is started again. NewBackoff makes
// one.
type Backoff struct {
	timing   Timing
	failures int // in a row, without being ready
}

// NewBackoff makes one that has seen no process end.
func NewBackoff(t Timing) *Backoff { return &Backoff{timing: t.withDefaults()} }

// Next is the time to wait after a process that ended: whether it had been
// ready, and how long it ran.
func (b *Backoff) Next(ready bool, ran time.Duration) time.Duration {
	if ready {
		b.failures = 0
		if ran >= b.timing.Stable {
			return 0
		}
		return b.timing.First
	}
	d := b.timing.First << min(b.failures, 16)
	b.failures++
	return min(d, b.timing.Last)
}
