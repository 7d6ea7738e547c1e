package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/supervise"
	"github.com/skupper-host/skupper/system/token/pipe"
)

// The agent of the system is root. What faces the network on its behalf is a
// process of its own, which has no rights and decides nothing.

// processEnded begins what a status says while the process of the grant server
// does not run.
const processEnded = "its process does not run: "

// Somebody without rights, as the kernel has him: whom the process is where there
// is no user for it, and its only group in any case. With the group of the
// routers it could reach their keys.
const (
	nobody  = 65534
	nogroup = 65534
)

// processEnd is how long the process may take to end after its pipe has.
const processEnd = 2 * time.Second

// grantProcess is how the process of the grant server is started.
type grantProcess struct {
	program string
	args    []string            // the first one is the name
	user    func() (int, error) // gives the uid that it gets
	timing  supervise.Timing
}

// ownProcess is this program: it speaks the same protocol even after an upgrade
// has replaced its file.
func ownProcess() grantProcess {
	return grantProcess{program: ProgramFile, args: []string{"skupper", "grant-server", "run"}, user: grantUser}
}

// serveApart has a process serve a listener until ctx is done, and another one
// when it ends. The listener stays open here: its port is kept, and who comes
// meanwhile waits.
func (g *grantServer) serveApart(ctx context.Context, l *net.TCPListener) {
	defer g.live("")
	again := supervise.NewBackoff(g.process.timing)
	for {
		began := time.Now()
		ready, err := g.runProcess(ctx, l)
		if ctx.Err() != nil {
			return
		}
		wait := again.Next(ready, time.Since(began))
		g.live(processEnded + err.Error())
		g.m.log.Error("the process of the grant server ended", keyErr, err, "wait", wait)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// live says whether the process runs: "", or why not.
func (g *grantServer) live(died string) {
	g.mu.Lock()
	mended := g.died != "" && died == ""
	g.died = died
	g.mu.Unlock()
	if mended {
		g.mended()
	}
}

// runProcess has a process serve a listener until it ends, or ctx is done.
// It reports whether it was ready, and why it ended.
func (g *grantServer) runProcess(ctx context.Context, l *net.TCPListener) (ready bool, err error) {
	uid, err := g.process.user()
	if err != nil {
		return false, err
	}
	conn, theirs, err := pipe.Pair()
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }() // the desk did
	socket, err := l.File()
	if err != nil {
		return false, errors.Join(err, theirs.Close())
	}
	said := &firstWords{}
	cmd := pipe.Command(g.process.program, g.process.args, theirs, socket, uid, nogroup)
	cmd.Stderr, cmd.WaitDelay = said, processEnd
	err = startBound(cmd)
	_, _ = theirs.Close(), socket.Close() // it has its own
	if err != nil {
		return false, err
	}
	desk := pipe.Desk{
		Grantor: g.guard, Renewer: g.renewer, Renewed: g.renewed, Identity: g.shown,
		Ready: func() {
			ready = true
			g.m.log.Info("the process of the grant server is ready", keyPID, cmd.Process.Pid)
			g.live("")
		},
	}
	why := desk.Answer(ctx, conn)
	killing := time.AfterFunc(processEnd, func() { _ = cmd.Process.Kill() }) // it may have ended
	ended := cmd.Wait()
	killing.Stop()
	switch {
	case !pipe.Ended(why):
		err = why
	case ended == nil:
		err = errors.New("exit status 0")
	default:
		err = ended
	}
	if words := said.String(); words != "" {
		err = fmt.Errorf("%w: %s", err, words)
	}
	return ready, err
}

// startBound starts a process that no program which it runs can give more rights
// to, such as one that is setuid.
func startBound(cmd *exec.Cmd) error {
	var starting sync.WaitGroup
	var err error
	starting.Go(func() {
		// The process inherits it of the thread, which ends with this goroutine.
		runtime.LockOSThread()
		if err = os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); err == nil {
			err = cmd.Start()
		}
	})
	starting.Wait()
	return err
}

// shown is the certificate that the process shows.
func (g *grantServer) shown() pipe.Identity {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.identity.text
}

// grantUser is the uid of the process.
func grantUser() (int, error) {
	account, err := user.Lookup(routerUser)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return nobody, nil
	}
	if err != nil {
		return 0, err
	}
	uid, _, err := numbers(account)
	if err == nil && uid == 0 {
		err = fmt.Errorf("user %s is root", routerUser)
	}
	return uid, err
}

// firstWords keeps the first line that a process says, and no more than fits into
// a status.
type firstWords struct{ text []byte }

const maxWords = 200 // bytes

// Write implements io.Writer.
func (w *firstWords) Write(p []byte) (int, error) {
	w.text = append(w.text, p[:min(len(p), maxWords-len(w.text))]...)
	return len(p), nil
}

func (w *firstWords) String() string {
	text, _, _ := strings.Cut(strings.TrimSpace(string(w.text)), "\n")
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?' // a terminal will show it
		}
		return r
	}, text)
}
