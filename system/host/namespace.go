package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/layout"
)

// Host is the machine as far as one instance is concerned.
type Host struct {
	base  layout.Paths
	units Units

	reach func(point string) error // as of New; for tests

	mu   sync.Mutex
	seen map[string]seenFiles // guarded by mu; by namespace directory
}

// New makes the host of an instance whose units are supervised by units. reach,
// if it is not nil, is called before every operation that changes something,
// with words for it; an error stands for the failure of the operation.
func New(base layout.Paths, units Units, reach func(point string) error) *Host {
	return &Host{base: base, units: units, reach: reach, seen: make(map[string]seenFiles)}
}

// Units is what supervises the routers.
func (h *Host) Units() Units { return h.units }

// Namespace is one that this process may look at and change: it has the lock.
type Namespace struct {
	host  *Host
	paths layout.NamespacePaths
	lock  *Lock

	// Completed are the steps of an interrupted change that were done when the
	// namespace was opened. Pending is why that failed; the next Apply, or the
	// next Open, tries again.
	Completed []string
	Pending   error

	owed []task // steps on units that could not be completed

	partial bool // what was observed last is without records of objects

	forsake  bool // an engine that does not answer is gone without
	forsaken *container.UnreachableError
}

// Open locks a namespace, waiting until ctx is done, and completes a change
// that was interrupted. It makes the directory if there is none. Errors wrap
// ErrLocked.
func (h *Host) Open(ctx context.Context, paths layout.NamespacePaths) (*Namespace, error) {
	if err := os.MkdirAll(paths.InternalDir(), 0o700); err != nil {
		return nil, err
	}
	lock, err := takeLock(ctx, paths.Lock())
	if err != nil {
		for _, dir := range []string{paths.InternalDir(), paths.Dir} {
			_ = os.Remove(dir) // if it was just made; it stays where something is in it
		}
		return nil, fmt.Errorf("namespace %s: %w", paths.Name, err)
	}
	n := &Namespace{host: h, paths: paths, lock: lock}
	if err := n.recover(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("namespace %s: %w", paths.Name, err), lock.Close())
	}
	return n, nil
}

// Close gives the namespace back.
func (n *Namespace) Close() error { return n.lock.Close() }

// Paths are the places of the namespace.
func (n *Namespace) Paths() layout.NamespacePaths { return n.paths }

func (n *Namespace) unitRef() UnitRef { return n.host.UnitRef(n.paths) }

// UnitRef names the unit of a namespace.
func (h *Host) UnitRef(p layout.NamespacePaths) UnitRef {
	return UnitRef{
		Name: layout.UnitName(p.Name), File: p.Unit, Quadlet: p.Quadlet, Records: p.InternalDir(), PIDFile: p.RouterPID(),
		Platform: Platform(p), Container: layout.ContainerName(p.Name), Socket: p.RouterSocket, Run: p.RouterRun(),
	}
}

// Platform is the platform that the router of a namespace runs on. What
// upstream's tools say of a namespace that was never started here is about their
// router.
func Platform(p layout.NamespacePaths) string {
	if _, err := os.Lstat(p.State()); err != nil {
		return ""
	}
	data, err := os.ReadFile(p.Platform())
	if err != nil {
		return ""
	}
	return ParsePlatform(data)
}

// ParsePlatform reads what binds a namespace to a platform.
func ParsePlatform(data []byte) string {
	text, _ := strings.CutPrefix(string(data), "platform:")
	return strings.Trim(strings.TrimSpace(text), `"'`)
}

// scratchMark is in the names of files that are being written, or that are
// about to go: ".<name>.tmp-<random>". Whoever watches directories ignores them.
const scratchMark = ".tmp-"

func isScratch(name string) bool {
	return strings.HasPrefix(name, ".") && strings.Contains(name, scratchMark)
}

// scratchPath is a name beside path for a file of a transaction.
func scratchPath(path, transaction, kind string) string {
	dir, name := filepath.Split(path)
	return dir + "." + name + scratchMark + transaction + kind
}
