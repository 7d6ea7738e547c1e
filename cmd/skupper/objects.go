package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// fromCommandLine is the name of input that was typed, in messages.
const fromCommandLine = "command line"

// dryRunFlag is the flag of every command that changes something.
func dryRunFlag() command.Flag {
	return command.Flag{
		Name: "dry-run", Kind: command.String, Implied: "server", Choices: []string{"client", "server"},
		Usage: "change nothing: client prints the resource, server what would change",
	}
}

// outputFlag is -o of commands that print resources.
func outputFlag(standard string, choices ...string) command.Flag {
	return command.Flag{Name: "output", Short: "o", Kind: command.String, Default: standard, Choices: choices, Usage: "form of the output"}
}

// resultFormats are the forms in which a command tells what it did.
func resultFormats() []string {
	return []string{string(output.AsTable), string(output.AsName), string(output.AsJSON)}
}

func documentFormats() []string { return []string{"yaml", "json"} }

// print writes resources that are not applied yet.
func (p *program) print(format string, objects ...resource.Object) error {
	_, err := p.stdout.Write(documents(format, objects...))
	return err
}

// documents are resources as one text: JSON makes several a List, YAML a stream.
func documents(format string, objects ...resource.Object) []byte {
	if format == "json" && len(objects) > 1 {
		return resource.EncodeJSONList(objects...)
	}
	var b bytes.Buffer
	for i, o := range objects {
		switch {
		case format == "json":
			b.Write(resource.EncodeJSON(o))
			continue
		case i > 0:
			b.WriteString("---\n")
		}
		b.Write(resource.EncodeYAML(o))
	}
	return b.Bytes()
}

// validate checks resources that a command makes exactly as those of a file.
func validate(objects ...resource.Object) error {
	var errs []error
	for _, o := range objects {
		errs = append(errs, fieldErrors(resource.ParseFile(resource.Input{Name: fromCommandLine, Data: resource.EncodeYAML(o)}).Errors))
	}
	return errors.Join(errs...)
}

// fieldErrors joins problems of the command line, which has no lines.
func fieldErrors(list []*resource.FieldError) error {
	for _, e := range list {
		if e.File == fromCommandLine {
			e.File, e.Line = "", 0
		}
	}
	return resource.JoinErrors(list)
}

// create makes resources that must not exist yet, or must be the same.
func (p *program) create(ctx context.Context, in *command.Input, standardWait string, objects ...resource.Object) error {
	if err := validate(objects...); err != nil {
		return err
	}
	if in.String("dry-run") == "client" {
		return p.print("yaml", objects...)
	}
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	r := api.ApplyRequest{Create: true, DryRun: in.Changed("dry-run"), Platform: p.platform}
	for _, o := range objects {
		r.Files = append(r.Files, api.File{Name: fromCommandLine, Data: resource.EncodeYAML(o)})
	}
	result, err := c.Apply(ctx, p.namespace, r)
	if err != nil {
		return err
	}
	return p.finish(ctx, in, c, online, standardWait, result)
}

// update changes fields of a resource that exists.
func (p *program) update(ctx context.Context, in *command.Input, standardWait string, ref resource.Ref, fields map[string]any) error {
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	if in.String("dry-run") == "client" {
		p.note("%s: would set %s", ref, fieldList(fields))
		return nil
	}
	result, err := c.Patch(ctx, p.namespace, api.PatchRequest{
		Object: api.Ref{Kind: string(ref.Kind), Name: ref.Name}, Fields: fields, DryRun: in.Changed("dry-run"),
	})
	if err != nil {
		return err
	}
	return p.finish(ctx, in, c, online, standardWait, result)
}

// remove deletes resources that must exist.
func (p *program) remove(ctx context.Context, in *command.Input, r api.DeleteRequest) error {
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	r.DryRun = in.Changed("dry-run")
	result, err := c.Delete(ctx, p.namespace, r)
	if err != nil {
		return err
	}
	if err := p.printResult(in, result); err != nil || r.DryRun || !online || !in.Bool("wait") || result.State != api.Running {
		return err
	}
	return p.awaitGone(ctx, c, awaited{namespace: p.namespace, generation: result.Generation, timeout: in.Duration("timeout")})
}

// finish prints what a change did and waits as far as it was asked to.
func (p *program) finish(ctx context.Context, in *command.Input, c api.Controller, online bool, standardWait string, result *api.Result) error {
	if err := p.printResult(in, result); err != nil || in.Changed("dry-run") {
		return err
	}
	target := waitTarget(in, standardWait)
	if target == waitNone {
		return nil
	}
	if !online || result.State == api.Defined {
		if in.Changed("wait") {
			return &exitError{code: exitDenied, message: "cannot wait: the site does not run", hint: "`skupper system start` starts it"}
		}
		p.note("hint: the site is not started; `skupper system start` starts it")
		return nil
	}
	if result.State == api.Stopped {
		p.note("hint: the site is stopped; `skupper system start` starts it again")
		return nil
	}
	return p.wait(ctx, c, awaited{
		namespace: p.namespace, generation: result.Generation, refs: changed(result), target: target, timeout: in.Duration("timeout"),
	})
}

// changed lists the objects that a result names and that are there.
func changed(r *api.Result) []api.Ref {
	var refs []api.Ref
	for _, c := range r.Changes {
		if kind, name, ok := strings.Cut(c.Object, "/"); ok && c.Action != api.Deleted {
			refs = append(refs, api.Ref{Kind: kind, Name: name})
		}
	}
	return refs
}

// printResult tells what was done, or with --dry-run what would be.
func (p *program) printResult(in *command.Input, r *api.Result) error {
	for _, w := range r.Warnings {
		p.warn("%s", w)
	}
	if in.String("output") == string(output.AsJSON) {
		if len(r.Plan) == 0 {
			r.Plan, r.Summary = records(r.Changes)
		}
		return output.Objects(p.stdout, output.AsJSON, false, r)
	}
	if in.Changed("dry-run") {
		plan, summary := r.Plan, r.Summary
		if len(plan) == 0 {
			plan, summary = records(r.Changes)
		}
		_, err := fmt.Fprintln(p.stdout, strings.Join(append(plan, first(summary, "nothing to do")), "\n"))
		return err
	}
	for _, c := range r.Changes {
		line := c.Object
		if in.String("output") != string(output.AsName) {
			line += " " + string(c.Action)
		}
		if _, err := fmt.Fprintln(p.stdout, line); err != nil {
			return err
		}
	}
	if p.verbose {
		for _, line := range append(r.Plan, r.Summary) {
			p.note("%s", line)
		}
	}
	for _, n := range r.Notes {
		p.note("%s", n)
	}
	return nil
}

// records is the plan of a change of resources that the router has no part in,
// such as grants. The summary is "" where nothing changes.
func records(changes []api.Change) (plan []string, summary string) {
	verbs := map[api.Action]string{api.Created: "add", api.Configured: "change", api.Deleted: "remove"}
	count := map[api.Action]int{}
	for _, c := range changes {
		if verb := verbs[c.Action]; verb != "" {
			plan = append(plan, verb+" "+c.Object)
			count[c.Action]++
		}
	}
	if len(plan) == 0 {
		return nil, ""
	}
	return plan, fmt.Sprintf("adds %d, changes %d, removes %d, connections dropped: 0", count[api.Created], count[api.Configured], count[api.Deleted])
}

// fieldList names fields in order, for people.
func fieldList(fields map[string]any) string {
	text := ""
	for _, k := range sortedKeys(fields) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%s = %v", k, fields[k])
	}
	return text
}

// confirm asks before something is destroyed. Without a terminal it must have
// been said with --yes.
func (p *program) confirm(in *command.Input, question string) error {
	if in.Bool("yes") {
		return nil
	}
	if !p.stdinTerminal || !p.stderrTerminal {
		return &exitError{code: exitWrongUse, message: question + " needs --yes where nobody can be asked"}
	}
	fmt.Fprintf(p.stderr, "%s? [y/N] ", question)
	var answer string
	if _, err := fmt.Fscanln(p.stdin, &answer); err != nil && !errors.Is(err, io.EOF) && answer != "" {
		return err
	}
	if answer != "y" && answer != "yes" {
		return &exitError{code: exitFailed, message: "nothing was done"}
	}
	return nil
}

// ago writes a moment as people say it: "3m ago", "in 28d".
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := t.Sub(now)
	if d > 0 {
		return "in " + roughly(d)
	}
	return roughly(-d) + " ago"
}

// roughly writes a duration by its largest unit.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}
