package stream

import (
	"errors"
	"io"
	"math"
)

// join carries a client whose server is connected to this router too: no
// delivery is needed, and where both sockets can, the kernel moves the bytes.
// It returns when the stream is over.
func (g *Ingress) join(leg Leg) {
	server := &meter{totals: leg.Totals}
	server.begin(leg.Recorder)
	j := &junction{s: &g.stream, server: leg.Socket}
	if j.begin() {
		g.meter.opened()
		server.opened()
		up, down := j.lanes(&g.meter, server)
		g.drains.Go(func() { j.run(down) })
		j.run(up)
		g.drains.Wait()
	}
	leg.Socket.Close()
	g.mu.Lock()
	err := g.err
	g.mu.Unlock()
	server.end(err)
	if leg.Done != nil {
		leg.Done(err)
	}
}

// junction joins the client of s with a server.
type junction struct {
	s      *stream
	server Socket
	ended  int // lanes; guarded by s.mu
}

// begin makes the server's socket a part of the stream. It returns false if
// that is over.
func (j *junction) begin() bool {
	s := j.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		j.server.Reset()
		return false
	}
	s.joined, s.err = j.server, nil
	return true
}

// lane is one direction of a junction.
type lane struct {
	src, dst Socket
	// read and wrote are called with the number of bytes of each step. The
	// answer to bytes that were written may be read before wrote is called.
	read, wrote func(n int)
	// tap, unless it is nil, is shown what passes as long as watching.
	tap      func(p []byte)
	watching func() bool
	// first does what precedes reading src; over tells that src has ended
	// before.
	first func() (over bool, err error)
	sizer sizer
	plain bool // the kernel cannot move the bytes
}

func (j *junction) lanes(client, server *meter) (up, down *lane) {
	up = &lane{src: j.s.sock, dst: j.server, wrote: server.wrote}
	up.first = func() (bool, error) { return j.replay(server) }
	up.read = func(n int) {
		client.asked()
		server.asked()
		client.read(n)
	}
	down = &lane{src: j.server, dst: j.s.sock, wrote: client.wrote}
	down.read = func(n int) {
		server.told()
		client.told()
		server.read(n)
	}
	if client.tap != nil {
		up.tap, down.tap = client.tap.Client, client.tap.Server
		up.watching, down.watching = client.tap.Watching, client.tap.Watching
	}
	return up, down
}

// replay sends the server what an earlier attempt has read of the client.
func (j *junction) replay(server *meter) (over bool, err error) {
	s := j.s
	s.mu.Lock()
	retained, over := s.retained, s.outEnded
	s.retained = nil
	s.mu.Unlock()
	defer free(retained)
	for _, b := range retained {
		server.asked()
		n, err := j.server.Write(b.Bytes())
		server.wrote(n)
		if err != nil {
			return over, err
		}
	}
	return over, nil
}

// run carries one lane, then watches its source until the stream is over.
func (j *junction) run(l *lane) {
	err := l.carry()
	if err == nil {
		j.end()
		err = again(l.src, l.src.AwaitReset)
	}
	if err != nil {
		j.s.fail(err)
	}
}

// end notes the end in order of one lane.
func (j *junction) end() {
	s := j.s
	s.mu.Lock()
	j.ended++
	done := j.ended == 2 && !s.over
	if done {
		s.over = true
	}
	s.mu.Unlock()
	if done {
		s.sock.Close()
		j.server.Close()
	}
}

// carry moves bytes until the end of src.
func (l *lane) carry() error {
	if l.first != nil {
		if over, err := l.first(); err != nil {
			return err
		} else if over {
			return l.dst.CloseWrite()
		}
	}
	for {
		if l.tap != nil && !l.watching() {
			l.tap = nil
		}
		if l.tap == nil && !l.plain {
			done, err := l.splice()
			if err != nil {
				return err
			}
			if done {
				return l.dst.CloseWrite()
			}
			l.plain = true
		}
		err := again(l.src, l.step)
		if errors.Is(err, io.EOF) {
			return l.dst.CloseWrite()
		}
		if err != nil {
			return err
		}
	}
}

// splice lets the kernel move the bytes until the end of src. It returns false
// if it cannot.
func (l *lane) splice() (done bool, err error) {
	sp, ok := l.src.(Splicer)
	if !ok {
		return false, nil
	}
	err = again(l.src, func() (err error) {
		done, err = sp.SpliceTo(l.dst, l.read, l.wrote)
		return err
	})
	return done, err
}

// step moves what one read returns.
func (l *lane) step() error {
	b, err := l.src.Read(l.sizer.next(math.MaxInt))
	if err != nil {
		return err
	}
	defer b.Free()
	l.sizer.took(b.Len())
	if l.tap != nil {
		l.tap(b.Bytes())
	}
	l.read(b.Len())
	n, err := l.dst.Write(b.Bytes())
	l.wrote(n)
	return err
}

// again calls f until it is not interrupted: an earlier attempt may have done
// that late.
func again(s Socket, f func() error) error {
	for {
		err := f()
		if !errors.Is(err, ErrInterrupted) {
			return err
		}
		s.Resume()
	}
}
