package secretsstore

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBackoffIsDrawnFromAllBetweenNothingAndItsMost(t *testing.T) {
	p := RetryPolicy{}.withDefaults()
	most := map[int]time.Duration{
		0: 500 * time.Millisecond, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second,
		6: 20 * time.Second, 31: 20 * time.Second, 32: 20 * time.Second, 64: 20 * time.Second, 1 << 30: 20 * time.Second,
	}
	for n, most := range most {
		const draws = 10_000
		var tenths [10]int
		for range draws {
			wait := p.backoff(n)
			if wait < 0 || wait > most {
				t.Fatalf("retry %d: a wait of %v", n, wait)
			}
			tenths[min(9, wait*10/most)]++
		}
		for i, drawn := range tenths {
			// 1,000 with a standard deviation of 30.
			assert.InDelta(t, draws/10, drawn, 300, "retry %d, tenth %d", n, i)
		}
	}
}

func TestRetryPolicyDefaults(t *testing.T) {
	for _, s := range []struct {
		name        string
		given, want RetryPolicy
	}{
		{"none given", RetryPolicy{}, RetryPolicy{4, 500 * time.Millisecond, 20 * time.Second, time.Minute}},
		{"a small MaxBackoff", RetryPolicy{MaxBackoff: time.Millisecond}, RetryPolicy{4, time.Millisecond, time.Millisecond, time.Minute}},
		{"a large MinBackoff", RetryPolicy{MinBackoff: time.Hour}, RetryPolicy{4, time.Hour, time.Hour, time.Minute}},
		{"all given", RetryPolicy{1, 2, 3, 4}, RetryPolicy{1, 2, 3, 4}},
	} {
		t.Run(s.name, func(t *testing.T) {
			require.NoError(t, s.given.check())
			assert.Equal(t, s.want, s.given.withDefaults())
		})
	}
}

func TestRetryPolicyThatCannotBe(t *testing.T) {
	for _, p := range []RetryPolicy{
		{MaxAttempts: -1}, {MinBackoff: -1}, {MaxBackoff: -1}, {MaxRetryAfter: -1}, {MinBackoff: 2, MaxBackoff: 1},
	} {
		assert.ErrorIs(t, p.check(), ErrInvalidArgument, "%+v", p)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "7", " 7 ", "-7", "1.5", "300", "86401", "99999999999999999999", "soon",
		"Sat, 01 Jan 2000 00:00:20 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0000 00:00:00 GMT", "Saturday, 01-Jan-00 00:00:05 GMT"} {
		f.Add(s, "")
		f.Add(s, "Sat, 01 Jan 2000 00:00:00 GMT")
	}
	c := &core{retry: RetryPolicy{}.withDefaults()}
	safe := &request{op: operation{repeatable: true}}
	f.Fuzz(func(t *testing.T, after, date string) {
		refusal := &outcome{status: http.StatusTooManyRequests, header: http.Header{"Retry-After": {after}, "Date": {date}}}
		c.budget = budget{}
		if wait, again := c.next(t.Context(), safe, refusal, 1); again && wait > c.retry.MaxRetryAfter {
			t.Fatalf("a wait of %v is begun", wait)
		}
		for _, now := range []time.Time{{}, time.Unix(0, 0), time.Unix(1<<40, 0)} {
			wait, asked := retryAfter(http.Header{"Retry-After": {after}, "Date": {date}}, now)
			if wait < 0 || wait > 24*time.Hour {
				t.Fatalf("a wait of %v", wait)
			}
			if !asked && wait != 0 {
				t.Fatalf("a wait of %v that nobody asked for", wait)
			}
		}
	})
}
