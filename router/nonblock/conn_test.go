package nonblock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pairs are two ends of a socket each; ours is wrapped.
func pairs(t *testing.T) map[string]func(t *testing.T) (ours *Conn, peer net.Conn) {
	t.Helper()
	open := func(network, at string) func(t *testing.T) (*Conn, net.Conn) {
		return func(t *testing.T) (*Conn, net.Conn) {
			t.Helper()
			l, err := net.Listen(network, at)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			x, err := net.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			y, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _, _ = x.Close(), y.Close() })
			ours, ok := Wrap(x).(*Conn)
			if !ok {
				t.Fatalf("%T is not wrapped", x)
			}
			return ours, y
		}
	}
	return map[string]func(t *testing.T) (*Conn, net.Conn){
		"tcp":  open("tcp", "127.0.0.1:0"),
		"unix": open("unix", filepath.Join(t.TempDir(), "s")),
	}
}

// each runs a test on both kinds of socket.
func each(t *testing.T, f func(t *testing.T, ours *Conn, peer net.Conn)) {
	t.Helper()
	for name, open := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			ours, peer := open(t)
			f(t, ours, peer)
		})
	}
}

// TestBytes: what is written comes out, more than the socket holds, and then the
// end of the stream; both ways.
func TestBytes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, ours *Conn, peer net.Conn) {
		block := make([]byte, 8<<20)
		for i := range block {
			block[i] = byte(i >> 8)
		}
		for _, way := range []struct{ from, to net.Conn }{{ours, peer}, {peer, ours}} {
			sent := make(chan error, 1)
			go func() {
				n, err := way.from.Write(block)
				if n != len(block) && err == nil {
					err = io.ErrShortWrite
				}
				sent <- errors.Join(err, way.from.(interface{ CloseWrite() error }).CloseWrite())
			}()
			got, err := io.ReadAll(way.to)
			if err := errors.Join(err, <-sent); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, block) {
				t.Errorf("%d octets came, of %d", len(got), len(block))
			}
		}
	})
}

// TestTryWrite: a full socket is no error and nobody waits for it.
func TestTryWrite(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, ours *Conn, peer net.Conn) {
		block := make([]byte, 1<<20)
		sent := 0
		for {
			n, err := ours.TryWrite(block)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			sent += n
		}
		go func() {
			_, _ = io.CopyN(io.Discard, peer, int64(sent))
			_, _ = peer.Write([]byte("done"))
		}()
		if _, err := io.ReadFull(ours, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		if n, err := ours.TryWrite([]byte("more")); n != 4 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// TestErrors are those of package net.
func TestErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, ours *Conn, peer net.Conn) {
		says := func(err error, is error, begins string) {
			t.Helper()
			var op *net.OpError
			if !errors.Is(err, is) || !errors.As(err, &op) || !strings.HasPrefix(err.Error(), begins) {
				t.Errorf("%v, want %q and %v", err, begins, is)
			}
		}
		if n, err := ours.Read(nil); n != 0 || err != nil {
			t.Errorf("reading nothing: %d, %v", n, err)
		}
		_ = ours.SetReadDeadline(time.Now())
		_, err := ours.Read(make([]byte, 1))
		says(err, os.ErrDeadlineExceeded, "read ")
		_ = ours.SetReadDeadline(time.Time{})

		if err := ours.SetLinger(0); err != nil {
			t.Errorf("linger: %v", err)
		}
		_ = peer.Close()
		for err = nil; err == nil; {
			_, err = ours.Write(make([]byte, 1<<16))
		}
		if !errors.Is(err, syscall.EPIPE) {
			says(err, syscall.ECONNRESET, "write ")
		}
		_ = ours.Close()
		_, err = ours.Read(make([]byte, 1))
		says(err, net.ErrClosed, "read ")
		_, err = ours.Write(make([]byte, 1))
		says(err, net.ErrClosed, "write ")
		if _, err := ours.TryWrite(make([]byte, 1)); err == nil {
			t.Error("wrote to a closed socket")
		}
	})
}

// TestWrapOther: what is no socket stays as it is.
func TestWrapOther(t *testing.T) {
	t.Parallel()
	x, y := net.Pipe()
	defer func() { _, _ = x.Close(), y.Close() }()
	if Wrap(x) != x {
		t.Error("a pipe in memory became a socket")
	}
}

// TestNoAllocation: nothing is allocated for a read or a write.
func TestNoAllocation(t *testing.T) {
	ours, peer := pairs(t)["tcp"](t)
	there := Wrap(peer)
	p := make([]byte, 64)
	n := testing.AllocsPerRun(100, func() {
		if _, err := ours.Write(p); err != nil {
			t.Fatal(err)
		}
		if _, err := there.Read(p); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%g allocations", n)
	}
}
