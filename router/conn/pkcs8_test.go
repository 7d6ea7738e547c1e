package conn

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// TestEncryptedKeys: testdata/keys was made by openssl 3.0 from one key, with
// the password "secret".
func TestEncryptedKeys(t *testing.T) {
	t.Parallel()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", "keys", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	plain, _ := pem.Decode(read("plain.key"))
	for _, name := range []string{"plain.key", "aes256.key", "aes128-sha1.key", "des3.key", "traditional.key"} {
		b, err := decryptKey(read(name), "secret")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		block, _ := pem.Decode(b)
		der := block.Bytes
		if name == "traditional.key" {
			key, err := x509.ParseECPrivateKey(der)
			if err != nil {
				t.Fatal(err)
			}
			if der, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(der, plain.Bytes) {
			t.Errorf("%s: another key", name)
		}
		if _, err := decryptKey(read(name), "wrong"); err == nil && name != "plain.key" {
			t.Errorf("%s: opened by the wrong password", name)
		}
	}
}

// FuzzEncryptedKey: key files are the administrator's, but they are parsed by
// hand here.
func FuzzEncryptedKey(f *testing.F) {
	files, err := filepath.Glob("testdata/keys/*.key")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if block, _ := pem.Decode(b); block != nil && block.Type == "ENCRYPTED PRIVATE KEY" {
			f.Add(block.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) < 4096 {
			_, _ = decryptPKCS8(der, "x")
		}
	})
}
