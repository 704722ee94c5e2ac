package secretsstoretest_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// limited is a server in the bubble's time that lets n requests in a window.
func limited(n int, window time.Duration, opts ...secretsstoretest.ServerOption) *secretsstoretest.Server {
	srv := secretsstoretest.NewServer(append(opts, secretsstoretest.WithoutListener(), secretsstoretest.WithRateLimit(n, window),
		secretsstoretest.WithAccountID(accountID), secretsstoretest.WithAPIToken(token), secretsstoretest.WithAPIKey(email, apiKey),
		secretsstoretest.WithIDSource(counter()))...)
	srv.AddStore("s")
	srv.AddSecret("id-1", create("A"))
	return srv
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := limited(2, time.Minute)
		send := over(srv)
		// Each step waits, sends, and compares status, Ratelimit and Retry-After.
		steps := []struct {
			wait       time.Duration
			status     int
			remaining  int
			reset      int
			retryAfter string
		}{
			{0, 200, 1, 60, ""},
			{500 * time.Millisecond, 200, 0, 60, ""}, // 59.5 s are told as 60
			{500 * time.Millisecond, 429, 0, 59, "59"},
			{58*time.Second + 999*time.Millisecond, 429, 0, 1, "1"},
			{time.Millisecond, 200, 1, 60, ""}, // a new window begins
			{90 * time.Second, 200, 1, 60, ""}, // and the next one with its first request
			{59 * time.Second, 200, 0, 1, ""},
		}
		for i, step := range steps {
			time.Sleep(step.wait)
			got := send.do(t, "PATCH", account+"/stores/id-1/secrets/id-2", fmt.Sprintf(`{"comment":"%d"}`, i))
			assert.Equal(t, step.status, got.status, "step %d", i)
			assert.Equal(t, fmt.Sprintf(`"default";r=%d;t=%d`, step.remaining, step.reset), got.header.Get("Ratelimit"), "step %d", i)
			assert.Equal(t, `"default";q=2;w=60`, got.header.Get("Ratelimit-Policy"))
			assert.Equal(t, step.retryAfter, got.header.Get("Retry-After"), "step %d", i)
			comment := srv.Secrets("id-1")[0].Comment
			if step.status == 429 {
				assert.Equal(t, failure(971, "Please wait and consider throttling your request speed"), got.body)
				assert.NotEqual(t, fmt.Sprint(i), comment, "what is past the limit has no effect")
			} else {
				assert.Equal(t, fmt.Sprint(i), comment)
			}
			log := srv.Requests()
			assert.Equal(t, step.status == 429, log[len(log)-1].RateLimited)
		}
	})
}

func TestRateLimitIsForEachWhoSignsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := limited(1, time.Minute)
		srv.AddToken("second", secretsstoretest.PermissionRead)
		send := over(srv)
		for _, who := range [][]string{
			{"Authorization: Bearer " + token},
			{"Authorization: Bearer second"},
			{"X-Auth-Email: " + email, "X-Auth-Key: " + apiKey},
		} {
			assert.Equal(t, 200, send.do(t, "GET", account+"/stores", "", who...).status)
			assert.Equal(t, 429, send.do(t, "GET", account+"/stores", "", who...).status)
		}
	})
}

func TestRateLimitCounts(t *testing.T) {
	tests := []struct {
		name    string
		path    string
		headers []string
		fault   *secretsstoretest.Fault
		left    int // of 5, after the request
		header  string
	}{
		{"a success", account + "/stores", nil, nil, 4, `"default";r=4;t=60`},
		{"an error", account + "/stores/" + unknown, nil, nil, 4, `"default";r=4;t=60`},
		{"a path that leads nowhere", "/client/v4/zones", nil, nil, 4, `"default";r=4;t=60`},
		{"not a stranger, who sees a full window", account + "/stores", []string{"Authorization: Bearer unknown"}, nil, 5, `"default";r=5;t=60`},
		{"not what a fault answers", account + "/stores", nil, &secretsstoretest.Fault{Status: 503}, 5, `"default";r=5;t=60`},
		{"what a fault answers after it was done", account + "/stores", nil, &secretsstoretest.Fault{Status: 503, Apply: true}, 4, `"default";r=4;t=60`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := limited(5, time.Minute)
				send := over(srv)
				if tt.fault != nil {
					tt.fault.Count = 1
					srv.Inject(*tt.fault)
				}
				got := send.do(t, "GET", tt.path, "", tt.headers...)
				assert.Equal(t, tt.header, got.header.Get("Ratelimit"))
				next := send.do(t, "GET", account+"/stores", "")
				assert.Equal(t, fmt.Sprintf(`"default";r=%d;t=60`, tt.left-1), next.header.Get("Ratelimit"))
			})
		})
	}
}

func TestRateLimitLetsNoneTooManyThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := limited(100, time.Minute)
		send := over(srv)
		var ok, refused atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 25 {
					got, err := send.try(t.Context(), "GET", account+"/stores", "")
					if assert.NoError(t, err) && got.status == http.StatusOK {
						ok.Add(1)
					} else {
						refused.Add(1)
					}
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, 100, ok.Load())
		assert.EqualValues(t, 300, refused.Load())
	})
}

func TestRateLimitBeginsAnewWhenTheClockGoesBack(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	srv := newServer(t, secretsstoretest.WithRateLimit(1, time.Minute), secretsstoretest.WithClock(func() time.Time { return now }))
	send := over(srv)
	require.Equal(t, 200, send.do(t, "GET", account+"/stores", "").status)
	now = now.Add(-time.Hour)
	got := send.do(t, "GET", account+"/stores", "")
	assert.Equal(t, 200, got.status)
	assert.Equal(t, `"default";r=0;t=60`, got.header.Get("Ratelimit"))
}

func TestRateLimitRoundsShortWindowsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		send := over(limited(1, 1500*time.Millisecond))
		got := send.do(t, "GET", account+"/stores", "")
		assert.Equal(t, `"default";r=0;t=2`, got.header.Get("Ratelimit"))
		assert.Equal(t, `"default";q=1;w=2`, got.header.Get("Ratelimit-Policy"))
	})
}
