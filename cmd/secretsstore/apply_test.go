package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// All of a large change is applied, however many windows of the rate limit that takes.
func TestChangesWaitForTheRateLimit(t *testing.T) {
	const token, account = "token-for-this-test", "account"
	t.Setenv("CLOUDFLARE_API_TOKEN", token)
	t.Setenv("CLOUDFLARE_ACCOUNT_ID", account)
	t.Setenv("CLOUDFLARE_BASE_URL", "https://secretsstore.invalid/client/v4")
	file := filepath.Join(t.TempDir(), "secrets.yaml")
	var text strings.Builder
	text.WriteString("secrets:\n")
	for i := range 150 {
		fmt.Fprintf(&text, "- {name: NEW_%d, scopes: [workers], value_from: 'random:16'}\n", i)
	}
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	for _, tt := range []struct {
		name, args string
		secrets    int
		want       string
	}{
		{name: "bulk", args: "bulk --match * --comment c --yes", secrets: 350, want: "350 of 350 done"},
		{name: "sync", args: "sync --apply --yes -f " + file, secrets: 1, want: "150 of 150 done"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener(), secretsstoretest.WithMaxSecrets(0),
					secretsstoretest.WithRateLimit(100, 5*time.Minute), secretsstoretest.WithAPIToken(token), secretsstoretest.WithAccountID(account))
				store := srv.AddStore("production").ID
				for i := range tt.secrets {
					srv.AddSecret(store, secretsstore.SecretCreate{Name: fmt.Sprintf("S%d", i), Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")})
				}
				var out bytes.Buffer
				status := run(strings.Fields(tt.args), environment{stdin: strings.NewReader(""), stdout: &out, stderr: &out, getenv: os.Getenv, isTerminal: isTerminal, transport: srv.Transport()})
				assert.Equal(t, exitDone, status, out.String())
				assert.Contains(t, out.String(), tt.want)
			})
		})
	}
}

// An error other than "not found" does not mean that there is no such store.
func TestStoreThatCannotBeRead(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	store := srv.AddStore("production")
	client := srv.Client(secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}))
	found, err := findStore(t.Context(), client, store.ID)
	require.NoError(t, err)
	assert.Equal(t, store.ID, found.ID)
	for _, name := range []string{"other", "a/b", strings.Repeat("0", 32)} {
		_, err = findStore(t.Context(), client, name)
		assert.ErrorIs(t, err, secretsstore.ErrStoreNotFound, name)
	}
	srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpGetStore, Status: http.StatusServiceUnavailable})
	_, err = findStore(t.Context(), client, store.ID)
	assert.ErrorIs(t, err, secretsstore.ErrServer)
	assert.NotErrorIs(t, err, secretsstore.ErrStoreNotFound)
}

// Reading a pipe can block.
func TestInterruptEndsReading(t *testing.T) {
	for _, args := range []string{"sync -f -", "rotate SESSION_KEY --demo --yes --new - -- true"} {
		synctest.Test(t, func(t *testing.T) {
			stdin, writer := io.Pipe()
			signals := make(chan os.Signal, 1)
			time.AfterFunc(time.Second, func() { signals <- os.Interrupt })
			var out bytes.Buffer
			status := run(strings.Fields(args), environment{stdin: stdin, stdout: &out, stderr: &out, getenv: os.Getenv, isTerminal: isTerminal, signals: signals})
			assert.Equal(t, exitInterrupted, status, out.String())
			assert.NotContains(t, out.String(), "patched")
			_ = writer.Close() // ends the goroutine that reads
		})
	}
}
