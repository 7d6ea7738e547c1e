package main

import (
	"path/filepath"
	"strings"

	"github.com/skupper-host/skupper/system"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/container/docker"
	"github.com/skupper-host/skupper/system/container/podman"
)

// engine is the container engine of a platform, at the endpoint of the
// environment, of the installation, or where it usually is.
func (p *program) engine(platform string) (container.Engine, error) {
	endpoint, err := p.endpoint(platform)
	if err != nil {
		return nil, err
	}
	if platform == container.Docker {
		return docker.New(endpoint)
	}
	return podman.New(endpoint), nil
}

// compat: CONTAINER_ENDPOINT and DOCKER_HOST are the engines' own, and
// upstream's.
func (p *program) endpoint(platform string) (string, error) {
	if asked := p.askedEndpoint(platform); asked != "" {
		return asked, nil
	}
	r, err := system.ReadInstallRecord(p.paths)
	if err != nil {
		return "", err
	}
	if known := r.Endpoints[platform]; known != "" {
		return known, nil
	}
	if platform == container.Docker {
		return "/run/docker.sock", nil
	}
	return filepath.Join(p.paths.RuntimeDir, "podman/podman.sock"), nil
}

// askedEndpoint is the endpoint that the environment names, "" if it names none.
func (p *program) askedEndpoint(platform string) string {
	if platform == container.Docker {
		return p.getenv("DOCKER_HOST")
	}
	if endpoint := p.getenv("CONTAINER_ENDPOINT"); !strings.Contains(endpoint, "docker") {
		return endpoint
	}
	return ""
}
