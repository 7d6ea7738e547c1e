package trunk

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// proxyServer answers one CONNECT with status and then talks to the client as
// the endpoint would.
func proxyServer(t *testing.T, status string, after func(net.Conn)) (address string, request func() *http.Request) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	got := make(chan *http.Request, 1)
	wg.Go(func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			t.Error(err)
			return
		}
		got <- req
		_, _ = io.WriteString(c, "HTTP/1.1 "+status+"\r\n\r\n")
		after(c)
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return ln.Addr().String(), func() *http.Request { return <-got }
}

func dialerThrough(address string) *Dialer {
	return NewDialer(DialConfig{
		Endpoints: []Endpoint{{"west.example", "55671"}},
		Proxy:     &Proxy{Address: address, User: "me", Password: "secret"},
	}, NewGroups(), &router{})
}

func TestThroughProxy(t *testing.T) {
	t.Parallel()
	address, request := proxyServer(t, "200 Connection established", func(c net.Conn) { _, _ = io.Copy(c, c) })
	d := dialerThrough(address)
	nc, err := d.reach(t.Context(), d.endpoint())
	if err != nil {
		t.Fatal(err)
	}
	req := request()
	if req.Method != http.MethodConnect || req.Host != "west.example:55671" || req.Header.Get("Proxy-Authorization") != "Basic bWU6c2VjcmV0" {
		t.Errorf("%s %s %v", req.Method, req.Host, req.Header)
	}
	_, _ = io.WriteString(nc, "ping")
	b := make([]byte, 4)
	if _, err := io.ReadFull(nc, b); err != nil || string(b) != "ping" {
		t.Errorf("%q, %v", b, err)
	}
	_ = nc.Close()
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	for status, wanted := range map[string]string{
		"407 Proxy Authentication Required":   "407 Proxy Authentication Required for west.example:55671",
		"200 OK\r\nContent-Length: 2\r\n\r\n": "bytes before ours",
	} {
		address, _ := proxyServer(t, status, func(net.Conn) {})
		d := dialerThrough(address)
		if _, err := d.reach(t.Context(), d.endpoint()); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%q: %v", status, err)
		}
	}
}
