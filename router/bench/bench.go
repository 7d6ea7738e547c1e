package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

// bench is one run.
type bench struct {
	options
	self, dir string
	server    string // its address
	children  []*process
	samples   map[string][kinds][]float64 // by load and figure, a value for each round
}

func newBench(o options) (*bench, error) {
	b := &bench{options: o, samples: map[string][kinds][]float64{}}
	var err error
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	if err := b.prepare(); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// prepare makes what both tunnels use.
func (b *bench) prepare() error {
	if err := writeCerts(b.dir); err != nil {
		return err
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	b.server = net.JoinHostPort(loopback, ports[0])
	p, err := start(b.dir, "server", b.self, "serve", b.server)
	if err != nil {
		return err
	}
	b.children = append(b.children, p)
	return await(context.Background(), func() error { return oneEcho(b.server) })
}

func (b *bench) close() {
	for _, p := range b.children {
		p.stop()
	}
	_ = os.RemoveAll(b.dir)
}

// Loads, in the order in which they are put on.
const (
	loadRest  = "rest"
	loadBulk1 = "bulk1"
	loadBulk8 = "bulk8"
	loadDown1 = "down1"
	loadEcho1 = "echo1"
	loadAwake = "echo1awake"
	loadEcho  = "echo64"
	loadDials = "dials"
	loadLine  = "line"
	loadCrowd = "crowd"
	loadChurn = "churn"
	loadWeb   = "web"
)

func loadNames() []string {
	return []string{loadRest, loadBulk1, loadBulk8, loadDown1, loadEcho1, loadAwake, loadEcho, loadDials, loadLine, loadCrowd, loadChurn, loadWeb}
}

func (b *bench) wants(loads ...string) bool {
	return slices.ContainsFunc(loads, func(l string) bool { return slices.Contains(b.loads, l) })
}

// round takes one sample of everything. The tunnel that begins alternates.
func (b *bench) round(ctx context.Context, n int) error {
	order := []kind{pair, routers}
	if n%2 == 1 {
		slices.Reverse(order)
	}
	for _, load := range []string{loadRest, loadLine} {
		for _, k := range order {
			if !b.wants(load) {
				continue
			}
			if err := b.fresh(ctx, n, load, k, load == loadLine); err != nil {
				return err
			}
		}
	}
	// The pair would need gigabytes for a crowd, and minutes for what is churned.
	if b.wants(loadCrowd) {
		if err := b.crowd(ctx, n); err != nil {
			return err
		}
	}
	if b.wants(loadWeb) {
		if err := b.web(ctx, n); err != nil {
			return err
		}
	}
	if b.wants(loadChurn) && n == 0 {
		if err := b.fresh(ctx, n, loadChurn, routers, false); err != nil {
			return err
		}
	}
	return b.turns(ctx, n, order)
}

// crowd measures how much a hundred busy streams lose when ten thousand idle
// connections are open: on two tunnels in turn, of which one has them.
func (b *bench) crowd(ctx context.Context, n int) error {
	var tunnels [2]*tunnel // without and with
	for i := range tunnels {
		t, err := b.open(ctx, routers, false)
		if err != nil {
			return fmt.Errorf("%s: %w", routers, err)
		}
		defer t.close()
		tunnels[i] = t
	}
	idle, err := dialMany(tunnels[1].addr, crowdIdle, true, 4*b.options.sample)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", routers, loadCrowd, err)
	}
	defer closeAll(idle)
	if err := pause(ctx); err != nil {
		return err
	}
	var sums [2]figures
	for turn := range turns {
		for i := range tunnels {
			i ^= turn & 1
			f, err := tunnels[i].bulk(crowdBusy, b.options.sample/turns, false)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", routers, loadCrowd, err)
			}
			sums[i] = sums[i].plus(f, 1)
		}
	}
	b.keep(n, loadCrowd, routers, figures{"rate": sums[1]["rate"] / sums[0]["rate"], "cpu": sums[1]["cpu"] / sums[0]["cpu"]})
	return nil
}

// web measures what it costs to look for requests in what passes: on two
// tunnels in turn, of which one does.
func (b *bench) web(ctx context.Context, n int) error {
	var tunnels [2]*tunnel // without and with
	for i, k := range []kind{unobserved, routers} {
		t, err := b.open(ctx, k, false)
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		defer t.close()
		if _, err := t.bulk(2, b.options.sample/16, false); err != nil { // warm
			return fmt.Errorf("%s: %w", k, err)
		}
		tunnels[i] = t
	}
	all := figures{}
	for name, put := range map[string]func(t *tunnel, d time.Duration) (figures, error){
		"large": func(t *tunnel, d time.Duration) (figures, error) { return t.requests(1, webLarge, d) },
		"small": func(t *tunnel, d time.Duration) (figures, error) { return t.requests(webMany, webSmall, d) },
		"other": func(t *tunnel, d time.Duration) (figures, error) { return t.bulk(1, d, true) },
	} {
		var sums [2]figures
		for turn := range turns {
			for i := range tunnels {
				i ^= turn & 1
				f, err := put(tunnels[i], b.options.sample/turns)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", tunnels[i].kind, loadWeb, err)
				}
				sums[i] = sums[i].plus(f, 1.0/turns)
			}
		}
		all[name] = sums[1]["cpu"] / sums[0]["cpu"]
		all[name+" rate"] = sums[1]["rate"] / sums[0]["rate"]
	}
	b.keep(n, loadWeb, routers, all)
	return nil
}

// fresh puts a load on a tunnel of its own.
func (b *bench) fresh(ctx context.Context, n int, load string, k kind, far bool) error {
	t, err := b.open(ctx, k, far)
	if err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	defer t.close()
	f, err := b.put(ctx, load, t)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", k, load, err)
	}
	b.keep(n, load, k, f)
	return nil
}

// turns puts the loads on both tunnels in turn.
func (b *bench) turns(ctx context.Context, n int, order []kind) error {
	loads := slices.DeleteFunc(slices.Clone(b.loads), func(l string) bool {
		return slices.Contains([]string{loadRest, loadLine, loadCrowd, loadChurn, loadWeb}, l)
	})
	if len(loads) == 0 {
		return nil
	}
	var tunnels []*tunnel
	defer func() {
		for _, t := range tunnels {
			t.close()
		}
	}()
	for _, k := range order {
		t, err := b.open(ctx, k, false)
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		tunnels = append(tunnels, t)
		if _, err := t.bulk(2, b.options.sample/16, false); err != nil { // warm
			return fmt.Errorf("%s: %w", k, err)
		}
	}
	for _, load := range loads {
		if err := b.alternate(ctx, n, load, tunnels); err != nil {
			return err
		}
	}
	return nil
}

// turns is how often two tunnels take turns for one figure.
const turns = 4

// alternate takes a sample of each tunnel in several short pieces, in the order
// of A B B A, so that what else the machine does meets both alike. The figures
// are the averages.
func (b *bench) alternate(ctx context.Context, n int, load string, tunnels []*tunnel) error {
	sums := make([]figures, len(tunnels))
	for turn := range turns {
		for i := range tunnels {
			if turn%2 == 1 {
				i = len(tunnels) - 1 - i
			}
			f, err := b.put(ctx, load, tunnels[i])
			if err != nil {
				return fmt.Errorf("%s: %s: %w", tunnels[i].kind, load, err)
			}
			sums[i] = sums[i].plus(f, 1.0/turns)
		}
	}
	for i, t := range tunnels {
		b.keep(n, load, t.kind, sums[i])
	}
	return nil
}

// keep keeps the figures of one sample.
func (b *bench) keep(n int, load string, k kind, f figures) {
	for name, v := range f {
		s := b.samples[load+" "+name]
		s[k] = append(s[k], v)
		b.samples[load+" "+name] = s
	}
	fmt.Fprintf(os.Stderr, "round %d  %-10s %-8s %s\n", n+1, load, k, f)
}

// put puts a load on a tunnel.
func (b *bench) put(ctx context.Context, load string, t *tunnel) (figures, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	long, short := b.options.sample/turns, b.options.sample/turns/2
	switch load {
	case loadRest:
		return t.rest(ctx, b.idle)
	case loadBulk1:
		return t.bulk(1, long, false)
	case loadBulk8:
		return t.bulk(streamsMany, long, false)
	case loadDown1:
		return t.bulk(1, long, true)
	case loadEcho1:
		return t.echo(1, short)
	case loadAwake:
		return b.awake(func() (figures, error) { return t.echo(1, short) })
	case loadEcho:
		return t.echo(echoMany, short)
	case loadDials:
		return t.dials(short)
	case loadLine:
		return t.bulk(1, b.options.sample, false)
	case loadChurn:
		return t.churn(ctx, b.churn)
	}
	return nil, errors.ErrUnsupported
}

// awake runs f while no CPU sleeps.
func (b *bench) awake(f func() (figures, error)) (figures, error) {
	for range cpus() {
		p, err := start(b.dir, "spin", b.self, "spin")
		if err != nil {
			return nil, err
		}
		defer p.stop()
	}
	time.Sleep(100 * time.Millisecond)
	return f()
}
