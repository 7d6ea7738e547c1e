package plan

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/state"
)

// units brings units to their wanted state, in the order in which systemctl is
// used: the files are read, what starts at boot is settled, then what runs now.
func (p *planner) units() {
	if len(p.superseded) > 0 || slices.ContainsFunc(slices.Collect(maps.Values(p.want.Units)), p.fileWritten) {
		p.add(Step{Op: Load})
	}
	for _, name := range slices.Sorted(maps.Keys(p.want.Units)) {
		p.unit(name, p.want.Units[name], p.have.Units[name])
	}
	for _, name := range slices.Sorted(maps.Keys(p.have.Units)) {
		if _, ok := p.want.Units[name]; !ok {
			p.unit(name, state.Unit{}, p.have.Units[name])
		}
	}
	for path, f := range p.have.Files {
		if _, ok := p.want.Files[path]; !ok && f.Subject == state.SubjectUnit && !slices.Contains(p.superseded, path) {
			p.deferred = true
		}
	}
}

// supersede takes away the unit file of a unit that is to be generated: it would
// hide what is generated. The unit goes on meanwhile.
func (p *planner) supersede() {
	for _, name := range slices.Sorted(maps.Keys(p.want.Units)) {
		want, have := p.want.Units[name], p.have.Units[name]
		if !want.Generated() {
			continue
		}
		for _, path := range slices.Sorted(maps.Keys(p.have.Files)) {
			f := p.have.Files[path]
			if _, ok := p.want.Files[path]; ok || f.Subject != state.SubjectUnit {
				continue
			}
			if have.Enabled && have.File == path {
				p.add(Step{Op: Disable, Subject: name, Unit: name, Spec: have})
			}
			p.add(Step{Op: Delete, Subject: f.Subject, Detail: filepath.Base(path), Files: map[string]state.File{path: f}})
			p.superseded = append(p.superseded, path)
		}
	}
}

// fileWritten reports whether the unit has another file than before.
func (p *planner) fileWritten(u state.Unit) bool {
	return u.File != "" && slices.Contains(p.written, u.File)
}

func (p *planner) unit(name string, want, have state.Unit) {
	spec := want
	if !want.Running && len(spec.Command) == 0 {
		spec = have
	}
	step := func(op Op, detail string, drops state.Losses) {
		p.add(Step{Op: op, Subject: name, Unit: name, Spec: spec, Detail: detail, Drops: drops})
	}
	if have.Running && !want.Running {
		step(Stop, "", p.have.Losses[""])
	}
	if want.Running && have.Running && want.File == "" && !want.Defines(have) {
		step(Load, "how it is run", nil)
	}
	switch {
	case want.Generated(), have.Generated() && !want.Enabled: // the file says it
	case want.Enabled && (!have.Enabled || p.fileWritten(want)): // the file says at what it starts
		step(Enable, "", nil)
	case have.Enabled && !want.Enabled:
		step(Disable, "", nil)
	}
	switch {
	case !want.Running:
	case !have.Running:
		step(Start, "", nil)
	case have.Identity != want.Identity:
		step(Restart, identityChange(have.Identity, want.Identity), p.have.Losses[""])
	case p.reads(want):
		step(Reload, "", nil)
	}
}

func identityChange(from, to string) string {
	if from == "" {
		return ""
	}
	return from + " becomes " + to
}

// reads reports whether a file is written that the unit reads.
func (p *planner) reads(u state.Unit) bool {
	for _, path := range p.written {
		for _, r := range u.Reads {
			if path == r || strings.HasPrefix(path, r+"/") {
				return true
			}
		}
	}
	return false
}
