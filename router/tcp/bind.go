package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Endpoint is where a listener listens.
type Endpoint struct {
	Host string // IP address, or a name for one; empty for all addresses
	Port string // number or service; 0 is any that is free
}

func (e Endpoint) String() string { return net.JoinHostPort(e.Host, e.Port) }

// BindError says why a listener cannot listen.
type BindError struct {
	Endpoint Endpoint
	Text     string // in words
	Err      error
}

func (e *BindError) Error() string { return "listen on " + e.Endpoint.String() + ": " + e.Text }

// Unwrap returns the system's error.
func (e *BindError) Unwrap() error { return e.Err }

// Hint says what can be done about it.
func (e *BindError) Hint() string {
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return "choose another port, or stop the process that has it"
	case errors.Is(e.Err, syscall.EACCES):
		return "choose a port above 1023; lower ones need a system site"
	}
	return ""
}

// Bind opens the listening socket. backlog is as for listen(2), 0 for the
// system's largest. Its errors are *BindError.
func Bind(ctx context.Context, at Endpoint, backlog int) (net.Listener, error) {
	// Keep-alive would cost four system calls for each connection and is not
	// upstream's way. Multipath TCP would go past splice(2) and proc.
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, "tcp", at.String())
	if err != nil {
		return nil, &BindError{at, bindWords(ctx, at, err), err}
	}
	if backlog > 0 {
		setBacklog(ln, backlog)
	}
	return ln, nil
}

// setBacklog listens once more, which changes the length of the queue. A socket
// that refuses keeps its own.
func setBacklog(ln net.Listener, backlog int) {
	t, ok := ln.(*net.TCPListener)
	if !ok {
		return
	}
	if raw, err := t.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), min(backlog, 65535)) })
	}
}

func bindWords(ctx context.Context, at Endpoint, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		port, perr := net.DefaultResolver.LookupPort(ctx, "tcp", at.Port)
		if perr != nil {
			break
		}
		return holder("/proc", port)
	case errors.Is(err, syscall.EACCES):
		return fmt.Sprintf("port %s is reserved for processes with CAP_NET_BIND_SERVICE", at.Port)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return at.Host + " is not an address of this host"
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "no such host " + dns.Name
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err.Error()
	}
	return err.Error()
}

// bindAgain is how long after a bind error the next attempt is: it costs next to
// nothing, and who has freed a port does not wait for it.
const bindAgain = time.Second
