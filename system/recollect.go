package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// damagedRecords are records of a namespace that cannot be read. Nothing is
// changed without them: they say who the site is.
type damagedRecords struct {
	namespace, file string
	err             error
}

func (e *damagedRecords) Error() string { return e.file + ": " + e.err.Error() }

func (e *damagedRecords) Unwrap() error { return e.err }

// Hint says what to do about it.
func (e *damagedRecords) Hint() string {
	if errors.Is(e.err, state.ErrLater) {
		return "install that version again"
	}
	return fmt.Sprintf("the router goes on. Move the file away and run `skupper -n %s system reload`: it is made again from the configuration of the router, but for the tokens that were redeemed and the links that were handed out", e.namespace)
}

// memoryOf reads the records of the namespace.
func (n *namespace) memoryOf(data []byte) (state.Memory, error) {
	m, err := state.ParseMemory(data)
	if err != nil {
		return m, &damagedRecords{n.paths.Name, n.paths.State(), err}
	}
	return m, nil
}

// recollect makes the view of a namespace from what is on disk, without the
// lock and without changing anything: for a process that only looks, and for
// the agent until its first pass. What cannot be read is an error, of which the
// view tells as well.
func (n *namespace) recollect(ctx context.Context) error {
	v := &view{}
	n.half.Store(host.Interrupted(n.paths) || input.Interrupted(n.paths))
	snap, err := n.store.Load()
	if err != nil {
		v.failure = summary(err)
		n.seen.Store(v)
		return err
	}
	v.hasInput = !snap.Empty()
	v.input = snap.Set
	for _, s := range resource.Of[*resource.Site](snap.Set) {
		v.siteName = s.Name
	}
	if snap.Err != nil {
		v.failure, v.blamed = summary(snap.Err), blames(snap.Err, nil)
	}
	if v.memory, err = n.remembered(ctx); err != nil {
		v.failure = summary(err)
	}
	if v.memory.Generation > 0 {
		n.recollectShown(v)
		n.recollectSite(ctx, snap, v)
	}
	n.seen.Store(v)
	return err
}

// remembered is what the namespace remembers, read from its files. With an error
// it is what the configuration of its router tells.
func (n *namespace) remembered(ctx context.Context) (state.Memory, error) {
	var damage error
	switch data, err := os.ReadFile(n.paths.State()); {
	case err == nil:
		m, err := n.memoryOf(data)
		if err == nil {
			return m, nil
		}
		damage = err
	case !errors.Is(err, fs.ErrNotExist):
		damage = err
	}
	data, err := os.ReadFile(n.paths.RouterConfig())
	if err != nil {
		return state.Memory{}, damage // nothing was ever made
	}
	m, err := state.Recall(data)
	unit := n.unitStatus(ctx)
	m.Stopped = m.Generation > 0 && unit.PID == 0 && !unit.Enabled
	return m, errors.Join(damage, err)
}

// recollectSite builds the site of the generation in effect from the snapshot
// of its input.
func (n *namespace) recollectSite(ctx context.Context, snap *input.Snapshot, v *view) {
	set, err := input.Resources(n.paths.Snapshot())
	if err != nil {
		v.failure = first(v.failure, summary(err))
		return
	}
	context := n.m.context(ctx, n.paths, snap, v.memory)
	context.Tolerant = true
	built, _, err := site.Build(set, context)
	if err != nil {
		v.failure = first(v.failure, summary(err))
		return
	}
	v.site, v.siteName = built, built.Name
	v.credentials = certificates(built, n.credentialFiles(built))
}

// recollectShown reads the resources as they were shown last: their status, and
// the grants.
func (n *namespace) recollectShown(v *view) {
	v.grants = grantBook{}
	if written, err := input.Resources(n.paths.RuntimeResources()); err == nil {
		v.shown = showing(slices.Collect(written.All()))
		for o := range written.All() {
			if g, ok := o.(*resource.AccessGrant); ok && g.UID != "" {
				v.grants[g.Name] = g
			}
		}
	}
}

// credentialFiles reads the credentials in use. Keys are left where they are.
func (n *namespace) credentialFiles(s *site.Site) map[render.CredentialKey]pki.Pair {
	pairs := map[render.CredentialKey]pki.Pair{}
	for _, c := range s.Credentials {
		key := render.CredentialKey{Authority: c.Use == site.CA, Name: c.Name}
		dir := n.paths.CertDir(c.Name)
		if key.Authority {
			dir = n.paths.IssuerDir(c.Name)
		}
		// What cannot be read is shown as an error of the certificate.
		ca, _ := os.ReadFile(filepath.Join(dir, pki.CAFile))
		cert, _ := os.ReadFile(filepath.Join(dir, pki.CertFile))
		pairs[key] = pki.Pair{CA: ca, Cert: cert}
	}
	return pairs
}
