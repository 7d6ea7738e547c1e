package container

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The engines; the words are those of --platform.
const (
	Podman = "podman"
	Docker = "docker"
)

// Known reports whether a platform is a container engine.
func Known(platform string) bool { return platform == Podman || platform == Docker }

// Places inside of the container.
//
// compat: upstream's, but for RunDir.
const (
	Home      = "/etc/skupper-router"
	ConfigDir = Home + "/config"
	Config    = ConfigDir + "/skrouterd.json"
	Certs     = Home + "/runtime/certs"
	Proxies   = Home + "/runtime/proxies"
	RunDir    = "/run/skupper-router"
	Socket    = RunDir + "/router.sock"
)

// Labels of containers and images.
//
// compat: the first three are upstream's.
const (
	LabelApplication = "application"
	LabelComponent   = "skupper.io/v2-component"
	LabelSite        = "skupper.io/site-id"

	LabelUnit       = "skupper-agent/unit"       // of a container: how it is run, JSON
	LabelExecutable = "skupper-agent/executable" // of an image: SHA-256 of the program in it

	Application = "skupper-v2"
	Component   = "router"
)

// Repository is the name of the images that are made here. No registry has it.
const Repository = "localhost/skupper-router"

// LocalImage names the image of a version of the program.
func LocalImage(version string) string {
	tag := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, version)
	return Repository + ":" + strings.TrimLeft(tag[:min(len(tag), 128)], ".-")
}

// Container is the router of a site as a container. It shares the network of the
// host, its root is read-only, and it has no capabilities but what is named.
type Container struct {
	Engine string            `json:"engine"`
	Name   string            `json:"name"`
	Image  string            `json:"image"`
	Local  bool              `json:"local,omitempty"` // the image is made from our program, not pulled
	Env    []string          `json:"env"`             // "KEY=value"
	Labels map[string]string `json:"labels"`
	Mounts []Mount           `json:"mounts"`
	UID    int               `json:"uid"`
	GID    int               `json:"gid"`
	// KeepID has the user of a rootless engine be the same inside, so that files
	// that the router makes are his.
	KeepID   bool          `json:"keepId,omitempty"`
	LowPorts bool          `json:"lowPorts,omitempty"` // may bind ports below the unprivileged start
	Stop     time.Duration `json:"stop"`               // from the request to stop until it is killed
	Health   []string      `json:"health,omitempty"`   // command that ends with 0 while all is well
}

// Mount is a directory of the host inside of the container. It gets the label
// that SELinux asks for where several containers may have it.
type Mount struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Writable bool   `json:"writable,omitempty"`
}

// HealthEvery and HealthTimeout are how often the health of a container is
// looked at, and how long that may take.
const (
	HealthEvery   = 30 * time.Second
	HealthTimeout = 10 * time.Second
	HealthRetries = 3
)

// HealthCommand is the health check of our own image.
func HealthCommand() []string { return []string{"/skupper", "router", "check", "--socket", Socket} }

// stopMargin is how long the engine may take to remove a container whose router
// did not end in time.
const stopMargin = 10 * time.Second

// User is whom the container runs as, "uid:gid".
func (c Container) User() string { return strconv.Itoa(c.UID) + ":" + strconv.Itoa(c.GID) }

// Capabilities are those that it keeps.
func (c Container) Capabilities() []string {
	if c.LowPorts {
		return []string{"NET_BIND_SERVICE"}
	}
	return nil
}

// RunSource is the directory of the host in which the router has its socket, ""
// if there is none.
func (c Container) RunSource() string {
	for _, m := range c.Mounts {
		if m.To == RunDir {
			return m.From
		}
	}
	return ""
}

// PIDFile is where a unit that runs the container has the router's process id.
func (c Container) PIDFile() string { return path.Join(c.RunSource(), "router.pid") }

// Owns reports whether a container with these labels is of the same site, be it
// made here or by upstream's tools.
func (c Container) Owns(labels map[string]string) bool {
	return labels[LabelApplication] == Application && labels[LabelSite] == c.Labels[LabelSite]
}

// Digest names what only making the container anew can change. The image is not
// in it: a newer program takes effect with the next restart. Neither is the time
// to stop: whoever stops it says that.
func (c Container) Digest() string {
	c.Image, c.Local, c.Stop = "", false, 0
	text, err := json.Marshal(c)
	if err != nil {
		panic("container: " + err.Error()) // it has no such types
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4])
}

// RunArgs is the container as arguments of `podman run`, for a unit that runs it.
// It stays in the foreground, so that the service manager has a process to look
// after wherever the engine puts the others. The unit restarts it; it is gone
// when it ends. What the router writes goes to the journal with the name of the
// container, wherever its processes are.
func (c Container) RunArgs() []string {
	args := []string{
		"run", "--name", c.Name, "--replace", "--rm", "--sdnotify=ignore", "--cgroups=no-conmon", "--log-driver=journald", "--attach=stdout", "--pidfile", c.PIDFile(),
		"--network=host", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--pull=never", "--user", c.User(),
	}
	if c.KeepID {
		args = append(args, "--userns=keep-id")
	}
	for _, name := range c.Capabilities() {
		args = append(args, "--cap-add="+name)
	}
	for _, e := range c.Env {
		args = append(args, "--env", e)
	}
	for _, k := range sortedKeys(c.Labels) {
		args = append(args, "--label", k+"="+c.Labels[k])
	}
	for _, m := range c.Mounts {
		args = append(args, "--volume", m.From+":"+m.To+":"+strings.Join(m.Options(), ","))
	}
	return append(append(args, c.healthArgs()...), c.Image)
}

func (c Container) healthArgs() []string {
	if len(c.Health) == 0 {
		return nil
	}
	test, err := json.Marshal(c.Health)
	if err != nil {
		panic("container: " + err.Error()) // texts
	}
	return []string{
		"--health-cmd", string(test), "--health-interval", HealthEvery.String(), "--health-timeout", HealthTimeout.String(),
		"--health-retries", strconv.Itoa(HealthRetries),
	}
}

// QuadletArgs are the arguments of `podman run` that a Quadlet file has no keys
// for since podman 4.4. The command that ends the unit waits for the router, and
// has killed it before the service manager does.
func (c Container) QuadletArgs() []string {
	args := []string{"--pull=never", "--log-driver=journald", "--pidfile", c.PIDFile(), "--stop-timeout", strconv.Itoa(int((c.Stop - stopMargin).Seconds()))}
	if c.KeepID {
		args = append(args, "--userns=keep-id")
	}
	return append(args, c.healthArgs()...)
}

// Options are those of a mount, as both engines write them.
func (m Mount) Options() []string {
	if m.Writable {
		return []string{"rw", "z"}
	}
	return []string{"ro", "z"}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Phase is where a container stands.
type Phase string

// The phases.
const (
	Created    Phase = "created"    // never started
	Running    Phase = "running"    // or paused
	Restarting Phase = "restarting" // it ended, and the engine is about to start it again
	Exited     Phase = "exited"     // and stays down
)

// Status is what an engine knows of a container.
type Status struct {
	ID       string
	Labels   map[string]string
	Phase    Phase
	PID      int       // on the host; 0 if there is none
	Since    time.Time // of the process, or of its end
	ExitCode int
	Restarts int
	Health   string // "healthy", "unhealthy", "starting"; "" if nobody looks
	Text     string // why it did not start
}

// Image is what an engine knows of an image.
type Image struct {
	ID     string
	Labels map[string]string
}

// Version is that of an engine.
type Version struct {
	Engine string // "4.3.1"
	API    string // "1.41", of podman as Engine
}

// AtLeast compares versions of numbers with dots; letters after them do not
// count.
func AtLeast(version, least string) bool {
	a, b := numbers(version), numbers(least)
	for i := range max(len(a), len(b)) {
		x, y := 0, 0
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return x > y
		}
	}
	return true
}

func numbers(version string) []int {
	var list []int
	for part := range strings.SplitSeq(version, ".") {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(part)
		}
		n, err := strconv.Atoi(part[:end])
		if err != nil {
			break
		}
		list = append(list, n)
		if end < len(part) {
			break
		}
	}
	return list
}

// TooOldError is an engine that lacks what is needed.
type TooOldError struct {
	Engine, Is, Need string
}

func (e *TooOldError) Error() string {
	return fmt.Sprintf("%s %s is too old: %s is needed", e.Engine, e.Is, e.Need)
}

// Hint says what to do about it.
func (e *TooOldError) Hint() string {
	return fmt.Sprintf("install a newer %s, or run the site without one: skupper system migrate --to linux", e.Engine)
}
