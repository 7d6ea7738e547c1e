package main

import (
	"os"
	"testing"

	"github.com/skupper-host/skupper/system/container/enginetest"
)

// TestEngineTooOld has an engine that lacks what is needed be refused, and nothing
// be made for it.
func TestEngineTooOld(t *testing.T) {
	t.Parallel()
	for platform, c := range map[string]struct{ prefix, variable, version, words string }{
		"podman": {"/v4.0.0/libpod", "CONTAINER_ENDPOINT", `{"Version":"3.4.4"}`, "podman 3.4.4 is too old: version 4.0.0 is needed"},
		"docker": {"/v1.41", "DOCKER_HOST", `{"Version":"19.03.1","ApiVersion":"1.40"}`, "docker 19.03.1"},
	} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			e := enginetest.Serve(t, c.prefix, enginetest.Answers{"GET /version": enginetest.Say(200, c.version)})
			h := newHouse(t)
			h.env = append(h.env, c.variable+"=unix://"+e.Socket)
			words := []string{c.words, "too old", "hint: install a newer " + platform}
			h.refused(exitFailed, words, "--platform", platform, "system", "install")
			h.refused(exitFailed, words, "--platform", platform, "system", "install", "--dry-run")
			if _, err := os.Lstat(h.data()); err == nil {
				t.Errorf("%s was made", h.data())
			}
			h.must("--platform", platform, "site", "create", "west")
			before := tree(t, h.data("namespaces", "default"))
			h.refused(exitFailed, words, "system", "start")
			unchanged(t, h.data("namespaces", "default"), before)
		})
	}
}
