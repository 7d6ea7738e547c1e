package state

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// String prints s for people and logs, one line for each directory, file and
// unit. Of a file it shows size and digest, of a secret neither.
func (s State) String() string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(s.Dirs)) {
		d := s.Dirs[p]
		fmt.Fprintf(&b, "dir  %s%s %s\n", mode(d.Mode.Perm().String()), d.Owner, p)
	}
	for _, p := range s.Paths() {
		f := s.Files[p]
		fmt.Fprintf(&b, "file %s%s %s: %s\n", mode(f.Mode.Perm().String()), f.Owner, p, f)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Units)) {
		fmt.Fprintf(&b, "unit %s: %s\n", name, s.Units[name])
	}
	return b.String()
}

// mode drops the column of the file type.
func mode(text string) string { return text[1:] }

// String is empty for the owner who applies the state.
func (o Owner) String() string {
	if o == (Owner{}) {
		return ""
	}
	return " " + orSelf(o.User) + ":" + orSelf(o.Group)
}

func orSelf(name string) string {
	if name == "" {
		return "self"
	}
	return name
}

// String describes the content without showing it.
func (f File) String() string {
	if f.Secret {
		return "secret"
	}
	return fmt.Sprintf("%d bytes, sha256 %.6x", len(f.Data), sha256.Sum256(f.Data))
}

// Format keeps secret content out of every verb.
func (f File) Format(w fmt.State, _ rune) { fmt.Fprint(w, f.String()) }

func (u Unit) String() string {
	words := []string{"stopped", "disabled"}
	if u.Running {
		words[0] = "running"
	}
	if u.Enabled {
		words[1] = "enabled"
	}
	text := strings.Join(words, ", ")
	if u.Identity != "" {
		text += " (" + u.Identity + ")"
	}
	return text
}
