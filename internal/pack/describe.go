package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// revision is the number of a package among those of one version.
const revision = "1"

// describe writes what nfpm reads: packaging/nfpm.yaml with the documents of the
// stage, of which RPM wants to be told one by one, and the change log.
func (r release) describe(stage string) error {
	data, err := os.ReadFile("packaging/nfpm.yaml")
	if err != nil {
		return err
	}
	config := map[string]any{}
	if err := yaml.Unmarshal(data, &config); err != nil {
		return fmt.Errorf("packaging/nfpm.yaml: %w", err)
	}
	contents, ok := config["contents"].([]any)
	if !ok {
		return fmt.Errorf("packaging/nfpm.yaml: contents is not a list")
	}
	documents, err := below(stage, "man", "doc")
	if err != nil {
		return err
	}
	for _, name := range documents {
		to := "/usr/share/" + name
		if rest, ok := strings.CutPrefix(name, "doc/"); ok {
			to = "/usr/share/doc/skupper/" + rest
		}
		for packager, kind := range map[string]string{"deb": "", "rpm": "doc"} {
			contents = append(contents, map[string]any{
				"src": name, "dst": to, "packager": packager, "type": kind, "file_info": map[string]any{"mode": 0o644},
			})
		}
	}
	// RPM removes no directory that it does not know of.
	folders, err := foldersBelow(stage, "doc")
	if err != nil {
		return err
	}
	for _, name := range folders {
		contents = append(contents, map[string]any{
			"dst": "/usr/share/doc/skupper" + strings.TrimPrefix(name, "doc"), "packager": "rpm", "type": "dir", "file_info": map[string]any{"mode": 0o755},
		})
	}
	config["contents"] = contents
	log := []map[string]any{{
		"semver": r.version + "-" + revision, "date": r.time, "packager": config["maintainer"],
		"deb":     map[string]any{"urgency": "medium", "distributions": []string{"unstable"}},
		"changes": []map[string]string{{"note": "What is new is told in /usr/share/doc/skupper/NEWS.gz."}},
	}}
	for name, value := range map[string]any{"nfpm.yaml": config, "changelog.yaml": log} {
		text, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		if err := r.put(filepath.Join(stage, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// foldersBelow are a directory of a stage and those below it.
func foldersBelow(stage, dir string) (names []string, err error) {
	err = filepath.WalkDir(filepath.Join(stage, dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		name, err := filepath.Rel(stage, path)
		names = append(names, name)
		return err
	})
	return names, err
}

// below are the files below directories of a stage.
func below(stage string, dirs ...string) (names []string, err error) {
	for _, dir := range dirs {
		err = errors.Join(err, filepath.WalkDir(filepath.Join(stage, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			name, err := filepath.Rel(stage, path)
			names = append(names, name)
			return err
		}))
	}
	return names, err
}
