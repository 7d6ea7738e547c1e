package config

import "strings"

// section is one entity of a file before anything is known about its type.
type section struct {
	typ   string
	line  int
	attrs []sectionAttr
}

// sectionAttr is one attribute of a section. The value is a string,
// json.Number, bool, nil, []any or map[string]any.
type sectionAttr struct {
	name  string
	line  int
	value any
}

// Limits on what one file may hold; a larger one is refused.
const (
	maxFile  = 16 << 20 // octets
	maxDepth = 32       // lists and maps inside each other
)

// camelCase joins the words of a name written with blanks, underscores, dots
// or dashes: "ssl-profile" is sslProfile. compat: upstream takes all of them
// for the names of entities and attributes.
func camelCase(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '_' || r == '-' || r == '.' })
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + strings.ToLower(words[i][1:])
	}
	return strings.Join(words, "")
}

// sectionType returns the type that a section of a file names, nil if none is
// meant.
func sectionType(name string) *Type {
	if t, ok := Lookup(name); ok && t.Configured() {
		return t
	}
	name = camelCase(name)
	switch name {
	case "address", "autoLink": // compat: short for router.config.address and so on
		name = "router.config." + name
	}
	if t, ok := Lookup(name); ok && t.Configured() {
		return t
	}
	return nil
}

// lineOf returns the number of the line of data that holds the offset.
func lineOf(data []byte, offset int) int {
	line := 1
	for _, c := range data[:min(max(offset, 0), len(data))] {
		if c == '\n' {
			line++
		}
	}
	return line
}

// lines counts lines over ascending offsets without starting over.
type lines struct {
	data   []byte
	offset int
	line   int
}

func (l *lines) at(offset int) int {
	offset = min(offset, len(l.data))
	for ; l.offset < offset; l.offset++ {
		if l.data[l.offset] == '\n' {
			l.line++
		}
	}
	return l.line + 1
}
