package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// tunnel is one pair of processes that is measured.
type tunnel struct {
	kind  kind
	addr  string        // where clients connect
	ready time.Duration // from the start of the second process to the first echo
	procs []*process
	line  *process // between the two, of a long path
}

// kind is what a tunnel consists of.
type kind int

const (
	pair       kind = iota // bare TLS proxies
	routers                // ours
	unobserved             // ours, with a listener that looks for no requests
	kinds
)

func (k kind) String() string { return [...]string{"pair", "routers", "unobserved"}[k] }

// open starts a tunnel to the server and waits until it carries an echo. With
// far it leads over a long path.
func (b *bench) open(ctx context.Context, k kind, far bool) (t *tunnel, err error) {
	dir, err := os.MkdirTemp(b.dir, k.String())
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	client, link, entrance := ports[0], ports[1], ports[1]
	t = &tunnel{kind: k, addr: net.JoinHostPort(loopback, client)}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if far {
		entrance = ports[2]
		if t.line, err = start(dir, "line", b.self, "line", net.JoinHostPort(loopback, entrance), net.JoinHostPort(loopback, link)); err != nil {
			return t, err
		}
	}
	first, second := b.proxies(client, link, entrance)
	up := net.JoinHostPort(loopback, link)
	if k != pair {
		observer := "auto"
		if k == unobserved {
			observer = "none"
		}
		if first, second, err = b.routers(dir, client, link, entrance, observer); err != nil {
			return t, err
		}
	}
	if err := t.start(dir, "first", first); err != nil {
		return t, err
	}
	if err := await(ctx, func() error { return touch(up) }); err != nil {
		return t, err
	}
	begin := time.Now()
	if err := t.start(dir, "second", second); err != nil {
		return t, err
	}
	err = await(ctx, func() error { return oneEcho(t.addr) })
	t.ready = time.Since(begin)
	return t, err
}

func (t *tunnel) start(dir, name string, argv []string) error {
	p, err := start(dir, name, argv...)
	if err == nil {
		t.procs = append(t.procs, p)
	}
	return err
}

func (t *tunnel) close() {
	for _, p := range t.procs {
		p.stop()
	}
	if t.line != nil {
		t.line.stop()
	}
}

// cpu is the time that both processes have run.
func (t *tunnel) cpu() (sum time.Duration, err error) {
	for _, p := range t.procs {
		d, err := p.cpu()
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// resident is the memory of both processes in KiB.
func (t *tunnel) resident() (sum int, err error) {
	for _, p := range t.procs {
		n, err := p.resident()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// proxies are the commands of the bare pair: the egress first, which the
// ingress connects to.
func (b *bench) proxies(client, link, entrance string) (first, second []string) {
	first = []string{b.self, "proxy", "-listen", net.JoinHostPort(loopback, link), "-dial", b.server, "-certs", b.dir, "-tls", "listen"}
	second = []string{b.self, "proxy", "-listen", net.JoinHostPort(loopback, client), "-dial", net.JoinHostPort(loopback, entrance), "-certs", b.dir, "-tls", "dial"}
	return first, second
}

// routers writes the configurations of two routers and returns their commands:
// the ingress first, which the egress connects to.
func (b *bench) routers(dir, client, link, entrance, observer string) (first, second []string, err error) {
	_, server, err := net.SplitHostPort(b.server)
	if err != nil {
		return nil, nil, err
	}
	const profile = `["sslProfile", {"name": "tls", "caCertFile": "%[1]s/ca.crt", "certFile": "%[1]s/%[2]s.crt", "privateKeyFile": "%[1]s/%[2]s.key"}]`
	ingress := fmt.Sprintf(`[["router", {"id": "ingress", "mode": "interior"}],
`+profile+`,
["listener", {"name": "link", "host": "%[3]s", "port": "%[4]s", "role": "inter-router", "sslProfile": "tls", "saslMechanisms": "EXTERNAL", "authenticatePeer": true}],
["tcpListener", {"name": "in", "host": "%[3]s", "port": "%[5]s", "address": "service", "observer": "%[6]s"}],
["log", {"module": "DEFAULT", "enable": "error+"}]]
`, b.dir, "server", loopback, link, client, observer)
	egress := fmt.Sprintf(`[["router", {"id": "egress", "mode": "interior"}],
`+profile+`,
["connector", {"name": "link", "host": "localhost", "port": "%[3]s", "role": "inter-router", "sslProfile": "tls"}],
["tcpConnector", {"name": "out", "host": "%[4]s", "port": "%[5]s", "address": "service"}],
["log", {"module": "DEFAULT", "enable": "error+"}]]
`, b.dir, "client", entrance, loopback, server)
	for name, text := range map[string]string{"ingress.json": ingress, "egress.json": egress} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, nil, err
		}
	}
	command := func(name string) []string {
		return []string{b.program, "router", "run", "-c", filepath.Join(dir, name)}
	}
	return command("ingress.json"), command("egress.json"), nil
}

const loopback = "127.0.0.1"

// freePorts returns ports that nobody listens on.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		ln, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, err
		}
		defer ln.Close() // all together, so that they differ
		ports = append(ports, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}

// patience is how long a tunnel may take until it works.
const patience = 20 * time.Second

// await repeats f until it succeeds.
func await(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// touch connects and closes.
func touch(addr string) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	return c.Close()
}

// oneEcho connects, sends an octet there and back, and closes.
func oneEcho(addr string) error {
	c, err := dialEcho(addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// dialEcho returns a connection that has carried an octet there and back.
func dialEcho(addr string) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	b := [2]byte{wantEcho, 'x'}
	if err = c.SetDeadline(time.Now().Add(patience)); err == nil {
		if _, err = c.Write(b[:]); err == nil {
			_, err = io.ReadFull(c, b[1:])
		}
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}
