package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"
	"time"
)

func TestRequestIsSignedForItsKey(t *testing.T) {
	t.Parallel()
	root, err := Issue(Want{Authority: true, Subject: "root", Validity: 2 * year}, nil, epoch, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by, err := ParseAuthority(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []KeyType{"", ECDSAP256, RSA2048} {
		key, request, err := NewRequest(kind, "whoever", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, err := ParseRequest(request)
		if err != nil {
			t.Fatal(err)
		}
		p, err := IssueFor(Want{Subject: "east", Validity: 3 * year}, public, by, epoch, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Key) != 0 {
			t.Error("a key that nobody has given")
		}
		c, err := Load(Pair{Cert: p.Cert, Key: key, CA: p.CA})
		if err != nil {
			t.Fatal(err)
		}
		if c.Leaf().Subject.CommonName != "east" || !c.Leaf().NotAfter.Equal(by.Certificate().NotAfter) {
			t.Errorf("%s until %v", c.Leaf().Subject, c.Leaf().NotAfter)
		}
		if !Signed(root.Cert, c.Leaf()) || Signed(p.Cert, c.Leaf()) || Signed(nil, c.Leaf()) {
			t.Error("who signed it is not told right")
		}
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	_, good, err := NewRequest("", "x", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(good)
	forged := bytes.Clone(block.Bytes)
	forged[len(forged)-1] ^= 1
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := RequestFor(small, "x", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := RequestFor(curve, "x", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	asPEM := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	for name, row := range map[string]struct {
		text []byte
		want error
	}{
		"nothing":       {nil, ErrRequest},
		"no PEM":        {block.Bytes, ErrRequest},
		"another block": {asPEM("CERTIFICATE", block.Bytes), ErrRequest},
		"cut":           {asPEM(requestBlock, block.Bytes[:len(block.Bytes)/2]), ErrRequest},
		"forged":        {asPEM(requestBlock, forged), ErrRequest},
		"small key":     {weak, ErrKeyKind},
		"odd curve":     {odd, ErrKeyKind},
	} {
		if _, err := ParseRequest(row.text); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
	_, own, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request, err := RequestFor(own, "x", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if public, err := ParseRequest(request); err != nil || !SamePublic(public, own.Public()) {
		t.Errorf("Ed25519: %v", err)
	}
}

// FuzzRequest reads what somebody on the network may send. What is taken is a key
// that a certificate can be made for.
func FuzzRequest(f *testing.F) {
	for _, kind := range []KeyType{ECDSAP256, RSA2048} {
		_, request, err := NewRequest(kind, "x", rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(request)
	}
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"))
	root, err := Issue(Want{Authority: true, Subject: "root", Validity: year}, nil, epoch, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	by, err := ParseAuthority(root)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		public, err := ParseRequest(text)
		if err != nil {
			return
		}
		p, err := IssueFor(Want{Subject: "x", Validity: time.Hour}, public, by, epoch, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(p.Cert)
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSignaturesOfHolders(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]func() (crypto.Signer, error){
		"P-256":   func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		"P-521":   func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) },
		"RSA":     func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"Ed25519": func() (crypto.Signer, error) { _, k, err := ed25519.GenerateKey(rand.Reader); return k, err },
	} {
		k, err := key()
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{PublicKey: k.Public()}
		signature, err := Sign(k, []byte("this"), rand.Reader)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := Verify(c, []byte("this"), signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if Verify(c, []byte("that"), signature) == nil || Verify(c, []byte("this"), nil) == nil || Verify(c, []byte("this"), signature[1:]) == nil {
			t.Errorf("%s: what was not signed passes", name)
		}
	}
	if _, err := Sign("key", nil, rand.Reader); !errors.Is(err, ErrKeyKind) {
		t.Errorf("no key signs: %v", err)
	}
	if err := Verify(&x509.Certificate{PublicKey: "key"}, nil, nil); !errors.Is(err, ErrKeyKind) {
		t.Errorf("no key verifies: %v", err)
	}
}
