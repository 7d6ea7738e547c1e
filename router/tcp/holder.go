package tcp

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// taken is the system's own text of EADDRINUSE, which people search for.
const taken = "address already in use"

// holder says in words who listens on a TCP port, as far as it can be seen
// from proc (/proc): "address already in use by nginx (pid 1234)".
func holder(proc string, port int) string {
	inode, uid, found := listening(proc, port)
	if !found {
		return taken
	}
	if name, pid := owner(proc, inode); pid != "" {
		return fmt.Sprintf(taken+" by %s (pid %s)", name, pid)
	}
	if u, err := user.LookupId(uid); err == nil {
		return taken + " by a process of user " + u.Username
	}
	return taken + " by a process of uid " + uid
}

// listening finds the socket that listens on port.
func listening(proc string, port int) (inode, uid string, found bool) {
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(proc, "net", table))
		if err != nil {
			continue
		}
		inode, uid, found = listeningIn(f, port)
		_ = f.Close()
		if found {
			return inode, uid, true
		}
	}
	return "", "", false
}

// listeningIn reads a table of proc_net_tcp(5): sl, local_address, rem_address,
// st, tx:rx, tr:when, retrnsmt, uid, timeout, inode.
func listeningIn(r io.Reader, port int) (inode, uid string, found bool) {
	const listen = "0A"
	suffix := fmt.Sprintf(":%04X", port)
	for s := bufio.NewScanner(r); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) > 9 && f[3] == listen && strings.HasSuffix(f[1], suffix) {
			return f[9], f[7], true
		}
	}
	return "", "", false
}

// owner finds a process that has the socket open.
func owner(proc, inode string) (name, pid string) {
	want := "socket:[" + inode + "]"
	entries, err := os.ReadDir(proc)
	if err != nil {
		return "", ""
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if !holds(filepath.Join(proc, e.Name(), "fd"), want) {
			continue
		}
		comm, err := os.ReadFile(filepath.Join(proc, e.Name(), "comm"))
		if err != nil {
			return "a process", e.Name()
		}
		return strings.TrimSpace(string(comm)), e.Name()
	}
	return "", ""
}

// holds reports whether one of the descriptors is the socket. Other users'
// directories cannot be read.
func holds(dir, want string) bool {
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if link, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && link == want {
			return true
		}
	}
	return false
}
