package resource

import (
	"slices"
	"strconv"
	"strings"
)

// emitter writes a tree as YAML, byte for byte as yaml.v3 does, but only what
// needs no thought: mappings of plain words to words, numbers, addresses and
// moments, and lists of these. That is nearly every document of a large site,
// and yaml.v3 takes 128 KiB of memory for each.
type emitter struct{ out []byte }

// emitPlain writes m. It is not ok where there is something in m that takes
// yaml.v3 to write.
func emitPlain(m map[string]any) (text []byte, ok bool) {
	e := emitter{make([]byte, 0, 512)}
	if len(m) == 0 || !e.mapping(m, 0, false) {
		return nil, false
	}
	return e.out, true
}

// mapping writes a mapping. With inline its first key goes on the present line.
func (e *emitter) mapping(m map[string]any, indent int, inline bool) bool {
	keys := make([]string, 0, len(m))
	for k := range m {
		if len(k) > maxKey || !isWord(k) || !onlyLetters(k) {
			return false
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !inline {
			e.blanks(indent)
		}
		inline = false
		e.out = append(append(e.out, k...), ':')
		if !e.value(m[k], indent) {
			return false
		}
	}
	return true
}

// value writes what is behind a key.
func (e *emitter) value(v any, indent int) bool {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return false
		}
		e.out = append(e.out, '\n')
		return e.mapping(v, indent+indentStep, false)
	case []any:
		if len(v) == 0 {
			return false
		}
		e.out = append(e.out, '\n')
		return e.list(v, indent+indentStep)
	}
	e.out = append(e.out, ' ')
	return e.scalar(v)
}

// indentStep is the indentation of what is inside something else.
const indentStep = 2

func (e *emitter) list(list []any, indent int) bool {
	for _, v := range list {
		e.blanks(indent)
		e.out = append(e.out, "- "...)
		switch v := v.(type) {
		case map[string]any:
			if len(v) == 0 || !e.mapping(v, indent+indentStep, true) {
				return false
			}
		case []any:
			return false
		default:
			if !e.scalar(v) {
				return false
			}
		}
	}
	return true
}

func (e *emitter) scalar(v any) bool {
	switch v := v.(type) {
	case int:
		e.out = strconv.AppendInt(e.out, int64(v), 10)
	case int64:
		e.out = strconv.AppendInt(e.out, v, 10)
	case bool:
		e.out = strconv.AppendBool(e.out, v)
	case string:
		switch {
		case isWord(v) || isIPv4(v):
			e.out = append(e.out, v...)
		case isMessage(v) && strings.Contains(v, ":"): // it would end a key
			e.out = append(append(append(e.out, '\''), strings.ReplaceAll(v, "'", "''")...), '\'')
		case isMoment(v) || isNumber(v) || v == ConditionTrue || v == ConditionFalse:
			e.out = append(append(append(e.out, '"'), v...), '"')
		default:
			return false
		}
	default:
		return false
	}
	e.out = append(e.out, '\n')
	return true
}

func (e *emitter) blanks(n int) {
	for range n {
		e.out = append(e.out, ' ')
	}
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

func onlyLetters(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) {
			return false
		}
	}
	return true
}

// maxKey is up to which length a key is written without a thought.
const maxKey = 60

// isMessage reports whether a string is a message for people, or a word.
func isMessage(s string) bool {
	if s == "" || !isLetter(s[0]) || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && strings.IndexByte(inMessages, c) < 0 {
			return false
		}
	}
	return true
}

// isWord reports whether a string stands for itself in YAML without quotes: a
// word, or a message that has no colon in its text.
func isWord(s string) bool {
	if !isMessage(s) || strings.Contains(s, ": ") || s[len(s)-1] == ':' {
		return false
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}

// inMessages are the characters beside letters and digits that need no quotes
// behind a letter.
const inMessages = "-_./ ;:,()%+='`"

// isIPv4 reports whether a string is four numbers with dots between them.
func isIPv4(s string) bool {
	parts := 0
	for part := range strings.SplitSeq(s, ".") {
		if len(part) == 0 || len(part) > 3 || strings.Trim(part, "0123456789") != "" {
			return false
		}
		parts++
	}
	return parts == 4
}

// isMoment reports whether a string is a time in RFC 3339, in UTC, which YAML
// would take for one.
func isMoment(s string) bool {
	const form = "0000-00-00T00:00:00Z"
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if form[i] == '0' != isDigit(s[i]) || form[i] != '0' && form[i] != s[i] {
			return false
		}
	}
	return s[5] < '1' || s[5] == '1' && s[6] <= '2' // a month; nothing else is looked at
}

// isNumber reports whether a string is a number that YAML would take for one.
func isNumber(s string) bool {
	return len(s) < 10 && s != "" && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}
