package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the bench, or one of the processes that it starts.
func run(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "serve":
			return serve(args[1:])
		case "proxy":
			return proxy(args[1:])
		case "line":
			return line(args[1:])
		case "spin":
			return spin()
		}
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	for round := range o.rounds {
		if err := b.round(ctx, round); err != nil {
			return err
		}
	}
	b.print(os.Stdout)
	return nil
}

// options say what is measured and for how long.
type options struct {
	program string
	rounds  int
	sample  time.Duration // of throughput; of latency and set-up it is half
	idle    int           // connections
	churn   int           // connections
	loads   []string
}

func parse(args []string) (options, error) {
	o := options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.program, "program", "./skupper", "the `binary` whose router is measured")
	f.IntVar(&o.rounds, "rounds", 5, "rounds")
	f.DurationVar(&o.sample, "sample", 4*time.Second, "length of one throughput sample")
	f.IntVar(&o.idle, "idle", 2000, "idle connections whose memory is measured")
	f.IntVar(&o.churn, "churn", 100_000, "connections that come and go before memory is measured again")
	list := f.String("loads", strings.Join(loadNames(), ","), "comma separated `list` of loads")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.loads = strings.Split(*list, ",")
	for _, l := range o.loads {
		if !slices.Contains(loadNames(), l) {
			return o, fmt.Errorf("no load %q, there are %s", l, strings.Join(loadNames(), ", "))
		}
	}
	return o, nil
}
