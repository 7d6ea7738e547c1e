package session

// Late is how long a delivery may be unsettled, or a link without credit,
// until it counts as stuck or blocked, in seconds. compat: skupper-router 3.x.
const Late = 10

// Overdue is a link that something is wrong with: it has had no credit for more
// than Late, or for the first time a delivery of it is stuck.
type Overdue struct {
	Link    *Link
	Blocked bool // without credit
}

// Second tells the engine that a second has passed. It is what ages are
// counted in: each delivery notes the second in which it began, and here is
// looked for those that have waited for more than Late of them. It returns what
// is overdue since this second.
func (e *Engine) Second() (list []Overdue) {
	e.now++
	for _, s := range e.local {
		if s == nil || s.timed == 0 {
			continue
		}
		for _, l := range s.ours {
			if l != nil && !l.untimed && !l.gone {
				list = l.second(list)
			}
		}
	}
	return list
}

// Untimed says that the age of the delivery means nothing.
func (in *Incoming) Untimed() { in.untimed = true }

// Untimed says that the age of deliveries on the link means nothing, nor that
// it has no credit.
func (l *Link) Untimed() {
	if l.untimed {
		return
	}
	l.untimed = true
	if l.counted {
		l.s.timed--
	}
}

// ZeroCredit is for how long the link has had no credit, in seconds.
func (l *Link) ZeroCredit() uint32 {
	if l.dry == 0 {
		return 0
	}
	return l.s.e.now - l.dry
}

// Stuck is the number of deliveries on the link that have waited for more than
// Late.
func (l *Link) Stuck() int {
	n := 0
	count := func(stuck bool) {
		if stuck {
			n++
		}
	}
	for out := l.queue; out != nil; out = out.queued {
		count(out.stuck && !out.begun)
	}
	for out := l.sent; out != nil; out = out.next {
		count(out.stuck)
	}
	for in := l.received; in != nil; in = in.next {
		count(in.stuck)
	}
	return n
}

// second appends to list what is overdue on the link.
func (l *Link) second(list []Overdue) []Overdue {
	e := l.s.e
	if l.credit > 0 {
		l.unblock()
	} else if l.dry == 0 {
		l.dry = e.now
	}
	if !l.blocked && l.ZeroCredit() > Late {
		l.blocked = true
		e.stats.Blocked++
		list = append(list, Overdue{Link: l, Blocked: true})
	}
	stuck := e.stats.Stuck
	for out := l.queue; out != nil; out = out.queued {
		out.stuck = l.late(out.since, out.stuck)
	}
	for out := l.sent; out != nil; out = out.next {
		out.stuck = l.late(out.since, out.stuck)
	}
	for in := l.received; in != nil; in = in.next {
		in.stuck = !in.untimed && l.late(in.since, in.stuck)
	}
	if e.stats.Stuck > stuck && !l.reported {
		l.reported = true
		list = append(list, Overdue{Link: l})
	}
	return list
}

func (l *Link) unblock() {
	l.dry = 0
	if l.blocked {
		l.blocked = false
		l.s.e.stats.Blocked--
	}
}

// late counts a delivery that has become stuck, and reports whether it is.
func (l *Link) late(since uint32, stuck bool) bool {
	if !stuck && l.s.e.now-since > Late {
		stuck = true
		l.s.e.stats.Stuck++
	}
	return stuck
}

// over counts the age of a delivery that is over.
func (l *Link) over(since uint32, stuck bool) {
	if l.untimed {
		return
	}
	all := &l.s.e.stats.Outcomes
	if stuck {
		l.s.e.stats.Stuck--
	}
	switch age := l.s.e.now - since; {
	case age > 10:
		l.stats.Delayed10++
		if !l.sender {
			all.Delayed10++
		}
	case age > 1:
		l.stats.Delayed1++
		if !l.sender {
			all.Delayed1++
		}
	}
}
