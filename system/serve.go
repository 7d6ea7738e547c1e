package system

import (
	"context"
	"errors"
	"sync"

	"github.com/skupper-host/skupper/system/host"
)

// Serve runs an agent and what has to run beside it, such as the built-in
// supervisor where no systemd runs the routers. It returns when ctx is done or
// one of them ends with an error; routers go on. ready is called once the agent
// answers.
func Serve(ctx context.Context, o Options, units host.Units, ready func(), beside ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(beside)+1)
	var parts sync.WaitGroup
	for i, run := range beside {
		parts.Go(func() {
			if errs[i] = run(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	errs[len(beside)] = NewAgent(o, units).Run(ctx, ready)
	cancel()
	parts.Wait()
	return errors.Join(errs...)
}
