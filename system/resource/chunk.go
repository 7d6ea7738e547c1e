package resource

import (
	"bytes"
)

// chunk is the text of one document of a file.
type chunk struct {
	text []byte // with the line of its marker, if it has one
	line int    // of the first byte, from 1
}

// splitDocuments cuts a YAML stream at its document markers. The pieces joined
// are the whole again. A marker is at the start of a line and nowhere else:
// "---" cannot be content there, not even in a block or quoted scalar (YAML
// 1.2.2 §9.1.2).
func splitDocuments(text []byte) []chunk {
	var list []chunk
	start, startLine, line := 0, 1, 1
	fresh := true // nothing but comments, directives and blank lines so far
	for pos := 0; pos < len(text); line++ {
		end := len(text)
		if i := bytes.IndexByte(text[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		row := text[pos:end]
		switch {
		case isMarker(row, "---"):
			if pos > start && !(fresh && hasDirective(text[start:pos])) {
				list = append(list, chunk{text[start:pos], startLine})
				start, startLine = pos, line
			}
			fresh = false
		case isMarker(row, "..."):
			list = append(list, chunk{text[start:end], startLine})
			start, startLine, fresh = end, line+1, true
		case !isBlank(row):
			fresh = false
		}
		pos = end
	}
	if start < len(text) {
		list = append(list, chunk{text[start:], startLine})
	}
	return list
}

func isMarker(row []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(row, []byte(marker))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// isBlank reports whether a line can stand before the marker of a document.
func isBlank(row []byte) bool {
	row = bytes.TrimSpace(row)
	return len(row) == 0 || row[0] == '#' || row[0] == '%'
}

func hasDirective(text []byte) bool {
	return bytes.HasPrefix(text, []byte("%")) || bytes.Contains(text, []byte("\n%"))
}
