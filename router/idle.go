package router

import "context"

// keepLot keeps idle streams without goroutines, and a few goroutines for
// streams that come, until ctx is done.
func (r *Router) keepLot(ctx context.Context) {
	defer r.crew.Close()
	if err := r.lot.Run(ctx); err != nil {
		r.log.Warn("idle streams cost more memory than they need to", "module", "TCP_ADAPTOR", "err", err)
	}
}
