package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/skupper-host/skupper/system/container"
)

// Program is where the program is inside.
const Program = "/skupper"

// Digest is the SHA-256 of the program in a file, hexadecimal. It names the
// image's content.
func Digest(program string) (string, error) {
	f, err := os.Open(program)
	if err != nil {
		return "", fmt.Errorf("program: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Write writes the archive of an image with the name tag, as `docker save`
// does. program is the path of the static executable.
func Write(w io.Writer, tag, program string) error {
	ref, err := name.NewTag(tag, name.WithDefaultRegistry(""))
	if err != nil {
		return fmt.Errorf("image %s: %w", tag, err)
	}
	img, err := build(program)
	if err != nil {
		return fmt.Errorf("image %s: %w", tag, err)
	}
	if err := tarball.Write(ref, img, w); err != nil {
		return fmt.Errorf("image %s: %w", tag, err)
	}
	return nil
}

// build makes the image in memory.
func build(program string) (v1.Image, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	files, err := pack(data)
	if err != nil {
		return nil, err
	}
	// It goes through a socket of this host: to compress it costs both sides more
	// than it saves.
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		tarball.WithCompressionLevel(gzip.NoCompression), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, &v1.ConfigFile{
		Architecture: runtime.GOARCH, OS: runtime.GOOS, RootFS: rootFS(img),
		Config: v1.Config{
			Entrypoint: []string{Program, "router", "run", "-c", container.Config, "--socket", container.Socket},
			Env:        []string{"PATH=/"},
			Labels:     map[string]string{container.LabelExecutable: hex.EncodeToString(sum[:])},
			User:       "65532:65532", // nobody in particular, where nobody says
			WorkingDir: "/",
		},
	})
}

// rootFS are the layers of an image, which a new configuration must name again.
func rootFS(img v1.Image) v1.RootFS {
	c, err := img.ConfigFile()
	if err != nil {
		return v1.RootFS{}
	}
	return c.RootFS
}

// pack is the layer: the program, and the places of mounts, which a read-only
// root could not make.
func pack(program []byte) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	epoch := time.Unix(0, 0)
	for _, dir := range []string{
		"etc/", "etc/skupper-router/", "etc/skupper-router/config/", "etc/skupper-router/runtime/", "etc/skupper-router/runtime/certs/",
		"etc/skupper-router/runtime/proxies/", "run/", "run/skupper-router/", "tmp/",
	} {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: epoch}); err != nil {
			return nil, err
		}
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: Program[1:], Mode: 0o755, Size: int64(len(program)), ModTime: epoch}); err != nil {
		return nil, err
	}
	if _, err := t.Write(program); err != nil {
		return nil, err
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
