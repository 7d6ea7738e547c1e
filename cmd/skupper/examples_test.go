package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
)

// TestExamplesRun types the examples of the help, and so of the manual pages, in
// their order, at a host that has what they speak of. What is not typed has to be
// named with the reason.
func TestExamplesRun(t *testing.T) {
	t.Parallel()
	town := newTown(t, "host", "peer")
	h, peer := town.hosts["host"], town.hosts["peer"]
	dir, bin := t.TempDir(), t.TempDir()
	if err := os.Symlink(h.program[len(h.program)-1], filepath.Join(bin, "skupper")); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "PATH="+bin+":"+os.Getenv("PATH"))
	peer.must("site", "create", "east", "--enable-link-access", "--start")
	for name, text := range map[string]string{
		"site.yaml":        "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: west}\nspec: {linkAccess: default}\n",
		"listener.yaml":    "apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: more}\nspec: {host: 127.0.0.1, port: 5440, routingKey: more}\n",
		"west/site.yaml":   "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: west}\nspec: {linkAccess: default}\n",
		"shop/site.yaml":   "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: shop}\n",
		"secret":           "sesame\n",
		"certificate.yaml": "apiVersion: skupper.io/v2alpha1\nkind: Certificate\nmetadata: {name: west}\nspec: {ca: skupper-site-ca, subject: west, server: true, hosts: [localhost]}\n",
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	ca := newAuthority(t)
	cert, key := ca.issue(2, "localhost")
	writeFile(t, filepath.Join(dir, "tls.crt"), cert)
	writeFile(t, filepath.Join(dir, "tls.key"), key)
	handed := func(name, text string) { writeFile(t, filepath.Join(dir, name), text) }
	token := func() { handed("east.token", peer.must("--quiet", "token", "issue", "-", "--host", peer.address)) }
	link := func() { handed("link.yaml", peer.must("link", "generate", "link-west", "--host", peer.address)) }
	linked := func() { h.must("link", "create", filepath.Join(dir, "link.yaml")) }
	unmade := func() { _ = os.Remove(filepath.Join(dir, "link.yaml")) }
	lab := func() { h.must("-n", "lab", "site", "create", "east", "--start") }
	grant := func() { h.must("--quiet", "token", "issue", "-", "--name", "west-0c5f1e7a", "--host", "localhost") }
	sites := func() { // which a line has taken away, or left without a description
		for _, namespace := range []string{"default", "west"} {
			h.must("-n", namespace, "site", "create", "west", "--enable-link-access", "--start")
		}
	}
	teardown := func(namespace string) func() {
		return func() { h.must("-n", namespace, "system", "teardown", "--yes", "--purge") }
	}

	// first is what has to be there, or not, before a line is typed.
	first := map[string][]func(){
		"skupper site delete --all --yes": {sites},
		"skupper site status":             {sites},
		"skupper link generate --host west.example.com --output-file link.yaml": {unmade},
		"skupper link generate --output-file link.yaml":                         {unmade},
		"skupper link create link.yaml":                                         {link},
		"skupper link update link-west --tls-credentials new --dry-run": {func() {
			for name, text := range map[string]string{"ca.crt": ca.pem, "tls.crt": cert, "tls.key": key} {
				writeFile(t, h.data("namespaces/default/input/certs/new", name), text)
			}
		}},
		"skupper link delete link-west --dry-run":      {link, linked},
		"skupper token issue east.token":               {func() { h.must("link", "delete", "link-west") }},
		"skupper token redeem east.token":              {token},
		"skupper token redeem - --link-cost 5":         {token},
		"skupper token status east.token":              {token},
		"skupper token revoke west-0c5f1e7a":           {grant},
		"skupper token revoke west-0c5f1e7a --links":   {grant},
		"skupper token revoke west-0c5f1e7a --dry-run": {grant},
		"skupper listener delete db --wait=false":      {func() { h.must("listener", "create", "db", "5432") }},
		"skupper connector create db 5432 --dry-run":   {func() { h.must("connector", "delete", "db") }, func() { h.must("connector", "create", "db", "5432") }},
		"skupper connector delete db --wait=false":     {func() { h.must("connector", "create", "db", "5432") }},
		"skupper -n west system start":                 {sites},
		"skupper -n west system teardown --dry-run":    {sites},
		"skupper system status --check":                {teardown("lab")},
		"skupper system install-bundle west.sh": {
			func() {
				h.must("-n", "west", "system", "generate-bundle", "west", "--type", "shell-script", "--output", filepath.Join(dir, "west.sh"))
			}, teardown("west"),
		},
		"skupper system network-observer --username ann": {sites},
		"skupper system network-observer status":         {func() { h.must("system", "network-observer", "install") }},
		"skupper cert renew west":                        {func() { h.must("system", "apply", filepath.Join(dir, "certificate.yaml")) }},
		"skupper ping db":                                {func() { h.echo("127.0.0.1:5432", "") }, func() { h.must("connector", "create", "db", "5432") }},
		"skupper ping east":                              {link, linked},
		"skupper namespace delete lab --yes":             {lab},
		"skupper namespace delete lab --dry-run":         {lab},
	}
	notTyped := map[string]string{
		"skupper -n west system logs -f":                           "it goes on",
		"skupper top":                                              "it goes on",
		"skupper top --by process -o json":                         "it goes on",
		"skupper events -f --since 1h -o json":                     "it goes on",
		"skupper -n west system migrate --to podman":               "TestContainers does it",
		"skupper system install --platform podman --enable-linger": "TestTutorialsOnHosts does it",
		"skupper completion zsh | sudo install -D -m 644 /dev/stdin /usr/local/share/zsh/site-functions/_skupper": "it writes to the machine",
	}
	input := map[string]string{
		"skupper link create - --wait none":    "link.yaml",
		"skupper token redeem - --link-cost 5": "east.token",
	}
	typed := 0
	testTree().Walk(func(path []string, c *command.Command) {
		if len(path) > 1 && slices.Contains([]string{"controller", "grant-server", "router", "network-observer"}, path[1]) {
			return // they go on
		}
		for _, e := range c.Examples {
			if notTyped[e.Line] != "" {
				continue
			}
			for _, do := range first[e.Line] {
				do()
			}
			shell := []string{"bash", "-c", strings.ReplaceAll(e.Line, "sudo ", "")}
			switch {
			case slices.Contains(path, "fish"):
				shell[0] = "fish"
			case slices.Contains(path, "zsh"): // its own completion is what everybody has
				shell = []string{"zsh", "-c", "autoload -U compinit && compinit -u && " + e.Line}
			}
			if _, err := exec.LookPath(shell[0]); err != nil && os.Getenv("CI") != "true" {
				continue
			}
			typed++
			types(t, step{host: "host", line: e.Line}, func() *exec.Cmd {
				cmd := exec.Command("ip", append([]string{"netns", "exec", h.ns}, shell...)...)
				cmd.Env, cmd.Dir = h.env, dir
				if name := input[e.Line]; name != "" {
					cmd.Stdin = strings.NewReader(read(t, filepath.Join(dir, name)))
				}
				return cmd
			})
		}
	})
	if typed < 100 {
		t.Errorf("only %d examples were typed", typed)
	}
}
