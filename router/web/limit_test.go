package web_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/web"
)

// bounded serves h on at most n connections. It returns where, and tells of each
// connection that has a place.
func bounded(t *testing.T, n int, h http.HandlerFunc, wrap func(net.Listener) net.Listener) (address string, placed <-chan struct{}) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limit := web.NewLimit(ln, n)
	begun := make(chan struct{}, 16)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ConnState: func(c net.Conn, s http.ConnState) {
		limit.Note(c, s)
		if s == http.StateNew {
			begun <- struct{}{}
		}
	}}
	served := make(chan error, 1)
	go func() { served <- server.Serve(wrap(limit)) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return ln.Addr().String(), begun
}

func plainly(ln net.Listener) net.Listener { return ln }

// connect returns a connection whose operations are done within a minute.
func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

// get sends a request on c and returns the answer's body.
func get(t *testing.T, c net.Conn) string {
	t.Helper()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantEnd waits until the other end closes c.
func wantEnd(t *testing.T, c net.Conn) {
	t.Helper()
	var timeout net.Error
	if n, err := c.Read(make([]byte, 1)); n != 0 || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("%d bytes, %v; want the end", n, err)
	}
}

// TestSilentConnectionsGiveWay closes the one that has waited longest, with TLS
// and without.
func TestSilentConnectionsGiveWay(t *testing.T) {
	t.Parallel()
	cfg := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	for name, wrap := range map[string]func(net.Listener) net.Listener{
		"plain":  plainly,
		"either": func(ln net.Listener) net.Listener { return web.Either(ln, cfg) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, placed := bounded(t, 3, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") }, wrap)
			used := connect(t, address)
			get(t, used)
			silent := []net.Conn{connect(t, address), connect(t, address)}
			for range 3 {
				<-placed
			}
			if got := get(t, used); got != "OK" { // it waits for less time than the others now
				t.Errorf("answer %q", got)
			}
			for _, c := range silent {
				if got := get(t, connect(t, address)); got != "OK" {
					t.Errorf("answer %q", got)
				}
				wantEnd(t, c)
			}
		})
	}
}

// TestNoPlace closes a connection at once when all others are being answered.
func TestNoPlace(t *testing.T) {
	t.Parallel()
	busy, free := make(chan struct{}), make(chan struct{})
	address, _ := bounded(t, 1, func(w http.ResponseWriter, _ *http.Request) {
		close(busy)
		<-free
		_, _ = io.WriteString(w, "OK")
	}, plainly)
	first := connect(t, address)
	answer := make(chan string, 1)
	go func() { answer <- get(t, first) }()
	<-busy
	wantEnd(t, connect(t, address))
	close(free)
	if got := <-answer; got != "OK" {
		t.Errorf("answer %q", got)
	}
}
