package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/manual"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
)

func (p *program) versionCommand() *command.Command {
	return &command.Command{
		Name: "version", Summary: "print the version", Flags: []command.Flag{outputFlag("table", "table", "json", "yaml")},
		Text: "It is the version of this program. Which one a router runs is shown by `skupper site status -o wide`.",
		Examples: []command.Example{
			{Line: "skupper version", Text: "The version alone"},
			{Line: "skupper version -o json", Text: "The version of each part, the commit and the Go version"},
		},
		Run: func(_ context.Context, in *command.Input) error {
			format := output.Format(in.String("output"))
			if format == output.AsTable {
				_, err := fmt.Fprintln(p.stdout, p.version)
				return err
			}
			about := map[string]any{
				"version": p.version, "commit": p.commit, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
			}
			for _, part := range parts() {
				about[part] = p.version
			}
			return output.Objects(p.stdout, format, false, about)
		},
	}
}

// parts are what this one binary is, by the names that upstream gives them.
func parts() []string { return []string{"cli", "controller", "router", "network-observer"} }

func (p *program) manifestCommand() *command.Command {
	return &command.Command{
		Name: "manifest", Summary: "list the parts of the program and their versions",
		Text:  "All parts are in this one binary, and so have its version.",
		Flags: []command.Flag{outputFlag("table", "table", "json", "yaml")},
		Examples: []command.Example{
			{Line: "skupper manifest", Text: "Every part"},
			{Line: "skupper manifest -o json", Text: "The same for a program"},
		},
		Run: func(_ context.Context, in *command.Input) error {
			t := &output.Table{Header: []string{"COMPONENT", "VERSION"}}
			var components []map[string]any
			for _, name := range parts() {
				t.Add(name, p.version)
				components = append(components, map[string]any{"component": name, "version": p.version})
			}
			if format := output.Format(in.String("output")); format != output.AsTable {
				return output.Objects(p.stdout, format, false, map[string]any{"components": components})
			}
			return t.Write(p.stdout)
		},
	}
}

func (p *program) helpCommand() *command.Command {
	return &command.Command{
		Name: "help", Summary: "print help for a command",
		Args: []command.Arg{{Name: "command", Optional: true, Repeat: true, Source: command.Commands}},
		Text: "Without a command, the commands are listed, with the flags of every command and the exit status.",
		Examples: []command.Example{
			{Line: "skupper help", Text: "As `skupper --help`"},
			{Line: "skupper help listener create", Text: "As `skupper listener create --help`"},
		},
		Run: func(_ context.Context, in *command.Input) error {
			parsed, err := command.Parse(p.tree(), in.Args, foreignFlags())
			if err != nil {
				return err
			}
			_, err = io.WriteString(p.stdout, p.manual().Help(parsed.Names(), parsed.Command()))
			return err
		},
	}
}

func (p *program) completionCommand() *command.Command {
	c := &command.Command{
		Name: "completion", Summary: "print a completion script for a shell",
		Text: "Commands, flags, namespaces, resource names and files are completed.",
	}
	lines := map[string][2]string{ // in this shell, and in every one from now on
		"bash": {"source <(skupper completion bash)", "skupper completion bash | install -D -m 644 /dev/stdin ~/.local/share/bash-completion/completions/skupper"},
		"zsh":  {"source <(skupper completion zsh)", "skupper completion zsh | sudo install -D -m 644 /dev/stdin /usr/local/share/zsh/site-functions/_skupper"},
		"fish": {"skupper completion fish | source", "skupper completion fish | install -D -m 644 /dev/stdin ~/.config/fish/completions/skupper.fish"},
	}
	for _, shell := range manual.Shells() {
		c.Commands = append(c.Commands, &command.Command{
			Name: shell, Summary: "the script for " + shell,
			Text:  "Packages install it; this is for a program that came without one.",
			Flags: []command.Flag{{Name: "no-descriptions", Kind: command.Bool, Hidden: true, Usage: "accepted"}},
			Examples: []command.Example{
				{Line: lines[shell][0], Text: "Complete in this " + shell},
				{Line: lines[shell][1], Text: "Complete in every " + shell + " from now on"},
			},
			Run: func(context.Context, *command.Input) error {
				_, err := io.WriteString(p.stdout, manual.Completion(shell, "skupper"))
				return err
			},
		})
	}
	return c
}

// completeCommand is what the completion scripts ask.
func (p *program) completeCommand() *command.Command {
	return &command.Command{
		Name: "__complete", Summary: "propose the next word", Hidden: true, Raw: true,
		Run: func(ctx context.Context, in *command.Input) error {
			words := in.Args
			if len(words) > 0 && words[0] == "--" {
				words = words[1:]
			}
			list, files := manual.Candidates(p.tree(), words, func(s command.Source, parsed *command.Parsed) []string {
				return p.known(ctx, s, parsed)
			})
			if files {
				_, err := fmt.Fprintln(p.stdout, ":files")
				return err
			}
			for _, w := range list {
				if _, err := fmt.Fprintln(p.stdout, w); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// known lists the names that completion asks for. It never fails: a shell has
// no place for an error.
func (p *program) known(ctx context.Context, s command.Source, parsed *command.Parsed) []string {
	switch s {
	case command.Kinds:
		var names []string
		for _, k := range resource.Kinds() {
			names = append(names, lower(string(k)))
		}
		return names
	case command.Platforms:
		return []string{"linux", container.Podman, container.Docker}
	case command.Commands:
		above := p.tree()
		for _, word := range parsed.Args {
			if above = above.Find(word); above == nil {
				return nil
			}
		}
		var names []string
		for _, c := range above.Commands {
			if !c.Hidden {
				names = append(names, c.Name)
			}
		}
		return names
	default: // the agent knows
	}
	for _, g := range parsed.Globals {
		if name, ok := strings.CutPrefix(g, "--namespace="); ok {
			p.namespace = name
		}
	}
	c, _, err := p.controller(ctx)
	if err != nil {
		return nil
	}
	if s == command.Namespaces {
		var names []string
		list, err := c.Namespaces(ctx)
		if err != nil {
			return nil
		}
		for _, n := range list {
			names = append(names, n.Name)
		}
		return names
	}
	status, err := c.Status(ctx, p.namespace)
	if err != nil {
		return nil
	}
	return namesIn(status, s)
}

func namesIn(status *api.Status, s command.Source) []string {
	var names []string
	switch s {
	case command.RoutingKeys:
		for _, v := range status.Services {
			names = append(names, v.RoutingKey)
		}
	case command.Certificates:
		for _, v := range status.Certificates {
			names = append(names, v.Name)
		}
	default:
		kind := map[command.Source]resource.Kind{
			command.Sites: resource.KindSite, command.Links: resource.KindLink,
			command.Listeners: resource.KindListener, command.Connectors: resource.KindConnector,
			command.Tokens: resource.KindAccessGrant,
		}[s]
		list, err := views(status, string(kind))
		if err != nil {
			return nil
		}
		for _, v := range list {
			names = append(names, v.Metadata.Name)
		}
	}
	return names
}

// docsCommand writes the documents and unit files that the program makes of
// itself, or checks those in a directory.
func (p *program) docsCommand() *command.Command {
	return &command.Command{
		Name: "generate-docs", Summary: "write manual pages, reference, completion scripts and packaged units", Hidden: true,
		Args: []command.Arg{{Name: "man|md|all|check"}, {Name: "directory", Source: command.Files}},
		Run: func(_ context.Context, in *command.Input) error {
			var errs []error
			for name, text := range p.documents(in.Arg(0)) {
				errs = append(errs, putDocument(filepath.Join(in.Arg(1), name), text, in.Arg(0) == "check"))
			}
			if lacks := manual.Check(p.tree()); len(lacks) > 0 {
				errs = append(errs, errors.New(strings.Join(lacks, "\n")))
			}
			return errors.Join(errs...)
		},
	}
}

// documents are the generated documents by path below packaging/.
func (p *program) documents(which string) map[string]string {
	docs := map[string]string{}
	page := p.manual()
	if which != "md" {
		for name, text := range page.Man() {
			docs["man/"+name] = text
		}
	}
	if which != "man" {
		docs["../docs/reference/commands.md"] = page.Markdown()
	}
	if which == "all" || which == "check" {
		for _, shell := range manual.Shells() {
			docs["completion/skupper."+shell] = manual.Completion(shell, "skupper")
		}
		for name, text := range packagedUnits() {
			docs["systemd/"+name] = text
		}
	}
	return docs
}

// packagedUnits are the unit files of packages, by path below packaging/systemd.
func packagedUnits() map[string]string {
	const binary = "/usr/bin/skupper"
	return map[string]string{
		"system/skupper.service": string(render.AgentUnit(binary, layout.SystemPaths())),
		"system/skupper.slice":   string(render.Slice()),
		"system/skupper.target":  string(render.Target()),
		"user/skupper.service":   string(render.AgentUnit(binary, layout.Paths{})),
	}
}

func putDocument(path, text string, check bool) error {
	if check {
		have, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(have, []byte(text)) {
			return fmt.Errorf("%s: not what the command tables say; run `make docs`", path)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
