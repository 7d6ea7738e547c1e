package netpipe

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestLatencyAndBandwidthAreExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := Pair(Options{Latency: 25 * time.Millisecond, Bandwidth: 1e6})
		start := time.Now()
		body := bytes.Repeat([]byte("0123456789"), 200_000) // 2 s of line
		go func() {
			_, _ = a.Write(body)
			_ = a.Close()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if d := time.Since(start); d != 2*time.Second+25*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
}

func TestBufferBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := Pair(Options{Buffer: 10})
		if n, err := a.TryWrite(make([]byte, 25)); n != 10 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		_ = a.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := a.Write([]byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
		_, _ = io.ReadFull(b, make([]byte, 4))
		if n, _ := a.TryWrite(make([]byte, 25)); n != 0 { // the deadline still holds
			t.Errorf("%d bytes", n)
		}
		_ = a.SetWriteDeadline(time.Time{})
		if n, _ := a.TryWrite(make([]byte, 25)); n != 4 {
			t.Errorf("%d bytes", n)
		}
	})
}

func TestReadDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, b := Pair(Options{})
		_ = b.SetReadDeadline(time.Now().Add(3 * time.Second))
		start := time.Now()
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := Pair(Options{})
		_, _ = a.Write([]byte("last"))
		_ = a.CloseWrite()
		if got, err := io.ReadAll(b); string(got) != "last" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		_ = b.Close()
		if _, err := b.Write([]byte("x")); err == nil {
			t.Error("wrote on a closed end")
		}
		a, b = Pair(Options{})
		go a.Cut()
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v", err)
		}
		_ = b.Close()
		a, b = Pair(Options{})
		b.Stall(true)
		_, _ = a.Write([]byte("x"))
		_ = b.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestListener(t *testing.T) {
	t.Parallel()
	l := Listen(Options{})
	a, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = a.Write([]byte("x"))
	if n, err := b.Read(make([]byte, 9)); n != 1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	_ = l.Close()
	if _, err := l.Dial(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("accepted on a closed listener")
	}
}
