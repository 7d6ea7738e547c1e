package conn

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// maxIterations bounds the work that a key file can ask for.
const maxIterations = 10_000_000

var (
	errNoKey    = errors.New("holds no key")
	errPassword = errors.New("the password does not open the key")
)

// decryptKey returns a PEM key without encryption: of PKCS #8 (RFC 8018 §6.2,
// what OpenSSL 3 writes) or in the old form of RFC 1423.
func decryptKey(key []byte, password string) ([]byte, error) {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, errNoKey
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		der, err := decryptPKCS8(block.Bytes, password)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	//lint:ignore SA1019 keys in this form exist; nothing else reads them
	if !x509.IsEncryptedPEMBlock(block) {
		return key, nil
	}
	//lint:ignore SA1019 as above
	der, err := x509.DecryptPEMBlock(block, []byte(password))
	if err != nil {
		return nil, errPassword
	}
	return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
}

// The structures of RFC 8018 §A.
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2 struct {
		Derivation, Cipher pkix.AlgorithmIdentifier
	}
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var k encryptedKey
	var scheme pbes2
	var kdf pbkdf2Params
	var iv []byte
	unmarshal := func(b []byte, v any) error {
		if rest, err := asn1.Unmarshal(b, v); err != nil || len(rest) > 0 {
			return errors.New("an encrypted key that cannot be parsed")
		}
		return nil
	}
	if err := unmarshal(der, &k); err != nil {
		return nil, err
	}
	if k.Algorithm.Algorithm.String() != "1.2.840.113549.1.5.13" {
		return nil, fmt.Errorf("a key encrypted by scheme %v; only PBES2 is known", k.Algorithm.Algorithm)
	}
	if err := unmarshal(k.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, err
	}
	if scheme.Derivation.Algorithm.String() != "1.2.840.113549.1.5.12" {
		return nil, fmt.Errorf("a key derived by %v; only PBKDF2 is known", scheme.Derivation.Algorithm)
	}
	if err := unmarshal(scheme.Derivation.Parameters.FullBytes, &kdf); err != nil {
		return nil, err
	}
	if err := unmarshal(scheme.Cipher.Parameters.FullBytes, &iv); err != nil {
		return nil, err
	}
	digest, err := pseudoRandom(kdf.PRF.Algorithm)
	if err != nil {
		return nil, err
	}
	length, newCipher, err := blockCipher(scheme.Cipher.Algorithm)
	if err != nil {
		return nil, err
	}
	if kdf.Iterations < 1 || kdf.Iterations > maxIterations {
		return nil, fmt.Errorf("a key derived in %d iterations", kdf.Iterations)
	}
	secret, err := pbkdf2.Key(digest, password, kdf.Salt, kdf.Iterations, length)
	if err != nil {
		return nil, err
	}
	c, err := newCipher(secret)
	if err != nil {
		return nil, err
	}
	return decryptCBC(c, iv, k.Data)
}

func pseudoRandom(id asn1.ObjectIdentifier) (func() hash.Hash, error) {
	switch id.String() {
	case "", "1.2.840.113549.2.7":
		return sha1.New, nil
	case "1.2.840.113549.2.9":
		return sha256.New, nil
	case "1.2.840.113549.2.10":
		return sha512.New384, nil
	case "1.2.840.113549.2.11":
		return sha512.New, nil
	}
	return nil, fmt.Errorf("a key derived with %v", id)
}

func blockCipher(id asn1.ObjectIdentifier) (keyLength int, newCipher func([]byte) (cipher.Block, error), err error) {
	switch id.String() {
	case "2.16.840.1.101.3.4.1.2":
		return 16, aes.NewCipher, nil
	case "2.16.840.1.101.3.4.1.22":
		return 24, aes.NewCipher, nil
	case "2.16.840.1.101.3.4.1.42":
		return 32, aes.NewCipher, nil
	case "1.2.840.113549.3.7":
		return 24, des.NewTripleDESCipher, nil
	}
	return 0, nil, fmt.Errorf("a key encrypted with cipher %v", id)
}

func decryptCBC(c cipher.Block, iv, data []byte) ([]byte, error) {
	if len(iv) != c.BlockSize() || len(data) == 0 || len(data)%c.BlockSize() != 0 {
		return nil, errors.New("an encrypted key of the wrong length")
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(c, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > c.BlockSize() {
		return nil, errPassword
	}
	plain = plain[:len(plain)-pad]
	if _, err := x509.ParsePKCS8PrivateKey(plain); err != nil {
		return nil, errPassword
	}
	return plain, nil
}
