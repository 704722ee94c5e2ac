package migration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	theirModule = "github.com/cloudflare/cloudflare-go/v7"
	before      = "./testdata/before"
)

// Their root package has all services of the API, and its build takes minutes. So it is
// built from a copy of their module with one of the services left, which is otherwise as
// it is; and what imports it is below testdata, where "./..." does not find it.

// needed are the folders of their module that the Secrets Store needs.
var needed = []string{
	"internal/apierror", "internal/apiform", "internal/apijson", "internal/apiquery", "internal/param",
	"internal/requestconfig", "option", "packages/pagination", "secrets_store", "shared",
}

// goWithLittle returns go's command that builds with such a copy.
func goWithLittle(t *testing.T, verb string, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", theirModule).Output()
	require.NoError(t, err)
	theirs, little := strings.TrimSpace(string(dir)), filepath.Join(t.TempDir(), "little")
	for _, folder := range append([]string{".", "internal"}, needed...) {
		entries, err := os.ReadDir(filepath.Join(theirs, folder))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(little, folder), 0o700))
		for _, entry := range entries {
			if name := entry.Name(); !entry.IsDir() && !strings.HasSuffix(name, "_test.go") && (strings.HasSuffix(name, ".go") || name == "go.mod") {
				b, err := os.ReadFile(filepath.Join(theirs, folder, name))
				require.NoError(t, err)
				if folder == "." && name == "client.go" {
					b = []byte(withoutOtherServices(string(b)))
				}
				require.NoError(t, os.WriteFile(filepath.Join(little, folder, name), b, 0o600))
			}
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		if name == "go.mod" {
			b = fmt.Appendf(b, "\nreplace %s => %s\n", theirModule, little)
		}
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(little), name), b, 0o600))
	}
	return exec.Command("go", append([]string{verb, "-trimpath", "-modfile=" + filepath.Join(filepath.Dir(little), "go.mod")}, args...)...)
}

// withoutOtherServices leaves the lines of their client.go that are about another
// service away.
func withoutOtherServices(source string) string {
	other := []string{}
	for _, imported := range regexp.MustCompile(`"`+theirModule+`/(\w+)"`).FindAllStringSubmatch(source, -1) {
		if !slices.Contains(needed, imported[1]) {
			other = append(other, imported[1])
		}
	}
	about := regexp.MustCompile(`"` + theirModule + `/(?:` + strings.Join(other, "|") + `)"|\*?\b(?:` + strings.Join(other, "|") + `)\.(?:New)?\w+Service\b`)
	return strings.Join(slices.DeleteFunc(strings.Split(source, "\n"), about.MatchString), "\n")
}

// The blocks of the guide that show cloudflare-go do what the guide says they do.
func TestWhatTheGuideSaysOfCloudflareGo(t *testing.T) {
	out, err := goWithLittle(t, "test", "-vet=all", "-count=1", "-v", before).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
