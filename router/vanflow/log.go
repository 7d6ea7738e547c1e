package vanflow

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Severity is how bad the event of a LOG record is.
type Severity uint64

// Severities.
const (
	SeverityDebug    Severity = 0
	SeverityInfo     Severity = 1
	SeverityWarning  Severity = 2
	SeverityError    Severity = 3
	SeverityCritical Severity = 4
)

// maxLogs bounds the log records that wait for the next Step. More than that in
// a second are dropped: they are in the router's own log.
const maxLogs = 200

// logQueue holds log records until the next Step. They are never retained.
type logQueue struct {
	mu    sync.Mutex
	queue []logRecord // Guarded by mu.
}

type logRecord struct {
	time     uint64 // µs
	severity Severity
	text     string
	file     string
	line     uint64
}

// Log emits a LOG record, unless nobody listens. compat: upstream's text is
// "LOG_", the module in capitals, a colon and the message.
func (r *Router) Log(now time.Time, severity Severity, text, file string, line int) {
	r.logs.mu.Lock()
	defer r.logs.mu.Unlock()
	if len(r.logs.queue) < maxLogs {
		r.logs.queue = append(r.logs.queue, logRecord{micros(now), severity, cut(text, maxText), cut(file, maxText), uint64(max(line, 0))})
	}
}

func (r *Router) emitLogs(usable Usable, out *[]Publication) {
	r.logs.mu.Lock()
	queue := r.logs.queue
	r.logs.queue = nil
	r.logs.mu.Unlock()
	to := AddressLogs(r.id)
	if len(queue) == 0 || !usable(to) {
		return
	}
	b := batch{to: to, next: &r.message, out: out}
	for i := range queue {
		l := &queue[i]
		b.begin(TypeLog, r.identity())
		b.text(AttrParent, r.id)
		b.number(AttrStartTime, l.time)
		b.number(AttrEndTime, l.time)
		b.number(AttrLogSeverity, uint64(l.severity))
		b.text(AttrLogText, l.text)
		b.text(AttrSourceFile, l.file)
		b.number(AttrSourceLine, l.line)
		b.end()
	}
	b.close()
}

// Handler returns a handler that passes everything to next and turns records of
// level Warn and above into LOG records. Their module is the attribute "module".
func (r *Router) Handler(next slog.Handler) slog.Handler { return &logHandler{next: next, router: r} }

type logHandler struct {
	next       slog.Handler
	router     *Router
	module     string
	attributes string // of WithAttrs, as " key=value"
	group      string
}

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelWarn {
		h.log(record)
	}
	if !h.next.Enabled(ctx, record.Level) {
		return nil
	}
	return h.next.Handle(ctx, record)
}

func (h *logHandler) log(record slog.Record) {
	module := h.module
	var b strings.Builder
	b.WriteString(record.Message)
	b.WriteString(h.attributes)
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == moduleKey && h.group == "" {
			module = a.Value.String()
		} else {
			b.WriteString(" " + h.group + a.Key + "=" + a.Value.String())
		}
		return true
	})
	if module == "" {
		module = "router"
	}
	severity := SeverityWarning
	if record.Level >= slog.LevelError {
		severity = SeverityError
	}
	frame, _ := runtime.CallersFrames([]uintptr{record.PC}).Next()
	h.router.Log(record.Time, severity, "LOG_"+strings.ToUpper(module)+": "+b.String(), frame.File, frame.Line)
}

// moduleKey is the attribute that names the part of the router.
const moduleKey = "module"

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	with := *h
	with.next = h.next.WithAttrs(attributes)
	for _, a := range attributes {
		if a.Key == moduleKey && h.group == "" {
			with.module = a.Value.String()
		} else {
			with.attributes += " " + h.group + a.Key + "=" + a.Value.String()
		}
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.next = h.next.WithGroup(name)
	if name != "" {
		with.group += name + "."
	}
	return &with
}
