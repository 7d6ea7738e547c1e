package system

import (
	"context"
	"log/slog"
	"time"

	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/layout"
)

// Options are what the agent knows of its surroundings. They are read once, by
// main.
type Options struct {
	Paths   layout.Paths
	Version string              // of the program
	Binary  string              // its absolute path
	Getenv  func(string) string // the environment
	UID     int
	Log     *slog.Logger

	// IdleExit ends an agent that has had no namespace for so long; 0 is never.
	IdleExit time.Duration

	// Confirm is how long a router may take until it has a new configuration;
	// then the change is undone. 0 is ten seconds.
	Confirm time.Duration

	// Step is called before each step of a change, with words for it; an error
	// stands for the failure of the step. It is for tests; nil otherwise.
	Step func(step string) error

	// Engines gives the container engines of the host.
	Engines host.Engines

	// Dial connects to the management node of a router at its Unix socket.
	Dial func(ctx context.Context, socket string) (Asker, error)
}

// Keys of the log.
const (
	keySite       = "site" // the namespace
	keyErr        = "err"
	keyGeneration = "generation"
	keyPlan       = "plan"
	keyPID        = "pid"
)
