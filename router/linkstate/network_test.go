package linkstate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/sim"
)

// TestQuietNetwork holds that routers that have nothing to say are not
// forgotten: they advertise themselves before others lose patience.
func TestQuietNetwork(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		n := sim.New(sim.Options{Seed: seed, Spread: 3 * time.Millisecond, Trace: func(now time.Duration, router, what string) {
			if now > 10*time.Second && strings.HasPrefix(what, "event") {
				t.Errorf("seed %d: %v %s: %s", seed, now, router, what)
			}
		}})
		n.Build(sim.Ring, 4)
		n.Run(5 * time.Minute)
	}
}
