package router

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/conn"
)

// profile is a configured sslProfile with its files.
type profile struct {
	identity *conn.Identity
	err      error // why identity is nil
	files    conn.Credentials
}

var errNoProfile = errors.New("no such sslProfile")

// serverTLS returns what a listener with that profile uses.
func (r *Router) serverTLS(name string, clientCerts bool) (*tls.Config, error) {
	if name == "" {
		return nil, nil
	}
	id, err := r.identity(name)
	if err != nil {
		return nil, err
	}
	return id.Server(clientCerts), nil
}

// identity returns the credentials of a profile.
func (r *Router) identity(name string) (*conn.Identity, error) {
	p := r.profiles[name]
	if p == nil {
		return nil, &profileError{name: name, err: errNoProfile}
	}
	if p.err != nil {
		return nil, &profileError{name: name, err: p.err, files: p.files}
	}
	return p.identity, nil
}

// forService words an error about an sslProfile of a TCP service.
func forService(err error) error {
	var e *profileError
	if errors.As(err, &e) {
		e.tcp = true
	}
	return err
}

// profileError says which sslProfile cannot be used, and why. compat: the words
// of skupper-router 3.x, which its users look for, in front of our own.
type profileError struct {
	name  string
	err   error
	tcp   bool // it is for a TCP service, not for AMQP
	files conn.Credentials
}

func (e *profileError) Error() string { return e.known() + ": " + e.err.Error() }
func (e *profileError) Unwrap() error { return e.err }

func (e *profileError) known() string {
	var file *conn.FileError
	var ciphers *cipherError
	switch {
	case errors.As(e.err, &ciphers):
		return fmt.Sprintf("Failed to configure TLS Ciphers '%s' for sslProfile '%s'", ciphers.list, e.name)
	case !errors.As(e.err, &file):
		return "sslProfile " + e.name
	}
	c := e.files
	switch {
	case file.Attribute == "privateKeyFile" && c.KeyFile == "":
		return fmt.Sprintf("Missing Private Keyfile (sslProfile: %s)", e.name)
	case file.Attribute == "caCertFile" && e.tcp:
		return fmt.Sprintf("Failed to configure TLS caCertFile %s for sslProfile '%s'", c.CAFile, e.name)
	case file.Attribute == "caCertFile":
		return fmt.Sprintf("Failed to configure TLS caCertFile '%s' from sslProfile '%s'", c.CAFile, e.name)
	case e.tcp:
		return fmt.Sprintf("Failed to set TLS certFile '%s' for sslProfile '%s'", c.CertFile, e.name)
	}
	return fmt.Sprintf("Failed to configure TLS certFile '%s' from sslProfile '%s'", c.CertFile, e.name)
}

// cipherError says that a list of ciphers is not usable.
type cipherError struct {
	list string
	err  error
}

func (e *cipherError) Error() string { return e.err.Error() }
func (e *cipherError) Unwrap() error { return e.err }

// loadProfile reads the files of an sslProfile.
func (r *Router) loadProfile(c *config.SSLProfile) *profile {
	password, err := r.secret(c.Password)
	if err != nil {
		return &profile{err: err}
	}
	ciphers, err := conn.ParseCiphers(c.Ciphers)
	if err != nil {
		return &profile{err: &cipherError{c.Ciphers, err}}
	}
	least, most := tlsVersions(c.Protocols)
	files := conn.Credentials{
		CertFile: c.CertFile, KeyFile: c.PrivateKeyFile, CAFile: c.CACertFile, Password: password,
		MinVersion: least, MaxVersion: most, Ciphers: ciphers,
	}
	id, err := conn.LoadIdentity(files)
	return &profile{identity: id, err: err, files: files}
}

// changeProfile puts a changed sslProfile in effect. A new generation of the
// same files leaves connections alone until the oldest valid one passes them;
// other files concern everything that uses the profile.
func (r *Router) changeProfile(c config.Change, next *config.SSLProfile, drain bool) error {
	p := r.profiles[next.Name]
	if p != nil && p.err == nil && only(c.Attributes, "ordinal", "oldestValidOrdinal") {
		for _, e := range r.entities {
			if k, ok := e.(ordinals); ok && k.profile() == next.Name {
				k.setOrdinal(uint64(next.Ordinal), uint64(next.OldestValidOrdinal))
			}
		}
		return nil
	}
	if p != nil && p.err == nil && r.uses(next.Name) {
		return r.replaceFiles(p, next)
	}
	p = r.loadProfile(next)
	r.profiles[next.Name] = p
	var problems []error
	for _, e := range r.cfg.Entities() {
		if profileOf(e) == next.Name {
			r.removeEntity(e, drain)
			problems = append(problems, r.createEntity(e))
		}
	}
	return errors.Join(problems...)
}

// uses reports whether anything that is configured uses the profile. What is
// wrong with one that nothing uses, those hear who want to.
func (r *Router) uses(profile string) bool {
	return slices.ContainsFunc(r.cfg.Entities(), func(e config.Entity) bool { return profileOf(e) == profile })
}

// replaceFiles makes everything that uses a profile use other files from now
// on. Connections keep what they were made with.
func (r *Router) replaceFiles(p *profile, next *config.SSLProfile) error {
	fresh := r.loadProfile(next)
	if fresh.err == nil {
		fresh.err = p.identity.Replace(fresh.files)
	}
	if fresh.err != nil {
		return &profileError{name: next.Name, err: fresh.err, files: fresh.files, tcp: true}
	}
	p.files = fresh.files
	for _, e := range r.entities {
		if k, ok := e.(ordinals); ok && k.profile() == next.Name {
			k.setOrdinal(uint64(next.Ordinal), uint64(next.OldestValidOrdinal))
		}
	}
	return nil
}

// ordinals is an entity whose connections know the generation of their
// credentials.
type ordinals interface {
	profile() string
	setOrdinal(newest, oldest uint64)
}

// profileOf is the sslProfile that an entity uses, empty for none.
func profileOf(e config.Entity) string {
	switch e := e.(type) {
	case *config.Listener:
		return e.SSLProfile
	case *config.Connector:
		return e.SSLProfile
	case *config.TCPListener:
		return e.SSLProfile
	case *config.TCPConnector:
		return e.SSLProfile
	}
	return ""
}

// tlsVersions translates the protocols attribute; 0 leaves the choice.
func tlsVersions(protocols string) (least, most uint16) {
	for _, p := range strings.Fields(protocols) {
		v := map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}[p]
		if v == 0 {
			continue
		}
		if least == 0 || v < least {
			least = v
		}
		most = max(most, v)
	}
	return least, most
}

// secret returns the password that text names: env:VARIABLE, file:PATH,
// pass:TEXT, literal:TEXT or the text itself (compat: skupper-router 3.x).
func (r *Router) secret(text string) (string, error) {
	kind, rest, found := strings.Cut(text, ":")
	if !found {
		return text, nil
	}
	switch kind {
	case "env":
		value, ok := r.env(rest)
		if !ok {
			return "", fmt.Errorf("password: environment variable %s is not set", rest)
		}
		return value, nil
	case "file":
		data, err := os.ReadFile(rest)
		if err != nil {
			return "", fmt.Errorf("password: %w", err)
		}
		first, _, _ := strings.Cut(string(data), "\n")
		return first, nil
	case "pass", "literal":
		return rest, nil
	}
	return text, nil
}
