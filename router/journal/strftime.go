package journal

import (
	"fmt"
	"strings"
	"time"
)

// DefaultTimeFormat is upstream's.
const DefaultTimeFormat = "%Y-%m-%d %H:%M:%S.%%06lu %z"

// micros is what upstream's format writes for the microseconds: a conversion
// of printf within that of strftime.
const micros = "%%06lu"

// layout is a strftime format, taken apart once.
type layout struct {
	parts []func(dst []byte, t time.Time) []byte
	utc   bool
}

// newLayout reads a format. Conversions that it does not know are written as
// they are.
func newLayout(format string, utc bool) *layout {
	if format == "" {
		format = DefaultTimeFormat
	}
	l := &layout{utc: utc}
	for format != "" {
		switch {
		case strings.HasPrefix(format, micros):
			l.add(func(dst []byte, t time.Time) []byte { return fmt.Appendf(dst, "%06d", t.Nanosecond()/1000) })
			format = format[len(micros):]
		case format[0] == '%' && len(format) > 1:
			l.add(conversion(format[1]))
			format = format[2:]
		default:
			text := format
			if i := strings.IndexByte(format[1:], '%'); i >= 0 {
				text = format[:i+1]
			}
			l.literal(text)
			format = format[len(text):]
		}
	}
	return l
}

func (l *layout) add(f func([]byte, time.Time) []byte) { l.parts = append(l.parts, f) }

func (l *layout) literal(text string) {
	l.add(func(dst []byte, _ time.Time) []byte { return append(dst, text...) })
}

// conversion is one of strftime's.
func conversion(c byte) func([]byte, time.Time) []byte {
	layouts := map[byte]string{
		'Y': "2006", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'y': "06", 'p': "PM",
		'z': "-0700", 'Z': "MST", 'b': "Jan", 'h': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'j': "002",
		'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06", 'c': "Mon Jan _2 15:04:05 2006",
		'x': "01/02/06", 'X': "15:04:05", 'r': "03:04:05 PM",
	}
	if f, ok := layouts[c]; ok {
		return func(dst []byte, t time.Time) []byte { return t.AppendFormat(dst, f) }
	}
	switch c {
	case 's':
		return func(dst []byte, t time.Time) []byte { return fmt.Append(dst, t.Unix()) }
	case '%':
		return func(dst []byte, _ time.Time) []byte { return append(dst, '%') }
	case 'n':
		return func(dst []byte, _ time.Time) []byte { return append(dst, '\n') }
	case 't':
		return func(dst []byte, _ time.Time) []byte { return append(dst, '\t') }
	}
	return func(dst []byte, _ time.Time) []byte { return append(dst, '%', c) }
}

// format appends t.
func (l *layout) format(dst []byte, t time.Time) []byte {
	if l.utc {
		t = t.UTC()
	}
	for _, part := range l.parts {
		dst = part(dst, t)
	}
	return dst
}
