// Package migration tests that a program does the same before and after its migration from
// cloudflare-go.
package migration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestMigratedProgramDoesTheSame(t *testing.T) {
	before, after := filepath.Join(t.TempDir(), "before"), filepath.Join(t.TempDir(), "after")
	build(t, "-modfile="+moduleWithSmallSDK(t), "-o", before, "./testdata/before")
	build(t, "-o", after, "./after")

	wantOutput, wantSecrets := run(t, before)
	output, secrets := run(t, after)
	assert.Equal(t, wantOutput, output)
	assert.Contains(t, output, "deleting OLD_1\n")
	assert.Equal(t, wantSecrets, secrets)
	require.Len(t, secrets, 24)
	assert.Equal(t, "rotated", secrets[23].Comment)
}

func build(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("go", append([]string{"build"}, args...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// run runs a program against an emulator, with an environment that names only the emulator.
// The API fails once.
func run(t *testing.T, program string) (output string, secrets []secretsstore.Secret) {
	t.Helper()
	srv := secretsstoretest.NewServer(secretsstoretest.WithAccountID("985e105f4ecef8ad9ca31a8372d0c353"))
	defer srv.Close()
	store := srv.AddStore("production").ID
	add := func(name string) {
		srv.AddSecret(store, secretsstore.SecretCreate{Name: name, Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: secretsstore.NewSecretValue("v")})
	}
	for i := range 23 { // more than the 20 of a page
		add(fmt.Sprintf("KEY_%d", i))
	}
	add("OLD_1")
	add("OLD_2")
	srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Count: 1, Status: 503})

	cmd := exec.Command(program, store)
	cmd.Env = []string{"CLOUDFLARE_API_TOKEN=" + srv.APIToken, "CLOUDFLARE_ACCOUNT_ID=" + srv.AccountID, "CLOUDFLARE_BASE_URL=" + srv.URL}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	for _, secret := range srv.Secrets(store) {
		secret.Created, secret.Modified = time.Time{}, time.Time{}
		secrets = append(secrets, secret)
	}
	return string(out), secrets
}

const sdk = "github.com/cloudflare/cloudflare-go/v7"

// smallClient replaces the client of cloudflare-go, whose services take minutes to build.
const smallClient = `package cloudflare

import (
	"os"

	"` + sdk + `/option"
	"` + sdk + `/secrets_store"
)

type Client struct{ SecretsStore *secrets_store.SecretsStoreService }

func NewClient(opts ...option.RequestOption) *Client {
	opts = append([]option.RequestOption{option.WithBaseURL(os.Getenv("CLOUDFLARE_BASE_URL"))}, opts...)
	return &Client{secrets_store.NewSecretsStoreService(opts...)}
}
`

// moduleWithSmallSDK returns a go.mod that replaces cloudflare-go by a copy with smallClient.
func moduleWithSmallSDK(t *testing.T) (modfile string) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", sdk).Output()
	require.NoError(t, err)
	original, small := strings.TrimSpace(string(dir)), filepath.Join(t.TempDir(), "sdk")
	for _, folder := range []string{"internal", "option", "packages", "secrets_store", "shared"} {
		require.NoError(t, os.CopyFS(filepath.Join(small, folder), os.DirFS(filepath.Join(original, folder))))
	}
	for _, file := range []string{"go.mod", "aliases.go", "field.go"} {
		copyFile(t, filepath.Join(small, file), filepath.Join(original, file), "")
	}
	require.NoError(t, os.WriteFile(filepath.Join(small, "client.go"), []byte(smallClient), 0o600))

	modfile = filepath.Join(filepath.Dir(small), "go.mod")
	copyFile(t, modfile, "../go.mod", "\nreplace "+sdk+" => "+small+"\n")
	copyFile(t, filepath.Join(filepath.Dir(small), "go.sum"), "../go.sum", "")
	return modfile
}

func copyFile(t *testing.T, to, from, addition string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, append(content, addition...), 0o600))
}
