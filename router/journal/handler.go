package journal

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// Handler returns the journal as a slog.Handler.
func (j *Journal) Handler() slog.Handler { return &handler{j: j, own: j.own} }

// handler implements slog.Handler.
type handler struct {
	j      *Journal
	own    slog.Handler // of the process, with the same attributes and groups
	module string       // of WithAttrs, empty if it names none
	attrs  []slog.Attr  // of WithAttrs, names with their groups
	group  string       // of WithGroup, with a dot at its end
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	s := h.j.state.Load()
	if h.module != "" {
		return s.module(h.module).mask.has(gradeOf(level))
	}
	return s.any.has(gradeOf(level))
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.own = h.own.WithAttrs(attrs)
	next.attrs = append([]slog.Attr(nil), h.attrs...)
	for _, a := range attrs {
		if h.group == "" && a.Key == ModuleKey {
			next.module = a.Value.String()
			continue
		}
		a.Key = h.group + a.Key
		next.attrs = append(next.attrs, a)
	}
	return &next
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.own, next.group = h.own.WithGroup(name), h.group+name+"."
	return &next
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	name := h.module
	attrs := append([]slog.Attr(nil), h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		if h.group == "" && a.Key == ModuleKey {
			name = a.Value.String()
			return true
		}
		a.Key = h.group + a.Key
		attrs = append(attrs, a)
		return true
	})
	s := h.j.state.Load()
	m := s.module(name)
	g := gradeOf(r.Level)
	h.j.counts[m.name][g].Add(1)
	if !m.mask.has(g) {
		return nil
	}
	file, line := sourceOf(r.PC)
	h.j.write(s, m, g, Line{
		Time: r.Time, Module: m.name, Level: g.String(), Text: text(r.Message, attrs), File: file, LineNumber: line,
	})
	if m.out != nil {
		return nil
	}
	return h.own.Handle(ctx, r)
}

// text joins a message and its attributes:
//
//	[C5][L7] message: key=value key=value
func text(message string, attrs []slog.Attr) string {
	var front, behind strings.Builder
	for _, a := range attrs {
		v := a.Value.Resolve()
		switch a.Key {
		case ConnKey:
			fmt.Fprintf(&front, "[C%s]", v)
		case LinkKey:
			fmt.Fprintf(&front, "[L%s]", v)
		default:
			behind.WriteByte(' ')
			appendAttr(&behind, a.Key, v)
		}
	}
	switch {
	case front.Len() > 0 && behind.Len() > 0:
		return front.String() + " " + message + ":" + behind.String()
	case front.Len() > 0:
		return front.String() + " " + message
	case behind.Len() > 0:
		return message + ":" + behind.String()
	}
	return message
}

func appendAttr(b *strings.Builder, key string, v slog.Value) {
	if v.Kind() == slog.KindGroup {
		for i, a := range v.Group() {
			if i > 0 {
				b.WriteByte(' ')
			}
			appendAttr(b, key+"."+a.Key, a.Value.Resolve())
		}
		return
	}
	b.WriteString(key)
	b.WriteByte('=')
	s := v.String() // of an error its text; of one that is a nil pointer too, without a panic
	if strings.ContainsAny(s, "\n\r") {
		s = strconv.Quote(s)
	}
	b.WriteString(s)
}
