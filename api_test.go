package secretsstore_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var updateAPI = flag.Bool("update-api", false, "write the exported API to testdata/api.txt")

// packages are those that users import.
var packages = []string{".", "secretsstoretest"}

// parsePackage reads a package's files, without its tests.
func parsePackage(t *testing.T, dir string) (*token.FileSet, *doc.Package) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(fset, files, "github.com/seed-57d84f87/secretsstore-go/"+dir)
	require.NoError(t, err)
	return fset, p
}

// values are the exported constants and variables of a package or of a type.
func values(p *doc.Package, t *doc.Type) []*doc.Value {
	if t != nil {
		return append(append([]*doc.Value{}, t.Consts...), t.Vars...)
	}
	return append(append([]*doc.Value{}, p.Consts...), p.Vars...)
}

// Every exported name has a comment that starts with the name; in a group of
// constants or variables one for the group or for each will do.
func TestExportedNamesAreDocumented(t *testing.T) {
	for _, dir := range packages {
		_, p := parsePackage(t, dir)
		assert.NotEmpty(t, p.Doc, "package %s", dir)
		check := func(name, text string) {
			first, _, _ := strings.Cut(text, "\n\n")
			first = strings.TrimSpace(first)
			last := name[strings.LastIndex(name, ".")+1:]
			assert.True(t, strings.HasPrefix(first, last+" ") || strings.HasPrefix(first, last+":") || strings.HasPrefix(first, last+"("), "%s %s: the comment starts with %.30q", dir, name, first)
			assert.True(t, strings.HasSuffix(first, ".") || strings.HasSuffix(first, ":"), "%s %s: the comment is no whole sentence: %q", dir, name, first)
		}
		checkValues := func(vs []*doc.Value) {
			for _, v := range vs {
				for _, spec := range v.Decl.Specs {
					spec := spec.(*ast.ValueSpec)
					for _, name := range spec.Names {
						if !name.IsExported() {
							continue
						}
						switch {
						case spec.Doc.Text() != "":
							check(name.Name, spec.Doc.Text())
						case len(v.Names) == 1:
							check(name.Name, v.Doc)
						default:
							assert.True(t, v.Doc != "" || spec.Comment.Text() != "", "%s %s has no comment", dir, name.Name)
						}
					}
				}
			}
		}
		checkFuncs := func(prefix string, funcs []*doc.Func) {
			for _, f := range funcs {
				if token.IsExported(f.Name) {
					check(prefix+f.Name, f.Doc)
				}
			}
		}
		checkValues(values(p, nil))
		checkFuncs("", p.Funcs)
		for _, typ := range p.Types {
			if !token.IsExported(typ.Name) {
				continue
			}
			check(typ.Name, typ.Doc)
			checkValues(values(p, typ))
			checkFuncs("", typ.Funcs)
			checkFuncs(typ.Name+".", typ.Methods)
		}
	}
}

// The exported API changes only on purpose: testdata/api.txt is the one that other
// programs compile against. After a change that is meant, run
// go test -run TestExportedAPI -update-api, and say it in CHANGELOG.md.
func TestExportedAPI(t *testing.T) {
	var listing bytes.Buffer
	for _, dir := range packages {
		fset, p := parsePackage(t, dir)
		listing.WriteString("package " + p.Name + "\n")
		write := func(node any) {
			var b bytes.Buffer
			require.NoError(t, format.Node(&b, fset, node))
			for line := range strings.Lines(b.String()) {
				if strings.TrimSpace(line) != "" {
					listing.WriteString("\t" + strings.TrimSuffix(line, "\n") + "\n")
				}
			}
		}
		decl := func(d *ast.GenDecl) {
			d.Doc = nil
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Field:
					n.Doc, n.Comment = nil, nil
				case *ast.ValueSpec:
					n.Doc, n.Comment = nil, nil
				}
				return true
			})
			write(d)
		}
		funcs := func(fs []*doc.Func) {
			for _, f := range fs {
				if token.IsExported(f.Name) {
					f.Decl.Doc, f.Decl.Body = nil, nil
					write(f.Decl)
				}
			}
		}
		for _, v := range values(p, nil) {
			decl(v.Decl)
		}
		funcs(p.Funcs)
		for _, typ := range p.Types {
			if !token.IsExported(typ.Name) {
				continue
			}
			decl(typ.Decl)
			for _, v := range values(p, typ) {
				decl(v.Decl)
			}
			funcs(typ.Funcs)
			funcs(typ.Methods)
		}
	}
	path := filepath.Join("testdata", "api.txt")
	if *updateAPI {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, listing.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, strings.Split(string(want), "\n"), strings.Split(listing.String(), "\n"))
}
