package collect

import (
	"context"
	"crypto/tls"
	"net"
)

// secure makes the client's end of a TLS connection; without a configuration it
// is the connection itself. It closes the connection if that fails.
func secure(ctx context.Context, nc net.Conn, cfg *tls.Config) (net.Conn, error) {
	if cfg == nil {
		return nc, nil
	}
	t := tls.Client(nc, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = nc.Close() // it failed for another reason
		return nil, err
	}
	return t, nil
}
