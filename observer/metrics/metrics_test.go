package metrics

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/recorded"
	"github.com/skupper-host/skupper/router/vanflow"
)

// gathered are the metrics of a network by name.
func gathered(t *testing.T, n *network.Network) map[string]*dto.MetricFamily {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(New(n, history.New(), "1.2.3")); err != nil {
		t.Fatal(err)
	}
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range all {
		out[f.GetName()] = f
	}
	return out
}

// theirs are the metrics that upstream's observer was recorded to have.
func theirs(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "testdata", "captures", "observer-api", "metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	parser := expfmt.NewTextParser(model.LegacyValidation)
	all, err := parser.TextToMetricFamilies(f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// shape is what a dashboard depends on.
type shape struct {
	Type    string
	Labels  []string
	Buckets []float64
}

func shapeOf(f *dto.MetricFamily) shape {
	s := shape{Type: f.GetType().String()}
	labels := map[string]bool{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = true
		}
		s.Buckets = nil
		for _, b := range m.GetHistogram().GetBucket() {
			if bound := b.GetUpperBound(); bound < 1e300 { // the last is given or not
				s.Buckets = append(s.Buckets, bound)
			}
		}
	}
	s.Labels = slices.Sorted(maps.Keys(labels))
	return s
}

// TestUpstreamsMetrics compares names, types, labels and buckets with those
// that upstream's observer was recorded to have. Internal ones are free.
func TestUpstreamsMetrics(t *testing.T) {
	t.Parallel()
	ours := gathered(t, recorded.Network(t))
	marked := map[string]bool{}
	for _, m := range table() {
		marked[m.name] = m.theirs
	}
	for name, want := range theirs(t) {
		if strings.HasPrefix(name, "promhttp_") || strings.HasPrefix(name, "skupper_internal_") && name != "skupper_internal_latency_seconds" {
			continue
		}
		got := ours[name]
		if got == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if d := cmp.Diff(shapeOf(want), shapeOf(got)); d != "" {
			t.Errorf("%s (-upstream +ours):\n%s", name, d)
		}
		if !marked[name] {
			t.Errorf("%s is not marked as upstream's", name)
		}
	}
	for name, m := range marked {
		if m && theirs(t)[name] == nil {
			t.Errorf("%s is marked as upstream's, which does not have it", name)
		}
	}
}

func TestEveryMetricIsThere(t *testing.T) {
	t.Parallel()
	n := recorded.Network(t)
	link := vanflow.Record{Type: vanflow.TypeLink, Identity: "ours1:1"} // of a router that says more than the recorded ones
	for _, a := range []vanflow.Attribute{
		vanflow.Text(vanflow.AttrParent, "ours1:0"), vanflow.Text(vanflow.AttrOperStatus, "up"),
		vanflow.Number(vanflow.AttrLatency, 1500), vanflow.Number(vanflow.AttrDuration, 7_000_000),
	} {
		link.Set(a)
	}
	router := vanflow.Record{Type: vanflow.TypeRouter, Identity: "ours1:0"}
	router.Set(vanflow.Text(vanflow.AttrParent, n.Sites()[0].Identity))
	n.SourceSeen(recorded.Then(), "ours1:0", vanflow.SourceRouter)
	n.Apply(recorded.Then(), "ours1:0", []vanflow.Record{router, link})
	n.Tick(recorded.Then())
	ours := gathered(t, n)
	for _, m := range table() {
		f := ours[m.name]
		if f == nil {
			t.Errorf("%s: nothing of it in a network with everything", m.name)
			continue
		}
		want := slices.Clone(m.labels)
		slices.Sort(want)
		if got := shapeOf(f).Labels; !slices.Equal(got, want) {
			t.Errorf("%s: labels %v, want %v", m.name, got, want)
		}
	}
}

// TestLint accepts what is wrong with upstream's names only.
func TestLint(t *testing.T) {
	t.Parallel()
	problems, err := testutil.CollectAndLint(New(recorded.Network(t), history.New(), "1.2.3"))
	if err != nil {
		t.Fatal(err)
	}
	free := map[string]bool{}
	for _, m := range table() {
		free[m.name] = m.theirs
	}
	for _, p := range problems {
		if !free[p.Metric] {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	n := network.New(network.Limits{})
	now := recorded.Then()
	rec := func(kind vanflow.Type, id string, attributes ...vanflow.Attribute) vanflow.Record {
		r := vanflow.Record{Type: kind, Identity: id}
		for _, a := range attributes {
			r.Set(a)
		}
		return r
	}
	text, number := vanflow.Text, vanflow.Number
	n.SourceSeen(now, "aaaaa:0", vanflow.SourceRouter)
	n.Apply(now, "aaaaa:0", []vanflow.Record{
		rec(vanflow.TypeSite, "west", text(vanflow.AttrName, "west"), text(vanflow.AttrBuildVersion, "2.2")),
		rec(vanflow.TypeSite, "nameless", text(vanflow.AttrBuildVersion, "2.2")),
		rec(vanflow.TypeRouter, "aaaaa:0", text(vanflow.AttrParent, "west"), text(vanflow.AttrName, "0/w"), text(vanflow.AttrMode, "interior")),
		rec(vanflow.TypeLink, "aaaaa:1", text(vanflow.AttrParent, "aaaaa:0"), text(vanflow.AttrName, "to-east"), text(vanflow.AttrRole, "inter-router"),
			text(vanflow.AttrOperStatus, "up"), number(vanflow.AttrDownCount, 4), number(vanflow.AttrOctets, 10), number(vanflow.AttrOctetsReverse, 20), number(vanflow.AttrUpTimeStamp, 5_500_000),
			number(vanflow.AttrLatency, 1500), number(vanflow.AttrDuration, 7_000_000)),
		rec(vanflow.TypeRouterAccess, "aaaaa:5", text(vanflow.AttrParent, "aaaaa:0"), text(vanflow.AttrName, "links"), text(vanflow.AttrRole, "inter-router"),
			number(vanflow.AttrDuration, 8_000_000)),
		rec(vanflow.TypeRouterAccess, "aaaaa:6", text(vanflow.AttrParent, "aaaaa:0"), text(vanflow.AttrName, "plain"), text(vanflow.AttrRole, "edge")),
		rec(vanflow.TypeLink, "aaaaa:2", text(vanflow.AttrParent, "aaaaa:0"), text(vanflow.AttrName, "to-north"), text(vanflow.AttrRole, "edge"), text(vanflow.AttrOperStatus, "down"), number(vanflow.AttrLatency, 9)),
		rec(vanflow.TypeListener, "aaaaa:3", text(vanflow.AttrParent, "aaaaa:0"), text(vanflow.AttrVanAddress, "db"), text(vanflow.AttrProtocol, "tcp")),
		rec(vanflow.TypeListener, "aaaaa:4", text(vanflow.AttrParent, "aaaaa:0"), text(vanflow.AttrVanAddress, "db"), text(vanflow.AttrProtocol, "tcp")),
	})
	n.Tick(now)
	n.Apply(now, "aaaaa:0", []vanflow.Record{rec(vanflow.TypeLink, "aaaaa:1", number(vanflow.AttrDownCount, 6))})
	n.Tick(now)
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(New(n, nil, "1.2.3")); err != nil {
		t.Fatal(err)
	}
	names := []string{
		"skupper_site_info", "skupper_routers_total", "skupper_site_links_total", "skupper_site_link_errors_total", "skupper_site_listeners_total",
		"skupper_site_connectors_total", "skupper_site_link_up", "skupper_site_link_flaps_total", "skupper_site_link_sent_bytes_total",
		"skupper_site_link_received_bytes_total", "skupper_site_link_changed_timestamp_seconds", "skupper_site_link_round_trip_seconds", "skupper_certificate_expiry_timestamp_seconds", "skupper_service_listeners", "skupper_service_connectors",
	}
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range all {
		if !slices.Contains(names, f.GetName()) {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			got = append(got, fmt.Sprintf("%s{%s} %v", f.GetName(), strings.Join(labels, ","), m.GetGauge().GetValue()+m.GetCounter().GetValue()))
		}
	}
	const toEast, toNorth = "{link=to-east,peer_site_id=,peer_site_name=,role=inter-router,router=0/w,site_id=west,site_name=west} ", "{link=to-north,peer_site_id=,peer_site_name=,role=edge,router=0/w,site_id=west,site_name=west} "
	want := []string{
		"skupper_certificate_expiry_timestamp_seconds{kind=access,name=links,router=0/w,site_id=west,site_name=west} 8",
		"skupper_certificate_expiry_timestamp_seconds{kind=link,name=to-east,router=0/w,site_id=west,site_name=west} 7",
		"skupper_routers_total{mode=interior,site_id=west} 1",
		"skupper_service_connectors{protocol=tcp,routing_key=db} 0",
		"skupper_service_listeners{protocol=tcp,routing_key=db} 2",
		"skupper_site_info{name=west,site_id=west,version=2.2} 1",
		"skupper_site_link_changed_timestamp_seconds" + toEast + "5.5",
		"skupper_site_link_errors_total{role=edge,site_id=west} 0",
		"skupper_site_link_errors_total{role=inter-router,site_id=west} 2",
		"skupper_site_link_flaps_total" + toEast + "6",
		"skupper_site_link_flaps_total" + toNorth + "0",
		"skupper_site_link_received_bytes_total" + toEast + "20",
		"skupper_site_link_received_bytes_total" + toNorth + "0",
		"skupper_site_link_round_trip_seconds" + toEast + "0.0015",
		"skupper_site_link_sent_bytes_total" + toEast + "10",
		"skupper_site_link_sent_bytes_total" + toNorth + "0",
		"skupper_site_link_up" + toEast + "1",
		"skupper_site_link_up" + toNorth + "0",
		"skupper_site_links_total{role=edge,site_id=west,status=down} 1",
		"skupper_site_links_total{role=edge,site_id=west,status=up} 0",
		"skupper_site_links_total{role=inter-router,site_id=west,status=down} 0",
		"skupper_site_links_total{role=inter-router,site_id=west,status=up} 1",
		"skupper_site_listeners_total{site_id=west} 2",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("metrics (-want +got):\n%s", d)
	}
}

// TestTrafficAsCounted compares what is shown with what the network counted.
func TestTrafficAsCounted(t *testing.T) {
	t.Parallel()
	n := recorded.Network(t)
	ours := gathered(t, n)
	sum := func(name string, value func(*dto.Metric) float64) (total float64) {
		for _, m := range ours[name].GetMetric() {
			total += value(m)
		}
		return total
	}
	counter := func(m *dto.Metric) float64 { return m.GetCounter().GetValue() }
	observed := func(m *dto.Metric) float64 { return float64(m.GetHistogram().GetSampleCount()) }
	var opened, closed, sent, received, asked, latency, firstByte uint64
	for _, l := range n.Traffic() {
		opened, closed, sent, received = opened+l.Opened, closed+l.Closed, sent+l.Sent, received+l.Received
		latency, firstByte = latency+l.Latency.Count, firstByte+l.Incoming.Count+l.Outgoing.Count
		for _, r := range l.Requests {
			asked += r.Count
		}
	}
	for name, row := range map[string]struct{ got, want float64 }{
		"opened":     {sum("skupper_connections_opened_total", counter), float64(opened)},
		"closed":     {sum("skupper_connections_closed_total", counter), float64(closed)},
		"sent":       {sum("skupper_sent_bytes_total", counter), float64(sent)},
		"received":   {sum("skupper_received_bytes_total", counter), float64(received)},
		"requests":   {sum("skupper_requests_total", counter), float64(asked)},
		"latency":    {sum("skupper_internal_latency_seconds", observed), float64(latency)},
		"first byte": {sum("legacy_flow_latency_microseconds", observed), float64(firstByte)},
	} {
		if row.got != row.want || row.want == 0 {
			t.Errorf("%s: %v, want %v", name, row.got, row.want)
		}
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	h, err := Handler(recorded.Network(t), history.New(), "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	for accept, want := range map[string]string{"": "text/plain", "application/openmetrics-text;version=1.0.0": "application/openmetrics-text"} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)
		r.Header.Set("Accept", accept)
		h.ServeHTTP(w, r)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), want) {
			t.Errorf("accepting %q: %d %s", accept, w.Code, w.Header().Get("Content-Type"))
		}
		for _, name := range []string{"skupper_site_info{", "go_goroutines", "process_open_fds", "promhttp_metric_handler_errors"} {
			if !strings.Contains(w.Body.String(), name) {
				t.Errorf("accepting %q: no %s", accept, name)
			}
		}
	}
}
