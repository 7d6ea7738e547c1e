package tcp

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/router/stream"
)

// spliceStep is how much one splice(2) moves at most, in bytes: what a pipe of
// the default size holds.
const spliceStep = 64 << 10

// errNoPipe tells that splicing is impossible; copying is not.
var errNoPipe = errors.New("no pipe")

// SpliceTo implements stream.Splicer.
//
// io.Copy would use splice(2) too, but owns its pipe, two descriptors, for as
// long as the connection lives, and counts only at the end.
func (s *plain) SpliceTo(dst stream.Socket, read, wrote func(n int)) (bool, error) {
	to, ok := dst.(*plain)
	if !ok {
		return false, nil
	}
	m := &mover{}
	m.fillNow, m.drainNow = m.tryFill, m.tryDrain
	for {
		n, err := m.fill(s)
		switch {
		case errors.Is(err, errNoPipe):
			return false, nil
		case err != nil || n == 0:
			return true, err
		}
		read(n)
		if err := m.drain(to); err != nil {
			return true, err
		}
		wrote(n)
	}
}

// mover moves bytes from one socket to another. It owns a pipe only while there
// is something in it.
type mover struct {
	pipe              *pipe
	n                 int // bytes in the pipe
	err               error
	fillNow, drainNow func(fd uintptr) bool // made once: no closure per call
}

// fill waits for bytes and moves them into a pipe. It returns 0 at the end of
// the input.
func (m *mover) fill(s *plain) (int, error) {
	m.n, m.err = 0, nil
	err := s.raw.Read(m.fillNow)
	switch {
	case err != nil:
		return 0, interrupted(err)
	case m.err == unix.EINVAL || m.err == unix.ENOSYS || errors.Is(m.err, errNoPipe):
		return 0, errNoPipe
	}
	return m.n, os.NewSyscallError("splice", m.err)
}

func (m *mover) tryFill(fd uintptr) bool {
	if m.pipe = getPipe(); m.pipe == nil {
		m.err = errNoPipe
		return true
	}
	if m.n, m.err = splice(int(fd), m.pipe.w, spliceStep); m.n > 0 {
		return true
	}
	m.pipe.free()
	m.pipe = nil
	return m.err != unix.EAGAIN
}

// drain moves what is in the pipe to the socket.
func (m *mover) drain(s *plain) error {
	m.err = nil
	err := s.raw.Write(m.drainNow)
	if err == nil {
		err = os.NewSyscallError("splice", m.err)
	}
	if err != nil {
		m.pipe.close()
	} else {
		m.pipe.free()
	}
	m.pipe = nil
	return err
}

func (m *mover) tryDrain(fd uintptr) bool {
	for m.n > 0 {
		k, err := splice(m.pipe.r, int(fd), m.n)
		if err == unix.EAGAIN {
			return false
		}
		if m.err = err; err != nil {
			return true
		}
		m.n -= k
	}
	return true
}

func splice(from, to, n int) (int, error) {
	for {
		k, err := unix.Splice(from, nil, to, nil, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if err != unix.EINTR {
			return int(max(k, 0)), err
		}
	}
}

// pipe is a pipe of the kernel that is empty between uses.
type pipe struct {
	r, w    int
	cleanup runtime.Cleanup
}

var pipes = sync.Pool{New: func() any { return newPipe() }}

// newPipe returns nil if no descriptor is left. A pipe that the pool drops is
// closed when it is collected.
func newPipe() *pipe {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil
	}
	p := &pipe{r: fds[0], w: fds[1]}
	p.cleanup = runtime.AddCleanup(p, closePipe, fds)
	return p
}

func closePipe(fds [2]int) {
	_ = syscall.Close(fds[0])
	_ = syscall.Close(fds[1])
}

func getPipe() *pipe {
	p, _ := pipes.Get().(*pipe)
	return p
}

func (p *pipe) free() { pipes.Put(p) }

// close drops a pipe that is not empty.
func (p *pipe) close() {
	p.cleanup.Stop()
	closePipe([2]int{p.r, p.w})
}
