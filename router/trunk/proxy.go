package trunk

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Proxy is an HTTP proxy that connects us to any host by CONNECT, RFC 9110
// §9.3.6.
type Proxy struct {
	Address  string // host:port
	User     string // empty: no authorization
	Password string
}

// reach dials an endpoint, through the proxy if there is one.
func (d *Dialer) reach(ctx context.Context, e Endpoint) (net.Conn, error) {
	if d.cfg.Proxy == nil {
		return d.cfg.Dial(ctx, "tcp", e.String())
	}
	nc, err := d.cfg.Dial(ctx, "tcp", d.cfg.Proxy.Address)
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", d.cfg.Proxy.Address, err)
	}
	tunnel, err := d.cfg.Proxy.connect(ctx, nc, e)
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("proxy %s: %w", d.cfg.Proxy.Address, err)
	}
	return tunnel, nil
}

// connect asks the proxy at the other end of nc for a tunnel.
func (p *Proxy) connect(ctx context.Context, nc net.Conn, e Endpoint) (net.Conn, error) {
	_ = nc.SetDeadline(time.Now().Add(dialTimeout))
	release := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	defer release()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: e.String()}, Host: e.String(), Header: http.Header{}}
	if p.User != "" {
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(p.User+":"+p.Password)))
	}
	if err := req.Write(nc); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(nc, 4096)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s for %s", resp.Status, e)
	}
	if r.Buffered() > 0 {
		return nil, fmt.Errorf("%d bytes before ours", r.Buffered()) // the side that dials speaks first
	}
	return nc, nc.SetDeadline(time.Time{})
}
