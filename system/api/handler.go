package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxRequest bounds a request body, bytes. A site of 10,000 resources stays
// below 8 MiB.
const maxRequest = 64 << 20

//go:embed openapi.yaml
var description []byte

// Description is the OpenAPI description of the interface, YAML.
func Description() []byte { return description }

// route is one path of the interface.
type route struct {
	method, path string
	serve        func(Controller, *http.Request) (any, error)
}

// routes lists the paths; openapi.yaml describes the same ones.
func routes() []route {
	return []route{
		{"GET", "/v1/agent", func(c Controller, r *http.Request) (any, error) { return c.Agent(r.Context()) }},
		{"POST", "/v1/observer", func(c Controller, r *http.Request) (any, error) {
			q, err := body[ObserverRequest](r)
			if err != nil {
				return nil, err
			}
			return c.Observer(r.Context(), q)
		}},
		{"GET", "/v1/namespaces", func(c Controller, r *http.Request) (any, error) { return c.Namespaces(r.Context()) }},
		{"GET", "/v1/namespaces/{namespace}", func(c Controller, r *http.Request) (any, error) {
			return c.Status(r.Context(), r.PathValue("namespace"))
		}},
		{"GET", "/v1/namespaces/{namespace}/names", func(c Controller, r *http.Request) (any, error) {
			return c.Names(r.Context(), r.PathValue("namespace"))
		}},
		{"POST", "/v1/namespaces/{namespace}/check", with(Controller.Check)},
		{"POST", "/v1/namespaces/{namespace}/ping", with(Controller.Ping)},
		{"POST", "/v1/namespaces/{namespace}/apply", with(Controller.Apply)},
		{"POST", "/v1/namespaces/{namespace}/delete", with(Controller.Delete)},
		{"POST", "/v1/namespaces/{namespace}/patch", with(Controller.Patch)},
		{"POST", "/v1/namespaces/{namespace}/operate", with(Controller.Operate)},
		{"POST", "/v1/namespaces/{namespace}/link", with(Controller.Link)},
		{"POST", "/v1/namespaces/{namespace}/token", with(Controller.Token)},
		{"POST", "/v1/namespaces/{namespace}/redeem", with(Controller.Redeem)},
		{"POST", "/v1/namespaces/{namespace}/renew", with(Controller.Renew)},
	}
}

// with decodes the body of a request for a method of Controller.
func with[Q, A any](method func(Controller, context.Context, string, Q) (*A, error)) func(Controller, *http.Request) (any, error) {
	return func(c Controller, r *http.Request) (any, error) {
		q, err := body[Q](r)
		if err != nil {
			return nil, err
		}
		return method(c, r.Context(), r.PathValue("namespace"), q)
	}
}

// body decodes the body of a request; there need be none.
func body[Q any](r *http.Request) (q Q, err error) {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxRequest))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil && !errors.Is(err, io.EOF) {
		return q, &Error{Kind: Invalid, Message: fmt.Sprintf("request body: %v", err)}
	}
	return q, nil
}

// Handler serves c. Whoever may connect to the socket may do everything.
func Handler(c Controller) http.Handler {
	mux := http.NewServeMux()
	for _, rt := range routes() {
		mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) {
			answer, err := rt.serve(c, r)
			if err != nil {
				e := asError(err)
				reply(w, e.Kind.status(), e)
				return
			}
			reply(w, http.StatusOK, answer)
		})
	}
	mux.HandleFunc("GET /v1/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(description) // the client is gone: nobody is left to be told
	})
	return mux
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, fmt.Appendf(nil, `{"kind":"failed","message":%q}`, err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // as above
}
