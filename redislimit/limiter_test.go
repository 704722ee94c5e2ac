package redislimit

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

var _ secretsstore.Limiter = (*Limiter)(nil)

func newLimiter(t testing.TB, rdb redis.UniversalClient, limit int, window time.Duration, opts ...Option) *Limiter {
	l, err := New(rdb, "k", limit, window, opts...)
	require.NoError(t, err)
	return l
}

func TestWait(t *testing.T) {
	rdb := startRedis(t).client()
	l := newLimiter(t, rdb, 30, 2*time.Second, WithBurst(10))
	started := time.Now()
	for range 10 {
		require.NoError(t, l.Wait(t.Context()))
	}
	burst := time.Since(started)
	require.NoError(t, l.Wait(t.Context()))
	next := time.Since(started)
	assert.Less(t, burst, 500*time.Millisecond, "a burst does not wait")
	assert.GreaterOrEqual(t, next, 100*time.Millisecond, "the others follow at a pace of limit-burst per window")
	names, err := rdb.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	assert.Equal(t, []string{"rate:k"}, names)
}

func TestNewRejectsInvalidArguments(t *testing.T) {
	rdb := redis.NewClient(&redis.Options{})
	for name, tc := range map[string]struct {
		rdb    redis.UniversalClient
		key    string
		limit  int
		window time.Duration
		option Option
		want   string
	}{
		"no client":              {nil, "k", 1200, time.Minute, nil, "redislimit: a Redis client and a key are required"},
		"no key":                 {rdb, "", 1200, time.Minute, nil, "redislimit: a Redis client and a key are required"},
		"no limit":               {rdb, "k", 0, time.Minute, nil, "redislimit: limit is 0, must be at least 2"},
		"limit of one":           {rdb, "k", 1, time.Minute, nil, "redislimit: limit is 1, must be at least 2"},
		"no window":              {rdb, "k", 1200, 0, nil, "redislimit: window is 0s, too short for a limit of 1200"},
		"window too short":       {rdb, "k", 1200, time.Millisecond, nil, "redislimit: window is 1ms, too short for a limit of 1200"},
		"no burst":               {rdb, "k", 1200, time.Minute, WithBurst(0), "redislimit: burst is 0, must be from 1 to 1199"},
		"burst of the limit":     {rdb, "k", 1200, time.Minute, WithBurst(1200), "redislimit: burst is 1200, must be from 1 to 1199"},
		"negative process count": {rdb, "k", 1200, time.Minute, WithFallback(-1), "redislimit: processes is -1, must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := New(tc.rdb, tc.key, tc.limit, tc.window, tc.option)
			require.EqualError(t, err, tc.want)
			assert.Nil(t, l)
		})
	}
}

func TestDefaultBurstIsATwentieth(t *testing.T) {
	for limit, burst := range map[int]int{2: 1, 39: 1, 40: 2, 1200: 60} {
		l := newLimiter(t, redis.NewClient(&redis.Options{}), limit, time.Minute)
		assert.Equal(t, burst*parts, l.limit.Burst)
		assert.Equal(t, (limit-burst)*parts, l.limit.Rate)
	}
}

func TestDeadlineBeforeTheTurn(t *testing.T) {
	rdb := startRedis(t).client()
	l := newLimiter(t, rdb, 3, 20*time.Second, WithBurst(1)) // one call in 10 s
	require.NoError(t, l.Wait(t.Context()))
	before, err := rdb.Get(t.Context(), "rate:k").Result()
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
	defer cancel()
	started := time.Now()
	err = l.Wait(ctx)
	assert.Less(t, time.Since(started), time.Second, "does not wait")
	var waitErr *secretsstore.WaitError
	require.ErrorAs(t, err, &waitErr)
	assert.InDelta(t, 10, waitErr.Wait.Seconds(), 0.5)
	assert.ErrorIs(t, err, secretsstore.ErrRateLimited)
	assert.NotErrorIs(t, err, context.DeadlineExceeded)
	assert.Regexp(t, `^rate limited: next request allowed in \d+(\.\d+)?s, after the context's deadline$`, err.Error())

	after, err := rdb.Get(t.Context(), "rate:k").Result()
	require.NoError(t, err)
	assert.Equal(t, before, after, "uses up nothing")
}

// A deadline is compared with the turn, and not with the interval between calls.
func TestDeadlineAfterTheTurn(t *testing.T) {
	l := newLimiter(t, startRedis(t).client(), 3, 2*time.Second, WithBurst(1)) // one call per second
	require.NoError(t, l.Wait(t.Context()))
	time.Sleep(500 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
	defer cancel()
	assert.NoError(t, l.Wait(ctx), "due after 500 ms, with 900 ms left, which is less than the interval")
}

func TestCanceledCallIsCounted(t *testing.T) {
	l := newLimiter(t, startRedis(t).client(), 3, 2*time.Second, WithBurst(1)) // one call per second
	started := time.Now()
	require.NoError(t, l.Wait(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	require.ErrorIs(t, l.Wait(ctx), context.Canceled)
	assert.Less(t, time.Since(started), 900*time.Millisecond, "returns with its context")
	require.NoError(t, l.Wait(t.Context()))
	assert.GreaterOrEqual(t, time.Since(started), 2*time.Second)
}

func TestContextThatHasEnded(t *testing.T) {
	l := newLimiter(t, redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}), 3, time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, context.Canceled, l.Wait(ctx))
}

// Calls of 200 goroutines with deadlines on both sides of their turns: each is made before
// its deadline or refused at once, and none waits in vain.
func TestManyDeadlines(t *testing.T) {
	const goroutines, limit, window = 200, 1200, 3 * time.Second
	type outcome struct {
		err             error
		timeout, passed time.Duration
	}
	for n := 1; ; n++ {
		srv := startRedis(t)
		l := newLimiter(t, srv.client(), limit, window)
		monitor := srv.monitor(l)
		var mu sync.Mutex
		var outcomes []outcome
		var made []time.Time
		var wg sync.WaitGroup
		end := time.Now().Add(window * 3 / 2)
		for range goroutines {
			wg.Go(func() {
				time.Sleep(rand.N(200 * time.Millisecond))
				for time.Now().Before(end) {
					// With 200 waiting calls, a turn comes after about half a second.
					o := outcome{timeout: 200*time.Millisecond + rand.N(600*time.Millisecond)}
					ctx, cancel := context.WithTimeout(t.Context(), o.timeout)
					started := time.Now()
					o.err = l.Wait(ctx)
					o.passed = time.Since(started)
					cancel()
					mu.Lock()
					outcomes = append(outcomes, o)
					if o.err == nil {
						made = append(made, started.Add(o.passed))
					}
					mu.Unlock()
					if o.err != nil {
						time.Sleep(20 * time.Millisecond)
					}
				}
			})
		}
		wg.Wait()
		granted := monitor.stop()

		inVain, refused, late, slowest := 0, 0, 0, time.Duration(0)
		for _, o := range outcomes {
			switch {
			case errors.Is(o.err, context.DeadlineExceeded):
				inVain++
			case o.err != nil:
				require.ErrorIs(t, o.err, secretsstore.ErrRateLimited)
				refused++
				slowest = max(slowest, o.passed)
				if o.passed > o.timeout/2 {
					late++
				}
			}
		}
		slices.SortFunc(made, time.Time.Compare)
		t.Logf("%d goroutines, %d calls made, %d of %d granted, at most %d in a window; %d refused, at most after %v; %d waited in vain",
			goroutines, len(made), len(made), len(granted), most(granted, window), refused, slowest, inVain)
		assert.LessOrEqual(t, most(granted, window), limit)
		if inVain == 0 && late == 0 || n == 3 { // a busy machine can delay goroutines
			assert.Zero(t, inVain)
			assert.Zero(t, late)
			assert.Positive(t, refused)
			return
		}
	}
}

// hangingRedis returns the address of a listener that accepts connections and never replies.
func hangingRedis(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return ln.Addr().String()
}

func TestHangingRedis(t *testing.T) {
	addr := hangingRedis(t)
	paused := startRedis(t)
	connected := paused.client()
	require.NoError(t, connected.Ping(t.Context()).Err())
	paused.pause()
	for name, rdb := range map[string]redis.UniversalClient{
		"default options":       redis.NewClient(&redis.Options{Addr: addr}),
		"ContextTimeoutEnabled": redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true}),
		"no retries":            redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1}),
		"no timeouts":           redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: -1, WriteTimeout: -1}),
		"cluster":               redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}}),
		"ring":                  redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": addr}}),
		"paused server":         connected,
	} {
		l := newLimiter(t, rdb, 1200, 3*time.Second)
		const timeout = 200 * time.Millisecond
		check := func(t *testing.T, ctx context.Context, want error) {
			started := time.Now()
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { assert.Equal(t, want, l.Wait(ctx)) })
			}
			wg.Wait()
			late := time.Since(started) - timeout
			t.Logf("all have returned %v after the context ended", late)
			assert.Less(t, late, 100*time.Millisecond)
		}
		t.Run(name+", deadline", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			check(t, ctx, context.DeadlineExceeded)
		})
		t.Run(name+", canceled", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(timeout, cancel)
			check(t, ctx, context.Canceled)
		})
	}
}

func TestHangingRedisLeavesFewGoroutines(t *testing.T) {
	const poolSize = 4
	rdb := redis.NewClient(&redis.Options{Addr: hangingRedis(t), ReadTimeout: -1, PoolSize: poolSize})
	l := newLimiter(t, rdb, 1200, 3*time.Second)
	before := runtime.NumGoroutine()
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { assert.ErrorIs(t, l.Wait(ctx), context.DeadlineExceeded) })
		}
		wg.Wait()
		cancel()
	}
	remaining := func() int { return runtime.NumGoroutine() - before }
	assert.Eventually(t, func() bool { return remaining() <= 3*poolSize }, 5*time.Second, 10*time.Millisecond)
	t.Logf("%d goroutines remain of 1,000 calls", remaining())
}

var errDown = errors.New("refused")

// down returns a client whose connections fail, for use in a synctest bubble.
func down(t *testing.T) *redis.Client {
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", Dialer: func(context.Context, string, string) (net.Conn, error) { return nil, errDown }})
	t.Cleanup(func() {
		rdb.Close()
		time.Sleep(5 * time.Second) // go-redis dials in the background
	})
	return rdb
}

func TestRedisIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, down(t), 1200, 5*time.Minute)
		started := time.Now()
		err := l.Wait(t.Context())
		t.Logf("go-redis gave up after %v", time.Since(started))
		require.ErrorIs(t, err, errDown)
		assert.Equal(t, "redislimit: refused", err.Error())
	})
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// What a user of the client sees.
func TestErrorsOfTheClient(t *testing.T) {
	refuse := func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, errors.New("not expected")
	}
	newClient := func(l *Limiter) *secretsstore.Client {
		client, err := secretsstore.NewClient(secretsstore.WithoutEnvironment(), secretsstore.WithAPIToken("token"),
			secretsstore.WithAccountID("a"), secretsstore.WithLimiter(l),
			secretsstore.WithHTTPClient(&http.Client{Transport: roundTripperFunc(refuse)}))
		require.NoError(t, err)
		return client
	}
	t.Run("Redis is down", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, _, err := newClient(newLimiter(t, down(t), 1200, 5*time.Minute)).Quota.Get(t.Context())
			require.ErrorIs(t, err, secretsstore.ErrRateLimited)
			require.ErrorIs(t, err, errDown)
			_, ok := secretsstore.Retryable(err)
			assert.True(t, ok)
		})
	})
	t.Run("the turn comes after the deadline", func(t *testing.T) {
		l := newLimiter(t, startRedis(t).client(), 3, 20*time.Second, WithBurst(1))
		require.NoError(t, l.Wait(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, _, err := newClient(l).Quota.Get(ctx)
		require.ErrorIs(t, err, secretsstore.ErrRateLimited)
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
		after, ok := secretsstore.Retryable(err)
		assert.True(t, ok)
		assert.InDelta(t, 10, after.Seconds(), 0.5)
	})
	t.Run("the context ends", func(t *testing.T) {
		l := newLimiter(t, redis.NewClient(&redis.Options{Addr: hangingRedis(t)}), 1200, 5*time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, _, err := newClient(l).Quota.Get(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotErrorIs(t, err, secretsstore.ErrRateLimited)
	})
}

// Three processes keep to the limit without Redis.
func TestFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const processes, limit, window = 3, 30, 3 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 4*window)
		defer cancel()
		var mu sync.Mutex
		var made []time.Time
		var wg sync.WaitGroup
		for range processes {
			l := newLimiter(t, down(t), limit, window, WithBurst(10), WithFallback(processes))
			for range 5 {
				wg.Go(func() {
					for l.Wait(ctx) == nil {
						mu.Lock()
						made = append(made, time.Now())
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		slices.SortFunc(made, time.Time.Compare)
		t.Logf("%d calls made in 4 windows, at most %d in one of %d", len(made), most(made, window), limit)
		assert.LessOrEqual(t, most(made, window), limit)
		assert.GreaterOrEqual(t, len(made), 4*limit*6/10, "limit-burst per window")
	})
}

func TestFallbackAfterTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, down(t), 3, 20*time.Second, WithBurst(1), WithFallback(2)) // one call in 20 s
		require.NoError(t, l.Wait(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		started := time.Now()
		for range 2 {
			err := l.Wait(ctx)
			var waitErr *secretsstore.WaitError
			require.ErrorAs(t, err, &waitErr)
			assert.Less(t, waitErr.Wait, 20*time.Second, "a refused call uses up nothing")
		}
		assert.Less(t, time.Since(started), 5*time.Second)
	})
}

func TestFallbackWhenRedisHangs(t *testing.T) {
	l := newLimiter(t, redis.NewClient(&redis.Options{Addr: hangingRedis(t), ReadTimeout: -1}), 1200, 3*time.Second, WithFallback(2))
	started := time.Now()
	require.NoError(t, l.Wait(t.Context()))
	assert.GreaterOrEqual(t, time.Since(started), timeout)
	assert.Less(t, time.Since(started), 3*timeout)

	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	require.NoError(t, l.Wait(ctx), "a deadline leaves time for the fallback")
}

func BenchmarkWait(b *testing.B) {
	l := newLimiter(b, startRedis(b).client(), 1_000_000, 2*time.Second, WithBurst(500_000))
	for b.Loop() {
		if err := l.Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
