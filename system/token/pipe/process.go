package pipe

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/token"
)

// Descriptors of the process.
const (
	pipeFD   = 3
	listenFD = 4
)

// ErrAlone is returned by a process that no agent has started.
var ErrAlone = errors.New("there is no agent at the other end")

// Pair makes both ends of a pipe: the agent's, and the one for the process.
func Pair() (agent net.Conn, process *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	own := os.NewFile(uintptr(fds[0]), "agent's end")
	process = os.NewFile(uintptr(fds[1]), "grant server's end")
	agent, err = net.FileConn(own)
	if err = errors.Join(err, own.Close()); err != nil { // FileConn has a copy
		return nil, nil, errors.Join(err, process.Close())
	}
	return agent, process, nil
}

// Command is a process that calls Run: a program with its arguments, as a user
// who is in no group but one. It gets nothing of the environment, and is in a
// session of its own: what is typed at the agent's terminal is not for it.
func Command(program string, args []string, process, listener *os.File, uid, gid int) *exec.Cmd {
	cmd := exec.Command(program)
	cmd.Args = args
	cmd.Dir = "/"
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{pipeFD - 3: process, listenFD - 3: listener}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if uid != os.Geteuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return cmd
}

// Run is what the process does: it serves the socket that it was given until the
// agent is gone, or ctx is done.
func Run(ctx context.Context) error {
	conn, listener, err := inherited()
	if err != nil {
		return err
	}
	if err := conceal(); err != nil {
		return errors.Join(err, conn.Close(), listener.Close())
	}
	return serve(ctx, conn, listener)
}

// inherited takes the descriptors that Command gives. They may be anything
// where something else has started the process, and are not touched then.
func inherited() (net.Conn, net.Listener, error) {
	domain, err := unix.GetsockoptInt(pipeFD, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return nil, nil, ErrAlone
	}
	if listens, err := unix.GetsockoptInt(listenFD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listens == 0 {
		return nil, nil, ErrAlone
	}
	pipe, socket := os.NewFile(pipeFD, "pipe"), os.NewFile(listenFD, "listener")
	conn, err := net.FileConn(pipe)
	if err = errors.Join(err, pipe.Close()); err != nil {
		return nil, nil, errors.Join(err, socket.Close())
	}
	listener, err := net.FileListener(socket)
	if err = errors.Join(err, socket.Close()); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, listener, nil
}

// conceal has no other process of the same user, such as a router, read the
// memory, in which there will be a key. It gives the process the name of the
// program first: it was started by another path.
func conceal() error {
	_ = os.WriteFile("/proc/self/comm", []byte("skupper"), 0) // a help for people, and no more
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
}

// serve serves l for the agent at the other end of conn, and closes both.
func serve(ctx context.Context, conn net.Conn, l net.Listener) error {
	defer func() { _, _ = conn.Close(), l.Close() }() // mostly closed already
	closing := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer closing()
	a := newAsker(conn)
	s := token.NewServer(token.Route(&token.RenewHandler{Renewer: a}, &token.Handler{Grantor: a}), a.certificate)
	s.ErrorLog = log.New(io.Discard, "", 0) // what strangers do wrong fills no log
	if err := a.say(ask{Ready: true}); err != nil {
		return err
	}
	var listening sync.WaitGroup
	var failed error
	over := make(chan struct{})
	listening.Go(func() {
		failed = a.listen()
		close(over)
		_, _ = conn.Close(), s.Close() // what is asked then is asked again
	})
	var err error
	select {
	case <-a.shown:
		err = s.ServeTLS(l, "", "")
	case <-over:
	}
	_ = conn.Close()
	listening.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(failed, err)
}
