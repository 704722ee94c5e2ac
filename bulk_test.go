package secretsstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// numbered are n patches of the secrets 0 to n-1; taken counts those given out.
func numbered(n int, taken *atomic.Int64) iter.Seq[secretsstore.PatchRequest] {
	return func(yield func(secretsstore.PatchRequest) bool) {
		for i := range n {
			if taken != nil {
				taken.Add(1)
			}
			if !yield(secretsstore.PatchRequest{StoreID: storeID, SecretID: fmt.Sprint(i), Patch: secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")}}) {
				return
			}
		}
	}
}

// answers is an in-memory transport that answers each patch after d, and counts
// how many it has at once.
type answers struct {
	d           time.Duration
	status      func(n int64, req *http.Request) int
	n, now, max atomic.Int64
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	n, now := a.n.Add(1), a.now.Add(1)
	defer a.now.Add(-1)
	for most := a.max.Load(); now > most && !a.max.CompareAndSwap(most, now); most = a.max.Load() {
	}
	if a.d > 0 {
		select {
		case <-time.After(a.d):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	if a.status != nil {
		if status := a.status(n, req); status != 200 {
			return response(status, failure(1, "x")), nil
		}
	}
	return response(200, secretAnswer), nil
}

func TestPatchAll(t *testing.T) {
	for _, tc := range []struct{ concurrency, most int }{{0, 8}, {1, 1}, {3, 3}, {64, 64}, {1000, 100}} {
		t.Run(fmt.Sprintf("yields each once, with %d at a time", tc.concurrency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := &answers{d: time.Second}
				var taken atomic.Int64
				seen := map[string]bool{}
				for result := range newClient(t, rt).Secrets.PatchAll(t.Context(), numbered(100, &taken), secretsstore.BulkOptions{Concurrency: tc.concurrency}) {
					require.NoError(t, result.Err)
					require.NotNil(t, result.Secret)
					require.False(t, seen[result.Request.SecretID])
					seen[result.Request.SecretID] = true
					require.LessOrEqual(t, taken.Load(), int64(len(seen)-1+tc.most), "takes no more than it has in flight")
				}
				assert.Len(t, seen, 100)
				assert.EqualValues(t, tc.most, rt.max.Load())
			})
		})
	}
	t.Run("a patch that fails does not stop the others", func(t *testing.T) {
		rt := &answers{status: func(n int64, _ *http.Request) int { return map[bool]int{true: 404, false: 200}[n%3 == 0] }}
		failed, done := 0, 0
		for result := range newClient(t, rt).Secrets.PatchAll(t.Context(), numbered(99, nil), secretsstore.BulkOptions{}) {
			if result.Err != nil {
				require.ErrorIs(t, result.Err, secretsstore.ErrNotFound)
				assert.Nil(t, result.Secret)
				failed++
			} else {
				done++
			}
		}
		assert.Equal(t, []int{33, 66}, []int{failed, done})
	})
	t.Run("names the account of each patch", func(t *testing.T) {
		w := answering(200, secretAnswer)
		patches := func(yield func(secretsstore.PatchRequest) bool) {
			for _, account := range []string{"", "one", "two", "../x"} {
				if !yield(secretsstore.PatchRequest{AccountID: account, StoreID: storeID, SecretID: secretID, Patch: valuePatch}) {
					return
				}
			}
		}
		for result := range newClient(t, w).Secrets.PatchAll(t.Context(), patches, secretsstore.BulkOptions{Concurrency: 1}, secretsstore.ForAccount("all")) {
			assert.Equal(t, result.Request.AccountID == "../x", errors.Is(result.Err, secretsstore.ErrInvalidArgument))
		}
		require.Len(t, w.sent, 3)
		for i, account := range []string{"all", "one", "two"} {
			assert.Contains(t, w.sent[i].url, "/accounts/"+account+"/")
		}
	})
	t.Run("yields a result while the source has no next patch yet", func(t *testing.T) {
		next := make(chan string, 1)
		next <- "first"
		source := func(yield func(secretsstore.PatchRequest) bool) {
			for id := range next {
				if !yield(secretsstore.PatchRequest{StoreID: storeID, SecretID: id, Patch: valuePatch}) {
					return
				}
			}
		}
		var got []string
		for result := range newClient(t, answering(200, secretAnswer)).Secrets.PatchAll(t.Context(), source, secretsstore.BulkOptions{}) {
			got = append(got, result.Request.SecretID)
			if len(got) == 1 {
				next <- "second"
				close(next)
			}
		}
		assert.Equal(t, []string{"first", "second"}, got)
	})
}

func TestPatchAllRefuses(t *testing.T) {
	c := newClient(t, answering(200, secretAnswer))
	var none context.Context
	for says, seq := range map[string]iter.Seq[secretsstore.PatchResult]{
		"concurrency is -1": c.Secrets.PatchAll(t.Context(), numbered(1, nil), secretsstore.BulkOptions{Concurrency: -1}),
		"patches is nil":    c.Secrets.PatchAll(t.Context(), nil, secretsstore.BulkOptions{}),
		"context is nil":    c.Secrets.PatchAll(none, numbered(1, nil), secretsstore.BulkOptions{}),
	} {
		results := 0
		for result := range seq {
			require.ErrorIs(t, result.Err, secretsstore.ErrInvalidArgument)
			require.ErrorContains(t, result.Err, says)
			results++
		}
		assert.Equal(t, 1, results)
	}
}

// In a bubble of synctest a goroutine that is left over fails the test.
func TestPatchAllEnds(t *testing.T) {
	t.Run("where the caller breaks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rt := &answers{d: time.Second}
			var taken atomic.Int64
			got := 0
			for result := range newClient(t, rt).Secrets.PatchAll(t.Context(), numbered(1_000_000, &taken), secretsstore.BulkOptions{}) {
				require.NoError(t, result.Err)
				if got++; got == 10 {
					break
				}
			}
			assert.LessOrEqual(t, taken.Load(), int64(18))
			assert.Zero(t, rt.now.Load())
		})
	})
	t.Run("where the context ends, with a result for each that was taken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			defer cancel()
			var taken atomic.Int64
			done, cut := 0, 0
			for result := range newClient(t, &answers{d: time.Second}).Secrets.PatchAll(ctx, numbered(1_000_000, &taken), secretsstore.BulkOptions{}) {
				if result.Err == nil {
					done++
					continue
				}
				require.ErrorIs(t, result.Err, context.DeadlineExceeded)
				cut++
			}
			assert.Equal(t, []int{16, 8}, []int{done, cut})
			assert.EqualValues(t, 24, taken.Load())
		})
	})
	t.Run("where the loop panics", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			assert.PanicsWithValue(t, "in the loop", func() {
				for range newClient(t, &answers{d: time.Second}).Secrets.PatchAll(t.Context(), numbered(100, nil), secretsstore.BulkOptions{}) {
					panic("in the loop")
				}
			})
		})
	})
	t.Run("where the source panics, and the panic reaches the loop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			source := func(yield func(secretsstore.PatchRequest) bool) {
				numbered(3, nil)(yield)
				panic("in the source")
			}
			got := 0
			assert.PanicsWithValue(t, "in the source", func() {
				for range newClient(t, &answers{d: time.Second}).Secrets.PatchAll(t.Context(), source, secretsstore.BulkOptions{}) {
					got++
				}
			})
			assert.Equal(t, 3, got)
		})
	})
}

func TestPatchAllStopsWhereCredentialsAreRefused(t *testing.T) {
	for name, body := range map[string]struct {
		status int
		body   string
	}{
		"unknown":   {401, failure(10000, "Authentication error")},
		"malformed": {400, failure(6003, "Invalid request headers")},
		"revoked":   {403, failure(9109, "Invalid access token")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: func(*http.Request) (*http.Response, error) {
					time.Sleep(time.Second)
					return response(body.status, body.body), nil
				}}
				var taken atomic.Int64
				// The limiter lets one patch through every minute: the others wait, taken and
				// not sent, when the answer to the first comes.
				limiter := &every{interval: time.Minute, last: time.Now().Add(-time.Minute)}
				c := newClient(t, w, secretsstore.WithLimiter(limiter), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
				refused, untried := 0, 0
				started := time.Now()
				for result := range c.Secrets.PatchAll(t.Context(), numbered(1_000_000, &taken), secretsstore.BulkOptions{}) {
					switch {
					case errors.Is(result.Err, secretsstore.ErrNotTried):
						assert.NotErrorIs(t, result.Err, context.Canceled)
						untried++
					default:
						var apiErr *secretsstore.APIError
						require.ErrorAs(t, result.Err, &apiErr)
						refused++
					}
				}
				assert.Equal(t, []int{1, 7}, []int{refused, untried})
				assert.EqualValues(t, 8, taken.Load())
				assert.Len(t, w.sent, 1)
				assert.Equal(t, time.Second, time.Since(started))
			})
		})
	}
	t.Run("but not where one account is forbidden", func(t *testing.T) {
		rt := &answers{status: func(n int64, _ *http.Request) int { return map[bool]int{true: 403, false: 200}[n == 1] }}
		got := 0
		for range newClient(t, rt).Secrets.PatchAll(t.Context(), numbered(50, nil), secretsstore.BulkOptions{}) {
			got++
		}
		assert.Equal(t, 50, got)
	})
}

// every is a Limiter that lets one attempt through in each interval.
type every struct {
	mu       sync.Mutex
	interval time.Duration
	last     time.Time
}

func (e *every) Wait(ctx context.Context) error {
	e.mu.Lock()
	wait := time.Until(e.last.Add(e.interval))
	if wait <= 0 {
		e.last = time.Now()
	}
	e.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// liveHeap is what is reachable, after a collection.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

var manyPatches = flag.Int("patches", 30_000, "patches that TestPatchAllMemory makes")

// The memory of a run does not depend on how many patches it has.
func TestPatchAllMemory(t *testing.T) {
	peak := func(n int) (most uint64) {
		c := newClient(t, &answers{})
		got := 0
		for result := range c.Secrets.PatchAll(t.Context(), numbered(n, nil), secretsstore.BulkOptions{Concurrency: 64}) {
			require.NoError(t, result.Err)
			if got++; got%(n/10) == 0 {
				most = max(most, liveHeap())
			}
		}
		require.Equal(t, n, got)
		return most
	}
	peak(1000) // what is made once, such as pools
	few, lots := peak(1000), peak(*manyPatches)
	t.Logf("live heap at its peak: %d KiB with 1,000 patches, %d KiB with %d", few>>10, lots>>10, *manyPatches)
	assert.LessOrEqual(t, lots, few+few/10+128<<10)
	assert.Less(t, strings.Count(string(stacks()), "secretsstore.(*bulkRun)"), 1)
}

// stacks are those of all goroutines.
func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}
