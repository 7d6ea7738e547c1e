package system

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/skupper-host/skupper/system/layout"
)

// TestQuadlets has podman's generator of the right kind, and a directory for its
// files that can be made, decide.
func TestQuadlets(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	has := func(path string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(root, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	user := layout.Paths{QuadletDir: filepath.Join(root, "home/.config/containers/systemd")}
	all := layout.Paths{QuadletDir: filepath.Join(root, "etc/containers/systemd"), System: true}
	has("etc/containers/systemd")
	has("usr/lib/systemd/user-generators/podman-user-generator")
	if !quadlets(root, user) {
		t.Error("a user's generator is there, and a directory can be made")
	}
	if quadlets(root, all) {
		t.Error("there is no generator of the system's")
	}
	has("lib/systemd/system-generators/podman-system-generator")
	if !quadlets(root, all) {
		t.Error("the system's generator is there")
	}
	all.QuadletDir = "/proc/self/status/x"
	if quadlets(root, all) || quadlets(root, layout.Paths{}) {
		t.Error("the directory cannot be made")
	}
}
