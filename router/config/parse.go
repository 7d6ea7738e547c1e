package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// Load reads a file. The syntax is told by the content. env expands ${NAME}
// in values; nil leaves them. The error joins one *Error for each mistake, in
// the order of their lines, or is that of reading the file.
func Load(path string, env Environment) (*Config, []Warning, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	return Parse(path, data, env)
}

// LoadLogs returns the log entities of a file that need not be right otherwise,
// for whoever has to log why it is not. What cannot be read is left out.
func LoadLogs(path string, env Environment) []Log {
	data, err := readFile(path)
	if err != nil || !utf8.Valid(data) {
		return nil
	}
	p := parser{file: path, env: env, config: New()}
	for _, s := range parseSections(data, p.report) {
		if s.typ == "log" {
			p.section(s)
		}
	}
	return p.config.Logs
}

// readFile returns no more of the file than shows that it is too long.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// Parse reads the content of a file as Load does; name is for the messages.
func Parse(name string, data []byte, env Environment) (*Config, []Warning, error) {
	p := parser{file: name, env: env, config: New()}
	p.parse(data)
	return p.result()
}

// parse reads the content of a file.
func (p *parser) parse(data []byte) {
	if len(data) > maxFile {
		p.report(1, "longer than %d octets", maxFile)
		return
	}
	if !utf8.Valid(data) {
		p.report(lineOf(data, invalidAt(data)), "not UTF-8")
		return
	}
	for _, s := range parseSections(data, p.report) {
		p.section(s)
	}
	for _, e := range Check(p.config) {
		e.File = p.file
		p.errors = append(p.errors, e)
	}
}

// result is what was read.
func (p *parser) result() (*Config, []Warning, error) {
	if len(p.errors) > 0 {
		return nil, p.warnings, p.joined()
	}
	return p.config, p.warnings, nil
}

// parseSections reads a file of either syntax.
func parseSections(data []byte, report func(line int, format string, args ...any)) []section {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if isJSON(data) {
		return parseJSON(data, report)
	}
	return parseConf(data, report)
}

// invalidAt returns the offset of the first octet that is not UTF-8.
func invalidAt(data []byte) int {
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		at += size
	}
	return at
}

// isJSON reports whether the first character that is not in a comment is the
// opening bracket of a JSON file; no file of the other syntax begins so.
func isJSON(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			return line[0] == '['
		}
	}
	return false
}

// parser turns sections into a Config.
type parser struct {
	file     string
	env      Environment
	config   *Config
	entities []Entity       // those of config, in the order of the file
	singles  map[string]int // line of each singleton seen
	warnings []Warning
	errors   []*Error
}

func (p *parser) report(line int, format string, args ...any) {
	p.errors = append(p.errors, &Error{File: p.file, Line: line, Reason: fmt.Sprintf(format, args...)})
}

func (p *parser) warn(line int, format string, args ...any) {
	p.warnings = append(p.warnings, Warning{File: p.file, Line: line, Text: fmt.Sprintf(format, args...)})
}

// joined returns the errors in the order of their lines.
func (p *parser) joined() error {
	slices.SortStableFunc(p.errors, func(a, b *Error) int { return a.Line - b.Line })
	all := make([]error, len(p.errors))
	for i, e := range p.errors {
		all[i] = e
	}
	return errors.Join(all...)
}

// section adds the entity that s describes.
func (p *parser) section(s section) {
	t := sectionType(s.typ)
	if t == nil {
		p.warn(s.line, "%s is not a type of entity; ignored", show(s.typ))
		return
	}
	e, ok := NewEntity(t)
	if !ok {
		p.warn(s.line, "%s is not configured in a file; ignored", s.typ)
		return
	}
	setLine(e, s.line)
	if _, site := e.(*Site); site || t.Singleton {
		if first, again := p.singles[t.Name]; again {
			p.report(s.line, "%s is given twice, first on line %d", t.Name, first)
			return
		}
		if p.singles == nil {
			p.singles = map[string]int{}
		}
		p.singles[t.Name] = s.line
	}
	p.attributes(e, s)
	complete(e)
	switch e.(type) {
	case *Address, *AutoLink:
		// compat: upstream keeps the first and runs on.
		if first := p.config.Find(t, Name(e)); first != nil {
			p.warn(s.line, "%s %s is given on line %d already; ignored", t.section(), Name(e), Line(first))
			return
		}
	}
	p.entities = append(p.entities, e)
	p.config.add(e)
}

// attributes sets the attributes of e from s.
func (p *parser) attributes(e Entity, s section) {
	t := e.Type()
	given := map[string]int{}
	for _, a := range s.attrs {
		name := camelCase(a.name)
		if first, again := given[name]; again {
			p.warn(a.line, "%s: %s is given again after line %d; this one counts", t.Name, name, first)
		}
		if a.value == nil {
			continue
		}
		given[name] = a.line
		switch err := p.attribute(e, name, a); {
		case err == nil:
		case !errors.Is(err, ErrUnknownAttribute):
			p.refuse(t, name, a, err)
		case t.Attribute(name) != nil:
			p.warn(a.line, "%s: %s cannot be configured; ignored", t.Name, show(a.name))
		default:
			p.warn(a.line, "%s has no attribute %s; ignored", t.Name, show(a.name))
		}
	}
	for i := range t.Attributes {
		attr := &t.Attributes[i]
		if _, ok := given[attr.Name]; !ok && attr.Has(Required) && attr.Name != "type" {
			p.errors = append(p.errors, &Error{File: p.file, Line: s.line, Entity: t.Name, Attribute: attr.Name, Reason: "missing"})
		}
	}
}

// refuse notes that an attribute has the wrong kind of value.
func (p *parser) refuse(t *Type, name string, a sectionAttr, err error) {
	e := &Error{File: p.file, Line: a.line, Entity: t.Name, Attribute: name, Reason: err.Error()}
	if attr := t.Attribute(name); attr != nil && attr.Kind == Properties {
		e.as(validationError, "Properties must be a map")
		if _, ok := a.value.(map[string]any); ok {
			e.as(validationError, "Property keys must be ASCII encoded")
		}
	}
	p.errors = append(p.errors, e)
}

// attribute sets one attribute of e.
func (p *parser) attribute(e Entity, name string, a sectionAttr) error {
	value := p.env.expand(a.value)
	if name == "type" {
		if text, ok := value.(string); !ok || sectionType(text) != e.Type() {
			return fmt.Errorf("%s is not %s", show(value), e.Type().Name)
		}
		return nil
	}
	if attr := e.Type().Attribute(name); attr != nil && attr.Kind == Path && p.env != nil {
		if text, ok := value.(string); ok && strings.Contains(text, "${") {
			p.warn(a.line, "%s: %s: %s is not set in the environment", e.Type().Name, name, show(text))
		}
	}
	return Set(e, name, plain(value))
}

// plain replaces the json.Number inside lists and maps by int64 and float64,
// so that no value depends on the way it was read.
func plain(v any) any {
	switch x := v.(type) {
	case []any:
		for i := range x {
			x[i] = plainNumber(plain(x[i]))
		}
	case map[string]any:
		for k := range x {
			x[k] = plainNumber(plain(x[k]))
		}
	}
	return v
}

// complete fills in what depends on other attributes of e.
func complete(e Entity) {
	l, ok := e.(*Log)
	if !ok {
		return
	}
	l.Enable = strings.ReplaceAll(l.Enable, "trace", "debug") // compat: the level of older files
	if l.Module != "DEFAULT" {
		return
	}
	yes, no := true, false
	l.Enable = firstOf(l.Enable, "info+")
	l.OutputFile = firstOf(l.OutputFile, "stderr")
	if l.IncludeTimestamp == nil {
		l.IncludeTimestamp = &yes
	}
	if l.IncludeSource == nil {
		l.IncludeSource = &no
	}
}
