package console

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func handler(t *testing.T) http.Handler {
	t.Helper()
	h, err := Handler()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, target string, header http.Header) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestFilesAreServed(t *testing.T) {
	h := handler(t)
	for _, c := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/index.html", 200, "text/html; charset=utf-8"},
		{"GET", "/js/main.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/vendor/preact.mjs", 200, "text/javascript; charset=utf-8"},
		{"GET", "/vendor/inter.woff2", 200, "font/woff2"},
		{"GET", "/js", 404, "text/plain; charset=utf-8"},
		{"GET", "/../console.go", 404, "text/plain; charset=utf-8"},
		{"GET", "/sites", 404, "text/plain; charset=utf-8"},
		{"POST", "/", 405, "text/plain; charset=utf-8"},
	} {
		got := ask(h, c.method, c.path, http.Header{})
		if got.StatusCode != c.status || got.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, got.StatusCode, got.Header.Get("Content-Type"), c.status, c.kind)
		}
		if p := got.Header.Get("Content-Security-Policy"); p != Policy {
			t.Errorf("%s %s: policy %q", c.method, c.path, p)
		}
	}
}

func TestFilesAreNotSentTwice(t *testing.T) {
	h := handler(t)
	first := ask(h, "GET", "/js/main.js", http.Header{})
	tag := first.Header.Get("ETag")
	again := ask(h, "GET", "/js/main.js", http.Header{"If-None-Match": {tag}})
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("with the tag %s of the first answer: %d, want 304", tag, again.StatusCode)
	}
	other := ask(h, "GET", "/js/main.js", http.Header{"If-None-Match": {`"0123"`}})
	if other.StatusCode != http.StatusOK {
		t.Errorf("with another tag: %d, want 200", other.StatusCode)
	}
}

func TestFilesAreCompressedOnRequest(t *testing.T) {
	h := handler(t)
	plain, err := io.ReadAll(ask(h, "GET", "/vendor/uplot.mjs", http.Header{}).Body)
	if err != nil {
		t.Fatal(err)
	}
	packed := ask(h, "GET", "/vendor/uplot.mjs", http.Header{"Accept-Encoding": {"br, gzip"}})
	if packed.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal("not compressed")
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(plain) {
		t.Error("what is compressed differs from what is not")
	}
	if font := ask(h, "GET", "/vendor/inter.woff2", http.Header{"Accept-Encoding": {"gzip"}}); font.Header.Get("Content-Encoding") != "" {
		t.Error("a font, which is compressed already, is compressed again")
	}
}

// What npm gave is as make console left it.
func TestLibrariesAreThoseOfTheLockFile(t *testing.T) {
	f, err := os.Open("npm/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var listed []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok {
			t.Fatalf("npm/SHA256SUMS: %q", lines.Text())
		}
		content, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s is not what npm/SHA256SUMS lists; run: make console", name)
		}
		listed = append(listed, name)
	}
	for _, dir := range []string{"static/vendor", "testdata"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if name := path.Join(dir, e.Name()); !slices.Contains(listed, name) {
				t.Errorf("%s is not in npm/SHA256SUMS; run: make console", name)
			}
		}
	}
}

var (
	imported  = regexp.MustCompile(`(?m)^(?:import|export)[^;'"]*?['"](\.[^'"]+)['"]`)
	preloaded = regexp.MustCompile(`<link rel="modulepreload" href="([^"]+)">`)
)

// needed adds the modules that name imports, directly or not, to all.
func needed(t *testing.T, name string, all map[string]bool) {
	t.Helper()
	if all[name] {
		return
	}
	all[name] = true
	content, err := fs.ReadFile(static, "static/"+name)
	if err != nil {
		t.Errorf("a module imports %s: %v", name, err)
		return
	}
	for _, m := range imported.FindAllStringSubmatch(string(content), -1) {
		needed(t, path.Join(path.Dir(name), m[1]), all)
	}
}

// A browser that learns of a module only when it has read the one that imports
// it paints late.
func TestModulesOfTheFirstPaintAreNamedByThePage(t *testing.T) {
	all := map[string]bool{}
	needed(t, "js/main.js", all)
	delete(all, "js/main.js")
	page, err := fs.ReadFile(static, "static/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range preloaded.FindAllStringSubmatch(string(page), -1) {
		if !all[m[1]] {
			t.Errorf("index.html names %s, which the first paint does not need", m[1])
		}
		delete(all, m[1])
	}
	var missing []string
	for name := range all {
		missing = append(missing, `<link rel="modulepreload" href="`+name+`">`)
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("index.html lacks\n%s", strings.Join(missing, "\n"))
	}
}
