package promql

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is that of a token; a punctuation mark is its own.
type kind rune

const (
	end    kind = 0
	name   kind = 'a'
	number kind = '0'
	text   kind = '"'
	match  kind = '~' // = != =~ !~
	bad    kind = utf8.RuneError
)

// token is a word of an expression. Text is without its quotes.
type token struct {
	kind kind
	text string
	at   int // bytes from the beginning
}

type lexer struct {
	in string
	at int
}

func letter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// next returns the next token.
func (l *lexer) next() token {
	for l.at < len(l.in) && strings.IndexByte(" \t\r\n", l.in[l.at]) >= 0 {
		l.at++
	}
	from := l.at
	if from == len(l.in) {
		return token{end, "", from}
	}
	while := func(more func(byte) bool) string {
		for l.at < len(l.in) && more(l.in[l.at]) {
			l.at++
		}
		return l.in[from:l.at]
	}
	switch c := l.in[from]; {
	case letter(c):
		return token{name, while(func(c byte) bool { return letter(c) || digit(c) || c == ':' }), from}
	case digit(c) || c == '.':
		return token{number, while(func(c byte) bool { return digit(c) || letter(c) || c == '.' }), from} // 0.5, 5m
	case c == '"' || c == '\'' || c == '`':
		return l.quoted(c)
	case c == '=' || c == '!':
		l.at++
		if l.at < len(l.in) && (l.in[l.at] == '~' || c == '!' && l.in[l.at] == '=') {
			l.at++
		}
		if l.in[from:l.at] == "!" {
			return token{bad, "!", from}
		}
		return token{match, l.in[from:l.at], from}
	case c < utf8.RuneSelf:
		l.at++
		return token{kind(c), l.in[from:l.at], from}
	}
	return token{bad, "", from}
}

// quoted reads a text in quotes, with the escapes of Go.
func (l *lexer) quoted(quote byte) token {
	from := l.at
	for l.at++; l.at < len(l.in); l.at++ {
		switch l.in[l.at] {
		case '\\':
			if quote != '`' {
				l.at++
			}
		case quote:
			l.at++
			return token{text, l.in[from+1 : l.at-1], from}.unquoted(quote)
		}
	}
	return token{bad, "", from}
}

// unquoted resolves the escapes.
func (t token) unquoted(quote byte) token {
	if quote == '`' || !strings.ContainsRune(t.text, '\\') {
		return t
	}
	var out strings.Builder
	for rest := t.text; rest != ""; {
		c, multibyte, tail, err := strconv.UnquoteChar(rest, quote)
		if err != nil {
			return token{bad, "", t.at}
		}
		if c < utf8.RuneSelf || multibyte {
			out.WriteRune(c)
		} else {
			out.WriteByte(byte(c))
		}
		rest = tail
	}
	t.text = out.String()
	return t
}
