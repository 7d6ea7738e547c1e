package interop

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// judge is the testing.T of one scenario. It keeps the first reason why the
// scenario failed, for the table.
type judge struct {
	*testing.T
	r *result
}

// result is a cell of the table.
type result struct {
	mu   sync.Mutex
	why  string   // Guarded by mu.
	says []string // Guarded by mu: figures
}

func (j *judge) fault(text string) {
	j.r.mu.Lock()
	defer j.r.mu.Unlock()
	if j.r.why == "" {
		j.r.why = strings.TrimSpace(text)
	}
}

// say puts a figure into the table.
func (j *judge) say(format string, args ...any) {
	j.Logf(format, args...)
	j.r.mu.Lock()
	defer j.r.mu.Unlock()
	j.r.says = append(j.r.says, fmt.Sprintf(format, args...))
}

func (j *judge) Error(args ...any) {
	j.Helper()
	j.fault(fmt.Sprintln(args...))
	j.T.Error(args...)
}

func (j *judge) Errorf(format string, args ...any) {
	j.Helper()
	j.fault(fmt.Sprintf(format, args...))
	j.T.Errorf(format, args...)
}

func (j *judge) Fatal(args ...any) {
	j.Helper()
	j.fault(fmt.Sprintln(args...))
	j.T.Fatal(args...)
}

func (j *judge) Fatalf(format string, args ...any) {
	j.Helper()
	j.fault(fmt.Sprintf(format, args...))
	j.T.Fatalf(format, args...)
}

// board collects the cells of the table.
type board struct {
	mu    sync.Mutex
	rows  []string                      // Guarded by mu.
	cells map[string]map[string]*result // Guarded by mu: by topology, then scenario
}

func (b *board) cell(topology, scenario string) *result {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cells == nil {
		b.cells = map[string]map[string]*result{}
	}
	if b.cells[topology] == nil {
		b.cells[topology] = map[string]*result{}
		b.rows = append(b.rows, topology)
	}
	r := &result{}
	b.cells[topology][scenario] = r
	return r
}

// write prints the table to the file that INTEROP_TABLE names: a scenario in a
// row, a topology in a column.
func (b *board) write(t *testing.T) {
	path := os.Getenv("INTEROP_TABLE")
	if path == "" {
		return
	}
	var s strings.Builder
	s.WriteString("| |")
	for _, row := range b.rows {
		fmt.Fprintf(&s, " %s |", row)
	}
	s.WriteString("\n|---|" + strings.Repeat("---|", len(b.rows)) + "\n")
	var reasons []string
	for _, sc := range scenarios {
		fmt.Fprintf(&s, "| %s |", sc.name)
		for _, row := range b.rows {
			text, r := "–", b.cells[row][sc.name]
			if r != nil {
				text = "ok"
				if len(r.says) > 0 {
					text = strings.Join(r.says, ", ")
				}
				if r.why != "" {
					reasons = append(reasons, fmt.Sprintf("%s, %s: %s", row, sc.name, r.why))
					text = fmt.Sprintf("failed [%d]", len(reasons))
					if sc.defect != "" && strings.Contains(row, "their") {
						text = fmt.Sprintf("n/a, %s [%d]", sc.defect, len(reasons))
					}
				}
			}
			fmt.Fprintf(&s, " %s |", text)
		}
		s.WriteString("\n")
	}
	for i, reason := range reasons {
		fmt.Fprintf(&s, "\n[%d] %s\n", i+1, strings.ReplaceAll(reason, "\n", " "))
	}
	if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
		t.Error(err)
	}
}
