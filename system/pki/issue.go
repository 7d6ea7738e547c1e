package pki

import (
	"bytes"
	"cmp"
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
	Authority bool     // it signs others
	Subject   string   // common name
	Hosts     []string // names and addresses in the certificate
	KeyType   KeyType  // empty: ECDSAP256
	Validity  time.Duration
}

// ErrNotAuthority is wrapped by ParseAuthority.
var ErrNotAuthority = errors.New("not the certificate of an authority")

// firstYear is the first year that a clock can say truly: this program is younger.
const firstYear = 2026

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

// checkClock refuses to make certificates by a clock that is certainly wrong:
// they would have expired, or not begun, when it is set right.
func checkClock(now time.Time) error {
	if now.Year() >= firstYear {
		return nil
	}
	return &adviceError{
		"the clock of this host is wrong: it says " + now.UTC().Format(time.RFC3339) + ", and certificates depend on it",
		"set it, with `timedatectl set-ntp true` or by hand",
	}
}

// Issue makes a key and a certificate for it, signed by the authority; by none
// means by itself. It ends with the authority at the latest. Randomness is for
// the serial number. Errors wrap ErrExpired, or say that the clock is wrong.
func Issue(w Want, by *Authority, now time.Time, random io.Reader) (Pair, error) {
	if err := checkTime(by, now); err != nil {
		return Pair{}, err
	}
	key, err := newKey(w.KeyType, random)
	if err != nil {
		return Pair{}, fmt.Errorf("key: %w", err)
	}
	p, err := issueFor(w, key.Public(), cmp.Or(by, &Authority{key: key}), now, random)
	if err != nil {
		return Pair{}, err
	}
	if p.Key, err = encodeKey(key); err != nil {
		return Pair{}, fmt.Errorf("key: %w", err)
	}
	return p, nil
}

// IssueFor makes a certificate for a key that somebody else keeps: the pair has
// none. What it is made out to is w alone. Errors are those of Issue.
func IssueFor(w Want, public crypto.PublicKey, by *Authority, now time.Time, random io.Reader) (Pair, error) {
	if err := checkTime(by, now); err != nil {
		return Pair{}, err
	}
	return issueFor(w, public, by, now, random)
}

// IssueAgain makes a certificate once more that IssueFor has made, for the same
// key: it has the serial number and the times of that one.
func IssueAgain(w Want, public crypto.PublicKey, by *Authority, made Info, now time.Time, random io.Reader) (Pair, error) {
	if err := checkTime(by, now); err != nil {
		return Pair{}, err
	}
	t, err := template(w, public, now, random)
	if err != nil {
		return Pair{}, err
	}
	if _, ok := t.SerialNumber.SetString(made.Serial, 16); !ok {
		return Pair{}, fmt.Errorf("serial number %q: not hexadecimal", made.Serial)
	}
	t.NotBefore, t.NotAfter = made.NotBefore, made.NotAfter
	return sign(t, by, public, random)
}

// checkTime refuses to make certificates by a wrong clock, or when the authority
// is not valid.
func checkTime(by *Authority, now time.Time) error {
	if err := checkClock(now); err != nil {
		return err
	}
	if by != nil && (now.Before(by.cert.NotBefore) || !now.Before(by.cert.NotAfter)) {
		return fmt.Errorf("%s: %w: the clock says %s, it is valid from %s to %s", by.cert.Subject.CommonName, ErrExpired,
			now.UTC().Format(time.RFC3339), by.cert.NotBefore.UTC().Format(time.RFC3339), by.cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// issueFor is IssueFor; an authority without a certificate is the one that is
// being made.
func issueFor(w Want, public crypto.PublicKey, by *Authority, now time.Time, random io.Reader) (Pair, error) {
	t, err := template(w, public, now, random)
	if err != nil {
		return Pair{}, err
	}
	if by.cert == nil {
		return sign(t, &Authority{cert: t, key: by.key}, public, random)
	}
	if t.NotAfter.After(by.cert.NotAfter) {
		t.NotAfter = by.cert.NotAfter
	}
	if t.NotBefore.Before(by.cert.NotBefore) {
		t.NotBefore = by.cert.NotBefore
	}
	return sign(t, by, public, random)
}

// template is a certificate that waits for its signature.
func template(w Want, public crypto.PublicKey, now time.Time, random io.Reader) (*x509.Certificate, error) {
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
	if _, ok := public.(*rsa.PublicKey); ok {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	if w.Authority {
		t.IsCA = true
		t.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	if t.SubjectKeyId, err = keyID(public); err != nil {
		return nil, err
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

func sign(t *x509.Certificate, by *Authority, public crypto.PublicKey, random io.Reader) (Pair, error) {
	der, err := x509.CreateCertificate(random, t, by.cert, public, by.key)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate: %w", err)
	}
	p := Pair{CA: by.trust, Cert: encodeCerts(append([]*x509.Certificate{cert}, by.chain...)...)}
	if by.cert == t {
		p.CA = p.Cert
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
