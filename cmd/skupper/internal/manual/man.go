package manual

import (
	"fmt"
	"strings"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
)

// Sections of the manual.
const (
	userCommands = "1"
	fileFormats  = "5"
	daemons      = "8"
)

var sectionNames = map[string]string{userCommands: "User Commands", fileFormats: "File Formats", daemons: "System Administration"}

// Man returns the manual pages by file name: one for the program, one for each
// group of commands and each command without a group, one for each of the
// files.
func (p Page) Man() map[string]string {
	pages := map[string]string{p.Root.Name + ".1": p.programPage()}
	for _, c := range p.Root.Commands {
		name := p.Root.Name + "-" + c.Name
		switch {
		case c.Daemon:
			pages[name+".8"] = p.groupPage(name, daemons, c)
		case !c.Hidden:
			pages[name+".1"] = p.groupPage(name, userCommands, c)
		}
	}
	for _, f := range p.Formats {
		pages[f.Name+".5"] = p.formatPage(f)
	}
	return pages
}

func (p Page) heading(b *strings.Builder, name, section, summary string) {
	fmt.Fprintf(b, ".\\\" Made from the command tables; do not edit.\n")
	fmt.Fprintf(b, ".TH %s %s %s \"skupper %s\" \"%s\"\n", strings.ToUpper(roff(name)), section, p.Date, roff(p.Version), sectionNames[section])
	fmt.Fprintf(b, ".SH NAME\n%s \\- %s\n", roff(name), roff(summary))
}

func (p Page) programPage() string {
	var b strings.Builder
	p.heading(&b, p.Root.Name, userCommands, p.Root.Summary)
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n.I command\n[\\fIflags\\fR]\n", roff(p.Root.Name))
	b.WriteString(".SH DESCRIPTION\n")
	paragraphs(&b, p.Root.Text)
	b.WriteString(".SH COMMANDS\n")
	for _, r := range commandRows(p.Root) {
		fmt.Fprintf(&b, ".TP\n.BR %s\\-%s (1)\n%s.\n", roff(p.Root.Name), roff(r[0]), roff(strings.ToUpper(r[1][:1])+r[1][1:]))
	}
	options(&b, "OPTIONS OF EVERY COMMAND", p.Root.Flags)
	examples(&b, p.Root.Examples)
	p.exits(&b, nil)
	table(&b, "ENVIRONMENT", p.Env)
	table(&b, "FILES", p.Files)
	return b.String()
}

func (p Page) groupPage(name, section string, c *command.Command) string {
	var b strings.Builder
	p.heading(&b, name, section, c.Summary)
	b.WriteString(".SH SYNOPSIS\n")
	var leaves [][]string
	var commands []*command.Command
	c.Walk(func(path []string, leaf *command.Command) {
		if leaf.Run != nil && !leaf.Hidden {
			leaves = append(leaves, append([]string{p.Root.Name}, path...))
			commands = append(commands, leaf)
		}
	})
	for i, leaf := range commands {
		if i > 0 {
			b.WriteString(".br\n")
		}
		fmt.Fprintf(&b, ".B %s\n", roff(leaf.Synopsis(leaves[i])))
	}
	b.WriteString(".SH DESCRIPTION\n")
	if c.Text != "" {
		paragraphs(&b, c.Text)
	} else {
		fmt.Fprintf(&b, "%s\n", roff(sentence(c.Summary)))
	}
	var all []command.Example
	for i, leaf := range commands {
		if leaf != c {
			fmt.Fprintf(&b, ".SS %s\n%s\n", roff(strings.Join(leaves[i], " ")), roff(sentence(leaf.Summary)))
			switch {
			case leaf.Raw: // it says itself how it is used
				fmt.Fprintf(&b, ".PP\n.nf\n%s.fi\n", roff(leaf.Text))
			case leaf.Text != "":
				b.WriteString(".PP\n")
				paragraphs(&b, leaf.Text)
			}
		}
		flags(&b, leaf.Flags)
		all = append(all, leaf.Examples...)
	}
	examples(&b, all)
	var exits []command.Exit
	for _, leaf := range commands {
		for _, e := range leaf.Exits {
			exits = append(exits, command.Exit{Code: e.Code, Meaning: leaf.Name + ": " + e.Meaning})
		}
	}
	p.exits(&b, exits)
	fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roff(p.Root.Name))
	return b.String()
}

// formatPage describes files.
func (p Page) formatPage(f Format) string {
	var b strings.Builder
	p.heading(&b, f.Name, fileFormats, f.Summary)
	b.WriteString(".SH DESCRIPTION\n")
	paragraphs(&b, f.Text)
	for _, part := range f.Parts {
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(roff(part.Title)))
		paragraphs(&b, part.Text)
		entries(&b, part.Rows)
	}
	fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roff(p.Root.Name))
	return b.String()
}

func (p Page) exits(b *strings.Builder, more []command.Exit) {
	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range append(append([]command.Exit{}, p.Exits...), more...) {
		fmt.Fprintf(b, ".TP\n.B %d\n%s\n", e.Code, roff(e.Meaning))
	}
}

func options(b *strings.Builder, title string, list []command.Flag) {
	fmt.Fprintf(b, ".SH %s\n", title)
	flags(b, list)
}

func flags(b *strings.Builder, list []command.Flag) {
	for _, f := range list {
		if f.Hidden {
			continue
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(flagHead(f))), roff(flagText(f)))
	}
}

func examples(b *strings.Builder, list []command.Example) {
	if len(list) == 0 {
		return
	}
	b.WriteString(".SH EXAMPLES\n")
	for i, e := range list {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		fmt.Fprintf(b, "%s\n.PP\n.RS 4\n.nf\n%s\n.fi\n.RE\n", roff(e.Text), roff(e.Line))
	}
}

func table(b *strings.Builder, title string, rows [][2]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	entries(b, rows)
}

func entries(b *strings.Builder, rows [][2]string) {
	for _, r := range rows {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(r[0]), roff(r[1]))
	}
}

func paragraphs(b *strings.Builder, text string) {
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(roff(fold(paragraph, "")) + "\n")
	}
}

// roff escapes text for man(7): backslashes, hyphens that are typed, and
// control characters at the start of a line.
func roff(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	s = strings.ReplaceAll(s, "-", `\-`)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
