package plan

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/state"
)

// Make plans the way from what a machine has to what it should have. The plan
// is empty if and only if nothing has to be done.
func Make(want, have state.State) []Step {
	p := &planner{want: want, have: have}
	p.dirs()
	p.writes()
	p.supersede()
	p.units()
	p.deletes()
	p.count()
	return p.steps
}

// planner is a plan in the making.
type planner struct {
	want, have state.State
	steps      []Step
	written    []string // paths of the files that are written
	deferred   bool     // a unit file is deleted: unit files are read after it
	superseded []string // paths of unit files that are deleted already
}

func (p *planner) add(s Step) { p.steps = append(p.steps, s) }

// dirs makes directories, outer ones first: a path sorts before what is below.
func (p *planner) dirs() {
	for _, path := range slices.Sorted(maps.Keys(p.want.Dirs)) {
		dir := p.want.Dirs[path]
		have, ok := p.have.Dirs[path]
		if ok && (dir.Lax || have.Same(dir)) {
			continue
		}
		p.add(Step{Op: MakeDir, Path: path, Dir: dir, New: !ok})
	}
}

// group is files of one subject.
type group struct {
	rank  int
	first string // path
	files map[string]state.File
}

// Ranks of what is written. A router reads its configuration when all that it
// names is there; unit files come after what the unit runs with.
const (
	rankPlain = iota
	rankConfig
	rankUnit
)

// writes writes files that are new or different, those of a subject together,
// and tells what the router will do about a new configuration.
func (p *planner) writes() {
	groups := make(map[string]*group)
	for path, f := range p.want.Files {
		if have, ok := p.have.Files[path]; ok && have.Same(f) {
			continue
		}
		g := groups[cmp.Or(f.Subject, path)]
		if g == nil {
			g = &group{rank: p.rank(path, f), first: path, files: make(map[string]state.File)}
			groups[cmp.Or(f.Subject, path)] = g
		}
		g.first = min(g.first, path)
		g.files[path] = f
		p.written = append(p.written, path)
	}
	for _, g := range slices.SortedFunc(maps.Values(groups), func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.first, b.first))
	}) {
		p.write(g)
	}
}

func (p *planner) rank(path string, f state.File) int {
	switch {
	case f.Entities:
		return rankConfig
	case slices.ContainsFunc(slices.Collect(maps.Values(p.want.Units)), func(u state.Unit) bool { return u.File == path }):
		return rankUnit
	}
	return rankPlain
}

func (p *planner) write(g *group) {
	f := g.files[g.first]
	s := Step{Op: Write, Subject: f.Subject, Files: g.files, New: true, Detail: names(g.files)}
	if s.Subject == "" {
		s.Subject, s.Detail = g.first, ""
	}
	for path := range g.files {
		if _, ok := p.have.Files[path]; ok {
			s.New = false
		}
	}
	s.Counted = !f.Record && !f.Entities && g.rank != rankUnit
	p.add(s)
	for path, f := range g.files {
		if f.Entities {
			p.entities(p.have.Files[path].Data, f.Data)
		}
	}
}

// names lists files by what tells them apart.
func names(files map[string]state.File) string {
	if len(files) > 4 {
		return ""
	}
	var list []string
	for _, path := range slices.Sorted(maps.Keys(files)) {
		list = append(list, filepath.Base(path))
	}
	return strings.Join(list, ", ")
}

// deletes removes what is not wanted any more: files first, then the
// directories that held them, inner ones first.
func (p *planner) deletes() {
	groups := make(map[string]*group)
	for path, f := range p.have.Files {
		if _, ok := p.want.Files[path]; ok || slices.Contains(p.superseded, path) {
			continue
		}
		if _, ok := p.want.Dirs[path]; ok {
			continue // making the directory removes what is in its place
		}
		if f.Entities {
			p.entities(f.Data, nil)
		}
		key := cmp.Or(f.Subject, path)
		if groups[key] == nil {
			groups[key] = &group{first: path, files: make(map[string]state.File)}
		}
		groups[key].files[path] = f
		groups[key].first = min(groups[key].first, path)
	}
	for _, g := range slices.SortedFunc(maps.Values(groups), func(a, b *group) int { return cmp.Compare(a.first, b.first) }) {
		f := g.files[g.first]
		s := Step{Op: Delete, Subject: cmp.Or(f.Subject, g.first), Files: g.files, Counted: p.gone(g) && !f.Record && !f.Entities && f.Subject != state.SubjectUnit}
		if f.Subject != "" {
			s.Detail = names(g.files)
		}
		p.add(s)
	}
	if p.deferred {
		p.add(Step{Op: Load})
	}
	for _, path := range slices.Backward(slices.Sorted(maps.Keys(p.have.Dirs))) {
		if _, ok := p.want.Dirs[path]; !ok && !p.have.Dirs[path].Shared {
			p.add(Step{Op: RemoveDir, Path: path})
		}
	}
}

// gone reports whether nothing of a subject stays.
func (p *planner) gone(g *group) bool {
	subject := g.files[g.first].Subject
	for _, f := range p.want.Files {
		if subject != "" && f.Subject == subject {
			return false
		}
	}
	return true
}

// count makes connections count once: those that a restart or stop ends are not
// also ended by what the router removes.
func (p *planner) count() {
	if !slices.ContainsFunc(p.steps, func(s Step) bool { return s.Op == Restart || s.Op == Stop }) {
		return
	}
	for i := range p.steps {
		if s := &p.steps[i]; s.Op == Remove || s.Op == Change {
			s.Drops = nil
		}
	}
}
