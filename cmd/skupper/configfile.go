package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
)

// settings are what a configuration file says instead of flags that are typed
// again and again; flags and the environment win.
type settings struct{ platform, namespace, output, color string }

// systemConfig is read by everybody, before the file of the user.
const systemConfig = "/etc/skupper/skupper.yaml"

// userConfig is the configuration file of whoever types, "" where he has no home.
func (p *program) userConfig() string {
	if dir := p.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "skupper", "config.yaml")
	}
	if home := p.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config", "skupper", "config.yaml")
	}
	return ""
}

// configure reads the configuration files. What is wrong with one is told and
// left out: a site must be able to start all the same.
func (p *program) configure(files ...string) (s settings, complaints []string) {
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || file == "" {
			continue
		}
		if err == nil {
			err = s.read(data, func(line int, text string) {
				complaints = append(complaints, fmt.Sprintf("%s:%d: %s, and is ignored", file, line, text))
			})
		}
		if err != nil {
			complaints = append(complaints, fmt.Sprintf("%s: %v; the file is ignored", file, err))
		}
	}
	return s, complaints
}

// read takes the keys of a file.
func (s *settings) read(data []byte, complain func(line int, text string)) error {
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // nothing in it
		}
		return err
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return errors.New("not a map of settings")
	}
	known := map[string]struct {
		into    *string
		choices []string // none: any
	}{
		"platform": {&s.platform, nil}, "namespace": {&s.namespace, nil},
		"output": {&s.output, []string{"table", "wide", "json", "yaml", "name"}}, "color": {&s.color, []string{"auto", "always", "never"}},
	}
	pairs := doc.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		key, value := pairs[i], pairs[i+1]
		k, ok := known[key.Value]
		switch {
		case !ok:
			complain(key.Line, fmt.Sprintf("%s is not a setting (platform, namespace, output, color)", key.Value))
		case value.Kind != yaml.ScalarNode || k.choices != nil && !slices.Contains(k.choices, value.Value):
			complain(value.Line, fmt.Sprintf("%q is no value of %s", value.Value, key.Value))
		default:
			*k.into = value.Value
		}
	}
	return nil
}

// preferOutput makes a form of output the standard of every command that shows
// how things are. What commands say that they changed stays as it is.
func preferOutput(c *command.Command, form string) {
	for i, f := range c.Flags {
		if f.Name == "output" && slices.Contains(f.Choices, string(output.AsWide)) && slices.Contains(f.Choices, form) {
			c.Flags[i].Default = form
		}
	}
	for _, sub := range c.Commands {
		preferOutput(sub, form)
	}
}
