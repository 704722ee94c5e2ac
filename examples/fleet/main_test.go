package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// The workers are processes of the test's binary.
func TestMain(m *testing.M) {
	if os.Getenv(workerEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// shown is what a program writes, from several goroutines, and logs it as it comes.
type shown struct {
	mu  sync.Mutex
	log io.Writer
	b   bytes.Buffer
}

func (s *shown) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.log.Write(p)
	return s.b.Write(p)
}

func (s *shown) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func needRedis(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		const install = "redis-server is not installed (Debian: apt-get install redis-server)"
		if os.Getenv("CI") == "true" {
			t.Fatal(install)
		}
		t.Skip(install)
	}
}

// A worker is killed with SIGKILL in the middle. The minute that this takes is
// asynq's; see the program's doc.
func TestFleetPatchesAllAlthoughAWorkerIsKilled(t *testing.T) {
	needRedis(t)
	if testing.Short() {
		t.Skip("takes more than a minute")
	}
	out, errs := &shown{log: t.Output()}, &shown{log: t.Output()}
	require.NoError(t, run(t.Context(), []string{"-patches", "2000", "-workers", "4", "-kill"}, out, errs))
	assert.Contains(t, out.String(), "Killed a worker")
	assert.Contains(t, out.String(), "2000 of 2000 secrets patched")
	assert.Contains(t, out.String(), "429s seen: 0.")
}

func TestFleet(t *testing.T) {
	needRedis(t)
	out, errs := &shown{log: t.Output()}, &shown{log: t.Output()}
	require.NoError(t, run(t.Context(), []string{"-patches", "100", "-workers", "2", "-limit", "60", "-window", "2s"}, out, errs))
	assert.Contains(t, out.String(), "takes 60 requests in 2s; 36 are given out")
	assert.Contains(t, out.String(), "100 of 100 secrets patched")
	assert.Contains(t, out.String(), "429s seen: 0.")
	assert.NotContains(t, out.String(), "Killed")
}

func TestWithoutRedisItSaysHowToInstallIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := run(t.Context(), nil, io.Discard, io.Discard)
	require.ErrorContains(t, err, "redis-server is not on this machine")
	assert.ErrorContains(t, err, "apt-get install redis-server")
}

func TestFlags(t *testing.T) {
	for name, tc := range map[string]struct{ args, says string }{
		"no patches":                      {"-patches 0", "-patches"},
		"no workers":                      {"-workers 0", "-workers"},
		"a limit below what is at work":   {"-limit 40 -workers 4", "-limit"},
		"a window that headers can't say": {"-window 1500ms", "-window"},
		"an argument":                     {"now", "unexpected argument"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(strings.Fields(tc.args), io.Discard)
			require.ErrorContains(t, err, tc.says)
		})
	}
	var help bytes.Buffer
	_, err := parse([]string{"-h"}, &help)
	require.ErrorIs(t, err, flag.ErrHelp)
	assert.Contains(t, help.String(), "-kill")
}

func TestTasksHoldNoValue(t *testing.T) {
	s := newStore(plan{patches: 3, workers: 1, limit: 100, window: 1e9})
	defer s.srv.Close()
	tasks, err := json.Marshal(s.tasks)
	require.NoError(t, err)
	assert.Contains(t, string(tasks), "reviewed, number 2")
	assert.NotContains(t, string(tasks), "never-in-the-queue")
	assert.True(t, s.tasks[0].patch().Value.IsZero())
}

func TestPatchTwiceIsPatchOnce(t *testing.T) {
	s := newStore(plan{patches: 1, workers: 1, limit: 100, window: 1e9})
	defer s.srv.Close()
	payload, err := json.Marshal(s.tasks[0])
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, patch(t.Context(), s.srv.Client(), asynq.NewTask(taskType, payload)))
	}
	got := s.srv.Secrets(s.id)[0]
	assert.Equal(t, "reviewed, number 0", got.Comment)
	assert.Equal(t, []secretsstore.Scope{"ai_gateway", "workers"}, got.Scopes)
	assert.Equal(t, map[string]int{fmt.Sprintf("/client/v4/accounts/%s/secrets_store/stores/%s/secrets/%s", s.srv.AccountID, s.id, got.ID): 2}, s.patches)
}

func TestPatchGivesUpOnWhatWillNotGetBetter(t *testing.T) {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	store := srv.AddStore("s")
	for name, payload := range map[string]string{
		"a secret that is gone": fmt.Sprintf(`{"store_id":%q,"secret_id":"0","comment":"c"}`, store.ID),
		"an id that is none":    `{"store_id":"../s","secret_id":"0","comment":"c"}`,
		"no JSON":               `{`,
	} {
		t.Run(name, func(t *testing.T) {
			assert.ErrorIs(t, patch(t.Context(), srv.Client(), asynq.NewTask(taskType, []byte(payload))), asynq.SkipRetry)
		})
	}
	srv.Inject(secretsstoretest.Fault{Status: 503})
	payload := fmt.Sprintf(`{"store_id":%q,"secret_id":"0","comment":"c"}`, store.ID)
	err := patch(t.Context(), srv.Client(secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1})), asynq.NewTask(taskType, []byte(payload)))
	require.Error(t, err)
	assert.NotErrorIs(t, err, asynq.SkipRetry)
}
