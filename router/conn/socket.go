package conn

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/router/session"
)

// tune sets what a socket between routers needs, as far as nc is one: no delay
// of small segments (Go's default), and one batch of unsent octets in the
// kernel, so that what waits is ordered by us and not there.
func tune(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // a kernel without the option keeps more in its queue
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, session.BatchSize)
	})
}

// RoundTrip is how long the kernel thinks it takes until the peer's host answers,
// averaged over time; 0 if that is not known. Behind a proxy it is the proxy that
// answers.
func (c *Conn) RoundTrip() time.Duration {
	s, ok := c.wire.nc.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0
	}
	var us uint32
	err = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			us = info.Rtt
		}
	})
	if err != nil {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}
