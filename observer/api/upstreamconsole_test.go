package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/recorded"
)

// shape is what upstream's console (v2.0.0) takes the fields of a record to be:
// text, number, bool, list; with a ? it may be null.
type shape map[string]string

func with(s shape, more shape) shape {
	all := shape{}
	for _, part := range []shape{s, more} {
		for k, v := range part {
			all[k] = v
		}
	}
	return all
}

// shapes are those of the resources that it asks for.
func shapes() map[string]shape {
	base := shape{"identity": "text", "startTime": "number", "endTime": "number"}
	flow := with(base, shape{
		"sourceProcessId": "text", "sourceProcessName": "text", "sourceSiteId": "text", "sourceSiteName": "text", "destSiteId": "text", "destSiteName": "text",
		"destProcessId": "text", "destProcessName": "text", "routingKey": "text", "duration": "number?", "octetCount": "number", "octetReverseCount": "number",
		"traceRouters": "list", "traceSites": "list", "protocol": "text",
	})
	pair := with(base, shape{"sourceId": "text", "sourceName": "text", "destinationId": "text", "destinationName": "text", "protocol": "text"})
	end := with(base, shape{
		"name": "text", "routerId": "text", "serviceId": "text", "routingKey": "text", "destHost": "text", "destPort": "text", "siteId": "text", "siteName": "text",
	})
	return map[string]shape{
		"sites": with(base, shape{"name": "text", "namespace": "text", "version": "text", "platform": "text", "routerCount": "number"}),
		"routerlinks": with(base, shape{
			"cost": "number?", "routerAccessId": "text?", "destinationRouterId": "text?", "destinationRouterName": "text?", "destinationSiteId": "text?",
			"destinationSiteName": "text?", "name": "text", "octetCount": "number", "octetReverseCount": "number", "routerId": "text", "routerName": "text",
			"sourceSiteId": "text", "sourceSiteName": "text", "role": "text", "status": "text",
		}),
		"components": with(base, shape{"name": "text", "role": "text", "processCount": "number"}),
		"processes": with(base, shape{
			"name": "text", "siteId": "text", "siteName": "text", "componentId": "text", "componentName": "text", "sourceHost": "text", "binding": "text",
			"role": "text", "hostName": "text?", "imageName": "text?", "services": "list?",
		}),
		"services": with(base, shape{
			"name": "text", "protocol": "text", "observedApplicationProtocols": "list", "connectorCount": "number", "listenerCount": "number", "isBound": "bool", "hasListener": "bool",
		}),
		"listeners": end, "connectors": with(end, shape{"processId": "text", "target": "text"}),
		"sitepairs": pair, "componentpairs": pair,
		"processpairs": with(pair, shape{"sourceSiteId": "text", "sourceSiteName": "text", "destinationSiteId": "text", "destinationSiteName": "text"}),
		"connections": with(flow, shape{
			"latency": "number", "latencyReverse": "number", "proxyHost": "text", "proxyPort": "text", "destHost": "text", "destPort": "text", "sourceHost": "text",
			"sourcePort": "text", "connectorError": "text?", "connectorId": "text", "listenerId": "text", "listenerError": "text?",
		}),
		"applicationflows": with(flow, shape{"connectionId": "text", "method": "text", "status": "text"}),
	}
}

// kindOf names what JSON has.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case float64:
		return "number"
	case bool:
		return "bool"
	case []any:
		return "list"
	case nil:
		return "null"
	}
	return fmt.Sprintf("%T", v)
}

func (s shape) check(t *testing.T, target string, row map[string]any) {
	t.Helper()
	for name, want := range s {
		v, ok := row[name]
		have := kindOf(v)
		if kind, nullable := strings.CutSuffix(want, "?"); !ok || have != kind && !(nullable && have == "null") {
			t.Errorf("%s: %s of %v is %s, want %s", target, name, row["identity"], have, want)
		}
	}
}

// TestUpstreamsConsoleReads sends every request for records that upstream's
// console makes, and reads the answers as it does.
func TestUpstreamsConsoleReads(t *testing.T) {
	t.Parallel()
	n := recorded.Recent(t, time.Now())
	h := handler(n)
	const west, east, edge = "11111111-aaaa-4aaa-8aaa-111111111111", "22222222-bbbb-4bbb-8bbb-222222222222", "33333333-cccc-4ccc-8ccc-333333333333"
	named := func(kind, name string) (id string) {
		for _, s := range n.Services() {
			if kind == "services" && s.Name == name {
				id = s.Identity
			}
		}
		for _, c := range n.Components() {
			if kind == "components" && c.Name == name {
				id = c.Identity
			}
		}
		for _, p := range n.Processes() {
			if kind == "processes" && p.Name == name {
				id = p.Identity
			}
		}
		if id == "" {
			t.Fatalf("no %s of the name %s", kind, name)
		}
		return id
	}
	web, echo := named("services", "web"), named("services", "echo")
	client, server := named("processes", "site-client-127.0.0.1-11111111"), named("processes", "site-server-127.0.0.1-22222222")
	clients := named("components", "site-clients-11111111")
	const active, terminated = "limit=20&sortBy=endTime.desc&state=active", "limit=20&sortBy=endTime.desc&state=terminated"
	const workloads = "role=remote&role=external"
	known := shapes()
	for _, row := range []struct {
		target string
		total  int
		names  string // of the rows, in their order; "" for any
	}{
		{"sites", 3, ""},
		{"sites/" + west, 1, "west"},
		{"routerlinks", 2, ""},
		{"routerlinks?sourceSiteId=" + east, 1, "link-to-west"},
		{"routerlinks?destinationSiteId=" + west, 2, ""},
		{"services", 3, ""},
		{"services?limit=20&hasListener=true", 3, ""},
		{"services?limit=20&hasListener=true&name=e", 1, "echo"},
		{"services?limit=2&offset=2&hasListener=true&sortBy=name.asc", 3, "web"},
		{"services?limit=20&hasListener=true&sortBy=name.desc", 3, "web local echo"},
		{"services?limit=20&hasListener=true&sortBy=isBound.asc", 3, ""},
		{"services?limit=20&hasListener=true&sortBy=observedApplicationProtocols.desc", 3, ""},
		{"services?limit=20&hasListener=true&sortBy=startTime.desc", 3, ""},
		{"services/" + web, 1, "web"},
		{"services/" + echo + "/processpairs", 2, ""},
		{"listeners?serviceId=" + echo, 2, ""},
		{"listeners?limit=0&serviceId=" + echo, 2, ""},
		{"connectors?serviceId=" + echo, 1, ""},
		{"connectors?limit=0&serviceId=" + echo, 1, ""},
		{"components?" + workloads + "&endTime=0", 4, ""},
		{"components?limit=20&" + workloads + "&endTime=0&sortBy=processCount.desc", 4, ""},
		{"components/" + clients, 1, "site-clients-11111111"},
		{"processes?" + workloads + "&endTime=0", 4, ""},
		{"processes?limit=20&" + workloads + "&endTime=0&sortBy=name.asc&componentName=site-c", 2, "site-client-127.0.0.1-11111111 site-client-127.0.0.1-33333333"},
		{"processes?limit=20&" + workloads + "&endTime=0&sortBy=siteName.desc&siteName=ed", 1, "site-client-127.0.0.1-33333333"},
		{"processes?limit=20&" + workloads + "&endTime=0&sortBy=binding.asc", 4, ""},
		{"processes?" + workloads + "&siteId=" + west, 2, ""},
		{"processes?limit=0&" + workloads + "&siteId=" + east, 1, ""},
		{"processes?limit=0&services=" + echo, 1, ""},
		{"processes?endTime=0&componentId=" + clients, 1, "site-client-127.0.0.1-11111111"},
		{"processes/" + client, 1, "site-client-127.0.0.1-11111111"},
		{"sitepairs", 4, ""},
		{"sitepairs?sourceId=" + west, 3, ""},
		{"sitepairs?destinationId=" + east, 3, ""},
		{"componentpairs", 4, ""},
		{"componentpairs?sourceId=" + clients, 3, ""},
		{"componentpairs?destinationId=" + clients, 0, ""},
		{"processpairs", 4, ""},
		{"processpairs?sourceId=" + client, 3, ""},
		{"processpairs?limit=0&destinationId=" + server, 3, ""},
		{"connections?limit=0&state=active&routingKey=web", 1, ""},
		{"connections?limit=0&state=terminated&routingKey=web", 2, ""},
		{"connections?" + active + "&routingKey=web", 1, ""},
		{"connections?" + terminated + "&routingKey=web", 2, ""},
		{"connections?" + terminated + "&routingKey=echo&sourceSiteName=we&destSiteName=ea&sourceProcessName=site-c&destProcessName=site-s", 3, ""},
		{"connections?" + terminated + "&sourceProcessId=" + client + "&destProcessId=" + server, 5, ""},
		{"connections?limit=10&offset=0&state=terminated&routingKey=echo&sortBy=latencyReverse.asc", 4, ""},
		{"connections?limit=10&state=terminated&routingKey=echo&sortBy=octetReverseCount.desc", 4, ""},
		{"connections?limit=10&state=terminated&routingKey=echo&sortBy=sourcePort.asc", 4, ""},
		{"applicationflows?limit=0&routingKey=web", 4, ""},
		{"applicationflows?limit=20&sortBy=endTime.desc&routingKey=web", 4, ""},
		{"applicationflows?limit=20&sortBy=duration.desc&routingKey=web&protocol=http1&status=2&method=POST", 1, ""},
		{"applicationflows?limit=0&sourceProcessId=" + client + "&destProcessId=" + server, 4, ""},
		{"connections?limit=0&state=active&sourceProcessId=" + edge + "&destProcessId=" + server, 0, ""},
	} {
		w := get(h, Prefix+"/"+row.target)
		var answer struct {
			Results        json.RawMessage
			Count          *int
			TimeRangeCount *int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
			t.Errorf("%s: %d %s, %v", row.target, w.Code, w.Body, err)
			continue
		}
		path, query, _ := strings.Cut(row.target, "?")
		parts := strings.Split(path, "/")
		kind := parts[len(parts)-1]
		if len(parts) == 2 {
			kind = parts[0]
		}
		var rows []map[string]any
		one := len(parts) == 2
		if one {
			rows = make([]map[string]any, 1)
			if err := json.Unmarshal(answer.Results, &rows[0]); err != nil {
				t.Errorf("%s: %s: %v", row.target, answer.Results, err)
			}
		} else if err := json.Unmarshal(answer.Results, &rows); err != nil || rows == nil {
			t.Errorf("%s: %s: %v; it reads the length of a list", row.target, answer.Results, err)
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		want := row.total
		if limit, err := strconv.Atoi(values.Get("limit")); err == nil {
			offset, _ := strconv.Atoi(values.Get("offset")) // 0 where there is none
			want = min(limit, row.total-offset)
		}
		if len(rows) != want || !one && (answer.TimeRangeCount == nil || *answer.TimeRangeCount != row.total || answer.Count == nil || *answer.Count != want) {
			t.Errorf("%s: %d rows, want %d of %d: %s", row.target, len(rows), want, row.total, w.Body)
		}
		var names []string
		for _, r := range rows {
			known[kind].check(t, row.target, r)
			names = append(names, fmt.Sprint(r["name"]))
		}
		if got := strings.Join(names, " "); row.names != "" && got != row.names {
			t.Errorf("%s: %s, want %s", row.target, got, row.names)
		}
	}
	// By identity it asks for one of each, too.
	for _, list := range []string{"routerlinks", "sitepairs", "componentpairs", "processpairs", "connections", "applicationflows"} {
		var all, one struct{ Results json.RawMessage }
		var rows []map[string]any
		if err := json.Unmarshal(get(h, Prefix+"/"+list).Body.Bytes(), &all); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(all.Results, &rows); err != nil || len(rows) == 0 {
			t.Fatalf("%s: %s, %v", list, all.Results, err)
		}
		w := get(h, Prefix+"/"+list+"/"+url.PathEscape(fmt.Sprint(rows[0]["identity"])))
		row := map[string]any{}
		if err := json.Unmarshal(w.Body.Bytes(), &one); err != nil || json.Unmarshal(one.Results, &row) != nil || row["identity"] != rows[0]["identity"] {
			t.Errorf("%s by identity: %d %s, %v", list, w.Code, w.Body, err)
		}
	}
	for _, target := range []string{"user", "logout?nonce=1795337400000"} { // nobody is logged in
		if w := get(h, Prefix+"/"+target); w.Code != 204 || w.Body.Len() != 0 {
			t.Errorf("%s: %d %s, want nothing", target, w.Code, w.Body)
		}
	}
}

// TestUpstreamsConsoleAsks sends every query of counters that upstream's console
// makes, with all labels by which it chooses, and compares with what was
// counted.
func TestUpstreamsConsoleAsks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	n := recorded.Recent(t, now)
	ring := history.New()
	for before := 6; before >= 0; before-- { // everything was counted half a minute ago
		traffic := n.Traffic()
		if before > 2 {
			traffic = nil
		}
		ring.Observe(now.Add(-time.Duration(before)*history.Step), traffic)
	}
	h := handler(n, func(o *Options) { o.History = ring })
	type choice struct {
		filter string
		of     func(*network.Labels) bool
	}
	const west, east = "11111111-aaaa-4aaa-8aaa-111111111111", "22222222-bbbb-4bbb-8bbb-222222222222"
	choices := []choice{
		{"", func(*network.Labels) bool { return true }},
		{`source_site_id=~"` + west + `"`, func(l *network.Labels) bool { return l.SourceSiteID == west }},
		{`dest_site_id=~"` + west + "|" + east + `"`, func(l *network.Labels) bool { return l.DestSiteID == west || l.DestSiteID == east }},
		{`source_process_name=~"site-client-127.0.0.1-11111111",dest_process_name=~"echo-server"`, func(l *network.Labels) bool {
			return l.SourceProcessName == "site-client-127.0.0.1-11111111" && l.DestProcessName == "echo-server"
		}},
		{`source_component_name=~"site-clients-11111111"`, func(l *network.Labels) bool { return l.SourceComponentName == "site-clients-11111111" }},
		{`dest_component_name=~"nobody"`, func(*network.Labels) bool { return false }},
		{`source_site_id=~"` + west + `",dest_site_id=~"` + east + `",routing_key=~"web"`, func(l *network.Labels) bool {
			return l.SourceSiteID == west && l.DestSiteID == east && l.RoutingKey == "web"
		}},
		{`routing_key=~"web",protocol=~"http1"`, func(l *network.Labels) bool { return l.RoutingKey == "web" && l.Protocol == "http1" }},
	}
	// counted sums up what of the traffic is chosen, by group.
	counted := func(of func(*network.Labels) bool, group func(*network.Labels) string, value func(*network.Traffic) float64) map[string]float64 {
		sums := map[string]float64{}
		for _, tr := range n.Traffic() {
			if of(&tr.Labels) {
				sums[group(&tr.Labels)] += value(&tr)
			}
		}
		return sums
	}
	requests := func(of func(*network.Labels) bool, key func(network.RequestCount) string) map[string]float64 {
		sums := map[string]float64{}
		for _, tr := range n.Traffic() {
			for _, r := range tr.Requests {
				if k := key(r); of(&tr.Labels) && k != "" {
					sums[k] += float64(r.Count)
				}
			}
		}
		return sums
	}
	total := func(*network.Labels) string { return "" }
	sent, received := func(tr *network.Traffic) float64 { return float64(tr.Sent) }, func(tr *network.Traffic) float64 { return float64(tr.Received) }
	braces := func(filter string) string {
		if filter == "" {
			return ""
		}
		return "{" + filter + "}"
	}
	for _, c := range choices {
		// On maps and in lists of pairs: a value for each pair.
		for labels, group := range map[string]func(*network.Labels) string{
			"source_site_id,dest_site_id":               func(l *network.Labels) string { return l.SourceSiteID + " " + l.DestSiteID },
			"source_process_name,dest_process_name":     func(l *network.Labels) string { return l.SourceProcessName + " " + l.DestProcessName },
			"source_component_name,dest_component_name": func(l *network.Labels) string { return l.SourceComponentName + " " + l.DestComponentName },
		} {
			for metric, value := range map[string]func(*network.Traffic) float64{"sent": sent, "received": received} {
				name := "skupper_" + metric + "_bytes_total" + braces(c.filter)
				want := counted(c.of, group, value)
				compareNow(t, h, "sum by("+labels+")("+name+")", labels, want, now)
				for k := range want {
					want[k] /= 30
				}
				compareNow(t, h, "sum by("+labels+")(rate("+name+"[30s]))", labels, want, now)
			}
		}
		open := counted(c.of, total, func(tr *network.Traffic) float64 { return float64(tr.Opened - tr.Closed) })
		connections := "sum(skupper_connections_opened_total{" + c.filter + "}-skupper_connections_closed_total{" + c.filter + "})"
		compareNow(t, h, connections, "", open, now)
		// In charts: the last value, of a minute and of two days.
		and := c.filter
		if and != "" {
			and += ","
		}
		for _, span := range []struct{ seconds, step, over string }{
			{"60", "1s", "60s"},
			{"60.00099992752075", "1s", "60s"}, // between two looks at its clock
			{"172800.0150001049", "721s", "900s"},
		} {
			seconds, err := strconv.ParseFloat(span.seconds, 64)
			if err != nil {
				t.Fatal(err)
			}
			last := func(query, labels string, want map[string]float64) {
				t.Helper()
				compareLast(t, h, query, labels, want, now, seconds, span.step)
			}
			per := func(sums map[string]float64, s float64) map[string]float64 {
				for k := range sums {
					sums[k] /= s
				}
				return sums
			}
			const known = 60 // seconds: what the history reaches back
			last("sum(rate(skupper_sent_bytes_total{"+c.filter+"}["+span.over+"]))", "", per(counted(c.of, total, sent), known))
			last("sum(rate(skupper_received_bytes_total{"+c.filter+"}["+span.over+"]))", "", per(counted(c.of, total, received), known))
			last(connections, "", open)
			last("sum by(method)(rate(skupper_requests_total{"+c.filter+"}["+span.over+"]))", "method", per(requests(c.of, func(r network.RequestCount) string { return r.Method }), known))
			replaced := func(inner string) string {
				return `sum by(partial_code)(label_replace(` + inner + `,"partial_code", "$1", "code","(.*).{2}"))`
			}
			last(replaced(`increase(skupper_requests_total{`+and+`code=~"2.*|3.*|4.*|5.*"}[`+span.seconds+`s])`), "partial_code", requests(c.of, func(r network.RequestCount) string { return r.Code[:1] }))
			last(replaced(`rate((skupper_requests_total{`+and+`code=~"4.*|5.*"}[5m]))`), "partial_code", per(requests(c.of, func(r network.RequestCount) string {
				if r.Code < "4" {
					return ""
				}
				return r.Code[:1]
			}), known))
			for _, quantile := range []string{"0.5", "0.9", "0.95", "0.99"} {
				for _, direction := range []string{"incoming", "outgoing"} {
					last(`histogram_quantile(`+quantile+`, sum(increase(legacy_flow_latency_microseconds_bucket{`+and+`direction=~"`+direction+`"}[`+span.over+`]))by(le))`, "", nil)
				}
			}
		}
	}
}

// series is what that console reads of an answer.
type series struct {
	Metric map[string]string
	Value  [2]any
	Values [][2]any
}

func curves(t *testing.T, h http.Handler, path string, query url.Values, kind string) []series {
	t.Helper()
	w := get(h, Prefix+"/internal/prom/"+path+"/?"+query.Encode())
	var answer struct {
		Status string
		Data   struct {
			ResultType string
			Result     []series
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 || answer.Status != "success" || answer.Data.ResultType != kind || answer.Data.Result == nil {
		t.Errorf("%s: %d %s, %v", query.Get("query"), w.Code, w.Body, err)
	}
	return answer.Data.Result
}

// number reads a value as JavaScript's Number does.
func number(t *testing.T, v any) float64 {
	t.Helper()
	text, ok := v.(string)
	f, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil {
		t.Errorf("a value is %v, want a number as text", v)
	}
	return f
}

func values(t *testing.T, result []series, labels string, last func(series) any) map[string]float64 {
	t.Helper()
	got := map[string]float64{}
	for _, s := range result {
		var key []string
		for _, l := range strings.FieldsFunc(labels, func(r rune) bool { return r == ',' }) {
			key = append(key, s.Metric[l])
		}
		got[strings.Join(key, " ")] = number(t, last(s))
	}
	return got
}

func compareNow(t *testing.T, h http.Handler, query, labels string, want map[string]float64, now time.Time) {
	t.Helper()
	at := url.Values{"query": {query}, "time": {fmt.Sprintf("%.3f", float64(now.UnixMilli())/1000)}}
	same(t, query, values(t, curves(t, h, "query", at, "vector"), labels, func(s series) any { return s.Value[1] }), want)
}

// compareLast compares the last point of a chart, and its points in time with
// where that console looks for them. Without anything wanted, the values only
// have to be there.
func compareLast(t *testing.T, h http.Handler, query, labels string, want map[string]float64, now time.Time, seconds float64, step string) {
	t.Helper()
	end := float64(now.UnixMilli()) / 1000
	every, err := strconv.ParseFloat(strings.TrimSuffix(step, "s"), 64)
	if err != nil {
		t.Fatal(err)
	}
	begin := end - math.Floor(seconds/every)*every // a whole number of steps
	text := func(f float64) string { return strconv.FormatFloat(f, 'f', 3, 64) }
	result := curves(t, h, "rangequery", url.Values{"query": {query}, "start": {text(begin)}, "end": {text(end)}, "step": {step}}, "matrix")
	for _, s := range result {
		for _, p := range s.Values {
			at, ok := p[0].(float64)
			if steps := (at - begin) / every; !ok || math.Abs(steps-math.Round(steps)) > 1e-3 {
				t.Errorf("%s: a point at %v, not on a step of %s from %v", query, p[0], step, begin)
			}
		}
	}
	if want != nil {
		same(t, query, values(t, result, labels, func(s series) any { return s.Values[len(s.Values)-1][1] }), want)
	}
}

func same(t *testing.T, query string, got, want map[string]float64) {
	t.Helper()
	var keys []string
	for k := range want {
		keys = append(keys, k)
	}
	for k := range got {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if g, ok := got[k]; math.Abs(g-want[k]) > 0.01*math.Abs(want[k]) || !ok && want[k] != 0 {
			t.Errorf("%s: %q is %v, want %v", query, k, g, want[k])
		}
	}
}
