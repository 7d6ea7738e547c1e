package state

import (
	"bytes"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/container"
)

// State is what a machine has of one namespace. The zero value is a machine
// that has nothing of it.
type State struct {
	Dirs  map[string]Dir  // by absolute path
	Files map[string]File // by absolute path
	Units map[string]Unit // by name: "skupper-west.service"

	// Losses are the connections that end with an entity, see Entity.Key, or with
	// the router, "", as observed. They have no effect but on what a plan says it
	// will cost.
	Losses map[string]Losses
}

// Losses counts connections by the key of the service that they belong to;
// those of other sites, which pass through, by "".
type Losses map[string]int64

// Owner is who owns a file or directory. The empty name means whoever applies
// the state: the user himself, or root.
type Owner struct {
	User  string
	Group string
}

// Dir is a directory.
type Dir struct {
	Mode  fs.FileMode // permission bits
	Owner Owner

	// Shared marks a directory that holds things of others as well: it is made
	// if it is missing, but never removed. Lax leaves mode and owner of one that
	// exists as they are.
	Shared bool
	Lax    bool
}

// Same reports whether two directories are the same for the machine.
func (d Dir) Same(o Dir) bool { return d.Mode == o.Mode && d.Owner == o.Owner }

// File is a regular file with its content.
type File struct {
	Data  []byte
	Mode  fs.FileMode // permission bits
	Owner Owner

	// Secret content is never printed, in no form.
	Secret bool

	// Subject is what the file belongs to, in words for people: "certificate
	// west". Files of one subject change together.
	Subject string
	// Record marks bookkeeping: such a file changes because something else
	// does, and is not counted as a change of its own.
	Record bool
	// Derived marks a record that can be made again from everything else. It
	// need not survive a loss of power, nor be kept for the way back of a change
	// that fails.
	Derived bool
	// Entities marks the router's configuration; a plan compares it entity by
	// entity.
	Entities bool
}

// Same reports whether two files hold the same for the machine: content, mode
// and owner.
func (f File) Same(o File) bool {
	return f.Mode == o.Mode && f.Owner == o.Owner && bytes.Equal(f.Data, o.Data)
}

// Unit is a process that systemd supervises, or the agent itself.
type Unit struct {
	// Running and Enabled are wanted or observed. What is enabled comes back
	// when the machine boots.
	Running bool
	Enabled bool

	// Identity names what only a restart can change, such as the router's mode.
	// A running unit with another identity is restarted.
	Identity string

	// The following are not observed where a unit file has them.

	File     string        // unit file, if there is one
	Command  []string      // program with its absolute path, and arguments
	Env      []string      // "KEY=value", the whole environment
	User     string        // the process runs as; empty: as its supervisor
	LowPorts bool          // may bind ports below the unprivileged start
	RunDir   string        // made for the process, 0700 and its own
	Log      string        // where output goes if no journal takes it
	Stop     time.Duration // from the request to stop until it is killed
	Reads    []string      // files and directories: after a change of one it is reloaded

	// Container is what runs the process, nil for a process of the host.
	Container *container.Container
}

// Generated reports whether the unit is one that podman's generator makes of a
// Quadlet file. What it starts with is said in that file: nobody can enable or
// disable it.
func (u Unit) Generated() bool { return strings.HasSuffix(u.File, quadletSuffix) }

// quadletSuffix is how the names of Quadlet files of containers end
// (podman-systemd.unit(5)).
const quadletSuffix = ".container"

// Defines reports whether a unit is run as u says: what its supervisor would
// start is the same.
//
// How a container is run cannot be changed while there is one: what matters of
// it is in Identity, and the rest takes effect when it is made anew.
func (u Unit) Defines(o Unit) bool {
	if u.Container != nil && o.Container != nil {
		return true
	}
	return slices.Equal(u.Command, o.Command) && slices.Equal(u.Env, o.Env) && u.User == o.User && u.LowPorts == o.LowPorts &&
		u.RunDir == o.RunDir && u.Log == o.Log && u.Stop == o.Stop
}

// Paths lists the paths of all files in order.
func (s State) Paths() []string { return slices.Sorted(maps.Keys(s.Files)) }

// IdentitySection and IdentityKey are where a unit file keeps Unit.Identity.
// systemd ignores what begins with X-.
const (
	IdentitySection = "X-Skupper"
	IdentityKey     = "Identity"
)
