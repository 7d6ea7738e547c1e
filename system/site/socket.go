package site

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/resource"
)

// claim is an address that a resource wants to listen on.
type claim struct {
	Socket
	object resource.Object // nil if it belongs to another namespace
	field  string          // of the port
	kept   bool            // the site chose it earlier: it goes before what the input asks for
}

func (b *builder) claim(o resource.Object, field, host string, port int, owner string) {
	b.sockets = append(b.sockets, claim{Socket: Socket{host, port, owner}, object: o, field: field})
}

// ownerName is how an object is called in messages: "listener db".
func ownerName(o resource.Object) string {
	return strings.ToLower(string(o.Ref().Kind)) + " " + o.Ref().Name
}

// claims checks the addresses of the site against each other and against those
// of other namespaces. Of two that clash the later one in the input is at fault;
// what was typed comes after what is in files.
func (b *builder) claims() {
	slices.SortStableFunc(b.sockets, func(x, y claim) int {
		switch {
		case x.kept && !y.kept:
			return -1
		case y.kept && !x.kept:
			return 1
		}
		a, c := x.object.Head(), y.object.Head()
		switch {
		case a.Source.File != "" && c.Source.File == "":
			return -1
		case c.Source.File != "" && a.Source.File == "":
			return 1
		}
		if files := cmp.Compare(a.Source.File, c.Source.File); files != 0 {
			return files
		}
		return cmp.Compare(a.Line(x.field), c.Line(y.field))
	})
	taken := make(map[int][]claim)
	for _, s := range b.ctx.Claimed {
		taken[s.Port] = append(taken[s.Port], claim{Socket: s})
	}
	for _, c := range b.sockets {
		if i := slices.IndexFunc(taken[c.Port], func(t claim) bool { return overlap(t.Host, c.Host) }); i >= 0 {
			b.fail(c.object, c.field, clash(c, taken[c.Port][i])).Advice = "choose another port"
		}
		if b.ctx.FirstPort > 0 && c.Port < b.ctx.FirstPort {
			b.fail(c.object, c.field, fmt.Sprintf("port %d needs a privilege that this site does not have", c.Port)).
				Advice = fmt.Sprintf("choose a port from %d up, use a system site, or set sysctl net.ipv4.ip_unprivileged_port_start=%d", b.ctx.FirstPort, c.Port)
		}
		taken[c.Port] = append(taken[c.Port], c)
	}
}

func clash(c, other claim) string {
	switch {
	case other.object != nil && other.object.Ref() == c.object.Ref():
		return fmt.Sprintf("port %d used twice by %s", c.Port, ownerName(c.object))
	case other.Host == c.Host:
		return fmt.Sprintf("port %d already used on %s by %s", c.Port, spoken(c.Host), other.Owner)
	}
	return fmt.Sprintf("%s overlaps %s (%s)", address(c.Host, c.Port), address(other.Host, c.Port), other.Owner)
}

func spoken(host string) string {
	if host == "" {
		return "all addresses"
	}
	return host
}

func address(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d", cmp.Or(host, "*"), port)
}

// overlap reports whether two listeners with the same port cannot both be bound.
// A wildcard covers all addresses of its family, and that of IPv6 those of IPv4
// as well (ipv6(7), IPV6_V6ONLY off). What a name stands for is not looked up;
// only localhost is known.
func overlap(a, b string) bool {
	if a == b || covers(a, b) || covers(b, a) {
		return true
	}
	return a == localhost && isLoopback(b) || b == localhost && isLoopback(a)
}

const localhost = "localhost"

func covers(wildcard, host string) bool {
	switch wildcard {
	case "", "::":
		return true
	case "0.0.0.0":
		addr, err := netip.ParseAddr(host)
		return err != nil || addr.Is4()
	}
	return false
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == localhost || err == nil && addr.IsLoopback()
}

// isWildcard reports whether a host to bind to means all addresses.
func isWildcard(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}

// port gives key the port that it keeps, or else the first from start up that
// nobody wants. It is 0 if there is none.
func (b *builder) port(key string, kept, start int) int {
	port := kept
	if port == 0 {
		port = start
		for port <= lastPort && (port < b.ctx.FirstPort || b.named(port) || b.ctx.Busy != nil && b.ctx.Busy(port)) {
			port++
		}
	}
	if port > lastPort {
		return 0
	}
	b.site.Ports[key] = port
	return port
}

const lastPort = 65535

// named reports whether a port is named by anything, at whatever address.
func (b *builder) named(port int) bool {
	if slices.ContainsFunc(b.sockets, func(c claim) bool { return c.Port == port }) ||
		slices.ContainsFunc(b.ctx.Claimed, func(s Socket) bool { return s.Port == port }) ||
		slices.ContainsFunc(b.site.Connectors, func(c Connector) bool { return c.Port == port && isLoopback(c.Host) }) {
		return true
	}
	for _, p := range b.site.Ports {
		if p == port {
			return true
		}
	}
	return false
}
