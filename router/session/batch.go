package session

// Sizes in octets.
const (
	// BatchSize is what one Emit composes at most, but for the frame that
	// passes the mark: two full large frames. Measured: 64 to 512 KiB cost the
	// same, more falls out of the cache; less in front of a new frame is better
	// for latency.
	BatchSize = 2 * BufferLarge
	// groupSize is the plaintext of one TLS record, RFC 8446 §5.1.
	groupSize = 16384
	// ownFrame is the payload from which a frame is written from its own
	// buffer: below, a TLS record of its own costs more than the copy.
	ownFrame = 8192
)

// Batch is what one Emit composed: whole frames in order, in groups to be
// written one after the other. A group is one piece of memory: either frames
// of together at most 16 KiB, so that it is one TLS record, or a single longer
// frame.
type Batch struct {
	// Groups are valid until Reset.
	Groups [][]byte
	// Size is the sum of the groups, in octets.
	Size int
	// Low lists the deliveries whose queue fell below two buffers.
	Low []*Outgoing
	// Done lists the deliveries whose last transfer is in the batch.
	Done []*Outgoing

	mem     []byte // of the frames that were copied
	open    bool   // the last group ends at the end of mem and may grow
	buffers []*Buffer
}

// NewBatch returns an empty batch.
func NewBatch() *Batch {
	return &Batch{mem: make([]byte, 0, BatchSize+2*groupSize)}
}

// Reset frees the buffers of a batch that was written.
func (b *Batch) Reset() {
	for i, buf := range b.buffers {
		buf.Free()
		b.buffers[i] = nil
	}
	clear(b.Groups)
	clear(b.Low)
	clear(b.Done)
	b.Groups, b.Low, b.Done, b.buffers = b.Groups[:0], b.Low[:0], b.Done[:0], b.buffers[:0]
	b.mem, b.open, b.Size = b.mem[:0], false, 0
}

// room reports whether n more octets can be copied.
func (b *Batch) room(n int) bool { return cap(b.mem)-len(b.mem) >= n }

// copyFrame appends a frame given in two parts. There must be room for it.
func (b *Batch) copyFrame(head, payload []byte) {
	n := len(head) + len(payload)
	start := len(b.mem)
	b.mem = append(append(b.mem, head...), payload...)
	last := len(b.Groups) - 1
	if b.open && len(b.Groups[last])+n <= groupSize {
		g := b.Groups[last]
		b.Groups[last] = g[:len(g)+n]
	} else {
		b.Groups = append(b.Groups, b.mem[start:])
	}
	b.open = true
	b.Size += n
}

// ownFrame appends a frame that lies in buf, which it owns from now on.
func (b *Batch) ownFrame(frame []byte, buf *Buffer) {
	b.Groups = append(b.Groups, frame)
	b.buffers = append(b.buffers, buf)
	b.open = false
	b.Size += len(frame)
}
