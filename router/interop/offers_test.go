package interop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
	management "github.com/skupper-host/skupper/router/manage/client"
)

// offers are the services of a network beyond the first: each has a listener at
// the first node and connectors at the last.
type offers struct {
	dir     string         // certificates
	in      map[string]int // ports of the listeners
	servers []*named
	admin   []int // ports of the nodes' listeners for management
}

// named is a server that says its name and then echoes.
type named struct {
	name     string
	port     int
	protocol chan string // what TLS has chosen; of TLS servers
}

// offer adds them to a network that is not started.
func (w *network) offer(t testing.TB) *offers {
	t.Helper()
	o := &offers{dir: w.certs, in: map[string]int{}}
	port := func() int { return freeport.Get(t) }
	for _, n := range w.nodes {
		port := port()
		o.admin = append(o.admin, port)
		n.add("listener", map[string]any{"name": "admin", "host": "127.0.0.1", "port": strconv.Itoa(port), "role": "normal"})
	}
	first, last := w.nodes[0], w.nodes[len(w.nodes)-1]
	for _, n := range []*node{first, last} {
		n.add("sslProfile", map[string]any{
			"name": "service", "caCertFile": filepath.Join(o.dir, "ca.crt"),
			"certFile": filepath.Join(o.dir, "tls.crt"), "privateKeyFile": filepath.Join(o.dir, "tls.key"),
		})
	}
	listen := func(name string, attrs map[string]any) {
		o.in[name] = port()
		attrs["name"], attrs["host"], attrs["port"] = name, "127.0.0.1", strconv.Itoa(o.in[name])
		first.add("tcpListener", attrs)
	}
	connect := func(name, address string, attrs map[string]any) {
		s := &named{name: name, protocol: make(chan string, 10)}
		s.run(t, o.dir, attrs["sslProfile"] != nil)
		o.servers = append(o.servers, s)
		if attrs["host"] == nil {
			attrs["host"] = "127.0.0.1"
		}
		attrs["name"], attrs["port"], attrs["address"] = name, strconv.Itoa(s.port), address
		last.add("tcpConnector", attrs)
	}
	for _, name := range []string{"three-1", "three-2", "three-3"} {
		connect(name, "three", map[string]any{})
	}
	listen("three", map[string]any{"address": "three"})
	for strategy, values := range map[string][2]int{"priority": {2, 1}, "weighted": {3, 1}} {
		listen(strategy, map[string]any{"multiAddressStrategy": strategy})
		for i, value := range values {
			key := fmt.Sprintf("%s-%d", strategy, i)
			first.add("listenerAddress", map[string]any{"name": key, "listener": strategy, "address": key, "value": value})
			connect(key, key, map[string]any{})
		}
	}
	listen("tls", map[string]any{"address": "plain-server", "sslProfile": "service"})
	listen("mutual", map[string]any{"address": "plain-server", "sslProfile": "service", "authenticatePeer": true})
	connect("plain-server", "plain-server", map[string]any{})
	listen("both", map[string]any{"address": "tls-server", "sslProfile": "service"})
	listen("to-tls", map[string]any{"address": "tls-server"})
	connect("tls-server", "tls-server", map[string]any{"sslProfile": "service", "host": "localhost"})
	listen("wrong-name", map[string]any{"address": "wrong-name"})
	connect("wrong-name", "wrong-name", map[string]any{"sslProfile": "service", "host": "127.0.0.2"})
	listen("any-name", map[string]any{"address": "any-name"})
	connect("any-name", "any-name", map[string]any{"sslProfile": "service", "host": "127.0.0.2", "verifyHostname": false})
	return o
}

// run serves until the test ends.
func (s *named) run(t testing.TB, dir string, secure bool) {
	t.Helper()
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = ln.Addr().(*net.TCPAddr).Port
	if secure {
		cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
		if err != nil {
			t.Fatal(err)
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1", "h2"}})
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				b := make([]byte, 1)
				if _, err := c.Read(b); err != nil {
					return
				}
				if x, ok := c.(*tls.Conn); ok {
					select {
					case s.protocol <- x.ConnectionState().NegotiatedProtocol:
					default:
					}
				}
				_, _ = io.WriteString(c, s.name+"\n")
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
}

// ask connects to a listener and returns which server answers.
func (o *offers) ask(listener string, secure *tls.Config) (name string, c net.Conn, err error) {
	c, err = net.Dial("tcp", local(o.in[listener]))
	if err != nil {
		return "", nil, err
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if secure != nil {
		c = tls.Client(c, secure)
	}
	if _, err = io.WriteString(c, "?"); err == nil {
		var got []byte
		b := make([]byte, 1)
		for err == nil && b[0] != '\n' {
			if _, err = io.ReadFull(c, b); err == nil {
				got = append(got, b[0])
			}
		}
		name = string(got[:max(0, len(got)-1)])
	}
	if err != nil {
		_ = c.Close()
	}
	return name, c, err
}

// reach asks until somebody answers.
func (o *offers) reach(t testing.TB, listener string, secure *tls.Config) string {
	t.Helper()
	var name string
	eventually(t, 30*time.Second, "an answer through "+listener, func() error {
		got, c, err := o.ask(listener, secure)
		if err == nil {
			name = got
			_ = c.Close()
		}
		return err
	})
	return name
}

// withdraw deletes a connector of the last node.
func (o *offers) withdraw(t testing.TB, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := management.Dial(ctx, management.Target{Network: "tcp", Address: local(o.admin[len(o.admin)-1])})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Delete(ctx, management.Ref{Type: "io.skupper.router.tcpConnector", Name: name}); err != nil {
		t.Fatal(err)
	}
}

// testBalance: connections that stay open are spread over all servers.
func testBalance(t *judge, w *network, _ *service) {
	w.offers.reach(t, "three", nil)
	count := map[string]int{}
	for range 30 {
		name, c, err := w.offers.ask("three", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		count[name]++
	}
	for _, name := range []string{"three-1", "three-2", "three-3"} {
		if count[name] < 5 {
			t.Errorf("of 30 connections %s got %d: %v", name, count[name], count)
		}
	}
}

// testPriority: the key with the highest value that somebody serves, then the
// next.
func testPriority(t *judge, w *network, _ *service) {
	o := w.offers
	o.reach(t, "priority", nil)
	for range 10 {
		if name := o.reach(t, "priority", nil); name != "priority-0" {
			t.Fatalf("%s answers, want priority-0", name)
		}
	}
	o.withdraw(t, "priority-0")
	eventually(t, 20*time.Second, "the second key", func() error {
		if name := o.reach(t, "priority", nil); name != "priority-1" {
			return fmt.Errorf("%s answers", name)
		}
		return nil
	})
	o.withdraw(t, "priority-1")
	eventually(t, 20*time.Second, "the listener is closed", func() error {
		c, err := net.Dial("tcp", local(o.in["priority"]))
		if err != nil {
			return nil
		}
		_ = c.Close()
		return errors.New("it takes connections that nobody serves")
	})
}

// testWeighted: both keys in proportion, then the one that is left.
func testWeighted(t *judge, w *network, _ *service) {
	o := w.offers
	eventually(t, 20*time.Second, "both keys", func() error {
		seen := map[string]bool{}
		for range 20 {
			seen[o.reach(t, "weighted", nil)] = true
		}
		if len(seen) < 2 {
			return fmt.Errorf("only %v", seen)
		}
		return nil
	})
	count := map[string]int{}
	for range 100 {
		count[o.reach(t, "weighted", nil)]++
	}
	if n := count["weighted-0"]; n < 50 || n > 95 {
		t.Errorf("of 100 connections with weights 3 and 1: %v", count)
	}
	o.withdraw(t, "weighted-0")
	eventually(t, 20*time.Second, "the key that is left", func() error {
		for range 10 {
			if name := o.reach(t, "weighted", nil); name != "weighted-1" {
				return fmt.Errorf("%s answers", name)
			}
		}
		return nil
	})
}

// testTLS: TLS at either end, at both, with client certificates, with the
// client's protocol at the server, and with the server's name looked at.
func testTLS(t *judge, w *network, _ *service) {
	o := w.offers
	pem, err := os.ReadFile(filepath.Join(o.dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	cert, err := tls.LoadX509KeyPair(filepath.Join(o.dir, "tls.crt"), filepath.Join(o.dir, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	known := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	mutual := &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{cert}}
	if name := o.reach(t, "tls", known); name != "plain-server" {
		t.Errorf("TLS listener: %s answers", name)
	}
	if name := o.reach(t, "mutual", mutual); name != "plain-server" {
		t.Errorf("client certificate: %s answers", name)
	}
	if name, c, err := o.ask("mutual", known); err == nil {
		_ = c.Close()
		t.Errorf("without client certificate %s answers", name)
	}
	if name := o.reach(t, "to-tls", nil); name != "tls-server" {
		t.Errorf("TLS connector: %s answers", name)
	}
	<-o.server("tls-server").protocol
	h2 := known.Clone()
	h2.NextProtos = []string{"h2"}
	if name := o.reach(t, "both", h2); name != "tls-server" {
		t.Errorf("TLS at both ends: %s answers", name)
	}
	if p := <-o.server("tls-server").protocol; p != "h2" {
		t.Errorf("the server's protocol is %q, want the client's", p)
	}
	if name := o.reach(t, "any-name", nil); name != "any-name" {
		t.Errorf("without looking at the name: %s answers", name)
	}
	if name, c, err := o.ask("wrong-name", nil); err == nil {
		_ = c.Close()
		t.Errorf("a server with the wrong name answers: %s", name)
	}
}

func (o *offers) server(name string) *named {
	for _, s := range o.servers {
		if s.name == name {
			return s
		}
	}
	return nil
}
