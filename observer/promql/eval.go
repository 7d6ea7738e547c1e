package promql

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
)

const (
	// fresh is how long after the last observation it still tells what is now.
	fresh     = 3 * history.Step
	maxPoints = 11_000 // of a series; compat: Prometheus
	maxValues = 500_000
)

// Data is an answer as the HTTP API of Prometheus has it.
type Data struct {
	ResultType string   `json:"resultType"` // vector, matrix
	Result     []Series `json:"result"`     // never null
}

// Series is one result: a value at a moment, or values over time.
type Series struct {
	Metric map[string]string `json:"metric"`
	Value  *Point            `json:"value,omitempty"`
	Values []Point           `json:"values,omitempty"`

	key string
}

// Point is a value at a moment, ms since 1970.
type Point struct {
	At    int64
	Value float64
}

// MarshalJSON writes seconds and the value as text, as Prometheus does.
func (p Point) MarshalJSON() ([]byte, error) {
	value := strconv.FormatFloat(p.Value, 'f', -1, 64)
	if math.IsInf(p.Value, 1) {
		value = "+Inf"
	}
	return json.Marshal([2]any{float64(p.At) / 1000, value})
}

// Instant answers a query at a moment.
func (e *Expr) Instant(ring *history.Ring, at time.Time) (*Data, error) {
	rows, err := e.eval(ring, []int64{at.UnixMilli()})
	if err != nil {
		return nil, err
	}
	for i := range rows {
		rows[i].Value, rows[i].Values = &rows[i].Values[0], nil
	}
	return &Data{"vector", rows}, nil
}

// Range answers a query from one moment to another.
func (e *Expr) Range(ring *history.Ring, from, to time.Time, step time.Duration) (*Data, error) {
	switch {
	case to.Before(from):
		return nil, refused("the end is before the start")
	case step < time.Millisecond:
		return nil, refused("the step has to be at least 1ms")
	case to.Sub(from)/step >= maxPoints:
		return nil, refused("more than %d points in a series: take a larger step", maxPoints)
	}
	var at []int64
	for t := from.UnixMilli(); t <= to.UnixMilli(); t += step.Milliseconds() {
		at = append(at, t)
	}
	rows, err := e.eval(ring, at)
	if err != nil {
		return nil, err
	}
	return &Data{"matrix", rows}, nil
}

// eval computes every series at all of these moments, ascending. A series
// without any value is left out.
func (e *Expr) eval(ring *history.Ring, at []int64) ([]Series, error) {
	rows := []Series{}
	groups := map[string]int{}
	curves, err := ring.Read(e.family, func(l *history.Labels) int {
		if slices.ContainsFunc(e.matchers, func(m matcher) bool { return !m.matches(l) }) {
			return -1
		}
		key := e.key(l)
		g, ok := groups[key]
		if !ok {
			g = len(rows)
			groups[key] = g
			rows = append(rows, Series{Metric: e.metric(l), key: key})
		}
		return g
	}, at[0]-e.window.Milliseconds()-fresh.Milliseconds())
	if err != nil {
		return nil, refused("%v", err)
	}
	if len(rows)*len(at) > maxValues {
		return nil, refused("more than %d values: take a larger step, or fewer labels", maxValues)
	}
	for g := range rows {
		for _, t := range at {
			if v, ok := e.value(curves, g, t); ok {
				rows[g].Values = append(rows[g].Values, Point{t, v})
			}
		}
	}
	rows = slices.DeleteFunc(rows, func(s Series) bool { return len(s.Values) == 0 })
	slices.SortFunc(rows, func(a, b Series) int { return cmp.Compare(a.key, b.key) })
	return rows, nil
}

// label is that of a group; partial_code is what label_replace makes of the
// code.
func label(l *history.Labels, name string) string {
	if name != partialCode {
		return l.Label(name)
	}
	code := l.Code
	for range 2 { // all but the last two characters
		if code == "" {
			return ""
		}
		_, size := utf8.DecodeLastRuneInString(code)
		code = code[:len(code)-size]
	}
	return code
}

func (e *Expr) key(l *history.Labels) string {
	switch len(e.by) {
	case 0:
		return ""
	case 1:
		return label(l, e.by[0])
	}
	values := make([]string, len(e.by))
	for i, name := range e.by {
		values[i] = label(l, name)
	}
	return strings.Join(values, "\x00")
}

// metric are the labels of a group; an empty one is none.
func (e *Expr) metric(l *history.Labels) map[string]string {
	m := map[string]string{}
	for _, name := range e.by {
		if v := label(l, name); v != "" {
			m[name] = v
		}
	}
	return m
}

// value is that of a group at a moment, if anything is known of it.
func (e *Expr) value(c *history.Curves, group int, at int64) (v float64, ok bool) {
	if at > c.End() && at-c.End() <= fresh.Milliseconds() {
		at = c.End()
	}
	if at < c.Began || at > c.End() {
		return 0, false
	}
	if e.function == read {
		v = c.Value(group, e.counter, at)
		if e.minus >= 0 {
			v -= c.Value(group, e.minus, at)
		}
		return v, true
	}
	from := max(at-e.window.Milliseconds(), c.Began)
	if from >= at {
		return 0, false
	}
	if e.family == history.Latency {
		return e.quantileOf(c, group, from, at), true
	}
	v = c.Increase(group, e.counter, from, at)
	if e.function == rate {
		v /= float64(at-from) / 1000
	}
	return v, true
}

// quantileOf is the value below which that part of the observations is, evenly
// spread within each bucket; of those above the last bound, the bound. NaN
// without observations.
func (e *Expr) quantileOf(c *history.Curves, group int, from, to int64) float64 {
	bounds := network.FirstByteBounds()
	counts := make([]float64, len(bounds)+1)
	total := 0.0
	for i := range counts {
		counts[i] = c.Increase(group, i, from, to)
		total += counts[i]
	}
	if total <= 0 {
		return math.NaN()
	}
	rank, below := e.quantile*total, 0.0
	lower := 0.0
	for i, bound := range bounds {
		if counts[i] > 0 && below+counts[i] >= rank {
			return lower + (bound-lower)*(rank-below)/counts[i]
		}
		below += counts[i]
		lower = bound
	}
	return lower
}

// ParseTime reads a moment: seconds since 1970 or RFC 3339. The error is an
// *Error.
func ParseTime(s string) (time.Time, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1e11 {
		return time.UnixMilli(int64(math.Round(f * 1000))), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, refused("no moment: %q", s)
	}
	return t, nil
}

// ParseStep reads seconds, or a duration such as 15s. The error is an *Error.
func ParseStep(s string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > 0 && f < 1e9 {
		return time.Duration(f * float64(time.Second)), nil
	}
	return parseDuration(s)
}
