package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These tests show a client against an API with a rate limit.

// A fixedWindow is a transport to an API with 1,200 requests per 5 minutes. A window
// begins with its first request. Latency reorders requests and responses.
type fixedWindow struct {
	roundsDown, withoutPolicy bool
	latency, rare             time.Duration // rare is added to one response in 200

	mu                         sync.Mutex
	rng                        *rand.Rand
	remaining                  int
	reset                      time.Time
	requests, refused, started int
}

func (f *fixedWindow) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	before := time.Duration(f.rng.Int64N(int64(f.latency)))
	after := time.Duration(f.rng.Int64N(int64(f.latency - before)))
	if f.rng.IntN(200) == 0 {
		after += f.rare
	}
	f.mu.Unlock()
	if err := sleep(req.Context(), before, nil); err != nil {
		return nil, err
	}
	resp := f.respond()
	return resp, sleep(req.Context(), after, nil)
}

func (f *fixedWindow) respond() *http.Response {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !time.Now().Before(f.reset) {
		f.remaining, f.reset = 1200, time.Now().Add(5*time.Minute)
		f.started++
	}
	f.requests++
	isAllowed := f.remaining > 0
	if isAllowed {
		f.remaining--
	} else {
		f.refused++
	}
	up := int((time.Until(f.reset) + time.Second - 1) / time.Second)
	t := up
	if f.roundsDown {
		t = int(time.Until(f.reset) / time.Second)
	}
	h := header(fmt.Sprintf(`Ratelimit: "default";r=%d;t=%d`, f.remaining, t))
	if !f.withoutPolicy {
		h.Set("Ratelimit-Policy", `"default";q=1200;w=300`)
	}
	if isAllowed {
		return httpResponse(200, secretBody, h)
	}
	h.Set("Retry-After", fmt.Sprint(up))
	return httpResponse(429, `{"success":false,"errors":[{"code":971,"message":"Please wait and consider throttling your request speed"}]}`, h)
}

func patchItems(n int) iter.Seq[PatchItem] {
	return func(yield func(PatchItem) bool) {
		for range n {
			if !yield(PatchItem{StoreID: "store", SecretID: "secret", Patch: SecretPatch{Comment: Ptr("new")}}) {
				return
			}
		}
	}
}

func TestPatchEachNeverMeetsTheRateLimit(t *testing.T) {
	for _, concurrency := range []int{8, 64} {
		for _, tt := range []struct {
			name                      string
			roundsDown, withoutPolicy bool
		}{
			{name: "t rounded up"},
			{name: "t rounded down", roundsDown: true},
			{name: "t rounded up, without a policy", withoutPolicy: true},
			{name: "t rounded down, without a policy", roundsDown: true, withoutPolicy: true},
		} {
			t.Run(fmt.Sprintf("%d in flight, %s", concurrency, tt.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := &fixedWindow{roundsDown: tt.roundsDown, withoutPolicy: tt.withoutPolicy, latency: 120 * time.Millisecond, rare: time.Second, rng: rand.New(rand.NewPCG(uint64(concurrency), 1))}
					client := newTestClient(t, api)
					started, patched := time.Now(), 0
					for result := range client.Secrets.PatchEach(t.Context(), patchItems(3000), &PatchEachOptions{Concurrency: concurrency}) {
						require.NoError(t, result.Err)
						patched++
					}
					assert.Equal(t, 3000, patched)
					assert.Equal(t, 3000, api.requests)
					assert.Zero(t, api.refused, "429s")
					assert.Equal(t, 3, api.started, "windows")
					assert.GreaterOrEqual(t, time.Since(started), 10*time.Minute)
					assert.LessOrEqual(t, time.Since(started), 11*time.Minute)
				})
			})
		}
	}
}

// A client that is idle between windows does not take the rest of a window for a whole one.
func TestIdleClientNeverMeetsTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Windows follow each other whether or not there are requests.
		opened, remaining, window := time.Now(), 0, -1
		refused := 0
		client := newTestClient(t, roundTripFunc(func(*http.Request) (*http.Response, error) {
			now := time.Since(opened)
			if n := int(now / (5 * time.Minute)); n != window {
				window, remaining = n, 1200
			}
			if remaining == 0 {
				refused++
				return httpResponse(429, "", header("Retry-After: 300")), nil
			}
			remaining--
			t := (5*time.Minute - now%(5*time.Minute) + time.Second - 1) / time.Second
			return httpResponse(200, secretBody, header(fmt.Sprintf(`Ratelimit: "default";r=%d;t=%d`, remaining, t), `Ratelimit-Policy: "default";q=1200;w=300`)), nil
		}), WithRetryPolicy(RetryPolicy{MaxWait: time.Hour}))
		require.NoError(t, get(t.Context(), client))
		time.Sleep(500 * time.Second)
		for range 3000 {
			require.NoError(t, get(t.Context(), client))
		}
		assert.Zero(t, refused)
	})
}

// 1,200 calls with a short deadline use a window up.
func TestNoCallWaitsWhileRequestsRemain(t *testing.T) {
	for _, tt := range []struct {
		name    string
		workers int
		latency time.Duration
	}{
		{name: "one after the other", workers: 1, latency: 200 * time.Millisecond},
		{name: "8 at once", workers: 8, latency: 50 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fixedWindow{latency: tt.latency, rng: rand.New(rand.NewPCG(1, 1))}
				var waited atomic.Int64
				client := newTestClient(t, api, WithHooks(Hooks{AttemptStart: func(_ context.Context, a AttemptStart) context.Context {
					waited.Add(int64(a.Waited))
					return nil
				}}))
				var failed, n atomic.Int64
				var workers sync.WaitGroup
				for range tt.workers {
					workers.Go(func() {
						for n.Add(1) <= 1200 {
							ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
							if get(ctx, client) != nil {
								failed.Add(1)
							}
							cancel()
						}
					})
				}
				workers.Wait()
				assert.Zero(t, failed.Load())
				assert.Equal(t, 1200, api.requests)
				assert.Equal(t, 1, api.started, "windows")
				if tt.workers == 1 {
					assert.Zero(t, waited.Load())
				}
			})
		})
	}
}

// After a 429 that blocks for 5 minutes, no call sends another request.
func TestBlockHoldsTheWholeClientBack(t *testing.T) {
	for _, tt := range []struct {
		name       string
		concurrent bool
		calls      int
		call       func(context.Context, *Client) error
	}{
		{name: "50 calls at once", concurrent: true, calls: 50, call: get},
		{name: "500 patches one after the other", calls: 499, call: patch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var requests int
				client := newTestClient(t, roundTripFunc(func(*http.Request) (*http.Response, error) {
					requests++
					return httpResponse(429, "", header("Retry-After: 300")), nil
				}))
				err := tt.call(t.Context(), client)
				var apiErr *APIError
				require.ErrorAs(t, err, &apiErr)
				assert.Equal(t, 429, apiErr.StatusCode)
				assert.Equal(t, 5*time.Minute, apiErr.RetryAfter)

				time.Sleep(100 * time.Second)
				errs := make([]error, tt.calls)
				var calls sync.WaitGroup
				for i := range tt.calls {
					if tt.concurrent {
						calls.Go(func() { errs[i] = tt.call(t.Context(), client) })
					} else {
						errs[i] = tt.call(t.Context(), client)
					}
				}
				calls.Wait()
				for _, err := range errs {
					var wait *WaitError
					require.ErrorAs(t, err, &wait)
					assert.Equal(t, 200*time.Second, wait.Wait)
					assert.ErrorIs(t, err, ErrRateLimited)
					assert.NotErrorIs(t, err, ErrOutcomeUnknown)
					assert.False(t, errors.As(err, new(*APIError)))
				}
				assert.Equal(t, 1, requests)
				time.Sleep(200 * time.Second)
				require.ErrorAs(t, tt.call(t.Context(), client), &apiErr)
				assert.Equal(t, 2, requests)
			})
		})
	}
}

// WithoutPacing disables all of it.
func TestWithoutPacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests int
		client := newTestClient(t, roundTripFunc(func(*http.Request) (*http.Response, error) {
			requests++
			return httpResponse(429, "", header("Retry-After: 300", `Ratelimit: "default";r=0;t=300`)), nil
		}), WithoutPacing())
		for range 10 {
			require.ErrorIs(t, get(t.Context(), client), ErrRateLimited)
		}
		assert.Equal(t, 10, requests)
	})
}
