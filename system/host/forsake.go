package host

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/state"
)

// Forsake has the namespace be changed without the container engine that runs its
// router, where that does not answer: for a site that moves away from it. What of
// the router can be reached without the engine is ended.
func (n *Namespace) Forsake() { n.forsake = true }

// Forsaken is why an engine was gone without, nil if none was. A container of the
// namespace may be left in it.
func (n *Namespace) Forsaken() *container.UnreachableError { return n.forsaken }

// without takes the failure of something that was asked of a forsaken engine.
// Errors that have other causes as well stay.
func (n *Namespace) without(err error) error {
	if !n.forsake || err == nil {
		return err
	}
	gone, rest := unreachable(err)
	if gone != nil && rest == nil {
		n.forsaken = gone
	}
	return rest
}

// unreachable divides an error: what says that an engine does not answer, and all
// else.
func unreachable(err error) (gone *container.UnreachableError, rest error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var others []error
		for _, e := range joined.Unwrap() {
			g, r := unreachable(e)
			if g != nil {
				gone = g
			}
			others = append(others, r)
		}
		return gone, errors.Join(others...)
	}
	if errors.As(err, &gone) {
		return gone, nil
	}
	return nil, err
}

// orphan is the unit of a namespace whose engine does not answer: it runs while
// something serves the router's socket.
func orphan(u UnitRef) (state.Unit, bool) {
	if servedBy(u.Socket) == 0 {
		return state.Unit{}, false
	}
	return state.Unit{Running: true, Enabled: true, Container: &container.Container{Engine: u.Platform, Name: u.Container}}, true
}

// servedBy is the process that listens at a Unix socket, 0 if none does.
func servedBy(socket string) (pid int) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0
	}
	defer func() { _ = c.Close() }() // nothing was said
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	if err != nil {
		return 0
	}
	return pid
}

// endOrphan ends the router that serves a socket: it is asked, and killed where it
// has not ended after its time to stop.
func endOrphan(ctx context.Context, socket string, after time.Duration) error {
	pid := servedBy(socket)
	if pid == 0 {
		return nil
	}
	deadline := time.After(after)
	look := time.NewTicker(orphanLook)
	defer look.Stop()
	err := syscall.Kill(pid, syscall.SIGTERM)
	for err == nil {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline:
			err, deadline = syscall.Kill(pid, syscall.SIGKILL), nil
		case <-look.C:
			err = syscall.Kill(pid, 0)
		}
	}
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// orphanLook is how often it is looked whether a router that was asked to end
// has.
const orphanLook = 20 * time.Millisecond
