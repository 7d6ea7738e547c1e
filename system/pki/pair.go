package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Names of the files of a credential.
const (
	CAFile   = "ca.crt"
	CertFile = "tls.crt"
	KeyFile  = "tls.key"
)

// Pair is what the directory of a credential holds, in PEM.
type Pair struct {
	CA   []byte // ca.crt: whom the owner trusts
	Cert []byte // tls.crt: the certificate, and what leads to a root
	Key  []byte // tls.key
}

// IsZero reports whether there is nothing at all.
func (p Pair) IsZero() bool { return len(p.CA) == 0 && len(p.Cert) == 0 && len(p.Key) == 0 }

// Equal reports whether two pairs hold the same bytes.
func (p Pair) Equal(o Pair) bool {
	return bytes.Equal(p.CA, o.CA) && bytes.Equal(p.Cert, o.Cert) && bytes.Equal(p.Key, o.Key)
}

// Credential is a Pair that was read.
type Credential struct {
	CAs   []*x509.Certificate // of ca.crt; may be empty
	Certs []*x509.Certificate // of tls.crt; the first one belongs to Key
	Key   crypto.Signer
}

// Leaf is the certificate that belongs to the key.
func (c *Credential) Leaf() *x509.Certificate { return c.Certs[0] }

// Errors of Load and Trusted. They are wrapped with the name of the file.
var (
	ErrMissing   = errors.New("missing or empty")
	ErrNoPEM     = errors.New("no PEM block of the expected kind")
	ErrEncrypted = &adviceError{"the key is encrypted", "a router cannot ask for a passphrase: remove it with openssl pkey -in tls.key -out tls.key"}
	ErrMismatch  = errors.New("the key does not belong to the certificate")
	ErrKeyKind   = errors.New("keys of this kind cannot be used for TLS")
)

// adviceError is an error that knows what to do.
type adviceError struct{ text, advice string }

func (e *adviceError) Error() string { return e.text }

// Hint says what a person can do.
func (e *adviceError) Hint() string { return e.advice }

// Load reads a pair with its key and checks that they belong together. ca.crt
// may be missing. Errors wrap one of those above, or are of the parser.
func Load(p Pair) (*Credential, error) {
	c := &Credential{}
	var err error
	if len(p.CA) > 0 {
		if c.CAs, err = Certificates(p.CA); err != nil {
			return nil, fmt.Errorf("%s: %w", CAFile, err)
		}
	}
	if c.Certs, err = Certificates(p.Cert); err != nil {
		return nil, fmt.Errorf("%s: %w", CertFile, err)
	}
	if c.Key, err = PrivateKey(p.Key); err != nil {
		return nil, fmt.Errorf("%s: %w", KeyFile, err)
	}
	if !samePublic(c.Key.Public(), c.Leaf().PublicKey) {
		return nil, fmt.Errorf("%s: %w", KeyFile, ErrMismatch)
	}
	return c, nil
}

// Trusted reads a ca.crt that stands alone.
func Trusted(ca []byte) ([]*x509.Certificate, error) {
	certs, err := Certificates(ca)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", CAFile, err)
	}
	return certs, nil
}

// Certificates reads the certificates of a PEM file: at least one. Other
// blocks, and text between them, are skipped.
func Certificates(text []byte) ([]*x509.Certificate, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, ErrMissing
	}
	var list []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, cert)
	}
	if len(list) == 0 {
		return nil, ErrNoPEM
	}
	return list, nil
}

// PrivateKey reads the first private key of a PEM file: PKCS #1, SEC 1 or
// PKCS #8; RSA, EC (P-256, P-384, P-521) or Ed25519.
func PrivateKey(text []byte) (crypto.Signer, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, ErrMissing
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, ErrNoPEM
		}
		if block.Type != "PRIVATE KEY" && !strings.HasSuffix(block.Type, " PRIVATE KEY") {
			continue // EC PARAMETERS, or a certificate
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, ErrEncrypted
		}
		return parseKey(block)
	}
}

// parseKey reads a key by what it holds. The type of the block is only a hint:
// tools have mixed them up.
func parseKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	}
	if key == nil || err != nil {
		var other error
		if key, other = x509.ParsePKCS8PrivateKey(block.Bytes); other != nil {
			if err == nil {
				err = other
			}
			return nil, err
		}
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P224() {
			return key, nil
		}
	}
	return nil, ErrKeyKind
}

// samePublic compares public keys.
func samePublic(a, b crypto.PublicKey) bool {
	eq, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && eq.Equal(b)
}

// encodeCert writes certificates as PEM.
func encodeCerts(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// encodeKey writes a private key: RSA in PKCS #1, which the oldest peers read,
// everything else in PKCS #8.
func encodeKey(key crypto.Signer) ([]byte, error) {
	if k, ok := key.(*rsa.PrivateKey); ok {
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}), nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
