package history

import (
	"errors"
	"sync"
	"time"

	"github.com/skupper-host/skupper/observer/network"
)

const (
	// Step is the time between two observations.
	Step = 10 * time.Second

	perMinute = 6             // steps that make a frame of a minute
	fineFor   = 2 * 3600 / 10 // frames of Step: two hours
	coarseFor = 48 * 60       // frames of a minute: two days
	// MaxSeries is how many series are remembered; more are counted as left out.
	MaxSeries = 50_000
	// MaxBytes is what all frames take at most.
	MaxBytes = 64 << 20
	maxCells = 8 << 20 // numbers that one Read may make
)

// ErrTooMuch is returned by Read for more groups over more time than anybody
// can look at.
var ErrTooMuch = errors.New("too many series over too long a time")

// Family is a group of counters that are asked for together.
type Family uint8

// The families.
const (
	Traffic  Family = iota // Opened, Closed, Sent, Received of connections
	Latency                // to the first byte, by bucket of network.FirstByteBounds, not cumulative
	Requests               // one counter
)

// Counters of family Traffic.
const (
	Opened = iota
	Closed
	Sent
	Received
)

// Counters of a series: those of connections, then both directions of latency.
// A series of requests has only the first.
const (
	buckets  = 8
	incoming = 4
	outgoing = incoming + buckets
	width    = outgoing + buckets
)

// counts are the counters of a series.
type counts [width]uint64

// Width is the number of counters of the family.
func (f Family) Width() int {
	switch f {
	case Traffic:
		return incoming
	case Latency:
		return buckets
	case Requests:
		return 1
	}
	return 0
}

// Labels name what Read asks for.
type Labels struct {
	network.Labels
	Method, Code string // family Requests
	Direction    string // family Latency: incoming, outgoing
}

// key names a series: of connections, or of requests with a method and a code.
type key struct {
	labels       network.Labels
	method, code string
}

// series is one that is remembered. Its key never changes.
type series struct {
	key   key
	total counts
	seen  uint64 // number of the observation that had it last
	refs  int    // frames that have it
}

// frame is what was added in (start, end], ms since 1970.
type frame struct {
	start, end int64
	data       []byte
}

// level is the frames of one resolution, oldest first.
type level struct {
	frames []frame
	bytes  int
}

// Ring remembers.
type Ring struct {
	maxSeries, maxBytes int

	mu       sync.RWMutex
	byKey    map[key]int // to index of all
	all      []*series   // nil where free
	free     []int
	fine     level
	coarse   level
	minute   map[int]*counts // what is to be the next frame of a minute
	steps    int             // in it
	began    int64           // of it, ms
	last     int64           // end of the last frame, ms; 0: nothing was observed
	observed uint64
	leftOut  int // series of the last observation beyond maxSeries
}

// New returns an empty Ring with the bounds of the package.
func New() *Ring { return NewBounded(MaxSeries, MaxBytes) }

// NewBounded returns an empty Ring with other bounds.
func NewBounded(maxSeries, maxBytes int) *Ring {
	return &Ring{maxSeries: maxSeries, maxBytes: maxBytes, byKey: map[key]int{}, minute: map[int]*counts{}}
}

// Observe notes what all counters read at a moment. A counter that is lower
// than before began anew. Curves begin with the first observation, and again
// after a clock was set back.
func (r *Ring) Observe(now time.Time, totals []network.Traffic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observed++
	at := now.UnixMilli()
	if r.last == 0 || at <= r.last {
		r.restart(at)
	}
	added := make(map[int]*counts, len(totals)/4)
	r.leftOut = 0
	for i := range totals {
		r.noteTraffic(&totals[i], added)
	}
	if at == r.last {
		return // where curves begin
	}
	r.push(&r.fine, frame{r.last, at, encode(added)}, fineFor)
	r.last = at
	for id, d := range added {
		sum := r.minute[id]
		if sum == nil {
			sum = new(counts)
			r.minute[id] = sum
		}
		for i := range sum {
			sum[i] += d[i]
		}
	}
	if r.steps++; r.steps == perMinute {
		r.push(&r.coarse, frame{r.began, at, encode(r.minute)}, coarseFor)
		r.minute, r.steps, r.began = map[int]*counts{}, 0, at
	}
	r.bound()
	r.release()
}

// restart forgets all frames. mu is held.
func (r *Ring) restart(at int64) {
	for _, l := range []*level{&r.fine, &r.coarse} {
		for len(l.frames) > 0 {
			r.drop(l)
		}
	}
	r.minute, r.steps, r.began, r.last = map[int]*counts{}, 0, at, at
}

// noteTraffic takes apart what was counted with a label set. mu is held.
func (r *Ring) noteTraffic(t *network.Traffic, added map[int]*counts) {
	c := counts{Opened: t.Opened, Closed: t.Closed, Sent: t.Sent, Received: t.Received}
	copy(c[incoming:outgoing], t.Incoming.Counts)
	copy(c[outgoing:], t.Outgoing.Counts)
	if len(t.Requests) == 0 || c != (counts{}) {
		r.note(key{labels: t.Labels}, &c, added)
	}
	for _, q := range t.Requests {
		r.note(key{t.Labels, q.Method, q.Code}, &counts{q.Count}, added)
	}
}

// note finds out what was added to a series. mu is held.
func (r *Ring) note(k key, now *counts, added map[int]*counts) {
	id, known := r.byKey[k]
	if !known {
		if len(r.byKey) >= r.maxSeries {
			r.leftOut++
			return
		}
		id = r.add(k)
	}
	s := r.all[id]
	s.seen = r.observed
	if *now == s.total {
		return
	}
	d := *now
	for i, before := range s.total {
		if now[i] >= before {
			d[i] -= before
		}
	}
	added[id], s.total = &d, *now
}

func (r *Ring) add(k key) int {
	id := len(r.all)
	if n := len(r.free); n > 0 {
		id, r.free = r.free[n-1], r.free[:n-1]
	} else {
		r.all = append(r.all, nil)
	}
	r.all[id] = &series{key: k}
	r.byKey[k] = id
	return id
}

// push adds a frame as the newest. mu is held.
func (r *Ring) push(l *level, f frame, most int) {
	for d := decode(f); d.next(); {
		r.all[d.id].refs++
	}
	l.frames = append(l.frames, f)
	l.bytes += len(f.data)
	if len(l.frames) > most {
		r.drop(l)
	}
}

// drop forgets the oldest frame.
func (r *Ring) drop(l *level) {
	f := l.frames[0]
	for d := decode(f); d.next(); {
		r.all[d.id].refs--
	}
	l.bytes -= len(f.data)
	l.frames[0].data = nil
	l.frames = l.frames[1:]
}

// bound forgets what is oldest of the level that takes more.
func (r *Ring) bound() {
	for r.fine.bytes+r.coarse.bytes > r.maxBytes {
		if r.coarse.bytes > r.fine.bytes {
			r.drop(&r.coarse)
		} else {
			r.drop(&r.fine)
		}
	}
}

// release frees series that the last observation did not have and that no
// frame has either.
func (r *Ring) release() {
	for id, s := range r.all {
		if s == nil || s.seen == r.observed || s.refs > 0 || r.minute[id] != nil {
			continue
		}
		delete(r.byKey, s.key)
		r.all[id] = nil
		r.free = append(r.free, id)
	}
}

// Stats say how full the ring is.
type Stats struct {
	Series, LeftOut int // remembered; beyond the bound in the last observation
	Frames, Bytes   int
}

// Stats returns how full the ring is.
func (r *Ring) Stats() Stats {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return Stats{len(r.byKey), r.leftOut, len(r.fine.frames) + len(r.coarse.frames), r.fine.bytes + r.coarse.bytes}
}

// Read sums the counters of the series of a family in each group, from a moment,
// ms since 1970, up to now. Pick is called once for each series and says its
// group, counted from zero; negative ones are left out. The error is ErrTooMuch.
func (r *Ring) Read(f Family, pick func(*Labels) int, from int64) (*Curves, error) {
	c := &Curves{width: f.Width()}
	picked, frames := r.hold(c, f, pick, from)
	groups, n := c.Groups(), len(frames)+1
	if groups*c.width*n > maxCells {
		return nil, ErrTooMuch
	}
	c.points, c.grown = n, make([]uint64, groups*n*c.width)
	for i, fr := range frames {
		c.times = append(c.times, fr.end)
		for g := range groups {
			copy(c.at(g, i+1), c.at(g, i))
		}
		for d := decode(fr); d.next(); {
			for k, g := range picked[d.id] {
				if g >= 0 {
					add(c.at(g, i+1), d.added[f.column(k):])
				}
			}
		}
	}
	return c, nil
}

// picks are the groups of a series: of latency, by direction, of others the
// first; negative for none.
type picks [2]int

// column is where the counters of a family begin in those of a series.
func (f Family) column(direction int) int {
	if f == Latency {
		return incoming + direction*buckets
	}
	return 0
}

// add adds as many numbers as to has.
func add(to, from []uint64) {
	for i := range to {
		to[i] += from[i]
	}
}

// hold takes hold of the frames, which never change, and reads the totals.
func (r *Ring) hold(c *Curves, f Family, pick func(*Labels) int, from int64) (picked []picks, frames []frame) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	picked = make([]picks, len(r.all))
	for id, s := range r.all {
		picked[id] = picks{-1, -1}
		if s == nil || (s.key.method != "") != (f == Requests) {
			continue
		}
		l := Labels{Labels: s.key.labels, Method: s.key.method, Code: s.key.code}
		switch f {
		case Traffic, Requests:
			picked[id][0] = pick(&l)
		case Latency:
			l.Direction = "incoming"
			picked[id][0] = pick(&l)
			l.Labels, l.Direction = l.Reverse(), "outgoing"
			picked[id][1] = pick(&l)
		}
		for i, g := range picked[id] {
			if missing := (g+1)*c.width - len(c.totals); missing > 0 {
				c.totals = append(c.totals, make([]uint64, missing)...)
			}
			if g >= 0 {
				add(c.totals[g*c.width:][:c.width], s.total[f.column(i):])
			}
		}
	}
	frames = r.since(from)
	c.times = []int64{r.last}
	if len(frames) > 0 {
		c.times[0] = frames[0].start
	}
	c.Began = r.oldest()
	return picked, frames
}

// since returns the frames that end after a moment: those of a minute, and from
// where there are finer ones on those. Bounds of minutes are bounds of steps.
func (r *Ring) since(from int64) []frame {
	var out []frame
	fine := r.last
	if len(r.fine.frames) > 0 {
		fine = r.fine.frames[0].start
	}
	until := fine
	for _, f := range r.coarse.frames {
		if f.start >= fine {
			break
		}
		until = f.end
		if f.end > from {
			out = append(out, f)
		}
	}
	for _, f := range r.fine.frames {
		if f.start >= until && f.end > from {
			out = append(out, f)
		}
	}
	return out
}

// oldest is the moment from which on anything is known.
func (r *Ring) oldest() int64 {
	at := r.last
	for _, l := range []*level{&r.fine, &r.coarse} {
		if len(l.frames) > 0 {
			at = min(at, l.frames[0].start)
		}
	}
	return at
}

// Label returns the label that metrics name so, "" for any other.
func (l *Labels) Label(name string) string {
	switch name {
	case "source_site_id":
		return l.SourceSiteID
	case "dest_site_id":
		return l.DestSiteID
	case "source_site_name":
		return l.SourceSiteName
	case "dest_site_name":
		return l.DestSiteName
	case "source_component_id":
		return l.SourceComponentID
	case "dest_component_id":
		return l.DestComponentID
	case "source_component_name":
		return l.SourceComponentName
	case "dest_component_name":
		return l.DestComponentName
	case "routing_key":
		return l.RoutingKey
	case "protocol":
		return l.Protocol
	case "source_process_name":
		return l.SourceProcessName
	case "dest_process_name":
		return l.DestProcessName
	case "method":
		return l.Method
	case "code":
		return l.Code
	case "direction":
		return l.Direction
	}
	return ""
}
