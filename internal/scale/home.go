package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// home is a place in which the program finds nothing but what it made.
type home struct {
	program string
	dir     string
}

func newHome(program string) (*home, error) {
	dir, err := os.MkdirTemp("", "skscale")
	if err != nil {
		return nil, err
	}
	h := &home{program: program, dir: dir}
	return h, os.Mkdir(h.path("run"), 0o700)
}

func (h *home) path(elem ...string) string { return filepath.Join(append([]string{h.dir}, elem...)...) }

func (h *home) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, h.program, args...)
	cmd.Env = append(os.Environ(), "SKUPPER_AGENT_INSTANCE=user", "SKUPPER_OUTPUT_PATH="+h.path("home"), "XDG_CONFIG_HOME="+h.path("config"),
		"XDG_RUNTIME_DIR="+h.path("run"), "DBUS_SESSION_BUS_ADDRESS=unix:path="+h.path("no-bus"))
	return cmd
}

// time runs a command that has to succeed and says how long it took.
func (h *home) time(ctx context.Context, args ...string) (time.Duration, error) {
	cmd := h.command(ctx, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("skupper %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return time.Since(began), nil
}

// clear destroys every site and waits for the agent, which ends when nothing is
// left.
func (h *home) clear(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	spaces, err := os.ReadDir(h.path("home", "namespaces"))
	errs := []error{err}
	for _, ns := range spaces {
		if ns.IsDir() {
			_, err := h.time(ctx, "-n", ns.Name(), "system", "teardown", "--yes", "--purge")
			errs = append(errs, err)
		}
	}
	if pid := h.agentPID(ctx); pid > 0 {
		for deadline := time.Now().Add(30 * time.Second); ; {
			if _, err := look(pid); err != nil {
				break
			}
			if time.Now().After(deadline) {
				errs = append(errs, errors.New("the agent does not end"))
				break
			}
			<-time.After(50 * time.Millisecond)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(h.dir))...)
}

// agentPID is the agent's process, 0 if none answers.
func (h *home) agentPID(ctx context.Context) int {
	out, err := h.command(ctx, "system", "status", "-o", "json").Output()
	var status struct{ Agent struct{ PID int } }
	if err != nil || json.Unmarshal(out, &status) != nil {
		return 0
	}
	return status.Agent.PID
}

func (h *home) routerPID(namespace string) (int, error) {
	data, err := os.ReadFile(h.path("run", "skupper", namespace, "router.pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.Fields(string(data))[0])
}

// processes looks at the agent and at the router of a namespace.
func (h *home) processes(namespace string) (agent, router process, err error) {
	if agent, err = look(h.agentPID(context.Background())); err != nil {
		return agent, router, err
	}
	pid, err := h.routerPID(namespace)
	if err != nil {
		return agent, router, err
	}
	router, err = look(pid)
	return agent, router, err
}

// processList is some processes.
type processList []process

// all looks at the agent, which comes first, and at n routers.
func (h *home) all(n int) (processList, error) {
	agent, err := look(h.agentPID(context.Background()))
	if err != nil {
		return nil, err
	}
	list := processList{agent}
	for i := range n {
		pid, err := h.routerPID(siteName(i))
		if err != nil {
			return nil, err
		}
		p, err := look(pid)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// print writes a line about processes; before is how they were idle ago.
func (l processList) print(name string, before processList, idle time.Duration) {
	var rss, most, own, threads int64
	var cpu time.Duration
	for i, p := range l {
		rss, own, threads, most = rss+p.rss, own+p.own, threads+p.threads, max(most, p.rss)
		cpu += p.cpu - before[i].cpu
	}
	n := int64(len(l))
	const mib = 1 << 20
	fmt.Printf("| %s | %d | %.1f, %.1f | %.1f | %.1f | %.0f |\n", name, n, float64(rss)/float64(n)/mib, float64(most)/mib, float64(own)/float64(n)/mib,
		float64(threads)/float64(n), float64(cpu.Milliseconds())/float64(n)/idle.Minutes())
}

// process is what the kernel says of a process; sizes in bytes.
type process struct {
	rss, peak, own, threads int64
	cpu                     time.Duration
}

// tick is the unit of times in /proc/<pid>/stat: USER_HZ.
const tick = 10 * time.Millisecond

func look(pid int) (process, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return process{}, err
	}
	var p process
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		value, _ := strconv.ParseInt(number, 10, 64) // of the lines that are looked for it is a number
		switch name {
		case "VmRSS":
			p.rss = value << 10
		case "VmHWM":
			p.peak = value << 10
		case "RssAnon":
			p.own = value << 10
		case "Threads":
			p.threads = value
		}
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return process{}, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name before it may hold blanks
	fields := strings.Fields(rest)
	const user, system = 11, 12 // proc_pid_stat(5), counted from the state
	if len(fields) <= system {
		return process{}, fmt.Errorf("%s/stat: %q", dir, stat)
	}
	for _, f := range fields[user : system+1] {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return process{}, err
		}
		p.cpu += time.Duration(ticks) * tick
	}
	return p, nil
}

// firstPort is the first that a large site listens on; its connectors lead
// nowhere.
const firstPort = 12000

// writeSite writes the files of a site with n listeners and n connectors, one
// each. Its addresses are those of a loopback interface that nobody else uses.
func writeSite(dir string, n int) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	const head = "apiVersion: skupper.io/v2alpha1\nkind: %s\nmetadata: {name: %s}\n"
	files := map[string]string{"site": fmt.Sprintf(head, "Site", "large")}
	for i := range n {
		name := fmt.Sprintf("l%d", i)
		files[name] = fmt.Sprintf(head+"spec: {routingKey: k%d, host: 127.77.0.1, port: %d}\n", "Listener", name, i, firstPort+i)
		name = fmt.Sprintf("c%d", i)
		files[name] = fmt.Sprintf(head+"spec: {routingKey: k%d, host: 127.77.0.2, port: %d}\n", "Connector", name, i, firstPort+i)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// spread is the middle and the ends of some times.
func spread(times []time.Duration) (median, least, most time.Duration) {
	if len(times) == 0 {
		return 0, 0, 0
	}
	slices.Sort(times)
	return times[len(times)/2], times[0], times[len(times)-1]
}
