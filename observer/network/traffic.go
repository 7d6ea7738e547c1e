package network

import (
	"cmp"
	"slices"

	"github.com/skupper-host/skupper/observer/record"
)

// Labels tell one series of traffic from others: between whom, of which
// routing key, with which protocol (tcp, http1, http2).
type Labels struct {
	SourceSiteID, SourceSiteName           string
	SourceComponentID, SourceComponentName string
	SourceProcessName                      string
	DestSiteID, DestSiteName               string
	DestComponentID, DestComponentName     string
	DestProcessName                        string
	RoutingKey, Protocol                   string
}

// Reverse returns the labels of the way back as the latency of servers has them.
// compat: upstream changes sites and processes, and leaves components.
func (l Labels) Reverse() Labels {
	l.SourceSiteID, l.DestSiteID = l.DestSiteID, l.SourceSiteID
	l.SourceSiteName, l.DestSiteName = l.DestSiteName, l.SourceSiteName
	l.SourceProcessName, l.DestProcessName = l.DestProcessName, l.SourceProcessName
	return l
}

// Compare orders label sets.
func (l Labels) Compare(m Labels) int {
	return cmp.Or(
		cmp.Compare(l.RoutingKey, m.RoutingKey), cmp.Compare(l.Protocol, m.Protocol),
		cmp.Compare(l.SourceSiteID, m.SourceSiteID), cmp.Compare(l.DestSiteID, m.DestSiteID),
		cmp.Compare(l.SourceProcessName, m.SourceProcessName), cmp.Compare(l.DestProcessName, m.DestProcessName),
		cmp.Compare(l.SourceComponentName, m.SourceComponentName), cmp.Compare(l.DestComponentName, m.DestComponentName),
		cmp.Compare(l.SourceSiteName, m.SourceSiteName), cmp.Compare(l.DestSiteName, m.DestSiteName),
		cmp.Compare(l.SourceComponentID, m.SourceComponentID), cmp.Compare(l.DestComponentID, m.DestComponentID),
	)
}

// Traffic is what was counted with a label set since the observer began; it
// only grows. Connections and latencies are counted with protocol tcp, requests
// with http1 or http2.
type Traffic struct {
	Labels         Labels
	Opened, Closed uint64         // connections
	Sent, Received uint64         // payload bytes from the client, to the client
	Requests       []RequestCount // ended ones, by method and code
	Latency        Histogram      // seconds: what the network adds to the first byte
	Incoming       Histogram      // microseconds to the first byte, at the client's side
	Outgoing       Histogram      // microseconds to the first byte, at the server's side; its labels are Labels.Reverse
}

// RequestCount is how many requests had a method and a class of code.
type RequestCount struct {
	Method string // one of the nine methods, or unknown
	Code   string // 1xx to 5xx, or unknown
	Count  uint64
}

// Histogram is a distribution. Counts has one more element than there are
// bounds; its elements are not cumulative.
type Histogram struct {
	Counts []uint64
	Count  uint64
	Sum    float64
}

// LatencyBounds returns the upper bounds of Traffic.Latency, in seconds.
func LatencyBounds() []float64 {
	return []float64{0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}
}

// FirstByteBounds returns the upper bounds of Traffic.Incoming and Outgoing, in
// microseconds.
func FirstByteBounds() []float64 { return []float64{1e3, 2e3, 5e3, 1e4, 1e5, 1e6, 1e7} }

// histogram counts observations in microseconds.
type histogram struct {
	counts [12]uint64
	count  uint64
	sum    uint64 // µs
}

// observe counts a value, by bounds in microseconds.
func (h *histogram) observe(v uint64, bounds []uint64) {
	i := 0
	for i < len(bounds) && v > bounds[i] {
		i++
	}
	h.counts[i]++
	h.count++
	h.sum += v
}

// export returns the distribution with its sum in units of so many microseconds.
func (h *histogram) export(bounds int, unit float64) Histogram {
	return Histogram{Counts: slices.Clone(h.counts[:bounds+1]), Count: h.count, Sum: float64(h.sum) / unit}
}

// Bounds in microseconds.
func latencyMicros() []uint64 {
	return []uint64{1000, 2000, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000}
}

func firstByteMicros() []uint64 {
	return []uint64{1000, 2000, 5000, 10_000, 100_000, 1_000_000, 10_000_000}
}

type requestKey struct{ method, code string }

// series is what is counted with a label set.
type series struct {
	labels         Labels
	opened, closed uint64
	sent, received uint64
	requests       map[requestKey]uint64
	latency        *histogram // nil until something is observed
	incoming       *histogram
	outgoing       *histogram
}

// seriesOf returns the series of a label set. When there are too many, what
// is new is counted without the client's name, then without anybody's.
func (n *Network) seriesOf(l Labels) *series {
	if s := n.series[l]; s != nil {
		return s
	}
	const other = "other"
	if len(n.series) >= n.limits.Series {
		n.stats.Folded++
		l.SourceProcessName, l.SourceComponentID, l.SourceComponentName = other, other, other
		if s := n.series[l]; s != nil {
			return s
		}
		if len(n.series) >= n.limits.Series+n.limits.Series/4 {
			l = Labels{other, other, other, other, other, other, other, other, other, other, other, l.Protocol}
			if s := n.series[l]; s != nil {
				return s
			}
		}
	}
	s := &series{labels: l}
	n.series[l] = s
	return s
}

// observe counts a latency; the histogram is made when it is needed.
func observe(h **histogram, v uint64, bounds []uint64) {
	if *h == nil {
		*h = &histogram{}
	}
	(*h).observe(v, bounds)
}

// Traffic returns all series, in the order of their labels.
func (n *Network) Traffic() []Traffic {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]Traffic, 0, len(n.series))
	for _, s := range n.series {
		t := Traffic{Labels: s.labels, Opened: s.opened, Closed: s.closed, Sent: s.sent, Received: s.received}
		for k, count := range s.requests {
			t.Requests = append(t.Requests, RequestCount{k.method, k.code, count})
		}
		slices.SortFunc(t.Requests, func(a, b RequestCount) int {
			return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Code, b.Code))
		})
		if s.latency != nil {
			t.Latency = s.latency.export(len(LatencyBounds()), 1e6)
		}
		if s.incoming != nil {
			t.Incoming = s.incoming.export(len(FirstByteBounds()), 1)
		}
		if s.outgoing != nil {
			t.Outgoing = s.outgoing.export(len(FirstByteBounds()), 1)
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Traffic) int { return a.Labels.Compare(b.Labels) })
	return out
}

// methodOf is how a method is counted.
func methodOf(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE":
		return method
	}
	return record.Unknown
}

// codeOf is how the code of a response is counted.
func codeOf(status string) string {
	if len(status) == 3 && status[0] >= '1' && status[0] <= '5' {
		return status[:1] + "xx"
	}
	return record.Unknown
}
