package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/system/container"
)

// TestWrite reads an archive as engines do: a list of images, the configuration
// of the one, its only layer.
func TestWrite(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("\x7fELF and so on"), 0o755); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if err := Write(b, "localhost/skupper-router:2.0.0", program); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same program makes another image")
	}
	files := unpack(t, &first)
	var list []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(files["manifest.json"], &list); err != nil || len(list) != 1 || len(list[0].Layers) != 1 {
		t.Fatalf("manifest.json: %v %+v", err, list)
	}
	if got := list[0].RepoTags; len(got) != 1 || got[0] != "localhost/skupper-router:2.0.0" {
		t.Errorf("names: %q", got)
	}
	var config struct {
		Config struct {
			Entrypoint []string
			Labels     map[string]string
		} `json:"config"`
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(files[list[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	digest, err := Digest(program)
	if err != nil || config.Config.Labels[container.LabelExecutable] != digest {
		t.Errorf("labels %v, want the digest %s (%v)", config.Config.Labels, digest, err)
	}
	if got := strings.Join(config.Config.Entrypoint, " "); got != "/skupper router run -c /etc/skupper-router/config/skrouterd.json --socket /run/skupper-router/router.sock" {
		t.Errorf("entrypoint: %s", got)
	}
	if len(config.RootFS.DiffIDs) != 1 {
		t.Errorf("layers: %q", config.RootFS.DiffIDs)
	}
}

// unpack gives the files of an archive by name.
func unpack(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for archive := tar.NewReader(r); ; {
		head, err := archive.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[head.Name] = data
	}
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	if err := Write(io.Discard, "localhost/skupper-router:2", "/nonexistent"); err == nil || !strings.Contains(err.Error(), "/nonexistent") {
		t.Errorf("no program: %v", err)
	}
	if err := Write(io.Discard, "Not A Name", "/proc/self/exe"); err == nil {
		t.Error("a name that is none was taken")
	}
	if _, err := Digest("/nonexistent"); err == nil {
		t.Error("no program has a digest")
	}
}
