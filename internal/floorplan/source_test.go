package floorplan

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// pkg is one directory of Go files.
type pkg struct {
	dir   string // below the module root, with slashes
	files []*file
}

type file struct {
	name string // below the module root
	test bool
	ast  *ast.File
}

// module reads every Go file of the module once.
var module = sync.OnceValues(func() ([]*pkg, *token.FileSet) {
	fset := token.NewFileSet()
	byDir := map[string]*pkg{}
	var all []*pkg
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			_, nested := os.Stat(filepath.Join(p, "go.mod"))
			if name == "testdata" || p != root && (strings.HasPrefix(name, ".") && name != ".." || nested == nil) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(fset, p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		dir := path.Dir(rel)
		if byDir[dir] == nil {
			byDir[dir] = &pkg{dir: dir}
			all = append(all, byDir[dir])
		}
		byDir[dir].files = append(byDir[dir].files, &file{name: rel, test: strings.HasSuffix(name, "_test.go"), ast: parsed})
		return nil
	})
	if err != nil {
		panic(err)
	}
	return all, fset
})

// source returns the packages and the positions of their files.
func source(t *testing.T) ([]*pkg, *token.FileSet) {
	t.Helper()
	all, fset := module()
	if len(all) < 3 {
		t.Fatalf("%d packages found: the module root is not where it was", len(all))
	}
	return all, fset
}

// code returns the files that are not tests.
func (p *pkg) code() []*file {
	var out []*file
	for _, f := range p.files {
		if !f.test {
			out = append(out, f)
		}
	}
	return out
}

// covers reports whether the pattern names the package: itself, or with a
// trailing /... everything below as well.
func covers(pattern, name string) bool {
	if above, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == above || strings.HasPrefix(name, above+"/")
	}
	return pattern == name
}

// at writes a position as file:line below the module root.
func at(fset *token.FileSet, pos token.Pos) string {
	p := fset.Position(pos)
	p.Filename = strings.TrimPrefix(filepath.ToSlash(p.Filename), "../../")
	p.Column = 0
	return p.String()
}
