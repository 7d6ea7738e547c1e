package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/internal/box"
)

// bareHost makes a host that has nothing but what POSIX has, in the network
// namespace where it is run: empty directories where programs are installed,
// and in PATH the tools that are named. The bundle is /home/bundle. What fails
// is tried first; then the site is installed, INSTALLED is printed, a line is
// waited for, and the site is removed.
const bareHost = `
set -eu
mkdir /tmp/hold.$$; cp -r "$BUNDLE" /tmp/hold.$$/bundle
mount -t tmpfs -o mode=755 tmpfs /home
mv /tmp/hold.$$/bundle /home/bundle; rmdir /tmp/hold.$$
for dir in /var/lib /usr/local/bin /run; do mount -t tmpfs -o mode=755 tmpfs $dir; done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir /home/guest /home/tools /home/other
for tool in $TOOLS; do
  case $UNDER in
  busybox*) ln -s "$(command -v busybox)" /home/tools/$tool ;;
  *) ln -s "$(command -v $tool)" /home/tools/$tool ;;
  esac
done
printf '#!/bin/sh\ncase ${1-} in -m) echo riscv64 ;; *) echo Linux ;; esac\n' >/home/other/uname
chmod 755 /home/other/uname
chmod -R a+rX /home/bundle
chown "$OWNER" /home/guest
installer=/home/bundle; [ -f $installer ] || installer=/home/bundle/install.sh
host() { # PATH, options
  path=$1; shift
  cd /
  /usr/bin/env -i HOME=/home/guest PATH=$path SKUPPER_TEST_PROGRAM=1 GORACE="$GORACE" \
    /usr/bin/setpriv --reuid=$OWNER --regid=$OWNER --clear-groups $UNDER $installer "$@"
}
files() { /usr/bin/find /var/lib /usr/local/bin /run /home /tmp | /usr/bin/sort; }
refuse() { # what, exit status, text
  status=0; host "$4" >/tmp/said 2>&1 || status=$?
  [ $status = $2 ] && /bin/grep -q "$3" /tmp/said || { echo "$1: status $status, want $2 and $3:"; /bin/cat /tmp/said; exit 1; }
  /bin/rm /tmp/said
  [ "$(files)" = "$before" ] || { echo "$1 left:"; files; exit 1; }
}

before=$(files)
case $UNDER in
*busybox*) ;; # its uname is inside
*) refuse 'another machine' 2 'is for Linux on [a-z0-9]*, this is Linux on riscv64' /home/other:/home/tools ;;
esac
if [ "$REFUSE" = yes ]; then
  chmod 555 /home/guest; chown 0 /home/guest
  refuse 'a home of somebody else' 5 'permission denied' /home/tools
  chmod 755 /home/guest
  mount -t tmpfs -o size=1m,mode=755,uid=$OWNER tmpfs /home/guest
  refuse 'a full disk' 1 'no space left on device' /home/tools
  umount /home/guest
  chown "$OWNER" /home/guest
fi
host /home/tools
echo INSTALLED
read -r line
host /home/tools && exit 1
host /home/tools -x
[ "$(files)" = "$before" ] || { echo "removal left:"; files; exit 1; }
echo REMOVED
`

// TestBundleOnABareHost installs a bundle with the program inside on a host
// that has a POSIX shell and nothing else, has no way to anywhere but to the
// other site, and is left as it was. The site links to another one, by the token
// in the bundle, and carries what is said.
func TestBundleOnABareHost(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("its processes share no memory with the test, and the program in the bundle is many times as large; what they do is raced by bundle.txt")
	}
	w := newTown(t, "host")
	h := w.hosts["host"]
	h.must("site", "create", "hub", "--enable-link-access", "--start")
	in := filepath.Join(h.home, "edge")
	writeFile(t, filepath.Join(in, "edge.yaml"), `apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: edge}
spec: {linkAccess: default}
---
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata: {name: greeter}
spec: {routingKey: greeter, host: 127.0.0.1, port: 7000}
`)
	h.must("token", "issue", filepath.Join(in, "token.yaml"), "--host", h.address, "--redemptions-allowed", "3")
	h.must("listener", "create", "greeter", "7001", "--host", "127.0.0.1")
	h.echo("127.0.0.1:7000", "")
	shell, archive := filepath.Join(h.home, "edge.sh"), filepath.Join(h.home, "edge.tar.gz")
	for kind, file := range map[string]string{bundleShell: shell, bundleTarball: archive} {
		h.must("system", "generate-bundle", "--input", in, "--type", kind, "--include-binary", "--output", file)
	}
	unpacked := t.TempDir()
	if out, err := exec.Command("tar", "xzf", archive, "-C", unpacked).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const tools = "dd cp chmod mkdir rm id uname "
	for _, row := range []struct{ name, under, owner, bundle, tools, refuse string }{
		{"dash, root", "dash", "0", shell, tools + "sha256sum", "no"},
		{"busybox, user", "busybox sh", "65534", shell, tools + "cksum", "yes"},
		{"dash, user, archive", "dash", "65534", unpacked, tools + "cksum", "no"},
	} {
		t.Run(row.name, func(t *testing.T) {
			name := strings.Fields(row.under)[0]
			row.under = strings.Replace(row.under, name, tool(t, name), 1)
			h.onABareHost(t, "UNDER="+row.under, "OWNER="+row.owner, "BUNDLE="+row.bundle, "TOOLS="+row.tools, "REFUSE="+row.refuse)
		})
	}
}

// onABareHost runs the script above beside the hub.
func (h *computer) onABareHost(t *testing.T, env ...string) {
	t.Helper()
	cmd := exec.Command("ip", "netns", "exec", h.ns, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", bareHost)
	cmd.Env = append(append(os.Environ(), "GORACE="+raceOptions()), env...)
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		printed.WriteString(lines.Text() + "\n")
		if lines.Text() == "INSTALLED" {
			h.through("127.0.0.1:7001")
			if _, err := io.WriteString(in, "go on\n"); err != nil {
				t.Error(err)
			}
		}
	}
	err = cmd.Wait()
	if err != nil || !strings.HasSuffix(printed.String(), "REMOVED\n") {
		t.Errorf("%v\n%s%s", err, &printed, &said)
	}
}

// tool is where a program is that a test needs. Without it the test is skipped;
// in continuous integration that is an error.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatalf("%v: run make test-deps", err)
	case err != nil:
		t.Skipf("%v: run make test-deps", err)
	}
	return path
}

// underSystemd installs a bundle where systemd runs, and removes it.
const underSystemd = `
set -eu
bundle=$1 manager=$2 programs=$3; shift 3
export SKUPPER_TEST_PROGRAM=1 PATH=/usr/sbin:/usr/bin:/sbin:/bin
files() { find "$@" 2>/dev/null | sort; }
before=$(files "$@")
sh "$bundle"
systemctl $manager is-active skupper.service skupper-default.service
systemctl $manager is-enabled skupper.service skupper-default.service
"$programs/skupper" system status --check
sh "$bundle" -x
[ "$(files "$@")" = "$before" ] || { echo left:; files "$@"; exit 1; }
left=$(systemctl $manager list-units --all --plain --no-legend 'skupper*.service')
[ -z "$left" ] || { echo "units: $left"; exit 1; }
`

// TestBundleUnderSystemd installs a bundle with the program inside as root and
// as an ordinary user of a booted host: agent and router are services that come
// back with it, and are gone with the site.
func TestBundleUnderSystemd(t *testing.T) {
	t.Parallel()
	b := box.New(t, box.Options{})
	h := newHouse(t)
	file := filepath.Join(h.home, "site.yaml")
	writeFile(t, file, "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: edge}\nspec: {linkAccess: default}\n")
	made := filepath.Join(h.home, "edge.sh")
	h.must("system", "generate-bundle", "--input", file, "--type", bundleShell, "--include-binary", "--output", made)
	b.Put(t, made, "/opt/edge.sh")
	b.Sh(t, "chmod", "644", "/opt/edge.sh")
	b.Sh(t, "useradd", "--create-home", "ann")
	b.Sh(t, "sh", "-c", underSystemd, "sh", "/opt/edge.sh", "--system", "/usr/local/bin", "/usr/local/bin", "/etc/systemd/system", "/var/lib/skupper", "/run/skupper")
	b.As(t, "ann", "sh", "-c", underSystemd, "sh", "/opt/edge.sh", "--user", "/home/ann/.local/bin", "/home/ann")
}
