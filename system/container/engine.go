package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"syscall"
	"time"
)

// Engine is a container engine. Names that it does not know are not ok, and are
// no errors where something is to go away. Errors of an engine that cannot be
// reached are an *UnreachableError.
type Engine interface {
	// Version asks for the version. The error is a *TooOldError where it lacks
	// what the others need.
	Version(ctx context.Context) (Version, error)

	Image(ctx context.Context, name string) (image Image, ok bool, err error)
	// Load takes an image from an archive as `docker save` writes it.
	Load(ctx context.Context, archive io.Reader) error
	Pull(ctx context.Context, name string) error
	// Images lists the names of the images of a repository.
	Images(ctx context.Context, repository string) ([]string, error)
	RemoveImage(ctx context.Context, name string) error

	Inspect(ctx context.Context, name string) (status Status, ok bool, err error)
	// Create makes a container that the engine restarts whenever it ends, with
	// labels beside those of its description.
	Create(ctx context.Context, c Container, labels map[string]string) error
	Start(ctx context.Context, name string) error
	// Stop ends it and waits; after the time it is killed.
	Stop(ctx context.Context, name string, after time.Duration) error
	// Signal sends one by its name, "HUP".
	Signal(ctx context.Context, name, signal string) error
	// Remove ends it at once, if it runs, and removes it.
	Remove(ctx context.Context, name string) error
	// Logs copies what it wrote, and what it writes until ctx is done if follow
	// is set.
	Logs(ctx context.Context, name string, since time.Time, follow bool, to io.Writer) error
}

// ErrSilent is the cause of an UnreachableError where connections are taken, and
// nothing is ever answered.
var ErrSilent = errors.New("nobody answers")

// UnreachableError is an engine that does not answer.
type UnreachableError struct {
	Engine string
	Socket string
	Err    error
}

func (e *UnreachableError) Error() string {
	switch {
	case errors.Is(e.Err, fs.ErrNotExist):
		return fmt.Sprintf("%s: there is no socket %s", e.Engine, e.Socket)
	case errors.Is(e.Err, fs.ErrPermission):
		return fmt.Sprintf("%s: no permission to use %s", e.Engine, e.Socket)
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return fmt.Sprintf("%s: nothing answers at %s", e.Engine, e.Socket)
	}
	return fmt.Sprintf("%s: %s: %v", e.Engine, e.Socket, e.Err)
}

// Failing reports that the socket is served, by an engine that does not come to
// an answer.
func (e *UnreachableError) Failing() bool {
	return slices.ContainsFunc([]error{ErrSilent, io.EOF, syscall.ECONNRESET, syscall.EPIPE}, func(why error) bool { return errors.Is(e.Err, why) })
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *UnreachableError) Hint() string {
	switch {
	case e.Engine == Docker && errors.Is(e.Err, fs.ErrPermission):
		return "add the user to the group docker and log in again"
	case e.Engine == Docker:
		return "start Docker: systemctl start docker"
	case e.Failing():
		return "`systemctl status podman.service` (of a user: `systemctl --user`) says why"
	}
	return "skupper system install --platform podman sets the socket up"
}

// ForeignError is a container that has the name of one of ours and is not ours.
type ForeignError struct{ Engine, Name string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("a container %s exists in %s that is not of this site", e.Name, e.Engine)
}

// Hint says what to do about it.
func (e *ForeignError) Hint() string {
	return fmt.Sprintf("`%[1]s rm --force %[2]s` removes it, `%[1]s rename %[2]s OTHER` keeps it", e.Engine, e.Name)
}

// FullError is an engine that has no room for an image.
type FullError struct{ Engine, Image string }

func (e *FullError) Error() string {
	return fmt.Sprintf("%s has no room for the image %s: no space left on device", e.Engine, e.Image)
}

// Hint says what to do about it.
func (e *FullError) Hint() string {
	where := "podman info --format '{{.Store.GraphRoot}}'"
	if e.Engine == Docker {
		where = "docker info --format '{{.DockerRootDir}}'"
	}
	return fmt.Sprintf("make room where it keeps images (`%s` says where) and in /var/tmp, then repeat the command", where)
}

// MissingImageError is an image that is neither there nor can be had.
type MissingImageError struct {
	Engine, Image string
	Err           error
}

func (e *MissingImageError) Error() string {
	return fmt.Sprintf("%s has no image %s: %v", e.Engine, e.Image, e.Err)
}

// Unwrap returns the cause.
func (e *MissingImageError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *MissingImageError) Hint() string {
	return fmt.Sprintf("`%s pull %s`, or unset SKUPPER_ROUTER_IMAGE: then the image is made from this program", e.Engine, e.Image)
}
