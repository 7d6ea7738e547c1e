package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

type verb int

const (
	verbStart verb = iota
	verbRestart
	verbReload
	verbUpdate
	verbStop
)

// request asks a process for something; it is answered once.
type request struct {
	verb  verb
	spec  Spec
	reply chan error // room for the answer
}

// end is how a child ended.
type end struct {
	child  *child
	result string
}

// process looks after one process.
type process struct {
	super    *Supervisor
	ref      Ref
	requests chan request
	signs    chan sign
	ends     chan end
	looked   chan struct{} // closed when it is known whether there is a process
	gone     chan struct{} // closed when run has returned

	status Status // guarded by super.mu; what follows, for others

	// Owned by run.
	watch      func(*child) // waits for a child's end in the background
	child      *child       // nil if there is none
	spec       Spec
	phase      Phase
	ready      bool // the child has been ready
	adopted    bool // the child was found
	started    time.Time
	ended      time.Time
	text       string
	result     string
	restarts   int
	logStart   int64 // size of the log when the child was started
	backoff    Backoff
	deadline   time.Time    // of the phase; zero: none
	suspect    bool         // no sign of life in time; there is a last chance
	why        string       // why the child is being killed; empty: it is not
	starters   []chan error // wait until it is ready
	reloaders  []chan error // wait until it can be reloaded
	stoppers   []chan error // wait until it is gone
	afterwards *request     // what follows the end of a child that is to end
	answers    []answer     // to be given once others see how the process is
	notes      []note       // to be logged then
}

// note is an entry of the log.
type note struct {
	level slog.Level
	text  string
	attrs []any
}

// answer is what a request will be told.
type answer struct {
	to  chan<- error
	err error
}

// Waiting times that nobody needs to change.
const (
	lastChance  = time.Second      // after the time without a sign of life is over
	defaultStop = 70 * time.Second // where a Spec says nothing
	logLines    = 10               // of a process that did not start, for its error
)

func newProcess(s *Supervisor, ref Ref) *process {
	return &process{
		super: s, ref: ref, phase: Inactive, backoff: Backoff{timing: s.config.Timing}, status: Status{Phase: Inactive},
		requests: make(chan request), signs: make(chan sign), ends: make(chan end),
		looked: make(chan struct{}), gone: make(chan struct{}),
	}
}

// run owns the process until ctx is done. A child then goes on without.
func (p *process) run(ctx context.Context) {
	var waits sync.WaitGroup
	defer close(p.gone)
	defer waits.Wait()
	p.watch = func(c *child) {
		waits.Go(func() {
			if result, ok := c.wait(ctx); ok {
				select {
				case p.ends <- end{c, result}:
				case <-ctx.Done():
				}
			}
			c.close()
		})
	}
	p.find()
	p.publish()
	close(p.looked)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	rotate := time.NewTicker(p.super.config.Timing.Rotate)
	defer rotate.Stop()
	for {
		var alarm <-chan time.Time
		if !p.deadline.IsZero() {
			timer.Reset(time.Until(p.deadline))
			alarm = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case r := <-p.requests:
			p.handle(r)
		case g := <-p.signs:
			p.hear(g)
		case e := <-p.ends:
			p.over(e)
		case <-alarm:
			p.expire()
		case <-rotate.C:
			p.rotate()
		}
		p.publish()
	}
}

// tell answers a request.
func (p *process) tell(to chan<- error, err error) { p.answers = append(p.answers, answer{to, err}) }

// tellAll answers all who wait.
func (p *process) tellAll(waiting *[]chan error, err error) {
	for _, to := range *waiting {
		p.tell(to, err)
	}
	*waiting = nil
}

// publish shows others how the process is, and then answers and logs.
func (p *process) publish() {
	s := Status{Phase: p.phase, Since: p.started, Text: p.text, Result: p.result, Restarts: p.restarts, Spec: p.spec}
	if p.child != nil {
		s.PID = p.child.PID
	} else {
		s.Since = p.ended
	}
	p.super.mu.Lock()
	p.status = s
	p.super.mu.Unlock()
	for _, a := range p.answers {
		a.to <- a.err
	}
	p.answers = nil
	for _, n := range p.notes {
		p.super.config.Log.Log(context.Background(), n.level, n.text, n.attrs...)
	}
	p.notes = nil
}

// note has something logged.
func (p *process) note(level slog.Level, text string, attrs ...any) {
	p.notes = append(p.notes, note{level, text, append([]any{"unit", p.ref.Name}, attrs...)})
}

// handle takes up a request.
func (p *process) handle(r request) {
	switch r.verb {
	case verbStart:
		p.start(r)
	case verbRestart:
		if p.child == nil {
			p.start(r)
			return
		}
		p.end()
		p.supersede(&r)
	case verbReload:
		p.reload(r)
	case verbUpdate:
		p.update(r)
	case verbStop:
		p.supersede(nil)
		if p.child == nil {
			p.inactive()
			p.tell(r.reply, nil)
			return
		}
		p.stoppers = append(p.stoppers, r.reply)
		p.end()
	}
}

// supersede decides what follows the end of the child; what was to follow does
// not any more.
func (p *process) supersede(r *request) {
	if p.afterwards != nil {
		p.tell(p.afterwards.reply, fmt.Errorf("%s: stopped meanwhile: %w", p.ref.Name, ErrNotRunning))
	}
	p.afterwards = r
}

func (p *process) start(r request) {
	switch {
	case p.phase == Stopping:
		p.supersede(&r)
	case p.child != nil && p.ready && p.spec.Tag != r.spec.Tag:
		p.end()
		p.supersede(&r)
	case p.child != nil && p.ready:
		p.spec = r.spec
		p.tell(r.reply, nil)
	case p.child != nil:
		p.spec = r.spec
		p.starters = append(p.starters, r.reply)
	default:
		p.spec, p.restarts, p.backoff.failures = r.spec, 0, 0
		p.begin(r)
	}
}

// begin launches for a request.
func (p *process) begin(r request) {
	err := p.launch()
	if errors.Is(err, ErrRunning) {
		if c := p.stray(); c != nil {
			spec := p.spec
			p.take(c, true)
			p.end()
			r.verb, r.spec = verbStart, spec
			p.supersede(&r)
			return
		}
	}
	if err != nil {
		p.inactive()
		p.tell(r.reply, fmt.Errorf("%s: %w", p.ref.Name, err))
		return
	}
	p.starters = append(p.starters, r.reply)
}

func (p *process) reload(r request) {
	switch {
	case p.phase == Restarting:
		p.begin(r)
	case p.child == nil || p.phase == Stopping:
		p.tell(r.reply, fmt.Errorf("%s: %w", p.ref.Name, ErrNotRunning))
	case !p.ready:
		p.reloaders = append(p.reloaders, r.reply)
	default:
		p.child.signal(unix.SIGHUP)
		p.tell(r.reply, nil)
	}
}

// update takes another way to run the process, for its next start.
func (p *process) update(r request) {
	if p.phase == Inactive {
		p.tell(r.reply, fmt.Errorf("%s: %w", p.ref.Name, ErrNotRunning))
		return
	}
	r.spec.Tag = p.spec.Tag
	p.spec = r.spec
	if p.child != nil {
		p.leaveRecord()
	}
	p.tell(r.reply, nil)
}

// end asks the child to end.
func (p *process) end() {
	if p.phase == Stopping {
		return
	}
	p.phase = Stopping
	stop := p.spec.Stop
	if stop == 0 {
		stop = defaultStop
	}
	p.deadline = time.Now().Add(stop)
	p.child.signal(unix.SIGTERM)
}

// inactive is where everything ends.
func (p *process) inactive() {
	p.phase, p.deadline, p.text = Inactive, time.Time{}, ""
	if err := dropRecord(p.ref); err != nil {
		p.note(slog.LevelWarn, "record not removed", "err", err)
	}
}

// hear takes up what the child tells.
func (p *process) hear(g sign) {
	if p.child == nil || g.pid != p.child.PID {
		return
	}
	if g.hasText {
		p.text = g.text
	}
	// One that was found may have become ready while nobody listened.
	ready := g.ready || g.living && p.adopted && p.phase == Starting
	switch {
	case ready && (p.phase == Starting || p.phase == Reloading):
		first := !p.ready
		p.active()
		if first {
			p.leaveRecord()
			p.note(slog.LevelInfo, "process ready", "pid", p.child.PID)
		}
		p.tellAll(&p.starters, nil)
		if len(p.reloaders) > 0 {
			p.child.signal(unix.SIGHUP)
			p.tellAll(&p.reloaders, nil)
		}
	case g.reloading && p.phase == Active:
		p.phase = Reloading
	}
	if g.living && (p.phase == Active || p.phase == Reloading) && p.spec.Watchdog > 0 {
		p.suspect, p.deadline = false, time.Now().Add(p.spec.Watchdog)
	}
}

// over takes up the end of the child.
func (p *process) over(e end) {
	if e.child != p.child {
		return
	}
	p.super.mu.Lock()
	delete(p.super.byPID, p.child.PID)
	p.super.mu.Unlock()
	p.child, p.ended = nil, time.Now()
	p.result = e.result
	if p.why != "" {
		p.result = p.why
	}
	failure := &ExitError{Name: p.ref.Name, Result: p.result, Text: p.text, Log: tail(p.spec.Log, p.logStart, logLines)}
	p.tellAll(&p.starters, failure)
	p.tellAll(&p.reloaders, failure)
	if p.phase == Stopping {
		p.stopped()
		return
	}
	ran := p.ended.Sub(p.started)
	wait := p.backoff.Next(p.ready, ran)
	p.phase, p.deadline = Restarting, p.ended.Add(wait)
	p.note(slog.LevelWarn, "process ended by itself", "result", p.result, "ran", ran.Round(time.Millisecond), "wait", wait)
}

// stopped is what follows when a child has ended that was asked to.
func (p *process) stopped() {
	p.result, p.why = "", ""
	p.inactive()
	p.tellAll(&p.stoppers, nil)
	if r := p.afterwards; r != nil {
		p.afterwards = nil
		p.start(*r)
	}
}

// expire is what happens when the time of a phase is over.
func (p *process) expire() {
	p.deadline = time.Time{}
	switch p.phase {
	case Starting:
		p.put("not ready in time")
	case Active, Reloading:
		if !p.suspect {
			// This process may have been held up itself.
			p.suspect, p.deadline = true, time.Now().Add(lastChance)
			return
		}
		p.put("no sign of life (watchdog)")
	case Stopping:
		p.child.kill()
	case Restarting:
		p.restarts++
		err := p.launch()
		if errors.Is(err, ErrRunning) {
			if c := p.stray(); c != nil {
				p.take(c, true)
				return
			}
		}
		if err != nil {
			p.deadline = time.Now().Add(p.backoff.Next(false, 0))
			p.result = err.Error()
			p.note(slog.LevelWarn, "process not started", "err", err)
		}
	case Inactive:
	}
}

// put kills the child for a reason.
func (p *process) put(why string) {
	p.why = why
	p.child.kill()
}

// rotate looks after the log. A child that was found has one as well.
func (p *process) rotate() {
	if p.child == nil || p.spec.Log == "" {
		return
	}
	if err := rotateIfLarge(filepath.Clean(p.spec.Log), logSize); err != nil {
		p.note(slog.LevelWarn, "log not rotated", "err", err)
	}
}
