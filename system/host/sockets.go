package host

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

func busyPorts() map[int]bool {
	busy := make(map[int]bool)
	for _, l := range listeners() {
		busy[l.port] = true
	}
	return busy
}

// PortOwner says who listens on a TCP port: "nginx (pid 812)". It is empty if
// nobody does, or if the process may not be looked at.
func PortOwner(port int) string {
	sockets := make(map[string]bool)
	for _, l := range listeners() {
		if l.port == port {
			sockets["socket:["+l.inode+"]"] = true
		}
	}
	if len(sockets) == 0 {
		return ""
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil || !sockets[target] {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(name)), pid)
	}
	return ""
}
