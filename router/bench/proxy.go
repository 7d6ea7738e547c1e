package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// proxy is one end of the bare pair: `bench proxy -listen A -dial B -certs DIR
// -tls listen|dial`.
func proxy(args []string) error {
	f := flag.NewFlagSet("proxy", flag.ContinueOnError)
	from := f.String("listen", "", "")
	to := f.String("dial", "", "")
	certs := f.String("certs", "", "")
	side := f.String("tls", "", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	conf, err := mutualTLS(*certs, map[string]string{"listen": "server", "dial": "client"}[*side])
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *from)
	if err != nil {
		return err
	}
	return accept(ln, func(in net.Conn) {
		defer in.Close()
		out, err := net.Dial("tcp", *to)
		if err != nil {
			return
		}
		defer out.Close()
		if *side == "listen" {
			join(tls.Server(in, conf), out)
		} else {
			join(in, tls.Client(out, conf))
		}
	})
}

// mutualTLS is the configuration of one end, which shows the named certificate.
func mutualTLS(dir, name string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, err
	}
	ca := x509.NewCertPool()
	if !ca.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in ca.crt")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: ca, ClientCAs: ca, ServerName: "localhost",
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}, nil
}

// join copies both ways until both have ended.
func join(a, b net.Conn) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { pipe(a, b) })
	wg.Go(func() { pipe(b, a) })
}

// pipe copies one way. Both sides go the same way through the kernel: no
// splice(2) on the plain one.
func pipe(dst, src net.Conn) {
	const size = 64 << 10
	_, err := io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, make([]byte, size))
	if half, ok := dst.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return
	}
	_ = dst.Close()
	_ = src.Close()
}
