package api

import (
	"bytes"
	_ "embed"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed openapi.yaml
var description []byte

//go:embed swagger.html
var viewer string

// Description is the OpenAPI description of the interface, YAML.
func Description() []byte { return description }

// serveSwagger serves the description, and a page that shows it.
func serveSwagger(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimPrefix(r.URL.Path, "/swagger/") {
	case "openapi.yaml":
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(description) // as in reply
	case "":
		page, err := described()
		if err != nil {
			fail(w, http.StatusInternalServerError, "ErrInternal", err.Error())
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page) // as in reply
	default:
		http.NotFound(w, r)
	}
}

// operation is a path as the page shows it.
type operation struct{ Path, Summary, Description string }

// described makes the page once.
var described = sync.OnceValues(func() ([]byte, error) {
	var doc struct {
		Info struct{ Title, Version, Description string }
		Tags []struct{ Name, Description string }
		// Paths have one operation each, get.
		Paths map[string]map[string]struct {
			Tags                 []string
			Summary, Description string
		}
	}
	if err := yaml.Unmarshal(description, &doc); err != nil {
		return nil, err
	}
	type group struct {
		Name, Description string
		Operations        []operation
	}
	var groups []group
	for _, t := range doc.Tags {
		g := group{Name: t.Name, Description: t.Description}
		for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
			if op := doc.Paths[path]["get"]; slices.Contains(op.Tags, t.Name) {
				g.Operations = append(g.Operations, operation{path, op.Summary, op.Description})
			}
		}
		groups = append(groups, g)
	}
	page, err := template.New("swagger").Parse(viewer)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{"Info": doc.Info, "Groups": groups})
	return out.Bytes(), err
})
