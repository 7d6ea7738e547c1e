package promql

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/observer/history"
)

// Error is a query that is not answered. It is the client's.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

func refused(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

const (
	maxQuery = 64 << 10 // bytes of an expression
	// maxRange is all that is kept. compat: upstream's console asks for the time
	// between two looks at its clock, which is a little more.
	maxRange = 48*time.Hour + time.Minute
)

// function is what is done with a counter over a time.
type function string

const (
	read     function = "" // nothing
	rate     function = "rate"
	increase function = "increase"
)

// Expr is a query that is understood. It never changes.
type Expr struct {
	family   history.Family
	counter  int
	minus    int // counter that is taken away, -1 for none
	function function
	window   time.Duration
	quantile float64  // of a latency
	by       []string // labels of the sum
	matchers []matcher
}

// Names of the metrics that are known, and what they are in the history.
func metric(name string) (f history.Family, counter int, ok bool) {
	switch name {
	case "skupper_sent_bytes_total":
		return history.Traffic, history.Sent, true
	case "skupper_received_bytes_total":
		return history.Traffic, history.Received, true
	case "skupper_connections_opened_total":
		return history.Traffic, history.Opened, true
	case "skupper_connections_closed_total":
		return history.Traffic, history.Closed, true
	case "skupper_requests_total":
		return history.Requests, 0, true
	case "legacy_flow_latency_microseconds_bucket":
		return history.Latency, 0, true
	}
	return 0, 0, false
}

// partialCode is the label that the console makes of the code: its first digit.
const partialCode = "partial_code"

// Parse reads a query of one of the shapes. The error is an *Error.
func Parse(query string) (*Expr, error) {
	if len(query) > maxQuery {
		return nil, refused("query of %d bytes, at most %d are read", len(query), maxQuery)
	}
	p := &parser{lexer: lexer{in: query}}
	p.advance()
	e := &Expr{minus: -1}
	switch {
	case p.word("histogram_quantile"):
		p.want('(')
		e.quantile = p.number()
		p.want(',')
		p.sum(e)
		p.want(')')
	default:
		p.sum(e)
	}
	p.want(end)
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

// parser goes through the tokens; after the first error it finds nothing more.
type parser struct {
	lexer    lexer
	token    token
	replaced bool // there was a label_replace
	err      error
}

func (p *parser) advance() { p.token = p.lexer.next() }

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = refused("at character %d: %s; this observer answers the queries of the Skupper console only, others are for a Prometheus (-prometheus-api)", p.token.at+1, fmt.Sprintf(format, args...))
	}
	p.token = token{bad, "", p.token.at}
	p.lexer.at = len(p.lexer.in)
}

// is reports whether the token is of a kind, and goes on if so.
func (p *parser) is(k kind) bool {
	if p.token.kind != k || k == bad {
		return false
	}
	p.advance()
	return true
}

// want has the token be of a kind.
func (p *parser) want(k kind) {
	if !p.is(k) {
		p.fail("%s expected, not %q", describe(k), p.token.text)
	}
}

func describe(k kind) string {
	switch k {
	case end:
		return "the end"
	case name:
		return "a name"
	case number:
		return "a number"
	case text:
		return "a text in quotes"
	case match:
		return "=, !=, =~ or !~"
	case bad:
	}
	return strconv.Quote(string(rune(k)))
}

// take is want with the text of the token.
func (p *parser) take(k kind) string {
	s := p.token.text
	p.want(k)
	return s
}

// word reports whether the token is that name, and goes on if so.
func (p *parser) word(s string) bool {
	if p.token.kind != name || p.token.text != s {
		return false
	}
	p.advance()
	return true
}

func (p *parser) number() float64 {
	s := p.take(number)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && p.err == nil {
		p.fail("no number: %q", s)
	}
	return f
}

// sum reads "sum by(G)(…)" or "sum(…)by(G)".
func (p *parser) sum(e *Expr) {
	if !p.word("sum") {
		p.fail("sum or histogram_quantile expected")
		return
	}
	grouped := p.by(e)
	p.want('(')
	p.inner(e)
	p.want(')')
	if !grouped {
		p.by(e)
	}
	p.shape(e)
}

func (p *parser) by(e *Expr) bool {
	if !p.word("by") {
		return false
	}
	p.want('(')
	for p.err == nil {
		e.by = append(e.by, p.take(name))
		if !p.is(',') {
			break
		}
	}
	p.want(')')
	return true
}

// inner reads what is summed up: a selector, the difference of two, a function
// of one, or its label_replace.
func (p *parser) inner(e *Expr) {
	switch {
	case p.word("label_replace"):
		p.want('(')
		p.call(e)
		for _, s := range []string{partialCode, "$1", "code", "(.*).{2}"} {
			p.want(',')
			if got := p.take(text); got != s && p.err == nil {
				p.fail("label_replace with %q, only %q is known there", got, s)
			}
		}
		p.want(')')
		p.replaced = true
	case p.token.kind == name && (p.token.text == string(rate) || p.token.text == string(increase)):
		p.call(e)
	default:
		metric := p.selector(e)
		if p.is('-') {
			second := &Expr{}
			if other := p.selector(second); p.err == nil && (metric != "skupper_connections_opened_total" || other != "skupper_connections_closed_total" || !sameMatchers(e.matchers, second.matchers)) {
				p.fail("only connections closed can be taken away from those opened, of the same labels")
			}
			e.minus = second.counter
		}
	}
}

// call reads rate(selector[R]) or increase(selector[R]), the selector in
// parentheses or not.
func (p *parser) call(e *Expr) {
	switch {
	case p.word(string(rate)):
		e.function = rate
	case p.word(string(increase)):
		e.function = increase
	default:
		p.fail("rate or increase expected")
	}
	p.want('(')
	inside := p.is('(')
	p.selector(e)
	p.want('[')
	e.window = p.duration()
	p.want(']')
	if inside {
		p.want(')')
	}
	p.want(')')
}

func (p *parser) duration() time.Duration {
	s := p.take(number)
	d, err := parseDuration(s)
	if p.err == nil && (err != nil || d <= 0 || d > maxRange) {
		p.fail("a duration of at most 2d expected, not %q", s)
	}
	return d
}

// selector reads metric{F} and returns the name of the metric.
func (p *parser) selector(e *Expr) string {
	of := p.token.text
	family, counter, ok := metric(of)
	if p.token.kind == name && !ok {
		p.fail("unknown metric %q", of)
	}
	p.want(name)
	e.family, e.counter = family, counter
	if p.is('{') {
		for p.err == nil && p.token.kind != '}' {
			e.matchers = append(e.matchers, p.matcher())
			if !p.is(',') {
				break
			}
		}
		p.want('}')
	}
	return of
}

func (p *parser) matcher() matcher {
	m := matcher{label: p.take(name), op: p.take(match), value: p.take(text)}
	if p.err == nil {
		if err := m.compile(); err != nil {
			p.fail("%v", err)
		}
	}
	return m
}

// shape checks that what was read is one of the shapes.
func (p *parser) shape(e *Expr) {
	if p.err != nil {
		return
	}
	one := func(label string) bool { return len(e.by) == 1 && e.by[0] == label }
	unknown := slices.ContainsFunc(e.by, func(l string) bool { return !ofTraffic(l) })
	ok := false
	switch e.family {
	case history.Latency:
		ok = e.quantile > 0 && e.quantile <= 1 && e.function == increase && one("le")
		e.by = nil
	case history.Requests:
		ok = p.replaced && e.function != read && one(partialCode) || !p.replaced && e.function == rate && (one("method") || !unknown && len(e.by) > 0)
	case history.Traffic:
		switch {
		case e.minus >= 0:
			ok = !unknown
		case e.counter == history.Sent || e.counter == history.Received:
			ok = !unknown && (e.function == rate || e.function == read && len(e.by) > 0)
		}
	}
	if !ok || e.quantile != 0 && e.family != history.Latency || p.replaced && e.family != history.Requests {
		p.fail("a combination that is not known")
	}
}

// ofTraffic reports whether the series of connections have such a label.
func ofTraffic(label string) bool {
	return slices.Contains([]string{
		"source_site_id", "dest_site_id", "source_site_name", "dest_site_name", "source_component_id", "dest_component_id",
		"source_component_name", "dest_component_name", "routing_key", "protocol", "source_process_name", "dest_process_name",
	}, label)
}

// parseDuration reads a duration as Prometheus writes it: 1h30m, 60s, 250ms.
// compat: upstream's console also writes 60.001s, which Prometheus refuses.
func parseDuration(s string) (time.Duration, error) {
	units := []struct {
		name string
		unit time.Duration
	}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour}}
	const longest = 100 * 365 * 24 * time.Hour
	var total time.Duration
	for rest := s; ; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		n, err := strconv.ParseFloat(rest[:digits], 64)
		if err != nil || n > math.MaxUint32 {
			return 0, refused("no duration: %q", s)
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		i := slices.IndexFunc(units, func(u struct {
			name string
			unit time.Duration
		},
		) bool {
			return u.name == rest[:letters]
		})
		if i < 0 {
			return 0, refused("no duration: %q", s)
		}
		if n*float64(units[i].unit) > float64(longest) {
			return 0, refused("no duration: %q", s)
		}
		if total += time.Duration(n * float64(units[i].unit)); total > longest {
			return 0, refused("no duration: %q", s)
		}
		if rest = rest[letters:]; rest == "" {
			return total, nil
		}
	}
}

// matcher is a condition on a label.
type matcher struct {
	label, op, value string
	literals         []string // of a regular expression that is only alternatives
	pattern          *regexp.Regexp
}

func (m *matcher) compile() error {
	if m.op == "=" || m.op == "!=" {
		return nil
	}
	if parts := strings.Split(m.value, "|"); !slices.ContainsFunc(parts, func(s string) bool { return regexp.QuoteMeta(s) != s }) {
		m.literals = parts
		return nil
	}
	// compat: Prometheus anchors a pattern and has the dot match line ends.
	pattern, err := regexp.Compile("^(?s:" + m.value + ")$")
	if err != nil {
		return fmt.Errorf("label %s: %w", m.label, err)
	}
	m.pattern = pattern
	return nil
}

func (m *matcher) matches(l *history.Labels) bool {
	have := l.Label(m.label)
	switch {
	case m.op == "=" || m.op == "!=":
		return (have == m.value) == (m.op == "=")
	case m.pattern == nil:
		return slices.Contains(m.literals, have) == (m.op == "=~")
	}
	return m.pattern.MatchString(have) == (m.op == "=~")
}

func sameMatchers(a, b []matcher) bool {
	return slices.EqualFunc(a, b, func(a, b matcher) bool { return a.label == b.label && a.op == b.op && a.value == b.value })
}
