package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
)

// requestBlock is the PEM type of a request for a certificate (RFC 7468 §7).
const requestBlock = "CERTIFICATE REQUEST"

// Sizes of RSA keys that are signed, bits. Larger ones cost whoever checks their
// signatures more than they are worth.
const (
	minRSA = 2048
	maxRSA = 8192
)

// ErrRequest is wrapped by ParseRequest.
var ErrRequest = errors.New("not a request for a certificate")

// NewRequest makes a key and a PKCS #10 request for a certificate of it
// (RFC 2986), both in PEM.
func NewRequest(t KeyType, subject string, random io.Reader) (key, request []byte, err error) {
	signer, err := newKey(t, random)
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	if key, err = encodeKey(signer); err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	request, err = RequestFor(signer, subject, random)
	return key, request, err
}

// RequestFor is a request for a certificate of a key that there is.
func RequestFor(key crypto.Signer, subject string, random io.Reader) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(random, &x509.CertificateRequest{Subject: pkix.Name{CommonName: subject}}, key)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: requestBlock, Bytes: der}), nil
}

// ParseRequest reads a request in PEM and returns the key that it is for, which
// signed it. What else it asks for is not looked at. Errors wrap ErrRequest, or
// ErrKeyKind.
func ParseRequest(text []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != requestBlock {
		return nil, ErrRequest
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if !fitForTLS(r.PublicKey) { // before it is used
		return nil, ErrKeyKind
	}
	if err := r.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return r.PublicKey, nil
}

// KeyDigest names a key: the SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.
func KeyDigest(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKeyKind, err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(der)), nil
}

// fitForTLS reports whether a key of somebody else is of a kind and size that
// every peer takes.
func fitForTLS(public crypto.PublicKey) bool {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSA && k.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey:
		return k.Curve != elliptic.P224()
	case ed25519.PublicKey:
		return true
	}
	return false
}

// Sign signs a message with a key that TLS can use, for Verify.
func Sign(key crypto.PrivateKey, message []byte, random io.Reader) ([]byte, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, ErrKeyKind
	}
	sum := sha256.Sum256(message)
	switch signer.Public().(type) {
	case *rsa.PublicKey:
		return signer.Sign(random, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case *ecdsa.PublicKey:
		return signer.Sign(random, sum[:], crypto.SHA256)
	case ed25519.PublicKey:
		return signer.Sign(random, message, crypto.Hash(0))
	}
	return nil, ErrKeyKind
}

// Verify reports whether a message was signed with the key of a certificate.
func Verify(c *x509.Certificate, message, signature []byte) error {
	switch c.PublicKey.(type) {
	case *rsa.PublicKey:
		return c.CheckSignature(x509.SHA256WithRSAPSS, message, signature)
	case *ecdsa.PublicKey:
		return c.CheckSignature(x509.ECDSAWithSHA256, message, signature)
	case ed25519.PublicKey:
		return c.CheckSignature(x509.PureEd25519, message, signature)
	}
	return ErrKeyKind
}

// SamePublic reports whether two public keys are the same.
func SamePublic(a, b crypto.PublicKey) bool { return samePublic(a, b) }

// Signed reports whether one of the authorities in a PEM file signed a
// certificate. Whether either is still valid is not looked at.
func Signed(authorities []byte, c *x509.Certificate) bool {
	certs, err := Certificates(authorities)
	if err != nil {
		return false
	}
	for _, ca := range certs {
		if (&Authority{cert: ca}).signed(c) {
			return true
		}
	}
	return false
}
