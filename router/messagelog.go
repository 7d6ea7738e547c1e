package router

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/stream"
)

// moduleMessage is the log module of messages.
const moduleMessage = "MESSAGE"

// partNames are those of the parts of messages that can be logged, in the order of
// the properties section and with their names in configurations (compat:
// skupper-router 3.x).
var partNames = []string{
	"message-id", "user-id", "to", "subject", "reply-to", "correlation-id", "content-type", "content-encoding",
	"absolute-expiry-time", "creation-time", "group-id", "group-sequence", "reply-to-group-id", applicationPart,
}

const applicationPart = "app-properties"

// messageParts is a set of parts of messages, by the index of their names.
type messageParts uint16

// partsOf is what the attribute messageLoggingComponents means. Names that are
// not known mean nothing.
func partsOf(text string) (set messageParts) {
	if text == "all" {
		return math.MaxUint16
	}
	for name := range strings.SplitSeq(text, ",") {
		if i := slices.Index(partNames, strings.TrimSpace(name)); i >= 0 {
			set |= 1 << i
		}
	}
	return set
}

// setMessageLog notes whether messages are logged anywhere, so that nobody
// looks at them otherwise.
func (r *Router) setMessageLog() {
	on := false
	for i := range r.cfg.Listeners {
		on = on || partsOf(r.cfg.Listeners[i].MessageLoggingComponents) != 0
	}
	for i := range r.cfg.Connectors {
		on = on || partsOf(r.cfg.Connectors[i].MessageLoggingComponents) != 0
	}
	r.logsMessages.Store(on && r.journal != nil && r.journal.Enabled(moduleMessage, slog.LevelDebug))
}

// spoken are the sections of a message that are logged, encoded.
type spoken struct{ properties, application []byte }

func spokenOf(h *stream.Head) *spoken {
	return &spoken{
		properties:  bytes.Clone(h.Properties.In(h.Message)),
		application: bytes.Clone(h.ApplicationProperties.In(h.Message)),
	}
}

// logMessage logs the parts of a message that are wanted of the connection:
// verb is Received or Sent. compat: the form is upstream's.
func (p *peer) logMessage(verb string, l *conn.Link, s *spoken) {
	set := p.owner.set.logged
	if s == nil || set == 0 {
		return
	}
	source, target := "", ""
	if a := l.Remote(); a != nil && a.Source != nil {
		source = addressOf(a.Source.Address)
	}
	if a := l.Remote(); a != nil && a.Target != nil {
		target = addressOf(a.Target.Address)
	}
	p.r.log.Debug(fmt.Sprintf("[C%d]: %s %s on link '%s' (%s -> %s)", p.id, verb, s.text(set), l.Name(), source, target), "module", moduleMessage)
}

func (s *spoken) text(set messageParts) string {
	text := []byte("Message{")
	n := 0
	part := func(i int, v any) {
		if v == nil || set&(1<<i) == 0 {
			return
		}
		if n > 0 {
			text = append(text, ", "...)
		}
		n++
		text = appendSpoken(fmt.Appendf(text, "%s=", partNames[i]), v)
	}
	if list, ok := section(s.properties).(amqp.List); ok {
		for i, v := range list[:min(len(list), len(partNames)-1)] {
			part(i, v)
		}
	}
	part(len(partNames)-1, section(s.application))
	return string(append(text, '}'))
}

// section is the value of an encoded section, nil if there is none.
func section(b []byte) any {
	if v, _, err := amqp.DecodeValue(b); err == nil {
		if d, ok := v.(amqp.Described); ok {
			return d.Value
		}
	}
	return nil
}

// appendSpoken appends a value as people write it. compat: as skupper-router.
func appendSpoken(text []byte, v any) []byte {
	switch v := v.(type) {
	case uint8, uint16, uint32, uint64:
		return fmt.Append(text, v)
	case amqp.Symbol:
		return fmt.Appendf(text, ":%q", string(v))
	case amqp.Timestamp:
		return fmt.Appendf(text, "%q", time.UnixMilli(int64(v)).UTC().Format("2006-01-02 15:04:05.000 -0700"))
	case amqp.List:
		text = append(text, '[')
		for i, x := range v {
			if i > 0 {
				text = append(text, ", "...)
			}
			text = appendSpoken(text, x)
		}
		return append(text, ']')
	case amqp.Map:
		text = append(text, '{')
		for i, x := range v {
			if i > 0 {
				text = append(text, ", "...)
			}
			text = append(appendSpoken(text, x.Key), '=')
			text = appendSpoken(text, x.Value)
		}
		return append(text, '}')
	}
	return amqp.AppendValueText(text, v)
}
