package supervise

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// Evict ends a process that a Supervisor left behind, without one: for whoever
// hands its work over to a service manager. It asks, and kills when stop is
// over. A process that is not there is fine.
func Evict(ctx context.Context, ref Ref, stop time.Duration) error {
	if stop == 0 {
		stop = defaultStop
	}
	s := recorded(ref)
	if s.PID == 0 {
		return dropRecord(ref)
	}
	id, err := identify(s.PID)
	if err != nil {
		return dropRecord(ref)
	}
	c, err := adopt(id)
	if err != nil {
		return dropRecord(ref)
	}
	defer c.close()
	c.signal(unix.SIGTERM)
	patient, cancel := context.WithTimeout(ctx, stop)
	defer cancel()
	if _, ended := c.wait(patient); !ended {
		c.kill()
		if _, ended := c.wait(ctx); !ended {
			return context.Cause(ctx)
		}
	}
	return dropRecord(ref)
}
