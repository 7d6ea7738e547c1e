package history

import (
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"
)

// encode writes what was added by series: for each the distance to the index
// before, a mask of the counters that grew, and by how much, as variable-length
// numbers.
func encode(added map[int]*counts) []byte {
	out := make([]byte, 0, 8*len(added))
	before := -1
	for _, id := range slices.Sorted(maps.Keys(added)) {
		d := added[id]
		mask := uint64(0)
		for i, n := range d {
			if n > 0 {
				mask |= 1 << i
			}
		}
		if mask == 0 {
			continue
		}
		out = binary.AppendUvarint(out, uint64(id-before))
		out = binary.AppendUvarint(out, mask)
		for m := mask; m != 0; m &= m - 1 {
			out = binary.AppendUvarint(out, d[bits.TrailingZeros64(m)])
		}
		before = id
	}
	return slices.Clip(out)
}

// decoder reads a frame series by series.
type decoder struct {
	data  []byte
	id    int    // of the series that next has found
	added counts // to it
	mask  uint64
}

func decode(f frame) decoder { return decoder{data: f.data, id: -1} }

// next goes to the next series, if there is one.
func (d *decoder) next() bool {
	if len(d.data) == 0 {
		return false
	}
	for m := d.mask; m != 0; m &= m - 1 {
		d.added[bits.TrailingZeros64(m)] = 0
	}
	d.id += int(d.number())
	d.mask = d.number()
	for m := d.mask; m != 0; m &= m - 1 {
		d.added[bits.TrailingZeros64(m)] = d.number()
	}
	return true
}

func (d *decoder) number() uint64 {
	if n := d.data[0]; n < 0x80 {
		d.data = d.data[1:]
		return uint64(n)
	}
	n, size := binary.Uvarint(d.data)
	d.data = d.data[size:]
	return n
}
