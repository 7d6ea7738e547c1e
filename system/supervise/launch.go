package supervise

import (
	"fmt"
	"log/slog"
	"os"
	"time"
)

// find takes up a process that an earlier supervisor left: the one that the
// record names, or whoever holds the lock.
func (p *process) find() {
	rec, ok := readRecord(p.ref)
	if ok && rec.alive() {
		if c, err := adopt(rec.identity); err == nil {
			p.spec, p.started = rec.Spec, rec.Started
			p.take(c, rec.Ready)
			return
		}
	}
	if c := p.stray(); c != nil {
		p.started = time.Now()
		p.take(c, true)
	}
}

// stray is a process without a record that holds the lock.
func (p *process) stray() *child {
	id, ok := stray(p.ref)
	if !ok {
		return nil
	}
	c, err := adopt(id)
	if err != nil {
		return nil
	}
	return c
}

// take makes a process that was found the child.
func (p *process) take(c *child, ready bool) {
	p.child, p.ready, p.adopted = c, ready, true
	p.phase = Starting
	p.deadline = time.Now().Add(p.super.config.Timing.Ready)
	if ready {
		p.active()
	}
	p.register(c)
	p.watch(c)
	p.note(slog.LevelInfo, "process found", "pid", c.PID)
}

func (p *process) register(c *child) {
	p.super.mu.Lock()
	defer p.super.mu.Unlock()
	p.super.byPID[c.PID] = p
}

// active is what follows when the child is ready.
func (p *process) active() {
	p.phase, p.ready, p.suspect, p.deadline = Active, true, false, time.Time{}
	if p.spec.Watchdog > 0 {
		p.deadline = time.Now().Add(p.spec.Watchdog)
	}
}

// launch starts a child.
func (p *process) launch() error {
	if len(p.spec.Command) == 0 {
		return fmt.Errorf("%s: no command", p.ref.Name)
	}
	if err := makeRunDir(p.spec); err != nil {
		return err
	}
	if err := os.MkdirAll(p.ref.Records, 0o700); err != nil {
		return err
	}
	lock, err := takeLock(p.ref.lockPath())
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // the child has its own descriptor
	log, size, err := openLogFile(p.spec.Log)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // as above
	cmd := command(p.spec, p.super.config.Socket, lock, log)

	// A message of the child must find it registered.
	p.super.mu.Lock()
	c, err := spawn(cmd)
	if err == nil {
		p.super.byPID[c.PID] = p
	}
	p.super.mu.Unlock()
	if err != nil {
		return err
	}
	p.child, p.ready, p.adopted, p.why, p.text, p.logStart = c, false, false, "", "", size
	p.phase, p.started = Starting, time.Now()
	p.deadline = p.started.Add(p.super.config.Timing.Ready)
	p.watch(c)
	p.leaveRecord()
	p.note(slog.LevelInfo, "process started", "pid", c.PID)
	return nil
}

func makeRunDir(spec Spec) error {
	if spec.RunDir == "" {
		return nil
	}
	if err := os.MkdirAll(spec.RunDir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(spec.RunDir, 0o700); err != nil {
		return err
	}
	if c := spec.Credential; c != nil {
		return os.Lchown(spec.RunDir, int(c.UID), int(c.GID))
	}
	return nil
}

// leaveRecord is for the next supervisor. Without it the lock still leads to
// the process.
func (p *process) leaveRecord() {
	rec := record{identity: p.child.identity, Spec: p.spec, Started: p.started, Ready: p.ready}
	if err := rec.write(p.ref); err != nil {
		p.note(slog.LevelWarn, "record not written", "err", err)
	}
}
