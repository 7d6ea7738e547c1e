package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/state"
)

// TestWhatOthersLeft takes over a tree with the modes of upstream's tools, files
// that nobody wants, and things in the places of files.
func TestWhatOthersLeft(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	r.mustConverge(t, 1)
	outside := filepath.Join(r.dir, "outside")
	for _, err := range []error{
		os.Chmod(r.paths.RuntimeDir(), 0o755),
		os.Chmod(r.paths.RouterConfig(), 0o644),
		os.WriteFile(filepath.Join(r.paths.RouterDir(), "stray"), []byte("x"), 0o600),
		os.WriteFile(filepath.Join(r.paths.Certs(), ".x.tmp-123"), []byte("half"), 0o600),
		os.WriteFile(filepath.Join(r.paths.InternalDir(), ".state.json.tmp-9"), []byte("half"), 0o600),
		os.MkdirAll(filepath.Join(r.paths.Scripts(), "deep"), 0o755),
		os.WriteFile(filepath.Join(r.paths.Scripts(), "deep", "start.sh"), []byte("#!"), 0o755),
		syscall.Mkfifo(filepath.Join(r.paths.RouterDir(), "pipe"), 0o600),
		os.Remove(filepath.Join(r.paths.CertDir("west"), "ca.crt")),
		os.WriteFile(outside, []byte("mine"), 0o644),
		os.Symlink(outside, filepath.Join(r.paths.CertDir("west"), "ca.crt")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r.mustConverge(t, 1)
	if got, err := os.ReadFile(outside); err != nil || string(got) != "mine" {
		t.Errorf("the target of a link holds %q (%v)", got, err)
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the target of a link has mode %v (%v)", info.Mode(), err)
	}
}

// TestPlantedLinks puts symbolic links in the places of directories, as somebody
// could who may write where the router's files are.
func TestPlantedLinks(t *testing.T) {
	t.Parallel()
	for _, below := range []bool{false, true} {
		r := newRig(tempDir(t))
		r.mustConverge(t, 1)
		outside := filepath.Join(r.dir, "outside")
		victim := filepath.Join(outside, "tls.key")
		place := r.paths.Certs()
		if below {
			place = r.paths.CertDir("west")
		}
		for _, err := range []error{
			os.Mkdir(outside, 0o755), os.WriteFile(victim, []byte("theirs"), 0o644), os.Mkdir(filepath.Join(outside, "west"), 0o755),
			os.RemoveAll(place), os.Symlink(outside, place),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		r.mustConverge(t, 2)
		if got, err := os.ReadFile(victim); err != nil || string(got) != "theirs" {
			t.Errorf("below %v: outside holds %q (%v)", below, got, err)
		}
		if entries, err := os.ReadDir(filepath.Join(outside, "west")); err != nil || len(entries) > 0 {
			t.Errorf("below %v: written outside: %v (%v)", below, entries, err)
		}
		if info, err := os.Lstat(place); err != nil || !info.IsDir() {
			t.Errorf("below %v: %v, %v", below, info, err)
		}
	}
}

func TestObserveSeesEveryChange(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	r.mustConverge(t, 1)
	path := r.paths.RouterConfig()
	for _, text := range []string{"a", "b", "a"} { // of the same size
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		ns, err := r.host.Open(t.Context(), r.paths)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ns.Observe(t.Context())
		if err := errors.Join(err, ns.Close()); err != nil {
			t.Fatal(err)
		}
		if got := s.Files[path]; string(got.Data) != text || got.Subject != state.SubjectConfig || !got.Entities {
			t.Errorf("%+v %q, want %q", got, got.Data, text)
		}
	}
}

func TestObserveLabelsWhatIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	r.mustConverge(t, 1)
	s := r.observed(t)
	for path, want := range map[string]string{
		filepath.Join(r.paths.CertDir("west"), "tls.key"): "certificate west true false",
		filepath.Join(r.paths.CertDir("west"), "tls.crt"): "certificate west false false",
		r.paths.RuntimeResource("Site", "west"):           "resources true true",
		r.paths.State():                                   "records of the namespace false true",
		r.paths.Unit:                                      "unit file false false",
	} {
		f := s.Files[path]
		if got := fmt.Sprintf("%s %v %v", f.Subject, f.Secret, f.Record); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for path, shared := range map[string]bool{r.base.DataHome: true, r.paths.Dir: true, r.paths.InternalDir(): true, r.paths.RuntimeDir(): false, r.paths.CertDir("west"): false} {
		if d, ok := s.Dirs[path]; !ok || d.Shared != shared {
			t.Errorf("%s: %+v, %v", path, d, ok)
		}
	}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	r := newRig(tempDir(t))
	want := scenario(r, 1)
	nobody := state.Owner{User: "nobody", Group: "nogroup"}
	for path, f := range want.Files {
		if strings.HasPrefix(path, r.paths.Certs()) {
			f.Owner = nobody
			want.Files[path] = f
		}
	}
	want.Dirs[r.paths.Certs()] = state.Dir{Mode: 0o700, Owner: nobody}
	want.Dirs[r.paths.Dir] = state.Dir{Mode: 0o710, Owner: state.Owner{Group: "nogroup"}, Shared: true}
	if _, err := r.converge(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if steps := plan.Make(want, r.observed(t)); len(steps) > 0 {
		t.Errorf("still to do:\n%s", plan.Text(steps))
	}
	info, err := os.Stat(filepath.Join(r.paths.CertDir("west"), "tls.key"))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != 65534 {
		t.Errorf("%+v, %v", info, err)
	}
	r.mustConverge(t, 1) // and back to root

	f := want.Files[r.paths.RouterConfig()]
	f.Owner = state.Owner{User: "no-such-user"}
	want.Files[r.paths.RouterConfig()] = f
	_, err = r.converge(t.Context(), want)
	var account *AccountError
	if !errors.As(err, &account) || account.Name != "no-such-user" || account.Hint() == "" {
		t.Errorf("%v", err)
	}
	r.check(t, 1)
}

func TestLock(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	first, err := r.host.Open(t.Context(), r.paths)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := r.host.Open(ctx, r.paths); !errors.Is(err, ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second: %v", err)
	}
	opened := make(chan error, 1)
	go func() {
		ns, err := r.host.Open(context.Background(), r.paths)
		if err == nil {
			err = ns.Close()
		}
		opened <- err
	}()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
	lock, err := LockController(r.base.ControllerLock())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockController(r.base.ControllerLock()); !errors.Is(err, ErrLocked) {
		t.Errorf("second agent: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPrivateFromTheStart(t *testing.T) {
	// Not in parallel: the mask is that of the whole process.
	r := newRig(tempDir(t))
	old := unix.Umask(0)
	r.mustConverge(t, 1)
	unix.Umask(old)
	err := filepath.WalkDir(filepath.Join(r.dir, "home"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && path != r.paths.Unit && strings.HasPrefix(path, r.base.DataHome) {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk applies changes on a file system that is full, or becomes so.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts a small file system")
	}
	dir := tempDir(t)
	if err := unix.Mount("small", dir, "tmpfs", 0, "size=400k,mode=700"); err != nil {
		t.Skipf("no file system can be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r := newRig(dir)
	r.units.path = filepath.Join(tempDir(t), "units.json")
	r.mustConverge(t, 1)
	want := scenario(r, 2)
	big := r.paths.RuntimeResource("Secret", "big")
	want.Files[big] = state.File{Data: bytes.Repeat([]byte("x"), 1<<20), Mode: 0o600, Subject: state.SubjectResources, Record: true}
	_, err := r.converge(t.Context(), want)
	var failed *ApplyError
	if !errors.As(err, &failed) || failed.Undo != nil || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v", err)
	}
	r.check(t, 1)

	// Full to the last byte from the start.
	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	if _, err := r.converge(t.Context(), scenario(r, 2)); !errors.As(err, &failed) || failed.Undo != nil || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v", err)
	}
	r.check(t, 1)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}

	// Full to the last byte once everything is staged: going back needs none.
	r.units.failOnce["reload"] = errors.New("refused")
	r.host.reach = func(point string) error {
		if strings.HasPrefix(point, "reload") && r.units.failOnce["reload"] != nil {
			fill(t, filler)
		}
		return nil
	}
	_, err = r.converge(t.Context(), scenario(r, 2))
	if !errors.As(err, &failed) || failed.Undo != nil {
		t.Fatalf("%v", err)
	}
	r.check(t, 1)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	r.mustConverge(t, 2)
}

// fill writes a file until there is no space.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestArchiveAndRemove(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	r.mustConverge(t, 1)
	input := filepath.Join(r.paths.InputDir(), "site.yaml")
	if err := os.WriteFile(input, []byte("kind: Site"), 0o600); err != nil {
		t.Fatal(err)
	}
	ns, err := r.host.Open(t.Context(), r.paths)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.base.TrashDir(), "west.tar.gz")
	if err := ns.Archive(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	list, err := exec.CommandContext(t.Context(), "tar", "-tzf", file).CombinedOutput()
	if err != nil || !strings.Contains(string(list), "west/input/site.yaml\n") || !strings.Contains(string(list), "west/runtime/certs/west/tls.key\n") || strings.Contains(string(list), "internal/lock") {
		t.Errorf("%v: %s", err, list)
	}
	if err := ns.Remove(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(r.paths.Dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := ns.Remove(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.paths.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := ns.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestHistoryKeepsThree(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	ns, err := r.host.Open(t.Context(), r.paths)
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.KeepSnapshot(t.Context(), 1); err != nil { // there is none
		t.Fatal(err)
	}
	if err := os.MkdirAll(r.paths.Snapshot(), 0o700); err != nil {
		t.Fatal(err)
	}
	for generation := range int64(12) {
		if err := ns.KeepSnapshot(t.Context(), generation+1); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(r.paths.History())
	if err != nil || len(entries) != 3 || entries[0].Name() != "10.tar.gz" || entries[2].Name() != "12.tar.gz" {
		t.Errorf("%v, %v", entries, err)
	}
	if err := ns.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	ns, err := r.host.Open(t.Context(), r.paths)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1000)
	for n := range 700 {
		if err := ns.Note(Event{Time: time.Unix(int64(n), 0).UTC(), What: "applied", Text: long}); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(r.paths.Events())
	if err != nil || len(data) > maxEvents || len(data) < maxEvents/3 {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	var first, last Event
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	if err := errors.Join(json.Unmarshal(lines[0], &first), json.Unmarshal(lines[len(lines)-1], &last)); err != nil || last.Time.Unix() != 699 || first.Text != long {
		t.Errorf("%v: first %v, last %v", err, first.Time, last.Time)
	}
	if info, err := os.Stat(r.paths.Events()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := ns.Close(); err != nil {
		t.Fatal(err)
	}
}
