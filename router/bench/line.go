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
	b  *[parcelSize]byte
	n  int
}

const (
	parcelSize = 64 << 10 // octets
	// parcels is how many may be on the line: more than fit on it.
	parcels = 256
	// lineSlack is how much the line may make up for after the system has let
	// it sleep too long.
	lineSlack = 20 * time.Millisecond
)

// delay copies one way at the rate of the line; every octet takes its delay.
func delay(dst, src net.Conn) {
	way, spare := make(chan parcel, parcels), make(chan *[parcelSize]byte, parcels)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for p := range way {
			time.Sleep(time.Until(p.at))
			if _, err := dst.Write(p.b[:p.n]); err != nil {
				_ = src.Close()
			}
			spare <- p.b
		}
		_ = dst.Close()
	})
	defer close(way)
	made := 0
	for free := time.Now(); ; { // when the line can take more
		var p parcel
		if made < parcels && len(spare) == 0 {
			p.b = new([parcelSize]byte)
			made++
		} else {
			p.b = <-spare
		}
		var err error
		if p.n, err = src.Read(p.b[:]); err != nil {
			return
		}
		if earliest := time.Now().Add(-lineSlack); free.Before(earliest) {
			free = earliest
		}
		free = free.Add(time.Duration(float64(p.n) / lineRate * 1e9))
		p.at = free.Add(lineDelay)
		way <- p
		if d := time.Until(free); d > time.Millisecond {
			time.Sleep(d)
		}
	}
}
