package config

import "bytes"

// Reader reads one file again and again. Where a large file has the layout that
// Encode gives it, no more is parsed of it than what is different since the last
// time.
type Reader struct {
	path string
	env  Environment

	data     []byte   // of the last time; nil where it is of no use
	starts   []int    // where the entities begin in data
	entities []Entity // one for each of starts
}

// NewReader makes a Reader; nothing is read yet. path and env are as of Load.
func NewReader(path string, env Environment) *Reader { return &Reader{path: path, env: env} }

// Load reads the file; the result is that of the function Load.
func (r *Reader) Load() (*Config, []Warning, error) {
	data, err := readFile(r.path)
	if err != nil {
		return nil, nil, err
	}
	if c, ok := r.patched(data); ok {
		return c, nil, nil
	}
	p := parser{file: r.path, env: r.env, config: New()}
	p.parse(data)
	r.remember(data, &p)
	return p.result()
}

// entityMark begins an entity in a file as Encode writes it. No string can hold
// it, and nothing that Encode nests deeper.
const entityMark = "\n    [\n"

// starts are the offsets at which an entity may begin.
func starts(data []byte) []int {
	var all []int
	for at := 0; ; at += len(entityMark) - 1 {
		i := bytes.Index(data[at:], []byte(entityMark))
		if i < 0 {
			return all
		}
		at += i
		all = append(all, at)
	}
}

// remember keeps what p has read, if nothing was to be said about it and every
// entity begins where its layout says.
func (r *Reader) remember(data []byte, p *parser) {
	r.data, r.starts, r.entities = nil, nil, nil
	if len(p.errors) > 0 || len(p.warnings) > 0 {
		return
	}
	if at := starts(data); begins(data, at, p.entities, 0) {
		r.data, r.starts, r.entities = data, at, p.entities
	}
}

// begins reports whether the entities begin at the offsets, each at one. line is
// how many lines there are before data.
func begins(data []byte, at []int, entities []Entity, line int) bool {
	if len(at) != len(entities) || len(at) == 0 || string(data[:at[0]]) != "[" {
		return false
	}
	count := lines{data: data}
	for i, e := range entities {
		if count.at(at[i]+1)+line != Line(e) {
			return false
		}
	}
	return true
}

// patched is the configuration of a file that differs in a few entities from
// what was read last. It is not ok where the whole file has to be read.
func (r *Reader) patched(data []byte) (c *Config, ok bool) {
	if r.data == nil || len(data) > maxFile {
		return nil, false
	}
	first, last := r.unchanged(data)
	end := len(data) // of what is different in data
	if last < len(r.starts) {
		end -= len(r.data) - r.starts[last]
	} else if text, closed := bytes.CutSuffix(data, []byte("\n]")); closed {
		end = len(text)
	} else {
		return nil, false
	}
	from := r.starts[first]
	line := bytes.Count(data[:from], []byte("\n"))
	fresh, ok := r.parsePart(data[from:end], last < len(r.starts), line)
	if !ok {
		return nil, false
	}
	all := make([]Entity, 0, first+len(fresh)+len(r.starts)-last)
	all = append(append(all, r.entities[:first]...), fresh...)
	if tail := r.entities[last:]; len(tail) > 0 {
		moved := line + bytes.Count(data[from:end], []byte("\n")) + 2 - Line(tail[0])
		for _, e := range tail {
			if moved != 0 {
				e = Clone(e)
				setLine(e, Line(e)+moved)
			}
			all = append(all, e)
		}
	}
	c = New()
	for _, e := range all {
		c.add(e)
	}
	if len(Check(c)) > 0 {
		return nil, false
	}
	at := starts(data)
	if len(at) != len(all) {
		return nil, false
	}
	r.data, r.starts, r.entities = data, at, all
	return c, true
}

// unchanged says how many entities at the beginning of what was read last are in
// data as they were, and the number of the first of those at the end that are.
func (r *Reader) unchanged(data []byte) (first, last int) {
	limit := min(len(data), len(r.data))
	prefix := 0
	for prefix < limit && data[prefix] == r.data[prefix] {
		prefix++
	}
	for first < len(r.starts)-1 && r.starts[first+1]+len(entityMark) <= prefix {
		first++
	}
	limit -= r.starts[first] // what is at the beginning is not at the end as well
	suffix := 0
	for suffix < limit && data[len(data)-1-suffix] == r.data[len(r.data)-1-suffix] {
		suffix++
	}
	last = len(r.starts)
	for last > first && r.starts[last-1] >= len(r.data)-suffix {
		last--
	}
	return first, last
}

// parsePart reads entities that stand line lines below the beginning of a file.
// With more, others follow.
func (r *Reader) parsePart(part []byte, more bool, line int) ([]Entity, bool) {
	if len(part) == 0 {
		return nil, true
	}
	if more {
		var ok bool
		if part, ok = bytes.CutSuffix(part, []byte(",")); !ok {
			return nil, false
		}
	}
	text := append(append([]byte("["), part...), "\n]"...)
	p := parser{file: r.path, env: r.env, config: New()}
	for _, s := range parseSections(text, p.report) {
		p.section(s)
	}
	if len(p.errors) > 0 || len(p.warnings) > 0 || !begins(text, starts(text), p.entities, 0) {
		return nil, false
	}
	for _, e := range p.entities {
		setLine(e, Line(e)+line)
	}
	return p.entities, true
}
