package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is a process that is looked after: started here, or found.
type child struct {
	identity
	file *os.File  // pidfd; nil where the kernel has none
	cmd  *exec.Cmd // nil for one that was found
}

// ErrRunning is wrapped when the lock of a process is held by one that has no
// record: started by hand, or by another supervisor.
var ErrRunning = errors.New("another process holds its lock")

// takeLock takes the lock that a process holds for its life.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrRunning
	}
	return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
}

// stray finds a process that holds the lock of a Ref, whatever happened to its
// record.
func stray(r Ref) (identity, bool) {
	if _, err := os.Stat(r.lockPath()); err != nil {
		return identity{}, false
	}
	lock, err := takeLock(r.lockPath())
	if err == nil {
		_ = lock.Close() // nobody has it
		return identity{}, false
	}
	pid, ok := holder(r.lockPath())
	if !ok {
		return identity{}, false
	}
	id, err := identify(pid)
	return id, err == nil
}

// command prepares the process. It gets the lock as descriptor 3.
func command(spec Spec, socket string, lock, log *os.File) *exec.Cmd {
	cmd := exec.Command(spec.Command[0], spec.Command[1:]...)
	cmd.Env = append(append([]string{}, spec.Env...), "NOTIFY_SOCKET="+socket)
	if spec.Watchdog > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("WATCHDOG_USEC=%d", spec.Watchdog.Microseconds()))
	}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if spec.Credential != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: spec.Credential.UID, Gid: spec.Credential.GID}
		if spec.LowPorts {
			cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_BIND_SERVICE}
		}
	}
	return cmd
}

// spawn starts the process.
func spawn(cmd *exec.Cmd) (*child, error) {
	pidfd := -1
	cmd.SysProcAttr.PidFD = &pidfd
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd}
	if pidfd >= 0 {
		c.file = pollable(pidfd)
	}
	var err error
	if c.identity, err = identify(cmd.Process.Pid); err != nil {
		// It ended already; wait will say how.
		c.identity = identity{PID: cmd.Process.Pid}
	}
	return c, nil
}

// adopt takes up a process that another supervisor started. It fails if the
// number belongs to another process now.
func adopt(id identity) (*child, error) {
	c := &child{identity: id}
	if fd, err := unix.PidfdOpen(id.PID, 0); err == nil {
		c.file = pollable(fd)
	}
	if !id.alive() { // asked after the descriptor was opened: it is of this one
		c.close()
		return nil, errNoProcess
	}
	return c, nil
}

// pollable makes a pidfd something that a goroutine can wait for.
func pollable(fd int) *os.File {
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil
	}
	return os.NewFile(uintptr(fd), "pidfd")
}

func (c *child) close() {
	if c.file != nil {
		_ = c.file.Close() // nothing was written
	}
}

// lookAgain is how often a process is looked at where the kernel has no pidfds.
const lookAgain = 200 * time.Millisecond

// wait returns when the process has ended, and how; false if ctx is done first.
func (c *child) wait(ctx context.Context) (result string, ended bool) {
	if !c.awaitEnd(ctx) {
		return "", false
	}
	if c.cmd == nil {
		return "ended", true
	}
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err.Error(), true
	}
	return describe(c.cmd.ProcessState.Sys().(syscall.WaitStatus)), true
}

// describe says how a process ended.
func describe(w syscall.WaitStatus) string {
	switch {
	case w.Signaled():
		return "killed by " + unix.SignalName(w.Signal())
	default:
		return fmt.Sprintf("exit status %d", w.ExitStatus())
	}
}

func (c *child) awaitEnd(ctx context.Context) bool {
	if c.file != nil {
		if raw, err := c.file.SyscallConn(); err == nil {
			stop := context.AfterFunc(ctx, func() { _ = c.file.SetReadDeadline(time.Unix(1, 0)) })
			defer stop()
			if raw.Read(func(fd uintptr) bool { return readable(int(fd)) }) == nil {
				return true
			}
			if ctx.Err() != nil {
				return false
			}
		}
	}
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for c.alive() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}

// readable reports whether a pidfd says that its process has ended.
func readable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}

// signal sends a signal to the process and to no other.
func (c *child) signal(sig syscall.Signal) {
	if c.file != nil {
		raw, err := c.file.SyscallConn()
		if err == nil && raw.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) }) == nil && !errors.Is(err, unix.ENOSYS) {
			return // delivered, or nobody is left to deliver it to
		}
	}
	if c.alive() {
		_ = unix.Kill(c.PID, sig) // as above
	}
}

// kill ends the process and everything that it started in its session.
func (c *child) kill() {
	if c.alive() {
		_ = unix.Kill(-c.PID, unix.SIGKILL) // its own group: it leads a session
	}
	c.signal(unix.SIGKILL)
}
