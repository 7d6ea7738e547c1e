package render

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// unitFile is a systemd unit file as a value: sections of settings, in order
// (systemd.syntax(7)). Its methods escape what they are given; nothing else
// writes unit files.
type unitFile struct{ text strings.Builder }

// section begins a section.
func (u *unitFile) section(name string) {
	if u.text.Len() > 0 {
		u.text.WriteByte('\n')
	}
	fmt.Fprintf(&u.text, "[%s]\n", name)
}

// set writes a constant of ours as it is.
func (u *unitFile) set(key, value string) { fmt.Fprintf(&u.text, "%s=%s\n", key, value) }

// on sets each key to yes.
func (u *unitFile) on(keys ...string) {
	for _, k := range keys {
		u.set(k, "yes")
	}
}

// prose writes a text for people, such as a description: no quotes, one line,
// nothing expanded.
func (u *unitFile) prose(key, text string) {
	u.set(key, strings.ReplaceAll(strings.TrimRight(oneLine(text), `\`), "%", "%%"))
}

// oneLine replaces what cannot stand in a line, and blanks at the ends of it.
func oneLine(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text))
}

// command writes a command line: systemd.service(5), "Command lines". Neither
// specifiers nor variables are expanded in what is given.
func (u *unitFile) command(key string, argv ...string) {
	words := make([]string, 0, len(argv))
	for _, a := range argv {
		words = append(words, quote(strings.ReplaceAll(a, "$", "$$")))
	}
	u.set(key, strings.Join(words, " "))
}

// raw writes a value that its reader takes as it stands and makes an argument of
// a command of; neither specifiers nor variables are expanded in it. It has no
// characters that a line cannot hold.
func (u *unitFile) raw(key, value string) {
	u.set(key, strings.NewReplacer("%", "%%", "$", "$$").Replace(value))
}

// arguments writes a list of which its reader makes arguments of a command.
func (u *unitFile) arguments(key string, list ...string) { u.command(key, list...) }

// words writes a list, such as paths: separated by blanks, no variables.
func (u *unitFile) words(key string, list ...string) {
	quoted := make([]string, 0, len(list))
	for _, w := range list {
		quoted = append(quoted, quote(w))
	}
	u.set(key, strings.Join(quoted, " "))
}

// quote makes one word of s, with quotes if it needs them. A percent sign is
// doubled against specifiers.
func quote(s string) string {
	s = strings.ReplaceAll(s, "%", "%%")
	if s != "" && !strings.ContainsFunc(s, needsQuotes) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f || r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

// needsQuotes holds for everything that is not harmless in every kind of
// setting. A semicolon separates commands, # and ; begin comments.
func needsQuotes(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("/._-+=:@,%$", r)
}

func (u *unitFile) bytes() []byte { return []byte(u.text.String()) }
