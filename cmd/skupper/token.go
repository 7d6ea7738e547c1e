package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/output"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

func (p *program) tokenCommands() *command.Command {
	file := command.Arg{Name: "file", Source: command.Files}
	c := &command.Command{
		Name: "token", Summary: "let other sites link to this one by a token",
		Text: "A token is a small file that another site exchanges for a link, as often and as long as it was issued for. " +
			"The agent answers, over HTTPS on port 9090 or the next free one, while a token can be redeemed, and later while the certificate of a link made by one is due for renewal.",
		Commands: []*command.Command{
			{
				Name: "issue", Summary: "make a token", Args: []command.Arg{file},
				Text: "A file of - is standard output. The file holds a secret code: carry it as you would a password.",
				Flags: []command.Flag{
					{Name: "redemptions-allowed", Kind: command.Int, Default: "1", Usage: "how often it may be redeemed"},
					{Name: "expiration-window", Kind: command.Duration, Default: "15m", Usage: "how long it may be redeemed, at least 1m"},
					{Name: "cost", Kind: command.Int, Default: "1", Usage: "cost of the link"},
					{Name: "grant", Kind: command.String, Value: "NAME", Usage: "an existing AccessGrant"},
					{Name: "name", Kind: command.String, Value: "NAME", Usage: "name of the grant and of the link"},
					{Name: "host", Kind: command.Strings, Value: "HOST", Usage: "name or address at which the other site reaches this host; the first is the token's, the certificate is good for all"},
					{Name: "timeout", Kind: command.Duration, Default: "60s", Usage: "how long to wait"},
					{Name: "force", Kind: command.Bool, Usage: "overwrite the file"},
					outputFlag("yaml", documentFormats()...), dryRunFlag(),
				},
				Examples: []command.Example{
					{Line: "skupper token issue east.token", Text: "A token for one site, good for 15 minutes"},
					{Line: "skupper token issue edges.token --redemptions-allowed 20 --expiration-window 24h", Text: "One for twenty sites"},
				},
				Run: p.tokenIssue,
			},
			{
				Name: "redeem", Summary: "exchange a token for a link", Args: []command.Arg{file},
				Text: "The site that issued the token is asked for a key of this site's own; the Link and its Secret are then part of this site's input. " +
					"Where the link is there already, nothing is asked and nothing changes. A file of - is standard input.",
				Flags: append([]command.Flag{
					{Name: "link-cost", Kind: command.Int, Usage: "another cost than the token says"},
					{Name: "name", Kind: command.String, Value: "NAME", Usage: "another name of the link"},
				}, append(waitFlags(waitReady, "60s"), resultFlags()...)...),
				Examples: []command.Example{
					{Line: "skupper token redeem east.token", Text: "Link to the site that issued it; the file may be deleted afterwards"},
					{Line: "skupper token redeem - --link-cost 5", Text: "The token comes on standard input; other paths are preferred"},
				},
				Run: p.tokenRedeem,
			},
			{
				Name: "status", Summary: "show the grants of this site, or what a token file says", Args: []command.Arg{{Name: "file|name", Optional: true, Source: command.Files}},
				Text:  "Without an argument the grants of this site are listed. Of a file it is shown where it leads, with which authority, and whether that can be reached from here; its code is not shown.",
				Flags: statusFlags(),
				Exits: []command.Exit{{Code: exitUnhealthy, Meaning: "with --check: a grant cannot be redeemed, a token's server not be reached"}},
				Examples: []command.Example{
					{Line: "skupper token status", Text: "Which tokens can still be redeemed here"},
					{Line: "skupper token status east.token", Text: "Where a token leads, and whether it can be reached from here"},
				},
				Run: p.tokenStatus,
			},
			{
				Name: "revoke", Summary: "end a grant; links that were made by it stay", Args: []command.Arg{{Name: "name", Source: command.Tokens}},
				Text: "Tokens of the grant cannot be redeemed from then on. Links that were made by it stay until they are deleted on their own sites; " +
					"with --links their certificates are not renewed any more, and they end with them. That can be said of a grant that has ended, too.",
				Flags: append([]command.Flag{{Name: "links", Kind: command.Bool, Usage: "refuse to renew the certificates of links that were made by it"}}, append(deleteWaitFlags(), resultFlags()...)...),
				Examples: []command.Example{
					{Line: "skupper token revoke west-0c5f1e7a", Text: "Nobody can redeem its tokens any more"},
					{Line: "skupper token revoke west-0c5f1e7a --links", Text: "Nor have the certificates renewed that they were redeemed for"},
					{Line: "skupper token revoke west-0c5f1e7a --dry-run", Text: "See what would go"},
				},
				Run: func(ctx context.Context, in *command.Input) error {
					return p.remove(ctx, in, api.DeleteRequest{Missing: true, Revoke: in.Bool("links"), Objects: []api.Ref{{Kind: string(resource.KindAccessGrant), Name: in.Arg(0)}}})
				},
			},
		},
	}
	c.Commands = append(c.Commands, p.oldTokenCommand(c.Find("issue")))
	return c
}

func (p *program) tokenIssue(ctx context.Context, in *command.Input) error {
	if in.Duration("expiration-window") < time.Minute {
		return &command.UsageError{Message: "--expiration-window: at least 1m is expected"}
	}
	if in.Int("redemptions-allowed") < 1 {
		return &command.UsageError{Message: "--redemptions-allowed: at least 1 is expected"}
	}
	file := in.Arg(0)
	if file != "-" {
		check := func() error { return vacant(file, "--force overwrites it") }
		if in.Bool("force") {
			check = func() error { return writable(file) }
		}
		if err := check(); err != nil {
			return err
		}
	}
	if in.Changed("dry-run") {
		return p.tokenPlan(ctx, in)
	}
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	if !online {
		return p.needsAgent(ctx, c, "a token is made by a running site")
	}
	ctx, cancel := context.WithTimeout(ctx, in.Duration("timeout"))
	defer cancel()
	t, err := c.Token(ctx, p.namespace, api.TokenRequest{
		Name: in.String("name"), Grant: in.String("grant"), Redemptions: in.Int("redemptions-allowed"),
		Window: in.Duration("expiration-window").String(), Hosts: in.Strings("host"), Cost: in.Int("cost"),
	})
	if err != nil {
		return err
	}
	for _, w := range t.Warnings {
		p.warn("%s", w)
	}
	document := t.Document
	if in.String("output") == "json" {
		set, _, err := parse([]api.File{{Name: "agent's answer", Data: document}})
		if err != nil {
			return err
		}
		document = documents("json", slices.Collect(set.All())...)
	}
	if file == "-" {
		p.warnOfReaders("a secret code", "naming a file makes one that only you can read")
		_, err := p.stdout.Write(document)
		return err
	}
	if err := writePrivate(file, document, in.Bool("force")); err != nil {
		return err
	}
	p.note("%s: good for %s until %s, at %s", file, redemptions(t.Redemptions), t.Expires.Local().Format(time.DateTime), t.URL)
	p.note("on the other site: skupper token redeem %s", file)
	return nil
}

// tokenPlan says what issuing a token would change.
func (p *program) tokenPlan(ctx context.Context, in *command.Input) error {
	g := &resource.AccessGrant{Meta: resource.Meta{Name: first(in.String("grant"), in.String("name"), "new"), Namespace: p.namespace}}
	g.Spec.RedemptionsAllowed, g.Spec.ExpirationWindow = in.Int("redemptions-allowed"), in.Duration("expiration-window").String()
	if in.Changed("grant") {
		return p.plannedNothing(in)
	}
	return p.create(ctx, in, waitNone, g)
}

// plannedNothing is the answer of a dry run that would change nothing.
func (p *program) plannedNothing(in *command.Input) error { return p.printResult(in, &api.Result{}) }

func redemptions(n int) string {
	if n == 1 {
		return "1 redemption"
	}
	return fmt.Sprintf("%d redemptions", n)
}

func (p *program) tokenRedeem(ctx context.Context, in *command.Input) error {
	files, err := p.readAny(ctx, in.Args)
	if err != nil {
		return err
	}
	r := api.RedeemRequest{File: files[0], Name: in.String("name"), Cost: in.Int("link-cost")}
	if in.Changed("dry-run") {
		return p.redemptionPlan(ctx, in, r)
	}
	return p.redeem(ctx, in, r)
}

// redemptionPlan says what redeeming a token would change. Nobody is asked: a
// token may be good for one time only.
func (p *program) redemptionPlan(ctx context.Context, in *command.Input, r api.RedeemRequest) error {
	set, _, err := parse([]api.File{r.File})
	if err != nil {
		return err
	}
	tokens := resource.Of[*resource.AccessToken](set)
	if len(tokens) != 1 {
		return &api.Error{Kind: api.Invalid, Message: r.File.Name + ": does not hold one AccessToken", Advice: "tokens are made by `skupper token issue` on the other site"}
	}
	name := first(r.Name, tokens[0].Name)
	c, _, err := p.controller(ctx)
	if err != nil {
		return err
	}
	known, err := c.Names(ctx, p.namespace)
	if err != nil && api.KindOf(err) != api.Missing {
		return err
	}
	if err == nil && slices.Contains(*known, api.Ref{Kind: string(resource.KindLink), Name: name}) {
		return p.plannedNothing(in)
	}
	return p.printResult(in, &api.Result{
		Plan:    []string{"ask " + tokens[0].Spec.URL, "add link/" + name, "add secret/" + name},
		Summary: "adds 2, changes 0, removes 0, connections dropped: 0",
	})
}

// redeem exchanges a token for a link and waits for that.
func (p *program) redeem(ctx context.Context, in *command.Input, r api.RedeemRequest) error {
	c, online, err := p.changer(ctx, in)
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, in.Duration("timeout"))
	defer cancel()
	result, err := c.Redeem(limit, p.namespace, r)
	if err != nil {
		return err
	}
	if result.State == api.Stopped {
		err = p.letRest(in, result)
	} else {
		err = p.finish(ctx, in, c, online, waitReady, result)
	}
	if err != nil {
		return err
	}
	if in.Arg(0) != "-" {
		p.note("%s is not needed any more", in.Arg(0))
	}
	return nil
}

// tokenStatus lists grants, or looks at a token.
func (p *program) tokenStatus(ctx context.Context, in *command.Input) error {
	name := in.Arg(0)
	if name != "" && (resource.CheckName(name) != "" || isFile(name)) {
		return p.inspectToken(ctx, in)
	}
	s, err := p.ask(ctx)
	if err != nil {
		return err
	}
	list, err := views(s, string(resource.KindAccessGrant))
	if err != nil {
		return err
	}
	if name != "" {
		if list = named(list, name); len(list) == 0 {
			return &api.Error{Kind: api.Missing, Message: name + ": neither a file nor a grant of this site", Advice: "`skupper token status` lists the grants"}
		}
	}
	t := &output.Table{Header: []string{"NAME", "STATUS", "REDEEMED", "ALLOWED", "EXPIRES"}, Paint: p.paint()}
	if in.String("output") == string(output.AsWide) {
		t.Header = append(t.Header, "URL")
	}
	items, well := make([]any, 0, len(list)), s.Observed
	for _, v := range list {
		well = well && v.Status.Status == resource.StatusReady
		row := []string{
			v.Metadata.Name, v.Status.Status, strconv.Itoa(v.Status.Redemptions), strconv.Itoa(max(v.Spec.RedemptionsAllowed, 1)),
			ago(v.Status.ExpirationTime, time.Now()),
		}
		if len(t.Header) > len(row) {
			row = append(row, v.Status.URL)
		}
		t.Add(row...)
		items = append(items, v.raw)
	}
	return checked(in, well, p.listOf(in, t, items))
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// inspectToken says what a token file holds, but for its code.
func (p *program) inspectToken(ctx context.Context, in *command.Input) error {
	files, err := p.readAny(ctx, in.Args)
	if err != nil {
		return err
	}
	set, _, err := parse(files)
	if err != nil {
		return err
	}
	t := &output.Table{Header: []string{"NAME", "URL", "COST", "CA-SHA256", "REACHABLE"}}
	var items []any
	well := true
	for _, tok := range resource.Of[*resource.AccessToken](set) {
		reachable := "yes"
		if u, err := url.Parse(tok.Spec.URL); err != nil {
			reachable = "no: not a URL"
		} else if err := reach(ctx, net.JoinHostPort(u.Hostname(), first(u.Port(), "443"))); err != nil {
			reachable = "no: " + err.Error()
		}
		well = well && reachable == "yes"
		print := caFingerprint(tok.Spec.CA)
		t.Add(tok.Name, tok.Spec.URL, strconv.Itoa(max(tok.Spec.LinkCost, 1)), print, reachable)
		items = append(items, map[string]any{
			"name": tok.Name, "url": tok.Spec.URL, "cost": max(tok.Spec.LinkCost, 1), "caSha256": print, "reachable": reachable,
		})
	}
	if len(items) == 0 {
		return &api.Error{Kind: api.Invalid, Message: in.Arg(0) + ": holds no AccessToken"}
	}
	return checked(in, well, p.listOf(in, t, items))
}

// caFingerprint is the SHA-256 of the first certificate, as openssl prints it
// without colons.
func caFingerprint(text string) string {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "none"
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return fmt.Sprintf("unreadable: %v", err)
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}
