package main

import (
	"errors"
	"net"
	"sync"
	"time"
)

// The simulated long fat path: half of the round trip each way.
const (
	lineDelay = 25 * time.Millisecond
	lineRate  = 125e6 // octets per second: 1 Gbit/s
)

// line is a long fat path between two routers: `bench line LISTEN DIAL`. It is
// one in each direction for every connection, without loss.
func line(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: bench line LISTEN DIAL")
	}
	ln, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	return accept(ln, func(in net.Conn) {
		defer in.Close()
		out, err := net.Dial("tcp", args[1])
		if err != nil {
			return
		}
		defer out.Close()
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { delay(out, in) })
		wg.Go(func() { delay(in, out) })
	})
}

// parcel is what arrives at a time.
type parcel struct {
	at time.Time
	b  []byte
}

// delay copies one way at the rate of the line; every octet takes its delay.
func delay(dst, src net.Conn) {
	const size, ahead = 64 << 10, 256 // more than fits on the line
	way := make(chan parcel, ahead)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for p := range way {
			time.Sleep(time.Until(p.at))
			if _, err := dst.Write(p.b); err != nil {
				_ = src.Close()
			}
		}
		_ = dst.Close()
	})
	defer close(way)
	free := time.Now() // when the line can take more
	for {
		b := make([]byte, size)
		n, err := src.Read(b)
		if err != nil {
			return
		}
		now := time.Now()
		if free.Before(now) {
			free = now
		}
		free = free.Add(time.Duration(float64(n) / lineRate * 1e9))
		way <- parcel{free.Add(lineDelay), b[:n]}
		// More than a millisecond ahead of the line: wait for it.
		if d := time.Until(free); d > time.Millisecond {
			time.Sleep(d)
		}
	}
}
