package resource

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSet(t *testing.T) {
	t.Parallel()
	a, b, c := &Listener{Meta: Meta{Name: "a"}}, &Listener{Meta: Meta{Name: "b"}}, &Connector{Meta: Meta{Name: "a"}}
	s := NewSet(a, b, c)
	if s.Len() != 3 || s.Find(a.Ref()) != Object(a) || Get[*Connector](s, "a") != c || Get[*Site](s, "a") != nil {
		t.Fatal("objects are lost")
	}
	clone := s.Clone()
	again := &Listener{Meta: Meta{Name: "a"}}
	if !s.Put(again) || Of[*Listener](s)[0] != again {
		t.Error("Put does not replace in place")
	}
	if !s.Delete(a.Ref()) || s.Delete(a.Ref()) || s.Find(b.Ref()) != Object(b) || s.Find(c.Ref()) != Object(c) {
		t.Error("Delete loses others, or deletes twice")
	}
	if s.Put(&Site{Meta: Meta{Name: "s"}}) || s.Len() != 3 || clone.Len() != 3 || Of[*Listener](clone)[0] != a {
		t.Error("the clone changed")
	}
	if (&Set{}).Delete(a.Ref()) || (&Set{}).Find(a.Ref()) != nil {
		t.Error("the empty set has objects")
	}
}

func TestWithoutStatus(t *testing.T) {
	t.Parallel()
	o := &Listener{Meta: Meta{Name: "a"}, Spec: ListenerSpec{Port: 1}}
	o.Status.HasMatchingConnector = true
	c := WithoutStatus(o).(*Listener)
	c.Namespace = "n"
	if c.Status.HasMatchingConnector || c.Spec.Port != 1 || o.Namespace != "" || !o.Status.HasMatchingConnector {
		t.Errorf("got %+v of %+v", c, o)
	}
	if s := WithoutStatus(&Secret{Meta: Meta{Name: "x"}}); s.Ref().Name != "x" {
		t.Errorf("got %+v", s)
	}
}

func TestJoinedErrors(t *testing.T) {
	t.Parallel()
	err := JoinErrors([]*FieldError{
		{File: "b.yaml", Line: 1, Reason: "r"},
		{File: "a.yaml", Line: 9, Object: Ref{KindListener, "db"}, Field: "spec.port", Reason: "r"},
		{File: "a.yaml", Line: 2, Reason: "r"},
		{Reason: "without a place"},
	})
	const want = "without a place\na.yaml:2: r\na.yaml:9: listener/db: spec.port: r\nb.yaml:1: r"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	wrapped := fmt.Errorf("site west: %w", errors.Join(err, errors.New("other")))
	if got := len(Problems(wrapped)); got != 4 {
		t.Errorf("%d problems, want 4", got)
	}
	if JoinErrors(nil) != nil || Problems(nil) != nil || Problems(errors.New("x")) != nil {
		t.Error("problems out of nothing")
	}
	w := Warning{File: "f", Line: 3, Object: Ref{KindSite, "s"}, Field: "spec", Reason: "r"}
	if got := w.String(); got != "f:3: site/s: spec: r" {
		t.Error(got)
	}
}
