package system

import (
	"bytes"
	"reflect"
	"slices"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
)

// documents keeps objects as text from pass to pass, and knows which of these
// texts the disk has: in a site of thousands a change touches a few, and
// writing, reading and comparing the others is most of the work. It implements
// render.Records. The holder of the turn owns it.
//
// A change that touches many does not wait for their records at all: it leaves
// those of listeners and connectors as they are on the disk, and the loop writes
// them afterwards, some at a time.
type documents struct {
	last, next [2]map[resource.Ref]document // of the last pass, and of this one; by render.RecordKind

	sure    bool                  // the disk has the texts of last, and no others
	known   bool                  // this pass relies on that
	late    bool                  // this pass leaves records to the loop
	touched map[resource.Ref]bool // but not these

	owed  bool                 // records on the disk are not those of the objects
	asked bool                 // due and gone say which
	due   [2][]resource.Object // whose records are written next
	gone  [2][]resource.Ref    // whose records go before that
}

// leaves reports whether this pass leaves the records of an object to the loop.
func (d *documents) leaves(o resource.Object) bool {
	return d.late && isBridge(o) && !d.touched[o.Ref()]
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
		if !d.late {
			continue
		}
		for ref, was := range m {
			if d.leaves(was.object) {
				d.next[k][ref] = was
			}
		}
	}
}

// Text implements render.Records.
func (d *documents) Text(k render.RecordKind, o resource.Object) (text []byte, kept bool) {
	if d.leaves(o) {
		return nil, true
	}
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
	if !d.late {
		d.owed, d.asked = false, false
		return
	}
	d.owed, d.asked = true, d.asked && len(d.touched) > 0
	for k := range d.due {
		d.due[k] = slices.DeleteFunc(d.due[k], func(o resource.Object) bool { return d.touched[o.Ref()] })
		d.gone[k] = slices.DeleteFunc(d.gone[k], func(ref resource.Ref) bool { return d.touched[ref] })
	}
}

// manyRecords is how many objects a change touches at least for their records to
// be written after it, and recordsAtOnce how many of them are written before
// whoever waits for the namespace has his turn.
const (
	manyRecords   = 50
	recordsAtOnce = 20
)

// none notes that the disk has no records at all.
func (d *documents) none() {
	d.last, d.sure, d.known = [2]map[resource.Ref]document{}, true, true
}

// ask notes of which objects the records are to be.
func (d *documents) ask(shown, loaded []resource.Object) {
	d.asked = true
	for k, objects := range [2][]resource.Object{render.Shown: shown, render.Loaded: loaded} {
		d.due[k], d.gone[k] = slices.DeleteFunc(objects, func(o resource.Object) bool { return !isBridge(o) }), nil
		wanted := make(map[resource.Ref]bool, len(objects))
		for _, o := range d.due[k] {
			wanted[o.Ref()] = true
		}
		for ref, was := range d.last[k] {
			if isBridge(was.object) && !wanted[ref] {
				d.gone[k] = append(d.gone[k], ref)
			}
		}
	}
}

// some takes the next records that are to be written, and those that are to go.
// The caller brings them to the disk, or doubts.
func (d *documents) some(p layout.NamespacePaths) (files map[string][]byte, gone []string) {
	files = make(map[string][]byte)
	for k := range d.due {
		kind := render.RecordKind(k)
		for ; len(d.gone[k]) > 0 && len(gone)+len(files) < recordsAtOnce; d.gone[k] = d.gone[k][1:] {
			ref := d.gone[k][0]
			delete(d.last[k], ref)
			gone = append(gone, kind.Path(p, ref))
		}
		for ; len(d.due[k]) > 0 && len(gone)+len(files) < recordsAtOnce; d.due[k] = d.due[k][1:] {
			o := d.due[k][0]
			was, ok := d.last[k][o.Ref()]
			text := was.text
			if !ok || was.object != o && !reflect.DeepEqual(was.object, o) {
				text = resource.EncodeYAML(o)
			}
			if !ok || !bytes.Equal(was.text, text) {
				files[kind.Path(p, o.Ref())] = text
			}
			if d.last[k] == nil {
				d.last[k] = make(map[resource.Ref]document)
			}
			d.last[k][o.Ref()] = document{o, text}
		}
	}
	d.owed = len(files)+len(gone) > 0
	return files, gone
}

// doubt has every record looked at.
func (d *documents) doubt() { d.sure, d.known, d.asked = false, false, false }

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
