package query

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Window is how far back a request looks that names no time range.
const Window = 15 * time.Minute // compat: skupper v2 network-observer

// Relation says how the life of a record and the time range must lie.
type Relation uint8

// The relations.
const (
	Intersects Relation = iota // they have a moment in common
	Contains                   // the record lived through all of the range
	Within                     // the record began and ended in the range
)

// State selects by whether a record has ended.
type State uint8

// The states.
const (
	All State = iota
	Active
	Terminated
)

// condition is a filter: the field that a key names must match one of values.
type condition struct {
	key    string
	values []string
}

// Query is what a request asks of a list.
type Query struct {
	Offset     int    // rows that are left out at the beginning
	Limit      int    // rows at most; negative: all
	Start, End uint64 // time range, µs since 1970
	Relation   Relation
	State      State

	sortKey    string // "" for the identity
	descending bool
	conditions []condition // in the order of their keys, so that an error is always the same
}

// Parse reads the parameters of a request. What is malformed counts as not
// given, as clients of the API expect; which fields exist is known by Select.
func Parse(values url.Values, now time.Time) Query {
	at := uint64(max(now.UnixMicro(), 0))
	q := Query{Limit: -1, Start: at - min(at, uint64(Window.Microseconds())), End: at}
	for key, given := range values {
		if len(given) == 0 {
			continue
		}
		first := given[0]
		switch key {
		case "offset":
			if n, err := strconv.Atoi(first); err == nil {
				q.Offset = max(n, 0)
			}
		case "limit":
			if n, err := strconv.Atoi(first); err == nil {
				q.Limit = n
			}
		case "sortBy":
			q.sort(first)
		case "timeRangeStart":
			moment(first, &q.Start)
		case "timeRangeEnd":
			moment(first, &q.End)
		case "timeRangeOperation":
			q.Relation = relation(first)
		case "state":
			q.State = state(first)
		default:
			q.conditions = append(q.conditions, condition{key, given})
		}
	}
	slices.SortFunc(q.conditions, func(a, b condition) int { return strings.Compare(a.key, b.key) })
	return q
}

// sort reads "<field>.asc" or "<field>.desc".
func (q *Query) sort(s string) {
	if field, ok := strings.CutSuffix(s, ".asc"); ok {
		q.sortKey, q.descending = field, false
	}
	if field, ok := strings.CutSuffix(s, ".desc"); ok {
		q.sortKey, q.descending = field, true
	}
}

func moment(s string, to *uint64) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		*to = uint64(max(n, 0))
	}
}

func relation(s string) Relation {
	switch s {
	case "contains":
		return Contains
	case "within":
		return Within
	default:
		return Intersects
	}
}

func state(s string) State {
	switch s {
	case "active":
		return Active
	case "terminated":
		return Terminated
	default:
		return All
	}
}

// covers reports whether a record that lived from start to end, 0 for not
// ended, is asked for.
func (q *Query) covers(start, end uint64) bool {
	switch q.State {
	case All:
	case Active:
		if end != 0 {
			return false
		}
	case Terminated:
		if end == 0 {
			return false
		}
	}
	switch q.Relation {
	case Intersects:
		return (end == 0 || end >= q.Start) && start <= q.End
	case Contains:
		return start <= q.Start && (end == 0 || end >= q.End)
	case Within:
		return start >= q.Start && end != 0 && end <= q.End
	}
	return false
}

// page cuts n rows into those that are asked for.
func (q *Query) page(n int) (from, to int) {
	from = min(q.Offset, n)
	if q.Limit < 0 || q.Limit > n-from {
		return from, n
	}
	return from, from + q.Limit
}
