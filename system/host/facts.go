package host

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Facts are what a site has to know of the machine. What cannot be found out is
// zero.
type Facts struct {
	Hostname   string
	FQDN       string // if it differs from Hostname
	Interfaces []Interface
	FirstPort  int // first port that an ordinary process may bind
}

// Interface is a network interface with its addresses.
type Interface struct {
	Name  string
	Addrs []netip.Addr
}

// Look finds the facts out. It asks no name service: what a site is called must
// not depend on whether one answers.
func Look(ctx context.Context) Facts {
	f := Facts{FirstPort: FirstPort(), Interfaces: interfaces()}
	f.Hostname, _ = os.Hostname()
	if hosts, err := os.ReadFile("/etc/hosts"); err == nil && ctx.Err() == nil {
		f.FQDN = fullName(hosts, f.Hostname)
	}
	return f
}

// fullName finds the full name of a host in the text of hosts(5): the first name
// with a dot that begins with hostname.
func fullName(hosts []byte, hostname string) string {
	if hostname == "" || strings.Contains(hostname, ".") {
		return ""
	}
	for line := range strings.Lines(string(hosts)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		for _, name := range fields[min(1, len(fields)):] {
			if short, domain, dotted := strings.Cut(name, "."); dotted && domain != "" && strings.EqualFold(short, hostname) {
				return name
			}
		}
	}
	return ""
}

func interfaces() []Interface {
	list, err := net.Interfaces()
	if err != nil {
		return nil
	}
	out := make([]Interface, 0, len(list))
	for _, i := range list {
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 {
			continue
		}
		x := Interface{Name: i.Name}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				x.Addrs = append(x.Addrs, prefix.Addr())
			}
		}
		slices.SortFunc(x.Addrs, netip.Addr.Compare)
		out = append(out, x)
	}
	return out
}

// FirstPort is the first port that a process without privilege may bind
// (net.ipv4.ip_unprivileged_port_start).
func FirstPort() int {
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return 1024
	}
	port, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	if err != nil {
		return 1024
	}
	return port
}
