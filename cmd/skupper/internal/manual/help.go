package manual

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
)

// width is the column at which running text is folded.
const width = 80

// Page is what all manuals of a program share.
type Page struct {
	Root    *command.Command
	Version string
	Date    string // of the manual pages, 2006-01-02
	Exits   []command.Exit
	Files   [][2]string // path and what it is
	Env     [][2]string // variable and what it does
	Formats []Format
}

// Format describes a kind of files, on a page of its own.
type Format struct {
	Name    string // of the page
	Summary string // one line, no full stop
	Text    string // paragraphs, separated by empty lines
	Parts   []Part
}

// Part is one section of a Format.
type Part struct {
	Title string
	Text  string
	Rows  [][2]string // term and what it means
}

// Help is the text of --help for the command at the end of path.
func (p Page) Help(path []string, c *command.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n", sentence(c.Summary), c.Synopsis(path))
	if c.Text != "" {
		b.WriteString("\n" + fold(c.Text, "") + "\n")
	}
	if rows := commandRows(c); len(rows) > 0 {
		b.WriteString("\nCommands:\n" + columns(rows))
	}
	if rows := flagRows(c.Flags); len(rows) > 0 && len(path) > 1 {
		b.WriteString("\nFlags:\n" + columns(rows))
	}
	if len(c.Examples) > 0 {
		b.WriteString("\nExamples:\n")
		for _, e := range c.Examples {
			fmt.Fprintf(&b, "  %s\n      %s\n", e.Line, e.Text)
		}
	}
	if len(path) == 1 {
		b.WriteString("\nFlags of every command:\n" + columns(flagRows(p.Root.Flags)))
		b.WriteString("\nExit status:\n" + columns(exitRows(p.Exits)))
		return b.String()
	}
	if c.Run != nil {
		b.WriteString("\nExit status:\n" + columns(exitRows(p.exitsOf(c))))
	}
	fmt.Fprintf(&b, "\n`%s --help` lists the flags of every command.\n", p.Root.Name)
	return b.String()
}

// exitsOf are the exit statuses of a command: those of every command, but where it
// gives one a meaning of its own.
func (p Page) exitsOf(c *command.Command) []command.Exit {
	list := slices.Clone(p.Exits)
	for _, own := range c.Exits {
		i := slices.IndexFunc(list, func(e command.Exit) bool { return e.Code == own.Code })
		if i < 0 {
			list = append(list, own)
			continue
		}
		list[i] = own
	}
	return list
}

func commandRows(c *command.Command) [][2]string {
	var rows [][2]string
	for _, child := range c.Commands {
		if !child.Hidden {
			rows = append(rows, [2]string{child.Name, child.Summary})
		}
	}
	return rows
}

func flagRows(flags []command.Flag) [][2]string {
	var rows [][2]string
	for _, f := range flags {
		if !f.Hidden {
			rows = append(rows, [2]string{flagHead(f), flagText(f)})
		}
	}
	return rows
}

// flagHead is a flag as it is typed: "-o, --output FORMAT".
func flagHead(f command.Flag) string {
	head := "    --" + f.Name
	if f.Short != "" {
		head = "-" + f.Short + ", --" + f.Name
	}
	switch v := f.Placeholder(); {
	case f.Implied != "":
		head += "[=" + v + "]"
	case v != "":
		head += " " + v
	}
	return head
}

func flagText(f command.Flag) string {
	text := f.Usage
	if f.Default != "" && f.Default != "false" {
		text += " (default " + f.Default + ")"
	}
	if f.Implied != "" {
		text += " (alone: " + f.Implied + ")"
	}
	if f.Kind == command.Strings {
		text += " (may be repeated)"
	}
	return text
}

func exitRows(exits []command.Exit) [][2]string {
	var rows [][2]string
	for _, e := range exits {
		rows = append(rows, [2]string{fmt.Sprint(e.Code), e.Meaning})
	}
	return rows
}

// columns writes rows with the second column folded at its own margin; a long
// first column gets a line of its own.
func columns(rows [][2]string) string {
	const widest = 34
	margin := 0
	for _, r := range rows {
		if len(r[0]) <= widest {
			margin = max(margin, len(r[0]))
		}
	}
	var b strings.Builder
	indent := strings.Repeat(" ", margin+4)
	for _, r := range rows {
		text := fold(r[1], indent)
		if len(r[0]) <= margin {
			text = r[0] + strings.Repeat(" ", margin-len(r[0])+2) + strings.TrimPrefix(text, indent)
			b.WriteString("  " + text + "\n")
			continue
		}
		b.WriteString("  " + r[0] + "\n" + text + "\n")
	}
	return b.String()
}

// fold breaks every paragraph at width, each line after indent.
func fold(text, indent string) string {
	var out []string
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			out = append(out, "")
		}
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			if line != "" && len(indent)+len(line)+1+len(word) > width {
				out = append(out, indent+line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		out = append(out, indent+line)
	}
	return strings.Join(out, "\n")
}

// sentence makes a sentence of a summary.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
