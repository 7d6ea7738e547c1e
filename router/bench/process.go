package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a child of the bench.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *os.File
}

// start runs a program. What it says goes to a file in dir.
func start(dir, name string, argv ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &process{name: name, cmd: cmd, log: log}, nil
}

// stop ends the process and waits for it.
func (p *process) stop() {
	// It may have ended by itself; how does not matter any more.
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.log.Close()
}

// cpu is the time that the process has run, user and system together.
func (p *process) cpu() (time.Duration, error) {
	// clock_getcpuclockid(3): the scheduler's clock of a process.
	const sched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|sched), &ts); err != nil {
		return 0, fmt.Errorf("%s has ended, see %s: %w", p.name, p.log.Name(), err)
	}
	return time.Duration(ts.Nano()), nil
}

// resident is the resident set of the process in KiB.
func (p *process) resident() (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, fmt.Errorf("%s has ended, see %s", p.name, p.log.Name())
}

// spin keeps every CPU busy with work that gives way to any other (SCHED_IDLE,
// sched(7)): a virtual machine's CPU that sleeps takes tens of microseconds to
// wake, which would be most of what a single echo takes.
func spin() error {
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0); err != nil {
		return err
	}
	parent := os.Getppid()
	for os.Getppid() == parent { // it would never end by itself
	}
	return nil
}
