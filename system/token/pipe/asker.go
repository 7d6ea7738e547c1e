package pipe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/skupper-host/skupper/system/token"
)

// errNoAnswer is told to clients, who may ask again.
var errNoAnswer = &token.Refusal{Status: http.StatusServiceUnavailable, Text: "There is no answer in time"}

// asker has the agent at the other end of a pipe decide. It implements
// token.Grantor and token.Renewer.
type asker struct {
	conn  net.Conn
	room  chan struct{} // capacity maxOpen; one in it for each question that is open
	shown chan struct{} // closed with the first certificate

	sending sync.Mutex // guards writing to conn

	mu       sync.Mutex
	last     uint64               // guarded by mu; number of a question
	open     map[uint64]chan tell // guarded by mu; capacity 1 each; nil once the agent is gone
	identity *tls.Certificate     // guarded by mu
}

func newAsker(conn net.Conn) *asker {
	return &asker{conn: conn, room: make(chan struct{}, maxOpen), shown: make(chan struct{}), open: map[uint64]chan tell{}}
}

// Redeem implements token.Grantor.
func (a *asker) Redeem(ctx context.Context, c token.Claim) ([]byte, error) {
	return a.ask(ctx, ask{Claim: claimOf(c)})
}

// Renew implements token.Renewer.
func (a *asker) Renew(ctx context.Context, r token.Renewal) ([]byte, error) {
	asked := renewal(r)
	return a.ask(ctx, ask{Renewal: &asked})
}

// ask asks a question, to which it gives a number. The error is a *token.Refusal.
func (a *asker) ask(ctx context.Context, question ask) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, token.AnswerTime)
	defer cancel()
	select {
	case a.room <- struct{}{}:
	case <-ctx.Done():
		return nil, errNoAnswer
	}
	id, answer := a.expect()
	question.ID = id
	if answer == nil || a.say(question) != nil {
		return nil, errNoAnswer
	}
	select {
	case t, ok := <-answer:
		switch {
		case !ok:
			return nil, errNoAnswer
		case t.Status != 0:
			return nil, &token.Refusal{Status: t.Status, Text: t.Text}
		}
		return t.Documents, nil
	case <-ctx.Done():
		// What is not done yet need not be, so that the client can come again. There
		// is an answer all the same, and then room for another question.
		_ = a.say(ask{ID: id, Cancel: true}) // it fails where the agent is gone
		return nil, errNoAnswer
	}
}

// expect makes room for an answer; nil if there will be none.
func (a *asker) expect() (id uint64, answer <-chan tell) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		return 0, nil
	}
	a.last++
	c := make(chan tell, 1)
	a.open[a.last] = c
	return a.last, c
}

// say sends a message. An error is the end of the pipe.
func (a *asker) say(m ask) error {
	frame, err := encode(maxAsk, m)
	if err == nil {
		a.sending.Lock()
		defer a.sending.Unlock()
		err = send(a.conn, frame)
	}
	if err != nil {
		_ = a.conn.Close() // listen says why it ended
	}
	return err
}

// listen takes what the agent says, until it is gone: then it is nil.
func (a *asker) listen() error {
	defer a.giveUp()
	for {
		var t tell
		switch err := read(a.conn, maxTell, &t); {
		case Ended(err), errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		}
		if err := a.hear(t); err != nil {
			return err
		}
	}
}

// hear takes one message.
func (a *asker) hear(t tell) error {
	if t.Identity != nil {
		identity, err := tls.X509KeyPair(t.Identity.Cert, t.Identity.Key)
		if err != nil {
			return fmt.Errorf("certificate to show: %w", err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.identity == nil {
			close(a.shown)
		}
		a.identity = &identity
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := a.open[t.ID]
	if answer == nil {
		return fmt.Errorf("%w: an answer to question %d, which is not open", errMessage, t.ID)
	}
	delete(a.open, t.ID)
	answer <- t
	<-a.room
	return nil
}

// giveUp ends all that waits for an answer.
func (a *asker) giveUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, answer := range a.open {
		close(answer)
	}
	a.open = nil
}

// certificate is the one to show.
func (a *asker) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.identity, nil
}
