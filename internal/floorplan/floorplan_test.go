package floorplan

import (
	"go/ast"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

const modulePath = "github.com/skupper-host/skupper/"

func TestImports(t *testing.T) {
	t.Parallel()
	all, fset := source(t)
	rows := plan()
	for _, p := range all {
		i := slices.IndexFunc(rows, func(r row) bool { return covers(r.pkg, p.dir) })
		if len(p.code()) == 0 {
			continue
		}
		if i < 0 {
			t.Errorf("%s: has no row in plan_test.go; say there what it may import", p.dir)
			continue
		}
		for _, f := range p.code() {
			checkImports(t, fset, p, rows[i], f)
		}
	}
}

func checkImports(t *testing.T, fset *token.FileSet, p *pkg, r row, f *file) {
	t.Helper()
	for _, spec := range f.ast.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		ours, local := strings.CutPrefix(name, modulePath)
		if reason, ok := r.never[ours]; ok {
			t.Errorf("%s: %s imports %s, but %s", at(fset, spec.Pos()), p.dir, ours, reason)
			continue
		}
		if local && !slices.ContainsFunc(r.may, func(m string) bool { return covers(m, ours) }) {
			t.Errorf("%s: %s imports %s, which is not in its row of plan_test.go", at(fset, spec.Pos()), p.dir, ours)
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if reason, ok := r.calls[callee(call)]; ok {
				t.Errorf("%s: %s calls %s, but %s", at(fset, call.Pos()), p.dir, callee(call), reason)
			}
		}
		return true
	})
}

// callee is the called function as written, "pkg.Func", or "".
func callee(call *ast.CallExpr) string {
	if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
		if x, ok := sel.X.(*ast.Ident); ok {
			return x.Name + "." + sel.Sel.Name
		}
	}
	return ""
}

func TestPackageComments(t *testing.T) {
	t.Parallel()
	all, _ := source(t)
	for _, p := range all {
		var in []string
		for _, f := range p.files {
			if f.ast.Doc != nil {
				in = append(in, path.Base(f.name))
			}
		}
		if len(p.code()) > 0 && !slices.Equal(in, []string{"doc.go"}) {
			t.Errorf("%s: package comments in %v, want exactly one, in doc.go", p.dir, in)
		}
	}
}

func TestNamesSaySomething(t *testing.T) {
	t.Parallel()
	all, fset := source(t)
	empty := emptyWords()
	for _, p := range all {
		if _, bad := empty[path.Base(p.dir)]; bad {
			t.Errorf("%s: the name says nothing", p.dir)
		}
		for _, f := range p.files {
			for _, word := range strings.FieldsFunc(strings.TrimSuffix(path.Base(f.name), ".go"), func(r rune) bool { return r == '_' }) {
				if empty[word] == "everywhere" {
					t.Errorf("%s: the word %q says nothing", f.name, word)
				}
			}
			for _, name := range declaredTypes(f.ast) {
				for _, word := range camelWords(name.Name) {
					if empty[word] == "everywhere" {
						t.Errorf("%s: type %s: the word %q says nothing", at(fset, name.Pos()), name.Name, word)
					}
				}
			}
		}
	}
}

func declaredTypes(f *ast.File) []*ast.Ident {
	var names []*ast.Ident
	for _, d := range f.Decls {
		if gen, ok := d.(*ast.GenDecl); ok && gen.Tok == token.TYPE {
			for _, s := range gen.Specs {
				if ts, ok := s.(*ast.TypeSpec); ok {
					names = append(names, ts.Name)
				}
			}
		}
	}
	return names
}

// camelWords splits a Go name into lower-case words.
func camelWords(name string) []string {
	var words []string
	start := 0
	runes := []rune(name)
	for i := 1; i <= len(runes); i++ {
		if i == len(runes) || unicode.IsUpper(runes[i]) && !unicode.IsUpper(runes[i-1]) {
			words = append(words, strings.ToLower(string(runes[start:i])))
			start = i
		}
	}
	return words
}

func TestNothingIsLeftUnfinished(t *testing.T) {
	t.Parallel()
	all, fset := source(t)
	// Written in halves, so that this file does not find itself.
	unfinished := regexp.MustCompile(`(?i)\b(fix` + `me|x` + `xx|not imple` + `mented|for n` + `ow)\b`)
	toDo := regexp.MustCompile(`\bTO` + `DO\b[^#]*$`) // one with an issue number may stay
	for _, p := range all {
		for _, f := range p.files {
			for _, group := range f.ast.Comments {
				for _, c := range group.List {
					for line := range strings.Lines(c.Text) {
						if m := unfinished.FindString(line); m != "" || toDo.MatchString(strings.TrimSpace(line)) {
							t.Errorf("%s: unfinished work in a comment: %s", at(fset, c.Pos()), strings.TrimSpace(line))
						}
					}
				}
			}
		}
	}
}

func TestGoroutinesHaveOwners(t *testing.T) {
	t.Parallel()
	all, fset := source(t)
	known := goroutines()
	used := map[string]bool{}
	for _, p := range all {
		for _, f := range p.code() {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok {
					used[f.name] = true
					if known[f.name] == "" {
						t.Errorf("%s: a go statement; start it with sync.WaitGroup.Go where somebody waits", at(fset, g.Pos()))
					}
				}
				return true
			})
		}
	}
	for name := range maps.Keys(known) {
		if !used[name] {
			t.Errorf("%s: listed in goroutines, but has no go statement", name)
		}
	}
}

// TestOnlyCommandsExitAndPrint leaves commands to themselves; in cmd/skupper
// main.go alone exits, which its own tests show.
func TestOnlyCommandsExitAndPrint(t *testing.T) {
	t.Parallel()
	all, fset := source(t)
	refused := []string{"os.Exit", "log.Fatal", "log.Fatalf", "fmt.Print", "fmt.Println", "fmt.Printf", "slog.Default", "slog.SetDefault", "log.Println", "log.Printf"}
	for _, p := range all {
		for _, f := range p.code() {
			if f.ast.Name.Name == "main" {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && slices.Contains(refused, callee(call)) {
					t.Errorf("%s: %s outside of a command", at(fset, call.Pos()), callee(call))
				}
				return true
			})
		}
	}
}

func TestTestsDoNotSleepOrSkipSilently(t *testing.T) {
	t.Parallel()
	all, fset := source(t)
	known := sleeps()
	for _, p := range all {
		// Bubbles are entered by a function of the package's tests, mostly in
		// another file.
		bubble := slices.ContainsFunc(p.files, func(f *file) bool {
			return f.test && slices.ContainsFunc(f.ast.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"testing/synctest"` })
		})
		for _, f := range p.files {
			if !f.test {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if callee(call) == "time.Sleep" && !bubble && known[f.name] == "" {
					t.Errorf("%s: a test sleeps in real time; wait for what it waits for", at(fset, call.Pos()))
				}
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "SkipNow" || sel.Sel.Name == "Skip" && len(call.Args) == 0) {
					t.Errorf("%s: a skip without a reason", at(fset, call.Pos()))
				}
				return true
			})
		}
	}
}
