package observer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/skupper-host/skupper/observer/collect"
	"github.com/skupper-host/skupper/observer/network"
)

// Config says what an observer observes.
type Config struct {
	Router        string        // URL of a router: amqps://, amqp:// or unix:PATH
	Cert, Key, CA string        // files of mutual TLS with it
	Insecure      bool          // do not check who the router is
	TTL           time.Duration // how long connections and requests are kept after their end; 0: 15 min
	NoLogs        bool          // leave the routers' logs alone
	Log           *slog.Logger
	Ready         func() // called when the observer works; may be nil
}

// Run observes until ctx is done. While the router cannot be reached it goes on
// trying. Errors are about the configuration.
func Run(ctx context.Context, cfg Config) error {
	endpoint, err := collect.ParseEndpoint(cfg.Router, collect.Certificates{Cert: cfg.Cert, Key: cfg.Key, CA: cfg.CA, Insecure: cfg.Insecure})
	if err != nil {
		return err
	}
	n := network.New(network.Limits{TTL: cfg.TTL})
	c := collect.New(collect.Config{Endpoint: endpoint, NoLogs: cfg.NoLogs, Log: cfg.Log}, n)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = c.Run(ctx) }) // it returns nil
	if cfg.Ready != nil {
		cfg.Ready()
	}
	<-ctx.Done()
	return nil
}
