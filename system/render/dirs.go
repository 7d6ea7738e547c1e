package render

import (
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/state"
)

// dirs are the directories of a namespace. In an ordinary user's tree all are
// his. In the system instance only what leads to the router's files can be
// passed through by the router, which owns these files and nothing else: it
// cannot read authorities' keys, inputs or the agent's records.
func (r *renderer) dirs() {
	p, base := r.in.Paths, r.in.Base
	dirs := make(map[string]state.Dir)
	r.out.State.Dirs = dirs
	own := func(paths ...string) {
		for _, path := range paths {
			dirs[path] = state.Dir{Mode: 0o700}
		}
	}
	shared := func(paths ...string) {
		for _, path := range paths {
			dirs[path] = state.Dir{Mode: 0o700, Shared: true}
		}
	}
	for _, path := range []string{base.DataHome, base.NamespacesDir()} {
		dirs[path] = state.Dir{Mode: 0o700, Shared: true, Lax: !base.System}
	}
	shared(p.Dir, p.InputDir(), p.InputResources(), p.InputCerts(), p.InputIssuers(), p.InternalDir())
	own(p.RuntimeDir(), p.RuntimeResources(), p.Issuers(), p.Links(), p.Snapshot())
	for _, path := range []string{p.RouterDir(), p.Certs()} {
		dirs[path] = state.Dir{Mode: 0o700, Owner: r.routerOwner()}
	}
	if container.Known(r.in.Machine.Platform) {
		dirs[p.RouterRun()] = state.Dir{Mode: 0o700, Owner: r.routerOwner(), Shared: true}
	}
	if user := r.in.Machine.User; user != "" {
		for _, path := range []string{base.DataHome, base.NamespacesDir(), p.Dir, p.RuntimeDir()} {
			d := dirs[path]
			d.Mode, d.Owner = 0o710, state.Owner{Group: user}
			dirs[path] = d
		}
	}
}

// routerOwner owns what the router reads.
func (r *renderer) routerOwner() state.Owner {
	return state.Owner{User: r.in.Machine.User, Group: r.in.Machine.User}
}

// put adds a file below a directory of its own subject, and that directory.
func (r *renderer) put(path string, data []byte, subject string, secret bool) {
	owner := r.ownerOf(path)
	r.out.State.Dirs[filepath.Dir(path)] = state.Dir{Mode: 0o700, Owner: owner}
	r.file(path, state.File{Data: data, Mode: fs.FileMode(0o600), Owner: owner, Subject: subject, Secret: secret})
}

// ownerOf gives the router what lies in its directories.
func (r *renderer) ownerOf(path string) state.Owner {
	p := r.in.Paths
	for _, dir := range []string{p.RouterDir(), p.Certs(), p.Proxies()} {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return r.routerOwner()
		}
	}
	return state.Owner{}
}
