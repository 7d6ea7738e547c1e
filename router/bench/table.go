package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is one line of the table.
type row struct {
	load, figure string
	text, unit   string
	bound        float64 // 0: none
	least        bool    // the bound is a minimum
	ratio        bool    // the bound is of routers ÷ pair
}

// rows are the figures and what they are to reach.
func rows() []row {
	return []row{
		{load: loadBulk1, figure: "rate", text: "throughput, 1 stream", unit: "MB/s", bound: 0.95, least: true, ratio: true},
		{load: loadBulk8, figure: "rate", text: "throughput, 8 streams", unit: "MB/s", bound: 0.9, least: true, ratio: true},
		{load: loadDown1, figure: "rate", text: "throughput, 1 stream from the server", unit: "MB/s", bound: 0.95, least: true, ratio: true},
		{load: loadBulk1, figure: "cpu", text: "CPU, 1 stream", unit: "s/GB", bound: 1.05, ratio: true},
		{load: loadBulk8, figure: "cpu", text: "CPU, 8 streams", unit: "s/GB", bound: 1.05, ratio: true},
		{load: loadDown1, figure: "cpu", text: "CPU, 1 stream from the server", unit: "s/GB", bound: 1.05, ratio: true},
		{load: loadEcho1, figure: "p50", text: "echo of 64 B, 1 connection, p50", unit: "µs", bound: 1.2, ratio: true},
		{load: loadAwake, figure: "p50", text: "the same, CPUs kept awake", unit: "µs", bound: 1.2, ratio: true},
		{load: loadAwake, figure: "p99", text: "the same, p99", unit: "µs"},
		{load: loadEcho, figure: "rate", text: "echo of 64 B, 64 connections", unit: "/s", bound: 1.3, least: true, ratio: true},
		{load: loadEcho, figure: "cpu", text: "CPU of each", unit: "µs"},
		{load: loadDials, figure: "rate", text: "connect, 1 B, close; 16 workers", unit: "/s", bound: 4.46, least: true, ratio: true},
		{load: loadDials, figure: "cpu", text: "CPU of each", unit: "µs"},
		{load: loadRest, figure: "each", text: "memory of an idle connection, both ends", unit: "KiB", bound: 12},
		{load: loadRest, figure: "idle", text: "memory of one idle process", unit: "MiB", bound: 20},
		{load: loadChurn, figure: "grown", text: "memory after / before 100,000 connections", unit: "", bound: 1.1},
		{load: loadRest, figure: "ready", text: "start to first echo, the peer being up", unit: "ms", bound: 300},
		{load: loadLine, figure: "rate", text: "1 stream over 50 ms and 1 Gbit/s", unit: "MB/s", bound: 0.8 * lineRate / 1e6, least: true},
		{load: loadCrowd, figure: "rate", text: "100 streams with / without 10,000 idle", unit: "", bound: 0.9, least: true},
		{load: loadCrowd, figure: "cpu", text: "CPU of the same", unit: ""},
		{load: loadWeb, figure: "large", text: "CPU, downloads by HTTP, observed / not", unit: "", bound: 1.15},
		{load: loadWeb, figure: "small", text: "CPU, requests of 64 B, observed / not", unit: "", bound: 1.15},
		{load: loadWeb, figure: "other", text: "CPU, not HTTP, observed / not", unit: "", bound: 1.05},
	}
}

// print writes the table.
func (b *bench) print(w io.Writer) {
	fmt.Fprintf(w, "%d rounds of %v; %d CPUs, %s, %s %s/%s\n\n", b.rounds, b.options.sample, cpus(), processor(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.Debug)
	fmt.Fprintln(t, "|figure\t unit\t TLS pair\t two routers\t ratio\t to reach\t")
	fmt.Fprintln(t, "|---\t---\t--:\t--:\t--:\t---\t")
	for _, r := range rows() {
		s, ok := b.samples[r.load+" "+r.figure]
		if !ok {
			continue
		}
		ratio := ratios(s[routers], s[pair])
		fmt.Fprintf(t, "|%s\t %s\t %s\t %s\t %s\t %s\t\n", r.text, r.unit, number(s[pair]), number(s[routers]), number(ratio), r.mark(s[routers], ratio))
	}
	_ = t.Flush()
}

// mark says what is to be reached and whether it is missed.
func (r row) mark(value, ratio []float64) string {
	if r.bound == 0 {
		return ""
	}
	of, text, sign := value, fmt.Sprintf("%.4g", r.bound), "≤ "
	if r.ratio {
		of, text = ratio, text+" ×"
	}
	if r.least {
		sign = "≥ "
	}
	if len(of) > 0 && median(of) != r.bound && (median(of) < r.bound) == r.least {
		text += ", missed"
	}
	return sign + text
}

// ratios pairs the values of the same rounds.
func ratios(a, b []float64) []float64 {
	if len(a) != len(b) {
		return nil
	}
	r := slices.Clone(a)
	for i := range r {
		r[i] /= b[i]
	}
	return r
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// number is the median, and half of the span in percent if that is much.
func number(v []float64) string {
	if len(v) == 0 {
		return ""
	}
	m := median(v)
	text := fmt.Sprintf("%.3g", m)
	if m >= 1000 {
		text = fmt.Sprintf("%.0f", m)
	}
	if spread := (slices.Max(v) - slices.Min(v)) / 2 / m; spread >= 0.05 {
		text += fmt.Sprintf(" ±%.0f%%", 100*spread)
	}
	return text
}

func (f figures) String() string {
	var b bytes.Buffer
	for _, name := range []string{"rate", "p50", "p99", "cpu", "ready", "idle", "each", "grown", "large", "small", "other"} {
		if v, ok := f[name]; ok {
			fmt.Fprintf(&b, " %s=%.4g", name, v)
		}
	}
	return b.String()
}

func cpus() int { return runtime.NumCPU() }

// processor is the name of the CPU.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(b)) {
		if name, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return "unknown processor"
}
