package pipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/system/token"
)

// Desk is the agent's side: where the process that faces the network asks.
type Desk struct {
	Grantor  token.Grantor
	Renewer  token.Renewer
	Identity func() Identity // the certificate to show
	Renewed  <-chan struct{} // yields when Identity may have another one
	Ready    func()          // called once, when the process is there and has its certificate
}

// Answer answers a process until it ends, which is io.EOF, or ctx is done, or it
// says what it could not say. It closes conn. What is being decided then is
// called off and waited for.
func (d *Desk) Answer(ctx context.Context, conn net.Conn) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	closing := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends reading and writing
	defer closing()
	s := &sitting{desk: d, conn: conn, cancel: cancel, open: map[uint64]context.CancelFunc{}}
	defer s.parts.Wait()
	err := s.run(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // it closed conn
	}
	cancel(err)
	return err
}

// sitting is one process at the desk.
type sitting struct {
	desk   *Desk
	conn   net.Conn
	cancel context.CancelCauseFunc
	parts  sync.WaitGroup

	sending sync.Mutex // guards writing to conn

	mu   sync.Mutex
	open map[uint64]context.CancelFunc // guarded by mu; questions that are being decided
}

func (s *sitting) run(ctx context.Context) error {
	if err := s.conn.SetReadDeadline(time.Now().Add(readyTime)); err != nil {
		return err
	}
	first, err := readAsk(s.conn)
	if err != nil {
		return err
	}
	if !first.Ready {
		return fmt.Errorf("%w: it asks before it is ready", errMessage)
	}
	if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if err := s.show(); err != nil {
		return err
	}
	s.desk.Ready()
	s.parts.Go(func() { s.showAgain(ctx) })
	for {
		a, err := readAsk(s.conn)
		if err != nil {
			return err
		}
		if err := s.take(ctx, a); err != nil {
			return err
		}
	}
}

// show has the process show the certificate.
func (s *sitting) show() error {
	identity := s.desk.Identity()
	return s.say(tell{Identity: &identity})
}

// showAgain does so whenever there may be another one.
func (s *sitting) showAgain(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.desk.Renewed:
		}
		if err := s.show(); err != nil {
			s.cancel(err)
			return
		}
	}
}

// say sends a message.
func (s *sitting) say(t tell) error {
	frame, err := encode(maxTell, t)
	if err != nil {
		return err
	}
	s.sending.Lock()
	defer s.sending.Unlock()
	return send(s.conn, frame)
}

// decision is who decides a question, and about what. All that is asked comes
// from a process that may be anybody's: what it says of a stranger is no more than
// what that stranger says himself.
func (d *Desk) decision(question ask) func(context.Context) ([]byte, error) {
	if question.Renewal != nil {
		r := token.Renewal(*question.Renewal)
		return func(ctx context.Context) ([]byte, error) { return d.Renewer.Renew(ctx, r) }
	}
	claim := question.Claim.token()
	return func(ctx context.Context) ([]byte, error) { return d.Grantor.Redeem(ctx, claim) }
}

// take takes up a question.
func (s *sitting) take(ctx context.Context, a ask) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	callOff := s.open[a.ID]
	switch {
	case a.Ready:
		return fmt.Errorf("%w: it is ready twice", errMessage)
	case a.Cancel && callOff != nil:
		callOff()
	case a.Cancel: // the answer is on its way
	case callOff != nil:
		return fmt.Errorf("%w: two questions with number %d", errMessage, a.ID)
	case len(s.open) >= maxOpen:
		return fmt.Errorf("%w: more than %d questions at once", errMessage, maxOpen)
	default:
		ctx, cancel := context.WithTimeout(ctx, token.AnswerTime)
		s.open[a.ID] = cancel
		s.parts.Go(func() {
			defer cancel()
			s.answer(ctx, a.ID, s.desk.decision(a))
		})
	}
	return nil
}

// answer answers a question.
func (s *sitting) answer(ctx context.Context, id uint64, decision func(context.Context) ([]byte, error)) {
	documents, err := decision(ctx)
	t := tell{ID: id, Documents: documents}
	if err != nil {
		refusal := token.RefusalOf(err)
		t = tell{ID: id, Status: refusal.Status, Text: refusal.Text}
	}
	s.mu.Lock()
	delete(s.open, id) // before the answer: another question may follow it at once
	s.mu.Unlock()
	err = s.say(t)
	if errors.Is(err, errMessage) { // the links do not fit
		refusal := token.RefusalOf(err)
		err = s.say(tell{ID: id, Status: refusal.Status, Text: refusal.Text})
	}
	if err != nil {
		s.cancel(err)
	}
}

// Ended reports whether an error of Answer says no more than that the process
// has ended, which itself says how.
func Ended(err error) bool {
	return slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE}, func(end error) bool { return errors.Is(err, end) })
}
