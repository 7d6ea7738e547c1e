package conn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// errDetached is what Lost reports when the peer detached the link without an
// error.
var errDetached = errors.New("link detached")

// ErrDismissed, as the cause with which the context of Run is done, says that
// there is nothing left that the peer could connect to again.
var ErrDismissed = errors.New("dismissed")

// Stage is a part of a connection's life, as it is named to people.
type Stage string

// Stages in order.
const (
	StageDial Stage = "dial"
	StageTLS  Stage = "TLS"
	StageSASL Stage = "SASL"
	StageOpen Stage = "open"
	StageRun  Stage = "" // the connection was up
)

// Error says why a connection failed or ended.
type Error struct {
	Stage Stage
	Err   error // its text is fit for a status line
}

func (e *Error) Error() string {
	if e.Stage == StageRun {
		return e.Err.Error()
	}
	return string(e.Stage) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// words is an error with a text for people.
type words struct {
	text string
	err  error
}

func (w *words) Error() string { return w.text }
func (w *words) Unwrap() error { return w.err }

// InWords returns err with a text that is fit for a status line: what the
// network and TLS report, without addresses and layers. Other errors are
// returned as they are.
func InWords(err error) error {
	var said *words
	if err == nil || errors.As(err, &said) {
		return err
	}
	if text, _ := explainTLS(err); text != "" {
		return &words{text, err}
	}
	if text := explainNetwork(err); text != "" {
		return &words{text, err}
	}
	return err
}

func explainNetwork(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host " + dns.Name
	case errors.As(err, &dns):
		return "name " + dns.Name + " cannot be resolved: " + dns.Err
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset by the peer"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "no route to the host"
	case errors.Is(err, syscall.ENETUNREACH):
		return "network unreachable"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too many open files: raise LimitNOFILE"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed by the peer"
	case errors.Is(err, net.ErrClosed):
		return "closed"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	}
	return ""
}

// explainTLS words what a TLS handshake reports, on either side; empty if err is
// none of TLS that people need words for. The same in the words of OpenSSL is
// what people look for in the logs of skupper-router.
func explainTLS(err error) (text, openSSL string) {
	const unverified = "certificate verify failed"
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
	)
	switch {
	case err == nil:
		return "", ""
	case errors.As(err, &unknown):
		return "the peer's certificate is signed by an unknown authority", unverified
	case errors.As(err, &invalid):
		return "the peer's certificate " + explainInvalid(invalid), unverified
	case errors.As(err, &host):
		return "the peer's certificate is " + namesOf(host.Certificate) + "not for " + host.Host, unverified
	case errors.As(err, &verify):
		return "the peer's certificate is not valid: " + verify.Err.Error(), unverified
	case errors.As(err, &record):
		return "the peer does not speak TLS", "wrong version number"
	case remoteAlert(err) != "":
		return explainAlert(remoteAlert(err)), alertOfOpenSSL(remoteAlert(err))
	case strings.Contains(err.Error(), "tls: client didn't provide a certificate"):
		return "the peer has no client certificate", "peer did not return a certificate"
	case strings.Contains(err.Error(), "tls: client offered only unsupported versions"):
		return "the peer does not speak this version of TLS", "unsupported protocol"
	case strings.Contains(err.Error(), "tls: "):
		return "", "handshake failed"
	}
	return "", ""
}

// shownNames bounds how many names of a certificate a message has.
const shownNames = 3

// namesOf words whom a certificate is for, "" if it names nobody.
func namesOf(cert *x509.Certificate) string {
	var names []string
	add := func(name string) {
		strange := strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
		if name != "" && !strange && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range cert.DNSNames {
		add(name)
	}
	for _, ip := range cert.IPAddresses {
		add(ip.String())
	}
	if len(names) == 0 {
		add(cert.Subject.CommonName)
	}
	switch more := len(names) - shownNames; {
	case len(names) == 0:
		return ""
	case more > 0:
		return fmt.Sprintf("for %s and %d more, ", strings.Join(names[:shownNames], ", "), more)
	}
	return fmt.Sprintf("for %s, ", strings.Join(names, ", "))
}

// OpenSSLWords names a failed handshake in the words of OpenSSL; "" if the error
// is none of TLS.
func OpenSSLWords(err error) string {
	_, words := explainTLS(err)
	return words
}

func alertOfOpenSSL(alert string) string {
	switch alert {
	case "unknown certificate authority":
		return "alert unknown ca"
	case "unknown certificate":
		return "alert certificate unknown"
	}
	return "alert " + alert
}

// remoteAlert returns the text of an alert that the other side sent, empty if
// err is none. crypto/tls has no type for it.
func remoteAlert(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	return ""
}

func explainInvalid(err x509.CertificateInvalidError) string {
	switch now := time.Now(); {
	case err.Reason == x509.Expired && now.Before(err.Cert.NotBefore):
		return "is not valid before " + err.Cert.NotBefore.UTC().Format(time.DateTime)
	case err.Reason == x509.Expired:
		return "expired on " + err.Cert.NotAfter.UTC().Format(time.DateTime)
	case err.Reason == x509.IncompatibleUsage:
		return "is not meant for this use"
	}
	return "is not valid: " + err.Error()
}

// explainAlert words what the other side says about us, RFC 8446 §6.2.
func explainAlert(text string) string {
	switch text {
	case "bad certificate", "unsupported certificate", "unknown certificate":
		return "the peer does not take our certificate"
	case "revoked certificate":
		return "the peer says that our certificate is revoked"
	case "expired certificate":
		return "the peer says that our certificate has expired"
	case "unknown certificate authority":
		return "the peer does not know the authority of our certificate"
	case "certificate required":
		return "the peer requires a client certificate"
	case "protocol version not supported":
		return "the peer does not speak this version of TLS"
	case "handshake failure", "insufficient security level":
		return "the peer takes none of our TLS settings"
	case "unrecognized name":
		return "the peer does not know the host name"
	}
	return "the peer reports: " + text
}
