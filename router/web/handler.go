package web

import (
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Sample is one figure.
type Sample struct {
	Name  string // as Prometheus wants it
	Help  string
	Total bool // it only grows
	Value float64
}

// Config says what a Handler serves.
type Config struct {
	// Root is a directory whose files are served; "" is none.
	Root string
	// Metrics returns the figures; nil hides them.
	Metrics func() []Sample
	// Alive reports whether the router works; nil hides /healthz and /readyz.
	Alive func() bool
	// AMQP takes connections over WebSocket; nil refuses them.
	AMQP *Tunnel
}

// Handler serves what c says.
func Handler(c Config) http.Handler {
	mux := http.NewServeMux()
	if c.Metrics != nil {
		r := prometheus.NewRegistry()
		r.MustRegister(collector(c.Metrics))
		mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	}
	if c.Alive != nil {
		mux.HandleFunc("GET /healthz", health(c.Alive))
		mux.HandleFunc("GET /readyz", health(c.Alive))
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

func health(alive func() bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if !alive() {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "the router does not answer\n") // a client that is gone hears nothing
			return
		}
		_, _ = io.WriteString(w, "OK\n") // as above
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
		kind := prometheus.GaugeValue
		if s.Total {
			kind = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(s.Name, s.Help, nil, nil), kind, s.Value)
	}
}
