package conn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

const (
	// closeTime is how long an orderly end may take: until what is queued and
	// our Close are written, and until the peer's Close has come.
	closeTime = 2 * time.Second
	// lostTime is how long we look for the peer's last words after a write has
	// failed or the peer has fallen silent.
	lostTime = 500 * time.Millisecond
	// minTick bounds how often a peer with a short idle time-out can make us
	// look at the clock.
	minTick = 10 * time.Millisecond
)

// serve runs reader and writer until the connection ends. It returns why, nil
// if that was wanted.
func (c *Conn) serve(ctx context.Context) *Error {
	stop := make(chan struct{})
	readDone, writeDone := make(chan *Error, 1), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { readDone <- c.read() })
	wg.Go(func() {
		defer close(writeDone)
		c.write(stop)
	})
	c.mu.Lock()
	c.framing = true
	c.mu.Unlock()
	c.signal() // our Open
	failure := c.watch(ctx, readDone, writeDone)
	close(stop)
	_ = c.wire.nc.Close()
	wg.Wait()
	return failure
}

// watch waits for the end of the connection and keeps its times.
func (c *Conn) watch(ctx context.Context, readDone <-chan *Error, writeDone <-chan struct{}) *Error {
	limit := time.NewTimer(c.cfg.HandshakeTimeout)
	defer limit.Stop()
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	done, up := ctx.Done(), c.up
	p := pulse{c: c}
	trimmed := c.born
	for {
		select {
		case <-done:
			done = nil
			switch {
			case errors.Is(context.Cause(ctx), ErrDismissed):
				c.Close(c.cfg.Dismissal)
			case c.cfg.HangUp:
				c.hangUp()
			default:
				c.Close(nil)
			}
		case <-up:
			up = nil
			limit.Stop()
			tick.Reset(p.period())
		case <-c.ending:
			if c.aborted.Load() {
				return c.failure.Load()
			}
			limit.Reset(c.patience())
		case err := <-readDone:
			if err != nil || writeDone == nil {
				return c.reason(err, up != nil)
			}
			readDone = nil
			limit.Reset(c.patience())
		case <-writeDone:
			writeDone = nil
			if readDone == nil {
				return c.reason(nil, up != nil)
			}
			limit.Reset(c.patience())
		case <-limit.C:
			if c.hurry() {
				limit.Reset(lostTime)
				continue
			}
			return c.reason(&Error{Err: errors.New("timed out")}, up != nil)
		case now := <-tick.C:
			p.tick()
			if now.Sub(trimmed) >= trimPeriod {
				trimmed = now
				c.trim()
			}
		}
	}
}

// hangUp ends the connection without Close.
func (c *Conn) hangUp() {
	c.mu.Lock()
	c.e.Leave()
	c.mu.Unlock()
	notify(c.ending)
	c.signal()
}

// hurry makes our Close leave before what is queued, if it still waits for that.
func (c *Conn) hurry() bool {
	c.mu.Lock()
	waits := c.e.Closing() && !c.e.CloseSent() && !c.hurried
	c.hurried = true
	if waits {
		c.e.Close(nil) // the second one waits for nothing
	}
	c.unlock()
	return waits
}

// patience is how long the end may still take.
func (c *Conn) patience() time.Duration {
	if c.broken.Load() != nil {
		return lostTime
	}
	return closeTime
}

// reason chooses what is said about the end: the first failure that was noted;
// nothing if the end was wanted here; else what the reader or the writer met.
func (c *Conn) reason(err *Error, opening bool) *Error {
	if failure := c.failure.Load(); failure != nil {
		return failure
	}
	c.mu.Lock()
	wanted := c.e.Closing()
	c.mu.Unlock()
	if wanted {
		return nil
	}
	if broken := c.broken.Load(); broken != nil {
		err = broken
	}
	if err != nil && opening {
		err = &Error{Stage: StageOpen, Err: err.Err}
	}
	return err
}

// opened handles the peer's Open.
func (c *Conn) opened(open *amqp.Open) {
	c.peerIdle.Store(int64(open.IdleTimeOut) * int64(time.Millisecond))
	close(c.up)
	c.h.Opened(c, open)
}

// pulse keeps the idle time-outs of both sides, AMQP 1.0 §2.4.5.
type pulse struct {
	c       *Conn
	written uint64
	since   int64 // clock of the tick that last saw a write
	over    bool  // the peer was given up
}

// period is how often to look: four times in the peer's time-out, eight times
// in ours.
func (p *pulse) period() time.Duration {
	period := p.c.cfg.idleTimeout() / 8
	if idle := time.Duration(p.c.peerIdle.Load()); idle > 0 {
		period = min(period, idle/4)
	}
	return max(period, minTick)
}

// tick sends an empty frame when nothing was sent for about half of the peer's
// time-out, and gives a silent peer up.
func (p *pulse) tick() {
	c := p.c
	now, period := c.clock(), int64(p.period())
	if n := c.bytesOut.Load(); n != p.written {
		p.written, p.since = n, now
	}
	if idle := c.peerIdle.Load(); idle > 0 && now-p.since+2*period > idle/2 {
		c.mu.Lock()
		c.e.Heartbeat()
		c.unlock()
	}
	if silence := c.Silence(); silence > c.cfg.idleTimeout() && !p.over {
		p.over = true // once: each Close gives the end its time anew
		c.fail(&Error{Err: fmt.Errorf("nothing was heard from the peer for %v", silence.Round(time.Second))})
		c.broken.CompareAndSwap(nil, c.failure.Load())
		c.Close(&amqp.Error{Condition: amqp.ErrResourceLimitExceeded, Description: "local-idle-timeout expired"}) // compat: proton's words
	}
}
