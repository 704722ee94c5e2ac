package secretsstore_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"path"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// patchesOf returns n patches, of the secrets 0 to n-1.
func patchesOf(n int) iter.Seq[secretsstore.PatchItem] {
	return func(yield func(secretsstore.PatchItem) bool) {
		for i := range n {
			if !yield(secretsstore.PatchItem{StoreID: storeID, SecretID: strconv.Itoa(i), Patch: commentPatch}) {
				return
			}
		}
	}
}

// counted counts the items that are read from seq.
func counted(seq iter.Seq[secretsstore.PatchItem], n *atomic.Int32) iter.Seq[secretsstore.PatchItem] {
	return func(yield func(secretsstore.PatchItem) bool) {
		for item := range seq {
			n.Add(1)
			if !yield(item) {
				return
			}
		}
	}
}

// A slowAPI responds to a patch after the time that latency returns for its secret, 1 s by
// default, with the status that status returns, 200 by default.
type slowAPI struct {
	latency             func(secret int) time.Duration
	status              func(secret int) int
	sent, inFlight, max atomic.Int32
}

func (a *slowAPI) RoundTrip(req *http.Request) (*http.Response, error) {
	secret, _ := strconv.Atoi(path.Base(req.URL.Path))
	a.sent.Add(1)
	now := a.inFlight.Add(1)
	defer a.inFlight.Add(-1)
	for most := a.max.Load(); now > most && !a.max.CompareAndSwap(most, now); most = a.max.Load() {
	}
	latency := time.Second
	if a.latency != nil {
		latency = a.latency(secret)
	}
	select {
	case <-time.After(latency):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if a.status != nil {
		if status := a.status(secret); status != 200 {
			return response(status, failure(1001, "some_error"))(), nil
		}
	}
	return response(200, secretBody)(), nil
}

func TestPatchEach(t *testing.T) {
	api := respondWith(response(200, secretBody))
	patches := []secretsstore.PatchItem{
		{StoreID: "s1", SecretID: "a", Patch: secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")}},
		{StoreID: "s2", SecretID: "b", Patch: secretsstore.SecretPatch{Value: secretsstore.NewSecretValue("v")}, AccountID: "other"},
		{StoreID: "s3", SecretID: "c", Patch: secretsstore.SecretPatch{}}, // invalid
	}
	sequence := func(yield func(secretsstore.PatchItem) bool) {
		for _, item := range patches {
			if !yield(item) {
				return
			}
		}
	}
	var results []secretsstore.PatchResult

	for result := range newClient(t, api).Secrets.PatchEach(t.Context(), sequence, &secretsstore.PatchEachOptions{Concurrency: 1}, secretsstore.WithAccountID("all")) {
		results = append(results, result)
	}

	assert.Equal(t, []string{
		"PATCH " + baseURL + `/accounts/all/secrets_store/stores/s1/secrets/a {"comment":"c"}`,
		"PATCH " + baseURL + `/accounts/other/secrets_store/stores/s2/secrets/b {"value":"v"}`,
	}, api.sent())
	require.Len(t, results, 3)
	for i, result := range results {
		assert.Equal(t, i, result.Index)
		assert.Equal(t, patches[i], result.Item)
		assert.Equal(t, i < 2, result.Err == nil)
		assert.Equal(t, i < 2, result.Secret != nil)
		assert.Equal(t, i < 2, result.Response != nil)
	}
	assert.ErrorIs(t, results[2].Err, secretsstore.ErrInvalidArgument)
}

func TestPatchEachYieldsInCompletionOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		latencies := []time.Duration{5 * time.Second, 3 * time.Second, time.Second, 2 * time.Second}
		api := &slowAPI{latency: func(secret int) time.Duration { return latencies[secret] }}
		var order []int
		for result := range newClient(t, api).Secrets.PatchEach(t.Context(), patchesOf(4), nil) {
			assert.Equal(t, strconv.Itoa(result.Index), result.Item.SecretID)
			order = append(order, result.Index)
		}
		assert.Equal(t, []int{2, 3, 1, 0}, order)
	})
}

func TestPatchEachReadsLazily(t *testing.T) {
	for _, tt := range []struct{ concurrency, want int }{{0, 8}, {1, 1}, {3, 3}, {64, 64}, {1000, 100}} {
		t.Run(fmt.Sprint(tt.concurrency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := new(slowAPI)
				var read atomic.Int32
				seen := map[int]bool{}
				for result := range newClient(t, api).Secrets.PatchEach(t.Context(), counted(patchesOf(100), &read), &secretsstore.PatchEachOptions{Concurrency: tt.concurrency}) {
					require.NoError(t, result.Err)
					require.False(t, seen[result.Index])
					seen[result.Index] = true
					synctest.Wait()
					require.LessOrEqual(t, int(read.Load()), len(seen)+tt.want, "reads no more than it sends")
				}
				assert.Len(t, seen, 100)
				assert.EqualValues(t, tt.want, api.max.Load())
			})
		})
	}
}

func TestPatchEachCopiesItemsOnIntake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := respondWith(response(503, "", "Retry-After: 1"), response(200, secretBody))
		comment, scopes := "first", []secretsstore.Scope{"first"}
		sequence := func(yield func(secretsstore.PatchItem) bool) {
			yield(secretsstore.PatchItem{StoreID: storeID, SecretID: secretID, Patch: secretsstore.SecretPatch{Comment: &comment, Scopes: scopes}})
			comment, scopes[0] = "reused", "reused"
		}
		for result := range newClient(t, api).Secrets.PatchEach(t.Context(), sequence, nil) {
			require.NoError(t, result.Err)
			assert.Equal(t, "first", *result.Item.Patch.Comment)
			assert.Equal(t, []secretsstore.Scope{"first"}, result.Item.Patch.Scopes)
		}
		want := "PATCH " + secretURL + ` {"comment":"first","scopes":["first"]}`
		assert.Equal(t, []string{want, want}, api.sent())
	})
}

func TestPatchEachYieldsWhileTheSequenceBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sequence := func(yield func(secretsstore.PatchItem) bool) {
			if patchesOf(3)(yield); true {
				time.Sleep(time.Hour) // the producer has nothing to do yet
				patchesOf(1)(yield)
			}
		}
		started := time.Now()
		var after []time.Duration
		for range newClient(t, new(slowAPI)).Secrets.PatchEach(t.Context(), sequence, nil) {
			after = append(after, time.Since(started))
		}
		assert.Equal(t, []time.Duration{time.Second, time.Second, time.Second, time.Hour + time.Second}, after)
	})
}

func TestPatchEachStopsReadingWhenCredentialsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status func(secret int) int
		want   int // results
	}{
		{name: "all are refused", status: func(int) int { return 401 }, want: 2},
		{name: "one is refused", status: func(secret int) int { return map[bool]int{true: 401, false: 200}[secret == 3] }, want: 50},
		{name: "every other is refused", status: func(secret int) int { return []int{401, 200}[secret%2] }, want: 50},
		{name: "other errors do not count as a success", status: func(secret int) int { return []int{401, 404, 401, 200}[secret%4] }, want: 3},
		{name: "all are forbidden", status: func(int) int { return 403 }, want: 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := newClient(t, &slowAPI{status: tt.status, latency: func(int) time.Duration { return 0 }})
			results := 0
			for range client.Secrets.PatchEach(t.Context(), patchesOf(50), &secretsstore.PatchEachOptions{Concurrency: 1}) {
				results++
			}
			assert.Equal(t, tt.want, results)
		})
	}
	t.Run("those in flight return their results", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			api := &slowAPI{
				latency: func(secret int) time.Duration { return time.Duration(secret+1) * time.Second },
				status:  func(secret int) int { return map[bool]int{true: 401, false: 200}[secret < 2] },
			}
			patched, refused := 0, 0
			for result := range newClient(t, api).Secrets.PatchEach(t.Context(), patchesOf(50), nil) {
				if result.Err == nil {
					patched++
				} else if assert.ErrorIs(t, result.Err, secretsstore.ErrUnauthorized) {
					refused++
				}
			}
			assert.Equal(t, 2, refused)
			assert.Equal(t, 7, patched, "six in flight, and the one read after the first refusal")
		})
	})
}

// In a bubble of synctest, a goroutine that is left over fails the test.
func TestPatchEachEnds(t *testing.T) {
	t.Run("when the context ends, with a result for each item", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			defer cancel()
			var read atomic.Int32
			patched, aborted := 0, 0
			for result := range newClient(t, new(slowAPI)).Secrets.PatchEach(ctx, counted(patchesOf(1_000_000), &read), nil) {
				if result.Err == nil {
					patched++
					continue
				}
				assert.ErrorIs(t, result.Err, context.DeadlineExceeded)
				assert.ErrorIs(t, result.Err, secretsstore.ErrOutcomeUnknown)
				aborted++
			}
			assert.Equal(t, []int{16, 8, 24}, []int{patched, aborted, int(read.Load())})
		})
	})
	t.Run("gracefully at the end of the sequence", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			started := time.Now()
			sequence := func(yield func(secretsstore.PatchItem) bool) {
				for item := range patchesOf(1_000_000) {
					if time.Since(started) > 0 || !yield(item) {
						return
					}
				}
			}
			api := &slowAPI{latency: func(secret int) time.Duration { return time.Duration(secret+1) * time.Second }}
			results := 0
			for result := range newClient(t, api).Secrets.PatchEach(t.Context(), sequence, nil) {
				require.NoError(t, result.Err)
				results++
			}
			assert.Equal(t, 8, results)
			assert.Equal(t, 8*time.Second, time.Since(started))
		})
	})
	t.Run("when the loop breaks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			api := &slowAPI{latency: func(secret int) time.Duration { return time.Duration(secret+1) * time.Second }}
			started := time.Now()
			var stopped bool
			sequence := func(yield func(secretsstore.PatchItem) bool) {
				defer func() { stopped = true }()
				patchesOf(1_000_000)(yield)
			}
			for range newClient(t, api).Secrets.PatchEach(t.Context(), sequence, nil) {
				break
			}
			assert.Equal(t, time.Second, time.Since(started), "patches in flight are canceled")
			assert.Zero(t, api.inFlight.Load(), "and waited for")
			assert.True(t, stopped)
		})
	})
	t.Run("when the loop panics", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			assert.PanicsWithValue(t, "in the loop", func() {
				for range newClient(t, new(slowAPI)).Secrets.PatchEach(t.Context(), patchesOf(100), nil) {
					panic("in the loop")
				}
			})
		})
	})
}

// userCode returns options that call f in every kind of code of a user's.
func userCode(api http.RoundTripper, f func()) map[string][]secretsstore.Option {
	return map[string][]secretsstore.Option{
		"a call hook":    {secretsstore.WithHooks(secretsstore.Hooks{CallStart: func(context.Context, secretsstore.CallStart) context.Context { f(); return nil }})},
		"a done hook":    {secretsstore.WithHooks(secretsstore.Hooks{AttemptDone: func(context.Context, secretsstore.AttemptDone) { f() }})},
		"a limiter":      {secretsstore.WithLimiter(limiterFunc(func(context.Context) error { f(); return nil }))},
		"a token source": {secretsstore.WithTokenSource(secretsstore.TokenSourceFunc(func(context.Context) (string, error) { f(); return apiToken, nil }))},
		"a transport": {secretsstore.WithHTTPClient(&http.Client{Transport: &fakeAPI{respond: func(req *http.Request) (*http.Response, error) {
			f()
			return api.RoundTrip(req)
		}}})},
		"OnResponse": {secretsstore.OnResponse(func(*secretsstore.Response) { f() })},
	}
}

func TestPatchEachPanicsInTheCallersGoroutine(t *testing.T) {
	// run expects a panic in the loop, or a runtime.Goexit.
	run := func(t *testing.T, opts []secretsstore.Option, patches iter.Seq[secretsstore.PatchItem], panics bool) {
		synctest.Test(t, func(t *testing.T) {
			api := new(slowAPI)
			client := newClient(t, api, opts...)
			var recovered any
			returned := false
			var caller sync.WaitGroup
			caller.Go(func() {
				defer func() { recovered = recover() }()
				for range client.Secrets.PatchEach(t.Context(), patches, nil) {
				}
				returned = true
			})
			caller.Wait()
			assert.False(t, returned)
			assert.Equal(t, panics, recovered == "boom", recovered)
			assert.Zero(t, api.inFlight.Load())
		})
	}
	boom := func() { panic("boom") }
	for name := range userCode(nil, nil) {
		var calls atomic.Int32
		fifth := func(f func()) func() {
			return func() {
				if calls.Add(1) == 5 {
					f()
				}
			}
		}
		t.Run(name, func(t *testing.T) { run(t, userCode(new(slowAPI), fifth(boom))[name], patchesOf(100), true) })
		calls.Store(0)
		t.Run(name+", Goexit", func(t *testing.T) { run(t, userCode(new(slowAPI), fifth(runtime.Goexit))[name], patchesOf(100), false) })
	}
	sequence := func(f func()) iter.Seq[secretsstore.PatchItem] {
		return func(yield func(secretsstore.PatchItem) bool) { patchesOf(3)(yield); f() }
	}
	t.Run("the sequence", func(t *testing.T) { run(t, nil, sequence(boom), true) })
	t.Run("the sequence, Goexit", func(t *testing.T) { run(t, nil, sequence(runtime.Goexit), false) })
}

func TestPatchEachOfALockedThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	results := 0
	for result := range newClient(t, respondWith(response(200, secretBody))).Secrets.PatchEach(t.Context(), patchesOf(20), nil) {
		require.NoError(t, result.Err)
		results++
	}
	assert.Equal(t, 20, results)
}

func TestPatchEachInvalidArguments(t *testing.T) {
	api := respondWith(response(200, secretBody))
	c := newClient(t, api).Secrets
	var none context.Context
	for _, tt := range []struct {
		want string
		seq  iter.Seq[secretsstore.PatchResult]
	}{
		{want: "invalid context: must not be nil", seq: c.PatchEach(none, patchesOf(1), nil)},
		{want: "invalid patches: must not be nil", seq: c.PatchEach(t.Context(), nil, nil)},
		{want: "invalid concurrency: must not be negative", seq: c.PatchEach(t.Context(), patchesOf(1), &secretsstore.PatchEachOptions{Concurrency: -1})},
		{want: "invalid account_id: must not be empty", seq: c.PatchEach(t.Context(), patchesOf(1), nil, secretsstore.WithAccountID(""))},
	} {
		var results []secretsstore.PatchResult
		for result := range tt.seq {
			results = append(results, result)
		}
		if assert.Len(t, results, 1, tt.want) {
			assert.EqualError(t, results[0].Err, "secretsstore: "+tt.want)
			assert.Equal(t, -1, results[0].Index)
		}
	}
	assert.Empty(t, api.sent())
}

func TestPatchEachNeedsConstantMemory(t *testing.T) {
	client := newClient(t, &slowAPI{latency: func(int) time.Duration { return 0 }})
	// peak returns the largest live heap during n patches.
	peak := func(n int) (most uint64) {
		results := 0
		for result := range client.Secrets.PatchEach(t.Context(), patchesOf(n), &secretsstore.PatchEachOptions{Concurrency: 64}) {
			require.NoError(t, result.Err)
			if results++; results%(n/5) == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
		require.Equal(t, n, results)
		return most
	}
	peak(1000) // what is allocated once
	few, many := peak(1000), peak(6000)
	assert.LessOrEqual(t, many, few+few/10+256<<10)
}
