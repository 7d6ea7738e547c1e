package router

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/manage"
)

// Bounds of the management requests that wait, in number and in octets together.
// Further ones are dropped: their clients time out.
const (
	maxRequests      = 1024
	maxRequestOctets = 32 << 20
)

// management takes requests to $management and answers them one after
// another.
type management struct {
	r        *Router
	node     *manage.Node
	requests chan []byte
	octets   atomic.Int64  // of requests that wait
	probes   chan struct{} // a slot for each that is under way
}

// Bounds of probes of servers.
const (
	maxProbes    = 8
	probeTimeout = 5 * time.Second
)

// errProbes is why one is refused.
var errProbes = errors.New("this router is probing enough servers already; ask again")

// addProcesses adds the parts of the router that take messages.
func (r *Router) addProcesses() {
	m := &management{r: r, requests: make(chan []byte, maxRequests), probes: make(chan struct{}, maxProbes)}
	m.node = manage.New(store{r})
	m.showSchema()
	target := &process{handle: m.take, limit: maxRequest, incomplete: &r.incomplete}
	for _, key := range []forward.Key{
		{Class: forward.ClassLocal, Name: "$management"},
		{Class: forward.ClassMobile, Name: "$management"},
		{Class: forward.ClassLocal, Name: "$_management_internal"}, // compat: the agent of upstream's core, for tools that pass the other by
	} {
		r.table.Add(key, &forward.Consumer{Kind: forward.Process, Target: target}, forward.Closest)
	}
	r.run(m.serve)
}

// showSchema makes clients see the schema of upstream's packages, if the router
// was started with them.
func (m *management) showSchema() {
	for _, dir := range m.r.include {
		data, err := os.ReadFile(filepath.Join(dir, "skupper_router", "management", "skrouter.json"))
		if err == nil {
			err = m.node.ShowSchema(data)
		}
		if err == nil {
			return
		}
		m.r.log.Debug("schema", "module", "AGENT", "dir", dir, "err", err)
	}
}

// take queues a request.
func (m *management) take(message []byte) {
	size := int64(len(message))
	if m.octets.Add(size) <= maxRequestOctets {
		select {
		case m.requests <- message:
			return
		default:
		}
	}
	m.octets.Add(-size)
	m.r.log.Warn("management request dropped", "module", "AGENT", "waiting", len(m.requests))
}

// serve answers requests until ctx is done.
func (m *management) serve(ctx context.Context) {
	var probing sync.WaitGroup
	defer probing.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case data := <-m.requests:
			m.octets.Add(-int64(len(data)))
			msg, err := amqp.ParseMessage(data)
			if err != nil {
				m.r.log.Debug("malformed management request", "module", "AGENT", "err", err)
				continue
			}
			if operationOf(msg) != manage.OperationProbe {
				m.answer(ctx, msg)
				continue
			}
			select {
			case m.probes <- struct{}{}:
				probing.Go(func() {
					defer func() { <-m.probes }()
					ctx, cancel := context.WithTimeout(ctx, probeTimeout)
					defer cancel()
					m.answer(ctx, msg)
				})
			default:
				ctx, cancel := context.WithCancelCause(ctx)
				cancel(errProbes)
				m.answer(ctx, msg)
			}
		}
	}
}

func operationOf(msg *amqp.Message) string {
	operation, _ := msg.ApplicationProperties.Get("operation").(string)
	return operation
}

func (m *management) answer(ctx context.Context, msg *amqp.Message) {
	operation := operationOf(msg)
	m.r.log.Debug("Agent request", "module", "AGENT", "operation", operation, "type", msg.ApplicationProperties.Get("type"))
	res := m.node.Handle(ctx, msg, manage.Caller{})
	level := slog.LevelDebug
	if !res.OK() {
		level = slog.LevelError
	}
	m.r.log.Log(ctx, level, "management request", "module", "AGENT", "operation", res.Operation, "type", res.Type,
		"entity", res.Entity, "status", res.Status, "description", res.Description)
	if res.Reply != nil && res.Reply.Properties != nil {
		m.r.publish(addressOf(res.Reply.Properties.To), defaultPriority, res.Reply.AppendWide(nil, 6))
	}
}
