package container

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAtLeast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version, least string
		want           bool
	}{
		{"4.3.1", "4.0.0", true},
		{"4.0.0", "4.0.0", true},
		{"3.4.4", "4.0.0", false},
		{"10.0", "4.0.0", true},
		{"1.41", "1.41", true},
		{"1.9", "1.41", false},
		{"5.0.0-dev", "5.0.0", true},
		{"4", "4.0.0", true},
		{"", "4.0.0", false},
		{"x", "1", false},
	} {
		if got := AtLeast(c.version, c.least); got != c.want {
			t.Errorf("%q at least %q: %v", c.version, c.least, got)
		}
	}
}

func TestLocalImage(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"2.0.0": "localhost/skupper-router:2.0.0", "2.0.0+dirty": "localhost/skupper-router:2.0.0_dirty", "-x": "localhost/skupper-router:x",
		strings.Repeat("a", 200): "localhost/skupper-router:" + strings.Repeat("a", 128),
	} {
		if got := LocalImage(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}

func example() Container {
	return Container{
		Engine: Podman, Name: "west-skupper-router", Image: "localhost/skupper-router:2", Local: true, Env: []string{"A=b c"},
		Labels: map[string]string{LabelSite: "id", LabelApplication: Application},
		Mounts: []Mount{{From: "/a b", To: ConfigDir}, {From: "/r", To: RunDir, Writable: true}}, UID: 1000, GID: 100, KeepID: true, Stop: time.Minute,
		Health: HealthCommand(),
	}
}

// TestDigest has what only a new container can change change it.
func TestDigest(t *testing.T) {
	t.Parallel()
	base := example().Digest()
	for name, change := range map[string]func(*Container){
		"user": func(c *Container) { c.UID++ }, "mount": func(c *Container) { c.Mounts[0].Writable = true }, "low ports": func(c *Container) { c.LowPorts = true },
		"label": func(c *Container) { c.Labels["x"] = "y" }, "environment": func(c *Container) { c.Env = nil },
	} {
		c := example()
		change(&c)
		if c.Digest() == base {
			t.Errorf("%s: the digest is the same", name)
		}
	}
	c := example()
	c.Image, c.Stop = "other", time.Hour
	if c.Digest() != base {
		t.Error("a newer image or another time to stop takes effect with the next start: the digest must not change")
	}
}

func TestOwns(t *testing.T) {
	t.Parallel()
	c := example()
	for _, row := range []struct {
		labels map[string]string
		want   bool
	}{
		{map[string]string{LabelApplication: Application, LabelSite: "id"}, true},
		{map[string]string{LabelApplication: Application, LabelSite: "other"}, false},
		{map[string]string{LabelSite: "id"}, false},
		{nil, false},
	} {
		if got := c.Owns(row.labels); got != row.want {
			t.Errorf("%v: %v", row.labels, got)
		}
	}
}

func TestRunArgs(t *testing.T) {
	t.Parallel()
	args := example().RunArgs()
	for _, want := range [][]string{
		{"run", "--name", "west-skupper-router"},
		{"--user", "1000:100"},
		{"--env", "A=b c"},
		{"--label", "application=skupper-v2"},
		{"--volume", "/a b:/etc/skupper-router/config:ro,z"},
		{"--volume", "/r:/run/skupper-router:rw,z"},
		{"--pidfile", "/r/router.pid"},
	} {
		if i := slices.Index(args, want[len(want)-1]); i < len(want)-1 || !slices.Equal(args[i-len(want)+1:i+1], want) {
			t.Errorf("%q is not in %q", want, args)
		}
	}
	for _, want := range []string{"--read-only", "--cap-drop=all", "--network=host", "--userns=keep-id", "--rm", "--security-opt=no-new-privileges", "--pull=never"} {
		if !slices.Contains(args, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if args[len(args)-1] != "localhost/skupper-router:2" {
		t.Errorf("the image is not last: %q", args)
	}
	c := example()
	c.KeepID, c.LowPorts = false, true
	if args := c.RunArgs(); slices.Contains(args, "--userns=keep-id") || !slices.Contains(args, "--cap-add=NET_BIND_SERVICE") {
		t.Errorf("rootful with low ports: %q", args)
	}
}
