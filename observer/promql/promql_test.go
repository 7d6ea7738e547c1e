package promql

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
)

var start = time.UnixMilli(1_800_000_000_000)

// last is the moment of the last observation in ring.
var last = start.Add(2 * time.Minute)

// ring is two minutes of a network of two sites, observed every 10 s: 100 bytes
// a second from west to east, 10 from east to west, two requests a second, and
// connections of which one is open.
func ring() *history.Ring {
	r := history.New()
	west := network.Labels{
		SourceSiteID: "w", SourceSiteName: "west", DestSiteID: "e", DestSiteName: "east", RoutingKey: "web", Protocol: "tcp",
		SourceProcessName: "client", DestProcessName: "server", SourceComponentName: "clients", DestComponentName: "servers",
	}
	east := west.Reverse()
	east.RoutingKey = "db"
	http := west
	http.Protocol = "http1"
	r.Observe(start, nil)
	for i := uint64(1); i <= 12; i++ {
		r.Observe(start.Add(time.Duration(i)*10*time.Second), []network.Traffic{
			{
				Labels: west, Sent: 1000 * i, Received: 2000 * i, Opened: 3 * i, Closed: 3*i - 1,
				Incoming: network.Histogram{Counts: []uint64{5 * i, 4 * i, i, 0, 0, 0, 0, 0}},
				Outgoing: network.Histogram{Counts: []uint64{0, 0, 0, 0, 0, 0, 0, i}},
			},
			{Labels: east, Sent: 100 * i},
			{Labels: http, Requests: []network.RequestCount{
				{Method: "GET", Code: "2xx", Count: 12 * i}, {Method: "POST", Code: "2xx", Count: 6 * i}, {Method: "GET", Code: "5xx", Count: 2 * i}, {Method: "GET", Code: "unknown", Count: i},
			}},
		})
	}
	return r
}

// answer prints the result of a query at a moment, one series a line.
func answer(t *testing.T, query string, at time.Time) string {
	t.Helper()
	e, err := Parse(query)
	if err != nil {
		return "error: " + err.Error()
	}
	d, err := e.Instant(ring(), at)
	if err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for _, s := range d.Result {
		metric, err := json.Marshal(s.Metric)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %.4g", metric, s.Value.Value))
	}
	return strings.Join(out, "\n")
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, query, want string }{
		{"bytes by sites", `sum by(source_site_id,dest_site_id)(skupper_sent_bytes_total)`, `{"dest_site_id":"w","source_site_id":"e"} 1200` + "\n" + `{"dest_site_id":"e","source_site_id":"w"} 1.2e+04`},
		{"by the other side of sum", `sum(skupper_received_bytes_total{})by(source_site_id)`, `{"source_site_id":"e"} 0` + "\n" + `{"source_site_id":"w"} 2.4e+04`},
		{"byte rates", `sum by(source_process_name, dest_process_name)(rate(skupper_sent_bytes_total{source_site_id=~"w|x"}[30s]))`, `{"dest_process_name":"server","source_process_name":"client"} 100`},
		{"a label that is empty", `sum by(source_component_id)(rate(skupper_sent_bytes_total[30s]))`, `{} 110`},
		{"byte rate", `sum(rate(skupper_received_bytes_total{routing_key=~"web"}[60s]))`, `{} 200`},
		{"median latency", `histogram_quantile(0.5,sum(increase(legacy_flow_latency_microseconds_bucket{direction=~"incoming"}[60s]))by(le))`, `{} 1000`},
		{"latency within a bucket", `histogram_quantile(.9, sum by(le)(increase(legacy_flow_latency_microseconds_bucket{direction="incoming"}[1m])))`, `{} 2000`},
		{"latency above all bounds", `histogram_quantile(0.99,sum(increase(legacy_flow_latency_microseconds_bucket{direction=~"outgoing",source_site_id="e"}[60s]))by(le))`, `{} 1e+07`},
		{"latency of nothing", `histogram_quantile(0.99,sum(increase(legacy_flow_latency_microseconds_bucket{routing_key="db"}[60s]))by(le))`, `{} NaN`},
		{"open connections", `sum(skupper_connections_opened_total{routing_key=~"web",protocol=~"tcp"}-skupper_connections_closed_total{routing_key=~"web",protocol=~"tcp"})`, `{} 1`},
		{"open connections of all", `sum(skupper_connections_opened_total - skupper_connections_closed_total)`, `{} 1`},
		{"requests by method", `sum by(method)(rate(skupper_requests_total{protocol=~"http1|http2"}[60s]))`, `{"method":"GET"} 1.5` + "\n" + `{"method":"POST"} 0.6`},
		{"requests by service", `sum by(protocol)(rate(skupper_requests_total[60s]))`, `{"protocol":"http1"} 2.1`},
		{"responses by class", `sum by(partial_code)(label_replace(increase(skupper_requests_total{code=~"2.*|5.*"}[60s]),"partial_code", "$1", "code","(.*).{2}"))`, `{"partial_code":"2"} 108` + "\n" + `{"partial_code":"5"} 12`},
		{"a class that is not known", `sum by(partial_code)(label_replace(increase(skupper_requests_total{code!~".xx"}[60s]),"partial_code", "$1", "code","(.*).{2}"))`, `{"partial_code":"unkno"} 6`},
		{"error rate", `sum by(partial_code)(label_replace(rate((skupper_requests_total{code=~"4.*|5.*"}[5m])),"partial_code", "$1", "code","(.*).{2}"))`, `{"partial_code":"5"} 0.2`},
		{"a time between two looks at a clock", `sum by(partial_code)(label_replace(increase(skupper_requests_total{code=~"2.*|3.*|4.*|5.*"}[60.00099992752075s]),"partial_code", "$1", "code","(.*).{2}"))`, `{"partial_code":"2"} 108` + "\n" + `{"partial_code":"5"} 12`},
		{"all that is kept", `sum by(method)(rate(skupper_requests_total[172800.00300002098s]))`, `{"method":"GET"} 1.5` + "\n" + `{"method":"POST"} 0.6`},
		{"nothing of that", `sum(rate(skupper_sent_bytes_total{routing_key=~"nope"}[60s]))`, ``},
		{"not that", `sum(rate(skupper_sent_bytes_total{routing_key!="web"}[60s]))`, `{} 10`},
		{"not those", `sum(rate(skupper_sent_bytes_total{routing_key!~"web|x"}[60s]))`, `{} 10`},
		{"patterns are anchored", `sum(rate(skupper_sent_bytes_total{routing_key=~"we"}[60s]))`, ``},
		{"patterns", `sum(rate(skupper_sent_bytes_total{routing_key=~"w.*"}[60s]))`, `{} 100`},
		{"a comma at the end", `sum(rate(skupper_sent_bytes_total{routing_key="web",}[60s]))`, `{} 100`},
		{"line ends, other quotes", "sum (\n rate ( skupper_sent_bytes_total { routing_key = 'web' , protocol=~`t\\w+` } [ 60s ] )\n)", `{} 100`},
		{"escapes", `sum(rate(skupper_sent_bytes_total{routing_key=~"\x77\145b"}[60s]))`, `{} 100`},
	} {
		if d := cmp.Diff(row.want, answer(t, row.query, last)); d != "" {
			t.Errorf("%s: %s (-want +got):\n%s", row.name, row.query, d)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		``, `up`, `1`, `sum`, `sum(`, `sum()`, `sum(skupper_sent_bytes_total)`, `skupper_sent_bytes_total`, `rate(skupper_sent_bytes_total[1m])`,
		`sum by(le)(skupper_sent_bytes_total)`, `sum by()(skupper_sent_bytes_total)`, `avg by(protocol)(skupper_sent_bytes_total)`,
		`sum without(protocol)(skupper_sent_bytes_total)`, `sum(increase(skupper_sent_bytes_total[1m]))`, `sum(rate(skupper_sent_bytes_total))`,
		`sum(rate(skupper_sent_bytes_total[]))`, `sum(rate(skupper_sent_bytes_total[1]))`, `sum(rate(skupper_sent_bytes_total[0s]))`, `sum(rate(skupper_sent_bytes_total[1y]))`,
		`sum(rate(skupper_sent_bytes_total[9999999999999h]))`, `sum(rate(skupper_sent_bytes_total[49h]))`, `sum(rate(skupper_sent_bytes_total[1m])) > 0`, `sum(rate(skupper_sent_bytes_total[1m] offset 5m))`,
		`sum(rate(skupper_sent_bytes_total{a="b"[1m]))`, `sum(rate(skupper_sent_bytes_total{a=b}[1m]))`, `sum(rate(skupper_sent_bytes_total{a=~"("}[1m]))`, `sum(rate(skupper_sent_bytes_total{a="b}[1m]))`,
		`sum(rate(skupper_sent_bytes_total{a="\q"}[1m]))`, `sum(rate(skupper_sent_bytes_total{a!"b"}[1m]))`, `sum(rate(skupper_sent_bytes_total{a=~"a{999}{999}"}[1m]))`,
		`sum(rate(skupper_connections_opened_total[1m]))`, `sum(skupper_sent_bytes_total-skupper_received_bytes_total)`, `sum(skupper_connections_closed_total-skupper_connections_opened_total)`,
		`sum(skupper_connections_opened_total{a="b"}-skupper_connections_closed_total{a="c"})`, `sum by(method)(skupper_connections_opened_total-skupper_connections_closed_total)`,
		`histogram_quantile(0.5,sum(rate(legacy_flow_latency_microseconds_bucket[1m]))by(le))`, `histogram_quantile(0,sum(increase(legacy_flow_latency_microseconds_bucket[1m]))by(le))`,
		`histogram_quantile(2,sum(increase(legacy_flow_latency_microseconds_bucket[1m]))by(le))`, `histogram_quantile(0.5,sum(increase(legacy_flow_latency_microseconds_bucket[1m])))`,
		`histogram_quantile(x,sum(increase(legacy_flow_latency_microseconds_bucket[1m]))by(le))`, `histogram_quantile(0.5,sum by(protocol)(rate(skupper_sent_bytes_total[1m])))`,
		`sum(increase(legacy_flow_latency_microseconds_bucket[1m]))by(le)`, `sum by(method)(increase(skupper_requests_total[1m]))`, `sum by(code)(rate(skupper_requests_total[1m]))`,
		`sum by(partial_code)(rate(skupper_requests_total[1m]))`, `sum by(partial_code)(label_replace(rate(skupper_requests_total[1m]),"a","$1","code","(.*).{2}"))`,
		`sum by(protocol)(label_replace(rate(skupper_sent_bytes_total[1m]),"partial_code","$1","code","(.*).{2}"))`, `sum(rate(http_requests_method_total[1m]))`, "sum(\xff)", `sum(é)`,
		strings.Repeat("(", maxQuery+1), strings.Repeat("sum(", 1000),
	} {
		_, err := Parse(query)
		var e *Error
		if !errors.As(err, &e) || len(e.Reason) > 400 {
			t.Errorf("%.80q: %v", query, err)
		}
	}
}

func TestOverTime(t *testing.T) {
	t.Parallel()
	r := ring()
	rates := func(from, to time.Time, step time.Duration, query string) string {
		e, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		d, err := e.Range(r, from, to, step)
		if err != nil {
			return "error: " + err.Error()
		}
		if d.ResultType != "matrix" {
			t.Errorf("result type %s", d.ResultType)
		}
		var out []string
		for _, s := range d.Result {
			for _, p := range s.Values {
				out = append(out, fmt.Sprintf("%d:%g", (p.At-start.UnixMilli())/1000, math.Round(p.Value*100)/100))
			}
		}
		return strings.Join(out, " ")
	}
	const sent = `sum(rate(skupper_sent_bytes_total{routing_key="web"}[60s]))`
	const open = `sum(skupper_connections_opened_total-skupper_connections_closed_total)`
	for _, row := range []struct{ name, got, want string }{
		{"before anything was observed there is nothing", rates(start.Add(-time.Minute), start.Add(time.Minute), 30*time.Second, sent), "30:100 60:100"},
		{"just after the last observation it still holds", rates(last, last.Add(time.Minute), 15*time.Second, sent), "120:100 135:100 150:100"},
		{"a counter at each moment", rates(start, start.Add(time.Minute), 20*time.Second, open), "0:0 20:1 40:1 60:1"},
		{"one moment", rates(last, last, time.Second, sent), "120:100"},
		{"nothing at all", rates(last.Add(time.Hour), last.Add(2*time.Hour), time.Minute, sent), ""},
		{"end before start", rates(last, start, time.Second, sent), "error: the end is before the start"},
		{"no step", rates(start, last, 0, sent), "error: the step has to be at least 1ms"},
		{"too many points", rates(start, last.Add(24*time.Hour), time.Second, sent), "error: more than 11000 points in a series: take a larger step"},
	} {
		if row.got != row.want {
			t.Errorf("%s: %s, want %s", row.name, row.got, row.want)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	e, err := Parse(`sum by(source_site_id)(skupper_sent_bytes_total{source_site_id="w"})`)
	if err != nil {
		t.Fatal(err)
	}
	empty, err := Parse(`sum by(source_site_id)(skupper_sent_bytes_total{source_site_id="nope"})`)
	if err != nil {
		t.Fatal(err)
	}
	at := last.Add(281 * time.Millisecond)
	instant, err := e.Instant(ring(), at)
	if err != nil {
		t.Fatal(err)
	}
	over, err := e.Range(ring(), start, last, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	nothing, err := empty.Range(ring(), start, last, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		data *Data
		want string
	}{
		{instant, `{"resultType":"vector","result":[{"metric":{"source_site_id":"w"},"value":[1800000120.281,"12000"]}]}`},
		{over, `{"resultType":"matrix","result":[{"metric":{"source_site_id":"w"},"values":[[1800000000,"0"],[1800000060,"6000"],[1800000120,"12000"]]}]}`},
		{nothing, `{"resultType":"matrix","result":[]}`},
		{&Data{"vector", []Series{{Metric: map[string]string{}, Value: &Point{0, math.NaN()}}}}, `{"resultType":"vector","result":[{"metric":{},"value":[0,"NaN"]}]}`},
		{&Data{"vector", []Series{{Metric: map[string]string{}, Value: &Point{0, math.Inf(1)}}}}, `{"resultType":"vector","result":[{"metric":{},"value":[0,"+Inf"]}]}`},
	} {
		got, err := json.Marshal(row.data)
		if err != nil || string(got) != row.want {
			t.Errorf("%s %v, want %s", got, err, row.want)
		}
	}
}

func TestMomentsAndSteps(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"1800000000": "1800000000000", "1800000000.5": "1800000000500", "1800000000.0004": "1800000000000", "2027-01-15T08:00:00Z": "1800000000000",
		"": "error", "x": "error", "1e300": "error", "NaN": "error", "-5": "-5000",
	} {
		got := "error"
		if at, err := ParseTime(s); err == nil {
			got = fmt.Sprint(at.UnixMilli())
		}
		if got != want {
			t.Errorf("moment %q: %s, want %s", s, got, want)
		}
	}
	for s, want := range map[string]string{
		"15": "15s", "0.5": "500ms", "15s": "15s", "1h30m": "1h30m0s", "2d": "48h0m0s", "1w": "168h0m0s", "250ms": "250ms", "60.001s": "1m0.001s", "1.5m": "1m30s",
		"": "error", "0": "error", "-1": "error", "1x": "error", ".s": "error", "1..5s": "error", "s": "error", "1e12": "error", "NaN": "error", "9999999w": "error", "1m2": "error",
	} {
		got := "error"
		if d, err := ParseStep(s); err == nil {
			got = d.String()
		}
		if got != want {
			t.Errorf("step %q: %s, want %s", s, got, want)
		}
	}
}

// FuzzQuery holds that any text is an error or an expression that can be
// evaluated.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		`sum by(source_site_id,dest_site_id)(skupper_sent_bytes_total{a=~"b|c"})`, `sum(rate(skupper_sent_bytes_total{routing_key=~"web"}[60s]))`,
		`histogram_quantile(0.5,sum(increase(legacy_flow_latency_microseconds_bucket{direction=~"incoming"}[60s]))by(le))`,
		`sum(skupper_connections_opened_total{a!="b"}-skupper_connections_closed_total{a!="b"})`, `sum by(method)(rate(skupper_requests_total[1h30m]))`,
		`sum by(partial_code)(label_replace(rate((skupper_requests_total{code=~"4.*"}[5m])),"partial_code", "$1", "code","(.*).{2}"))`, "sum(\"\\u00e9", `{[(`,
	} {
		f.Add(q)
	}
	r := ring()
	f.Fuzz(func(t *testing.T, q string) {
		e, err := Parse(q)
		if err != nil {
			if e != nil {
				t.Error("an expression and an error")
			}
			return
		}
		d, err := e.Instant(r, last)
		if err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		if _, err := json.Marshal(d); err != nil {
			t.Fatalf("%q: %v", q, err)
		}
	})
}
