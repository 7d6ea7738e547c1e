package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/skupper-host/skupper/system/api"
)

// server is the API on the agent's socket.
type server struct {
	listener net.Listener
	http     *http.Server
}

// headerTimeout bounds a client that connects and says nothing.
const headerTimeout = 10 * time.Second

// grace is how long requests may go on when the agent ends.
const grace = 10 * time.Second

// listen opens the socket. The controller lock is held, so that a socket that
// lies there is a dead agent's.
func (a *Agent) listen() (*server, error) {
	path, err := a.m.options.Paths.AgentSocket()
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// The mode is that of the directory until the socket has its own.
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("agent socket: %w", err)
	}
	refused := -1
	if a.m.options.Paths.System {
		refused = share(path)
	} else if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("/", api.Handler(a))
	mux.Handle("GET /metrics", newMetrics(a).handler())
	return &server{
		listener: &checkedListener{Listener: l, refused: refused},
		http:     &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout},
	}, nil
}

// share opens the system instance's socket to the group skupper, and returns
// the uid that is refused all the same: the routers', which only carry bytes.
// Where the group or the user does not exist the socket stays root's.
func share(path string) (refused int) {
	refused = -1
	if u, err := user.Lookup(routerUser); err == nil {
		if id, err := strconv.Atoi(u.Uid); err == nil {
			refused = id
		}
	}
	mode := os.FileMode(0o600)
	if g, err := user.LookupGroup(routerUser); err == nil {
		if id, err := strconv.Atoi(g.Gid); err == nil && os.Chown(path, 0, id) == nil {
			mode = 0o660
		}
	}
	_ = os.Chmod(path, mode) // the directory guards it
	return refused
}

// checkedListener closes connections of one uid at once.
type checkedListener struct {
	net.Listener
	refused int // uid, -1 for none
}

// Accept implements net.Listener.
func (l *checkedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.refused < 0 || api.PeerUID(c) != l.refused {
			return c, err
		}
		_ = c.Close() // it gets no answer
	}
}

// run serves until ctx is done and lets requests finish.
func (s *server) run(ctx context.Context) error {
	ended := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		_ = s.http.Shutdown(limit) // what is still open then ends with the process
	})
	defer ended()
	err := s.http.Serve(s.listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
