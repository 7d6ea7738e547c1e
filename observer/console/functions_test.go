//go:build !race

package console

import (
	"context"
	"fmt"
	"testing"
)

// functions tries what has no page of its own: how values are written, and how
// addresses and queries are made.
func functions(t *testing.T, browser context.Context) {
	p := view(t, browser, observe(t, grow(0, 0, 0)), 800, 600)
	p.open("/network")
	for _, c := range []struct{ module, call, want string }{
		{"format", "bytes(0)", "0 B"},
		{"format", "bytes(999)", "999 B"},
		{"format", "bytes(1000)", "1.00 kB"},
		{"format", "bytes(999_600)", "1.00 MB"},
		{"format", "bytes(12_345_678_901)", "12.3 GB"},
		{"format", "bytes(undefined)", "–"},
		{"format", "rate(1234)", "1.23 kB/s"},
		{"format", "perSecond(0.001)", "< 0.01/s"},
		{"format", "perSecond(12.34)", "12.3/s"},
		{"format", "count(1234567)", "1,234,567"},
		{"format", "percent(1, 3)", "33.3 %"},
		{"format", "percent(1, 100000)", "< 0.1 %"},
		{"format", "percent(1, 0)", "–"},
		{"format", "micros(12)", "12 µs"},
		{"format", "micros(3546)", "3.55 ms"},
		{"format", "micros(59_990_000)", "60.0 s"},
		{"format", "micros(3_723_000_000)", "1 h 2 min"},
		{"format", "micros(200_000_000_000)", "2 d 7 h"},
		{"format", "ago(1e15, 1e12 + 500)", "just now"},
		{"format", "ago(1e15, 1e12 + 60e3)", "1 min ago"},
		{"format", "ago(0, 1e12)", "–"},
		{"format", "known('unknown')", "–"},
		{"format", "plural(1, 'link')", "1 link"},
		{"format", "plural(2, 'process', 'processes')", "2 processes"},
		{"prom", "matcher({})", ""},
		{"prom", "matcher({ routing_key: ['a.b', 'c'], code: '' })", `{routing_key=~"a\\.b|c"}`},
		{"prom", `matcher({ routing_key: 'x"}\\' })`, `{routing_key=~"x\"\\}\\\\"}`},
		{"prom", "JSON.stringify(span(3600))", `{"seconds":3600,"step":15,"over":"60s"}`},
		{"prom", "JSON.stringify(span(172800))", `{"seconds":172800,"step":720,"over":"900s"}`},
		{"route", "parse('#/services/a%2Fb?page=2&name=x%3Dy').path.join('|')", "services|a/b"},
		{"route", "parse('#/services/a%2Fb?page=2&name=x%3Dy').params.get('name')", "x=y"},
		{"route", "parse('#/100%').path.join()", "100%"},
		{"route", "href(['services', 'ZVqfj:1/+'], { page: '', name: 'a b' })", "#/services/ZVqfj%3A1%2F%2B?name=a+b"},
		{"map/model", "[...silentSites([{ siteId: 'a', state: 'silent' }, { siteId: 'a', state: 'live' }, { siteId: 'b', state: 'gone' }, { siteId: 'unknown', state: 'gone' }])].join()", "b"},
		{"map/model", "siteModel([{ identity: 'a', name: 'a' }, { identity: 'b', name: 'b' }], [{ identity: '1', sourceSiteId: 'a', destinationSiteId: 'b', status: 'up' }, { identity: '2', sourceSiteId: 'b', destinationSiteId: 'a', status: 'down' }], new Set()).edges.map((e) => e.state).join()", "part"},
		{"map/model", "siteModel([{ identity: 'a', name: 'a' }], [{ identity: '1', sourceSiteId: 'a', destinationSiteId: 'elsewhere', status: 'up' }], new Set()).edges.length", "0"},
		{"page/links", "whyDown({ status: 'down', result: 'refused', reason: 'connection refused' })", "connection refused"},
		{"page/links", "whyDown({ status: 'down' })", "no reason given yet"},
	} {
		if got := eval[string](p, fmt.Sprintf("import('/js/%s.js').then((m) => { with (m) { return String(%s); } })", c.module, c.call)); got != c.want {
			t.Errorf("%s: %q, want %q", c.call, got, c.want)
		}
	}
	p.quiet()
}
