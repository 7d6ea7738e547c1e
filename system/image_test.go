package system

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
)

// larder is an engine of which only its images are asked.
type larder struct {
	container.Engine
	images []string
}

func (l *larder) Version(context.Context) (container.Version, error) {
	return container.Version{Engine: "5"}, nil
}

func (l *larder) Image(_ context.Context, name string) (container.Image, bool, error) {
	return container.Image{}, slices.Contains(l.images, name), nil
}

func (l *larder) Pull(_ context.Context, name string) error {
	l.images = append(l.images, name)
	return nil
}

func (l *larder) RemoveImage(_ context.Context, name string) error {
	l.images = slices.DeleteFunc(l.images, func(i string) bool { return i == name })
	return nil
}

func (l *larder) Inspect(context.Context, string) (container.Status, bool, error) {
	return container.Status{}, false, nil
}

func (l *larder) Load(_ context.Context, archive io.Reader) error {
	_, err := io.Copy(io.Discard, archive)
	return err
}

// TestImageGoesWithWhatFailed has a site be started, and moved, whose router does
// not start: an image that was not there before goes, another stays.
func TestImageGoesWithWhatFailed(t *testing.T) {
	t.Parallel()
	const image = "registry.example/router:1"
	for name, before := range map[string][]string{"no image": nil, "an image": {image}} {
		m, o := newMachinery(t)
		engine := &larder{images: slices.Clone(before)}
		o.Engines = func(string) (container.Engine, error) { return engine, nil }
		o.Getenv = func(key string) string { return map[string]string{"SKUPPER_ROUTER_IMAGE": image}[key] }
		a := agentOf(t, m, o)
		broken := errors.New("it does not start")
		m.broken = broken
		site := api.ApplyRequest{Files: []api.File{{Name: "s.yaml", Data: []byte("apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: west}\n")}}, Start: true, Platform: container.Podman}
		if _, err := a.Apply(t.Context(), "west", site); err == nil || !slices.Equal(engine.images, before) {
			t.Errorf("%s: started: %v, %v", name, err, engine.images)
		}
		m.broken = nil
		site.Platform = "linux"
		if _, err := a.Apply(t.Context(), "west", site); err != nil {
			t.Fatal(err)
		}
		m.broken = broken
		if _, err := a.Operate(t.Context(), "west", api.OperateRequest{Operation: api.Migrate, Platform: container.Podman}); err == nil || !slices.Equal(engine.images, before) {
			t.Errorf("%s: moved: %v, %v", name, err, engine.images)
		}
		if _, err := a.Operate(t.Context(), "west", api.OperateRequest{Operation: api.Migrate, Platform: container.Podman, DryRun: true}); err != nil || !slices.Equal(engine.images, before) {
			t.Errorf("%s: asked about a move: %v, %v", name, err, engine.images)
		}
	}
}
