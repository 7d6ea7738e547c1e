package client_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is the router's side of a connection: it hands requests to answer and
// sends what that returns on the link that the reply is addressed to.
type server struct {
	answer func(*amqp.Message) *amqp.Message
	refuse string // address at which no link may be attached

	mu    sync.Mutex
	links map[string]*conn.Link // Guarded by mu: for replies, by address.
}

const replyAddress = "amqp:/_topo/0/A/temp.abcdefghijklmno"

// serve runs s on nc until the test ends.
func (s *server) serve(t *testing.T, nc net.Conn) {
	t.Helper()
	s.links = map[string]*conn.Link{}
	c := conn.New(nc, conn.Config{Open: amqp.Open{ContainerID: "A"}}, s)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var done sync.WaitGroup
	done.Go(func() {
		var failed *conn.Error
		if err := c.Run(ctx); err != nil && !errors.As(err, &failed) {
			t.Errorf("server: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
}

// pair returns our end of a connection that s serves.
func (s *server) pair(t *testing.T) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	s.serve(t, theirs)
	return ours
}

func (s *server) Opened(*conn.Conn, *amqp.Open) {}

func (s *server) Attached(_ *conn.Conn, l *conn.Link) {
	if remote := l.Remote(); l.Sender() && remote.Source != nil && remote.Source.Dynamic {
		s.mu.Lock()
		s.links[replyAddress] = l
		s.mu.Unlock()
		l.Accept(&amqp.Source{Address: replyAddress, Dynamic: true}, nil, nil, conn.CreditPolicy{}, s)
		return
	} else if remote.Target != nil && remote.Target.Address == s.refuse {
		l.Refuse(&amqp.Error{Condition: amqp.ErrNotFound, Description: "no such address"})
		return
	}
	l.Accept(nil, nil, nil, conn.CreditPolicy{Window: 250}, s)
}

func (s *server) Answered(*conn.Link)              {}
func (s *server) Credit(*conn.Link)                {}
func (s *server) Detached(*conn.Link, *amqp.Error) {}

func (s *server) Begin(r *conn.Receiving) conn.Sink { return &incoming{s: s, r: r} }

// incoming collects a request.
type incoming struct {
	s   *server
	r   *conn.Receiving
	buf []byte
}

func (in *incoming) Transfer(payload []byte, more bool) {
	in.buf = append(in.buf, payload...)
	if more {
		return
	}
	msg, err := amqp.ParseMessage(in.buf)
	if err != nil {
		in.r.Update(amqp.State{Code: amqp.StateRejected, Error: &amqp.Error{Condition: amqp.ErrDecode, Description: err.Error()}}, true)
		return
	}
	reply := in.s.answer(msg)
	if reply == nil {
		in.r.Update(amqp.State{Code: amqp.StateReleased}, true)
		return
	}
	in.r.Update(amqp.State{Code: amqp.StateAccepted}, true)
	in.s.mu.Lock()
	l := in.s.links[reply.Properties.To]
	in.s.mu.Unlock()
	if l != nil {
		l.Send(in, true).WriteBytes(reply.AppendWide(nil, 6), false)
	}
}

func (in *incoming) Settled(amqp.State)      {}
func (in *incoming) Abort()                  {}
func (in *incoming) Lost(error)              {}
func (in *incoming) Update(amqp.State, bool) {}
func (in *incoming) Ready()                  {}
