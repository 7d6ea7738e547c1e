package watch

import "time"

// Times of the debounce. Editors and `cp -r` write many files within a few
// milliseconds; 200 ms is long for them and short for a person.
const (
	quiet   = 200 * time.Millisecond // without an event, then the mark is set
	longest = 2 * time.Second        // after the first event, even without quiet
)

// debounce decides when a burst of events is over.
type debounce struct {
	first, last time.Time // of the burst; zero when there is none
}

// event notes an event.
func (d *debounce) event(now time.Time) {
	if d.first.IsZero() {
		d.first = now
	}
	d.last = now
}

// due is when the mark is to be set, zero when no burst goes on.
func (d *debounce) due() time.Time {
	if d.first.IsZero() {
		return time.Time{}
	}
	end, limit := d.last.Add(quiet), d.first.Add(longest)
	if limit.Before(end) {
		return limit
	}
	return end
}

// fire ends the burst if it is over and reports whether it was.
func (d *debounce) fire(now time.Time) bool {
	due := d.due()
	if due.IsZero() || now.Before(due) {
		return false
	}
	*d = debounce{}
	return true
}
