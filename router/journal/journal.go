package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// recentLines is how many lines are kept to be asked for, compat:
// skupper-router 3.x.
const recentLines = 1000

// Setting is what one module logs and where. Nil and empty fields are as in
// module Default; there, an empty Enable is what the process's own handler
// takes.
type Setting struct {
	Module     string
	Enable     string // levels, such as "info+" or "debug,error"
	OutputFile string // a path, stdout or stderr
	Timestamp  *bool  // whether lines begin with the time
	Source     *bool  // whether they end with file and line of the code
}

// Config is what a Journal is told.
type Config struct {
	Settings   []Setting
	TimeFormat string // of strftime, empty is DefaultTimeFormat
	UTC        bool   // times are not local
}

// Line is one line of the log.
type Line struct {
	Time          time.Time
	Module, Level string
	Text          string
	File          string // of the code; empty if unknown
	LineNumber    int
}

// Count is how many lines of a module there were, by level; those that its
// settings suppress may be missing.
type Count struct {
	Module                                string
	Debug, Info, Warning, Error, Critical int
}

// Journal is a log. Its zero value is not usable, see New.
type Journal struct {
	own     slog.Handler // of the process
	stdout  io.Writer
	state   atomic.Pointer[state]
	counts  map[string]*[grades]atomic.Uint64 // by module; the map is read only
	watcher atomic.Pointer[func(Line)]

	mu     sync.Mutex
	files  map[string]*os.File // Guarded by mu: open output files by name.
	recent []Line              // Guarded by mu: a ring.
	oldest int                 // Guarded by mu: where it begins once it is full.
}

// state is the configuration in effect. It is immutable.
type state struct {
	modules map[string]*module
	any     mask // what any module logs
	layout  *layout
}

// module is what one module logs and where.
type module struct {
	name              string
	mask              mask
	out               io.Writer // nil: the process's own handler
	timestamp, source bool
}

// New returns a journal whose modules without an output file log to own. Until
// Configure is called they log what own does.
func New(own slog.Handler, stdout io.Writer) *Journal {
	j := &Journal{own: own, stdout: stdout, files: map[string]*os.File{}, counts: map[string]*[grades]atomic.Uint64{}}
	for _, name := range Modules() {
		j.counts[name] = new([grades]atomic.Uint64)
	}
	_ = j.Configure(Config{}) // opens nothing
	return j
}

// Configure puts a configuration in effect. The error names the output files
// that cannot be opened; their modules log as module Default does.
func (j *Journal) Configure(cfg Config) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var problems []error
	set := map[string]Setting{}
	for _, s := range cfg.Settings {
		set[s.Module] = s
	}
	next := &state{modules: map[string]*module{}, layout: newLayout(cfg.TimeFormat, cfg.UTC)}
	used := map[string]bool{}
	base := &module{name: Default, mask: j.ownMask(), timestamp: true}
	for _, name := range append([]string{Default}, Modules()...) {
		m := *base
		m.name = name
		s := set[name]
		if own, given := parseMask(s.Enable); given {
			m.mask = own
		}
		if s.Timestamp != nil {
			m.timestamp = *s.Timestamp
		}
		if s.Source != nil {
			m.source = *s.Source
		}
		if s.OutputFile != "" {
			out, err := j.open(s.OutputFile, used)
			if err != nil {
				problems = append(problems, fmt.Errorf("log %s: %w", name, err))
			} else {
				m.out = out
			}
		}
		if name == Default {
			base = &m
		}
		next.modules[name] = &m
		next.any |= m.mask
	}
	j.state.Store(next)
	for name, f := range j.files {
		if !used[name] {
			_ = f.Close() // every line is written at once; there is nothing to lose
			delete(j.files, name)
		}
	}
	return errors.Join(problems...)
}

// ownMask is what the process's own handler takes.
func (j *Journal) ownMask() (m mask) {
	for g, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, LevelCritical} {
		if j.own.Enabled(context.Background(), level) {
			m |= 1 << g
		}
	}
	return m
}

// open returns the output of that name, nil for the process's own handler. It
// is called with mu held.
func (j *Journal) open(name string, used map[string]bool) (io.Writer, error) {
	switch name {
	case "stderr", "syslog": // compat: the supervisor takes it to the system's log
		return nil, nil
	case "stdout":
		return j.stdout, nil
	}
	used[name] = true
	if f := j.files[name]; f != nil {
		return f, nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err
	}
	j.files[name] = f
	return f, nil
}

// Close closes the output files; what is logged afterwards goes to the
// process's own handler.
func (j *Journal) Close() error { return j.Configure(Config{}) }

// Enabled reports whether a module logs at a level, for those who would have
// to make an effort to say something.
func (j *Journal) Enabled(name string, level slog.Level) bool {
	return j.state.Load().module(name).mask.has(gradeOf(level))
}

func (s *state) module(name string) *module {
	if m := s.modules[name]; m != nil {
		return m
	}
	return s.modules[fallback]
}

// Watch makes f hear of every line of level warning and above, on the
// goroutine that logs; nil ends it. f must not log.
func (j *Journal) Watch(f func(Line)) {
	if f == nil {
		j.watcher.Store(nil)
		return
	}
	j.watcher.Store(&f)
}

// Recent returns the last lines, the oldest first; limit < 0 is all that are
// kept.
func (j *Journal) Recent(limit int) []Line {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Concat(j.recent[j.oldest:], j.recent[:j.oldest])
	if limit >= 0 && limit < len(all) {
		all = all[len(all)-limit:]
	}
	return all
}

// Counts returns the counters of all modules, by name.
func (j *Journal) Counts() []Count {
	var list []Count
	for _, name := range slices.Sorted(maps.Keys(j.counts)) {
		n := func(g grade) int { return int(j.counts[name][g].Load()) }
		list = append(list, Count{
			Module: name, Debug: n(debug), Info: n(info), Warning: n(warning), Error: n(failure), Critical: n(critical),
		})
	}
	return list
}

// Enter logs a line whatever the settings of its module say: somebody has asked
// for it in another way.
func (j *Journal) Enter(name string, level slog.Level, text string) {
	s := j.state.Load()
	m, g := s.module(name), gradeOf(level)
	j.counts[m.name][g].Add(1)
	l := Line{Time: time.Now(), Module: m.name, Level: g.String(), Text: text}
	j.write(s, m, g, l)
	if m.out == nil {
		r := slog.NewRecord(l.Time, level, text, 0)
		r.Add(ModuleKey, m.name)
		_ = j.own.Handle(context.Background(), r) // as a logger does
	}
}

// write enters a line: among the recent ones, and in the module's output.
func (j *Journal) write(s *state, m *module, g grade, l Line) {
	j.mu.Lock()
	if len(j.recent) < recentLines {
		j.recent = append(j.recent, l)
	} else {
		j.recent[j.oldest] = l
		j.oldest = (j.oldest + 1) % recentLines
	}
	if m.out != nil {
		// A log that cannot be written has nowhere to say so.
		_, _ = m.out.Write(m.appendLine(nil, s.layout, l))
	}
	j.mu.Unlock()
	if f := j.watcher.Load(); f != nil && g >= warning {
		(*f)(l)
	}
}

// appendLine appends the line in upstream's format.
func (m *module) appendLine(dst []byte, layout *layout, l Line) []byte {
	if m.timestamp {
		dst = append(layout.format(dst, l.Time), ' ')
	}
	dst = fmt.Appendf(dst, "%s (%s) %s", l.Module, l.Level, l.Text)
	if m.source && l.File != "" {
		dst = fmt.Appendf(dst, " (%s:%d)", l.File, l.LineNumber)
	}
	return append(dst, '\n')
}

// sourceOf finds file and line of a record.
func sourceOf(pc uintptr) (file string, line int) {
	if pc == 0 {
		return "", 0
	}
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return f.File, f.Line
}
