package stream

import "sync/atomic"

// Budget bounds the sum of the windows that a process grants to streams whose
// other end is a router of ours too. A nil Budget is without limit.
//
// It does not count the constant windows towards skupper-router, about which
// there is no choice.
type Budget struct {
	limit    int64 // bytes
	reserved atomic.Int64
}

// NewBudget returns a budget of that many bytes.
func NewBudget(bytes int64) *Budget { return &Budget{limit: bytes} }

// Reserved is the sum of the windows in bytes.
func (b *Budget) Reserved() int64 {
	if b == nil {
		return 0
	}
	return b.reserved.Load()
}

// open reserves the first window of a stream: always something, less when
// three quarters are reserved.
func (b *Budget) open() uint64 {
	if b == nil {
		return startWindow
	}
	size := int64(startWindow)
	if b.reserved.Load() >= b.limit/4*3 {
		size = tightWindow
	}
	b.reserved.Add(size)
	return uint64(size)
}

// grow reserves more and reports whether there was enough.
func (b *Budget) grow(by uint64) bool {
	if b == nil {
		return true
	}
	if b.reserved.Add(int64(by)) > b.limit/4*3 {
		b.reserved.Add(-int64(by))
		return false
	}
	return true
}

// release gives a window back.
func (b *Budget) release(size uint64) {
	if b != nil {
		b.reserved.Add(-int64(size))
	}
}

// Exposure is the account of one connection towards skupper-router. With
// Proton 0.41 and later, that router closes the whole connection when more
// than 4 MiB lie unread on it: of every stream whose server is slow, all but
// 456,064 bytes do. So the sum of what exceeds that is kept below 3 MiB, by
// smaller windows for the streams that come later.
type Exposure struct{ bytes atomic.Int64 }

const (
	exposureFree  = 456_064 // what skupper-router's end of one stream holds; compat: 7 slots of 16 buffers of 4,072
	exposureLimit = 3 << 20
)

// window is the window of a stream on the connection.
func (e *Exposure) window() uint64 {
	if e == nil || e.bytes.Load() < exposureLimit {
		return upstreamWindow
	}
	return upstreamLeast
}

// move changes the account of a stream that had was bytes in flight and now
// has is.
func (e *Exposure) move(was, is uint64) {
	if e == nil {
		return
	}
	if d := exposed(is) - exposed(was); d != 0 {
		e.bytes.Add(d)
	}
}

func exposed(inFlight uint64) int64 { return int64(max(inFlight, exposureFree) - exposureFree) }
