package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Where the parts of the demonstration are. The sites are those of
// testdata/sites/hello-world.
const (
	serverAddress = "127.0.0.1:18090" // behind east's connector
	request       = "http://localhost:18080/"
	patience      = 30 * time.Second // for the first answer through both sites
	poll          = 50 * time.Millisecond
)

// demo is the demonstration of one user.
type demo struct {
	program string // the built binary
	dir     string // everything that the demonstration makes
}

func newDemo(program string) *demo {
	return &demo{program: program, dir: filepath.Join(os.TempDir(), "skupper-demo-"+strconv.Itoa(os.Getuid()))}
}

func (d *demo) path(elem ...string) string { return filepath.Join(append([]string{d.dir}, elem...)...) }

// up makes both sites, links them, and sends a request through them.
func (d *demo) up(ctx context.Context, sites string) error {
	for _, dir := range []string{d.dir, d.path("home"), d.path("run"), d.path("bin")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := d.writeCommand(); err != nil {
		return err
	}
	if err := d.startServer(); err != nil {
		return err
	}
	fmt.Println("== Site west: others may link to it; it listens on localhost:18080")
	if err := d.skupper(ctx, "-n", "west", "system", "apply", filepath.Join(sites, "west")); err != nil {
		return err
	}
	fmt.Println("== A link to west for site east")
	link := d.path("link.yaml")
	if err := d.link(ctx, link); err != nil {
		return err
	}
	fmt.Println("== Site east: links to west; its connector leads to a web server on " + serverAddress)
	if err := d.skupper(ctx, "-n", "east", "system", "apply", filepath.Join(sites, "east"), link); err != nil {
		return err
	}
	fmt.Println("== GET " + request)
	answer, err := d.ask(ctx)
	if err != nil {
		return err
	}
	fmt.Print(answer)
	return d.explain(ctx)
}

// writeCommand makes a command that uses the demonstration's home.
func (d *demo) writeCommand() error {
	script := fmt.Sprintf("#!/bin/sh\n# skupper, in the home of the demonstration\n%s exec '%s' \"$@\"\n", strings.Join(d.environment(), " "), d.program)
	return os.WriteFile(d.path("bin", "skupper"), []byte(script), 0o700)
}

// environment places the demonstration beside the user's own sites.
func (d *demo) environment() []string {
	return []string{
		"SKUPPER_AGENT_INSTANCE=user", "SKUPPER_OUTPUT_PATH=" + d.path("home"), "XDG_CONFIG_HOME=" + d.path("home", "config"),
		"XDG_RUNTIME_DIR=" + d.path("run"), "DBUS_SESSION_BUS_ADDRESS=unix:path=" + d.path("no-bus"),
	}
}

// skupper runs a command and shows it.
func (d *demo) skupper(ctx context.Context, args ...string) error {
	fmt.Println("$ skupper " + strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, d.program, args...)
	cmd.Env = append(os.Environ(), d.environment()...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("skupper %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// link writes a link file of west, unless there is one.
func (d *demo) link(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err == nil {
		fmt.Println("  (made by an earlier run)")
		return nil
	}
	return d.skupper(ctx, "-n", "west", "link", "generate", "--host", "localhost", "--output-file", file)
}

// ask sends the request until an answer comes through.
func (d *demo) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		answer, err := get(ctx)
		if err == nil {
			return answer, nil
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return "", fmt.Errorf("no answer within %s: %w; see %s -n west listener status", patience, err, d.path("bin", "skupper"))
		}
	}
}

func get(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, request, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	return string(body), errors.Join(err, resp.Body.Close())
}

// explain says what runs where, and how to look further.
func (d *demo) explain(ctx context.Context) error {
	fmt.Printf(`
What runs:
  client → localhost:18080 → router west ═ TLS ═ router east → web server %s
`, serverAddress)
	fmt.Println()
	if err := d.skupper(ctx, "system", "status"); err != nil {
		return err
	}
	fmt.Printf(`
To look further:
  curl %s
  %s -n west link status
  %s -n east connector status -o wide

make demo-down removes all of it (%s).
`, request, d.path("bin", "skupper"), d.path("bin", "skupper"), d.dir)
	return nil
}

// down removes everything that up made.
func (d *demo) down(ctx context.Context) error {
	if _, err := os.Stat(d.dir); errors.Is(err, os.ErrNotExist) {
		fmt.Println("there is no demonstration")
		return nil
	}
	var errs []error
	for _, ns := range []string{"east", "west"} {
		if _, err := os.Stat(d.path("home", "namespaces", ns)); err == nil {
			errs = append(errs, d.skupper(ctx, "-n", ns, "system", "teardown", "--yes", "--purge"))
		}
	}
	errs = append(errs, d.stopServer(), d.awaitAgent(ctx), os.RemoveAll(d.dir))
	return errors.Join(errs...)
}

// awaitAgent returns when the agent is gone: it ends by itself once it has
// nothing to look after.
func (d *demo) awaitAgent(ctx context.Context) error {
	socket := d.path("run", "skupper", "agent.sock")
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		c, err := net.DialTimeout("unix", socket, time.Second)
		if err != nil {
			return nil
		}
		if err := c.Close(); err != nil {
			return err
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return errors.New("the agent does not end")
		}
	}
}

// startServer runs the web server as a process of its own, unless it runs.
func (d *demo) startServer() error {
	if c, err := net.DialTimeout("tcp", serverAddress, time.Second); err == nil {
		if _, running := d.serverPID(); !running {
			return errors.Join(fmt.Errorf("something else listens on %s", serverAddress), c.Close())
		}
		return c.Close()
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "serve", serverAddress)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	return os.WriteFile(d.path("server.pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600)
}

// serverPID is the process of the server, if it is there.
func (d *demo) serverPID() (pid int, running bool) {
	data, err := os.ReadFile(d.path("server.pid"))
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(string(data))
	if err != nil {
		return 0, false
	}
	args, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return pid, err == nil && strings.Contains(string(args), serverAddress)
}

func (d *demo) stopServer() error {
	pid, running := d.serverPID()
	if !running {
		return nil
	}
	return syscall.Kill(pid, syscall.SIGTERM)
}

// serve is the web server behind east's connector.
func serve(address string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	s := &http.Server{
		Addr: address, ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "Hello from %s behind site east (asked for %s).\n", host, r.URL.Path)
		}),
	}
	return s.ListenAndServe()
}
