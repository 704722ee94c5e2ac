package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// TestKilledBulkIsCompletedByRunningItAgain patches 5,000 secrets in three runs, the first
// two of which are killed. The rate limit is Cloudflare's, with a shorter window.
func TestKilledBulkIsCompletedByRunningItAgain(t *testing.T) {
	const secrets = 5_000
	var mu sync.Mutex
	var process *os.Process
	patched, limited, total := map[string]int{}, 0, 0
	srv := secretsstoretest.NewServer(secretsstoretest.WithMaxSecrets(0), secretsstoretest.WithRateLimit(1_200, 2*time.Second),
		secretsstoretest.WithRequestHook(func(r secretsstoretest.Request) {
			mu.Lock()
			defer mu.Unlock()
			if r.Status == http.StatusTooManyRequests {
				limited++
			}
			if r.Method == http.MethodPatch && r.Status == http.StatusOK {
				patched[r.Path+" "+r.Body]++
				if total++; total == 1_500 || total == 3_100 {
					assert.NoError(t, process.Kill())
				}
			}
		}))
	defer srv.Close()
	store := srv.AddStore("production").ID
	for i := range secrets {
		srv.AddSecret(store, secretsstore.SecretCreate{Name: fmt.Sprintf("S%04d", i), Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")})
	}
	started := time.Now()
	for n := 1; n <= 3; n++ {
		cmd := exec.CommandContext(t.Context(), "secretsstore", "bulk", "--match", "*", "--add-scope", "access", "--comment", "by bulk", "--yes")
		cmd.Env = append(os.Environ(), "CLOUDFLARE_API_TOKEN="+srv.APIToken, "CLOUDFLARE_ACCOUNT_ID="+srv.AccountID, "CLOUDFLARE_BASE_URL="+srv.URL)
		mu.Lock()
		require.NoError(t, cmd.Start())
		process = cmd.Process
		mu.Unlock()
		assert.Equal(t, n == 3, cmd.Wait() == nil)
		mu.Lock()
		t.Logf("run %d: %v; %d of %d patched after %v, %d responses with status 429", n, cmd.ProcessState, total, secrets, time.Since(started).Round(time.Second), limited)
		mu.Unlock()
	}
	assert.Len(t, patched, secrets)
	for request, times := range patched {
		assert.Equal(t, 1, times, request)
	}
	for _, s := range srv.Secrets(store) {
		assert.Equal(t, "by bulk access,workers", s.Comment+" "+joinScopes(s.Scopes))
	}
}

func TestPatchOfAnOldStateKeepsWhatOthersChanged(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{Name: "A", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")})
	changes, _, _ := (&bulk{match: "*", add: []string{"access"}}).changes([]*secretsstore.Secret{secret})
	_, _, err := srv.Client().Secrets.Patch(t.Context(), store.ID, secret.ID, secretsstore.SecretPatch{Scopes: []secretsstore.Scope{"workers", "dex"}})
	assert.NoError(t, err)
	p := &patcher{client: srv.Client(), store: store.ID, read: time.Now(), progress: new(progress)}
	assert.NoError(t, p.apply(t.Context(), t.Context(), changes))
	assert.Equal(t, "access,dex,workers", joinScopes(srv.Secrets(store.ID)[0].Scopes))
}
