//go:build !race

package nonblock

import (
	"syscall"
	"unsafe"
)

// Read reads once from a non-blocking socket: syscall.EAGAIN if there is
// nothing, 0 at the end of the stream.
func Read(fd uintptr, p []byte) (int, error) {
	return move(syscall.SYS_RECVFROM, fd, p, syscall.MSG_DONTWAIT)
}

// Write writes once to a non-blocking socket: syscall.EAGAIN if it is full.
func Write(fd uintptr, p []byte) (int, error) {
	return move(syscall.SYS_SENDTO, fd, p, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

func move(trap, fd uintptr, p []byte, flags uintptr) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
