package interop

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// cable is a link's way between two routers: it can be cut and healed.
type cable struct {
	to string
	wg sync.WaitGroup

	mu    sync.Mutex
	dead  bool          // Guarded by mu: nothing gets through, nobody is told.
	ends  []net.Conn    // Guarded by mu.
	alive chan struct{} // Guarded by mu: closed while not dead.
	ln    net.Listener
}

// newCable returns a way to the port, and its own.
func newCable(t testing.TB, to int) (*cable, int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{to: local(to), ln: ln, alive: make(chan struct{})}
	close(c.alive)
	c.wg.Go(c.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		c.heal()
		c.reset()
		c.wg.Wait()
	})
	return c, ln.Addr().(*net.TCPAddr).Port
}

func (c *cable) accept() {
	for {
		near, err := c.ln.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		dead := c.dead
		c.mu.Unlock()
		far, err := net.Dial("tcp", c.to)
		if err != nil || dead {
			_ = near.Close()
			if err == nil {
				_ = far.Close()
			}
			continue
		}
		c.mu.Lock()
		c.ends = append(c.ends, near, far)
		c.mu.Unlock()
		c.wg.Go(func() { c.carry(near, far) })
		c.wg.Go(func() { c.carry(far, near) })
	}
}

// carry copies from one end to the other; while the cable is dead it waits.
func (c *cable) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	for {
		_, err := io.Copy(to, from)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		c.mu.Lock()
		alive := c.alive
		c.mu.Unlock()
		<-alive
		_ = from.SetReadDeadline(time.Time{})
	}
}

// reset ends every connection; new ones can be made.
func (c *cable) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.ends {
		_ = e.Close()
	}
	c.ends = nil
}

// sever ends the connection that the listening router sees as coming from addr.
func (c *cable) sever(t testing.TB, addr string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range c.ends {
		if i%2 == 1 && e.LocalAddr().String() == addr {
			_ = e.Close()
			_ = c.ends[i-1].Close()
			return
		}
	}
	t.Fatalf("no connection of the cable is from %s", addr)
}

// cut lets nothing through and tells nobody, until heal.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead, c.alive = true, make(chan struct{})
	for _, e := range c.ends {
		_ = e.SetReadDeadline(time.Unix(1, 0))
	}
}

func (c *cable) heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		c.dead = false
		close(c.alive)
	}
}
