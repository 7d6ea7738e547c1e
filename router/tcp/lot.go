package tcp

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lotTick is how often a Lot looks for sockets that are idle: that have
	// been read without result since it last looked.
	lotTick = 250 * time.Millisecond
	// tidyAfter is how many connections must have come to rest, or gone, for
	// their memory to be given back to the system when it gets quiet. The
	// runtime alone does so in the course of the next collection, which may be
	// long after. It costs two collections, so it takes no more than one part
	// in tidyShare of the time.
	tidyAfter = 1000
	tidyShare = 20
	tidyPause = time.Second
	// lotEvents is how many sockets are found ready in one system call.
	lotEvents = 128
)

// A Lot is where idle sockets wait without a goroutine: in an epoll set of its
// own (epoll(7)), which the runtime watches as one descriptor. A goroutine that
// waits for a socket owns a stack of 8 KiB, of which this saves all.
//
// Run makes it live; before that, and when it has ended, nobody is parked.
type Lot struct {
	period time.Duration // how often to look
	stir   chan struct{} // capacity 1: somebody is awake

	mu sync.Mutex
	// Guarded by mu.
	set    *os.File // the epoll set; nil while the lot is not live
	ended  bool     // it will never be again
	raw    syscall.RawConn
	places []*plain // parked; nil where free
	free   []int32  // places
	ticket int32    // of who was parked last
	awake  []*plain // waits with a goroutine

	untidy  time.Time    // Owned by Run: memory is not given back before.
	settled atomic.Int32 // parked or gone since memory was given back
}

// NewLot returns a lot.
func NewLot() *Lot { return &Lot{period: lotTick, stir: make(chan struct{}, 1)} }

// place is what a parked socket has of the lot.
type place struct {
	lot   *Lot        // nil: none
	noted atomic.Bool // in Lot.awake
	here  atomic.Bool // parked
	// turns counts ReadSoon: odd while somebody waits in it.
	turns  atomic.Uint32
	dozing atomic.Bool // the lot has ended ReadSoon
	closed atomic.Bool

	// Guarded by Lot.mu.
	ready  func() // what to do when the socket is ready
	index  int32  // in Lot.places
	ticket int32
	member bool   // the socket is in the epoll set
	seen   uint32 // turns at the last tick
}

// Run keeps the lot until ctx is done. It returns an error if the system has
// no epoll set for it: then every stream keeps its goroutine.
func (l *Lot) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.close()
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	_ = unix.SetNonblock(fd, true) // it has no meaning but for the runtime, which then polls it
	set := os.NewFile(uintptr(fd), "idle sockets")
	raw, err := set.SyscallConn()
	if err != nil {
		return errors.Join(err, set.Close())
	}
	l.mu.Lock()
	l.set, l.raw = set, raw
	l.mu.Unlock()
	wg.Go(func() { l.watch(raw) })
	l.tick(ctx)
	return nil
}

// close wakes everybody.
func (l *Lot) close() {
	l.mu.Lock()
	set, places := l.set, l.places
	l.set, l.raw, l.places, l.free, l.awake, l.ended = nil, nil, nil, nil, nil, true
	var ready []func()
	for _, s := range places {
		if s != nil {
			ready = append(ready, s.place.take())
		}
	}
	l.mu.Unlock()
	if set != nil {
		_ = set.Close()
	}
	for _, f := range ready {
		f()
	}
}

// watch wakes the sockets that are ready, until the set is closed.
func (l *Lot) watch(raw syscall.RawConn) {
	events := make([]syscall.EpollEvent, lotEvents)
	var ready []func()
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			var err error
			for {
				n, err = syscall.EpollWait(int(fd), events, 0)
				if err != syscall.EINTR {
					return n > 0 || err != nil
				}
			}
		})
		if err != nil {
			return
		}
		l.mu.Lock()
		for _, ev := range events[:max(n, 0)] {
			if f := l.remove(ev.Fd, ev.Pad); f != nil {
				ready = append(ready, f)
			}
		}
		l.mu.Unlock()
		for i, f := range ready {
			f()
			ready[i] = nil
		}
		ready = ready[:0]
	}
}

// remove frees a place if ticket still has it, and returns what to do for who
// was there. It is called with mu held.
func (l *Lot) remove(index, ticket int32) func() {
	if int(index) >= len(l.places) {
		return nil
	}
	s := l.places[index]
	if s == nil || s.place.ticket != ticket {
		return nil
	}
	l.places[index] = nil
	l.free = append(l.free, index)
	return s.place.take()
}

func (p *place) take() func() {
	f := p.ready
	p.ready = nil
	p.here.Store(false)
	return f
}

// park gives s a place until it is ready.
func (l *Lot) park(s *plain, ready func()) bool {
	parked := false
	// Within Control the descriptor cannot be closed.
	err := s.raw.Control(func(fd uintptr) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.set != nil {
			parked = l.enter(s, int(fd), ready)
		}
	})
	return err == nil && parked
}

// enter is called with mu held.
func (l *Lot) enter(s *plain, fd int, ready func()) bool {
	index := int32(len(l.places))
	if n := len(l.free); n > 0 {
		index = l.free[n-1]
	}
	l.ticket++
	op := syscall.EPOLL_CTL_ADD
	if s.place.member {
		op = syscall.EPOLL_CTL_MOD
	}
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: index, Pad: l.ticket}
	err := l.raw.Control(func(set uintptr) {
		if err := syscall.EpollCtl(int(set), op, fd, &ev); err != nil {
			index = -1
		}
	})
	if err != nil || index < 0 {
		return false
	}
	if int(index) == len(l.places) {
		l.places = append(l.places, nil)
	} else {
		l.free = l.free[:len(l.free)-1]
	}
	l.places[index] = s
	p := &s.place
	p.ready, p.index, p.ticket, p.member = ready, index, l.ticket, true
	p.here.Store(true)
	l.settle()
	return true
}

// settle counts a connection that has come to rest or gone.
func (l *Lot) settle() {
	if l.settled.Add(1) == tidyAfter {
		l.look()
	}
}

// look makes Run look after those who are awake.
func (l *Lot) look() {
	select {
	case l.stir <- struct{}{}:
	default:
	}
}

// leave wakes s, which is closed, if it is parked.
func (l *Lot) leave(s *plain) {
	if l == nil {
		return
	}
	if !s.place.closed.Swap(true) {
		l.settle()
	}
	if !s.place.here.Load() {
		return
	}
	l.mu.Lock()
	var f func()
	if s.place.ready != nil {
		f = l.remove(s.place.index, s.place.ticket)
	}
	l.mu.Unlock()
	if f != nil {
		f()
	}
}

// note remembers that somebody waits for s with a goroutine.
func (l *Lot) note(s *plain) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || s.place.noted.Swap(true) {
		return
	}
	s.place.seen = 0 // no turn is
	l.awake = append(l.awake, s)
	if len(l.awake) == 1 {
		l.look()
	}
}

// tick looks after those who are awake until ctx is done. There is no clock
// while nobody is.
func (l *Lot) tick(ctx context.Context) {
	timer := time.NewTimer(l.period)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.stir:
			timer.Reset(l.period)
		case <-timer.C:
			if l.doze() {
				timer.Reset(l.period)
			}
		}
	}
}

// doze ends the waiting of those who have waited since it was last called, so
// that their streams park them. It reports whether there is more to do.
func (l *Lot) doze() (more bool) {
	l.mu.Lock()
	kept, before := l.awake[:0], len(l.awake)
	var idle []*plain
	for _, s := range l.awake {
		turn := s.place.turns.Load()
		switch {
		case s.place.closed.Load():
		case turn%2 == 1 && turn == s.place.seen:
			s.place.noted.Store(false)
			idle = append(idle, s)
		default:
			s.place.seen = turn
			kept = append(kept, s)
		}
	}
	clear(l.awake[len(kept):])
	l.awake = kept
	quiet := len(kept) == before
	l.mu.Unlock()
	for _, s := range idle {
		s.doze()
	}
	if quiet && l.settled.Load() >= tidyAfter && time.Now().After(l.untidy) {
		l.tidy()
	}
	return before > 0 || l.settled.Load() >= tidyAfter
}

// tidy gives memory back to the system.
func (l *Lot) tidy() {
	l.settled.Store(0)
	begin := time.Now()
	runtime.GC() // what pools hold outlives one collection
	debug.FreeOSMemory()
	end := time.Now()
	l.untidy = end.Add(max(tidyPause, tidyShare*end.Sub(begin)))
}
