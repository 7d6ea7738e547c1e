package web

import (
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Sample is one figure.
type Sample struct {
	Name   string // as Prometheus wants it
	Help   string
	Total  bool // it only grows
	Value  float64
	Labels []Label // of what it is a figure; the same ones for each name
}

// Label is a name and a value.
type Label struct{ Name, Value string }

// Limits of asking for figures.
const (
	maxScrapes    = 4 // at a time
	scrapeTimeout = 10 * time.Second
)

// Config says what a Handler serves.
type Config struct {
	// Root is a directory whose files are served; "" is none.
	Root string
	// Metrics returns the figures of the router as a whole, without labels. nil
	// hides them and Entities.
	Metrics func() []Sample
	// Entities returns the figures of single links, listeners and connectors.
	// They have a path of their own, since there may be thousands.
	Entities func() []Sample
	// Alive reports whether the router works; nil hides /healthz and /readyz.
	Alive func() bool
	// Unready returns why the router is not to be used now, nothing if it is.
	Unready func() []string
	// AMQP takes connections over WebSocket; nil refuses them.
	AMQP *Tunnel
}

// Handler serves what c says.
func Handler(c Config) http.Handler {
	mux := http.NewServeMux()
	if c.Metrics != nil {
		mux.Handle("GET /metrics", figures(collector(c.Metrics), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})))
		mux.Handle("GET /metrics/entities", figures(collector(c.Entities)))
	}
	if c.Alive != nil {
		mux.HandleFunc("GET /healthz", health(c.Alive))
		mux.HandleFunc("GET /readyz", readiness(c.Alive, c.Unready))
	}
	if c.Root != "" {
		mux.Handle("GET /", http.FileServerFS(files{os.DirFS(c.Root)}))
	}
	if c.AMQP == nil {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			c.AMQP.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func figures(of ...prometheus.Collector) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(of...)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout,
	})
}

func health(alive func() bool) http.HandlerFunc {
	return readiness(alive, func() []string { return nil })
}

// readiness answers with the reasons, one a line.
func readiness(alive func() bool, unready func() []string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		reasons := []string{"the router does not answer"}
		if alive() {
			reasons = unready()
		}
		if len(reasons) == 0 {
			_, _ = io.WriteString(w, "OK\n") // a client that is gone hears nothing
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, strings.Join(reasons, "\n")+"\n") // as above
	}
}

// files are those of a directory, without lists of what is in it.
type files struct{ fs.FS }

// Open implements fs.FS.
func (f files) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		_, err = fs.Stat(f.FS, path.Join(name, "index.html"))
	}
	if err != nil {
		_ = file.Close() // opened for reading
		return nil, err
	}
	return file, nil
}

// collector makes metrics of samples. Their names are not known beforehand.
type collector func() []Sample

// Describe implements prometheus.Collector.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (f collector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range f() {
		ch <- s.metric()
	}
}

func (s *Sample) metric() prometheus.Metric {
	kind := prometheus.GaugeValue
	if s.Total {
		kind = prometheus.CounterValue
	}
	var names, values []string
	for _, l := range s.Labels {
		names, values = append(names, l.Name), append(values, strings.ToValidUTF8(l.Value, "\uFFFD"))
	}
	d := prometheus.NewDesc(s.Name, s.Help, names, nil)
	m, err := prometheus.NewConstMetric(d, kind, s.Value, values...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}
