package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/trunk"
)

// moduleProtocol is the log module of frames.
const moduleProtocol = "PROTOCOL"

// tracing reports whether the frames of every connection are logged.
func (r *Router) tracing() bool {
	return r.journal != nil && r.journal.Enabled(moduleProtocol, slog.LevelDebug)
}

// trace logs one frame of the connection, whatever its module logs: somebody
// has asked for this connection.
func (p *peer) trace(text string) {
	p.r.journal.Enter(moduleProtocol, slog.LevelDebug, fmt.Sprintf("[C%d]:%s", p.id, text))
}

// setTrace begins or ends to log the frames of all connections.
func (r *Router) setTrace(on bool) {
	for _, p := range r.peers {
		if p.up {
			p.setTrace(on)
		}
	}
}

func (p *peer) setTrace(on bool) {
	p.traced = on
	if on && p.r.journal != nil {
		p.conn.SetTrace(p.trace)
		return
	}
	p.conn.SetTrace(nil)
}

// logOpened says that the connection is open. compat: the words are upstream's,
// which log scrapers read.
func (p *peer) logOpened() {
	st := p.conn.State()
	row := p.r.connectionRow(p)
	encrypted := "no"
	if row.SSLProto != "" {
		encrypted = row.SSLProto
	}
	p.r.log.Log(context.Background(), p.logLevel(), "Connection Opened", "module", "ROUTER_CORE", "conn", p.id,
		"dir", row.Dir, "host", row.Host, "encrypted", encrypted, "auth", row.SASL, "user", st.User, "container_id", p.remote,
		"props", string(amqp.AppendValueText(nil, row.Properties)))
}

// logAnnotations says which version of router annotations the peer has.
// compat: the words are upstream's.
func (p *peer) logAnnotations() {
	st := p.conn.State()
	if st.Remote == nil || !p.router() {
		return
	}
	if version, ok := st.Remote.Properties.Get(string(propAnnotations)).(int32); ok {
		p.r.log.Debug(fmt.Sprintf("Remote router annotations version: %d", version), "module", "ROUTER")
	}
}

// logLevel is the level of what concerns the connection as a whole: clients
// come and go, and there may be many.
func (p *peer) logLevel() slog.Level {
	if p.router() {
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// logEnded says that the connection is gone, and why.
func (o *connections) logEnded(p *peer, err error) {
	ctx, l := context.Background(), p.r.log
	switch {
	case err == nil || errors.Is(err, context.Canceled):
	case errors.Is(err, trunk.ErrSplit):
		o.logSplit(p, err)
	case p.dialed(): // logFailed has the reason
	case p.up || !errors.Is(err, io.EOF):
		l.Log(ctx, p.logLevel(), fmt.Sprintf("Connection from %s (to %s) failed: %s", addrText(p.member.Conn.State().RemoteAddr), o.endpoint, err), "module", "SERVER", "conn", p.id)
	}
	if p.up {
		l.Log(ctx, p.logLevel(), "Connection Closed", "module", "ROUTER_CORE", "conn", p.id)
	}
}

// logSplit says that a connection has reached the wrong router, once as long as
// the text is the same: it is tried again and again. compat: skupper-router's
// words.
func (o *connections) logSplit(p *peer, err error) {
	level, text := slog.LevelDebug, "Connection group failure: "+err.Error()
	if text != o.split {
		o.split, level = text, slog.LevelError
	}
	p.r.log.Log(context.Background(), level, text, "module", "ROUTER_CORE", "conn", p.id)
}

// logFailed says why a connector has no connection, once for each reason.
func (o *connections) logFailed(d *trunk.Dialer, err error, wait time.Duration) {
	text := fmt.Sprintf("Connection to %s failed: %s", d.Status().Endpoint, err)
	if words := conn.OpenSSLWords(err); words != "" {
		text += " (SSL Failure: " + words + ")"
	}
	level := slog.LevelDebug
	if text != o.failure {
		o.failure, level = text, slog.LevelWarn
	}
	o.r.log.Log(context.Background(), level, text, "module", "SERVER", "connector", d.Name(), "wait", wait)
}
