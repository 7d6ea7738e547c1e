package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

func (p *program) linkCommands() *command.Command {
	known := command.Arg{Name: "name", Source: command.Links}
	optional := command.Arg{Name: "name", Optional: true, Source: command.Links}
	return &command.Command{
		Name: "link", Summary: "link this site to others",
		Text: "A link file holds a Link and the key that it needs. It is made on the site that others can reach, carried to the other site, and applied there. " +
			"Once linked, both sites use each other's services.",
		Commands: []*command.Command{
			{
				Name: "generate", Summary: "make a link file with which another site links to this one",
				Text: "The file holds a private key: carry it as you would a password. Each file has a key of its own. " +
					"The site must be started and have link access enabled.",
				Args: []command.Arg{{Name: "name", Optional: true}},
				Flags: []command.Flag{
					{Name: "host", Kind: command.String, Value: "HOST", Usage: "name or address at which the other site reaches this host"},
					{Name: "name", Kind: command.String, Value: "NAME", Usage: "name of the Link"},
					{Name: "cost", Kind: command.Int, Default: "1", Usage: "cost of the Link; the cheapest path is taken"},
					{Name: "tls-credentials", Kind: command.String, Value: "NAME", Usage: "name of the Secret"},
					{Name: "generate-credential", Kind: command.Bool, Default: "true", Usage: "put the Secret into the file"},
					{Name: "output-file", Kind: command.String, Value: "FILE", Source: command.Files, Usage: "write to a file with mode 0600 instead"},
					outputFlag("yaml", documentFormats()...),
				},
				Examples: []command.Example{
					{Line: "skupper link generate --host west.example.com --output-file link.yaml", Text: "Make a link file; the other site uses this name to reach the host"},
					{Line: "skupper link generate --output-file link.yaml", Text: "Let the site choose its host name or address"},
				},
				Run: p.linkGenerate,
			},
			{
				Name: "create", Summary: "apply a link file from another site", Args: []command.Arg{{Name: "file", Source: command.Files}},
				Text:  "Whether the endpoints can be reached is tried first. A file of - reads standard input. A token is redeemed.",
				Flags: append(waitFlags(waitReady, "60s"), resultFlags()...),
				Examples: []command.Example{
					{Line: "skupper link create link.yaml", Text: "Link to the site that made the file"},
					{Line: "skupper link create - --wait none", Text: "The file comes on standard input, and nothing is waited for"},
				},
				Run: p.linkCreate,
			},
			{
				Name: "update", Summary: "change a link", Args: []command.Arg{known},
				Text: "A changed cost counts for new connections at once; other links are not touched.",
				Flags: append([]command.Flag{
					{Name: "cost", Kind: command.Int, Usage: "another cost"},
					{Name: "tls-credentials", Kind: command.String, Value: "NAME", Usage: "another Secret"},
				}, append(waitFlags(waitReady, "60s"), resultFlags()...)...),
				Examples: []command.Example{
					{Line: "skupper link update link-west --cost 5", Text: "Prefer other paths"},
					{Line: "skupper link update link-west --tls-credentials new --dry-run", Text: "See what another Secret would change"},
				},
				Run: p.linkUpdate,
			},
			p.statusCommand("link", optional, resource.KindLink),
			{
				Name: "delete", Summary: "remove a link and its key", Args: []command.Arg{known},
				Text:  "The Secret is removed with the Link unless another one uses it.",
				Flags: append(deleteWaitFlags(), resultFlags()...),
				Examples: []command.Example{
					{Line: "skupper link delete link-west", Text: "End the link"},
					{Line: "skupper link delete link-west --dry-run", Text: "See what would go, and whether connections would drop"},
				},
				Run: func(ctx context.Context, in *command.Input) error {
					return p.remove(ctx, in, api.DeleteRequest{Missing: true, Objects: []api.Ref{{Kind: string(resource.KindLink), Name: in.Arg(0)}}})
				},
			},
		},
	}
}

func (p *program) linkGenerate(ctx context.Context, in *command.Input) error {
	if in.Arg(0) != "" && in.Changed("name") && in.String("name") != in.Arg(0) {
		return &command.UsageError{Message: fmt.Sprintf("two names are given: %s and --name %s", in.Arg(0), in.String("name")), Advice: "name one"}
	}
	file := in.String("output-file")
	if file != "" {
		if err := vacant(file, "remove it, or name another file"); err != nil {
			return err
		}
	}
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	if !online {
		return p.needsAgent(ctx, c, "a link file is made by a running site")
	}
	f, err := c.Link(ctx, p.namespace, api.LinkRequest{
		Access: "", Host: in.String("host"), Name: first(in.String("name"), in.Arg(0)), Cost: in.Int("cost"),
		Credentials: in.String("tls-credentials"), Generate: in.Bool("generate-credential"),
	})
	if err != nil {
		return err
	}
	for _, w := range f.Warnings {
		p.warn("%s", w)
	}
	document := f.Document
	if in.String("output") == "json" {
		set, _, err := resource.Parse([]resource.Input{{Name: "agent's answer", Data: f.Document}})
		if err != nil {
			return err
		}
		document = documents("json", slices.Collect(set.All())...)
	}
	secret := in.Bool("generate-credential")
	if file != "" {
		if err := writePrivate(file, document, false); err != nil {
			return err
		}
		p.note("%s: link %s to %s%s", file, f.Name, f.Host, map[bool]string{true: "; it holds a private key"}[secret])
		return nil
	}
	if secret {
		p.warnOfReaders("a private key", "--output-file makes a file that only you can read")
	}
	_, err = p.stdout.Write(document)
	return err
}

// warnOfReaders says so where others may read the secret that goes to standard
// output.
func (p *program) warnOfReaders(secret, advice string) {
	if p.stdoutTerminal {
		p.warn("this holds %s; %s", secret, advice)
		return
	}
	f, ok := p.stdout.(*os.File)
	if !ok {
		return
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		p.warn("the output holds %s, and others can read the file; %s", secret, advice)
	}
}

// writePrivate makes a file that only its owner reads; nobody sees half of it.
// Without over it does not replace one that is there.
func writePrivate(path string, data []byte, over bool) error {
	f, err := scratch(path)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it has another name by then, or must go
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if over {
		return os.Rename(f.Name(), path)
	}
	err = os.Link(f.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return &api.Error{Kind: api.Conflict, Message: path + ": exists already", Advice: "remove it, or name another file"}
	}
	return err
}

// vacant refuses a file that is there already, or cannot be made.
func vacant(path, advice string) error {
	if _, err := os.Lstat(path); err == nil {
		return &api.Error{Kind: api.Conflict, Message: path + ": exists already", Advice: advice}
	}
	return writable(path)
}

// writable tells whether a file can be made at path, before anything is done
// that cannot be undone.
func writable(path string) error {
	f, err := scratch(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// scratch makes a file beside path, with mode 0600.
func scratch(path string) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	var e *fs.PathError
	if errors.As(err, &e) {
		e.Path = path // as the person knows it
	}
	return f, err
}

// reachTimeout bounds the attempt to reach an endpoint before a link is made.
const reachTimeout = 3 * time.Second

func (p *program) linkCreate(ctx context.Context, in *command.Input) error {
	files, err := p.readAny(ctx, in.Args)
	if err != nil {
		return err
	}
	set, _, err := resource.Parse(asInput(files))
	if err != nil {
		return err
	}
	links := resource.Of[*resource.Link](set)
	if len(links) == 0 && len(resource.Of[*resource.AccessToken](set)) > 0 {
		if in.Changed("dry-run") {
			return p.redemptionPlan(ctx, in, api.RedeemRequest{File: files[0]})
		}
		p.note("%s is a token: running `skupper token redeem %s`", in.Arg(0), in.Arg(0))
		return p.redeem(ctx, in, api.RedeemRequest{File: files[0]})
	}
	if len(links) == 0 {
		return &api.Error{Kind: api.Invalid, Message: in.Arg(0) + ": holds no Link", Advice: "link files are made by `skupper link generate` on the other site"}
	}
	for _, l := range links {
		for _, e := range l.Spec.Endpoints {
			if err := reach(ctx, net.JoinHostPort(e.Host, e.Port)); err != nil {
				p.warn("link/%s: endpoint %s: %v; the link will be tried again and again", l.Name, e.Name, err)
			}
		}
	}
	if dryRunOfClient(in) {
		return p.preview(in, slices.Collect(set.All())...)
	}
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	result, err := c.Apply(ctx, p.namespace, api.ApplyRequest{Files: files, DryRun: in.Changed("dry-run")})
	if err != nil {
		return err
	}
	return p.finish(ctx, in, c, online, waitReady, result)
}

func reach(ctx context.Context, address string) error {
	d := net.Dialer{Timeout: reachTimeout}
	conn, err := d.DialContext(ctx, "tcp", address)
	var dns *net.DNSError
	var network net.Error
	switch {
	case err == nil:
		return conn.Close()
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("the name %s is not known", dns.Name)
	case errors.As(err, &dns):
		return fmt.Errorf("the name %s cannot be looked up: %s", dns.Name, dns.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s refuses connections", address)
	case errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("%s does not answer within %s", address, reachTimeout)
	}
	return err
}

func (p *program) linkUpdate(ctx context.Context, in *command.Input) error {
	fields := map[string]any{}
	if in.Changed("cost") {
		fields["spec.cost"] = in.Int("cost")
	}
	if in.Changed("tls-credentials") {
		fields["spec.tlsCredentials"] = in.String("tls-credentials")
	}
	return p.update(ctx, in, waitReady, resource.Ref{Kind: resource.KindLink, Name: in.Arg(0)}, fields)
}

// needsAgent says that something needs the agent, or that there is nothing for it
// to be done with.
func (p *program) needsAgent(ctx context.Context, c api.Controller, what string) error {
	if err := p.exists(ctx, c); err != nil {
		return err
	}
	return &exitError{code: exitDenied, message: fmt.Sprintf("%s, and no agent runs", what), hint: "`skupper system start` starts it"}
}
