package systemd

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// JournalHandler sends records to the journal with what it can be searched by:
// the priority, and each attribute as a field SKUPPER_<KEY> beside the line that
// a person reads.
//
//	journalctl -u skupper SKUPPER_SITE=default PRIORITY=4
type JournalHandler struct {
	level     slog.Leveler
	otherwise slog.Handler // takes what the journal does not

	groups string      // of the attributes to come, each with a dot behind it
	attrs  []slog.Attr // their keys with their groups

	send func(text string, priority journal.Priority, fields map[string]string) error
}

// NewJournalHandler is a handler for records of a level and above. Those that
// the journal does not take go to otherwise.
func NewJournalHandler(level slog.Leveler, otherwise slog.Handler) *JournalHandler {
	return &JournalHandler{level: level, otherwise: otherwise, send: journal.Send}
}

// LogsToJournal reports whether the standard error of this process is the
// journal.
func LogsToJournal() bool {
	is, err := journal.StderrIsJournalStream()
	return err == nil && is
}

// Enabled is of slog.Handler.
func (h *JournalHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle is of slog.Handler.
func (h *JournalHandler) Handle(ctx context.Context, r slog.Record) error {
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = flatten(attrs, h.groups, a)
		return true
	})
	var line strings.Builder
	line.WriteString(r.Message)
	fields := map[string]string{"SYSLOG_IDENTIFIER": "skupper"}
	for _, a := range attrs {
		value := a.Value.String()
		line.WriteString(" " + a.Key + "=" + quoted(value))
		fields[fieldName(a.Key)] = value
	}
	if err := h.send(line.String(), priority(r.Level), fields); err != nil {
		return h.otherwise.Handle(ctx, r)
	}
	return nil
}

// WithAttrs is of slog.Handler.
func (h *JournalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		with.attrs = flatten(with.attrs, h.groups, a)
	}
	with.otherwise = h.otherwise.WithAttrs(attrs)
	return &with
}

// WithGroup is of slog.Handler.
func (h *JournalHandler) WithGroup(name string) slog.Handler {
	with := *h
	if name != "" {
		with.groups += name + "."
	}
	with.otherwise = h.otherwise.WithGroup(name)
	return &with
}

// flatten adds an attribute, a group as its members.
func flatten(list []slog.Attr, groups string, a slog.Attr) []slog.Attr {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			groups += a.Key + "."
		}
		for _, member := range value.Group() {
			list = flatten(list, groups, member)
		}
		return list
	}
	if a.Key == "" {
		return list
	}
	return append(list, slog.Attr{Key: groups + a.Key, Value: value})
}

// quoted is a value as it stands in a line.
func quoted(value string) string {
	if value == "" || strings.ContainsAny(value, " =\"\n\t") {
		return strconv.Quote(value)
	}
	return value
}

// fieldName is an attribute's name in the journal, which knows capital letters,
// digits and underscores.
func fieldName(key string) string {
	return "SKUPPER_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, key)
}

// priority is the journal's word for a level.
func priority(level slog.Level) journal.Priority {
	switch {
	case level >= slog.LevelError+4:
		return journal.PriCrit
	case level >= slog.LevelError:
		return journal.PriErr
	case level >= slog.LevelWarn:
		return journal.PriWarning
	case level > slog.LevelInfo:
		return journal.PriNotice
	case level == slog.LevelInfo:
		return journal.PriInfo
	default:
		return journal.PriDebug
	}
}
