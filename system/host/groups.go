package host

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os/user"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/container"
)

// Whose a socket is says its process, which may only be looked at by its user,
// and by a root with more rights than the agent has. Which control group it was
// made in everybody may ask; the name of that group is the unit of systemd, or
// the container.

// Of sock_diag(7): include/uapi/linux/inet_diag.h and sock_diag.h.
const (
	sockDiagByFamily = 20
	tcpListenMask    = 1 << 10 // TCP_LISTEN
	attrCgroup       = 21      // INET_DIAG_CGROUP_ID, since Linux 5.8
	diagRequest      = 56      // octets of inet_diag_req_v2
	diagMessage      = 72      // octets of inet_diag_msg, before the attributes
	diagInode        = 68      // where the inode is in it
)

// groupsOf are the control groups that the listening sockets of the network
// namespace were made in: ids by inode, empty where the kernel does not say.
func groupsOf() map[uint32]uint64 {
	groups := map[uint32]uint64{}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := askGroups(family, groups); err != nil {
			return groups // what is known is enough for some words
		}
	}
	return groups
}

// askGroups adds the sockets of an address family.
func askGroups(family byte, groups map[uint32]uint64) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // only read from
	request := make([]byte, unix.NLMSG_HDRLEN+diagRequest)
	e := binary.NativeEndian
	e.PutUint32(request[0:], uint32(len(request)))
	e.PutUint16(request[4:], sockDiagByFamily)
	e.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := request[unix.NLMSG_HDRLEN:]
	body[0], body[1] = family, unix.IPPROTO_TCP
	e.PutUint32(body[4:], tcpListenMask)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for buffer := make([]byte, 64<<10); ; {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Header.Type != sockDiagByFamily {
				return nil // done, or refused
			}
			if inode, group, ok := parseDiag(m.Data); ok {
				groups[inode] = group
			}
		}
	}
}

// parseDiag reads what the kernel says of a socket.
func parseDiag(data []byte) (inode uint32, group uint64, ok bool) {
	if len(data) < diagMessage {
		return 0, 0, false
	}
	e := binary.NativeEndian
	inode = e.Uint32(data[diagInode:])
	for rest := data[diagMessage:]; len(rest) >= unix.SizeofNlAttr; {
		length := int(e.Uint16(rest))
		if length < unix.SizeofNlAttr || length > len(rest) {
			break
		}
		if e.Uint16(rest[2:]) == attrCgroup && length >= unix.SizeofNlAttr+8 {
			return inode, e.Uint64(rest[unix.SizeofNlAttr:]), true
		}
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return 0, 0, false
}

// namedGroups finds control groups by their ids, which are inodes of the
// unified hierarchy: paths below its root.
func namedGroups(ids map[uint64]bool) map[uint64]string {
	names := map[uint64]string{}
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var s unix.Statfs_t
		if unix.Statfs(root, &s) != nil || s.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error { // what goes meanwhile has no name
			if err != nil || !e.IsDir() {
				return nil
			}
			info, err := e.Info()
			if err != nil {
				return nil
			}
			if s, ok := info.Sys().(*syscall.Stat_t); ok && ids[s.Ino] {
				names[s.Ino] = strings.TrimPrefix(path, root)
			}
			if len(names) == len(ids) {
				return filepath.SkipAll
			}
			return nil
		})
		return names
	}
	return names
}

// containerGroup is the control group of a container, as the engines name it with
// systemd and without.
var containerGroup = regexp.MustCompile(`(?:^|/)(?:(docker|libpod)-([0-9a-f]{64})(?:\.scope)?|(docker)/([0-9a-f]{64}))(?:/|$)`)

// containerIn is the container whose control group it is: "container 9ab6d6850677
// of docker", or "".
func containerIn(group string) string {
	m := containerGroup.FindStringSubmatch(group)
	if m == nil {
		return ""
	}
	const short = 12 // digits of an id as the engines list it
	engine := container.Docker
	if m[1] == "libpod" {
		engine = container.Podman
	}
	return "container " + (m[2] + m[4])[:short] + " of " + engine
}

// userSlice is the control group of what a user runs.
var userSlice = regexp.MustCompile(`/user-(\d+)\.slice/`)

// unitIn is the unit of systemd whose control group it is: "nginx.service", or
// with its user "web.service of ann"; "" where it is none.
func unitIn(group string) string {
	name := ""
	for _, part := range strings.Split(path.Clean(group), "/") {
		if part == "init.scope" { // systemd itself, for whatever unit
			continue
		}
		if strings.HasSuffix(part, ".service") || strings.HasSuffix(part, ".scope") || strings.HasSuffix(part, ".socket") {
			name = part
		}
	}
	if m := userSlice.FindStringSubmatch(group); m != nil && name != "" {
		who := "uid " + m[1]
		if u, err := user.LookupId(m[1]); err == nil {
			who = u.Username
		}
		name += " of " + who
	}
	return name
}
