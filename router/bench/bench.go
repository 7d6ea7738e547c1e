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
)

func loadNames() []string {
	return []string{loadRest, loadBulk1, loadBulk8, loadDown1, loadEcho1, loadAwake, loadEcho, loadDials, loadLine, loadCrowd}
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
	for _, load := range []string{loadRest, loadLine, loadCrowd} {
		for _, k := range order {
			if !b.wants(load) || load == loadCrowd && k == pair { // the pair would need gigabytes
				continue
			}
			if err := b.fresh(ctx, n, load, k, load == loadLine); err != nil {
				return err
			}
		}
	}
	return b.turns(ctx, n, order)
}

// fresh puts a load on a tunnel of its own.
func (b *bench) fresh(ctx context.Context, n int, load string, k kind, far bool) error {
	t, err := b.open(ctx, k, far)
	if err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	defer t.close()
	return b.sample(ctx, n, load, t)
}

// turns puts the loads on both tunnels in turn.
func (b *bench) turns(ctx context.Context, n int, order []kind) error {
	loads := slices.DeleteFunc(slices.Clone(b.loads), func(l string) bool { return l == loadRest || l == loadLine || l == loadCrowd })
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
		if _, err := t.bulk(2, b.options.sample/8, false); err != nil { // warm
			return fmt.Errorf("%s: %w", k, err)
		}
	}
	for _, load := range loads {
		for _, t := range tunnels {
			if err := b.sample(ctx, n, load, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// sample puts a load on a tunnel and keeps the figures.
func (b *bench) sample(ctx context.Context, n int, load string, t *tunnel) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f, err := b.put(ctx, load, t)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", t.kind, load, err)
	}
	for name, v := range f {
		s := b.samples[load+" "+name]
		s[t.kind] = append(s[t.kind], v)
		b.samples[load+" "+name] = s
	}
	fmt.Fprintf(os.Stderr, "round %d  %-10s %-8s %s\n", n+1, load, t.kind, f)
	return nil
}

func (b *bench) put(ctx context.Context, load string, t *tunnel) (figures, error) {
	long, short := b.options.sample, b.options.sample/2
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
		return t.bulk(1, 2*long, false)
	case loadCrowd:
		return t.crowd(long)
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
