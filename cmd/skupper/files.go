package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// readInput reads files, directories (everything loadable below them) and "-",
// which is the standard input.
func (p *program) readInput(ctx context.Context, names []string) ([]api.File, error) {
	for _, name := range names {
		if name != "-" && !isDir(name) && !resource.Loadable(name) {
			if _, err := os.Stat(name); err != nil {
				return nil, fileError(name, err)
			}
			return nil, &api.Error{
				Kind: api.Invalid, Message: name + ": resources are in files named .yaml, .yml or .json", Advice: "`skupper system apply -` reads standard input",
			}
		}
	}
	return p.readAny(ctx, names)
}

// readAny is readInput for files that were made for one purpose and may have
// any name.
func (p *program) readAny(ctx context.Context, names []string) ([]api.File, error) {
	var files []api.File
	var errs []error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		list, err := p.readOne(ctx, name)
		files = append(files, list...)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return files, nil
}

func (p *program) readOne(ctx context.Context, name string) ([]api.File, error) {
	if name == "-" {
		const input = "standard input" // its name in messages
		var data []byte
		if err := interruptible(ctx, func() (err error) {
			data, err = io.ReadAll(io.LimitReader(p.stdin, resource.MaxFile+1))
			return err
		}); err != nil {
			return nil, fmt.Errorf("%s: %w", input, err)
		}
		return []api.File{{Name: input, Data: data}}, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	if !info.IsDir() {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fileError(name, err)
		}
		return []api.File{{Name: name, Data: data}}, nil
	}
	var files []api.File
	err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !resource.Loadable(path) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files = append(files, api.File{Name: path, Data: data})
		return nil
	})
	if err == nil && len(files) == 0 {
		return nil, &api.Error{Kind: api.Invalid, Message: name + ": holds no file named .yaml, .yml or .json"}
	}
	return files, fileError(name, err)
}

// filesIn are the names of files.
func filesIn(files []api.File) []string {
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names
}

// fileError makes a missing or refused file the fault of who named it.
func fileError(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &api.Error{Kind: api.Missing, Message: name + ": no such file or directory"}
	case errors.Is(err, fs.ErrPermission):
		return &api.Error{Kind: api.Denied, Message: name + ": permission denied"}
	}
	return err
}

// inputNames are the files that a command got, as arguments and with -f.
func inputNames(in *command.Input) ([]string, error) {
	names := append(slices.Clone(in.Args), in.Strings("filename")...)
	if len(names) == 0 {
		return nil, &command.UsageError{Message: "no file is named", Advice: "name files, directories, or - for standard input"}
	}
	return names, nil
}

func asInput(files []api.File) []resource.Input {
	list := make([]resource.Input, 0, len(files))
	for _, f := range files {
		list = append(list, resource.Input{Name: f.Name, Data: f.Data})
	}
	return list
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// checkNamespace refuses names that cannot be a namespace.
func checkNamespace(name string) error {
	if reason := resource.CheckNamespace(name); reason != "" {
		return &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("namespace %q: %s", name, reason)}
	}
	return nil
}

// namespaceMissing is the error about a namespace that does not exist.
func namespaceMissing(name string) error {
	return &api.Error{
		Kind: api.Missing, Message: fmt.Sprintf("namespace %s does not exist", name), Advice: "`skupper site create NAME` makes it; `skupper namespace list` lists those that exist",
	}
}
