package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// KeyType is how a new key is made. It has the values of the setting key-type.
type KeyType string

// The key types.
const (
	ECDSAP256 KeyType = "ecdsa-p256"
	RSA2048   KeyType = "rsa2048"
)

// backdate is how long before its making a certificate becomes valid: clocks of
// peers may be behind.
const backdate = 5 * time.Minute

// Want is the certificate that a site makes itself.
type Want struct {
	Subject  string   // common name
	Hosts    []string // names and addresses in the certificate; none for an authority
	KeyType  KeyType  // empty: ECDSAP256
	Validity time.Duration
}

// ErrNotAuthority is wrapped by ParseAuthority.
var ErrNotAuthority = errors.New("not the certificate of an authority")

// ErrExpired is wrapped by Issue when the authority has expired or is not valid
// yet.
var ErrExpired = errors.New("authority not valid at this time")

// Authority signs certificates.
type Authority struct {
	cert  *x509.Certificate
	key   crypto.Signer
	trust []byte              // ca.crt of what it signs
	chain []*x509.Certificate // sent with a leaf, if it is not a root itself
}

// ParseAuthority reads an authority: a root, or an intermediate one whose
// ca.crt holds what is above it. Errors wrap ErrNotAuthority or are those of
// Load.
func ParseAuthority(p Pair) (*Authority, error) {
	c, err := Load(p)
	if err != nil {
		return nil, err
	}
	cert := c.Leaf()
	if !cert.IsCA || cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, fmt.Errorf("%s: %w", CertFile, ErrNotAuthority)
	}
	a := &Authority{cert: cert, key: c.Key, trust: encodeCerts(cert)}
	if !selfSigned(cert) {
		a.chain = c.Certs
		all := slices.Clone(c.Certs)
		for _, ca := range c.CAs {
			if !slices.ContainsFunc(all, ca.Equal) {
				all = append(all, ca)
			}
		}
		a.trust = encodeCerts(all...)
	}
	return a, nil
}

// Certificate is that of the authority.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Trust is the ca.crt of what the authority signs.
func (a *Authority) Trust() []byte { return a.trust }

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// NewAuthority makes a root. Randomness is for its serial number.
func NewAuthority(w Want, now time.Time, random io.Reader) (Pair, error) {
	key, err := newKey(w.KeyType, random)
	if err != nil {
		return Pair{}, fmt.Errorf("key: %w", err)
	}
	t, err := template(w, key, now, random)
	if err != nil {
		return Pair{}, err
	}
	t.IsCA = true
	t.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	if t.SubjectKeyId, err = keyID(key.Public()); err != nil {
		return Pair{}, err
	}
	return sign(t, t, key, key, random, nil, nil)
}

// Issue makes a server and client certificate. It ends with the authority at
// the latest. Errors wrap ErrExpired.
func (a *Authority) Issue(w Want, now time.Time, random io.Reader) (Pair, error) {
	if now.Before(a.cert.NotBefore) || !now.Before(a.cert.NotAfter) {
		return Pair{}, fmt.Errorf("%s: %w (valid from %s to %s)", a.cert.Subject.CommonName, ErrExpired,
			a.cert.NotBefore.UTC().Format(time.RFC3339), a.cert.NotAfter.UTC().Format(time.RFC3339))
	}
	key, err := newKey(w.KeyType, random)
	if err != nil {
		return Pair{}, fmt.Errorf("key: %w", err)
	}
	t, err := template(w, key, now, random)
	if err != nil {
		return Pair{}, err
	}
	if t.NotAfter.After(a.cert.NotAfter) {
		t.NotAfter = a.cert.NotAfter
	}
	if t.NotBefore.Before(a.cert.NotBefore) {
		t.NotBefore = a.cert.NotBefore
	}
	if t.SubjectKeyId, err = keyID(key.Public()); err != nil {
		return Pair{}, err
	}
	return sign(t, a.cert, key, a.key, random, a.chain, a.trust)
}

// template is what authorities and leaves have in common.
func template(w Want, key crypto.Signer, now time.Time, random io.Reader) (*x509.Certificate, error) {
	serial, err := newSerial(random)
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: w.Subject},
		NotBefore:             now.Add(-backdate).UTC().Truncate(time.Second),
		NotAfter:              now.Add(w.Validity).UTC().Truncate(time.Second),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if _, ok := key.(*rsa.PrivateKey); ok {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	for _, host := range w.Hosts {
		host = strings.TrimSpace(host)
		if host == "" || slices.Contains(t.DNSNames, host) {
			continue
		}
		t.DNSNames = append(t.DNSNames, host)
		if addr, err := netip.ParseAddr(host); err == nil {
			t.IPAddresses = append(t.IPAddresses, addr.AsSlice())
		}
	}
	return t, nil
}

func sign(t, parent *x509.Certificate, key, signer crypto.Signer, random io.Reader, chain []*x509.Certificate, trust []byte) (Pair, error) {
	der, err := x509.CreateCertificate(random, t, parent, key.Public(), signer)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate: %w", err)
	}
	p := Pair{CA: trust, Cert: encodeCerts(append([]*x509.Certificate{cert}, chain...)...)}
	if trust == nil {
		p.CA = p.Cert
	}
	if p.Key, err = encodeKey(key); err != nil {
		return Pair{}, fmt.Errorf("key: %w", err)
	}
	return p, nil
}

func newKey(t KeyType, random io.Reader) (crypto.Signer, error) {
	switch t {
	case ECDSAP256, "":
		return ecdsa.GenerateKey(elliptic.P256(), random)
	case RSA2048:
		return rsa.GenerateKey(random, 2048)
	}
	return nil, fmt.Errorf("unknown key type %q", t)
}

// newSerial draws a number of 127 bits that is not 0 (RFC 5280 §4.1.2.2:
// positive, at most 20 octets).
func newSerial(random io.Reader) (*big.Int, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, err
	}
	b[0] &= 0x7f
	b[15] |= 1
	return new(big.Int).SetBytes(b[:]), nil
}

// keyID is a subject key identifier (RFC 7093 §2, method 1).
func keyID(pub crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return sum[:20], nil
}
