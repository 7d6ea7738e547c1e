package journal

import (
	"log/slog"
	"strings"
)

// Keys of attributes that the journal itself reads.
const (
	ModuleKey = "module" // which module a record belongs to
	ConnKey   = "conn"   // number of a connection: [C5]
	LinkKey   = "link"   // number of a link of it: [C5][L7]
)

// Default is the module whose settings hold for those that have none of their
// own.
const Default = "DEFAULT"

// fallback is the module of records that name none.
const fallback = "SERVER"

// Modules lists every module, compat: skupper-router 3.x.
func Modules() []string {
	return []string{
		"ROUTER", "ROUTER_CORE", "ROUTER_HELLO", "ROUTER_LS", "ROUTER_MA", "MESSAGE", "SERVER", "AGENT", "CONTAINER",
		"ERROR", "POLICY", "HTTP", "CONN_MGR", "PYTHON", "PROTOCOL", "TCP_ADAPTOR", "HTTP_ADAPTOR", "FLOW_LOG",
		"ADDRESS_WATCH", "HTTP1_OBSERVER", "HTTP2_OBSERVER", "HTTP2_DECODER", Default,
	}
}

// LevelCritical is the level of what ends the router.
const LevelCritical = slog.Level(12)

// grade is a level as upstream counts them.
type grade int

const (
	debug grade = iota
	info
	warning
	failure
	critical
	grades
)

func (g grade) String() string {
	return [...]string{"debug", "info", "warning", "error", "critical"}[g]
}

func gradeOf(l slog.Level) grade {
	switch {
	case l < slog.LevelInfo:
		return debug
	case l < slog.LevelWarn:
		return info
	case l < slog.LevelError:
		return warning
	case l < LevelCritical:
		return failure
	}
	return critical
}

// mask is a set of grades.
type mask uint8

func (m mask) has(g grade) bool { return m&(1<<g) != 0 }

// allFrom is the grade and everything above it.
func allFrom(g grade) mask { return (1<<grades - 1) &^ (1<<g - 1) }

// parseMask reads a list of levels as in the attribute enable: "info+" is info
// and above, "debug,error" is these two, "none" is nothing. It returns false if
// the text leaves the matter to module DEFAULT. What it does not know it passes
// over: the configuration was checked.
func parseMask(text string) (m mask, own bool) {
	for _, level := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", ;:", r) }) {
		name, above := strings.CutSuffix(strings.ToLower(level), "+")
		switch name {
		case "default":
			return 0, false
		case "notice":
			name = "info" // compat: levels of older routers
		case "trace":
			name = "debug"
		}
		for g := range grades {
			if name == "" || !strings.HasPrefix(g.String(), name) {
				continue
			}
			if above {
				m |= allFrom(g)
			} else {
				m |= 1 << g
			}
			break
		}
	}
	return m, text != ""
}
