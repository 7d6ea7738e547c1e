package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/skupper-host/skupper/bundle"
	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/layout"
)

func (p *program) installBundleCommand() *command.Command {
	return &command.Command{
		Name: "install-bundle", Summary: "install the site of a bundle, and start it",
		Args: []command.Arg{{Name: "file", Source: command.Files}},
		Text: "FILE is what `skupper system generate-bundle` made, or the directory into which an archive was unpacked. " +
			"Running the bundle with a shell does the same.\n\n" +
			"The namespace must not have a site. Credentials that are in its input/certs, input/issuers or input/proxies already are used instead of those in the bundle. " +
			"Where anything fails, nothing stays. Where systemd answers, the agent is made to start with the host or the user, as `skupper system install` does.",
		Flags: append([]command.Flag{
			{Name: "remove", Short: "x", Kind: command.Bool, Usage: "remove the site and all that its installation made; no archive is kept"},
			{Name: "dump-links", Short: "d", Kind: command.String, Value: "DIR", Source: command.Files, Usage: "write the link files of the installed site into DIR/SITE, with a private key in each"},
			{Name: "place", Kind: command.Bool, Hidden: true, Usage: "keep this program on the host: it came with the bundle"},
			{Name: "placed", Kind: command.Bool, Hidden: true, Usage: "it was kept"},
			dryRunFlag(),
		}, waitFlags(waitReady, "3m")...),
		Examples: []command.Example{
			{Line: "skupper system install-bundle west.sh", Text: "Install it as its maker meant"},
			{Line: "skupper -n shop system install-bundle west.sh", Text: "Install it in namespace shop"},
			{Line: "skupper system install-bundle west.sh -x", Text: "Remove it"},
		},
		Run: p.installBundle,
	}
}

func (p *program) installBundle(ctx context.Context, in *command.Input) error {
	b, err := openBundle(in.Arg(0))
	if err != nil {
		return err
	}
	p.namespace = first(in.String("namespace"), b.Namespace)
	p.platform = first(p.platform, b.Platform)
	if err := platformOfHosts(p.platform); err != nil {
		return err
	}
	n, err := p.namespacePaths()
	if err != nil {
		return err
	}
	switch {
	case in.Bool("remove"):
		return p.removeBundle(ctx, in, b, n)
	case in.Changed("dump-links"):
		return p.dumpLinks(in, b, n)
	}
	err = p.install(ctx, in, b, n)
	if err == nil || in.Changed("dry-run") {
		return err
	}
	a, failed := p.readArrival()
	if a != nil {
		failed = p.leave(context.WithoutCancel(ctx), a) // the context may be why it failed
	}
	return errors.Join(err, failed)
}

func (p *program) install(ctx context.Context, in *command.Input, b *bundle.Bundle, n layout.NamespacePaths) error {
	if err := unused(n); err != nil {
		return err
	}
	set, _, err := parse(bundled(b))
	switch {
	case err != nil:
		return err
	case in.Changed("dry-run"):
		return p.printResult(in, &api.Result{Changes: changesOf(set)})
	case in.Bool("place"):
		return p.placeAndGoOn(in)
	}
	return p.unpack(ctx, in, b, n)
}

// unused refuses a namespace that has a site, or input for one.
func unused(n layout.NamespacePaths) error {
	entries, err := os.ReadDir(n.InputResources())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError(n.InputResources(), err)
	}
	if len(entries) == 0 && !isDir(n.RuntimeDir()) {
		return nil
	}
	return &api.Error{
		Kind: api.Conflict, Message: fmt.Sprintf("namespace %s exists already (%s)", n.Name, n.Dir),
		Advice: "-n NAME installs under another name, -x removes it",
	}
}

// unpack installs the site. What a failure leaves is removed again.
func (p *program) unpack(ctx context.Context, in *command.Input, b *bundle.Bundle, n layout.NamespacePaths) (err error) {
	a, err := p.arrive(in.Bool("placed"))
	if err != nil {
		return err
	}
	existed := isDir(n.Dir)
	var made []string
	defer func() {
		if err == nil || p.started() {
			return
		}
		for _, file := range slices.Backward(made) {
			err = errors.Join(err, os.Remove(file))
		}
		if !existed {
			err = errors.Join(err, os.RemoveAll(n.Dir))
		}
	}()
	if made, err = p.unpackMaterial(b, n); err != nil {
		return err
	}
	r := api.ApplyRequest{Files: bundled(b), Start: true, Platform: p.platform}
	if err := p.settle(ctx, a); err != nil {
		return err
	}
	if err := p.engage(ctx, a); err != nil {
		return err
	}
	c, err := p.startAgent(ctx)
	if err != nil {
		return err
	}
	result, err := c.Apply(ctx, p.namespace, r)
	if err != nil {
		return err
	}
	if err := p.finishStart(ctx, in, c, result); err != nil {
		return err
	}
	p.note("site %s is installed in namespace %s (%s)", b.Site, n.Name, n.Dir)
	if links, err := os.ReadDir(n.Links()); err == nil && len(links) > 0 {
		p.note("link files for other sites: %s", n.Links())
	}
	if in.Bool("placed") {
		p.note("the program is %s", a.Program)
	}
	if a.Host {
		p.lingerHint()
	}
	return nil
}

// unpackMaterial writes what the bundle has beside resources. What somebody has
// put there before is left alone. The files that were made come back, with an
// error, too.
func (p *program) unpackMaterial(b *bundle.Bundle, n layout.NamespacePaths) (made []string, err error) {
	files := b.Material()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(n.InputDir(), filepath.FromSlash(name))
		if _, err := os.Lstat(filepath.Dir(file)); err == nil && !slices.ContainsFunc(made, func(m string) bool { return filepath.Dir(m) == filepath.Dir(file) }) {
			p.note("%s is used, not what the bundle has of that name", filepath.Dir(file))
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return made, err
		}
		if err := writePrivate(file, files[name], false); err != nil {
			return made, err
		}
		made = append(made, file)
	}
	return made, nil
}

// removeBundle removes the installed site and, with the last one, what came
// along with it.
func (p *program) removeBundle(ctx context.Context, in *command.Input, b *bundle.Bundle, n layout.NamespacePaths) error {
	c, _, err := p.controller(ctx)
	if err != nil {
		return err
	}
	list, err := c.Namespaces(ctx)
	if err != nil {
		return err
	}
	site, exists := siteOf(list, p.namespace)
	switch {
	case !exists:
		p.note("namespace %s does not exist: there is nothing to remove", p.namespace)
	case unused(n) == nil:
		p.note("namespace %s has no site: there is nothing to remove; what lies in %s stays", p.namespace, n.Dir)
	case site != b.Site:
		return &api.Error{
			Kind: api.Conflict, Message: fmt.Sprintf("namespace %s has the site %q, not %s", p.namespace, site, b.Site),
			Advice: "-n names the namespace where the bundle was installed",
		}
	default:
		if c, _, err = p.changer(ctx, in); err != nil {
			return err
		}
		result, err := c.Operate(ctx, p.namespace, api.OperateRequest{Operation: api.Teardown, Purge: true, DryRun: in.Changed("dry-run")})
		if err != nil {
			return err
		}
		if err := p.printResult(in, result); err != nil {
			return err
		}
	}
	if in.Changed("dry-run") {
		return nil
	}
	a, err := p.readArrival()
	if err != nil || a == nil {
		return err
	}
	return p.leave(ctx, a)
}

// dumpLinks copies the link files of the installed site.
func (p *program) dumpLinks(in *command.Input, b *bundle.Bundle, n layout.NamespacePaths) error {
	dir := in.String("dump-links")
	if !isDir(dir) {
		return &api.Error{Kind: api.Missing, Message: fmt.Sprintf("%q is not a directory", dir)}
	}
	if !p.started() {
		return &api.Error{
			Kind: api.Missing, Message: fmt.Sprintf("namespace %s has no installed site: its links are made with its own keys", n.Name),
			Advice: "install the bundle first: sh FILE, or skupper system install-bundle FILE",
		}
	}
	entries, err := os.ReadDir(n.Links())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError(n.Links(), err)
	}
	to := filepath.Join(dir, b.Site)
	count := 0
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".yaml") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(n.Links(), e.Name()))
		if err != nil {
			return err
		}
		if err := ownDir(to); err != nil {
			return err
		}
		file := filepath.Join(to, e.Name())
		if err := writePrivate(file, data, true); err != nil {
			return fileError(file, err)
		}
		if _, err := fmt.Fprintln(p.stdout, file); err != nil {
			return err
		}
		count++
	}
	if count == 0 {
		p.note("site %s has no link files: it does not let others link to it", b.Site)
		return nil
	}
	p.warn("each of these files holds a private key")
	return nil
}

// ownDir makes a directory for private keys, or takes one that nobody else can
// change: it may lie where others write, such as /tmp.
func ownDir(path string) error {
	err := os.Mkdir(path, 0o700)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return fileError(path, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return &api.Error{
			Kind: api.Conflict, Message: path + ": is not a directory that only you can change, and private keys would go there",
			Advice: "remove it, or name another directory",
		}
	}
	return nil
}

// placeAndGoOn keeps this program where it can stay, and goes on as that one:
// units and the agent are to run it, not the copy that a shell has unpacked.
func (p *program) placeAndGoOn(in *command.Input) error {
	a, err := p.newArrival()
	if err != nil {
		return err
	}
	if err := a.place(p); err != nil {
		return err
	}
	args := []string{a.Program, "system", "install-bundle", in.Arg(0), "--placed", "--namespace=" + p.namespace, "--platform=" + p.platform}
	for _, name := range []string{"wait", "timeout"} {
		if in.Changed(name) {
			args = append(args, "--"+name+"="+in.String(name))
		}
	}
	if p.quiet {
		args = append(args, "--quiet")
	}
	args = append(args, map[bool]string{true: "--system", false: "--user"}[p.paths.System])
	return fmt.Errorf("%s: %w", a.Program, syscall.Exec(a.Program, args, os.Environ()))
}
