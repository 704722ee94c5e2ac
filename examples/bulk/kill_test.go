package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

var seed = flag.Uint64("seed", 0, "of the points where the kill test kills; 0 is another one each time")

// front is where one run of the program reaches the emulator: it tells apart what
// each run has patched, and kills the run at one of its patches.
type front struct {
	*httptest.Server
	kill *killPoint // nil: never

	mu       sync.Mutex
	patched  map[string]int // by secret
	requests int            // PATCH
}

// killPoint is when a run is killed.
type killPoint struct {
	patch   int  // at its so many-th patch
	applied bool // after it was done, before it is answered; otherwise before it is done
	process chan *os.Process
}

func (k *killPoint) String() string {
	if k.applied {
		return fmt.Sprintf("patch %d, done and not answered", k.patch)
	}
	return fmt.Sprintf("patch %d, not done", k.patch)
}

func newFront(emulator http.Handler, kill *killPoint) *front {
	f := &front{kill: kill, patched: map[string]int{}}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPatch {
			emulator.ServeHTTP(w, r)
			return
		}
		f.mu.Lock()
		f.requests++
		last := f.kill != nil && f.requests == f.kill.patch
		f.mu.Unlock()
		if last && !f.kill.applied {
			_ = (<-f.kill.process).Kill()
			panic(http.ErrAbortHandler)
		}
		// The emulator gives no answer to a caller that has gone, also where it has done
		// what was asked; here it has to be counted.
		answer := httptest.NewRecorder()
		emulator.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
		if answer.Code == http.StatusOK {
			f.mu.Lock()
			f.patched[path.Base(r.URL.Path)]++
			f.mu.Unlock()
		}
		if last {
			_ = (<-f.kill.process).Kill()
			panic(http.ErrAbortHandler)
		}
		for key, values := range answer.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	return f
}

// A run over 5,000 secrets is killed at three points and gone on with: each secret is
// patched in the end, and none that the journal had as done is patched again.
func TestKilledRunsGoOn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGKILL")
	}
	const secrets = 5_000
	from := cmp.Or(*seed, uint64(time.Now().UnixNano()))
	random := rand.New(rand.NewPCG(from, 0))
	const kills = 3
	var points []*killPoint
	for range kills {
		// All of them fit in before the last secret.
		points = append(points, &killPoint{patch: 1 + random.IntN(secrets/kills-100), applied: random.IntN(2) == 0, process: make(chan *os.Process, 1)})
	}
	t.Logf("seed %d: kills at %v", from, points)

	program := filepath.Join(t.TempDir(), "bulk")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", built)

	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener(), secretsstoretest.WithMaxSecrets(0))
	defer srv.Close()
	store := srv.AddStore("s").ID
	for i := range secrets {
		srv.AddSecret(store, secretsstore.SecretCreate{Name: fmt.Sprintf("N_%04d", i), Scopes: scopes("workers"), Value: secretsstore.NewSecretValue("v")})
	}

	journal := filepath.Join(t.TempDir(), "j")
	doneBefore := map[string]bool{}                   // what the journal had as done when the run began
	patched := map[string]int{}                       // by all runs
	others, theirs := srv.Client(), map[string]bool{} // what somebody else changed, after it was done
	const byOthers = "by somebody else"
	for n := range kills + 1 {
		var kill *killPoint
		if n < kills {
			kill = points[n]
		}
		f := newFront(srv.Handler(), kill)
		args := []string{"-store", store, "-name", "N_*", "-add-scope", "access", "-comment", "by bulk", "-yes", "-journal", journal}
		if n > 0 {
			args = []string{"-resume", journal, "-yes"}
		}
		var out bytes.Buffer
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Stdout, cmd.Stderr = &out, &out
		cmd.Env = environ(map[string]string{
			"CLOUDFLARE_API_TOKEN": srv.APIToken, "CLOUDFLARE_ACCOUNT_ID": srv.AccountID,
			"CLOUDFLARE_BASE_URL": f.URL + "/client/v4",
		})
		require.NoError(t, cmd.Start())
		if kill != nil {
			kill.process <- cmd.Process
		}
		err := cmd.Wait()
		f.Close() // waits for the requests that the run left behind

		if kill != nil {
			require.Error(t, err, "the run is over before patch %d: %s", kill.patch, &out)
			require.Equal(t, -1, cmd.ProcessState.ExitCode(), "it was killed: %s", &out)
		} else {
			require.NoError(t, err, "%s", &out)
			assert.Regexp(t, `(?m)^Not reached: +0$`, out.String())
		}
		for id, times := range f.patched {
			assert.False(t, doneBefore[id], "run %d patched %s again, which the journal had as done", n+1, id)
			assert.Equal(t, 1, times, "run %d patched %s more than once", n+1, id)
			patched[id] += times
		}
		done, failed := journaled(t, journal)
		assert.Empty(t, failed)
		for id := range doneBefore {
			assert.True(t, done[id], "the journal has forgotten %s", id)
		}
		for id := range done {
			assert.Positive(t, patched[id], "the journal has %s as done, which nobody patched", id)
		}
		switch {
		case kill != nil:
			t.Logf("run %d: killed at %v: it patched %d; the journal had %d as done, now %d; of all that are patched it lacks %d",
				n+1, kill, len(f.patched), len(doneBefore), len(done), len(patched)-len(done))
		default:
			t.Logf("run %d: ended by itself: it patched %d; the journal had %d as done, now %d", n+1, len(f.patched), len(doneBefore), len(done))
			assert.Equal(t, secrets, len(done))
		}
		doneBefore = done

		// Somebody else changes some of what is done. A run that went by what the store
		// has, and not by its journal, would change it back.
		if kill != nil {
			ids := slices.Sorted(maps.Keys(done))
			for _, i := range random.Perm(len(ids))[:min(50, len(ids))] {
				_, _, err := others.Secrets.Patch(t.Context(), store, ids[i], secretsstore.SecretPatch{Comment: secretsstore.Ptr(byOthers)})
				require.NoError(t, err)
				theirs[ids[i]] = true
			}
		}
	}

	again := 0
	for _, times := range patched {
		again += times - 1
	}
	t.Logf("%d secrets patched, %d of them twice; %d that others changed after they were done are left as they were", len(patched), again, len(theirs))
	assert.Equal(t, secrets, len(patched))
	for _, secret := range srv.Secrets(store) {
		want := "by bulk"
		if theirs[secret.ID] {
			want = byOthers
		}
		if !slices.Equal(secret.Scopes, scopes("access workers")) || secret.Comment != want {
			t.Errorf("%s is left as %v %q", secret.Name, secret.Scopes, secret.Comment)
		}
	}
}

// environ is the environment with nothing of Cloudflare's but what is set.
func environ(set map[string]string) []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "CLOUDFLARE_") })
	for key, value := range set {
		env = append(env, key+"="+value)
	}
	return env
}
