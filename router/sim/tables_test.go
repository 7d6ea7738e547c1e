package sim

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/forward"
)

// wrong compares every table of the network with the reference and returns the
// first difference, empty if there is none. With origins it also compares
// which routers may send through which, for some of the origins.
func wrong(n *Network, origins int) string {
	ref := n.Reference()
	for _, r := range n.routers {
		if !r.running {
			continue
		}
		if diff := wrongPaths(r, ref); diff != "" {
			return diff
		}
		if diff := wrongHolders(n, r, ref); diff != "" {
			return diff
		}
		for range origins {
			if diff := wrongOrigin(r, n.routers[n.rand.IntN(len(n.routers))], ref); diff != "" {
				return diff
			}
		}
	}
	return ""
}

func wrongPaths(r *Router, ref *Reference) string {
	reachable, radius := 0, 0
	for i, got := range r.Reach.Routers {
		if i == 0 || got.NextHop == 0 {
			continue
		}
		reachable++
		next, hops, cost := ref.NextHop(r.ID, got.ID), ref.Hops(r.ID, got.ID), ref.Cost(r.ID, got.ID)
		radius = max(radius, hops)
		if via := r.Reach.Routers[got.NextHop].ID; via != next || got.Hops != hops || got.Cost != int64(cost) {
			return fmt.Sprintf("%s to %s: next hop, cost, hops are %s %d %d, want %s %d %d", r.ID, got.ID, via, got.Cost, got.Hops, next, cost, hops)
		}
		if l := r.links[got.Link]; l == nil || !l.Up() {
			return fmt.Sprintf("%s to %s: link %d is down", r.ID, got.ID, got.Link)
		}
	}
	if want := ref.Reachable(r.ID); reachable != len(want) {
		return fmt.Sprintf("%s: reaches %d routers, want %d", r.ID, reachable, len(want))
	}
	if r.Reach.Radius != radius {
		return fmt.Sprintf("%s: radius %d, want %d", r.ID, r.Reach.Radius, radius)
	}
	return ""
}

func wrongHolders(n *Network, r *Router, ref *Reference) string {
	want := map[forward.Key][]string{}
	for _, id := range ref.Reachable(r.ID) {
		for key := range n.byID[id].consumers {
			want[key] = append(want[key], id)
		}
	}
	diff := ""
	r.Snapshot.All(func(a *forward.Address) bool {
		var got []string
		a.Holders(func(i int, _ string) bool {
			got = append(got, r.Snapshot.Router(i).ID)
			return true
		})
		slices.Sort(got)
		if !slices.Equal(got, want[a.Key()]) {
			diff = fmt.Sprintf("%s: holders of %s are %v, want %v", r.ID, a.Key(), got, want[a.Key()])
		}
		delete(want, a.Key())
		return diff == ""
	})
	if diff == "" && len(want) > 0 {
		diff = fmt.Sprintf("%s: %d addresses are missing", r.ID, len(want))
	}
	return diff
}

func wrongOrigin(r, origin *Router, ref *Reference) string {
	if origin == r || !origin.running {
		return ""
	}
	o := r.Snapshot.Origin("0/" + origin.ID)
	set := r.Reach.Through(max(o, 0))
	for i, d := range r.Reach.Routers {
		if o < 1 || i == 0 || d.NextHop == 0 || d.ID == origin.ID {
			continue
		}
		if got, want := set[i/64]>>(i%64)&1 == 1, ref.Through(r.ID, origin.ID, d.ID); got != want {
			return fmt.Sprintf("%s: lies between %s and %s: %v, want %v", r.ID, origin.ID, d.ID, got, want)
		}
	}
	return ""
}

// converge lets time pass until all tables are right.
func converge(t *testing.T, n *Network, limit time.Duration) time.Duration {
	t.Helper()
	took := time.Duration(0)
	for step := 20 * time.Millisecond; took < limit; took += step {
		if wrong(n, 2) == "" {
			break
		}
		n.Run(step)
	}
	n.Run(300 * time.Millisecond)
	if diff := wrong(n, 3); diff != "" {
		t.Fatalf("seed %d, %v after the start, %v after the change: %s", n.options.Seed, n.Elapsed(), took, diff)
	}
	return took
}

// walk sends messages to random destinations: they must not go in a circle,
// and once the tables are right they must arrive.
func walk(t *testing.T, n *Network, count int, arrive bool) {
	t.Helper()
	for range count {
		from, to := n.routers[n.rand.IntN(len(n.routers))], n.routers[n.rand.IntN(len(n.routers))]
		if !from.running || !to.running {
			continue
		}
		_, err := n.Anycast(from, "only/"+to.ID)
		if err != nil && (arrive && connected(n, from, to) || strings.Contains(err.Error(), "loop")) {
			t.Fatalf("seed %d, %v after the start: %v", n.options.Seed, n.Elapsed(), err)
		}
	}
	from := n.routers[n.rand.IntN(len(n.routers))]
	if !from.running {
		return
	}
	got, err := n.Multicast(from, "mc/all")
	if err != nil {
		t.Fatalf("seed %d, %v after the start: %v", n.options.Seed, n.Elapsed(), err)
	}
	for _, r := range n.routers {
		want := 0
		if r.running && (r == from || connected(n, from, r)) {
			want = 1
		}
		if arrive && got[r.ID] != want {
			t.Fatalf("seed %d, %v after the start: %s got %d copies of a message from %s, want %d", n.options.Seed, n.Elapsed(), r.ID, got[r.ID], from.ID, want)
		}
	}
}

func connected(n *Network, a, b *Router) bool {
	return a == b || slices.Contains(n.Reference().Reachable(a.ID), b.ID)
}

// populate gives every router addresses of its own and one that all have.
func populate(n *Network) {
	for _, r := range n.routers {
		r.Consume("only/" + r.ID)
		r.Consume("mc/all")
	}
}

// churn makes one random change and returns what it was.
func churn(n *Network) string {
	l, r := n.links[n.rand.IntN(len(n.links))], n.routers[n.rand.IntN(len(n.routers))]
	switch n.rand.IntN(6) {
	case 0, 1:
		if l.ids[0] != 0 {
			l.Cut()
			return "cut"
		}
		l.Restore()
		return "restore"
	case 2:
		l.SetCost(1 + n.rand.IntN(5))
		return "cost"
	case 3:
		if r.running {
			r.Crash(true)
			return "crash"
		}
		r.Start()
		for _, l := range n.links {
			if l.A == r || l.B == r {
				l.Restore()
			}
		}
		return "start"
	case 4:
		r.Consume(fmt.Sprintf("shared/%d", n.rand.IntN(5)))
		return "consume"
	default:
		r.Withdraw(fmt.Sprintf("shared/%d", n.rand.IntN(5)))
		return "withdraw"
	}
}

// report is what a change cost.
type report struct {
	what string
	took time.Duration
	Traffic
}

// disturb makes changes one after the other and waits after each of them until
// all tables are right.
func disturb(t *testing.T, n *Network, changes int) []report {
	t.Helper()
	var all []report
	for range changes {
		n.Traffic()
		what := churn(n)
		walk(t, n, 5, false)
		n.Run(time.Duration(n.rand.IntN(20)) * time.Millisecond)
		walk(t, n, 5, false)
		took := converge(t, n, 5*time.Second)
		all = append(all, report{what, took, n.Traffic()})
		walk(t, n, 20, true)
		n.Run(time.Duration(n.rand.IntN(3000)) * time.Millisecond)
	}
	return all
}

func TestTablesUnderChurn(t *testing.T) {
	t.Parallel()
	for _, shape := range []Shape{Ring, Mesh, Tree, Random} {
		t.Run(fmt.Sprintf("%s/12", shape), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(8) {
				churnRun(t, shape, 12, 25, seed)
			}
		})
	}
}

func TestTwoHundredRouters(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("large networks are run without the race detector: there are no goroutines in them")
	}
	for _, shape := range []Shape{Ring, Mesh, Tree, Random} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			churnRun(t, shape, 200, 4, 1)
		})
	}
}

func TestThousandRouters(t *testing.T) {
	if raceEnabled {
		t.Skip("large networks are run without the race detector: there are no goroutines in them")
	}
	if testing.Short() || os.Getenv("SKUPPER_LONG_TESTS") == "" {
		t.Skip("takes minutes and gigabytes; set SKUPPER_LONG_TESTS to run it")
	}
	for _, shape := range []Shape{Ring, Mesh, Tree, Random} {
		t.Run(string(shape), func(t *testing.T) { churnRun(t, shape, 1000, 4, 1) })
	}
}

// churnRun builds a network, disturbs it and logs what that cost.
func churnRun(t *testing.T, shape Shape, routers, changes int, seed uint64) {
	t.Helper()
	n := New(Options{Seed: seed, Spread: 3 * time.Millisecond})
	n.Build(shape, routers)
	populate(n)
	took := converge(t, n, 5*time.Second)
	for _, r := range append([]report{{"build", took, n.Traffic()}}, disturb(t, n, changes)...) {
		t.Logf("%-8s %8v %7d messages %9d bytes", r.what, r.took, r.Messages, r.Bytes)
	}
}
