package config

import (
	"bytes"
	"encoding/json"
	"strings"
)

// parseConf reads the syntax of skrouterd.conf:
//
//	# a comment
//	listener {
//	    host: 0.0.0.0            # up to the end of the line
//	    openProperties: {
//	        "key": "value",
//	    }
//	}
//
// compat: the opening brace ends its line, the closing one stands alone.
// Values of pattern, bindingKey and hostname may contain #. Maps are JSON in
// which a comma may precede a closing bracket. A backslash in a value begins an
// escape sequence of JSON. A problem does not end the reading.
func parseConf(data []byte, report func(line int, format string, args ...any)) []section {
	c := confReader{data: data, report: report}
	var all []section
	for {
		text, ok := c.next()
		switch {
		case !ok:
			return all
		case text == "":
		default:
			name, opens := strings.CutSuffix(stripComment(text), "{")
			name = strings.TrimSpace(name)
			if !opens || !isWord(name) {
				c.report(c.line, "%s is not the beginning of an entity: TYPE {", show(text))
				continue
			}
			all = append(all, c.section(name))
		}
	}
}

// confReader hands out the lines of a file.
type confReader struct {
	data   []byte
	offset int // of the line after the current one
	start  int // of the current line
	line   int // number of the current line
	report func(line int, format string, args ...any)
}

// next returns the next line without blanks around it; a comment is empty.
func (c *confReader) next() (string, bool) {
	if c.offset >= len(c.data) {
		return "", false
	}
	c.start = c.offset
	end := bytes.IndexByte(c.data[c.offset:], '\n')
	if end < 0 {
		end = len(c.data) - c.offset
	}
	text := strings.TrimSpace(string(c.data[c.offset : c.offset+end]))
	c.offset += end + 1
	c.line++
	if strings.HasPrefix(text, "#") {
		return "", true
	}
	return text, true
}

// section reads the attributes of an entity to its closing brace.
func (c *confReader) section(typ string) section {
	s := section{typ: typ, line: c.line}
	for {
		text, ok := c.next()
		if !ok {
			c.report(s.line, "%s has no closing brace", typ)
			return s
		}
		if text == "" {
			continue
		}
		if strings.HasPrefix(text, "}") {
			if stripComment(text) != "}" {
				c.report(c.line, "text after a closing brace")
			}
			return s
		}
		if a, ok := c.attribute(text); ok {
			s.attrs = append(s.attrs, a)
		}
	}
}

// attribute reads NAME: VALUE, and the lines of VALUE if it is a map.
func (c *confReader) attribute(text string) (sectionAttr, bool) {
	name, value, ok := strings.Cut(text, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	a := sectionAttr{name: name, line: c.line}
	if !ok || !isWord(name) {
		c.report(c.line, "%s is not an attribute: NAME: VALUE", show(text))
		return a, false
	}
	switch name {
	case "pattern", "bindingKey", "hostname":
		value, _, _ = strings.Cut(value, " ")
	default:
		if strings.HasPrefix(value, "{") {
			return c.mapping(a)
		}
		value = stripComment(value)
	}
	if value == "" {
		c.report(c.line, "%s has no value", name)
		return a, false
	}
	a.value = unescape(value)
	return a, true
}

// mapping reads a JSON map that begins on the current line.
func (c *confReader) mapping(a sectionAttr) (sectionAttr, bool) {
	begin := c.start + bytes.IndexByte(c.data[c.start:], '{')
	text, end := jsonMap(c.data[begin:])
	if end < 0 {
		c.report(a.line, "%s has no closing brace", a.name)
		c.offset = len(c.data)
		return a, false
	}
	for c.offset <= begin+end-1 {
		c.next()
	}
	if rest := c.data[begin+end : min(c.offset, len(c.data))]; strings.Trim(stripComment(string(rest)), ", \t\r\n") != "" {
		c.report(c.line, "text after a closing brace")
	}
	m, err := decodeMap(text)
	if err != nil {
		c.report(a.line, "%s is not a JSON map: %v", a.name, err)
		return a, false
	}
	a.value = m
	return a, true
}

// jsonMap returns the map at the beginning of data as strict JSON, and where
// it ends; -1 if it does not. Comment lines and commas before a closing bracket
// become blank.
func jsonMap(data []byte) (text []byte, end int) {
	depth, comma, quoted := 0, -1, false
	for i := 0; i < len(data); i++ {
		ch := data[i]
		if ch == '#' && !quoted && startsLine(text) {
			skip := bytes.IndexByte(data[i:], '\n')
			if skip < 0 {
				break
			}
			i, ch = i+skip, '\n'
		}
		text = append(text, ch)
		switch {
		case quoted && ch == '\\' && i+1 < len(data):
			i++
			text = append(text, data[i])
		case ch == '"':
			quoted, comma = !quoted, -1
		case quoted, ch == ' ', ch == '\t', ch == '\r', ch == '\n':
		case ch == ',':
			comma = len(text) - 1
		case ch == '{' || ch == '[':
			depth, comma = depth+1, -1
		case ch == '}' || ch == ']':
			if comma >= 0 {
				text[comma] = ' '
			}
			comma = -1
			if depth--; depth == 0 {
				return text, i + 1
			}
		default:
			comma = -1
		}
	}
	return nil, -1
}

// startsLine reports whether only blanks follow the last line feed in text.
func startsLine(text []byte) bool {
	return len(bytes.TrimLeft(text[bytes.LastIndexByte(text, '\n')+1:], " \t")) == 0
}

// stripComment returns text before the first #, without blanks around it.
func stripComment(text string) string {
	text, _, _ = strings.Cut(text, "#")
	return strings.TrimSpace(text)
}

// unescape resolves the escape sequences of JSON in value if they are valid;
// otherwise value is meant literally.
func unescape(value string) string {
	if !strings.Contains(value, `\`) {
		return value
	}
	var s string
	if json.Unmarshal([]byte(`"`+value+`"`), &s) != nil {
		return value
	}
	return s
}

// isWord reports whether s is a name: letters, digits, _, - and ., perhaps
// after $.
func isWord(s string) bool {
	s = strings.TrimPrefix(s, "$")
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '_' || r == '-' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
}
