package freeport

import (
	"fmt"
	"syscall"
	"testing"
)

// Hold returns a port of 127.0.0.1 on which nothing listens: a connection to it
// is refused. The kernel chooses it for nobody else, neither for a listener nor
// for an outgoing connection, because a bound socket holds it until release;
// beside that one, a listener that names the port can be opened.
func Hold() (port int, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("socket: %w", err)
	}
	release = func() { _ = syscall.Close(fd) } // it has no data to lose
	port, err = bind(fd)
	if err != nil {
		release()
		return 0, nil, err
	}
	return port, release, nil
}

func bind(fd int) (port int, err error) {
	// Listeners of Go and of most servers set the same: only with it on both
	// sides they may share the port.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, fmt.Errorf("SO_REUSEADDR: %w", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, fmt.Errorf("bind: %w", err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, fmt.Errorf("getsockname: %w", err)
	}
	return at.(*syscall.SockaddrInet4).Port, nil
}

// Get is Hold until the end of the test.
func Get(t testing.TB) int {
	t.Helper()
	port, release, err := Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}
