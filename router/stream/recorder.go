package stream

import (
	"sync/atomic"
	"time"
)

// Recorder takes the telemetry of one stream at one end. Its methods are
// called without a lock and must not block. They are called in the order
// below, each at most once.
type Recorder interface {
	// Identity names the flow record; it travels in the request, so that the
	// other end can make its record a part of the same flow. It may be empty,
	// and may be called at any time.
	Identity() string
	// Opened tells that both ends are connected. f can be read until Closed
	// and after it.
	Opened(f *Flow)
	// Answered is the time from the first byte of the client to the first byte
	// of the server, as this end sees them.
	Answered(latency time.Duration)
	// Closed ends the record. err is nil after an end in order.
	Closed(err error)
}

// Flow counts the bytes of one stream at one end.
type Flow struct {
	Read    atomic.Uint64 // from the socket
	Written atomic.Uint64 // to the socket
}

// Totals counts the bytes of all streams of one listener or connector.
type Totals struct {
	Read    atomic.Uint64 // from the sockets
	Written atomic.Uint64 // to the sockets
}

// Tap sees the bytes that pass between the client and its router, as they are
// read and before they are written, for protocol observers. Client and Server
// are called by one goroutine each, and must neither block nor keep or change
// p. A call that is under way when Closed comes may return after it.
type Tap interface {
	Client(p []byte)
	Server(p []byte)
	// Watching reports whether bytes still have to be shown. Once it is false it
	// stays so. It may be called by any goroutine.
	Watching() bool
	Closed()
}

// meter counts what passes one end of a stream.
type meter struct {
	flow     Flow
	totals   *Totals  // may be nil
	recorder Recorder // may be nil
	tap      Tap      // may be nil

	// started is when the first byte of the client passed, in ns since the
	// meter's epoch; 0 before. answered is set with the server's first byte.
	epoch    time.Time
	started  atomic.Int64
	answered atomic.Bool
}

func (m *meter) begin(r Recorder) {
	if m.recorder = r; r != nil {
		m.epoch = time.Now()
	}
}

func (m *meter) identity() string {
	if m.recorder == nil {
		return ""
	}
	return m.recorder.Identity()
}

func (m *meter) read(n int) {
	m.flow.Read.Add(uint64(n))
	if m.totals != nil {
		m.totals.Read.Add(uint64(n))
	}
}

func (m *meter) wrote(n int) {
	m.flow.Written.Add(uint64(n))
	if m.totals != nil {
		m.totals.Written.Add(uint64(n))
	}
}

// asked and told note the first byte of the client and of the server.
func (m *meter) asked() {
	if m.recorder != nil && m.started.Load() == 0 {
		m.started.CompareAndSwap(0, max(1, int64(time.Since(m.epoch))))
	}
}

func (m *meter) told() {
	if m.recorder == nil || m.answered.Load() || m.answered.Swap(true) {
		return
	}
	if at := m.started.Load(); at != 0 {
		m.recorder.Answered(time.Since(m.epoch) - time.Duration(at))
	}
}

// opened and end tell the recorder.
func (m *meter) opened() {
	if m.recorder != nil {
		m.recorder.Opened(&m.flow)
	}
}

func (m *meter) end(err error) {
	if m.tap != nil {
		m.tap.Closed()
	}
	if m.recorder != nil {
		m.recorder.Closed(err)
	}
}
