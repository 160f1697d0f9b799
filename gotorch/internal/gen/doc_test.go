package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// go doc says something of every exported name of the module; a group of constants may share what is said.
func TestEveryExportedNameIsDocumented(t *testing.T) {
	names := 0
	fset := token.NewFileSet()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "examples" || d.Name() == "internal" || d.Name() == "build") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			for _, n := range undocumented(decl, &names) {
				t.Errorf("%s: %s has no documentation", fset.Position(n.Pos()), n.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if names < 800 {
		t.Errorf("found %d exported names", names)
	}
}

// undocumented lists the exported names of a declaration that nothing is said of, and counts all of them.
func undocumented(decl ast.Decl, names *int) (missing []*ast.Ident) {
	note := func(id *ast.Ident, docs ...*ast.CommentGroup) {
		if !id.IsExported() {
			return
		}
		*names++
		for _, doc := range docs {
			if doc.Text() != "" {
				return
			}
		}
		missing = append(missing, id)
	}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) {
			note(d.Name, d.Doc)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				note(s.Name, s.Doc, d.Doc)
			case *ast.ValueSpec:
				for _, id := range s.Names {
					note(id, s.Doc, s.Comment, d.Doc)
				}
			}
		}
	}
	return missing
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
