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
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var updateAPI = flag.Bool("update-api", false, "write the exported API to testdata/api.txt")

// publicPackages are those that users import.
var publicPackages = []string{".", "secretsstoretest"}

// parsePackage parses the files of a package, without its tests.
func parsePackage(t *testing.T, dir string) (*token.FileSet, *doc.Package) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if !strings.HasSuffix(path, "_test.go") {
			file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
			require.NoError(t, err)
			files = append(files, file)
		}
	}
	p, err := doc.NewFromFiles(fset, files, "github.com/seed-57d84f87/secretsstore-go/"+dir)
	require.NoError(t, err)
	return fset, p
}

// The comment of an exported name starts with the name or, for a type, with "A Name" or
// "An Name". In a group of constants or variables, a comment for the group will do.
func TestExportedNamesAreDocumented(t *testing.T) {
	for _, dir := range publicPackages {
		_, p := parsePackage(t, dir)
		assert.NotEmpty(t, p.Doc, "package %s", dir)
		check := func(name, text string) {
			sentence, _, _ := strings.Cut(text, "\n\n")
			sentence = strings.TrimSpace(sentence)
			words := strings.TrimPrefix(strings.TrimPrefix(sentence, "A "), "An ")
			assert.True(t, strings.HasPrefix(words, name+" "), "%s %s: the comment starts with %.30q", dir, name, sentence)
			assert.True(t, strings.HasSuffix(sentence, ".") || strings.HasSuffix(sentence, ":"), "%s %s: the comment is not a sentence: %q", dir, name, sentence)
		}
		checkValues := func(values []*doc.Value) {
			for _, value := range values {
				for _, spec := range value.Decl.Specs {
					spec := spec.(*ast.ValueSpec)
					for _, name := range spec.Names {
						switch {
						case !name.IsExported():
						case spec.Doc.Text() != "":
							check(name.Name, spec.Doc.Text())
						case len(value.Names) == 1:
							check(name.Name, value.Doc)
						default:
							assert.True(t, value.Doc != "" || spec.Comment.Text() != "", "%s %s has no comment", dir, name.Name)
						}
					}
				}
			}
		}
		checkFuncs := func(funcs []*doc.Func) {
			for _, f := range funcs {
				if token.IsExported(f.Name) {
					check(f.Name, f.Doc)
				}
			}
		}
		checkValues(slices.Concat(p.Consts, p.Vars))
		checkFuncs(p.Funcs)
		for _, typ := range p.Types {
			if token.IsExported(typ.Name) {
				check(typ.Name, typ.Doc)
				checkValues(slices.Concat(typ.Consts, typ.Vars))
				checkFuncs(slices.Concat(typ.Funcs, typ.Methods))
			}
		}
	}
}

// testdata/api.txt is the API that other programs compile against. After an intended change,
// run go test -run TestExportedAPI -update-api and describe it in CHANGELOG.md.
func TestExportedAPI(t *testing.T) {
	var listing bytes.Buffer
	for _, dir := range publicPackages {
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
		funcs := func(list []*doc.Func) {
			for _, f := range list {
				if token.IsExported(f.Name) {
					f.Decl.Doc, f.Decl.Body = nil, nil
					write(f.Decl)
				}
			}
		}
		for _, value := range slices.Concat(p.Consts, p.Vars) {
			decl(value.Decl)
		}
		funcs(p.Funcs)
		for _, typ := range p.Types {
			if token.IsExported(typ.Name) {
				decl(typ.Decl)
				for _, value := range slices.Concat(typ.Consts, typ.Vars) {
					decl(value.Decl)
				}
				funcs(slices.Concat(typ.Funcs, typ.Methods))
			}
		}
	}
	path := filepath.Join("testdata", "api.txt")
	if *updateAPI {
		require.NoError(t, os.WriteFile(path, listing.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, strings.Split(string(want), "\n"), strings.Split(listing.String(), "\n"))
}
