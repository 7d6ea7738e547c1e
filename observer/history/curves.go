package history

import "sort"

// Curves are sums of counters over time, by group. Moments are ms since 1970.
type Curves struct {
	Began int64 // from when on the ring knows anything

	width  int
	points int      // bounds that there are when all frames are read
	times  []int64  // bounds of frames, ascending; at least one
	grown  []uint64 // by group, time and counter: what was added since times[0]
	totals []uint64 // by group and counter: what the counters read at End
}

// Groups is how many groups there are.
func (c *Curves) Groups() int { return len(c.totals) / c.width }

// End is the moment of the last observation, 0 if there was none.
func (c *Curves) End() int64 { return c.times[len(c.times)-1] }

// at are the counters of a group at the moment times[i].
func (c *Curves) at(group, i int) []uint64 {
	return c.grown[(group*c.points+i)*c.width:][:c.width]
}

// Increase is what was added to a counter of a group in (from, to]. Within a
// frame everything is taken to be added evenly.
func (c *Curves) Increase(group, counter int, from, to int64) float64 {
	return c.value(group, counter, to) - c.value(group, counter, from)
}

// Value is what a counter of a group read at a moment.
func (c *Curves) Value(group, counter int, at int64) float64 {
	return float64(c.totals[group*c.width+counter]) - c.Increase(group, counter, at, c.End())
}

// value is what was added up to a moment.
func (c *Curves) value(group, counter int, at int64) float64 {
	i := sort.Search(len(c.times), func(i int) bool { return c.times[i] >= at })
	switch {
	case i == 0:
		return 0
	case i == len(c.times):
		return float64(c.at(group, i-1)[counter])
	}
	before, after := float64(c.at(group, i-1)[counter]), float64(c.at(group, i)[counter])
	return before + (after-before)*float64(at-c.times[i-1])/float64(c.times[i]-c.times[i-1])
}
