package system

import (
	"slices"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/state"
)

// heritage is what a namespace that upstream's tools made holds only below
// runtime: the links that its tokens were exchanged for. The tokens stay in the
// input, and are good for nothing any more.
//
// compat: upstream redeems the tokens of the input at each start and keeps what
// it gets in no other place.
type heritage struct {
	objects  []resource.Object
	redeemed []string // fingerprints of the tokens
}

// inherited is the heritage of a namespace that was never started by this
// program. What cannot be read is not inherited: its tokens are redeemed.
func (n *namespace) inherited() heritage {
	wanted, err := input.Resources(n.paths.InputResources())
	if err != nil {
		return heritage{}
	}
	made, err := input.Resources(n.paths.RuntimeResources())
	if err != nil {
		return heritage{}
	}
	return inheritedFrom(wanted, made)
}

func inheritedFrom(wanted, made *resource.Set) heritage {
	var h heritage
	for _, t := range resource.Of[*resource.AccessToken](wanted) {
		links := linksOf(t, made)
		for _, l := range links {
			h.objects = append(h.objects, l)
			s := resource.Get[*resource.Secret](made, l.Spec.TLSCredentials)
			if s != nil && resource.Get[*resource.Secret](wanted, s.Name) == nil && !slices.Contains(h.objects, resource.Object(s)) {
				h.objects = append(h.objects, s)
			}
		}
		if len(links) > 0 {
			h.redeemed = append(h.redeemed, fingerprint(t.Spec.URL, t.Spec.Code))
		}
	}
	return h
}

// linksOf are the links that a token was exchanged for, with the Secret that
// they share.
//
// compat: a Secret has the name of the token; a Link, too, or that with a number.
func linksOf(t *resource.AccessToken, made *resource.Set) []*resource.Link {
	var list []*resource.Link
	for _, l := range resource.Of[*resource.Link](made) {
		if l.Spec.TLSCredentials == t.Name && resource.Get[*resource.Secret](made, t.Name) != nil {
			list = append(list, l)
		}
	}
	return list
}

// add has a wish take the heritage into the input.
func (h heritage) add(n *namespace, w wish) wish {
	if len(h.objects) == 0 {
		return w
	}
	set := resource.NewSet(h.objects...)
	change, memory := w.change, w.memory
	w.change = func(e *input.Edit) ([]api.Change, error) {
		changes, err := n.put(e, set, api.ApplyRequest{})
		if err != nil || change == nil {
			return changes, err
		}
		more, err := change(e)
		return append(changes, more...), err
	}
	w.memory = func(m *state.Memory) {
		m.Redeemed = append(slices.Clone(m.Redeemed), h.redeemed...)
		if memory != nil {
			memory(m)
		}
	}
	return w
}
