package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Config is what a Supervisor works with.
type Config struct {
	// Socket is the path of the notify socket. Processes of another user must
	// be able to reach it.
	Socket string
	Log    *slog.Logger
	Timing Timing
}

// Ref names a process, and where its records are.
type Ref struct {
	Name    string
	Records string // directory; only the supervisor may write it
	PIDFile string // for people; may be empty
}

// Spec is how a process is run.
type Spec struct {
	Command    []string      `json:"command"` // absolute path of the program, arguments
	Env        []string      `json:"env"`     // the whole environment
	User       string        `json:"user"`    // of Credential, for the caller
	Credential *Credential   `json:"credential,omitempty"`
	LowPorts   bool          `json:"lowPorts"` // may bind ports below the unprivileged start, where Credential is set
	RunDir     string        `json:"runDir"`   // made for the process, 0700 and its own
	Log        string        `json:"log"`
	Stop       time.Duration `json:"stop"`     // from the request to end until it is killed
	Watchdog   time.Duration `json:"watchdog"` // longest time without a sign of life; 0: any
	Tag        string        `json:"tag"`      // of the caller; kept with the process
}

// Credential is the user that a process runs as.
type Credential struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// Phase is where a process stands.
type Phase string

// The phases.
//
//	Inactive ──start──→ Starting ──READY──→ Active ⇄ Reloading
//	    ↑                  │  ↑                │
//	    │                ended │             ended, or no sign of life
//	    │                  ↓  time             ↓
//	    ├──────────────── Restarting ←─────────┘
//	    └──ended── Stopping ←──stop── (any with a process)
const (
	Inactive   Phase = "inactive"
	Starting   Phase = "starting"
	Active     Phase = "active"
	Reloading  Phase = "reloading"
	Stopping   Phase = "stopping"
	Restarting Phase = "restarting"
)

// Status is what is known of a process.
type Status struct {
	Phase    Phase
	PID      int // 0 if there is none
	Since    time.Time
	Text     string // STATUS= of the process
	Result   string // how the last one ended
	Restarts int
	Spec     Spec // that it was started with
}

// ExitError is a process that ended before it was ready.
type ExitError struct {
	Name   string
	Result string
	Text   string
	Log    []string // its last lines
}

func (e *ExitError) Error() string { return fmt.Sprintf("%s: %s", e.Name, e.Result) }

// ErrNotRunning is wrapped by requests to a Supervisor whose Run has not begun
// or has ended, and by Reload of a process that is not there.
var ErrNotRunning = errors.New("not running")

// Supervisor keeps processes running.
type Supervisor struct {
	config Config
	begun  chan struct{} // closed when Run has begun
	over   chan struct{} // closed when Run ends
	found  chan *process // to Run, which has it run

	mu        sync.Mutex
	processes map[string]*process // guarded by mu; by name
	byPID     map[int]*process    // guarded by mu
}

// New makes a Supervisor. It does nothing until Run.
func New(c Config) *Supervisor {
	c.Timing = c.Timing.withDefaults()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Supervisor{
		config: c, begun: make(chan struct{}), over: make(chan struct{}), found: make(chan *process),
		processes: make(map[string]*process), byPID: make(map[int]*process),
	}
}

// Run supervises until ctx is done, and then leaves every process running, for
// the next supervisor to find. It can run once.
func (s *Supervisor) Run(ctx context.Context) error {
	conn, err := listen(s.config.Socket)
	if err != nil {
		return err
	}
	if own, err := os.Lstat(s.config.Socket); err == nil {
		defer func() {
			if now, err := os.Lstat(s.config.Socket); err == nil && os.SameFile(own, now) {
				_ = os.Remove(s.config.Socket) // the next supervisor makes its own
			}
		}()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer close(s.over)
	defer cancel(nil)
	group.Go(func() {
		if err := receive(ctx, conn, func(g sign) { s.deliver(ctx, g) }); err != nil {
			cancel(err)
		}
	})
	close(s.begun)
	for {
		select {
		case p := <-s.found:
			group.Go(func() { p.run(ctx) })
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, ctx.Err()) {
				return err
			}
			return nil
		}
	}
}

// deliver gives a message to the process that sent it. Others are ignored.
func (s *Supervisor) deliver(ctx context.Context, g sign) {
	s.mu.Lock()
	p := s.byPID[g.pid]
	s.mu.Unlock()
	if p == nil {
		return
	}
	select {
	case p.signs <- g:
	case <-p.gone:
	case <-ctx.Done():
	}
}

// process finds what looks after the process, and begins to if need be: with
// the one that runs, if there is one. It waits for Run to begin.
func (s *Supervisor) process(ctx context.Context, ref Ref) (*process, error) {
	select {
	case <-s.begun:
	case <-ctx.Done():
		return nil, fmt.Errorf("supervisor: %w", errors.Join(ErrNotRunning, ctx.Err()))
	}
	s.mu.Lock()
	p := s.processes[ref.Name]
	known := p != nil
	if !known {
		p = newProcess(s, ref)
		s.processes[ref.Name] = p
	}
	s.mu.Unlock()
	if !known {
		select {
		case s.found <- p:
		case <-s.over:
			close(p.gone) // it never ran
		}
	}
	select {
	case <-p.looked:
		return p, nil
	case <-p.gone:
	case <-s.over:
	}
	return nil, fmt.Errorf("supervisor: %w", ErrNotRunning)
}

// Start starts a process, unless one with the same tag runs, and returns when it
// is ready. Errors are an *ExitError, or of the system. Unless it is stopped, a process that
// failed to start is tried again.
func (s *Supervisor) Start(ctx context.Context, ref Ref, spec Spec) error {
	return s.request(ctx, ref, request{verb: verbStart, spec: spec})
}

// Restart stops a process, if it runs, and starts it.
func (s *Supervisor) Restart(ctx context.Context, ref Ref, spec Spec) error {
	return s.request(ctx, ref, request{verb: verbRestart, spec: spec})
}

// Update changes how a process is run from its next start on. Its tag stays.
func (s *Supervisor) Update(ctx context.Context, ref Ref, spec Spec) error {
	return s.request(ctx, ref, request{verb: verbUpdate, spec: spec})
}

// Reload sends SIGHUP to a process, once it is ready. One that ended by itself
// is started again at once. Errors wrap ErrNotRunning.
func (s *Supervisor) Reload(ctx context.Context, ref Ref) error {
	return s.request(ctx, ref, request{verb: verbReload})
}

// Stop ends a process: SIGTERM, and SIGKILL when its time to stop is over. It
// returns when the process is gone.
func (s *Supervisor) Stop(ctx context.Context, ref Ref) error {
	return s.request(ctx, ref, request{verb: verbStop})
}

func (s *Supervisor) request(ctx context.Context, ref Ref, r request) error {
	p, err := s.process(ctx, ref)
	if err != nil {
		return fmt.Errorf("%s: %w", ref.Name, err)
	}
	r.reply = make(chan error, 1)
	select {
	case p.requests <- r:
	case <-p.gone:
		return fmt.Errorf("supervisor: %w", ErrNotRunning)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-r.reply:
		return err
	case <-p.gone:
		return fmt.Errorf("supervisor: %w", ErrNotRunning)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Status tells how a process is. Where Run runs it begins to be looked after;
// anywhere else its record is read, or its lock.
func (s *Supervisor) Status(ctx context.Context, ref Ref) Status {
	select {
	case <-s.begun:
	default:
		return recorded(ref)
	}
	p, err := s.process(ctx, ref)
	if err != nil {
		return recorded(ref)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.status
}

// recorded is the status of a process as its record has it, or its lock.
func recorded(ref Ref) Status {
	rec, ok := readRecord(ref)
	if !ok || !rec.alive() {
		if id, held := stray(ref); held {
			return Status{Phase: Active, PID: id.PID}
		}
		if !ok {
			return Status{Phase: Inactive}
		}
		return Status{Phase: Inactive, Result: "ended"}
	}
	s := Status{Phase: Starting, PID: rec.PID, Since: rec.Started, Spec: rec.Spec}
	if rec.Ready {
		s.Phase = Active
	}
	return s
}
