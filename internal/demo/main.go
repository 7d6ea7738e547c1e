package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run is `demo up PROGRAM SITES`, `demo down PROGRAM`, or, in a process of its
// own, `demo serve ADDRESS`.
func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch {
	case len(args) == 3 && args[0] == "up":
		return newDemo(args[1]).up(ctx, args[2])
	case len(args) == 2 && args[0] == "down":
		return newDemo(args[1]).down(ctx)
	case len(args) == 2 && args[0] == "serve":
		return serve(args[1])
	}
	return errors.New("usage: demo up PROGRAM SITES | demo down PROGRAM")
}
