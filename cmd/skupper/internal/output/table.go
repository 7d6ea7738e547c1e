package output

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Table is a header and rows of cells.
type Table struct {
	Header []string
	Rows   [][]string

	// Paint colors a cell, given its text; nil for none. It must not change
	// what is seen of the text.
	Paint func(column, text string) string

	// NoHeader leaves the header out.
	NoHeader bool
}

// Add appends a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Write writes the table. An empty cell of the last column leaves no blanks.
func (t *Table) Write(w io.Writer) error {
	rows := t.Rows
	if !t.NoHeader {
		rows = append([][]string{t.Header}, rows...)
	}
	width := make([]int, len(t.Header))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(clean(cell)))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		line := make([]string, len(row))
		for i, cell := range row {
			text := clean(cell)
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(text))
			if t.Paint != nil && (n > 0 || t.NoHeader) {
				text = t.Paint(t.Header[i], text)
			}
			line[i] = text + pad
		}
		b.WriteString(strings.TrimRight(strings.Join(line, "  "), " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// clean keeps a cell on its line and the terminal in its state.
func clean(cell string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, cell)
}
