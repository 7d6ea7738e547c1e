package vanflow

import (
	"context"
	"time"
)

// Publisher is the router as the sources see it.
type Publisher interface {
	// Usable reports whether an address has a consumer, here or anywhere in the
	// network, as far as this router can know.
	Usable(address string) bool
	// Publish sends a presettled message. It must not block; without a
	// destination the message is dropped. In-process subscribers of this router
	// do not get it.
	Publish(p Publication)
}

// Source is a Router or a Controller.
type Source interface {
	// Step emits what is due at now and says when it is due again.
	Step(now time.Time, usable Usable) Output
	// Finish emits the last messages of the source.
	Finish(now time.Time, usable Usable) Output
}

// Run publishes what the sources emit until ctx is done, then their last
// messages. It returns nil.
func Run(ctx context.Context, p Publisher, sources ...Source) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			for _, s := range sources {
				publish(p, s.Finish(time.Now(), p.Usable))
			}
			return nil
		case <-timer.C:
		}
		now := time.Now()
		wake := now.Add(recordInterval)
		for _, s := range sources {
			out := s.Step(now, p.Usable)
			publish(p, out)
			if out.Wake.Before(wake) {
				wake = out.Wake
			}
		}
		timer.Reset(wake.Sub(now))
	}
}

func publish(p Publisher, out Output) {
	for _, m := range out.Send {
		p.Publish(m)
	}
}
