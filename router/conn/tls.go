package conn

import (
	"crypto/tls"
	"time"
)

// Credentials are the files of one TLS profile. Empty names are not used.
type Credentials struct {
	CertFile string // PEM, leaf first
	KeyFile  string // PEM
	CAFile   string // PEM, the trust anchors
	Password string // of the key, in the clear
}

// Identity holds the loaded files of a profile behind an atomic pointer. All
// configurations made from it use what was loaded last.
type Identity struct{}

// LoadIdentity reads the files. It returns what is wrong with them in words,
// naming the file.
func LoadIdentity(files Credentials) (*Identity, error) { return nil, nil }

// Refresh reads the files again if they changed and reports whether they had.
// Unreadable or unfinished files leave the old ones in use and return the
// error. New handshakes also refresh, at most once per second.
func (i *Identity) Refresh() (changed bool, err error) { return false, nil }

// NotAfter is when the loaded certificate expires; zero without certificate.
func (i *Identity) NotAfter() time.Time { return time.Time{} }

// Server returns a configuration for the accepting side: TLS 1.2 or later.
// With clientCerts a certificate that chains to the anchors is required.
func (i *Identity) Server(clientCerts bool) *tls.Config { return nil }

// Client returns a configuration for the dialing side. The server's
// certificate must chain to the anchors and, with verifyHost, carry host as a
// DNS name, an IP address, or literally as a DNS name or common name (compat:
// skupper-router accepts an IP address only in the latter two).
func (i *Identity) Client(host string, verifyHost bool) *tls.Config { return nil }
