package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	program := flag.String("program", "./skupper", "the built binary")
	sizes := flag.String("sizes", "10,100,1000,4000", "numbers of listeners, and of as many connectors, of one site")
	changes := flag.Int("changes", 9, "changes of one listener at each size")
	namespaces := flag.Int("namespaces", 100, "idle sites on one host; 0: none")
	idle := flag.Duration("idle", 20*time.Second, "how long they are idle before they are looked at")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	path, err := filepath.Abs(*program)
	if err != nil {
		return err
	}
	if err := largeSites(ctx, path, *sizes, *changes); err != nil {
		return err
	}
	if *namespaces == 0 {
		return nil
	}
	return manySites(ctx, path, *namespaces, *idle)
}

// largeSites prints a line for each size of a site.
func largeSites(ctx context.Context, program, sizes string, changes int) error {
	fmt.Println("| listeners + connectors | apply, ms | apply again, ms | change one, ms (median, range) | CPU of apply, agent + router, ms | agent, MiB (peak) | router, MiB (peak) |")
	fmt.Println("|--:|--:|--:|--:|--:|--:|--:|")
	for size := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(size))
		if err != nil {
			return fmt.Errorf("-sizes: %w", err)
		}
		if err := largeSite(ctx, program, n, changes); err != nil {
			return fmt.Errorf("%d listeners and connectors: %w", n, err)
		}
	}
	fmt.Println()
	return nil
}

func largeSite(ctx context.Context, program string, n, changes int) (err error) {
	h, err := newHome(program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.clear(ctx)) }()
	input := h.path("input")
	if err := writeSite(input, n); err != nil {
		return err
	}
	first, err := h.time(ctx, "system", "apply", input)
	if err != nil {
		return err
	}
	agent, router, err := h.processes("default")
	if err != nil {
		return err
	}
	cpu := agent.cpu + router.cpu
	again, err := h.time(ctx, "system", "apply", input)
	if err != nil {
		return err
	}
	var times []time.Duration
	for i := range changes {
		took, err := h.time(ctx, "listener", "update", "l0", "--port", strconv.Itoa(firstPort-1-i))
		if err != nil {
			return err
		}
		times = append(times, took)
	}
	if agent, router, err = h.processes("default"); err != nil {
		return err
	}
	median, least, most := spread(times)
	fmt.Printf("| %d + %d | %d | %d | %d (%d–%d) | %d | %d (%d) | %d (%d) |\n", n, n, first.Milliseconds(), again.Milliseconds(),
		median.Milliseconds(), least.Milliseconds(), most.Milliseconds(), cpu.Milliseconds(), agent.rss>>20, agent.peak>>20, router.rss>>20, router.peak>>20)
	return nil
}

// manySites prints what many idle sites cost.
func manySites(ctx context.Context, program string, n int, idle time.Duration) (err error) {
	h, err := newHome(program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.clear(ctx)) }()
	began := time.Now()
	for i := range n {
		if _, err := h.time(ctx, "-n", siteName(i), "site", "create", siteName(i), "--enable-link-access", "--start"); err != nil {
			return err
		}
	}
	started := time.Since(began)
	before, err := h.all(n)
	if err != nil {
		return err
	}
	select {
	case <-time.After(idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := h.all(n)
	if err != nil {
		return err
	}
	fmt.Println("| process | number | resident, MiB (mean, most) | its own, MiB (mean) | threads (mean) | CPU while idle, ms per minute and process |")
	fmt.Println("|---|--:|--:|--:|--:|--:|")
	after[:1].print("agent", before[:1], idle)
	after[1:].print("router", before[1:], idle)
	fmt.Printf("\n%d sites were created and started one after another in %.1f s.\n", n, started.Seconds())
	return nil
}

func siteName(i int) string { return fmt.Sprintf("site%03d", i) }
