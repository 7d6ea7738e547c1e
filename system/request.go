package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/state"
)

// apply does what api.Controller.Apply says.
func (n *namespace) apply(ctx context.Context, r api.ApplyRequest) (*api.Result, error) {
	set, warnings, err := parse(r.Files)
	if err != nil {
		return nil, wrong(err)
	}
	w, err := n.choose(r.Platform, wish{
		change:   func(e *input.Edit) ([]api.Change, error) { return n.put(e, set, r) },
		warnings: func() []resource.Warning { return warnings },
		strict:   true, start: r.Start && !r.Store, store: r.Store, dryRun: r.DryRun,
	})
	if err != nil {
		return nil, err
	}
	return n.request(ctx, r.DryRun, w)
}

// parse reads the files of a request.
func parse(files []api.File) (*resource.Set, []resource.Warning, error) {
	in := make([]resource.Input, 0, len(files))
	for _, f := range files {
		in = append(in, resource.Input{Name: f.Name, Data: f.Data})
	}
	return resource.Parse(in)
}

// texts are warnings in words, each once: those that were given, and those of
// the input that say something else.
func texts(given, more []resource.Warning) []string {
	list := make([]string, 0, len(given)+len(more))
	for _, w := range given {
		list = append(list, w.String())
	}
	for _, w := range more {
		if !slices.ContainsFunc(given, w.SameAs) {
			list = append(list, w.String())
		}
	}
	return list
}

// put adds the objects of a set to the input.
func (n *namespace) put(e *input.Edit, set *resource.Set, r api.ApplyRequest) ([]api.Change, error) {
	n.adopt(set)
	var changes []api.Change
	for _, o := range inOrder(set) {
		old := e.Set().Find(o.Ref())
		if s, ok := old.(*resource.Site); ok {
			o.Head().UID = first(o.Head().UID, s.UID) // who does not name it leaves it alone
		}
		action, err := e.Put(o)
		if err != nil {
			return nil, err
		}
		if r.Create && action == input.Configured {
			return nil, &api.Error{
				Kind: api.Conflict, Message: fmt.Sprintf("%s exists already and differs (%s)", o.Ref(), old.Head().Source.File),
				Advice: updateAdvice(o.Ref()),
			}
		}
		change := api.Change{Object: o.Ref().String(), Action: actionOf(action)}
		if r.DryRun {
			change = told(change, old, o)
		}
		changes = append(changes, change)
	}
	if !r.Prune {
		return changes, nil
	}
	for _, o := range inOrder(e.Set().Clone()) {
		if set.Find(o.Ref()) != nil {
			continue
		}
		if _, err := e.Remove(o.Ref()); err != nil {
			return nil, err
		}
		change := api.Change{Object: o.Ref().String(), Action: api.Deleted}
		if r.DryRun {
			change = told(change, o, nil)
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// updateAdvice is how an object that exists is changed.
func updateAdvice(ref resource.Ref) string {
	switch ref.Kind {
	case resource.KindSite, resource.KindLink, resource.KindListener, resource.KindConnector:
		return fmt.Sprintf("`skupper %s update %s` changes it", strings.ToLower(string(ref.Kind)), ref.Name)
	default:
		return "`skupper system apply FILE` changes it"
	}
}

// told adds to a change what the object was and becomes. Of what must not be
// shown it is only said that it is there, and whether it differs.
func told(c api.Change, before, after resource.Object) api.Change {
	if c.Action == api.Unchanged {
		return c
	}
	hidden, same := map[string]string{}, map[string]bool{}
	if before != nil {
		hidden = secrets(before)
		c.Before = documentOf(before, nil)
	}
	if after != nil {
		for k, v := range secrets(after) {
			old, was := hidden[k]
			same[k] = !was || old == v
		}
		c.After = documentOf(after, same)
	}
	return c
}

// documentOf is an object as people may see it; same says of each secret whether it
// is the one that was there, nil that there was none.
func documentOf(o resource.Object, same map[string]bool) string {
	text := string(resource.EncodeYAML(resource.WithoutStatus(Redacted(o))))
	hidden := secrets(o)
	for _, k := range slices.Sorted(maps.Keys(hidden)) {
		text += "# " + k + ": not shown"
		if is, known := same[k]; known && !is {
			text += "; another one"
		}
		text += "\n"
	}
	return text
}

// secrets are the fields that Redacted takes away.
func secrets(o resource.Object) map[string]string {
	hidden := map[string]string{}
	switch o := o.(type) {
	case *resource.Secret:
		for k, v := range o.Data {
			if k != resource.CACert && k != resource.TLSCert {
				hidden["data."+k] = string(v)
			}
		}
	case *resource.AccessToken:
		hidden["spec.code"] = o.Spec.Code
	case *resource.AccessGrant:
		if o.Spec.Code != "" {
			hidden["spec.code"] = o.Spec.Code
		}
	}
	return hidden
}

// adopt makes the objects those of this namespace, whatever they say. Where
// they name several, they are left alone: building the site refuses that.
func (n *namespace) adopt(set *resource.Set) {
	var named []string
	for o := range set.All() {
		if ns := o.Head().Namespace; ns != "" && !slices.Contains(named, ns) {
			named = append(named, ns)
		}
	}
	if len(named) > 1 {
		return
	}
	for o := range set.All() {
		o.Head().Namespace = n.paths.Name
	}
}

// inOrder lists objects in the order in which they are applied.
func inOrder(set *resource.Set) []resource.Object { return sortedObjects(set) }

func actionOf(a input.Action) api.Action {
	switch a {
	case input.Created:
		return api.Created
	case input.Configured:
		return api.Configured
	case input.Unchanged:
	}
	return api.Unchanged
}

// remove does what api.Controller.Delete says.
func (n *namespace) remove(ctx context.Context, r api.DeleteRequest) (*api.Result, error) {
	if !n.exists() {
		return nil, n.missing()
	}
	set, _, err := parse(r.Files)
	if err != nil {
		return nil, wrong(err)
	}
	refs, err := refsOf(r.Objects)
	if err != nil {
		return nil, err
	}
	for o := range set.All() {
		refs = append(refs, o.Ref())
	}
	w := wish{
		change: func(e *input.Edit) ([]api.Change, error) { return dropAll(e, refs, r) },
		noSite: true, store: r.Store, dryRun: r.DryRun,
	}
	var notes []string
	if r.Revoke {
		w.memory, notes = n.revoking(refs)
		r.Missing = r.Missing && len(notes) == 0 // grants that ended are gone, and what they gave is not
	}
	result, err := n.request(ctx, r.DryRun, w)
	if err == nil {
		result.Notes = append(result.Notes, notes...)
	}
	if v := n.seen.Load(); err == nil && !r.DryRun && strings.HasPrefix(v.failure, withoutSite) {
		result.Notes = append(result.Notes, v.failure)
	}
	return result, err
}

// revoking has what was handed out through grants not renewed any more, and says
// how much that is.
func (n *namespace) revoking(refs []resource.Ref) (change func(*state.Memory), notes []string) {
	handed := n.seen.Load().memory.Links
	for _, ref := range refs {
		if _, count := handed.Revoke(ref.Name); ref.Kind == resource.KindAccessGrant && count > 0 {
			notes = append(notes, fmt.Sprintf("certificates handed out through %s that are not renewed any more: %d", ref.Name, count))
		}
	}
	return func(m *state.Memory) {
		for _, ref := range refs {
			if ref.Kind == resource.KindAccessGrant {
				m.Links, _ = m.Links.Revoke(ref.Name)
			}
		}
	}, notes
}

func refsOf(list []api.Ref) ([]resource.Ref, error) {
	var refs []resource.Ref
	for _, ref := range list {
		kind, ok := resource.KindNamed(ref.Kind)
		if !ok {
			return nil, &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("%q is not a kind of resource", ref.Kind)}
		}
		refs = append(refs, resource.Ref{Kind: kind, Name: ref.Name})
	}
	return refs, nil
}

func dropAll(e *input.Edit, refs []resource.Ref, r api.DeleteRequest) ([]api.Change, error) {
	if r.All {
		for o := range e.Set().Clone().All() {
			refs = append(refs, o.Ref())
		}
	}
	var changes []api.Change
	var lacking []*api.Error
	have := e.Set().Clone()
	for _, ref := range refs {
		removed, err := dropOne(e, ref)
		if err != nil {
			return nil, err
		}
		if len(removed) == 0 && r.Missing {
			lacking = append(lacking, absent(ref))
		}
		for _, ref := range removed {
			change := api.Change{Object: ref.String(), Action: api.Deleted}
			if r.DryRun {
				change = told(change, have.Find(ref), nil)
			}
			changes = append(changes, change)
		}
	}
	return changes, together(lacking)
}

// together is one error about several objects, nil about none.
func together(list []*api.Error) error {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	all := &api.Error{Kind: list[0].Kind, Message: fmt.Sprintf("%d objects do not exist", len(list))}
	for _, e := range list {
		all.Problems = append(all.Problems, api.Problem{Reason: e.Message, Hint: e.Advice})
	}
	return all
}

// absent says that an object is not in the input, and how those that are can be
// seen.
func absent(ref resource.Ref) *api.Error {
	e := &api.Error{Kind: api.Missing, Message: fmt.Sprintf("%s does not exist", ref)}
	switch ref.Kind {
	case resource.KindSite, resource.KindLink, resource.KindListener, resource.KindConnector:
		e.Advice = fmt.Sprintf("`skupper %s status` lists what there is", strings.ToLower(string(ref.Kind)))
	case resource.KindAccessGrant:
		e.Advice = "`skupper token status` lists what there is"
	default: // no command lists the others
	}
	return e
}

// dropOne removes an object and what is of no use without it: the Secret of a
// Link, the RouterAccess that a site's flags made.
func dropOne(e *input.Edit, ref resource.Ref) ([]resource.Ref, error) {
	old := e.Set().Find(ref)
	if was, err := e.Remove(ref); err != nil || !was {
		return nil, err
	}
	removed := []resource.Ref{ref}
	l, ok := old.(*resource.Link)
	if !ok || usesSecret(e.Set(), l.Spec.TLSCredentials) {
		return removed, nil
	}
	secret := resource.Ref{Kind: resource.KindSecret, Name: l.Spec.TLSCredentials}
	was, err := e.Remove(secret)
	if was {
		removed = append(removed, secret)
	}
	return removed, err
}

// usesSecret reports whether some object names the credential.
func usesSecret(set *resource.Set, name string) bool {
	for o := range set.All() {
		switch o := o.(type) {
		case *resource.Link:
			if o.Spec.TLSCredentials == name {
				return true
			}
		case *resource.Listener:
			if o.Spec.TLSCredentials == name {
				return true
			}
		case *resource.Connector:
			if o.Spec.TLSCredentials == name {
				return true
			}
		case *resource.MultiKeyListener:
			if o.Spec.TLSCredentials == name {
				return true
			}
		case *resource.RouterAccess:
			if o.Spec.TLSCredentials == name || o.Spec.Issuer == name {
				return true
			}
		}
	}
	return false
}

// patch does what api.Controller.Patch says.
func (n *namespace) patch(ctx context.Context, r api.PatchRequest) (*api.Result, error) {
	if !n.exists() {
		return nil, n.missing()
	}
	refs, err := refsOf([]api.Ref{r.Object})
	if err != nil {
		return nil, err
	}
	var warnings []resource.Warning
	return n.request(ctx, r.DryRun, wish{
		change: func(e *input.Edit) ([]api.Change, error) {
			old := e.Set().Find(refs[0])
			if old == nil {
				return nil, absent(refs[0])
			}
			o, about, err := patched(old, r.Fields)
			if err != nil {
				return nil, err
			}
			warnings = about
			action, err := e.Put(o)
			change := api.Change{Object: refs[0].String(), Action: actionOf(action)}
			if r.DryRun {
				change = told(change, old, o)
			}
			return []api.Change{change}, err
		},
		warnings: func() []resource.Warning { return warnings },
		strict:   true, store: r.Store, dryRun: r.DryRun,
	})
}

// patched is a copy of o with some fields changed, checked as any document.
func patched(o resource.Object, fields map[string]any) (resource.Object, []resource.Warning, error) {
	var tree map[string]any
	if err := json.Unmarshal(resource.EncodeJSON(resource.WithoutStatus(o)), &tree); err != nil {
		return nil, nil, err
	}
	for path, value := range fields {
		setField(tree, strings.Split(path, "."), value)
	}
	data, err := json.Marshal(tree)
	if err != nil {
		return nil, nil, err
	}
	f := resource.ParseFile(resource.Input{Name: "command line.json", Data: data})
	for _, e := range f.Errors {
		e.File, e.Line = "", 0
	}
	if err := resource.JoinErrors(f.Errors); err != nil {
		return nil, nil, err
	}
	if len(f.Objects) != 1 {
		return nil, nil, fmt.Errorf("%s: %d objects after the change", o.Ref(), len(f.Objects))
	}
	f.Objects[0].Head().Source = o.Head().Source
	for i := range f.Warnings {
		f.Warnings[i].File, f.Warnings[i].Line = "", 0
	}
	return f.Objects[0], f.Warnings, nil
}

func setField(tree map[string]any, path []string, value any) {
	for len(path) > 1 {
		sub, ok := tree[path[0]].(map[string]any)
		if !ok {
			sub = map[string]any{}
			tree[path[0]] = sub
		}
		tree, path = sub, path[1:]
	}
	if value == nil {
		delete(tree, path[0])
	} else {
		tree[path[0]] = value
	}
}

// request makes one pass for somebody who asked.
func (n *namespace) request(ctx context.Context, dryRun bool, w wish) (*api.Result, error) {
	if err := n.take(ctx); err != nil {
		return nil, err
	}
	defer n.give()
	before := n.seen.Load().memory.InputHash
	o, err := n.pass(ctx, w)
	if err != nil {
		return nil, wrong(err)
	}
	r := n.result(o)
	r.Warnings = texts(w.given(), news(o, w.change != nil, before))
	if !dryRun {
		n.wake() // statuses follow
	}
	return r, nil
}

// news are the warnings of an outcome that whoever asked has not heard: those
// about what he changed or, where he changed nothing, about an input that was
// not in effect before.
func news(o *outcome, change bool, before string) []resource.Warning {
	if !change {
		if before != "" && before == o.memory.InputHash {
			return nil
		}
		return o.warnings
	}
	return slices.DeleteFunc(slices.Clone(o.warnings), func(w resource.Warning) bool {
		return !slices.ContainsFunc(o.changes, func(c api.Change) bool { return c.Object == w.Object.String() })
	})
}

// result is an outcome in the words of the interface.
func (n *namespace) result(o *outcome) *api.Result {
	r := &api.Result{
		Changes: o.changes, State: api.Running,
		Started: o.started, Generation: o.memory.Generation,
	}
	if o.from != "" {
		r.Notes = []string{fmt.Sprintf("this site ran in a container of %s and is a process of this host from now on; `%[1]s rm --force %s-skupper-router` removes the container",
			o.from, n.paths.Name)}
	}
	if o.forsaken != nil {
		name := layout.ContainerName(n.paths.Name)
		r.Notes = append(r.Notes, fmt.Sprintf("%v; the container %s may be left in it, which `%[3]s rm --force %[2]s` removes when it answers again", o.forsaken, name, o.forsaken.Engine))
	}
	if touches(o.steps) {
		r.Plan, r.Summary = plan.Lines(visible(o.steps)), plan.Summarize(o.steps).String()
	}
	switch {
	case o.defined:
		r.State = api.Defined
	case o.memory.Stopped:
		r.State = api.Stopped
	}
	return r
}

// visible are the steps that mean something to a person: what is added,
// changed or removed, and what happens to units. Files are how.
func visible(steps []plan.Step) []plan.Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s plan.Step) bool { return !s.Counted && s.Unit == "" })
}

// wrong puts an error into the words of the interface.
func wrong(err error) error {
	var e *api.Error
	if errors.As(err, &e) || err == nil {
		return err
	}
	var unit *host.UnitError
	if errors.As(err, &unit) {
		return unitFailure(err, unit)
	}
	list := resource.Problems(err)
	switch {
	case len(list) > 0:
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &api.Error{Kind: api.Internal, Message: err.Error(), Advice: "what was begun is undone; make room, then repeat the command"}
	case errors.Is(err, syscall.EROFS):
		return &api.Error{Kind: api.Internal, Message: err.Error(), Advice: "what was begun is undone; make the file system writable (`mount`, `dmesg` say why it is not), then repeat the command"}
	case errors.Is(err, fs.ErrPermission):
		return &api.Error{Kind: api.Denied, Message: err.Error(), Advice: "what was begun is undone; the directories must belong to the user whose sites they hold"}
	default:
		return wrongCredentials(err)
	}
	e = &api.Error{Kind: api.Invalid, Message: summary(err)}
	for _, p := range list {
		e.Problems = append(e.Problems, api.Problem{
			File: p.File, Line: p.Line, Object: p.Object.String(), Field: p.Field, Reason: p.Reason, Hint: p.Advice,
		})
	}
	return e
}

// wrongCredentials says which credentials are wrong, if that is what an error is
// about. Those of a person are input like any other.
func wrongCredentials(err error) error {
	list := credentialErrors(err)
	if len(list) == 0 {
		return err
	}
	e := &api.Error{Kind: api.Invalid, Message: summary(err)}
	for _, c := range list {
		if strings.HasPrefix(c.From, "runtime/") { // nobody has written that
			return &api.Error{Kind: api.Internal, Message: c.Error(), Advice: c.Hint()}
		}
		e.Problems = append(e.Problems, api.Problem{Reason: c.Error(), Hint: c.Hint()})
	}
	return e
}

// unitFailure is a router that does not run, with its last words.
func unitFailure(err error, unit *host.UnitError) error {
	e := &api.Error{Kind: api.Internal, Message: err.Error()}
	if n := len(unit.Log); n > 0 {
		e.Message += ": " + unit.Log[n-1]
	}
	namespace := strings.TrimSuffix(strings.TrimPrefix(unit.Name, "skupper-"), ".service")
	e.Advice = fmt.Sprintf("`skupper -n %s system logs` shows what the router said", namespace)
	return e
}
