package resource

import (
	"iter"
	"maps"
	"reflect"
	"slices"
)

// Set is a collection of objects, no two of the same kind and name, in the
// order in which they were put. The zero value is empty and ready to use.
type Set struct {
	objects []Object
	index   map[Ref]int // position in objects

	// Skipped lists the documents of kinds that have no meaning here.
	Skipped []Skipped
}

// Skipped is a document that was not loaded.
type Skipped struct {
	APIVersion string
	Kind       string
	Name       string
	Source     Source
}

// NewSet collects objects; of two with the same kind and name the last stays.
func NewSet(objects ...Object) *Set {
	s := &Set{}
	for _, o := range objects {
		s.Put(o)
	}
	return s
}

// All yields every object.
func (s *Set) All() iter.Seq[Object] { return slices.Values(s.objects) }

// Of lists the objects of one kind: Of[*Listener](s).
func Of[T Object](s *Set) []T {
	var list []T
	for _, o := range s.objects {
		if t, ok := o.(T); ok {
			list = append(list, t)
		}
	}
	return list
}

// Get returns the object of that type and name; the zero T (nil) if there is
// none.
func Get[T Object](s *Set, name string) T {
	for _, o := range s.objects {
		if t, ok := o.(T); ok && o.Head().Name == name {
			return t
		}
	}
	var none T
	return none
}

// Len is the number of objects.
func (s *Set) Len() int { return len(s.objects) }

// Find returns the object with that kind and name, or nil.
func (s *Set) Find(ref Ref) Object {
	if i, ok := s.index[ref]; ok {
		return s.objects[i]
	}
	return nil
}

// Put adds o, in place of an object with the same kind and name if there is
// one. It reports whether there was one.
func (s *Set) Put(o Object) (replaced bool) {
	ref := o.Ref()
	if i, ok := s.index[ref]; ok {
		s.objects[i] = o
		return true
	}
	if s.index == nil {
		s.index = make(map[Ref]int)
	}
	s.index[ref] = len(s.objects)
	s.objects = append(s.objects, o)
	return false
}

// Delete removes the object with that kind and name and reports whether there
// was one.
func (s *Set) Delete(ref Ref) bool {
	i, ok := s.index[ref]
	if !ok {
		return false
	}
	s.objects = slices.Delete(s.objects, i, i+1)
	delete(s.index, ref)
	for ref, j := range s.index {
		if j > i {
			s.index[ref] = j - 1
		}
	}
	return true
}

// Clone returns a set with the same objects, to which others can be put
// without changing s. The objects themselves are shared.
func (s *Set) Clone() *Set {
	return &Set{objects: slices.Clone(s.objects), index: maps.Clone(s.index), Skipped: slices.Clone(s.Skipped)}
}

// WithoutStatus returns a copy of o that has no status. Its metadata can be
// changed without changing o; the maps and lists in both are shared.
func WithoutStatus(o Object) Object {
	v := reflect.ValueOf(o).Elem()
	c := reflect.New(v.Type())
	c.Elem().Set(v)
	if status := c.Elem().FieldByName("Status"); status.IsValid() {
		status.SetZero()
	}
	return c.Interface().(Object)
}
