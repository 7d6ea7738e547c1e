package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// echo is a Controller that answers with what it was asked.
type echo struct{ err error }

func (e echo) Agent(context.Context) (*Agent, error) { return &Agent{PID: 7, Version: "1"}, e.err }
func (e echo) Observer(_ context.Context, r ObserverRequest) (*ObserverState, error) {
	return &ObserverState{PID: 9, Message: string(r.Operation)}, e.err
}

func (e echo) Namespaces(context.Context) ([]Namespace, error) {
	return []Namespace{{Name: "west", State: Running}}, e.err
}

func (e echo) Status(_ context.Context, ns string) (*Status, error) {
	return &Status{Namespace: Namespace{Name: ns}, Router: Router{Since: time.Unix(1, 0).UTC()}}, e.err
}

func (e echo) Names(_ context.Context, ns string) (*[]Ref, error) {
	return &[]Ref{{"Site", ns}}, e.err
}

func (e echo) Check(_ context.Context, ns string, r CheckRequest) (*Check, error) {
	return &Check{Missing: fmt.Sprint(ns, r)}, e.err
}

func (e echo) Ping(_ context.Context, ns string, r PingRequest) (*Ping, error) {
	return &Ping{Target: ns + r.Target, Paths: []PingPath{{Router: "r", Hops: []PingHop{{Cost: 3}}, Servers: []PingServer{{OK: true}}}}}, e.err
}

func (e echo) Apply(_ context.Context, ns string, r ApplyRequest) (*Result, error) {
	return &Result{Summary: ns + " " + string(r.Files[0].Data), Changes: []Change{{Object: "site/west", Action: Created}}}, e.err
}

func (e echo) Delete(_ context.Context, ns string, r DeleteRequest) (*Result, error) {
	return &Result{Summary: ns + " " + r.Objects[0].Name}, e.err
}

func (e echo) Patch(_ context.Context, ns string, r PatchRequest) (*Result, error) {
	return &Result{Summary: fmt.Sprint(ns, r.Object, r.Fields)}, e.err
}

func (e echo) Operate(_ context.Context, ns string, r OperateRequest) (*Result, error) {
	return &Result{Summary: ns + " " + string(r.Operation)}, e.err
}

func (e echo) Link(_ context.Context, ns string, r LinkRequest) (*LinkFile, error) {
	return &LinkFile{Name: ns, Host: r.Host, Document: []byte("---\n")}, e.err
}

func (e echo) Token(_ context.Context, ns string, r TokenRequest) (*TokenFile, error) {
	return &TokenFile{Name: ns, URL: r.Hosts[0], Redemptions: r.Redemptions, Document: []byte("x")}, e.err
}

func (e echo) Redeem(_ context.Context, ns string, r RedeemRequest) (*Result, error) {
	return &Result{Summary: ns + string(r.File.Data)}, e.err
}

func (e echo) Renew(_ context.Context, ns string, r RenewRequest) (*Result, error) {
	return &Result{Summary: ns + " " + strings.Join(r.Names, "+")}, e.err
}

// serve makes c reachable and returns a client; everything ends with the test.
func serve(t *testing.T, c Controller) *Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "agent.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: Handler(c)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return NewClient(socket)
}

func TestClientAsksWhatTheControllerHears(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := serve(t, echo{})
	for _, row := range []struct {
		name string
		ask  func(Controller) (any, error)
	}{
		{"agent", func(c Controller) (any, error) { return c.Agent(ctx) }},
		{"namespaces", func(c Controller) (any, error) { return c.Namespaces(ctx) }},
		{"status", func(c Controller) (any, error) { return c.Status(ctx, "we/st ä") }},
		{"observer", func(c Controller) (any, error) { return c.Observer(ctx, ObserverRequest{Operation: Start}) }},
		{"names", func(c Controller) (any, error) { return c.Names(ctx, "west") }},
		{"check", func(c Controller) (any, error) {
			return c.Check(ctx, "west", CheckRequest{Generation: 3, Objects: []Ref{{"Listener", "db"}}, Ready: true})
		}},
		{"ping", func(c Controller) (any, error) { return c.Ping(ctx, "west", PingRequest{Target: "db"}) }},
		{"apply", func(c Controller) (any, error) {
			return c.Apply(ctx, "west", ApplyRequest{Files: []File{{"a.yaml", []byte("kind: Site")}}})
		}},
		{"delete", func(c Controller) (any, error) {
			return c.Delete(ctx, "west", DeleteRequest{Objects: []Ref{{"Listener", "db"}}})
		}},
		{"patch", func(c Controller) (any, error) {
			return c.Patch(ctx, "west", PatchRequest{Object: Ref{"Listener", "db"}, Fields: map[string]any{"spec.host": nil, "spec.type": "tcp"}})
		}},
		{"operate", func(c Controller) (any, error) { return c.Operate(ctx, "west", OperateRequest{Operation: Stop}) }},
		{"link", func(c Controller) (any, error) { return c.Link(ctx, "west", LinkRequest{Host: "h"}) }},
		{"token", func(c Controller) (any, error) {
			return c.Token(ctx, "west", TokenRequest{Hosts: []string{"h", "i"}, Redemptions: 2})
		}},
		{"redeem", func(c Controller) (any, error) {
			return c.Redeem(ctx, "west", RedeemRequest{File: File{"t.yaml", []byte("x")}})
		}},
		{"renew", func(c Controller) (any, error) { return c.Renew(ctx, "west", RenewRequest{Names: []string{"a", "b"}}) }},
	} {
		want, _ := row.ask(echo{})
		got, err := row.ask(c)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, d)
		}
	}
}

func TestErrorsArriveWhole(t *testing.T) {
	t.Parallel()
	want := &Error{
		Kind: Invalid, Message: "2 problems", Advice: "mend them",
		Problems: []Problem{{File: "a.yaml", Line: 7, Object: "listener/db", Field: "spec.port", Reason: "too large"}},
	}
	_, err := serve(t, echo{want}).Status(t.Context(), "west")
	var got *Error
	if !errors.As(err, &got) {
		t.Fatalf("error %v", err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	_, err = serve(t, echo{errors.New("disk full")}).Status(t.Context(), "west")
	if KindOf(err) != Internal || err.Error() != "disk full" {
		t.Errorf("plain error arrives as %q (%s)", err, KindOf(err))
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	_, err := NewClient(filepath.Join(t.TempDir(), "none.sock")).Agent(t.Context())
	if KindOf(err) != Unavailable {
		t.Errorf("error %v of kind %q, want %q", err, KindOf(err), Unavailable)
	}
}

func TestRequestsAreReadStrictly(t *testing.T) {
	t.Parallel()
	c := serve(t, echo{})
	for body, kind := range map[string]Kind{
		`{"filez":[]}`: Invalid, `[`: Invalid, `{"objects":7}`: Invalid,
	} {
		_, err := call[Result](t.Context(), c, "POST", path("west", "/delete"), rawBody(body))
		if KindOf(err) != kind {
			t.Errorf("%s: %v (%s), want %s", body, err, KindOf(err), kind)
		}
	}
}

type rawBody string

func (b rawBody) MarshalJSON() ([]byte, error) {
	if b == "[" {
		return []byte(`["half"]`), nil
	}
	return []byte(b), nil
}

func TestDescriptionNamesEveryRouteAndField(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths      map[string]map[string]any
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
			}
		}
	}
	if err := yaml.Unmarshal(Description(), &doc); err != nil {
		t.Fatal(err)
	}
	described := 0
	for _, methods := range doc.Paths {
		for m := range methods {
			if m != "parameters" {
				described++
			}
		}
	}
	for _, r := range routes() {
		if doc.Paths[r.path][strings.ToLower(r.method)] == nil {
			t.Errorf("openapi.yaml lacks %s %s", r.method, r.path)
		}
	}
	for _, path := range []string{"/v1/openapi.yaml", "/metrics"} { // texts; the agent adds the second
		if doc.Paths[path]["get"] == nil {
			t.Errorf("openapi.yaml lacks GET %s", path)
		}
		described--
	}
	if described != len(routes()) {
		t.Errorf("openapi.yaml describes %d operations, there are %d", described, len(routes()))
	}
	for _, v := range []any{
		Agent{},
		Namespace{},
		Status{},
		Router{},
		LinkState{},
		BridgeState{},
		Certificate{},
		Site{},
		Service{},
		File{},
		ApplyRequest{},
		DeleteRequest{},
		Ref{},
		PatchRequest{},
		OperateRequest{},
		Change{},
		Result{},
		LinkRequest{},
		LinkFile{},
		ObserverRequest{},
		ObserverState{},
		CheckRequest{},
		PingRequest{},
		Ping{},
		PingPath{},
		PingHop{},
		PingServer{},
		Check{},
		RenewRequest{},
		TokenRequest{},
		TokenFile{},
		RedeemRequest{},
		Error{},
		Problem{},
	} {
		typ := reflect.TypeOf(v)
		var want []string
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			want = append(want, name)
		}
		var got []string
		for name := range doc.Components.Schemas[typ.Name()].Properties {
			got = append(got, name)
		}
		slices.Sort(want)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("schema %s (-code +openapi.yaml):\n%s", typ.Name(), d)
		}
	}
}
