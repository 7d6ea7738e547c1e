package observer

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// certificateCheck is the time between two looks whether the files of the
// certificate have changed.
const certificateCheck = time.Second

// Certificate is what can be said of the certificate of a listener.
type Certificate struct {
	SHA256  string    `json:"sha256"` // fingerprint of the certificate, hexadecimal with colons
	Expires time.Time `json:"expires"`
	Names   []string  `json:"names"` // hosts that it is for
}

// ReadCertificate reads the first certificate of a PEM file and its key.
func ReadCertificate(cert, key string) (*Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate of the listener: %w", err)
	}
	return described(pair.Leaf), nil
}

func described(leaf *x509.Certificate) *Certificate {
	c := &Certificate{Expires: leaf.NotAfter.UTC(), Names: slices.Clone(leaf.DNSNames)}
	for i, b := range sha256.Sum256(leaf.Raw) {
		if i > 0 {
			c.SHA256 += ":"
		}
		c.SHA256 += fmt.Sprintf("%02X", b)
	}
	for _, ip := range leaf.IPAddresses {
		if text := ip.String(); !slices.Contains(c.Names, text) {
			c.Names = append(c.Names, text)
		}
	}
	return c
}

// certificate is the one that a listener shows. It is read again when its files
// change, so that a renewal takes no restart; while they are wrong the one before
// is shown.
type certificate struct {
	files [2]string // of the certificate and of its key
	log   *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate // guarded by mu; replaced, never changed
	stats  [2]os.FileInfo   // guarded by mu; of the files when they were read, nil where there was none
	looked time.Time        // guarded by mu
}

// certificate reads that of the listener, nil without one.
func (cfg *Config) certificate() (*certificate, error) {
	if cfg.TLSCert == "" && cfg.TLSKey == "" {
		return nil, nil
	}
	if cfg.TLSCert == "" || cfg.TLSKey == "" {
		return nil, &Error{what: "the certificate of the listener and its key belong together", hint: "name both, or neither"}
	}
	c := &certificate{files: [2]string{cfg.TLSCert, cfg.TLSKey}, log: cfg.Log, looked: time.Now()}
	c.changed()
	if err := c.read(); err != nil {
		return nil, &Error{what: fmt.Sprintf("certificate of the listener: %v", err), hint: "both are files in PEM that belong together, and whom the network observer runs as may read them"}
	}
	return c, nil
}

// secure is the configuration of a listener that shows it, nil for none.
func (c *certificate) secure() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now(time.Now()), nil },
	}
}

// now is the certificate at a moment.
func (c *certificate) now(at time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Sub(c.looked) < certificateCheck {
		return c.pair
	}
	c.looked = at
	if !c.changed() {
		return c.pair
	}
	if err := c.read(); err != nil {
		if c.log != nil { // two files are not replaced at once
			c.log.Warn("the certificate of the listener cannot be read again, the one before is shown", "err", err)
		}
	} else if c.log != nil {
		c.log.Info("the certificate of the listener was replaced", "expires", c.pair.Leaf.NotAfter)
	}
	return c.pair
}

// changed reports whether the files are others than at the look before. c.mu is
// held, or nobody else has c.
func (c *certificate) changed() bool {
	changed := false
	for i, name := range c.files {
		stat, err := os.Stat(name)
		if err != nil {
			stat = nil
		}
		if before := c.stats[i]; stat == nil || before == nil {
			changed = changed || (stat == nil) != (before == nil)
		} else if !os.SameFile(stat, before) || !stat.ModTime().Equal(before.ModTime()) || stat.Size() != before.Size() {
			changed = true
		}
		c.stats[i] = stat
	}
	return changed
}

// read is for whom changed is.
func (c *certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return err
	}
	c.pair = &pair
	return nil
}
