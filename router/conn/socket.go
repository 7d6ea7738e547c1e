package conn

import (
	"net"

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
