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
	"github.com/skupper-host/skupper/system"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// dryRunFlag is the flag of every command that changes something.
func dryRunFlag() command.Flag {
	return command.Flag{
		Name: "dry-run", Kind: command.String, Implied: "server", Choices: []string{"client", "server"},
		Usage: "change nothing: client prints the resource, server what would change",
	}
}

// resultFlags are those of commands that change resources.
func resultFlags() []command.Flag {
	return []command.Flag{dryRunFlag(), outputFlag("table", resultFormats()...)}
}

// dryRunOfClient reports whether only the resources are to be printed.
func dryRunOfClient(in *command.Input) bool { return in.String("dry-run") == "client" }

// outputFlag is -o of commands that print resources.
func outputFlag(standard string, choices ...string) command.Flag {
	return command.Flag{Name: "output", Short: "o", Kind: command.String, Default: standard, Choices: choices, Usage: "form of the output"}
}

// resultFormats are the forms in which a command tells what it did.
func resultFormats() []string {
	return []string{string(output.AsTable), string(output.AsName), string(output.AsJSON)}
}

func documentFormats() []string { return []string{"yaml", "json"} }

// preview is what a dry run of the client prints: resources as they would be, but
// for what must not be shown.
func (p *program) preview(in *command.Input, objects ...resource.Object) error {
	format := "yaml"
	switch in.String("output") {
	case string(output.AsName):
		for _, o := range objects {
			if _, err := fmt.Fprintln(p.stdout, o.Ref()); err != nil {
				return err
			}
		}
		return nil
	case string(output.AsJSON):
		format = "json"
	}
	shown := make([]resource.Object, 0, len(objects))
	for _, o := range objects {
		shown = append(shown, system.Redacted(o))
	}
	return p.print(format, shown...)
}

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
		errs = append(errs, resource.JoinErrors(resource.ParseFile(resource.Input{Data: resource.EncodeYAML(o)}).Errors))
	}
	return errors.Join(errs...)
}

// typed are resources that flags describe, as a request carries them: they are
// in no file.
func typed(objects ...resource.Object) []api.File {
	var files []api.File
	for _, o := range objects {
		files = append(files, api.File{Data: resource.EncodeYAML(o)})
	}
	return files
}

// create makes resources that must not exist yet, or must be the same.
func (p *program) create(ctx context.Context, in *command.Input, standardWait string, objects ...resource.Object) error {
	if err := validate(objects...); err != nil {
		return err
	}
	if dryRunOfClient(in) {
		return p.preview(in, objects...)
	}
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	result, err := c.Apply(ctx, p.namespace, api.ApplyRequest{
		Files: typed(objects...), Create: true, DryRun: in.Changed("dry-run"), Platform: p.platform,
	})
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
		p.hint("the site is not started; `skupper system start` starts it")
		return nil
	}
	if result.State == api.Stopped {
		if in.Changed("wait") {
			return &exitError{code: exitDenied, message: "cannot wait: the site is stopped", hint: "`skupper system start` starts it again"}
		}
		p.stoppedHint()
		return nil
	}
	return p.wait(ctx, c, awaited{
		namespace: p.namespace, generation: result.Generation, refs: changed(result), target: target, timeout: in.Duration("timeout"),
	})
}

// letRest prints what a change did to a site that is stopped and stays so: whoever
// describes a whole site, or links it, need not know whether it runs.
func (p *program) letRest(in *command.Input, result *api.Result) error {
	if err := p.printResult(in, result); err != nil || in.Changed("dry-run") {
		return err
	}
	p.stoppedHint()
	return nil
}

func (p *program) stoppedHint() {
	p.hint("the site is stopped; `skupper system start` starts it again")
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
	if dryRunOfClient(in) && len(r.Changes) > 0 && in.String("output") != string(output.AsJSON) {
		return p.printDocuments(in, r.Changes)
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
			if line != "" {
				p.note("%s", line)
			}
		}
	}
	for _, n := range r.Notes {
		p.note("%s", n)
	}
	return nil
}

// printDocuments prints the resources that a change is about: as they would be,
// or what would go.
func (p *program) printDocuments(in *command.Input, changes []api.Change) error {
	var documents []string
	for _, c := range changes {
		switch document := first(c.After, c.Before); {
		case in.String("output") == string(output.AsName):
			documents = append(documents, c.Object+"\n")
		case document != "" && len(documents) > 0:
			documents = append(documents, "---\n"+document)
		case document != "":
			documents = append(documents, document)
		}
	}
	if len(documents) == 0 {
		documents = []string{"nothing to do\n"}
	}
	_, err := io.WriteString(p.stdout, strings.Join(documents, ""))
	return err
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

// confirm asks before something is destroyed. Without a terminal it must have
// been said with --yes.
func (p *program) confirm(ctx context.Context, in *command.Input, question string) error {
	if in.Bool("yes") {
		return nil
	}
	if !p.stdinTerminal || !p.stderrTerminal {
		return &exitError{code: exitWrongUse, message: question + " needs --yes where nobody can be asked"}
	}
	fmt.Fprintf(p.stderr, "%s? [y/N] ", question)
	var answer string
	if err := interruptible(ctx, func() error {
		_, err := fmt.Fscanln(p.stdin, &answer)
		if answer == "" || errors.Is(err, io.EOF) { // an empty line is an error of the scanner
			return nil
		}
		return err
	}); err != nil {
		return err
	}
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
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
