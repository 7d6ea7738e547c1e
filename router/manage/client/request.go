package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
)

// maxReply bounds one reply in octets.
const maxReply = 64 << 20

// reply collects an incoming message. Its calls come from the reader of the
// connection.
type reply struct {
	c   *Client
	r   *conn.Receiving
	buf []byte
}

func (r *reply) Transfer(payload []byte, more bool) {
	if len(r.buf)+len(payload) > maxReply {
		r.c.conn.Close(&amqp.Error{Condition: amqp.ErrMessageSizeExceeded, Description: "reply too long"})
		return
	}
	r.buf = append(r.buf, payload...)
	if more {
		return
	}
	if !r.r.Settled {
		r.r.Update(amqp.State{Code: amqp.StateAccepted}, true)
	}
	msg, err := amqp.ParseMessage(r.buf)
	if err != nil || msg.Properties == nil {
		return // no request can be told from it; its caller gives up by itself
	}
	if id, ok := fromAMQP(msg.Properties.CorrelationID).(int64); ok && id > 0 {
		r.c.finish(uint64(id), result{reply: msg})
	}
}

func (r *reply) Settled(amqp.State) {}
func (r *reply) Abort()             {}
func (r *reply) Lost(error)         {}

// finish hands a result to the request that waits for it, if one does.
func (c *Client) finish(id uint64, r result) {
	c.mu.Lock()
	waiting := c.pending[id]
	delete(c.pending, id)
	c.mu.Unlock()
	if waiting != nil {
		waiting <- r
	}
}

// request is told what becomes of the message with a request. It fails the
// request if the message does not arrive.
type request struct {
	c  *Client
	id uint64
}

func (q *request) Ready() {}

func (q *request) Lost(err error) {
	var e *amqp.Error
	if errors.As(err, &e) && e.Condition == conn.ErrConnectionLost {
		return // the end of the connection is told by gone, with its reason
	}
	q.fail(err)
}

func (q *request) fail(err error) { q.c.finish(q.id, result{err: err}) }

func (q *request) Update(st amqp.State, settled bool) {
	switch st.Code {
	case amqp.StateRejected:
		if st.Error != nil {
			q.fail(fmt.Errorf("request rejected: %w", st.Error))
			return
		}
		q.fail(errors.New("request rejected"))
	case amqp.StateReleased, amqp.StateModified:
		q.fail(fmt.Errorf("no management node at %s", q.c.node))
	case amqp.StateNone, amqp.StateReceived, amqp.StateAccepted, amqp.StateDeclared, amqp.StateTransactional, amqp.StateOther:
	}
}

// call sends a request and waits for its reply.
func (c *Client) call(ctx context.Context, properties amqp.Map, body any) (*amqp.Message, error) {
	c.mu.Lock()
	c.last++
	q := &request{c: c, id: c.last}
	waiting := make(chan result, 1)
	c.pending[q.id] = waiting
	sender, replyTo := c.sender, c.replyTo
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, q.id)
		c.mu.Unlock()
	}()

	msg := amqp.Message{
		Properties:            &amqp.Properties{ReplyTo: replyTo, CorrelationID: q.id},
		ApplicationProperties: properties,
		Kind:                  amqp.BodyValue,
		Value:                 body,
	}
	sending := sender.Send(q, false)
	sending.WriteBytes(msg.Append(nil), false)
	select {
	case r := <-waiting:
		return r.reply, r.err
	case <-c.gone:
		return nil, c.failure
	case <-ctx.Done():
		sending.Abort()
		return nil, ctx.Err()
	}
}
