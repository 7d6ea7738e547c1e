package system

import (
	"bytes"
	"reflect"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
)

// documents keeps objects as text from pass to pass, and knows which of these
// texts the disk has: in a site of thousands a change touches a few, and
// writing, reading and comparing the others is most of the work. It implements
// render.Records. The holder of the turn owns it.
type documents struct {
	last, next [2]map[resource.Ref]document // of the last pass, and of this one; by render.RecordKind

	sure  bool // the disk has the texts of the last pass, and no others
	known bool // this pass relies on that
}

// document is an object and its text. The object is never changed afterwards.
type document struct {
	object resource.Object
	text   []byte
}

// turn begins a pass. What is known to be on the disk is left out.
func (d *documents) turn() {
	for k, m := range d.last {
		d.next[k] = make(map[resource.Ref]document, len(m))
	}
}

// Text implements render.Records.
func (d *documents) Text(k render.RecordKind, o resource.Object) (text []byte, kept bool) {
	ref := o.Ref()
	was, ok := d.last[k][ref]
	if ok && (was.object == o || reflect.DeepEqual(was.object, o)) {
		d.next[k][ref] = document{o, was.text}
		return was.text, d.known
	}
	text = resource.EncodeYAML(o)
	if ok && bytes.Equal(was.text, text) {
		d.next[k][ref] = document{o, was.text}
		return was.text, d.known
	}
	d.next[k][ref] = document{o, text}
	return text, false
}

// moved lists the records that this pass changes or takes away.
func (d *documents) moved(p layout.NamespacePaths) []string {
	var paths []string
	for k, last := range d.last {
		kind := render.RecordKind(k)
		for ref, was := range last {
			if is, ok := d.next[k][ref]; !ok || len(was.text) != len(is.text) || &was.text[0] != &is.text[0] {
				paths = append(paths, kind.Path(p, ref))
			}
		}
		for ref := range d.next[k] {
			if _, ok := last[ref]; !ok {
				paths = append(paths, kind.Path(p, ref))
			}
		}
	}
	return paths
}

// done ends a pass whose State the machine has.
func (d *documents) done() {
	d.last, d.sure = d.next, true
}

// doubt has every record looked at.
func (d *documents) doubt() { d.sure, d.known = false, false }

// shown is the object as it was shown by the last pass, if what it was made from
// is the same object as then.
func (d *documents) shown(loaded resource.Object) resource.Object {
	if loaded == nil || !d.sure {
		return nil
	}
	ref := loaded.Ref()
	if was, ok := d.last[render.Loaded][ref]; !ok || was.object != loaded {
		return nil
	}
	return d.last[render.Shown][ref].object
}
