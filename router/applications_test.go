package router

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// server is what stands behind a connector.
type server struct {
	*net.TCPAddr
	t        testing.TB
	f        atomic.Pointer[func(c *net.TCPConn)]
	accepted atomic.Int64
	wg       sync.WaitGroup

	mu sync.Mutex
	ln *net.TCPListener // Guarded by mu: nil while it is down.
}

// serve runs a server until the end of the test.
func serve(t testing.TB, f func(c *net.TCPConn)) *server {
	t.Helper()
	s := &server{t: t, TCPAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	s.does(f)
	s.up()
	t.Cleanup(s.down)
	return s
}

// does says what clients get from here on.
func (s *server) does(f func(c *net.TCPConn)) { s.f.Store(&f) }

func (s *server) up() {
	s.t.Helper()
	ln, err := net.ListenTCP("tcp", s.TCPAddr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.ln, s.TCPAddr = ln, ln.Addr().(*net.TCPAddr)
	s.mu.Unlock()
	s.wg.Go(func() {
		for {
			c, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.wg.Go(func() {
				defer c.Close()
				(*s.f.Load())(c)
			})
		}
	})
}

// down makes the port refuse connections, and waits for the end of those that
// are open.
func (s *server) down() {
	s.mu.Lock()
	ln := s.ln
	s.ln = nil
	s.mu.Unlock()
	if ln != nil {
		_ = ln.Close()
	}
	s.wg.Wait()
}

func echo(c *net.TCPConn) {
	_, _ = io.Copy(c, c)
	_ = c.CloseWrite()
}

// dial connects a client, which has to be done within three minutes.
func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(3 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// refused reports whether nobody listens at an address.
func refused(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil
	}
	_ = c.Close()
	return errors.New("somebody listens")
}

// roundTrip sends text and wants it back.
func roundTrip(c net.Conn, text string) error {
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != text {
		return fmt.Errorf("got %q, want %q", got, text)
	}
	return nil
}

// request makes one connection of its own for a round trip.
func request(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := roundTrip(c, "request to "+address); err != nil {
		return err
	}
	return c.(*net.TCPConn).CloseWrite()
}

// ended reads to the end of a connection, and returns how it ended: nil in
// order.
func ended(c net.Conn) error {
	_, err := io.Copy(io.Discard, c)
	return err
}

// source yields size pseudo-random bytes and keeps their digest.
type source struct {
	r    *rand.ChaCha8
	left int64
	sum  hash.Hash
}

func newSource(size int64) *source {
	return &source{r: rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)}), left: size, sum: sha256.New()}
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), s.left)]
	s.left -= int64(len(p))
	_, _ = s.r.Read(p) // never fails
	s.sum.Write(p)
	return len(p), nil
}

// digest is that of all size bytes.
func digest(size int64) string {
	s := newSource(size)
	_, _ = io.Copy(io.Discard, s) // neither fails
	return string(s.sum.Sum(nil))
}

// receive reads to the end and compares with a source of size bytes.
func receive(r io.Reader, size int64) error {
	sum := sha256.New()
	n, err := io.CopyBuffer(sum, r, make([]byte, 64<<10))
	switch {
	case err != nil:
		return fmt.Errorf("after %d of %d bytes: %w", n, size, err)
	case n != size:
		return fmt.Errorf("%d of %d bytes", n, size)
	case string(sum.Sum(nil)) != digest(size):
		return errors.New("the digest differs")
	}
	return nil
}
