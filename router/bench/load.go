package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// figures are what one sample has measured, by name; see table.go.
type figures map[string]float64

// Workers and sizes of the loads.
const (
	echoSize    = 64 // octets
	echoMany    = 64 // connections
	dialers     = 16 // workers that connect
	crowdBusy   = 100
	crowdIdle   = 10_000
	streamsMany = 8
)

// dialMany opens n connections at once; with warm each has carried an octet.
// Every one of them may be used for d and a while.
func dialMany(addr string, n int, warm bool, d time.Duration) ([]net.Conn, error) {
	conns, errs := make([]net.Conn, n), make([]error, dialers)
	var wg sync.WaitGroup
	for w := range dialers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += dialers {
				if warm {
					conns[i], errs[w] = dialEcho(addr)
				} else {
					conns[i], errs[w] = net.DialTimeout("tcp", addr, patience)
				}
				if errs[w] == nil {
					errs[w] = conns[i].SetDeadline(time.Now().Add(d + patience))
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		closeAll(conns)
		return nil, err
	}
	return conns, nil
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		if c != nil {
			_ = c.Close()
		}
	}
}

// each runs f for every connection at once.
func each(conns []net.Conn, f func(i int, c net.Conn) error) error {
	errs := make([]error, len(conns))
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() { errs[i] = f(i, c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// usage runs f and returns how long it took and what the tunnel used.
func (t *tunnel) usage(f func() error) (took, cpu time.Duration, err error) {
	before, err := t.cpu()
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if err = f(); err != nil {
		return 0, 0, err
	}
	took = time.Since(begin)
	after, err := t.cpu()
	return took, after - before, err
}

// bulk moves blocks one way over n streams: to the server, or with down from
// it. The far end confirms what it got.
func (t *tunnel) bulk(n int, d time.Duration, down bool) (figures, error) {
	conns, err := dialMany(t.addr, n, false, d)
	if err != nil {
		return nil, err
	}
	defer closeAll(conns)
	blocks := make([]uint64, n)
	took, cpu, err := t.usage(func() error {
		until := time.Now().Add(d)
		return each(conns, func(i int, c net.Conn) (err error) {
			if down {
				blocks[i], err = fetch(c, d)
			} else {
				blocks[i], err = push(c, until)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	sum := uint64(0)
	for _, b := range blocks {
		sum += b
	}
	megabytes := float64(sum) * blockSize / 1e6
	return figures{"rate": megabytes / took.Seconds(), "cpu": cpu.Seconds() / (megabytes / 1e3)}, nil
}

func push(c net.Conn, until time.Time) (uint64, error) {
	if _, err := c.Write([]byte{wantSink}); err != nil {
		return 0, err
	}
	sent, err := feed(c, until)
	if err != nil {
		return 0, err
	}
	var b [8]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return 0, err
	}
	if got := binary.BigEndian.Uint64(b[:]); got != sent {
		return 0, fmt.Errorf("%d blocks were sent, %d arrived", sent, got)
	}
	return sent, nil
}

func fetch(c net.Conn, d time.Duration) (uint64, error) {
	b := binary.BigEndian.AppendUint64([]byte{wantFeed}, uint64(d))
	if _, err := c.Write(b); err != nil {
		return 0, err
	}
	return drain(c)
}

// echo plays request and response on n connections.
func (t *tunnel) echo(n int, d time.Duration) (figures, error) {
	conns, err := dialMany(t.addr, n, true, d)
	if err != nil {
		return nil, err
	}
	defer closeAll(conns)
	times := make([][]time.Duration, n)
	took, cpu, err := t.usage(func() error {
		until := time.Now().Add(d)
		return each(conns, func(i int, c net.Conn) (err error) {
			times[i], err = pingPong(c, until)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	return figures{
		"p50": float64(all[len(all)/2]) / 1e3, "p99": float64(all[len(all)*99/100]) / 1e3,
		"rate": float64(len(all)) / took.Seconds(), "cpu": float64(cpu) / 1e3 / float64(len(all)),
	}, nil
}

func pingPong(c net.Conn, until time.Time) ([]time.Duration, error) {
	var took []time.Duration
	var b [echoSize]byte
	for now := time.Now(); now.Before(until) || len(took) == 0; {
		if _, err := c.Write(b[:]); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(c, b[:]); err != nil {
			return nil, err
		}
		then := now
		now = time.Now()
		took = append(took, now.Sub(then))
	}
	return took, nil
}

// dials opens connections one after the other, each for an octet there and
// back.
func (t *tunnel) dials(d time.Duration) (figures, error) {
	counts, errs := make([]int, dialers), make([]error, dialers)
	took, cpu, err := t.usage(func() error {
		until := time.Now().Add(d)
		var wg sync.WaitGroup
		for w := range dialers {
			wg.Go(func() {
				for errs[w] == nil && time.Now().Before(until) {
					errs[w] = oneEcho(t.addr)
					counts[w]++
				}
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, err
	}
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return figures{"rate": float64(sum) / took.Seconds(), "cpu": float64(cpu) / 1e3 / float64(sum)}, nil
}

// rest measures the memory of a tunnel that was just started, without and with
// n connections that have carried an octet and are idle.
func (t *tunnel) rest(ctx context.Context, n int) (figures, error) {
	if err := pause(ctx); err != nil {
		return nil, err
	}
	before, err := t.resident()
	if err != nil {
		return nil, err
	}
	conns, err := dialMany(t.addr, n, true, 0)
	if err != nil {
		return nil, err
	}
	defer closeAll(conns)
	if err := pause(ctx); err != nil {
		return nil, err
	}
	after, err := t.resident()
	return figures{
		"ready": float64(t.ready) / 1e6, "idle": float64(before) / 1024 / float64(len(t.procs)),
		"each": float64(after-before) / float64(n),
	}, err
}

// crowd measures how much a hundred busy streams lose when ten thousand idle
// connections are open.
func (t *tunnel) crowd(d time.Duration) (figures, error) {
	alone, err := t.bulk(crowdBusy, d, false)
	if err != nil {
		return nil, err
	}
	idle, err := dialMany(t.addr, crowdIdle, true, d)
	if err != nil {
		return nil, err
	}
	defer closeAll(idle)
	among, err := t.bulk(crowdBusy, d, false)
	if err != nil {
		return nil, err
	}
	return figures{"rate": among["rate"] / alone["rate"], "cpu": among["cpu"] / alone["cpu"]}, nil
}

// pause lets a tunnel come to rest.
func pause(ctx context.Context) error {
	const rest = 1500 * time.Millisecond
	select {
	case <-time.After(rest):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
