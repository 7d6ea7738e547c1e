package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

func openAPI(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(Description())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// conforms reports an answer that the description of a path does not allow.
func conforms(t *testing.T, doc *openapi3.T, path, target string, code int, header http.Header, body []byte) {
	t.Helper()
	item := doc.Paths.Value(path)
	if item == nil || item.Get == nil {
		t.Errorf("GET %s is not described", path)
		return
	}
	response := item.Get.Responses.Status(code)
	if response == nil {
		t.Errorf("GET %s: status %d is not described: %s", target, code, body)
		return
	}
	if len(response.Value.Content) == 0 {
		if len(body) > 0 {
			t.Errorf("GET %s: %d with a body: %s", target, code, body)
		}
		return
	}
	contentType, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	media := response.Value.Content[contentType]
	if media == nil {
		t.Errorf("GET %s: %d with content type %q", target, code, contentType)
		return
	}
	if contentType != "application/json" {
		return
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Errorf("GET %s: %v: %s", target, err, body)
		return
	}
	if err := media.Schema.Value.VisitJSON(value, openapi3.MultiErrors()); err != nil {
		t.Errorf("GET %s: %d: %v\n%.400s", target, code, err, body)
	}
}

func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	doc := openAPI(t)
	got := []string{
		HealthPath, "/metrics", Prefix + "/events", Prefix + "/observer", Prefix + "/user", Prefix + "/logout",
		Prefix + "/internal/prom/query", Prefix + "/internal/prom/rangequery", Prefix + "/internal/prom/query_range",
	}
	for _, r := range routes() {
		got = append(got, Prefix+"/"+r.path)
	}
	slices.Sort(got)
	if d := cmp.Diff(slices.Sorted(maps.Keys(doc.Paths.Map())), got); d != "" {
		t.Errorf("openapi.yaml and routes (-described +served):\n%s", d)
	}
	for path, item := range doc.Paths.Map() {
		if len(item.Operations()) != 1 || item.Get == nil {
			t.Errorf("%s: other methods than GET", path)
		}
	}
}

// TestEveryAnswerIsAsDescribed asks every route of a network that has records
// of every kind: for all, for each, for none, for what there is not, and wrongly.
func TestEveryAnswerIsAsDescribed(t *testing.T) {
	t.Parallel()
	doc, h := openAPI(t), handler(populated(t))
	check := func(path, target string, want int) []byte {
		w := get(h, target)
		if w.Code != want {
			t.Errorf("GET %s: %d %s, want %d", target, w.Code, w.Body, want)
		}
		conforms(t, doc, path, target, w.Code, w.Header(), w.Body.Bytes())
		return w.Body.Bytes()
	}
	check(Prefix+"/observer", Prefix+"/observer", http.StatusOK)
	services, sites := ids(t, get(h, Prefix+"/services").Body.Bytes()), ids(t, get(h, Prefix+"/sites").Body.Bytes())
	for _, r := range routes() {
		path := Prefix + "/" + r.path
		if base, ok := strings.CutSuffix(path, "/{id}"); ok {
			check(path, base+"/nope", http.StatusNotFound)
			check(path, base+"/%00%ff%2F..", http.StatusNotFound)
			continue
		}
		of := []string{""}
		switch {
		case strings.HasPrefix(r.path, "services/{id}"):
			of = services
			if len(of) == 0 {
				t.Fatal("no services")
			}
			check(path, strings.Replace(path, "{id}", "nope", 1), http.StatusNotFound)
		case strings.HasPrefix(r.path, "sites/{id}"):
			of = sites
			check(path, strings.Replace(path, "{id}", "nope", 1), http.StatusOK)
		}
		found := 0
		for _, id := range of {
			at := strings.Replace(path, "{id}", url.PathEscape(id), 1)
			all := ids(t, check(path, at+"?timeRangeStart=0", http.StatusOK))
			found += len(all)
			for _, one := range all {
				if strings.Contains(r.path, "{id}") {
					break
				}
				body := check(path+"/{id}", at+"/"+url.PathEscape(one), http.StatusOK)
				var single struct {
					Results struct {
						Identity string `json:"identity"`
					} `json:"results"`
				}
				if err := json.Unmarshal(body, &single); err != nil || single.Results.Identity != one {
					t.Errorf("%s/%s is %q, %v", at, one, single.Results.Identity, err)
				}
			}
			check(path, at+"?limit=0", http.StatusOK)
			check(path, at+"?limit=1&offset=1&sortBy=startTime.desc&state=active", http.StatusOK)
			check(path, at+"?nope=1", http.StatusBadRequest)
			check(path, at+"?sortBy=nope.asc", http.StatusBadRequest)
		}
		if found == 0 && !strings.Contains(r.path, "hosts") {
			t.Errorf("%s: no records, so that nothing is shown", r.path)
		}
	}
}

func ids(t *testing.T, body []byte) []string {
	t.Helper()
	var list struct {
		Results []struct {
			Identity string `json:"identity"`
		} `json:"results"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	out := make([]string, len(list.Results))
	for i, r := range list.Results {
		out[i] = r.Identity
	}
	return out
}
