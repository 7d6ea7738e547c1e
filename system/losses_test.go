package system

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/manage/client"
	"github.com/skupper-host/skupper/system/state"
)

// foretelling is a router that says which connections would end.
type foretelling struct {
	fakeRouters
	asked *[]client.Change
	list  []client.Loss
	err   error
}

func (f foretelling) Losses(_ context.Context, changes []client.Change) ([]client.Loss, error) {
	*f.asked = changes
	return f.list, f.err
}

func TestLosses(t *testing.T) {
	t.Parallel()
	entity := func(typ, name, port string) state.Entity {
		return state.Entity{Type: typ, Name: name, Attrs: map[string]string{"name": name, "port": port}}
	}
	link, db := entity("connector", "to-hub", "1"), entity("tcpListener", "listener/db", "2")
	moved := entity("connector", "to-hub", "3")
	moved.Attrs["cost"] = "2"
	before := []state.Entity{link, entity("sslProfile", "hub", "0"), db}
	entities, changes := changesOf(before, []state.Entity{moved})
	want := []client.Change{{Type: "connector", Name: "to-hub", Attributes: []string{"cost", "port"}}, {Type: "tcpListener", Name: "listener/db"}}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]state.Entity{link, db}, entities); diff != "" {
		t.Errorf("entities (-want +got):\n%s", diff)
	}

	var asked []client.Change
	list := []client.Loss{{Change: 0, Connections: 3}, {Change: 0, Type: "tcpListener", Name: "listener/x", Connections: 1}, {Change: 1, Type: "tcpListener", Name: "listener/db", Connections: 2}}
	refusal, broken := &client.Error{Status: 501}, errors.New("connection lost")
	for _, row := range []struct {
		name    string
		router  Asker
		changes []client.Change
		want    map[string]state.Losses
		err     error
	}{
		{"changes", foretelling{threeSites(), &asked, list, nil}, changes, map[string]state.Losses{
			"connector/to-hub": {"": 3, "tcpListener/listener/x": 1}, "tcpListener/listener/db": {"tcpListener/listener/db": 2},
		}, nil},
		{"the router ends", foretelling{threeSites(), &asked, list[:2], nil}, nil, map[string]state.Losses{"": {"": 3, "tcpListener/listener/x": 1}}, nil},
		{"no answer", foretelling{threeSites(), &asked, nil, broken}, changes, map[string]state.Losses{}, broken},
		{"a router that cannot say", foretelling{threeSites(), &asked, nil, refusal}, changes, map[string]state.Losses{"tcpListener/listener/db": {"tcpListener/listener/db": 5}}, nil},
		{"such a router ends", threeSites(), nil, map[string]state.Losses{"": {"tcpListener/listener/db": 5}}, nil},
	} {
		got, err := foretold(t.Context(), row.router, entities, row.changes)
		if diff := cmp.Diff(row.want, got); diff != "" || !errors.Is(err, row.err) {
			t.Errorf("%s: %v (-want +got):\n%s", row.name, err, diff)
		}
	}
}
