package system

import (
	"reflect"
	"sync"

	"github.com/skupper-host/skupper/system/resource"
)

// documents keeps objects as text from pass to pass: in a site of thousands a
// change touches a few, and writing YAML is most of the work.
type documents struct {
	mu   sync.Mutex
	kept map[resource.Ref][]document // guarded by mu; what the last pass used
	next map[resource.Ref][]document // guarded by mu; what this one uses
}

// document is an object and its text. The object is never changed afterwards.
type document struct {
	object resource.Object
	text   []byte
}

// encode is resource.EncodeYAML that remembers.
func (d *documents) encode(o resource.Object) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	ref := o.Ref()
	for _, k := range d.kept[ref] {
		if k.object == o || reflect.DeepEqual(k.object, o) {
			d.next[ref] = append(d.next[ref], k)
			return k.text
		}
	}
	text := resource.EncodeYAML(o)
	d.next[ref] = append(d.next[ref], document{o, text})
	return text
}

// turn begins a pass: what the last one did not use is forgotten.
func (d *documents) turn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept, d.next = d.next, map[resource.Ref][]document{}
}
