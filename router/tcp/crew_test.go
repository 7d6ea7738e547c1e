package tcp

import (
	"sync"
	"testing"
	"testing/synctest"
)

// TestCrew: everything is run, at the same time, by goroutines that wait for
// more and are not many.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCrew()
		run := func(n int) {
			t.Helper()
			var together, ended sync.WaitGroup
			together.Add(n)
			for range n {
				ended.Add(1)
				if !c.Go(func() {
					defer ended.Done()
					together.Done()
					together.Wait()
				}) {
					t.Fatal("refused")
				}
			}
			ended.Wait()
			synctest.Wait()
		}
		for _, n := range []int{1, crewRest / 2, 3 * crewRest, crewRest} {
			run(n)
			if got := int(c.resting.Load()); got > crewRest || got < min(n, crewRest) {
				t.Errorf("after %d at once %d wait", n, got)
			}
		}
		c.Close()
		c.Close()
		if got := c.resting.Load(); got != 0 {
			t.Errorf("%d wait after the end", got)
		}
		if c.Go(func() {}) || (*Crew)(nil).Go(func() {}) {
			t.Error("taken after the end, or by nobody")
		}
	})
}
