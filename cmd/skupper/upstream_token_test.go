package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Programs of upstream's to exchange tokens with, by the variable that names
// each: its command line, and a server that redeems with its claim server's
// code. The latter takes the directory of an authority, an address, and host
// and ports of the links; it prints a token and serves REDEMPTIONS of it.
const (
	upstreamCLI    = "SKUPPER_UPSTREAM_CLI"
	upstreamGrants = "SKUPPER_UPSTREAM_GRANTS"
)

func upstream(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skip(variable + " does not name a program of upstream's")
	}
	return path
}

// portOf is that of a role for links of namespace west.
func (h *house) portOf(role string) string {
	h.t.Helper()
	_, rest, ok := strings.Cut(h.must("-n", "west", "link", "generate", "x", "--host", "localhost"), "name: "+role)
	_, rest, ok2 := strings.Cut(rest, `port: "`)
	port, _, _ := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		h.t.Fatalf("no port of %s", role)
	}
	return port
}

// TestUpstreamRedeemsOurToken: what upstream's command line makes of a token of
// ours is input of a site, and the link works.
func TestUpstreamRedeemsOurToken(t *testing.T) {
	t.Parallel()
	cli := upstream(t, upstreamCLI)
	h := newHouse(t)
	h.must("-n", "west", "site", "create", "west", "--enable-link-access", "--start")
	token := filepath.Join(h.home, "west.token")
	h.must("-n", "west", "token", "issue", token, "--host", "localhost", "--name", "shop")
	other := newHouse(t)
	other.program = []string{cli}
	if os.Getuid() == 0 {
		other.asNobody() // as root it writes below /var/lib
	}
	carried := filepath.Join(other.home, "west.token")
	data, err := os.ReadFile(token)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(carried, data, 0o644); err != nil { // of a test, for another user
		t.Fatal(err)
	}
	other.env = append(other.env, "XDG_DATA_HOME="+filepath.Join(other.home, "data"))
	redeem := func() answer { return other.say("-p", "linux", "-n", "east", "token", "redeem", carried) }
	said := redeem()
	if said.code != 0 {
		t.Fatalf("upstream's token redeem: %+v", said)
	}
	var made []string
	err = filepath.WalkDir(other.home, func(path string, _ os.DirEntry, err error) error {
		if base := filepath.Base(path); base == "Link-shop.yaml" || base == "Secret-shop.yaml" {
			made = append(made, path)
		}
		return err
	})
	if err != nil || len(made) != 2 {
		t.Fatalf("upstream wrote %v, %v: %+v", made, err, said)
	}
	h.must("-n", "east", "site", "create", "east", "--start")
	h.must(append([]string{"-n", "east", "system", "apply"}, made...)...)
	h.eventually("Ready", "-n", "east", "link", "status", "shop", "--no-headers")

	// It is used up, and upstream hears so in the words of its own server.
	if said := redeem(); said.code == 0 || !strings.Contains(said.out+said.err, "404: No such access granted") {
		t.Errorf("second redemption: %+v", said)
	}
}

// TestOurRedemptionOfUpstreamsToken: a token of upstream's server is a link
// here; what that server refuses is told in its words.
func TestOurRedemptionOfUpstreamsToken(t *testing.T) {
	t.Parallel()
	server := upstream(t, upstreamGrants)
	h := newHouse(t)
	h.must("-n", "west", "site", "create", "west", "--enable-link-access", "--set", "key-type=rsa2048", "--start") // its servers take RSA authorities only
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // the server takes the port
	address := net.JoinHostPort("localhost", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	cmd := exec.Command(server, h.data("namespaces/west/runtime/issuers/skupper-site-ca"), address, "localhost", h.portOf("inter-router"), h.portOf("edge"))
	cmd.Env = append(os.Environ(), "REDEMPTIONS=1")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it would serve on
		_ = cmd.Wait()         // it was killed
	})
	document, err := io.ReadAll(pipe)
	if err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(h.home, "up.token")
	writeFile(t, token, string(document))
	wrong := filepath.Join(h.home, "wrong.token")
	_, code, _ := strings.Cut(string(document), "code: ")
	code, _, _ = strings.Cut(code, "\n")
	writeFile(t, wrong, strings.ReplaceAll(strings.ReplaceAll(string(document), code, "guessed"), "name: granted", "name: wrong"))

	h.must("-n", "east", "site", "create", "east", "--start")
	h.refused(1, []string{"403: Redemption of access token refused"}, "-n", "east", "token", "redeem", wrong)
	h.must("-n", "east", "token", "redeem", token, "--link-cost", "3")
	h.eventually("Ready  3", "-n", "east", "link", "status", "granted", "--no-headers")
	h.must("-n", "east", "token", "redeem", token) // no work: it is redeemed
	h.must("-n", "other", "site", "create", "other", "--start")
	h.refused(1, []string{"404: No such access granted"}, "-n", "other", "token", "redeem", token)
}
