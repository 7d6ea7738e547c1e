package router

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/observe"
	"github.com/skupper-host/skupper/router/stream"
	"github.com/skupper-host/skupper/router/tcp"
	"github.com/skupper-host/skupper/router/vanflow"
)

// clientFlow records a stream at its listener. It implements stream.Recorder and
// observe.Recorder.
type clientFlow struct{ *vanflow.Flow }

// accepted begins the record of a stream, unless there are too many, and the
// observation of what it carries, unless nobody wants that.
func (s *service) accepted(a tcp.Accepted) (stream.Recorder, stream.Tap) {
	l := (*s.records.Load())[a.Address]
	if l == nil {
		return nil, nil
	}
	f := l.Open(time.Now(), hostOf(a.Remote), portOf(a.Remote))
	if f == nil {
		return nil, nil
	}
	flow := clientFlow{f}
	var kind observe.Kind
	switch a.Observer {
	case config.ObserverAuto:
		kind = observe.Auto
	case config.ObserverHTTP1:
		kind = observe.HTTP1
	case config.ObserverHTTP2:
		kind = observe.HTTP2
	default:
		s.r.log.Debug("no protocol observer setup for this connection", "module", "TCP_ADAPTOR", "address", a.Address) // compat: the words are upstream's
		return flow, nil
	}
	return flow, observe.New(kind, flow, time.Now, &s.r.requests)
}

// Begin implements observe.Recorder.
func (f clientFlow) Begin(at time.Time, q observe.Request) observe.Record {
	return f.Request(at, q.Protocol, q.Method, q.StreamID)
}

// Opened implements stream.Recorder.
func (f clientFlow) Opened(n *stream.Flow) { f.Count(&n.Read, &n.Written) }

// Answered implements stream.Recorder.
func (f clientFlow) Answered(latency time.Duration) { f.SetLatency(latency) }

// Closed implements stream.Recorder.
func (f clientFlow) Closed(err error) {
	if text := ownFailure(err); text != "" {
		f.Fail(text)
	}
	f.Close(time.Now())
}

// serverFlow records a stream at its connector. It implements tcp.Recorder.
type serverFlow struct{ *vanflow.CoFlow }

// arrived begins the record of a stream, if it has one at its listener.
func (s *connectorService) arrived(c stream.Call) tcp.Recorder {
	f := s.record.Open(c.Correlation, c.Trace)
	if f == nil {
		return nil
	}
	return serverFlow{f}
}

// Identity implements stream.Recorder.
func (f serverFlow) Identity() string { return "" } // it begins nothing

// Connected implements tcp.Recorder.
func (f serverFlow) Connected(local net.Addr) { f.CoFlow.Connected(hostOf(local), portOf(local)) }

// Opened implements stream.Recorder.
func (f serverFlow) Opened(*stream.Flow) {} // the listener counts

// Answered implements stream.Recorder.
func (f serverFlow) Answered(latency time.Duration) { f.SetLatency(latency) }

// Closed implements stream.Recorder.
func (f serverFlow) Closed(err error) {
	if text := ownFailure(err); text != "" {
		f.Fail(text)
	}
	f.Close(time.Now())
}

// ownFailure says what went wrong at this end of a stream; empty if nothing
// did, or the other end knows it better.
func ownFailure(err error) string {
	if err == nil {
		return ""
	}
	var theirs *stream.OutcomeError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, stream.ErrAborted), errors.As(err, &theirs):
		return ""
	}
	return conn.InWords(err).Error()
}

// hostOf and portOf are the halves of the address of a TCP socket.
func hostOf(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().String()
	}
	return addrText(a)
}

func portOf(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		return strconv.Itoa(t.Port)
	}
	return ""
}
