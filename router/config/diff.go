package config

import (
	"fmt"
	"slices"
	"strings"
)

// Op is what a Change does.
type Op uint8

// The operations.
const (
	OpCreate  Op = iota // the entity is new
	OpModify            // attributes change that UPDATE may change; the entity stays
	OpReplace           // other attributes change: delete it and create it anew
	OpDelete            // the entity is gone
)

// String returns the operation as one word.
func (o Op) String() string { return [...]string{"create", "modify", "replace", "delete"}[o] }

// Change is one difference between two configurations.
type Change struct {
	Op         Op
	Old        Entity   // nil for OpCreate
	New        Entity   // nil for OpDelete
	Attributes []string // that differ, in the order of a file; of OpModify and OpReplace
	Live       bool     // can be done without starting the router again
}

// Entity returns the entity as it will be, or as it was if it goes.
func (c *Change) Entity() Entity {
	if c.New != nil {
		return c.New
	}
	return c.Old
}

// String returns one line: "modify listener amqp: port, cost".
func (c Change) String() string {
	e := c.Entity()
	s := fmt.Sprintf("%s %s %s", c.Op, e.Type().section(), Name(e))
	if len(c.Attributes) > 0 {
		s += ": " + strings.Join(c.Attributes, ", ")
	}
	if !c.Live {
		s += " (after a restart)"
	}
	return s
}

// Changes are the differences in the order in which to apply them.
type Changes []Change

// Live reports whether all of them can be done without starting the router
// again.
func (c Changes) Live() bool {
	return !slices.ContainsFunc(c, func(x Change) bool { return !x.Live })
}

// Diff returns what makes new of old. Entities are the same if they have the
// same type and name; lines do not matter. Entities are deleted first, those
// that refer to others before these, and created in the opposite order. The
// entities of the result point into old and new.
func Diff(old, new *Config) Changes {
	before := map[key]Entity{}
	for _, e := range old.Entities() {
		before[keyOf(e)] = e
	}
	var gone, rest Changes
	for _, e := range new.Entities() {
		k := keyOf(e)
		was := before[k]
		delete(before, k)
		if was == nil {
			rest = append(rest, Change{Op: OpCreate, New: e, Live: true})
		} else if c, changed := compare(was, e); changed {
			rest = append(rest, c)
		}
	}
	for _, e := range old.Entities() {
		if before[keyOf(e)] != nil {
			gone = append(gone, Change{Op: OpDelete, Old: e, Live: true})
		}
	}
	slices.Reverse(gone)
	return append(gone, rest...)
}

// key is what makes two entities the same.
type key struct {
	typ  *Type
	name string
}

// keyOf returns the key of e. There is only one of a singleton, whatever its
// name.
func keyOf(e Entity) key {
	if e.Type().Singleton {
		return key{typ: e.Type()}
	}
	return key{e.Type(), Name(e)}
}

func compare(old, new Entity) (Change, bool) {
	if equal(old, new) {
		return Change{}, false
	}
	b, was := of(old)
	_, is := of(new)
	c := Change{Op: OpModify, Old: old, New: new, Live: true}
	for i := range b.fields {
		f := &b.fields[i]
		if f.attr.Name == "name" || same(f.load(was), f.load(is)) {
			continue
		}
		c.Attributes = append(c.Attributes, f.attr.Name)
		if !f.attr.Has(Update) && !b.typ.Singleton {
			c.Op = OpReplace
		}
		if f.attr.Has(Restart) {
			c.Live = false
		}
	}
	return c, len(c.Attributes) > 0
}

// equal reports whether two entities of the same type are the same, lines apart.
// It knows only those of which a router may have thousands; of others it says
// no.
func equal(a, b Entity) bool {
	switch a := a.(type) {
	case *TCPListener:
		b, ok := b.(*TCPListener)
		if !ok {
			return false
		}
		x := *a
		x.Line = b.Line
		return x == *b
	case *TCPConnector:
		b, ok := b.(*TCPConnector)
		if !ok {
			return false
		}
		x := *a
		x.Line = b.Line
		return x == *b
	}
	return false
}
