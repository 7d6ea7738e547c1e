package conn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// refreshPeriod is how often handshakes look for changed files, at most.
const refreshPeriod = time.Second

// Credentials are the files of one TLS profile. Empty names are not used.
type Credentials struct {
	CertFile string // PEM, leaf first
	KeyFile  string // PEM
	CAFile   string // PEM, the trust anchors
	Password string // of the key, in the clear

	// Versions of TLS, as tls.VersionTLS12; 0 is 1.2 at least, and the newest
	// at most. Older ones than 1.2 are never used.
	MinVersion, MaxVersion uint16

	// Ciphers are the suites of TLS 1.2 that are taken; nil are the defaults.
	Ciphers []uint16
}

// Identity holds the loaded files of a profile behind an atomic pointer. All
// configurations made from it use what was loaded last, connections keep what
// they were made with. It is safe for concurrent use.
type Identity struct {
	loaded atomic.Pointer[loaded]
	// looked is when the files were last looked at, in ns of time.Now's
	// monotonic clock since begin.
	begin  time.Time
	looked atomic.Int64

	mu sync.Mutex // one Refresh or Replace at a time
}

// loaded is what the files held at one time.
type loaded struct {
	files Credentials
	cert  *tls.Certificate // nil without CertFile
	roots *x509.CertPool   // nil without CAFile
	marks [3]fileMark
}

// fileMark tells whether a file has changed.
type fileMark struct {
	size  int64
	mtime time.Time
	inode any
}

// LoadIdentity reads the files. The error is a *FileError: it names the file and
// says in words what is wrong with it.
func LoadIdentity(files Credentials) (*Identity, error) {
	i := &Identity{begin: time.Now()}
	l, err := files.load()
	if err != nil {
		return nil, err
	}
	i.loaded.Store(l)
	return i, nil
}

// Refresh reads the files again if they changed and reports whether they had.
// Unreadable or unfinished files leave the old ones in use and return the
// error. Handshakes refresh by themselves, at most once in a second.
func (i *Identity) Refresh() (changed bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.looked.Store(int64(time.Since(i.begin)))
	was := i.loaded.Load()
	if was.files.marks() == was.marks {
		return false, nil
	}
	l, err := was.files.load()
	if err != nil {
		return false, err
	}
	i.loaded.Store(l)
	return true, nil
}

// Replace takes other files from now on. If they cannot be used, the old ones
// stay, and the error is as in LoadIdentity.
func (i *Identity) Replace(files Credentials) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	l, err := files.load()
	if err != nil {
		return err
	}
	i.loaded.Store(l)
	return nil
}

// current returns what is loaded, after a look at the files if the last one is
// a while ago.
func (i *Identity) current() *loaded {
	if time.Since(i.begin)-time.Duration(i.looked.Load()) >= refreshPeriod {
		_, _ = i.Refresh() // files that cannot be used now: the old ones stay
	}
	return i.loaded.Load()
}

// Certificate returns the loaded leaf certificate, nil without.
func (i *Identity) Certificate() *x509.Certificate {
	if cert := i.loaded.Load().cert; cert != nil {
		return cert.Leaf
	}
	return nil
}

// Expiry returns when the certificate ends that the next handshake shows; zero
// without one.
func (i *Identity) Expiry() time.Time {
	if cert := i.current().cert; cert != nil {
		return cert.Leaf.NotAfter
	}
	return time.Time{}
}

// marks describes the files without reading them.
func (f Credentials) marks() (m [3]fileMark) {
	for k, name := range []string{f.CertFile, f.KeyFile, f.CAFile} {
		if st, err := os.Stat(name); name != "" && err == nil {
			m[k] = fileMark{st.Size(), st.ModTime(), inode(st)}
		}
	}
	return m
}

func (f Credentials) load() (*loaded, error) {
	l := &loaded{files: f, marks: f.marks()}
	if f.CAFile != "" {
		b, err := os.ReadFile(f.CAFile)
		if err != nil {
			return nil, fileError("caCertFile", f.CAFile, err)
		}
		l.roots = x509.NewCertPool()
		if !l.roots.AppendCertsFromPEM(b) {
			return nil, fileError("caCertFile", f.CAFile, errors.New("holds no certificate"))
		}
	}
	if f.CertFile == "" {
		return l, nil
	}
	cert, err := os.ReadFile(f.CertFile)
	if err != nil {
		return nil, fileError("certFile", f.CertFile, err)
	}
	key, err := os.ReadFile(f.KeyFile)
	if err != nil {
		return nil, fileError("privateKeyFile", f.KeyFile, err)
	}
	if key, err = decryptKey(key, f.Password); err != nil {
		return nil, fileError("privateKeyFile", f.KeyFile, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fileError("certFile", f.CertFile+" with key "+f.KeyFile, err)
	}
	l.cert = &pair
	return l, nil
}

// FileError says what is wrong with a file of credentials.
type FileError struct {
	Attribute string // caCertFile, certFile or privateKeyFile
	File      string
	Err       error
}

func (e *FileError) Error() string { return e.File + ": " + e.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

// fileError names the file once.
func fileError(attribute, name string, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return &FileError{attribute, name, err}
}

// Server returns a configuration for the accepting side: TLS 1.2 or later.
// With clientCerts a certificate that chains to the anchors is required.
func (i *Identity) Server(clientCerts bool) *tls.Config {
	cfg := i.loaded.Load().files.base()
	if clientCerts {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
		cfg.ClientCAs = x509.NewCertPool() // of the first handshake below
	}
	cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if cert := i.loaded.Load().cert; cert != nil {
			return cert, nil
		}
		return nil, errors.New("no certificate is configured")
	}
	// The anchors are part of a configuration, so that each set of files has
	// its own. One configuration is kept while they do not change: session
	// tickets belong to it.
	var kept atomic.Pointer[serverConfig]
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		l := i.current()
		if k := kept.Load(); k != nil && k.of == l {
			return k.cfg, nil
		}
		fresh := l.files.base()
		fresh.ClientAuth, fresh.GetCertificate = cfg.ClientAuth, cfg.GetCertificate
		if clientCerts && l.roots != nil {
			fresh.ClientCAs = l.roots
		} else {
			fresh.ClientCAs = cfg.ClientCAs
		}
		kept.Store(&serverConfig{l, fresh})
		return fresh, nil
	}
	return cfg
}

type serverConfig struct {
	of  *loaded
	cfg *tls.Config
}

// base has what both sides share. Records are always full: frames are cut to
// fit, and small first records would cost more than they save.
func (f Credentials) base() *tls.Config {
	return &tls.Config{
		MinVersion: max(f.MinVersion, tls.VersionTLS12), MaxVersion: f.MaxVersion, CipherSuites: f.Ciphers,
		DynamicRecordSizingDisabled: true,
	}
}

// Client returns a configuration for the dialing side. The server's
// certificate must chain to the anchors (those of the system without CAFile)
// and, with verifyHost, carry host as a DNS name or IP address, or, if host is
// an IP address, literally as a DNS name or common name (compat: skupper-router
// accepts an IP address only in these two).
func (i *Identity) Client(host string, verifyHost bool) *tls.Config {
	cfg := i.loaded.Load().files.base()
	cfg.ServerName = host
	// No session cache: OpenSSL servers that ask for client certificates, as
	// skupper-router does, fail the whole handshake when a session is resumed.
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if cert := i.current().cert; cert != nil {
			return cert, nil
		}
		return &tls.Certificate{}, nil
	}
	// The standard check knows one way of naming an IP address and fixes the
	// anchors; this one does the same work and more.
	cfg.InsecureSkipVerify = true
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		return verifyServer(state, i.current().roots, host, verifyHost)
	}
	if i.loaded.Load().cert == nil {
		cfg.GetClientCertificate = nil
	}
	return cfg
}
