package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	maxConns   = 1024
	maxHeaders = 32 << 10
	readFor    = 5 * time.Second  // a request; compat: skupper v2 network-observer
	writeFor   = 30 * time.Second // an answer; streams of events give each event as long
	idleFor    = 2 * time.Minute
	endFor     = time.Second // what is being answered when the context ends
)

// Serve serves h on a listener until the context ends, with TLS if there is a
// configuration. Clients that are slow, or too many, do not hold it up.
func Serve(ctx context.Context, l net.Listener, h http.Handler, secure *tls.Config, log *slog.Logger) error {
	srv := &http.Server{
		Handler: h, ReadTimeout: readFor, WriteTimeout: writeFor, IdleTimeout: idleFor, MaxHeaderBytes: maxHeaders,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	if log != nil {
		srv.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug) // what clients do wrong
	}
	l = netutil.LimitListener(l, maxConns)
	if secure != nil {
		srv.TLSConfig = secure.Clone()
		srv.TLSConfig.MinVersion = max(secure.MinVersion, tls.VersionTLS12)
		srv.TLSConfig.NextProtos = []string{"h2", "http/1.1"}
	}
	ended := make(chan struct{})
	running := context.AfterFunc(ctx, func() {
		defer close(ended)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endFor)
		defer cancel()
		if srv.Shutdown(end) != nil {
			_ = srv.Close() // what is left has had its time
		}
	})
	var err error
	if secure != nil {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if !running() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving %s: %w", l.Addr(), err)
}
