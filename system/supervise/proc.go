package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// identity tells a process from every other one, also from those that later get
// its number.
type identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks from the boot; proc_pid_stat(5), field 22
	Boot  string `json:"boot"`  // /proc/sys/kernel/random/boot_id
}

// errNoProcess says that there is no such process, or that it is about to go.
var errNoProcess = errors.New("no such process")

// identify reads the identity of the process that has a number now.
func identify(pid int) (identity, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return identity{}, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return identity{}, fmt.Errorf("process %d: %w", pid, errNoProcess)
	}
	start, err := startTime(stat)
	if err != nil {
		return identity{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return identity{PID: pid, Start: start, Boot: string(bytes.TrimSpace(boot))}, nil
}

// startTime reads field 22 of /proc/PID/stat. Fields are counted after the
// name, which is in parentheses and may hold anything. A zombie is no process
// any more.
func startTime(stat []byte) (uint64, error) {
	_, rest, ok := cutLast(stat, ')')
	fields := strings.Fields(string(rest)) // the first one is field 3
	if !ok || len(fields) < 20 {
		return 0, errors.New("stat is not understood")
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return 0, errNoProcess
	}
	return strconv.ParseUint(fields[22-3], 10, 64)
}

func cutLast(b []byte, sep byte) (before, after []byte, ok bool) {
	i := bytes.LastIndexByte(b, sep)
	if i < 0 {
		return b, nil, false
	}
	return b[:i], b[i+1:], true
}

// alive reports whether the process still runs.
func (i identity) alive() bool {
	if i.PID <= 0 {
		return false
	}
	now, err := identify(i.PID)
	return err == nil && now == i
}

// holder finds the process that has a file open: the one that holds a lock on
// it, whatever happened to the records.
func holder(path string) (int, bool) {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, false
	}
	self := strconv.Itoa(os.Getpid())
	for _, link := range links {
		pid := strings.Split(link, "/")[2]
		if target, err := os.Readlink(link); err != nil || target != path || pid == self {
			continue
		}
		if n, err := strconv.Atoi(pid); err == nil {
			return n, true
		}
	}
	return 0, false
}
