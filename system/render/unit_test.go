package render

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/state"
)

// units are all unit files that come from here, by golden file.
func units(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"skupper.target": Target(), "skupper.slice": Slice()}
	for kind, base := range map[string]layout.Paths{"user": userPaths(t), "system": systemPaths(t)} {
		paths, err := base.Namespace("west")
		if err != nil {
			t.Fatal(err)
		}
		in, _ := west(t)
		in.Base, in.Paths = base, paths
		if base.System {
			in.Machine.User = "skupper"
		}
		in.Memory.SiteID = "0e42d4ca-e886-4908-a0b8-c7520e360aa4"
		u := routerUnit(in, "west-0e42d4ca")
		all[kind+"-router.service"] = RouterUnit("west", u, base)
		in.Machine.Platform, in.Machine.Image, in.Machine.LocalImage = "podman", "localhost/skupper-router:2", true
		in.Machine.UID, in.Machine.GID, in.Machine.KeepID, in.Machine.Systemd = 1000, 100, !base.System, true
		in.Machine.Podman = "/usr/bin/true"
		all[kind+"-podman.service"] = unitText(in, routerUnit(in, "west-0e42d4ca"))
		in.Machine.Quadlet = true
		all[kind+"-podman.container"] = unitText(in, routerUnit(in, "west-0e42d4ca"))
		in.Machine.Quadlet = false
		in.Machine.Platform = "linux"
		all[kind+"-agent.service"] = AgentUnit("/usr/bin/skupper", base)
		observer := state.Unit{
			Command: []string{"/usr/bin/skupper", "network-observer", "run", "--listen", "127.0.0.1:8080"}, User: in.Machine.User,
			RunDir: base.ObserverRun(), Stop: 10 * time.Second,
		}
		all[kind+"-network-observer.service"] = ObserverUnit(observer, base.ObserverDir(), nil, base)
		if base.System {
			observer.LowPorts = true
			all["system-network-observer-tls.service"] = ObserverUnit(observer, base.ObserverDir(), map[string]string{"tls.key": "/etc/tls key", "tls.crt": "/etc/tls.crt"}, base)
			in.Site.Listeners[0].Port = 443
			all["system-router-low-port.service"] = RouterUnit("west", routerUnit(in, "west-0e42d4ca"), base)
		}
	}
	return all
}

func TestUnits(t *testing.T) {
	t.Parallel()
	for name, text := range units(t) {
		golden(t, name, string(text))
	}
}

// TestSystemdAccepts has systemd-analyze read every unit. It exits with 0 for
// settings that it does not know, so that its words count.
func TestSystemdAccepts(t *testing.T) {
	t.Parallel()
	analyze := analyzer(t)
	for name, text := range units(t) {
		if strings.HasSuffix(name, ".container") {
			continue // podman's generator reads it
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// The program need not be installed where the unit says.
			binary, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(text), "/usr/bin/skupper", binary)
			_, file, ok := strings.Cut(name, "-")
			if !ok {
				file = name
			}
			path := filepath.Join(dir, "skupper-"+file)
			if !ok {
				path = filepath.Join(dir, file)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"verify", "--man=no", path}
			if strings.HasPrefix(name, "user") {
				args = append([]string{"--user"}, args...)
			}
			cmd := exec.CommandContext(t.Context(), analyze, args...)
			cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("verify: %v\n%s\n%s", err, out, text)
			}
			if limit, ok := exposures()[name]; ok {
				cmd := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--threshold="+strconv.Itoa(limit), "--no-pager", path)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("exposure above %d tenths: %v\n%s", limit, err, out)
				}
			}
		})
	}
}

// exposures are the highest ratings that systemd-analyze security may give, in
// tenths.
func exposures() map[string]int {
	return map[string]int{"system-router.service": 15, "system-router-low-port.service": 15, "system-agent.service": 25}
}

func analyzer(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is not installed: run make test-deps")
		}
		t.Skip("systemd-analyze is not installed")
	}
	return path
}

// TestQuadlet has the file follow what is wanted: it is in the place for such
// files, starts with the machine only where the site shall, and gives way to a
// unit file where it cannot say what a container needs.
func TestQuadlet(t *testing.T) {
	t.Parallel()
	in, _ := west(t)
	in.Base = userPaths(t)
	paths, err := in.Base.Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	in.Paths = paths
	in.Machine = Machine{Systemd: true, Platform: "podman", Podman: "/usr/bin/podman", Image: "i:1", Quadlet: true}
	u := routerUnit(in, "west-0e42d4ca")
	if text := string(unitText(in, u)); u.File != paths.Quadlet || !strings.Contains(text, "\nWantedBy=default.target skupper.service\n") || strings.Contains(text, "Notify=") {
		t.Errorf("%s:\n%s", u.File, text)
	}
	in.Machine.LocalImage = true
	if text := string(unitText(in, routerUnit(in, "west-0e42d4ca"))); !strings.Contains(text, "\nNotify=yes\n") {
		t.Errorf("our own image:\n%s", text)
	}
	in.Memory.Stopped = true
	if text := string(unitText(in, routerUnit(in, "west-0e42d4ca"))); strings.Contains(text, "[Install]") {
		t.Errorf("of a stopped site:\n%s", text)
	}
	in.Memory.Stopped = false
	in.Paths.Dir = `/home/x"y/west`
	if u := routerUnit(in, "west-0e42d4ca"); u.File != paths.Unit {
		t.Errorf("a directory with a quote: %s", u.File)
	}
	in.Machine.Platform = "docker"
	if u := routerUnit(in, "west-0e42d4ca"); u.File != "" {
		t.Errorf("docker: %s", u.File)
	}
}

func TestProseIsOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":                          "plain",
		" 100% of\nit\\":                 "100%% of it",
		"a\rb\x00c\xffd":                 "a b c d",
		"x\nExecStart=/bin/evil\n[Unit]": "x ExecStart=/bin/evil [Unit]",
	} {
		f := &unitFile{}
		f.prose("Description", text)
		if got := string(f.bytes()); got != "Description="+want+"\n" {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/usr/bin/skupper": "/usr/bin/skupper",
		"":                 `""`,
		"a b":              `"a b"`,
		"50%":              "50%%",
		`a"b\c`:            `"a\"b\\c"`,
		"a\nb":             `"a\x0ab"`,
		"-;":               `"-;"`,
		"#x":               `"#x"`,
		"it's":             `"it's"`,
		"ä€":               `"ä€"`,
		"\xff":             `"\xff"`,
	} {
		if got := quote(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// FuzzUnitFile writes a command and a list of words, and reads them as systemd
// does. Whatever they are, they come back, and no other setting does.
func FuzzUnitFile(f *testing.F) {
	f.Add("/usr/bin/skupper", "a b", "$HOME %n")
	f.Add("/x\ny", `"'\`, "\x00\xff;")
	f.Add("", " ", "\\")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		u := &unitFile{}
		u.section("Service")
		u.command("ExecStart", a, b, c)
		u.words("Environment", a, b, c)
		u.prose("Description", a+b+c)
		settings, err := readUnit(string(u.bytes()))
		if err != nil || len(settings) != 3 {
			t.Fatalf("%v: %q\n%s", err, settings, u.bytes())
		}
		for i, want := range []string{"ExecStart", "Environment"} {
			got, err := splitWords(settings[i][1])
			if settings[i][0] != want || err != nil || len(got) != 3 {
				t.Fatalf("%s: %q (%v)\n%s", want, got, err, u.bytes())
			}
			for j, text := range []string{a, b, c} {
				word := strings.ReplaceAll(got[j], "%%", "%")
				if want == "ExecStart" {
					word = strings.ReplaceAll(word, "$$", "$")
				}
				if word != text {
					t.Errorf("%s: %q became %q", want, text, word)
				}
			}
		}
		if d := settings[2][1]; !utf8.ValidString(d) || strings.Count(d, "%")%2 != 0 {
			t.Errorf("description %q", d)
		}
	})
}

// readUnit reads settings as systemd.syntax(7) says: a backslash at the end of a
// line continues it, # and ; begin comments.
func readUnit(text string) ([][2]string, error) {
	var settings [][2]string
	var joined string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutSuffix(line, `\`); ok {
			joined += rest + " "
			continue
		}
		line, joined = strings.TrimSpace(joined+line), ""
		if line == "" || strings.ContainsAny(line[:1], "#;[") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, errors.New("no setting: " + line)
		}
		settings = append(settings, [2]string{key, strings.TrimSpace(value)})
	}
	return settings, nil
}

// splitWords splits a value as systemd.syntax(7), "Quoting", says.
func splitWords(s string) ([]string, error) {
	var words []string
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return words, nil
		}
		var b strings.Builder
		quoted := s[0] == '"'
		if quoted {
			s = s[1:]
		}
		for {
			if s == "" {
				if quoted {
					return nil, errors.New("quote without an end")
				}
				break
			}
			c := s[0]
			if quoted && c == '"' || !quoted && (c == ' ' || c == '\t') {
				s = s[1:]
				break
			}
			if c != '\\' {
				b.WriteByte(c)
				s = s[1:]
				continue
			}
			switch {
			case len(s) >= 4 && s[1] == 'x':
				n, err := strconv.ParseUint(s[2:4], 16, 8)
				if err != nil {
					return nil, err
				}
				b.WriteByte(byte(n))
				s = s[4:]
			case len(s) >= 2:
				b.WriteByte(s[1])
				s = s[2:]
			default:
				return nil, errors.New("escape without an end")
			}
		}
		words = append(words, b.String())
	}
}

func TestIdentityIsInTheUnitFile(t *testing.T) {
	t.Parallel()
	text := string(RouterUnit("west", state.Unit{Identity: "interior 100%"}, userPaths(t)))
	if !strings.HasSuffix(text, "\n[X-Skupper]\nIdentity=interior 100%%\n") {
		t.Errorf("unit\n%s", text)
	}
}
