package conn

import (
	"io"
	"testing"

	"github.com/skupper-host/skupper/router/sim/netpipe"
)

// TestCork: writes pass through during the handshake, are gathered afterwards,
// and what nobody put is announced.
func TestCork(t *testing.T) {
	t.Parallel()
	x, y := netpipe.Pair(netpipe.Options{Buffer: 10})
	late := 0
	var w wire
	w.init(x, func() { late++ })
	read := func(n int) string {
		b := make([]byte, n)
		if _, err := io.ReadFull(y, b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if _, err := w.cork.Write([]byte("hello")); err != nil || read(5) != "hello" {
		t.Fatal(err)
	}
	w.cork.close()
	_ = w.put([]byte("one"))
	_ = w.put([]byte("two"))
	if late != 0 || !w.pending() {
		t.Errorf("late %d, pending %v", late, w.pending())
	}
	_, _ = w.cork.Write([]byte("alert"))
	if late != 1 {
		t.Error("nobody is told of what TLS has to say")
	}
	if err := w.flush(false); err != nil || read(10) != "onetwoaler" || !w.pending() {
		t.Errorf("%v, pending %v", err, w.pending())
	}
	_ = w.put([]byte("!"))
	if err := w.flush(true); err != nil || read(2) != "t!" || w.pending() {
		t.Errorf("%v, pending %v", err, w.pending())
	}
}
