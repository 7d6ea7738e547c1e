package command

import (
	"context"
	"encoding/csv"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

func noRun(context.Context, *Input) error { return nil }

// tree is a small tree with every kind of flag.
func tree() *Command {
	return &Command{
		Name: "skupper",
		Flags: []Flag{
			{Name: "namespace", Short: "n", Kind: String},
			{Name: "platform", Short: "p", Kind: String},
			{Name: "quiet", Short: "q", Kind: Bool},
			{Name: "verbose", Short: "v", Kind: Bool},
			{Name: "help", Short: "h", Kind: Bool},
		},
		Retired: map[string]string{"expose": "`skupper connector create`"},
		Commands: []*Command{
			{Name: "site", Commands: []*Command{
				{
					Name: "create", Run: noRun, Args: []Arg{{Name: "name"}},
					Flags: []Flag{
						{Name: "enable-link-access", Kind: Bool},
						{Name: "timeout", Kind: Duration, Default: "3m"},
						{Name: "wait", Kind: String, Default: "ready", Choices: []string{"none", "configured", "ready", "true", "false"}},
						{Name: "dry-run", Kind: String, Implied: "server", Choices: []string{"client", "server"}},
					},
				},
				{Name: "status", Run: noRun, Args: []Arg{{Name: "name", Optional: true}}, Flags: []Flag{{Name: "output", Short: "o", Kind: String}}},
			}},
			{Name: "connector", Commands: []*Command{
				{
					Name: "create", Run: noRun, Args: []Arg{{Name: "name"}, {Name: "port"}},
					Flags: []Flag{{Name: "routing-key", Short: "r", Kind: String}, {Name: "host", Kind: String, Default: "localhost"}, {Name: "port", Kind: Int}},
				},
			}},
			{Name: "system", Commands: []*Command{
				{Name: "apply", Run: noRun, Args: []Arg{{Name: "file", Optional: true, Repeat: true}}, Flags: []Flag{{Name: "filename", Short: "f", Kind: Strings}}},
			}},
			{Name: "router", Commands: []*Command{{Name: "run", Raw: true, Run: noRun}}},
		},
	}
}

// forms are command lines as people type them. Command words carry an @ so
// that the oracle, which knows flags only, can leave them out.
var forms = []string{
	"@site @create west",
	"@site @create west --enable-link-access",
	"@site @create --enable-link-access west",
	"--namespace foo @site @create west",
	"-n foo @site @create west",
	"-nfoo @site @create west",
	"-n=foo @site @create west",
	"--namespace=foo @site @create west",
	"@site -n foo @create west",
	"@site @create -n foo west",
	"@site @create west -n foo",
	"@site @create west -nfoo",
	"@site @create west -n=foo",
	"@site @create west --namespace foo --enable-link-access",
	"@site @create --enable-link-access=true west",
	"@site @create --enable-link-access=false west",
	"@site @create west --enable-link-access=1",
	"@site @create west --enable-link-access=maybe",
	"@site @create west --timeout 5m",
	"@site @create west --timeout=5m",
	"@site @create west --timeout=",
	"@site @create west --timeout",
	"@site @create west --wait none",
	"@site @create west --wait=ready --wait=none",
	"@site @create west --dry-run",
	"@site @create --dry-run west",
	"@site @create --dry-run=client west",
	"@site @create west -q",
	"@site @create west -qv",
	"@site @create west -qn foo",
	"@site @create west -qnfoo",
	"@site @create west -vqn=foo",
	"-q @site -v @create west",
	"-qv @site @create west",
	"-q=false @site @create west",
	"@site @create -- west",
	"@site @create --enable-link-access -- west",
	"@site @create -n -- west",
	"@site @create -n --enable-link-access west",
	"@site @status -- --output",
	"@site @create -- -x",
	"@site @create west --nosuch",
	"@site @create west -x",
	"@site @create west -qx",
	"@site @create west -n",
	"@site @create west --namespace",
	"@site @create west --=x",
	"@site @status",
	"@site @status west -o json",
	"@site @status -ojson west",
	"@site @status -o=json",
	"@site @status --output json",
	"@site @status -o json -o yaml",
	"@site @status -n west -p linux",
	"@site @status -h",
	"@site @status --help west",
	"-h @site @status",
	"-p linux @site @status",
	"-plinux -nwest @site @status",
	"@connector @create db 5432",
	"@connector @create db 5432 -r db",
	"@connector @create -r db db 5432",
	"@connector @create db -rdb 5432",
	"@connector @create db 5432 --host 10.0.0.1 --routing-key=x",
	"@connector @create db --host= 5432",
	"@connector @create db 5432 --port 0x10",
	"@connector @create db 5432 --port many",
	"@connector @create db 5432 --host -h",
	"@connector @create db 5432 --host --",
	"@system @apply",
	"@system @apply -",
	"@system @apply -f -",
	"@system @apply -f- x.yaml",
	"@system @apply a.yaml b.yaml",
	"@system @apply -f a.yaml -f b.yaml c.yaml",
	"@system @apply -f a,b.yaml",
	"@system @apply a.yaml -f b.yaml -n west c/",
	"@system @apply -nwest -f=a.yaml",
	"@system @apply -n west -- -f a.yaml",
	"@site @create west --enable-link-access=",
	"@site @create west -q=",
	"@site @create west -n=",
	"@site @create west -n= --namespace=foo -nbar",
	"@site @create west --namespace=",
	"@site @create west --namespace= --quiet=false -q",
	"@site @create west --enable-link-access --enable-link-access=false",
	"@site @create west -qq -v=false -vq",
	"@site @create west -qv=false",
	"@system @apply -- west --filename -f",
	"@site @create west -o json",
	"@site @create west ---quiet",
	"@site @create west --quiet=TRUE",
	"@connector @create db -1",
	"@connector @create db -- -1",
	"@connector @create db 5432 --port=5 --port=6 --port 7",
	"@connector @create db 5432 --host=a=b",
	"@connector @create db 5432 -r=a=b",
	"@connector @create db 5432 -r ''",
	"@connector @create db 5432 -qr x",
	"@connector @create db 5432 -rq",
	"@system @apply -f=- -f -- -n",
}

// oracle parses with pflag what stands around the command words.
func oracle(root *Command, line string) (flags map[string]string, args []string, err error) {
	c := root
	var rest []string
	for _, t := range strings.Fields(line) {
		if word, ok := strings.CutPrefix(t, "@"); ok {
			c = c.Find(word)
			continue
		}
		rest = append(rest, t)
	}
	set := pflag.NewFlagSet("oracle", pflag.ContinueOnError)
	for _, f := range append(slices.Clone(root.Flags), c.Flags...) {
		switch f.Kind {
		case Bool:
			set.BoolP(f.Name, f.Short, false, "")
		case Strings:
			set.StringArrayP(f.Name, f.Short, nil, "")
		case Int:
			set.IntP(f.Name, f.Short, 0, "")
		case Duration:
			set.DurationP(f.Name, f.Short, 0, "")
		case String:
			set.StringP(f.Name, f.Short, f.Default, "")
		}
		set.Lookup(f.Name).NoOptDefVal = f.Implied
		if f.Kind == Bool {
			set.Lookup(f.Name).NoOptDefVal = "true"
		}
	}
	if err := set.Parse(rest); err != nil {
		return nil, nil, err
	}
	flags = map[string]string{}
	set.Visit(func(f *pflag.Flag) { flags[f.Name] = f.Value.String() })
	return flags, set.Args(), nil
}

// ours parses the same line and reports it in the oracle's terms.
func ours(root *Command, line string) (flags map[string]string, args []string, err error) {
	inv, err := Prepare(root, strings.Fields(strings.ReplaceAll(line, "@", "")), nil)
	if err != nil {
		return nil, nil, err
	}
	flags = map[string]string{}
	for _, f := range append(slices.Clone(root.Flags), inv.Command.Flags...) {
		if !inv.Input.Changed(f.Name) {
			continue
		}
		flags[f.Name] = inv.Input.String(f.Name)
		switch f.Kind {
		case Strings:
			flags[f.Name] = quoted(inv.Input.Strings(f.Name))
		case Duration:
			flags[f.Name] = inv.Input.Duration(f.Name).String()
		case Int:
			flags[f.Name] = strconv.Itoa(inv.Input.Int(f.Name))
		case Bool, String:
		}
	}
	return flags, inv.Input.Args, nil
}

// quoted writes a list as pflag does: as one CSV record in brackets.
func quoted(values []string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	if err := w.Write(values); err != nil {
		return err.Error()
	}
	w.Flush()
	return "[" + strings.TrimSuffix(b.String(), "\n") + "]"
}

func TestParsesLikePflag(t *testing.T) {
	t.Parallel()
	if len(forms) < 60 {
		t.Fatalf("%d forms, want at least 60", len(forms))
	}
	for _, line := range forms {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			root := tree()
			wantFlags, wantArgs, wantErr := oracle(root, line)
			flags, args, err := ours(root, line)
			if (err != nil) != (wantErr != nil) {
				t.Fatalf("error %v, pflag says %v", err, wantErr)
			}
			if d := cmp.Diff(wantFlags, flags); d != "" {
				t.Errorf("flags (-pflag +ours):\n%s", d)
			}
			if d := cmp.Diff(wantArgs, args); d != "" && len(wantArgs)+len(args) > 0 {
				t.Errorf("arguments (-pflag +ours):\n%s", d)
			}
		})
	}
}

func TestWrongUseIsExplained(t *testing.T) {
	t.Parallel()
	foreign := map[string]string{"selector": "on hosts use --host"}
	for _, row := range []struct{ line, message, hint string }{
		{"site creat west", `unknown command "creat" (skupper site)`, "did you mean `skupper site create`?"},
		{"nosuch", `unknown command "nosuch" (skupper)`, "`skupper --help` lists the commands"},
		{"expose deployment/x", `"expose" is not a command of this version`, "`skupper connector create`"},
		{"site create west --enable-link-acces", "unknown flag --enable-link-acces (skupper site create)", "did you mean --enable-link-access?"},
		{"site --enable-link-access create west", "unknown flag --enable-link-access before the command", "put --enable-link-access after the command"},
		{"connector create db 1 --selector a=b", "--selector applies to Kubernetes sites", "on hosts use --host"},
		{"site create", "<name> is missing (skupper site create)", "`skupper site create <name> [flags]`"},
		{"site create a b", `one argument too many: "b" (skupper site create)`, "`skupper site create <name> [flags]`"},
		{"site create a --wait soon", `--wait "soon": not one of none, configured, ready, true, false`, ""},
		{"site create a --timeout x", `--timeout "x": not a duration such as 30s, 5m or 1h`, ""},
		{"site create a --timeout", "--timeout needs a value (DURATION)", ""},
		{"site -- create", `unknown command "create" (skupper site)`, ""},
	} {
		t.Run(row.line, func(t *testing.T) {
			t.Parallel()
			_, err := Prepare(tree(), strings.Fields(row.line), foreign)
			var use *UsageError
			if !errors.As(err, &use) {
				t.Fatalf("error %v, want a usage error", err)
			}
			if use.Message != row.message {
				t.Errorf("message\n got %s\nwant %s", use.Message, row.message)
			}
			if row.hint != "" && use.Hint() != row.hint {
				t.Errorf("hint\n got %s\nwant %s", use.Hint(), row.hint)
			}
		})
	}
}

func TestDefaultsAndSeconds(t *testing.T) {
	t.Parallel()
	inv, err := Prepare(tree(), []string{"site", "create", "west", "--timeout", "90"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := inv.Input.Duration("timeout").String(); got != "1m30s" {
		t.Errorf("a bare number is %s, want seconds", got)
	}
	if got := inv.Input.String("wait"); got != "ready" || inv.Input.Changed("wait") {
		t.Errorf("default of --wait is %q, changed %v", got, inv.Input.Changed("wait"))
	}
	if got := strings.Join(inv.Input.Path, " "); got != "skupper site create" {
		t.Errorf("path %q", got)
	}
}

func TestRawTakesEverything(t *testing.T) {
	t.Parallel()
	inv, err := Prepare(tree(), []string{"router", "run", "-c", "x.json", "--", "-n", "y"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"-c", "x.json", "--", "-n", "y"}
	if d := cmp.Diff(want, inv.Input.Args); d != "" {
		t.Error(d)
	}
}

func TestGroupAloneAsksForHelp(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "site", "site create -h", "site create --help extra words"} {
		inv, err := Prepare(tree(), strings.Fields(line), nil)
		if err != nil || !inv.Help {
			t.Errorf("%q: help %v, error %v", line, inv.Help, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range forms {
		f.Add(strings.ReplaceAll(line, "@", ""))
	}
	root := tree()
	f.Fuzz(func(t *testing.T, line string) {
		parsed, err := Parse(root, strings.Fields(line), nil)
		if err != nil {
			return
		}
		again, err := Parse(root, parsed.Argv()[1:], nil)
		if err != nil {
			t.Fatalf("canonical form %q is refused: %v", parsed.Argv(), err)
		}
		if d := cmp.Diff(parsed.Argv(), again.Argv()); d != "" {
			t.Fatal(d)
		}
	})
}
