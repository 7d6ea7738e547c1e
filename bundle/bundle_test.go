package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/skupper-host/skupper/system/resource"
)

// plainSite is a site with a token, as text.
const plainSite = `apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: edge, namespace: elsewhere, uid: 11111111-2222-3333-4444-555555555555}
spec: {linkAccess: default}
status: {status: Ready}
---
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata: {name: db}
spec: {routingKey: db, host: 127.0.0.1, port: 5432}
---
apiVersion: skupper.io/v2alpha1
kind: AccessToken
metadata: {name: hub}
spec: {url: "https://hub.example.com:9090/1", code: secret, ca: none}
`

func parsed(t *testing.T, texts ...string) *resource.Set {
	t.Helper()
	var in []resource.Input
	for i, text := range texts {
		in = append(in, resource.Input{Name: fmt.Sprintf("%d.yaml", i), Data: []byte(text)})
	}
	set, _, err := resource.Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func made(t *testing.T, c Content, o Options) *Bundle {
	t.Helper()
	o.Namespace, o.Platform, o.Version = "shop", "linux", "1.2.3"
	b, _, err := New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// forms are the files that a bundle can be.
func forms(t *testing.T, b *Bundle, p *Program) map[string][]byte {
	t.Helper()
	shell, err := b.Shell(p)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := b.Archive(p)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"shell": shell, "archive": archive}
}

func programs() map[string]*Program {
	return map[string]*Program{"alone": nil, "with program": {Arch: "amd64", Data: bytes.Repeat([]byte("program"), 3000)}}
}

func TestWhatIsPackedIsOpened(t *testing.T) {
	t.Parallel()
	c := Content{
		Set:   parsed(t, plainSite),
		Certs: map[string]map[string][]byte{"db": {"ca.crt": []byte("authority"), "notes.txt": []byte("left out")}},
		Proxies: map[string]map[string][]byte{
			"office": {"host": []byte("proxy\n"), "port": []byte("3128\n"), "password.txt": []byte("word\n")},
		},
	}
	b := made(t, c, Options{})
	for with, p := range programs() {
		for form, data := range forms(t, b, p) {
			again, err := Open("edge", data)
			if err != nil {
				t.Fatalf("%s, %s: %v", form, with, err)
			}
			if diff := cmp.Diff(b, again, cmp.AllowUnexported(Bundle{})); diff != "" {
				t.Errorf("%s, %s (-packed +opened):\n%s", form, with, diff)
			}
		}
	}
	var names []string
	for _, f := range b.Resources() {
		names = append(names, f.Name)
		for _, word := range []string{"elsewhere", "11111111", "status"} {
			if bytes.Contains(f.Data, []byte(word)) {
				t.Errorf("%s holds %q, which is one installation's:\n%s", f.Name, word, f.Data)
			}
		}
	}
	if want := []string{"AccessToken-hub.yaml", "Connector-db.yaml", "Site-edge.yaml"}; !slices.Equal(names, want) {
		t.Errorf("resources %v, want %v", names, want)
	}
	material := b.Material()
	if len(material) != 4 || string(material["proxies/office/host"]) != "proxy\n" || string(material["certs/db/ca.crt"]) != "authority" {
		t.Errorf("material %q", material)
	}
}

func TestAnUnpackedArchiveIsABundle(t *testing.T) {
	t.Parallel()
	b := made(t, Content{Set: parsed(t, plainSite)}, Options{})
	dir := unpacked(t, b)
	again, err := OpenDir("edge", os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, again, cmp.AllowUnexported(Bundle{})); diff != "" {
		t.Errorf("-packed +opened:\n%s", diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "input/resources/Connector-db.yaml"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	var damaged *DamagedError
	if _, err := OpenDir("edge", os.DirFS(dir)); !errors.As(err, &damaged) {
		t.Errorf("changed: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "input/resources/Connector-db.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDir("edge", os.DirFS(dir)); !errors.As(err, &damaged) {
		t.Errorf("incomplete: %v", err)
	}
}

// unpacked is a directory with what is in the archive of a bundle.
func unpacked(t *testing.T, b *Bundle) string {
	t.Helper()
	data, err := b.Archive(nil)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, h.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSameContentGivesSameBytes(t *testing.T) {
	t.Parallel()
	documents := strings.Split(plainSite, "---\n")
	first := forms(t, made(t, Content{Set: parsed(t, plainSite)}, Options{}), nil)
	slices.Reverse(documents)
	second := forms(t, made(t, Content{Set: parsed(t, documents...)}, Options{}), nil)
	for form := range first {
		if !bytes.Equal(first[form], second[form]) {
			t.Errorf("%s: two bundles of the same resources differ", form)
		}
	}
}

// TestProblemsAreThoseOfApply has what an apply would refuse refused, with file
// and line.
func TestProblemsAreThoseOfApply(t *testing.T) {
	t.Parallel()
	set := parsed(t, "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: a}\n",
		"apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: b}\n")
	_, _, err := New(Content{Set: set}, Options{Namespace: "shop", Platform: "linux"})
	problems := resource.Problems(err)
	if len(problems) != 1 || problems[0].File != "1.yaml" || problems[0].Line != 3 {
		t.Errorf("problems %v of %v", problems, err)
	}
}

// TestDamageIsFound changes one byte of the file, at every seventeenth place: either
// nothing is opened, or what was packed.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	b := made(t, Content{Set: parsed(t, plainSite)}, Options{})
	for form, data := range forms(t, b, nil) {
		for i := 0; i < len(data); i += 17 {
			broken := bytes.Clone(data)
			broken[i] ^= 0x10
			again, err := Open("edge", broken)
			if err == nil && !cmp.Equal(b, again, cmp.AllowUnexported(Bundle{})) {
				t.Fatalf("%s: a changed byte %d gives another bundle", form, i)
			}
			if form == "shell" && i >= block && err == nil {
				t.Fatalf("%s: a changed byte %d is not noticed", form, i)
			}
		}
		for _, length := range []int{0, 1, 10, block - 1, block, len(data) / 2, len(data) - 1} {
			var damaged *DamagedError
			if _, err := Open("edge", data[:min(length, len(data)-1)]); !errors.As(err, &damaged) || damaged.Hint() == "" {
				t.Errorf("%s: of %d bytes %d are there: %v", form, len(data), length, err)
			}
		}
	}
}

// TestHostileFirstBlock names an archive that is not there, under a right sum.
func TestHostileFirstBlock(t *testing.T) {
	t.Parallel()
	b := made(t, Content{Set: parsed(t, plainSite)}, Options{})
	shell, err := b.Shell(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"0", "-1", "9999", "2251799813685249", "99999999999999999999", "x"} {
		head := regexp.MustCompile(`(?m)^archive=\d+$`).ReplaceAllString(string(shell[:block]), "archive="+at)
		if !strings.Contains(head, "archive="+at+"\n") {
			t.Fatal("the first block does not say where the archive is")
		}
		var damaged *DamagedError
		if _, err := Open("hostile", append([]byte(head)[:block], shell[block:]...)); !errors.As(err, &damaged) {
			t.Errorf("archive=%s: %v", at, err)
		}
	}
}

// TestHostileArchives have names, types and sizes that must not become files.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	site := []byte("apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: a}\n")
	with := func(headers ...tar.Header) []byte {
		m := Manifest{Format: format, Site: "a", Namespace: "a", Platform: "linux", Files: map[string]string{"input/resources/Site-a.yaml": Sum(site)}}
		for _, h := range headers {
			m.Files[h.Name] = Sum(nil)
		}
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		w := tar.NewWriter(z)
		for _, h := range append([]tar.Header{
			{Typeflag: tar.TypeReg, Name: manifestName, Size: int64(len(m.encode()))}, {Typeflag: tar.TypeReg, Name: "input/resources/Site-a.yaml", Size: int64(len(site))},
		}, headers...) {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			var data []byte
			switch h.Name {
			case manifestName:
				data = m.encode()
			case "input/resources/Site-a.yaml":
				data = site
			}
			if _, err := w.Write(data[:h.Size]); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), z.Close()); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	if _, err := Open("fine", with()); err != nil {
		t.Fatal(err)
	}
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "../../etc/passwd"},
		{Typeflag: tar.TypeReg, Name: "/etc/passwd"},
		{Typeflag: tar.TypeReg, Name: "input/resources/../../x.yaml"},
		{Typeflag: tar.TypeReg, Name: "input/certs/../../../x/tls.crt"},
		{Typeflag: tar.TypeReg, Name: "input/certs/../tls.crt"},
		{Typeflag: tar.TypeReg, Name: "input/certs/a/run.sh"},
		{Typeflag: tar.TypeReg, Name: "internal/state.json"},
		{Typeflag: tar.TypeSymlink, Name: "input/certs/a/tls.crt", Linkname: "/etc/passwd"},
		{Typeflag: tar.TypeLink, Name: "input/certs/a/tls.crt", Linkname: "/etc/passwd"},
		{Typeflag: tar.TypeDir, Name: "input/certs/a/"},
		{Typeflag: tar.TypeReg, Name: "input/resources/Site-a.yaml", Size: 0},
		{Typeflag: tar.TypeFifo, Name: "input/proxies/a/host"},
	} {
		var damaged *DamagedError
		if _, err := Open("hostile", with(h)); !errors.As(err, &damaged) {
			t.Errorf("%q (%c): %v", h.Name, h.Typeflag, err)
		}
	}
}

// keyForms are private keys as people have them.
func keyForms(t *testing.T) map[string][]byte {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(old)
	text := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	return map[string][]byte{
		"PKCS #8": text("PRIVATE KEY", pkcs8), "SEC 1": text("EC PRIVATE KEY", sec1), "PKCS #1": text("RSA PRIVATE KEY", pkcs1),
		"encrypted": text("ENCRYPTED PRIVATE KEY", pkcs8), "OpenSSH": text("OPENSSH PRIVATE KEY", pkcs8),
		"behind a certificate": append(text("CERTIFICATE", pkcs1), text("PRIVATE KEY", pkcs8)...),
		"PKCS #8, binary":      pkcs8, "SEC 1, binary": sec1, "PKCS #1, binary": pkcs1,
	}
}

// TestNoPrivateKeyIsInside: whatever the input is, a bundle that is made holds
// no private key in any form unless it was asked for.
func TestNoPrivateKeyIsInside(t *testing.T) {
	t.Parallel()
	keys := keyForms(t)
	kinds := slices.Sorted(func(yield func(string) bool) {
		for k := range keys {
			if !yield(k) {
				return
			}
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		key := keys[rapid.SampledFrom(kinds).Draw(t, "form")]
		c := Content{
			Set:   resource.NewSet(&resource.Site{Meta: resource.Meta{Name: "a"}}),
			Certs: map[string]map[string][]byte{}, Issuers: map[string]map[string][]byte{}, Proxies: map[string]map[string][]byte{},
		}
		member := rapid.SampledFrom([]string{"tls.key", "ca.crt", "tls.crt", "key.pem", "host", "password.txt"}).Draw(t, "file")
		switch rapid.IntRange(0, 5).Draw(t, "place") {
		case 0:
			c.Set.Put(&resource.Secret{Meta: resource.Meta{Name: "s"}, Data: map[string][]byte{member: key}})
		case 1:
			c.Set.Put(&resource.ConfigMap{Meta: resource.Meta{Name: "m"}, Data: map[string]string{member: string(key)}})
		case 2:
			c.Certs["c"] = map[string][]byte{member: key}
		case 3:
			c.Issuers["i"] = map[string][]byte{member: key}
		case 4:
			c.Proxies["p"] = map[string][]byte{member: key}
		case 5:
			token := &resource.AccessToken{Meta: resource.Meta{Name: "t", Annotations: map[string]string{"note": string(key)}}}
			token.Spec.URL, token.Spec.Code, token.Spec.CA = "https://x.example.com/1", "code", string(key)
			c.Set.Put(token)
		}
		b, _, err := New(c, Options{Namespace: "a", Platform: "linux"})
		if err != nil {
			if p := resource.Problems(err); len(p) == 0 || p[0].Hint() == "" {
				t.Fatalf("refused without advice: %v", err)
			}
			return
		}
		for name, data := range b.members {
			for _, form := range [][]byte{key, []byte(base64.StdEncoding.EncodeToString(key)), []byte("PRIVATE KEY")} {
				if bytes.Contains(data, form) {
					t.Fatalf("%s holds a private key:\n%s", name, data)
				}
			}
		}
	})
}

func TestKeysThatWereAskedFor(t *testing.T) {
	t.Parallel()
	leaf, ca := credential(t, false), credential(t, true)
	site := resource.NewSet(&resource.Site{Meta: resource.Meta{Name: "a"}})
	for _, row := range []struct {
		name     string
		content  Content
		o        Options
		want     int // problems
		elements int // members
	}{
		{"leaf refused", Content{Set: site, Certs: map[string]map[string][]byte{"x": leaf}}, Options{}, 1, 0},
		{"leaf carried", Content{Set: site, Certs: map[string]map[string][]byte{"x": leaf}}, Options{Keys: true}, 0, 3},
		{"authority refused", Content{Set: site, Issuers: map[string]map[string][]byte{"x": ca}}, Options{Keys: true}, 1, 0},
		{"authority carried", Content{Set: site, Issuers: map[string]map[string][]byte{"x": ca}}, Options{CAKeys: true}, 0, 3},
		{"authority among leaves", Content{Set: site, Certs: map[string]map[string][]byte{"x": ca}}, Options{Keys: true}, 1, 0},
		{"secret of an authority", Content{Set: resource.NewSet(append(slices.Collect(site.All()), &resource.Secret{Meta: resource.Meta{Name: "x"}, Data: ca})...)}, Options{Keys: true}, 1, 0},
		{"secret of a leaf", Content{Set: resource.NewSet(append(slices.Collect(site.All()), &resource.Secret{Meta: resource.Meta{Name: "x"}, Data: leaf})...)}, Options{Keys: true}, 0, 2},
	} {
		row.o.Namespace, row.o.Platform = "a", "linux"
		b, _, err := New(row.content, row.o)
		if got := len(resource.Problems(err)); got != row.want {
			t.Errorf("%s: %d problems, want %d: %v", row.name, got, row.want, err)
		}
		if err == nil && len(b.members) != row.elements {
			t.Errorf("%s: %v", row.name, sortedNames(b.members))
		}
	}
}

// credential is a key with its certificate.
func credential(t *testing.T, ca bool) map[string][]byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: ca, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}),
	}
}

// TestCRC compares with what POSIX's cksum prints.
func TestCRC(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "4294967295", "123456789": "930766865"} {
		if got := cksum([]byte(text)); got != want {
			t.Errorf("cksum of %q is %s, want %s", text, got, want)
		}
	}
}

func TestWordsAreQuoted(t *testing.T) {
	t.Parallel()
	b := made(t, Content{Set: parsed(t, plainSite)}, Options{})
	b.Version = `1'; touch /nonexistent/made; echo $(id) "` + "`id`"
	script, err := b.Shell(nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "edge.sh")
	if err := os.WriteFile(file, script, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", file, "-h").CombinedOutput()
	if err != nil || !strings.Contains(string(out), b.Version) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestShellcheck reads the scripts as shellcheck does; what is behind them in a
// file is not read by a shell either.
func TestShellcheck(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("shellcheck"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("shellcheck is not installed: run make test-deps")
	}
	b := made(t, Content{Set: parsed(t, plainSite)}, Options{})
	for name, head := range map[string]string{"shell": shellHead, "archive": archiveHead} {
		s := b.script(programs()["with program"])
		s.At, s.Count, s.Archive = 2, 3, 5
		script, err := fill(head+installer, s)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("shellcheck", "--shell=sh", "-")
		cmd.Stdin = bytes.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func FuzzBundle(f *testing.F) {
	set, _, err := resource.Parse([]resource.Input{{Name: "a.yaml", Data: []byte(plainSite)}})
	if err != nil {
		f.Fatal(err)
	}
	b, _, err := New(Content{Set: set}, Options{Namespace: "shop", Platform: "linux"})
	if err != nil {
		f.Fatal(err)
	}
	for _, make := range []func(*Program) ([]byte, error){b.Shell, b.Archive} {
		data, err := make(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Open("fuzz", data)
		if err != nil {
			return
		}
		for name := range b.Material() {
			if !filepath.IsLocal(name) {
				t.Errorf("%q leads out of the directory", name)
			}
		}
	})
}
