package host

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// listening is a TCP socket on which something listens.
type listening struct {
	port  int
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
	_, hex, ok := strings.Cut(fields[1], ":")
	if !ok {
		return listening{}, false
	}
	port, err := strconv.ParseUint(hex, 16, 16)
	if err != nil {
		return listening{}, false
	}
	return listening{int(port), fields[9]}, true
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
type PortOwners struct{ byPort func() map[int]string }

// NewPortOwners makes one for the moment at which it is first asked.
func NewPortOwners() PortOwners { return PortOwners{sync.OnceValue(portOwners)} }

// Of says who listens on a port: "nginx (pid 812)". It is empty if nobody does,
// or if the process may not be looked at.
func (o PortOwners) Of(port int) string { return o.byPort()[port] }

// portOwners finds the process behind every listening socket.
func portOwners() map[int]string {
	ports := make(map[string]int)
	for _, l := range listeners() {
		ports["socket:["+l.inode+"]"] = l.port
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
	return owners
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
