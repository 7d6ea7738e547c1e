package manual

import (
	"fmt"
	"strings"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
)

// Markdown is the command reference as one document.
func (p Page) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Commands\n\nMade from the command tables; do not edit. The same text: `%s help <command>`, `man %s-<command>`.\n", p.Root.Name, p.Root.Name)
	b.WriteString("\n## Flags of every command\n\n")
	flagTable(&b, p.Root.Flags)
	b.WriteString("\n## Exit status\n\n| Status | Meaning |\n|---|---|\n")
	for _, e := range p.Exits {
		fmt.Fprintf(&b, "| %d | %s |\n", e.Code, cell(e.Meaning))
	}
	for _, group := range p.Root.Commands {
		if group.Hidden {
			continue
		}
		fmt.Fprintf(&b, "\n## %s %s\n\n%s\n", p.Root.Name, group.Name, sentence(group.Summary))
		if group.Text != "" {
			fmt.Fprintf(&b, "\n%s\n", group.Text)
		}
		group.Walk(func(path []string, c *command.Command) {
			if c.Run != nil && !c.Hidden {
				p.reference(&b, append([]string{p.Root.Name}, path...), c)
			}
		})
	}
	return b.String()
}

func (p Page) reference(b *strings.Builder, path []string, c *command.Command) {
	if len(path) > 2 {
		fmt.Fprintf(b, "\n### %s\n\n%s\n", strings.Join(path, " "), sentence(c.Summary))
		if c.Text != "" {
			fmt.Fprintf(b, "\n%s\n", c.Text)
		}
	}
	fmt.Fprintf(b, "\n    %s\n\n", c.Synopsis(path))
	flagTable(b, c.Flags)
	for _, e := range c.Examples {
		fmt.Fprintf(b, "\n%s:\n\n    %s\n", e.Text, e.Line)
	}
	for _, e := range c.Exits {
		fmt.Fprintf(b, "\nExit status %d: %s.\n", e.Code, e.Meaning)
	}
}

func flagTable(b *strings.Builder, flags []command.Flag) {
	rows := flagRows(flags)
	if len(rows) == 0 {
		return
	}
	b.WriteString("| Flag | Meaning |\n|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| `%s` | %s |\n", strings.ReplaceAll(strings.TrimSpace(r[0]), "|", `\|`), cell(r[1]))
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
