package conn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"
)

// verifyServer checks a server's certificate: its chain to the anchors and,
// with verifyHost, its names.
func verifyServer(state tls.ConnectionState, roots *x509.CertPool, host string, verifyHost bool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the peer has no certificate")
	}
	leaf := state.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	if err == nil && verifyHost {
		err = verifyName(leaf, host)
	}
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

// verifyName checks that the certificate is for host. An IP address may also
// stand in the places for names: skupper-router looks only there (compat:).
func verifyName(leaf *x509.Certificate, host string) error {
	err := leaf.VerifyHostname(host)
	if err == nil {
		return nil
	}
	if _, notIP := netip.ParseAddr(strings.Trim(host, "[]")); notIP != nil {
		if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 && strings.EqualFold(leaf.Subject.CommonName, host) {
			return nil // compat: proton looks at the common name too
		}
		return err
	}
	if leaf.Subject.CommonName == host {
		return nil
	}
	for _, name := range leaf.DNSNames {
		if name == host {
			return nil
		}
	}
	return err
}
