package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// release is what is made.
type release struct {
	program string // built for arch
	arch    string // as Go names it
	version string
	time    time.Time // of every file
}

func run() error {
	var r release
	flag.StringVar(&r.program, "program", "", "the built program")
	flag.StringVar(&r.arch, "arch", "amd64", "what it was built for")
	flag.StringVar(&r.version, "version", "", "its version")
	into := flag.String("into", "dist/packages", "where the packages go")
	nfpm := flag.String("nfpm", "nfpm", "the program that writes packages")
	flag.Parse()
	epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w; set it to the time of the commit, in seconds", err)
	}
	r.time = time.Unix(epoch, 0).UTC()
	r.version = packageVersion(r.version)
	if err := os.MkdirAll(*into, 0o755); err != nil {
		return err
	}
	stage, err := os.MkdirTemp(*into, "stage-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	if err := r.fill(stage); err != nil {
		return err
	}
	for _, kind := range []string{"deb", "rpm"} {
		if err := r.pack(*nfpm, kind, stage, *into); err != nil {
			return err
		}
	}
	archive := filepath.Join(*into, fmt.Sprintf("skupper_%s_linux_%s.tar.gz", r.version, r.arch))
	return r.archive(stage, archive)
}

// described is what git describe says of a commit after a version.
var described = regexp.MustCompile(`^v?(\d[^-]*)-(\d+)-g([0-9a-f]+)(-dirty)?$`)

// packageVersion is a version that both kinds of packages compare rightly:
// commits after a version are later than it, a bare commit is earlier than any.
func packageVersion(v string) string {
	if m := described.FindStringSubmatch(v); m != nil {
		return m[1] + "+" + m[2] + ".g" + m[3]
	}
	if numbered := regexp.MustCompile(`^v?(\d+\.\d[^-]*)`).FindStringSubmatch(v); numbered != nil {
		return numbered[1]
	}
	commit := regexp.MustCompile(`^[0-9a-f]+`).FindString(v)
	return "0~g" + commit
}

// pack has nfpm write one package.
func (r release) pack(nfpm, kind, stage, into string) error {
	program, err := exec.LookPath(nfpm)
	if err != nil {
		return errors.New("nfpm is not installed; run `make package`, which builds it")
	}
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	if into, err = filepath.Abs(into); err != nil {
		return err
	}
	cmd := exec.Command(program, "package", "--config", "nfpm.yaml", "--packager", kind, "--target", into)
	cmd.Dir = stage
	cmd.Env = append(os.Environ(), "ARCH="+r.arch, "VERSION="+r.version)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", kind, err, out)
	}
	return nil
}
