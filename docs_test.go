package secretsstore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

var program = regexp.MustCompile(`^(examples|conformance/migration)/.*\.go$`)

// Each block of Go in a document is also in a file that is compiled and run: an
// Example, a test, an example program, or the program of the migration guide.
func TestDocumentsShowWhatRuns(t *testing.T) {
	var sources []string
	var documents []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != ".":
			return filepath.SkipDir
		case strings.HasSuffix(path, "_test.go"), program.MatchString(filepath.ToSlash(path)):
			b, err := os.ReadFile(path)
			sources = append(sources, unindented(string(b)))
			return err
		case strings.HasSuffix(path, ".md"):
			documents = append(documents, path)
		}
		return nil
	})
	require.NoError(t, err)
	require.Contains(t, documents, "README.md")
	for _, path := range documents {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, block := range goBlock.FindAllStringSubmatch(string(b), -1) {
			want := unindented(block[1])
			found := false
			for _, source := range sources {
				found = found || strings.Contains(source, want)
			}
			assert.True(t, found, "%s has a block that nothing runs:\n%s", path, block[1])
		}
	}
}

func unindented(source string) string {
	lines := strings.Split(source, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}

var namedTest = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")

// SECURITY.md names the tests of each promise.
func TestSecurityNamesTestsThatExist(t *testing.T) {
	b, err := os.ReadFile("SECURITY.md")
	require.NoError(t, err)
	var sources strings.Builder
	for _, pattern := range []string{"*_test.go", "internal/*/*_test.go", "conformance/*_test.go"} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range paths {
			source, err := os.ReadFile(path)
			require.NoError(t, err)
			sources.Write(source)
		}
	}
	names := namedTest.FindAllStringSubmatch(string(b), -1)
	require.NotEmpty(t, names)
	for _, name := range names {
		assert.True(t, strings.Contains(sources.String(), "\nfunc "+name[1]+"("), "SECURITY.md names %s, which does not exist", name[1])
	}
}
