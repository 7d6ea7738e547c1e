package host

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// listening is a TCP socket on which something listens.
type listening struct {
	addr  netip.Addr
	port  int
	uid   string // of whom it belongs to
	inode string
}

// stateListen is TCP_LISTEN in /proc/net/tcp (include/net/tcp_states.h).
const stateListen = "0A"

// listeners reads the listening sockets of the network namespace.
func listeners() []listening {
	var list []listening
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(path)
		if err != nil {
			continue // no IPv6, or no /proc
		}
		s := bufio.NewScanner(f)
		for s.Scan() {
			if l, ok := parseSocket(s.Text()); ok {
				list = append(list, l)
			}
		}
		_ = f.Close() // only read from
	}
	return list
}

// parseSocket reads a line of /proc/net/tcp:
//
//	sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
func parseSocket(line string) (listening, bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != stateListen {
		return listening{}, false
	}
	host, text, _ := strings.Cut(fields[1], ":")
	port, err := strconv.ParseUint(text, 16, 16)
	addr, ok := parseAddr(host)
	if err != nil || !ok {
		return listening{}, false
	}
	return listening{addr, int(port), fields[7], fields[9]}, true
}

// parseAddr reads an address of /proc/net/tcp: words of 32 bits in the byte
// order of the machine, hexadecimal.
func parseAddr(text string) (netip.Addr, bool) {
	data, err := hex.DecodeString(text)
	if err != nil || len(data)%4 != 0 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(data); i += 4 {
		binary.NativeEndian.PutUint32(data[i:], binary.BigEndian.Uint32(data[i:]))
	}
	addr, ok := netip.AddrFromSlice(data)
	return addr.Unmap(), ok
}

// NewBusyPorts tells which TCP ports of the network namespace cannot be listened
// on: something does, or a connection that was made from this host has the port
// as its own. Who listens is looked at once, when it is first asked.
func NewBusyPorts() func(port int) bool {
	taken := sync.OnceValue(func() map[int]bool {
		ports := make(map[int]bool)
		for _, l := range listeners() {
			ports[l.port] = true
		}
		return ports
	})
	return func(port int) bool { return taken()[port] || !bindable(port) }
}

// bindable reports whether one can listen on a port now.
func bindable(port int) bool {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{Port: port})
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// PortOwners tells who listens on TCP ports. It looks when it is first asked,
// at all of them at once, and remembers: looking costs a walk through the
// processes of the machine.
type PortOwners struct {
	byPort  func() map[int]string
	sockets func() []listening
}

// NewPortOwners makes one for the moment at which it is first asked.
func NewPortOwners() PortOwners {
	return PortOwners{sync.OnceValue(portOwners), sync.OnceValue(listeners)}
}

// Taken reports whether somebody listens on a port at an address that host has
// in common with him, so that nobody else can. A host that is no address is
// never taken.
func (o PortOwners) Taken(host string, port int) bool {
	want := netip.IPv6Unspecified()
	if host != "" {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return false
		}
		want = addr.Unmap()
	}
	clash := func(l listening) bool {
		return l.port == port && (l.addr == want || l.addr.IsUnspecified() || want.IsUnspecified())
	}
	if !slices.ContainsFunc(o.sockets(), clash) {
		return false
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err == nil {
		_ = l.Close() // the socket that was seen is for IPv6 alone, or gone
		return false
	}
	return errors.Is(err, syscall.EADDRINUSE)
}

// Of says who listens on a port: "nginx (pid 812)" or, if the process may not be
// looked at, "a process of user www-data", with its unit of systemd: "a process of
// user www-data (nginx.service)". Before either is the container that it is in:
// "container 9ab6d6850677 of docker, nginx (pid 812)". It is empty if nobody
// listens.
func (o PortOwners) Of(port int) string { return o.byPort()[port] }

// portOwners finds who is behind every listening socket.
func portOwners() map[int]string {
	ports, users, sockets := make(map[string]int), make(map[int]string), listeners()
	for _, l := range sockets {
		ports["socket:["+l.inode+"]"] = l.port
		users[l.port] = l.uid
	}
	owners := make(map[int]string)
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return owners
	}
	for _, p := range processes {
		if _, err := strconv.Atoi(p.Name()); err == nil {
			addOwned(owners, ports, p.Name())
		}
	}
	unseen := map[int]bool{}
	for port, uid := range users {
		if owners[port] != "" {
			continue
		}
		unseen[port] = true
		owners[port] = "a process of uid " + uid
		if account, err := user.LookupId(uid); err == nil {
			owners[port] = "a process of user " + account.Username
		}
	}
	addGroups(owners, unseen, sockets)
	return owners
}

// addGroups adds to each owner the container that it is in, or the unit of one
// that may not be looked at.
func addGroups(owners map[int]string, unseen map[int]bool, sockets []listening) {
	groups, ids := groupsOf(), map[uint64]bool{}
	for _, id := range groups {
		ids[id] = true
	}
	if len(ids) == 0 {
		return
	}
	names, done := namedGroups(ids), map[int]bool{}
	for _, l := range sockets {
		inode, err := strconv.ParseUint(l.inode, 10, 32)
		if err != nil || done[l.port] {
			continue
		}
		group := names[groups[uint32(inode)]]
		if in := containerIn(group); in != "" {
			owners[l.port], done[l.port] = in+", "+owners[l.port], true
		} else if unit := unitIn(group); unit != "" && unseen[l.port] {
			owners[l.port], done[l.port] = owners[l.port]+" ("+unit+")", true
		}
	}
}

// addOwned notes the ports on which a process listens. A process that is gone
// meanwhile, or that may not be looked at, has none.
func addOwned(owners map[int]string, ports map[string]int, pid string) {
	dir := filepath.Join("/proc", pid, "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	name := ""
	for _, fd := range fds {
		target, err := os.Readlink(filepath.Join(dir, fd.Name()))
		port, listens := ports[target]
		if err != nil || !listens || owners[port] != "" {
			continue
		}
		if name == "" {
			comm, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
			if err != nil {
				return
			}
			name = fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(comm)), pid)
		}
		owners[port] = name
	}
}
