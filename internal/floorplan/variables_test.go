package floorplan

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// TestPackageVariablesNeverChange finds package variables that some function
// assigns, increments, takes the address of or stores into, and variables of
// types that only make sense when they change.
func TestPackageVariablesNeverChange(t *testing.T) {
	t.Parallel()
	all, fset := source(t)
	known := variables()
	for _, p := range all {
		vars := map[string]bool{}
		for _, f := range p.code() {
			collectVars(f.ast, vars, func(name *ast.Ident, typ string) {
				if known[p.dir+"."+name.Name] == "" {
					t.Errorf("%s: package variable %s of type %s: state belongs to a value", at(fset, name.Pos()), name.Name, typ)
				}
			})
		}
		for _, f := range p.code() {
			for _, use := range changes(f.ast) {
				if vars[use.Name] && known[p.dir+"."+use.Name] == "" {
					t.Errorf("%s: package variable %s is changed: state belongs to a value", at(fset, use.Pos()), use.Name)
				}
			}
		}
	}
}

// collectVars adds the package variables of f to vars and reports those whose
// type is made for change.
func collectVars(f *ast.File, vars map[string]bool, changing func(*ast.Ident, string)) {
	for _, d := range f.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, s := range gen.Specs {
			spec, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for _, name := range spec.Names {
				vars[name.Name] = name.Name != "_"
				if typ := typeName(spec.Type); strings.HasPrefix(typ, "sync.") && typ != "sync.Pool" || strings.HasPrefix(typ, "atomic.") || typ == "chan" {
					changing(name, typ)
				}
			}
		}
	}
}

func typeName(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.SelectorExpr:
		if pkg, ok := x.X.(*ast.Ident); ok {
			return pkg.Name + "." + x.Sel.Name
		}
	case *ast.IndexExpr:
		return typeName(x.X)
	case *ast.ChanType:
		return "chan"
	}
	return ""
}

// changes lists the identifiers, not local ones, that function bodies of f
// write to.
func changes(f *ast.File) []*ast.Ident {
	var out []*ast.Ident
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		own := locals(fn)
		note := func(e ast.Expr) {
			if id := target(e); id != nil && !own[id.Name] {
				out = append(out, id)
			}
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.AssignStmt:
				if x.Tok != token.DEFINE {
					for _, e := range x.Lhs {
						note(e)
					}
				}
			case *ast.IncDecStmt:
				note(x.X)
			case *ast.UnaryExpr:
				if x.Op == token.AND {
					if id, ok := x.X.(*ast.Ident); ok {
						note(id)
					}
				}
			}
			return true
		})
	}
	return out
}

// target is the variable that an assignment to e changes: x in x, x.f, x[i].
func target(e ast.Expr) *ast.Ident {
	switch x := e.(type) {
	case *ast.Ident:
		return x
	case *ast.SelectorExpr:
		return target(x.X)
	case *ast.IndexExpr:
		return target(x.X)
	case *ast.StarExpr:
		return target(x.X)
	case *ast.ParenExpr:
		return target(x.X)
	}
	return nil
}

// locals are the names that fn declares anywhere: a write to one of them is
// taken to mean the local variable.
func locals(fn *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	fields := func(list *ast.FieldList) {
		if list == nil {
			return
		}
		for _, f := range list.List {
			for _, name := range f.Names {
				names[name.Name] = true
			}
		}
	}
	fields(fn.Recv)
	ast.Inspect(fn, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.FuncType:
			fields(x.Params)
			fields(x.Results)
		case *ast.AssignStmt:
			if x.Tok == token.DEFINE {
				for _, e := range x.Lhs {
					if id, ok := e.(*ast.Ident); ok {
						names[id.Name] = true
					}
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{x.Key, x.Value} {
				if id, ok := e.(*ast.Ident); ok && x.Tok == token.DEFINE {
					names[id.Name] = true
				}
			}
		case *ast.ValueSpec:
			for _, name := range x.Names {
				names[name.Name] = true
			}
		}
		return true
	})
	return names
}
