package interop

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// service is the application server behind the connector.
type service struct {
	t    testing.TB
	addr string
	wg   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // Guarded by mu.
	serve    func(c *net.TCPConn)
}

func newService(t testing.TB, port int) *service {
	s := &service{t: t, addr: local(port)}
	t.Cleanup(s.stop)
	return s
}

// run makes the server answer each connection with serve.
func (s *service) run(serve func(c *net.TCPConn)) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve = serve
	if s.listener != nil {
		return
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.listener = l
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			serve := s.serve
			s.mu.Unlock()
			s.wg.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
}

// stop makes the port refuse connections.
func (s *service) stop() {
	s.mu.Lock()
	l := s.listener
	s.listener = nil
	s.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
}

func echo(c *net.TCPConn) {
	_, _ = io.Copy(c, c)
	_ = c.CloseWrite()
}

// dial connects to the network's listener; every operation on the connection
// must be done within a minute.
func (w *network) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", local(w.in))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
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

// source yields size pseudo-random bytes and keeps their digest.
type source struct {
	r    *rand.ChaCha8
	left int64
	sum  hash.Hash
}

func newSource(size int64) *source {
	return &source{r: rand.NewChaCha8([32]byte{1}), left: size, sum: sha256.New()}
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	s.sum.Write(p[:n])
	return n, err
}

// closedSoon reports how the peer's end of c was seen: nil for an end of
// stream or a reset within limit.
func closedSoon(c net.Conn, limit time.Duration) error {
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("still open after %v", limit)
	}
	if n != 0 {
		return fmt.Errorf("%d bytes came", n)
	}
	return nil
}
