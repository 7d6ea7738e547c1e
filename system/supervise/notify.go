package supervise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// sign is what a process tells of itself.
type sign struct {
	pid                                int
	ready, reloading, stopping, living bool
	text                               string
	hasText                            bool
}

// maxSign is the longest message that is read, bytes. systemd's is 4096.
const maxSign = 4096

// listen opens the notify socket. A socket of an earlier supervisor is taken
// over: the lock of the data home says that it is gone.
func listen(path string) (*net.UnixConn, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		var set error
		err = raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) })
		err = errors.Join(err, set)
	}
	if err == nil {
		// Processes of another user must be able to send. Who may is decided by
		// the directory, and by the number of the sender.
		mode := fs.FileMode(0o600)
		if os.Geteuid() == 0 {
			mode = 0o622
		}
		err = os.Chmod(path, mode)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("notify socket: %w", err), conn.Close())
	}
	return conn, nil
}

// receive hands every message to deliver until ctx is done.
func receive(ctx context.Context, conn *net.UnixConn, deliver func(sign)) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	buf, oob := make([]byte, maxSign), make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4*16))
	for {
		n, oobn, flags, _, err := conn.ReadMsgUnix(buf, oob)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("notify socket: %w", err)
		}
		pid := sender(oob[:oobn])
		if pid == 0 || flags&unix.MSG_TRUNC != 0 {
			continue
		}
		s := parseSign(string(buf[:n]))
		s.pid = pid
		deliver(s)
	}
}

// sender is the process that sent a message, as the kernel says; 0 if it does
// not. Descriptors that came along are closed: nothing keeps them.
func sender(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	pid := 0
	for _, m := range messages {
		if cred, err := unix.ParseUnixCredentials(&m); err == nil {
			pid = int(cred.Pid)
			continue
		}
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			for _, fd := range fds {
				_ = unix.Close(fd) // not ours
			}
		}
	}
	return pid
}

// parseSign reads a message: lines of KEY=value.
func parseSign(text string) sign {
	var s sign
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch key {
		case "READY":
			s.ready = value == "1"
		case "RELOADING":
			s.reloading = value == "1"
		case "STOPPING":
			s.stopping = value == "1"
		case "WATCHDOG":
			s.living = value == "1"
		case "STATUS":
			s.text, s.hasText = strings.ToValidUTF8(value, "?"), true
		}
	}
	return s
}
