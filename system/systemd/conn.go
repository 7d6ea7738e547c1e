package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// ErrAbsent is wrapped when no service manager answers.
var ErrAbsent = errors.New("no systemd answers")

// Options say which manager is meant.
type Options struct {
	User       bool   // the user's, not the system's
	RuntimeDir string // of the user (XDG_RUNTIME_DIR)
}

// Conn is a connection to a manager. When the manager restarts it is made
// again.
type Conn struct {
	addresses []address

	mu   sync.Mutex
	dbus *dbus.Conn // guarded by mu
}

// address is a socket at which a manager may be found.
type address struct {
	path string
	bus  bool // a message bus, not the manager itself
}

func addresses(o Options) []address {
	if o.User {
		return []address{{filepath.Join(o.RuntimeDir, "systemd/private"), false}, {filepath.Join(o.RuntimeDir, "bus"), true}}
	}
	return []address{{"/run/systemd/private", false}, {"/run/dbus/system_bus_socket", true}}
}

// Connect finds the manager. Errors wrap ErrAbsent where there is none.
func Connect(ctx context.Context, o Options) (*Conn, error) {
	c := &Conn{addresses: addresses(o)}
	if _, err := c.live(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends the connection. There need be none.
func (c *Conn) Close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dbus != nil {
		c.dbus.Close()
		c.dbus = nil
	}
}

// live gives a connection that is up, made again if need be.
func (c *Conn) live(ctx context.Context) (*dbus.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dbus != nil && c.dbus.Connected() {
		return c.dbus, nil
	}
	if c.dbus != nil {
		c.dbus.Close()
		c.dbus = nil
	}
	var errs []error
	for _, a := range c.addresses {
		conn, err := a.connect(ctx)
		if err == nil {
			c.dbus = conn
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// connect makes a connection and asks a question over it, lest a socket that
// nobody serves be taken for a manager.
func (a address) connect(ctx context.Context) (*dbus.Conn, error) {
	conn, err := dbus.NewConnection(func() (*godbus.Conn, error) { return a.dial(ctx) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.path, absent(err))
	}
	if _, err := conn.SystemStateContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s: %w", a.path, absent(err))
	}
	return conn, nil
}

func (a address) dial(ctx context.Context) (*godbus.Conn, error) {
	// The connection outlives the call that makes it.
	conn, err := godbus.Dial("unix:path="+godbus.EscapeBusAddressValue(a.path), godbus.WithContext(context.WithoutCancel(ctx)))
	if err != nil {
		return nil, err
	}
	if err := conn.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if a.bus {
		if err := conn.Hello(); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// absent tells a manager that is not there from one that is in trouble.
func absent(err error) error {
	var name godbus.Error
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR):
		return errors.Join(ErrAbsent, err)
	case errors.As(err, &name) && (name.Name == "org.freedesktop.DBus.Error.ServiceUnknown" || name.Name == "org.freedesktop.DBus.Error.NameHasNoOwner"):
		return errors.Join(ErrAbsent, err)
	}
	return err
}
