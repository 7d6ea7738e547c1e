package interop

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// trial is a fault and the time until an application works again.
type trial struct {
	name  string
	nodes int
	edges []int
	links [][2]int
	run   func(w *network) time.Duration
}

// trials are what `make recovery` measures. Node 0 has the listener, the last
// but one of a ring or the last of others the connector.
var trials = []trial{
	{name: "link up, pair", nodes: 2, links: line(2), run: linkUp},
	{name: "link up, edge", nodes: 2, edges: []int{0}, links: line(2), run: linkUp},
	{name: "link reset, pair", nodes: 2, links: line(2), run: afterReset},
	{name: "link reset, line of three", nodes: 3, links: line(3), run: afterReset},
	{name: "link silent for 20 s, from healing, pair", nodes: 2, links: line(2), run: afterSilence},
	{name: "listening side killed, pair", nodes: 2, links: line(2), run: afterKill(1)},
	{name: "dialing side killed, pair", nodes: 2, links: line(2), run: afterKill(0)},
	{name: "router in between killed, line of three", nodes: 3, links: line(3), run: afterKill(1)},
	{name: "detour after a kill, ring of four", nodes: 4, links: [][2]int{{0, 1}, {1, 3}, {0, 2}, {2, 3}}, run: detourKill},
	{name: "detour around a silent link, ring of four", nodes: 4, links: [][2]int{{0, 1}, {1, 3}, {0, 2}, {2, 3}}, run: detourCut},
}

// reachLimit is how long a network may take to work again.
const reachLimit = 90 * time.Second

// works waits until an echo comes back and returns how long that took.
func (w *network) works() time.Duration {
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for time.Since(began) < reachLimit {
		if c, err := net.Dial("tcp", local(w.in)); err == nil {
			_ = c.SetDeadline(time.Now().Add(time.Second))
			err = roundTrip(c, "again")
			_ = c.Close()
			if err == nil {
				break
			}
		}
		<-tick.C
	}
	return time.Since(began)
}

func linkUp(w *network) time.Duration {
	for _, n := range w.nodes {
		n.kill()
	}
	for _, n := range w.nodes {
		n.start()
	}
	return w.works()
}

func afterReset(w *network) time.Duration {
	w.cables[0].reset()
	return w.works()
}

func afterSilence(w *network) time.Duration {
	w.cables[0].cut()
	<-time.After(20 * time.Second)
	w.cables[0].heal()
	return w.works()
}

func afterKill(node int) func(w *network) time.Duration {
	return func(w *network) time.Duration {
		w.nodes[node].kill()
		w.nodes[node].start()
		return w.works()
	}
}

// detourKill takes away the router on the path that is in use: both ways are
// equally long, so whichever it is, both are tried.
func detourKill(w *network) time.Duration {
	longest := time.Duration(0)
	for _, n := range []int{1, 2} {
		w.nodes[n].kill()
		longest = max(longest, w.works())
		w.nodes[n].start()
		<-time.After(6 * time.Second) // until it is a neighbor again
		w.works()
	}
	return longest
}

func detourCut(w *network) time.Duration {
	longest := time.Duration(0)
	for _, i := range []int{1, 3} {
		w.cables[i].cut()
		longest = max(longest, w.works())
		w.cables[i].heal()
		<-time.After(6 * time.Second)
		w.works()
	}
	return longest
}

// TestRecoveryTimes measures how long networks of our router and of upstream's
// take to work again, side by side, and writes a table to the file that
// INTEROP_TIMES names. It asserts only that ours do.
func TestRecoveryTimes(t *testing.T) {
	path := os.Getenv("INTEROP_TIMES")
	if path == "" {
		t.Skip("INTEROP_TIMES does not name a file for the table; see make recovery")
	}
	const rounds = 3
	var s strings.Builder
	s.WriteString("| Median of 3, seconds | ours | upstream's | ratio |\n|---|---|---|---|\n")
	for _, tr := range trials {
		var median [2]time.Duration
		for i, k := range []kind{ours, theirs} {
			t.Run(fmt.Sprintf("%s, %s", tr.name, k), func(t *testing.T) {
				tp := topology{kinds: slices.Repeat([]kind{k}, tr.nodes), edges: tr.edges, links: tr.links}
				w := tp.build(t)
				newService(t, w.back).run(echo)
				w.start()
				var took []time.Duration
				for range rounds {
					took = append(took, tr.run(w))
				}
				slices.Sort(took)
				median[i] = took[rounds/2]
				if k == ours && took[rounds-1] >= reachLimit {
					t.Errorf("still broken after %v", reachLimit)
				}
				for _, n := range w.nodes {
					n.signal(syscall.SIGKILL, true)
				}
			})
		}
		fmt.Fprintf(&s, "| %s | %.2f | %.2f | %.2f |\n", tr.name, median[0].Seconds(), median[1].Seconds(), median[0].Seconds()/median[1].Seconds())
		if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
