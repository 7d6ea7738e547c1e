package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// figures are what one sample has measured, by name; see table.go.
type figures map[string]float64

// plus returns the sum with a share of g.
func (f figures) plus(g figures, share float64) figures {
	sum := maps.Clone(g)
	for name, v := range g {
		sum[name] = f[name] + v*share
	}
	return sum
}

// Workers and sizes of the loads.
const (
	echoSize    = 64 // octets
	echoMany    = 64 // connections
	dialers     = 16 // workers that connect
	crowdBusy   = 100
	crowdIdle   = 10_000
	streamsMany = 8
	webMany     = 16 // connections
	webSmall    = 64 // octets of a response
	webLarge    = 64 << 20
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

// requests asks for size octets by HTTP, again and again, on n connections.
func (t *tunnel) requests(n, size int, d time.Duration) (figures, error) {
	conns, err := dialMany(t.addr, n, false, d)
	if err != nil {
		return nil, err
	}
	defer closeAll(conns)
	counts := make([]int, n)
	took, cpu, err := t.usage(func() error {
		until := time.Now().Add(d)
		return each(conns, func(i int, c net.Conn) (err error) {
			counts[i], err = get(c, size, until)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	sum := 0
	for _, c := range counts {
		sum += c
	}
	return figures{"rate": float64(sum) / took.Seconds(), "cpu": float64(cpu) / 1e3 / float64(sum)}, nil
}

// get asks until a time, at least once, and returns how often.
func get(c net.Conn, size int, until time.Time) (n int, err error) {
	in := bufio.NewReaderSize(c, blockSize)
	for n == 0 || time.Now().Before(until) {
		if _, err := fmt.Fprintf(c, "GET /%d HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n", size); err != nil {
			return n, err
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return n, err
		}
		if got, err := io.Copy(io.Discard, r.Body); err != nil || int(got) != size {
			return n, fmt.Errorf("%d octets of %d: %w", got, size, err)
		}
		n++
	}
	return n, nil
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

// churn measures what connections that have come and gone leave in memory:
// resident after n of them as a part of resident after a fifth as many before.
func (t *tunnel) churn(ctx context.Context, n int) (figures, error) {
	var after [2]int
	for i, n := range []int{n / 5, n} {
		if err := come(t.addr, n); err != nil {
			return nil, err
		}
		var err error
		if after[i], err = t.settled(ctx); err != nil {
			return nil, err
		}
	}
	return figures{"grown": float64(after[1]) / float64(after[0])}, nil
}

// come lets n connections come, carry an octet there and back, and go.
func come(addr string, n int) error {
	var next atomic.Int64
	errs := make([]error, dialers)
	var wg sync.WaitGroup
	for w := range dialers {
		wg.Go(func() {
			for errs[w] == nil && next.Add(1) <= int64(n) {
				errs[w] = oneEcho(addr)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// settled is the memory of the tunnel, in KiB, when it has given back what it
// does not need: the least of a while.
func (t *tunnel) settled(ctx context.Context) (int, error) {
	const pauses = 10
	least := math.MaxInt
	for range pauses {
		if err := pause(ctx); err != nil {
			return 0, err
		}
		n, err := t.resident()
		if err != nil {
			return 0, err
		}
		least = min(least, n)
	}
	return least, nil
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
