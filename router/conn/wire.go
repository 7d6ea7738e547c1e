package conn

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"

	"github.com/skupper-host/skupper/router/nonblock"
	"github.com/skupper-host/skupper/router/session"
)

// wire is the way to the socket: groups of frames go in, plain or TLS records
// come out, one system call for each batch.
//
// Read belongs to the reader, put and flush to whoever holds Conn.writing.
type wire struct {
	nc    net.Conn
	cork  cork
	tls   *tls.Conn            // nil if plain
	state *tls.ConnectionState // Guarded by Conn.mu after the handshake.
}

// tryWriter is a connection that can be written to without waiting.
type tryWriter interface {
	// TryWrite writes what fits at once. It returns 0, nil if nothing does.
	TryWrite(p []byte) (n int, err error)
}

// init prepares a wire; late is called when something is to be flushed that
// nobody put there: what TLS itself has to say.
func (w *wire) init(nc net.Conn, late func()) {
	tune(nc)
	nc = nonblock.Wrap(nc)
	w.nc = nc
	w.cork.Conn = nc
	w.cork.late = late
	w.cork.try, _ = nc.(tryWriter)
}

// Read returns plaintext.
func (w *wire) Read(p []byte) (int, error) {
	if w.tls != nil {
		return w.tls.Read(p)
	}
	return w.nc.Read(p)
}

// canTry reports whether flush can do without waiting.
func (w *wire) canTry() bool { return w.cork.try != nil }

// put adds one group to what flush will write.
func (w *wire) put(group []byte) error {
	w.cork.putting.Store(true)
	defer w.cork.putting.Store(false)
	if w.tls != nil {
		_, err := w.tls.Write(group)
		return err
	}
	_, err := w.cork.Write(group)
	return err
}

// flush writes what was put. Without wait it writes what fits at once and
// leaves the rest for the next flush.
func (w *wire) flush(wait bool) error { return w.cork.flush(wait) }

// pending reports whether there is something to flush.
func (w *wire) pending() bool { return w.cork.pending() }

// release gives the buffers back after everything has ended.
func (w *wire) release() { w.cork.release() }

// cork gathers the TLS records of one batch, and what TLS itself sends, into
// one socket write: tls.Conn writes once for each record. Until closed it
// passes writes through, for the handshake.
type cork struct {
	net.Conn
	try     tryWriter // nil: every flush waits
	late    func()
	head    []byte      // read before TLS began; of the goroutine that reads
	putting atomic.Bool // what is written is a batch, and flush will follow

	mu     sync.Mutex
	closed bool   // Guarded by mu: writes are gathered.
	in     *chunk // Guarded by mu: gathered.

	// Owned by whoever flushes.
	out  *chunk // on its way
	done int    // octets of out that are written
}

// chunk is a pooled piece of what goes to the socket.
type chunk struct{ b []byte }

// chunkSize holds a batch with the overhead of its records (22 octets each).
const chunkSize = session.BatchSize + 8192

var chunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, chunkSize)} }}

func getChunk() *chunk {
	c, _ := chunks.Get().(*chunk)
	return c
}

func (c *chunk) free() {
	if c != nil && cap(c.b) < 2*chunkSize {
		c.b = c.b[:0]
		chunks.Put(c)
	}
}

// Read returns what was read before, then what comes.
func (k *cork) Read(p []byte) (int, error) {
	if len(k.head) > 0 {
		n := copy(p, k.head)
		k.head = k.head[n:]
		return n, nil
	}
	return k.Conn.Read(p)
}

// Write gathers p, or passes it on during the handshake.
func (k *cork) Write(p []byte) (int, error) {
	k.mu.Lock()
	if !k.closed {
		k.mu.Unlock()
		return k.Conn.Write(p)
	}
	if k.in == nil {
		k.in = getChunk()
	}
	k.in.b = append(k.in.b, p...)
	k.mu.Unlock()
	if !k.putting.Load() {
		k.late()
	}
	return len(p), nil
}

// close begins to gather.
func (k *cork) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
}

func (k *cork) pending() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.in != nil || k.out != nil
}

// next makes what was gathered the chunk on its way, if there is none.
func (k *cork) next() bool {
	if k.out == nil {
		k.mu.Lock()
		k.out, k.in = k.in, nil
		k.mu.Unlock()
		k.done = 0
	}
	return k.out != nil
}

func (k *cork) flush(wait bool) error {
	for k.next() {
		rest := k.out.b[k.done:]
		var n int
		var err error
		if wait {
			n, err = k.Conn.Write(rest)
		} else {
			n, err = k.try.TryWrite(rest)
		}
		k.done += n
		if err != nil {
			return err
		}
		if n < len(rest) {
			return nil
		}
		k.out.free()
		k.out = nil
	}
	return nil
}

func (k *cork) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.in.free()
	k.out.free()
	k.in, k.out = nil, nil
}
