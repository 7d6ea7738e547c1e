package console

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/query"
	"github.com/skupper-host/skupper/observer/record"
)

// observed serves the console and an API that answers from a scene, with the
// real selection of rows. Time stands still in it.
type observed struct {
	*httptest.Server

	// Guarded by mu.
	mu      sync.Mutex
	scene   *scene
	asked   []string        // addresses of the API, in their order
	changed chan struct{}   // closed and made anew when the scene changes
	refuse  map[string]bool // paths that are answered with 503
}

func observe(t *testing.T, s *made) *observed {
	t.Helper()
	files, err := Handler()
	if err != nil {
		t.Fatal(err)
	}
	o := &observed{scene: &s.scene, changed: make(chan struct{}), refuse: map[string]bool{}}
	mux := http.NewServeMux()
	mux.Handle("/", files)
	o.routes(mux)
	o.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		o.CloseClientConnections()
		o.Close()
	})
	return o
}

func (o *observed) show(s *made) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.scene = &s.scene
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *observed) requested() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.asked)
}

const root = "/api/v2alpha1/"

func (o *observed) routes(mux *http.ServeMux) {
	list(o, mux, "sites", func(s *scene) []*record.Site { return s.sites })
	list(o, mux, "routers", func(s *scene) []*record.Router { return s.routers })
	list(o, mux, "routerlinks", func(s *scene) []*record.RouterLink { return s.links })
	list(o, mux, "routeraccess", func(s *scene) []*record.RouterAccess { return s.accesses })
	list(o, mux, "listeners", func(s *scene) []*record.Listener { return s.listeners })
	list(o, mux, "connectors", func(s *scene) []*record.Connector { return s.connectors })
	list(o, mux, "services", func(s *scene) []*record.Service { return s.services })
	list(o, mux, "components", func(s *scene) []*record.Component { return s.components })
	list(o, mux, "processes", func(s *scene) []*record.Process { return s.processes }, "services")
	list(o, mux, "sitepairs", func(s *scene) []*record.Pair { return s.sitePairs })
	list(o, mux, "componentpairs", func(s *scene) []*record.Pair { return s.componentPairs })
	list(o, mux, "processpairs", func(s *scene) []*record.Pair { return s.processPairs })
	list(o, mux, "connections", func(s *scene) []*record.Connection { return s.connections })
	list(o, mux, "applicationflows", func(s *scene) []*record.ApplicationFlow { return s.requests })
	list(o, mux, "sources", func(s *scene) []*record.Source { return s.sources })
	list(o, mux, "logs", func(s *scene) []*record.Log { return s.logs })
	pairs := query.Compile[record.Pair](false)
	mux.HandleFunc(root+"services/{id}/processpairs", func(w http.ResponseWriter, r *http.Request) {
		of := strings.TrimPrefix(r.PathValue("id"), "adr-")
		o.answer(w, r, func(s *scene) (any, error) {
			rows := slices.DeleteFunc(slices.Clone(s.processPairs), func(p *record.Pair) bool { return !strings.HasSuffix(p.Identity, of) })
			return envelope(pairs, rows, r)
		})
	})
	mux.HandleFunc(root+"observer", func(w http.ResponseWriter, _ *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(o.scene.observer) // as in answer
	})
	mux.HandleFunc(root+"user", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc(root+"events", o.events)
	mux.HandleFunc(root+"internal/prom/query", o.instant)
	mux.HandleFunc(root+"internal/prom/rangequery", o.overTime)
}

func list[T any, P query.Row[T]](o *observed, mux *http.ServeMux, name string, of func(*scene) []*T, split ...string) {
	table := query.Compile[T, P](false, split...)
	mux.HandleFunc(root+name, func(w http.ResponseWriter, r *http.Request) {
		o.answer(w, r, func(s *scene) (any, error) { return envelope(table, of(s), r) })
	})
	mux.HandleFunc(root+name+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		o.answer(w, r, func(s *scene) (any, error) {
			for _, one := range of(s) {
				if P(one).ID() == r.PathValue("id") {
					return map[string]any{"results": one}, nil
				}
			}
			return nil, nil
		})
	})
}

func envelope[T any](table *query.Table[T], rows []*T, r *http.Request) (any, error) {
	q := query.Parse(r.URL.Query(), time.UnixMicro(now))
	page, err := table.Select(rows, &q)
	return map[string]any{"results": page.Rows, "count": len(page.Rows), "timeRangeCount": page.Total}, err
}

func (o *observed) answer(w http.ResponseWriter, r *http.Request, of func(*scene) (any, error)) {
	o.mu.Lock()
	o.asked = append(o.asked, r.URL.String())
	s, refused := o.scene, o.refuse[strings.TrimPrefix(r.URL.Path, root)]
	o.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	body, err := of(s)
	switch {
	case refused:
		w.WriteHeader(http.StatusServiceUnavailable)
		body = map[string]string{"message": "the collector is starting"}
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
		body = map[string]string{"message": err.Error()}
	case body == nil:
		w.WriteHeader(http.StatusNotFound)
		body = map[string]string{"code": "ErrNotFound", "message": ""}
	}
	_ = json.NewEncoder(w).Encode(body)
}

func (o *observed) events(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	refused := o.refuse["events"]
	o.mu.Unlock()
	if refused {
		http.Error(w, "no events", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for n := 1; ; n++ {
		o.mu.Lock()
		changed := o.changed
		o.mu.Unlock()
		fmt.Fprintf(w, "event: sites\ndata: {\"change\":\"update\",\"record\":{\"identity\":\"%d\"}}\n\n", n)
		w.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

type sample struct {
	Metric map[string]string `json:"metric"`
	Value  *[2]any           `json:"value,omitempty"`
	Values [][2]any          `json:"values,omitempty"`
}

func prometheus(w http.ResponseWriter, kind string, result []sample) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": kind, "result": result}})
}

// instant answers "sum by(label)(…{label=~"a|b"}…)" with one value per name.
func (o *observed) instant(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.asked = append(o.asked, r.URL.String())
	o.mu.Unlock()
	result := []sample{}
	text := r.URL.Query().Get("query")
	label := regexp.MustCompile(`sum by\((\w+)\)`).FindStringSubmatch(text)
	names := regexp.MustCompile(`=~"([^"]*)"`).FindStringSubmatch(text)
	if label != nil && names != nil {
		for i, name := range strings.Split(strings.ReplaceAll(names[1], `\\`, ""), "|") {
			y := float64(1200 * (i*i + 1))
			switch {
			case strings.Contains(text, "5xx"):
				y = 0.12 * float64(i)
			case strings.Contains(text, "requests"):
				y = 4.2 * float64(i+1)
			case strings.Contains(text, "opened"):
				y = float64(i * 3)
			}
			result = append(result, sample{Metric: map[string]string{label[1]: name}, Value: &[2]any{float64(now) / 1e6, strconv.FormatFloat(y, 'f', -1, 64)}})
		}
	}
	prometheus(w, "vector", result)
}

// overTime answers a range with waves whose height depends on the query.
func (o *observed) overTime(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	text := v.Get("query")
	o.mu.Lock()
	o.asked = append(o.asked, r.URL.String())
	quiet := len(o.scene.connections) == 0
	o.mu.Unlock()
	result := []sample{}
	if quiet {
		prometheus(w, "matrix", result)
		return
	}
	for i, metric := range seriesOf(text) {
		result = append(result, sample{Metric: metric, Values: wave(v, text, float64(i))})
	}
	prometheus(w, "matrix", result)
}

func seriesOf(text string) []map[string]string {
	switch {
	case strings.Contains(text, "by(method)"):
		return []map[string]string{{"method": "GET"}, {"method": "POST"}, {"method": "PUT"}}
	case strings.Contains(text, "partial_code"):
		return []map[string]string{{"partial_code": "2"}, {"partial_code": "4"}, {"partial_code": "5"}}
	default:
		return []map[string]string{{}}
	}
}

func wave(v url.Values, text string, shift float64) [][2]any {
	start, _ := strconv.ParseFloat(v.Get("start"), 64)
	end, _ := strconv.ParseFloat(v.Get("end"), 64)
	step, _ := strconv.ParseFloat(v.Get("step"), 64)
	height := float64(len(text) * len(text))
	if q, ok := strings.CutPrefix(text, "histogram_quantile("); ok {
		share, _ := strconv.ParseFloat(q[:strings.IndexByte(q, ',')], 64)
		height = 20_000 + 60_000*share*share
	}
	var values [][2]any
	for at := start; at <= end && len(values) < 1000; at += max(step, 1) {
		x := (at - start) / (end - start)
		y := height / (1 + 2*shift) * (1 + 0.3*math.Sin(9*x+shift) + 0.1*math.Sin(41*x+3*shift))
		values = append(values, [2]any{at, strconv.FormatFloat(y, 'f', 3, 64)})
	}
	return values
}
