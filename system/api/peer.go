package api

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// PeerUID is the uid of the process at the other end of a Unix socket, -1 if it
// is not known.
func PeerUID(c net.Conn) int {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return -1
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return -1
	}
	uid := -1
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	if err != nil {
		return -1
	}
	return uid
}

// strangerError is about a socket where somebody else listens.
type strangerError struct{ uid int }

func (e *strangerError) Error() string {
	return fmt.Sprintf("the program there runs as uid %d, neither as you nor as root", e.uid)
}

// trusted refuses an agent that is neither one's own nor the system's: tokens
// and keys are sent to it. Root can read everybody's in any case.
func trusted(c net.Conn) error {
	self, uid := os.Geteuid(), PeerUID(c)
	if self == 0 || uid == 0 || uid == self {
		return nil
	}
	return &strangerError{uid}
}
