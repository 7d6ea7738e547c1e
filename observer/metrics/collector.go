package metrics

import (
	"maps"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/record"
)

// scrapes is how many may be answered at a time.
const scrapes = 4

// Handler serves the metrics of a network, in the text format of Prometheus or
// in OpenMetrics.
func Handler(n *network.Network, h *history.Ring, version string) (http.Handler, error) {
	reg := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		New(n, h, version), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		Registry: reg, EnableOpenMetrics: true, MaxRequestsInFlight: scrapes, Timeout: 20 * time.Second,
		ErrorHandling: promhttp.ContinueOnError, // what is wrong is counted, the rest is worth having
	}), nil
}

// Collector reads a network.
type Collector struct {
	network *network.Network
	history *history.Ring
	version string
	descs   [count]*prometheus.Desc
}

// New returns a Collector; there may be no history.
func New(n *network.Network, h *history.Ring, version string) *Collector {
	c := &Collector{network: n, history: h, version: version}
	for i, m := range table() {
		c.descs[i] = prometheus.NewDesc(m.name, m.help, m.labels, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	s := &scrape{c, table(), to}
	s.traffic()
	s.sites()
	s.links()
	s.certificates()
	s.services()
	s.observer()
}

// scrape is one answer.
type scrape struct {
	*Collector

	table [count]metric
	to    chan<- prometheus.Metric
}

// put writes a value.
func (s *scrape) put(m id, value float64, labels ...string) {
	metric, err := prometheus.NewConstMetric(s.descs[m], s.table[m].typ, value, labels...)
	if err != nil {
		metric = prometheus.NewInvalidMetric(s.descs[m], err)
	}
	s.to <- metric
}

// observe writes a distribution.
func (s *scrape) observe(m id, h network.Histogram, bounds []float64, labels ...string) {
	if h.Count == 0 {
		return
	}
	buckets, below := make(map[float64]uint64, len(bounds)), uint64(0)
	for i, b := range bounds {
		below += h.Counts[i]
		buckets[b] = below
	}
	metric, err := prometheus.NewConstHistogram(s.descs[m], h.Count, h.Sum, buckets, labels...)
	if err != nil {
		metric = prometheus.NewInvalidMetric(s.descs[m], err)
	}
	s.to <- metric
}

// values are labels in the order of traffic.
func values(l network.Labels, more ...string) []string {
	return append([]string{
		l.SourceSiteID, l.DestSiteID, l.SourceSiteName, l.DestSiteName, l.SourceComponentID, l.DestComponentID,
		l.SourceComponentName, l.DestComponentName, l.RoutingKey, l.Protocol, l.SourceProcessName, l.DestProcessName,
	}, more...)
}

func (s *scrape) traffic() {
	for _, t := range s.network.Traffic() {
		l := values(t.Labels)
		if t.Opened+t.Closed+t.Sent+t.Received > 0 {
			s.put(connectionsOpened, float64(t.Opened), l...)
			s.put(connectionsClosed, float64(t.Closed), l...)
			s.put(sentBytes, float64(t.Sent), l...)
			s.put(receivedBytes, float64(t.Received), l...)
		}
		for _, r := range t.Requests {
			s.put(requests, float64(r.Count), values(t.Labels, r.Method, r.Code)...)
		}
		s.observe(internalLatency, t.Latency, network.LatencyBounds(), l...)
		s.observe(legacyLatency, t.Incoming, network.FirstByteBounds(), values(t.Labels, "incoming")...)
		s.observe(legacyLatency, t.Outgoing, network.FirstByteBounds(), values(t.Labels.Reverse(), "outgoing")...)
	}
}

// known reports whether none of the texts is missing.
func known(texts ...string) bool {
	for _, t := range texts {
		if t == "" || t == record.Unknown {
			return false
		}
	}
	return true
}

// tally counts by labels.
type tally[K comparable] map[K]int

func (s *scrape) sites() {
	type two [2]string
	type three [3]string
	sites, routers := map[three]bool{}, tally[two]{}
	for _, r := range s.network.Sites() {
		if key := (three{r.Identity, r.Name, r.Version}); known(key[:]...) && r.EndTime == 0 && !sites[key] {
			sites[key] = true
			s.put(siteInfo, 1, key[:]...)
		}
	}
	for _, r := range s.network.Routers() {
		if known(r.SiteID, r.Mode) && r.EndTime == 0 {
			routers[two{r.SiteID, r.Mode}]++
		}
	}
	for k, n := range routers {
		s.put(routersTotal, float64(n), k[:]...)
	}
	listeners, connectors := tally[string]{}, tally[string]{}
	for _, l := range s.network.Listeners() {
		if known(l.SiteID) && l.EndTime == 0 {
			listeners[l.SiteID]++
		}
	}
	for _, c := range s.network.Connectors() {
		if known(c.SiteID) && c.EndTime == 0 {
			connectors[c.SiteID]++
		}
	}
	for k, n := range listeners {
		s.put(siteListeners, float64(n), k)
	}
	for k, n := range connectors {
		s.put(siteConnectors, float64(n), k)
	}
}

func (s *scrape) links() {
	type three [3]string
	type seven [7]string
	counted, shown := tally[three]{}, map[seven]bool{}
	for _, l := range s.network.RouterLinks() {
		if l.EndTime != 0 {
			continue
		}
		counted[three{l.SourceSiteID, l.Role, l.Status}]++
		key := seven{l.SourceSiteID, l.SourceSiteName, l.RouterName, l.Name, l.Role, or(l.DestinationSiteID), or(l.DestinationSiteName)}
		if shown[key] {
			continue // of the same name at the same router: one of them is about to go
		}
		shown[key] = true
		up := 0.0
		if l.Status == "up" {
			up = 1
		}
		s.put(linkUp, up, key[:]...)
		if l.Cost != nil {
			s.put(linkCost, float64(*l.Cost), key[:]...)
		}
		s.put(linkFlaps, float64(l.DownCount), key[:]...)
		s.put(linkSent, float64(l.OctetCount), key[:]...)
		s.put(linkReceived, float64(l.OctetReverseCount), key[:]...)
		if l.Since > 0 {
			s.put(linkChanged, float64(l.Since)/1e6, key[:]...)
		}
		if l.RoundTrip > 0 {
			s.put(linkRoundTrip, float64(l.RoundTrip)/1e6, key[:]...)
		}
	}
	for k := range maps.Clone(counted) {
		counted[three{k[0], k[1], "up"}] += 0
		counted[three{k[0], k[1], "down"}] += 0
	}
	for k, n := range counted {
		s.put(siteLinks, float64(n), k[:]...)
	}
	for _, e := range s.network.LinkErrors() {
		s.put(siteLinkErrors, float64(e.Count), e.SiteID, e.Role)
	}
}

// certificates are those of links between routers. Where two records have the
// same names, because one of them is about to go, the certificate that ends first
// counts.
func (s *scrape) certificates() {
	type five [5]string
	ends := map[five]uint64{}
	note := func(at uint64, key five) {
		if was, ok := ends[key]; at > 0 && (!ok || at < was) {
			ends[key] = at
		}
	}
	for _, l := range s.network.RouterLinks() {
		if l.EndTime == 0 {
			note(l.CertificateExpiry, five{l.SourceSiteID, l.SourceSiteName, l.RouterName, "link", l.Name})
		}
	}
	for _, a := range s.network.RouterAccesses() {
		if a.EndTime == 0 {
			note(a.CertificateExpiry, five{a.SiteID, a.SiteName, a.RouterName, "access", a.Name})
		}
	}
	for k, at := range ends {
		s.put(certificateExpiry, float64(at)/1e6, k[:]...)
	}
}

func or(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (s *scrape) services() {
	for _, v := range s.network.Services() {
		s.put(serviceListeners, float64(v.ListenerCount), v.Name, v.Protocol)
		s.put(serviceConnectors, float64(v.ConnectorCount), v.Name, v.Protocol)
	}
}

func (s *scrape) observer() {
	states := tally[string]{record.SourceNew: 0, record.SourceLive: 0, record.SourceSilent: 0, record.SourceGone: 0}
	for _, r := range s.network.Sources() {
		states[r.State]++
		if r.LastHeard > 0 {
			s.put(sourceHeard, float64(r.LastHeard)/1e6, r.Identity, r.Type, r.Name, r.SiteID)
		}
		s.put(sourceLost, float64(r.Lost), r.Identity, r.Type, r.Name, r.SiteID)
	}
	for state, n := range states {
		s.put(sources, float64(n), state)
	}
	stats := s.network.Stats()
	for reason, n := range stats.Pending {
		s.put(pendingFlows, float64(n), "transport", reason, "")
	}
	s.put(pendingFlows, float64(stats.Orphans), "app", "transport", "")
	for m, v := range map[id]float64{
		records: float64(stats.Records), refused: float64(stats.Refused), evicted: float64(stats.Evicted), folded: float64(stats.Folded),
		connectionsKept: float64(stats.Connections), requestsKept: float64(stats.Requests), series: float64(stats.Series),
	} {
		s.put(m, v)
	}
	if s.history != nil {
		h := s.history.Stats()
		s.put(historySeries, float64(h.Series))
		s.put(historyLeftOut, float64(h.LeftOut))
		s.put(historyBytes, float64(h.Bytes))
	}
	s.put(buildInfo, 1, s.version, runtime.Version())
}
