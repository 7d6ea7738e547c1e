package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/state"
)

// Confirm makes a change depend on a question that is asked when it is done:
// whether the router took its configuration, say. An error undoes the change.
type Confirm func(ctx context.Context) error

// ApplyError is a change that failed.
type ApplyError struct {
	Step string // that failed
	Err  error
	Undo error // nil: everything is as it was before
}

func (e *ApplyError) Error() string {
	text := fmt.Sprintf("%s: %v", e.Step, e.Err)
	if e.Undo != nil {
		text += fmt.Sprintf("; going back failed, too: %v", e.Undo)
	}
	return text
}

// Unwrap returns both causes.
func (e *ApplyError) Unwrap() []error {
	if e.Undo == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Undo}
}

// Apply takes the steps of a plan that was made against have. When it returns
// nil, all are done and every confirmation was given; otherwise the error is a
// *ApplyError, and the machine is as it was before, unless that failed, too. In
// that case, and when the process dies, the next Open goes on.
func (n *Namespace) Apply(ctx context.Context, have state.State, steps []plan.Step, confirm ...Confirm) error {
	return n.ApplyWith(ctx, nil, have, steps, confirm...)
}

// ApplyWith is Apply together with the change of a companion. Whoever calls takes
// that back if there is an error.
func (n *Namespace) ApplyWith(ctx context.Context, with Companion, have state.State, steps []plan.Step, confirm ...Confirm) error {
	steps = n.withPending(steps)
	switch {
	case len(steps) == 0 && with == nil:
		return nil
	case len(steps) == 0:
		return n.Place(with)
	}
	t := newTransaction(n)
	t.with = with
	defer t.close()
	if err := t.run(ctx, steps, confirm); err != nil {
		_ = t.awaitNames() // undone next
		err.Undo = n.undo(context.WithoutCancel(ctx), t, have, steps)
		return err
	}
	n.Pending = nil
	return nil
}

// Place makes the change of a companion alone: nothing of the machine changes, and
// what an interrupted change left to do stays so.
func (n *Namespace) Place(with Companion) error {
	t := newTransaction(n)
	t.with = with
	defer t.close()
	if err := t.flush(); err != nil {
		return err
	}
	if err := with.Place(); err != nil {
		return err
	}
	return errors.Join(t.beginNames(), t.awaitNames())
}

// undo goes back to the State that was there before. What the failed
// transaction kept is put back instead of being written again.
func (n *Namespace) undo(ctx context.Context, failed *transaction, have state.State, steps []plan.Step) error {
	now, err := n.observeFor(ctx, failed.id, steps)
	if err != nil {
		return err
	}
	t := newTransaction(n)
	defer t.close()
	t.kept = failed.keptFiles()
	if err := n.giveSpaceBack(failed.id); err != nil {
		return err
	}
	if err := t.run(ctx, plan.Make(previous(have, steps), now), nil); err != nil {
		_ = t.awaitNames() // the next who opens the namespace goes on
		return err
	}
	failed.cleanUp()
	return nil
}

// observeFor tells what there is of everything that steps touch.
func (n *Namespace) observeFor(ctx context.Context, transaction string, steps []plan.Step) (state.State, error) {
	now, err := n.observe(ctx, transaction)
	if err != nil || !n.partial {
		return now, err
	}
	var paths []string
	for _, s := range steps {
		paths = slices.AppendSeq(paths, maps.Keys(s.Files))
	}
	return now, n.Records(&now, paths)
}

// previous is the State that was observed, as something to be wanted: a plan
// towards it must know which files its units read.
func previous(have state.State, steps []plan.Step) state.State {
	units := maps.Clone(have.Units)
	for _, s := range steps {
		if u, ok := units[s.Unit]; ok {
			u.File, u.Reads = s.Spec.File, s.Spec.Reads
			units[s.Unit] = u
		}
	}
	have.Units, have.Losses = units, nil
	return have
}

// withPending adds what an interrupted change still owes a unit, if the plan
// does not see to the unit anyway.
func (n *Namespace) withPending(steps []plan.Step) []plan.Step {
	seen := make(map[string]bool)
	for _, s := range steps {
		if s.Op == plan.Start || s.Op == plan.Reload || s.Op == plan.Restart || s.Op == plan.Stop {
			seen[s.Unit] = true
		}
	}
	for _, t := range n.owed {
		if !seen[t.Unit] {
			steps = append(steps, plan.Step{Op: t.Op, Subject: t.Unit, Unit: t.Unit, Spec: t.Spec})
		}
	}
	return steps
}

// recover completes a change that was interrupted, so that files and units are
// what the journal says.
func (n *Namespace) recover(ctx context.Context) error {
	j, err := n.readJournal()
	if err != nil || j == nil {
		return err
	}
	t := newTransaction(n)
	defer t.close()
	t.id = j.ID
	for i := j.done; i < len(j.Steps); i++ {
		step := &j.Steps[i]
		if err := t.do(ctx, step); err != nil {
			if !onUnit(step.Op) {
				return fmt.Errorf("%s (interrupted earlier): %w", step.Text, err)
			}
			n.Pending = errors.Join(n.Pending, fmt.Errorf("%s (interrupted earlier): %w", step.Text, err))
			n.owed = append(n.owed, *step)
			continue
		}
		n.Completed = append(n.Completed, step.Text)
	}
	if n.Pending != nil {
		return nil // the journal stays
	}
	t.tasks = j.Steps
	return t.finish()
}

// onUnit reports whether an operation is done by a supervisor.
func onUnit(op plan.Op) bool {
	switch op {
	case plan.Load, plan.Enable, plan.Disable, plan.Start, plan.Reload, plan.Restart, plan.Stop:
		return true
	default:
		return false
	}
}
