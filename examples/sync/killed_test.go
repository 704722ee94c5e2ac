package main

import (
	"context"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// hooked is a fixture whose server calls what is stored in hook at each request, when
// its answer is known and before it is sent.
func hooked(t *testing.T, hook *atomic.Pointer[func()]) fixture {
	return newFixture(t, threeSecrets, secretsstoretest.WithRequestHook(func(secretsstoretest.Request) {
		if f := hook.Load(); f != nil {
			(*f)()
		}
	}))
}

// atRequest calls f at the nth request from now on, counted from 1.
func atRequest(hook *atomic.Pointer[func()], n int, f func()) {
	var seen atomic.Int64
	count := func() {
		if seen.Add(1) == int64(n) {
			f()
		}
	}
	hook.Store(&count)
}

// completes checks that a run finishes what another began, and leaves nothing.
func completes(t *testing.T, f fixture, want map[string]storedSecret) {
	f.mustRun(t, "-apply")
	assert.Equal(t, want, f.stored())
	assert.Contains(t, f.mustRun(t), "0 to create, 0 to patch, 3 unchanged, 1 only in the store.\nNothing to do.\n")
}

func withOnlyHere(want map[string]storedSecret) map[string]storedSecret {
	want["production/ONLY_HERE"] = storedSecret{"", "workers", "stays"}
	return want
}

// A run with every kind of work makes so many requests: stores, secrets; for A looking
// for it and making it; B; C.
const requests = 6

func TestInterruptedAtEachRequest(t *testing.T) {
	for n := 1; n <= requests; n++ {
		var hook atomic.Pointer[func()]
		f := hooked(t, &hook)
		f.seed()
		ctx, cancel := context.WithCancel(t.Context())
		atRequest(&hook, n, cancel)
		_, err := f.run(t, ctx, "-apply")
		// The last answer may have come before the end was noticed.
		if n < requests {
			require.ErrorIs(t, err, context.Canceled, "request %d", n)
		}
		hook.Store(nil)
		completes(t, f, withOnlyHere(asTheFileSays()))
	}
}

// kill starts the program in a process of its own, with values of its own, and kills it
// at the nth request, after the server has done what was asked and before it answers.
func kill(t *testing.T, f fixture, hook *atomic.Pointer[func()], n int, values map[string]string) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-file", f.file, "-apply")
	environment := f.environment()
	maps.Copy(environment, values)
	environment[asProgram] = "1"
	for name, value := range environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if root := os.Getenv("SYSTEMROOT"); root != "" {
		cmd.Env = append(cmd.Env, "SYSTEMROOT="+root)
	}
	var printed strings.Builder
	cmd.Stdout, cmd.Stderr = &printed, &printed
	started, dead := make(chan *os.Process, 1), make(chan struct{})
	atRequest(hook, n, func() {
		assert.NoError(t, (<-started).Kill())
		<-dead
	})
	require.NoError(t, cmd.Start())
	started <- cmd.Process
	err := cmd.Wait()
	close(dead)
	hook.Store(nil)
	require.Error(t, err, "request %d", n)
	assert.Equal(t, -1, cmd.ProcessState.ExitCode(), "it was killed, and did not end by itself:\n%s", printed.String())
	assert.NotContains(t, printed.String(), "plain-")
}

func TestKilledAtEachRequest(t *testing.T) {
	for n := 1; n <= requests; n++ {
		var hook atomic.Pointer[func()]
		f := hooked(t, &hook)
		f.seed()
		kill(t, f, &hook, n, nil)
		completes(t, f, withOnlyHere(asTheFileSays()))
	}
}

// The program is killed after it has written new values, and is run again with the
// old ones: what the state remembers of them must not make it believe that they are
// in the store.
func TestKilledAndRunAgainWithTheValuesOfBefore(t *testing.T) {
	for n := 1; n <= 5; n++ { // stores, secrets, A, B, C
		var hook atomic.Pointer[func()]
		f := hooked(t, &hook)
		f.seed()
		f.mustRun(t, "-apply")
		kill(t, f, &hook, n, map[string]string{"VALUE_A": "plain-x", "VALUE_B": "plain-y", "VALUE_C": "plain-z"})
		completes(t, f, withOnlyHere(asTheFileSays()))
	}
}

func TestALostAnswerToACreation(t *testing.T) {
	f := newFixture(t, threeSecrets)
	f.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpCreateSecrets, Count: 3, Drop: secretsstoretest.DropAfterRequest})
	f.mustRun(t, "-apply")
	assert.Equal(t, asTheFileSays(), f.stored())
	assert.Contains(t, f.mustRun(t), "Nothing to do.")
}

func TestARequestThatIsRefused(t *testing.T) {
	f := newFixture(t, threeSecrets)
	f.seed()
	remove := f.srv.Inject(secretsstoretest.Fault{
		Operation: secretsstoretest.OpPatchSecret,
		Status:    http.StatusForbidden, Body: secretsstoretest.ErrorBody(10000, "Authentication error"),
	})
	out, err := f.run(t, t.Context(), "-apply")
	require.ErrorIs(t, err, secretsstore.ErrForbidden)
	assert.ErrorContains(t, err, "secret B: ")
	assert.ErrorContains(t, err, "1 of 3 are done; run it again to go on")
	assert.Contains(t, out, "created A\n")
	remove()
	out = f.mustRun(t, "-apply")
	assert.Contains(t, out, "0 to create, 2 to patch, 1 unchanged, 1 only in the store.")
	assert.Equal(t, withOnlyHere(asTheFileSays()), f.stored())
}
