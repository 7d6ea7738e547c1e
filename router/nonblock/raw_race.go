//go:build race

package nonblock

import "syscall"

// The race detector learns from these calls what happens before what: a test
// may hand memory over by a socket.

// Read is as without the race detector.
func Read(fd uintptr, p []byte) (int, error) { return move(syscall.Read, fd, p) }

// Write is as without the race detector.
func Write(fd uintptr, p []byte) (int, error) { return move(syscall.Write, fd, p) }

func move(call func(fd int, p []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}
