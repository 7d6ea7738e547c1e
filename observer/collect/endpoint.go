package collect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
)

// Endpoint is where a router takes AMQP connections.
type Endpoint struct {
	Network, Address string      // "unix" and a path, or "tcp" and HOST:PORT
	Host             string      // the router's name in TLS
	TLS              *tls.Config // nil: none
	External         bool        // log in with the client's certificate (SASL EXTERNAL)
}

// Certificates are the files of mutual TLS.
type Certificates struct {
	Cert, Key, CA string // paths; "" = none
	Insecure      bool   // do not check who the router is
}

// ParseEndpoint reads the URL of a router: amqp://HOST[:5672],
// amqps://HOST[:5671], or unix:PATH. Certificates are read from their files.
func ParseEndpoint(text string, c Certificates) (Endpoint, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		path = strings.TrimPrefix(path, "//")
		if path == "" {
			return Endpoint{}, fmt.Errorf("router endpoint %q: no path", text)
		}
		return Endpoint{Network: "unix", Address: path}, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return Endpoint{}, fmt.Errorf("router endpoint: %w", err)
	}
	if u.Hostname() == "" {
		return Endpoint{}, fmt.Errorf("router endpoint %q: no host; write amqps://HOST:PORT, amqp://HOST:PORT or unix:PATH", text)
	}
	e := Endpoint{Network: "tcp", Host: u.Hostname()}
	port := u.Port()
	switch u.Scheme {
	case "amqp":
		if port == "" {
			port = "5672"
		}
	case "amqps":
		if port == "" {
			port = "5671"
		}
		if e.TLS, err = c.config(e.Host); err != nil {
			return Endpoint{}, err
		}
		e.External = len(e.TLS.Certificates) > 0
	default:
		return Endpoint{}, fmt.Errorf("router endpoint %q: write amqps://HOST:PORT, amqp://HOST:PORT or unix:PATH", text)
	}
	e.Address = net.JoinHostPort(e.Host, port)
	return e, nil
}

func (c Certificates) config(host string) (*tls.Config, error) {
	out := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.Insecure}
	if (c.Cert == "") != (c.Key == "") {
		return nil, errors.New("router certificate: certificate and key belong together")
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("router certificate: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("router CA: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("router CA: %s has no certificate", c.CA)
		}
	}
	return out, nil
}
