// Package migration has a program as it was written with cloudflare-go, in
// testdata/before, and as the guide in docs/migrating-from-cloudflare-go.md moves it
// over, in after; and the guide's blocks of Go.
package migration

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// world is an emulator in which the same calls have the same results each time.
func world(t *testing.T) (srv *secretsstoretest.Server, storeID string) {
	t.Helper()
	srv = secretsstoretest.NewServer(
		secretsstoretest.WithAccountID("985e105f4ecef8ad9ca31a8372d0c353"), secretsstoretest.WithAPIToken("token-of-the-world"),
		secretsstoretest.WithPendingFor(time.Hour),
	)
	t.Cleanup(srv.Close)
	storeID = srv.AddStore("production").ID
	for i := range 53 { // more than a page, whatever its size
		name := fmt.Sprintf("KEPT_%02d", i)
		if i%10 == 3 {
			name = fmt.Sprintf("OLD_%02d", i)
		}
		srv.AddSecret(storeID, secretsstore.SecretCreate{
			Name: name, Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: secretsstore.NewSecretValue("value of " + name),
		})
	}
	return srv, storeID
}

// stored is a secret with its value, which the API does not tell.
type stored struct {
	secretsstore.Secret
	Value string
}

func state(srv *secretsstoretest.Server, storeID string) (all []stored) {
	for _, secret := range srv.Secrets(storeID) {
		value, _ := srv.Value(storeID, secret.ID)
		secret.Created, secret.Modified = time.Time{}, time.Time{} // of the real clock
		all = append(all, stored{secret, value})
	}
	return all
}

// run runs a program with nothing in its environment but what names the emulator.
func run(t *testing.T, program string, srv *secretsstoretest.Server, storeID string) (output string, exit int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, storeID)
	cmd.Env = []string{
		"CLOUDFLARE_API_TOKEN=" + srv.APIToken, "CLOUDFLARE_ACCOUNT_ID=" + srv.AccountID, "CLOUDFLARE_BASE_URL=" + srv.URL,
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var exited *exec.ExitError
	if !errors.As(err, &exited) {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// The program that was moved over prints the same, and leaves the store the same.
func TestMovedOverByTheGuide(t *testing.T) {
	theirs, ours := filepath.Join(t.TempDir(), "before"), filepath.Join(t.TempDir(), "after")
	out, err := goWithLittle(t, "build", "-o", theirs, before).CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command("go", "build", "-o", ours, "./after").CombinedOutput()
	require.NoError(t, err, "%s", out)

	for name, prepare := range map[string]func(srv *secretsstoretest.Server, storeID string){
		"from the start": func(*secretsstoretest.Server, string) {},
		"where its secrets are there already": func(srv *secretsstoretest.Server, storeID string) {
			for _, name := range []string{"BILLING_KEY", "SEARCH_KEY"} {
				srv.AddSecret(storeID, secretsstore.SecretCreate{
					Name: name, Scopes: []secretsstore.Scope{secretsstore.ScopeDEX}, Value: secretsstore.NewSecretValue("old"),
				})
			}
		},
		"where the API fails once for each operation": func(srv *secretsstoretest.Server, _ string) {
			for _, op := range []secretsstoretest.Operation{
				secretsstoretest.OpGetQuota, secretsstoretest.OpCreateSecrets, secretsstoretest.OpListSecrets,
				secretsstoretest.OpPatchSecret, secretsstoretest.OpGetSecret, secretsstoretest.OpDeleteSecrets,
			} {
				srv.Inject(secretsstoretest.Fault{Operation: op, Count: 1, Status: 503, Header: http.Header{"Retry-After": {"0"}}})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			type result struct {
				output string
				exit   int
				state  []stored
			}
			of := func(program string) result {
				srv, storeID := world(t)
				prepare(srv, storeID)
				output, exit := run(t, program, srv, storeID)
				require.True(t, slices.ContainsFunc(srv.Requests(), func(r secretsstoretest.Request) bool {
					return r.Operation == secretsstoretest.OpPatchSecret && r.Header.Get("X-Change") == "4711"
				}), output)
				return result{output, exit, state(srv, storeID)}
			}
			before, after := of(theirs), of(ours)
			assert.Equal(t, before, after)
			assert.Zero(t, after.exit, after.output)

			names := map[string]stored{}
			for _, secret := range after.state {
				names[secret.Name] = secret
			}
			assert.Len(t, names, 53-5+2)
			assert.NotContains(t, names, "OLD_03")
			billing := names["BILLING_KEY"]
			assert.Equal(t, "another value", billing.Value)
			assert.Empty(t, billing.Comment)
			assert.Equal(t, []secretsstore.Scope{secretsstore.ScopeAccess, secretsstore.ScopeWorkers}, billing.Scopes)
		})
	}
}
