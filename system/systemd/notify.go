package systemd

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier tells whoever supervises this process how it is (sd_notify(3)). The
// built-in supervisor understands it as well as systemd. Without a supervisor
// that listens every method does nothing: nobody needs to know.
type Notifier struct {
	socket   string        // empty: nobody listens
	watchdog time.Duration // 0: nobody waits for signs of life
}

// NewNotifier reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
func NewNotifier(getenv func(string) string) *Notifier {
	n := &Notifier{socket: getenv("NOTIFY_SOCKET")}
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n
	}
	if us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		n.watchdog = time.Duration(us) * time.Microsecond
	}
	return n
}

// Ready tells that the process has started, or has read its configuration.
func (n *Notifier) Ready() { n.send("READY=1") }

// Status tells what the process does, in one line.
func (n *Notifier) Status(text string) {
	n.send("STATUS=" + strings.ReplaceAll(text, "\n", " "))
}

// Reloading tells that the process reads its configuration; Ready ends that.
func (n *Notifier) Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return
	}
	n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// Stopping tells that the process is about to end.
func (n *Notifier) Stopping() { n.send("STOPPING=1") }

// Watchdog gives signs of life until ctx is done, at half of the interval that
// the supervisor waits. Each time alive is asked first; when it says no, there
// is no sign, and the supervisor will restart the process.
func (n *Notifier) Watchdog(ctx context.Context, alive func() bool) {
	if n.socket == "" || n.watchdog == 0 {
		return
	}
	ticker := time.NewTicker(n.watchdog / 2)
	defer ticker.Stop()
	for {
		if alive() {
			n.send("WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// send sends one message. A supervisor that is not there, or too busy to
// listen, is no failure of this process.
func (n *Notifier) send(message string) {
	if n.socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(message))
	_ = conn.Close()
}
