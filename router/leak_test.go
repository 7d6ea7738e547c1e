package router

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// usage is what this process holds.
type usage struct {
	goroutines, files int
	heap              uint64 // bytes in use after a collection
}

func measure(t testing.TB) usage {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var m runtime.MemStats
	for range 2 { // pools are emptied by the second one
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return usage{goroutines: runtime.NumGoroutine(), files: len(files), heap: m.HeapAlloc}
}

// TestNothingIsLeft opens and closes connections in every way, and compares
// what the process holds before and after. It does not run beside other tests.
func TestNothingIsLeft(t *testing.T) {
	count := 2000
	if *long {
		count = 50_000 // before it is looked at, and after
	}
	s := serve(t, echo)
	w := pair(t, s)
	crowd := func(n int) {
		var wg sync.WaitGroup
		var turn atomic.Int64
		for range 32 {
			wg.Go(func() {
				for {
					i := turn.Add(1)
					if i > int64(n) {
						return
					}
					if err := visit(w.at, int(i)%4); err != nil {
						t.Errorf("connection %d: %v", i, err)
						return
					}
				}
			})
		}
		wg.Wait()
		for _, n := range w.nodes {
			n.idle()
		}
	}
	crowd(count) // pools, caches and idle links between the routers are as large as they get
	before, said := measure(t), w.lines()
	crowd(count)
	if t.Failed() {
		return
	}
	if n := w.lines() - said; n > 10 {
		t.Errorf("%d lines are logged for %d connections", n, count)
	}
	// The same for any number of connections: what is kept for each of them
	// would show in the long form, where it is 20 bytes.
	const slack = 1 << 20
	eventually(t, "everything is given back", func() error {
		after := measure(t)
		var problems []error
		if n := after.goroutines - before.goroutines; n > 4 {
			problems = append(problems, fmt.Errorf("%d more goroutines", n))
		}
		if n := after.files - before.files; n > 4 {
			problems = append(problems, fmt.Errorf("%d more files", n))
		}
		if n := int64(after.heap) - int64(before.heap); n > slack {
			problems = append(problems, fmt.Errorf("%d more bytes", n))
		}
		return errors.Join(problems...)
	})
}

// lines is how many lines the routers have logged lately.
func (w *network) lines() (n int) {
	for _, x := range w.nodes {
		n += strings.Count(x.log.String(), "\n")
	}
	return n
}

// visit is one connection: it ends in order, is reset, says nothing, or goes
// before the answer has come.
func visit(at string, kind int) error {
	nc, err := net.Dial("tcp", at)
	if err != nil {
		return err
	}
	c := nc.(*net.TCPConn)
	defer c.Close()
	switch kind {
	case 1:
		return c.SetLinger(0)
	case 2:
		_, err := c.Write([]byte("no time"))
		return err
	case 3:
		if err := roundTrip(c, "reset"); err != nil {
			return err
		}
		return c.SetLinger(0)
	}
	if err := roundTrip(c, "in order"); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	if err := ended(c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		return err
	}
	return nil
}
