package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/bundle"
	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/resource"
)

// The types of bundles.
//
// compat: the words are upstream's.
const (
	bundleTarball = "tarball"
	bundleShell   = "shell-script"
)

func (p *program) generateBundleCommand() *command.Command {
	return &command.Command{
		Name: "generate-bundle", Summary: "pack a site into a file that installs it on another host",
		Args: []command.Arg{{Name: "name", Optional: true}},
		Text: "The file goes to the bundles directory as NAME.tar.gz or NAME.sh, or where --output says. " +
			"On the other host it is installed by `sh FILE`, or by `sh install.sh` once a tarball is unpacked; -h lists the options. " +
			"That takes a POSIX shell and skupper, or a POSIX shell alone where the program is inside.\n\n" +
			"Each installation is a site of its own, with its own id, keys, certificates and ports. The bundle holds no private keys; " +
			"for a link to another site put a token into the input that may be redeemed as often as the bundle is installed. " +
			"A token is a secret: keep the file as you would a password.",
		Flags: []command.Flag{
			{Name: "input", Kind: command.String, Value: "DIR", Source: command.Files, Usage: "a directory of resources, with certs, issuers and proxies in it as below input/ of a namespace; without it the input of the namespace"},
			{Name: "type", Kind: command.String, Choices: []string{bundleTarball, bundleShell}, Default: bundleTarball, Usage: "what to make (SKUPPER_BUNDLE)"},
			{Name: "output", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "the file to write, instead of NAME in the bundles directory"},
			{Name: "include-binary", Kind: command.Bool, Usage: "put this program inside, for hosts that have none"},
			{Name: "include-keys", Kind: command.Bool, Usage: "carry private keys of links and services: every installation has the same ones"},
			{Name: "include-ca-key", Kind: command.Bool, Usage: "carry private keys of certificate authorities: who has the file can sign with them"},
			{Name: "force", Kind: command.Bool, Usage: "overwrite the file"},
		},
		Examples: []command.Example{
			{Line: "skupper system generate-bundle shop --input shop/ --type shell-script --include-binary", Text: "One file for a host that has nothing"},
			{Line: "skupper -n west system generate-bundle west --output west.tar.gz", Text: "An archive of what namespace west was told"},
		},
		Run: p.generateBundle,
	}
}

func (p *program) generateBundle(ctx context.Context, in *command.Input) error {
	kind, err := p.bundleType(in)
	if err != nil {
		return err
	}
	file, err := p.bundleFile(in, kind)
	if err != nil {
		return err
	}
	if err := checkNamespace(p.namespace); err != nil {
		return err
	}
	platform := first(p.platform, p.getenv("SKUPPER_PLATFORM"), "linux")
	if err := platformOfHosts(platform); err != nil {
		return err
	}
	content, err := p.bundleContent(ctx, in.String("input"))
	if err != nil {
		return err
	}
	b, warnings, err := bundle.New(*content, bundle.Options{
		Namespace: p.namespace, Platform: platform, Version: p.version, Keys: in.Bool("include-keys"), CAKeys: in.Bool("include-ca-key"),
	})
	for _, w := range warnings {
		p.warn("%s", w)
	}
	if err != nil {
		return err
	}
	var inside *bundle.Program
	if in.Bool("include-binary") {
		if inside, err = ownProgram(); err != nil {
			return err
		}
	}
	make := b.Archive
	if kind == bundleShell {
		make = b.Shell
	}
	data, err := make(inside)
	if err != nil {
		return err
	}
	if !in.Changed("output") {
		if err := os.MkdirAll(p.paths.BundlesDir(), 0o700); err != nil {
			return err
		}
	}
	if err := writePrivate(file, data, in.Bool("force")); err != nil {
		return err
	}
	p.note("%s: site %s for %s; SHA-256 %s", file, b.Site, needs(inside), bundle.Sum(data))
	_, err = fmt.Fprintln(p.stdout, file)
	return err
}

// needs says for which hosts a bundle is.
func needs(inside *bundle.Program) string {
	if inside == nil {
		return "hosts with skupper"
	}
	return "any Linux host on " + inside.Arch
}

// bundleType is what --type or the environment asks for.
func (p *program) bundleType(in *command.Input) (string, error) {
	if in.Changed("type") {
		return in.String("type"), nil
	}
	switch asked := p.getenv("SKUPPER_BUNDLE"); asked {
	case "", bundleTarball:
		return bundleTarball, nil
	case "bundle", bundleShell: // compat: the first is upstream's word
		return bundleShell, nil
	default:
		return "", &command.UsageError{Message: fmt.Sprintf("SKUPPER_BUNDLE=%q is not a type of bundle", asked), Advice: "use tarball or bundle"}
	}
}

// bundleFile is where the bundle goes. That it can be written is known before
// anything is packed.
func (p *program) bundleFile(in *command.Input, kind string) (string, error) {
	file, name := in.String("output"), in.Arg(0)
	switch {
	case file == "" && name == "":
		return "", &command.UsageError{Message: "no name is given", Advice: "`skupper system generate-bundle NAME`"}
	case file == "":
		if strings.ContainsRune(name, '/') || strings.HasPrefix(name, ".") || strings.ContainsFunc(name, isControl) {
			return "", &command.UsageError{Message: fmt.Sprintf("%q is not a name for a file of the bundles directory", name), Advice: "--output writes to any place"}
		}
		if p.pathsErr != nil {
			return "", p.pathsErr
		}
		ending := map[string]string{bundleTarball: ".tar.gz", bundleShell: ".sh"}[kind]
		file = filepath.Join(p.paths.BundlesDir(), strings.TrimSuffix(name, ending)+ending)
	default:
		if err := writable(file); err != nil {
			return "", fileError(file, err)
		}
	}
	if _, err := os.Lstat(file); err == nil && !in.Bool("force") {
		return "", &api.Error{Kind: api.Conflict, Message: file + ": exists already", Advice: "--force overwrites it"}
	}
	return file, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// bundleContent reads what goes into a bundle: a directory, or the input of the
// namespace.
func (p *program) bundleContent(ctx context.Context, dir string) (*bundle.Content, error) {
	resources := dir
	if dir == "" {
		n, err := p.namespacePaths()
		if err != nil {
			return nil, err
		}
		dir, resources = n.InputDir(), n.InputResources()
		if !isDir(resources) {
			return nil, &api.Error{
				Kind: api.Missing, Message: fmt.Sprintf("namespace %s has no input: %s", p.namespace, resources),
				Advice: "name a directory of resources with --input, or the namespace with --namespace",
			}
		}
	}
	files, err := p.readInput(ctx, []string{resources})
	if err != nil {
		return nil, err
	}
	set, warnings, err := parse(files)
	for _, w := range warnings {
		p.warn("%s", w)
	}
	if err != nil {
		return nil, err
	}
	c := &bundle.Content{Set: set}
	if !isDir(dir) {
		return c, nil
	}
	for name, into := range map[string]*map[string]map[string][]byte{"certs": &c.Certs, "issuers": &c.Issuers, "proxies": &c.Proxies} {
		m, err := input.ReadMaterial(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		*into = m
	}
	return c, nil
}

// ownProgram is this program, to be put into a bundle.
func ownProgram() (*bundle.Program, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("this program: %w", err)
	}
	return &bundle.Program{Arch: runtime.GOARCH, Data: data}, nil
}

// openBundle reads a bundle: a shell file, an archive, or what was unpacked of
// one.
func openBundle(name string) (*bundle.Bundle, error) {
	if isDir(name) {
		b, err := bundle.OpenDir(name, os.DirFS(name))
		return b, damaged(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	b, err := bundle.Open(name, data)
	return b, damaged(err)
}

// damaged makes a damaged bundle the fault of who named it.
func damaged(err error) error {
	var d *bundle.DamagedError
	if errors.As(err, &d) {
		return &api.Error{Kind: api.Invalid, Message: d.Error(), Advice: d.Hint()}
	}
	return err
}

// bundled are the resources of a bundle as an apply takes them.
func bundled(b *bundle.Bundle) []api.File {
	var files []api.File
	for _, f := range b.Resources() {
		files = append(files, api.File{Name: f.Name, Data: f.Data})
	}
	return files
}

// siteOf is the name of the site in a namespace, "" if there is none.
func siteOf(list []api.Namespace, namespace string) (site string, exists bool) {
	i := slices.IndexFunc(list, func(n api.Namespace) bool { return n.Name == namespace })
	if i < 0 {
		return "", false
	}
	return list[i].Site, true
}

// changesOf are the changes that making the resources of files is.
func changesOf(set *resource.Set) []api.Change {
	var list []api.Change
	for o := range set.All() {
		list = append(list, api.Change{Object: o.Ref().String(), Action: api.Created})
	}
	return list
}
