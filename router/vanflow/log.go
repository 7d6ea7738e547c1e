package vanflow

import (
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
