package system

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/skupper-host/skupper/system/api"
)

// metricsTimeout bounds asking the routers for one scrape.
const metricsTimeout = 5 * time.Second

// metrics collects what the agent knows when it is asked, and keeps nothing.
type metrics struct {
	agent *Agent

	info, state, generation, failed, passes, expiry *prometheus.Desc
}

func newMetrics(a *Agent) *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("skupper_agent_"+name, help, labels, nil)
	}
	return &metrics{
		agent:      a,
		info:       desc("info", "The agent; always 1.", "version", "units"),
		state:      desc("namespace_state", "1 for the state that a namespace is in.", "namespace", "state"),
		generation: desc("namespace_generation", "Number of the input that is in effect.", "namespace"),
		failed:     desc("namespace_input_failed", "1 while the newest input is not in effect.", "namespace"),
		passes:     desc("passes_total", "Passes over a namespace since the agent started.", "namespace", "result"),
		expiry:     desc("certificate_expiry_timestamp_seconds", "When a certificate ends, in seconds since 1970.", "namespace", "certificate"),
	}
}

// handler serves the metrics in the format of Prometheus.
func (m *metrics) handler() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(m)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.info, m.state, m.generation, m.failed, m.passes, m.expiry} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), metricsTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(m.info, 1, m.agent.m.options.Version, m.agent.m.units.Name())
	spaces := m.agent.known()
	for i, line := range lines(ctx, spaces) {
		n := spaces[i]
		v := n.seen.Load()
		for _, s := range []api.State{api.Defined, api.Stopped, api.Running, api.Failed} {
			gauge(m.state, truth(line.State == s), line.Name, string(s))
		}
		gauge(m.generation, float64(v.memory.Generation), line.Name)
		gauge(m.failed, truth(v.failure != ""), line.Name)
		for result, count := range map[string]int64{"good": n.passes.Load(), "failed": n.failures.Load()} {
			ch <- prometheus.MustNewConstMetric(m.passes, prometheus.CounterValue, float64(count), line.Name, result)
		}
		for _, c := range v.credentials {
			gauge(m.expiry, float64(c.Expires.Unix()), line.Name, c.Use+"/"+c.Name)
		}
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
