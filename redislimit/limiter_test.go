package redislimit

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// counted counts the commands that reach Redis.
type counted struct{ n atomic.Int64 }

func (c *counted) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counted) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c *counted) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") {
			c.n.Add(1)
		}
		return next(ctx, cmd)
	}
}

// journal is a log that is kept as lines.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) logger() Option { return WithLogger(slog.New(slog.NewTextHandler(j, nil))) }

// within is a context whose deadline comes long before a window of an hour is over,
// and long after what this machine may be busy with.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func assertRefused(t *testing.T, err error, window time.Duration) {
	t.Helper()
	var wait *secretsstore.WaitError
	if assert.ErrorAs(t, err, &wait) {
		assert.Greater(t, wait.Wait, window-time.Minute)
		assert.LessOrEqual(t, wait.Wait, window+window/margin)
	}
	assert.ErrorIs(t, err, secretsstore.ErrRateLimited)
	assert.NotErrorIs(t, err, context.DeadlineExceeded)
}

func TestArguments(t *testing.T) {
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: "/nonexistent"})
	defer rdb.Close()
	for name, tc := range map[string]struct {
		limiter *Limiter
		says    string
	}{
		"no rdb":                      {New(nil, "k", 1, time.Second), "rdb"},
		"an empty key":                {New(rdb, "", 1, time.Second), "key"},
		"a key that is no hash tag":   {New(rdb, "}k", 1, time.Second), "key"},
		"no limit":                    {New(rdb, "k", 0, time.Second), "limit"},
		"a short window":              {New(rdb, "k", 1, time.Microsecond), "window"},
		"a long window":               {New(rdb, "k", 1, 25*time.Hour), "window"},
		"a fallback for no process":   {New(rdb, "k", 1, time.Second, WithFallback(0)), "processes"},
		"a share that rounds to none": {New(rdb, "k", 2, time.Second, WithFallback(3)), "share"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.limiter.Wait(t.Context())
			require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
			assert.ErrorContains(t, err, tc.says)
		})
	}
}

func TestWaitThatNeedNotWaitIsOneRoundTrip(t *testing.T) {
	rdb := startRedis(t).client()
	var n counted
	rdb.AddHook(&n)
	l := New(rdb, "k", 10, time.Hour, WithFreshStart())
	require.NoError(t, l.Wait(t.Context()))
	n.n.Store(0) // the first one taught Redis the script
	for range 9 {
		require.NoError(t, l.Wait(t.Context()))
	}
	assert.EqualValues(t, 9, n.n.Load())
	assertRefused(t, l.Wait(within(t)), time.Hour)
	assert.EqualValues(t, 10, n.n.Load(), "so is one that is refused")
}

func TestWaitAsksAgainWhenItsTimeHasCome(t *testing.T) {
	rdb := startRedis(t).client()
	var n counted
	rdb.AddHook(&n)
	l := New(rdb, "k", 1, 300*time.Millisecond, WithFreshStart())
	first, err := l.wait(t.Context())
	require.NoError(t, err)
	require.NoError(t, rdb.ScriptFlush(t.Context()).Err(), "it is taught again when it has forgotten")
	n.n.Store(0)
	second, err := l.wait(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, second-first, (303 * time.Millisecond).Microseconds())
	assert.LessOrEqual(t, n.n.Load(), int64(4), "it does not poll")
}

func TestKeysAreApart(t *testing.T) {
	rdb := startRedis(t).client()
	for _, key := range []string{"a", "b", "{tag}:c"} {
		l := New(rdb, key, 1, time.Hour, WithFreshStart())
		require.NoError(t, l.Wait(t.Context()))
		assertRefused(t, l.Wait(within(t)), time.Hour)
	}
}

func TestCancelGivesThePlaceBack(t *testing.T) {
	rdb := startRedis(t).client()
	l := New(rdb, "k", 1, time.Hour, WithFreshStart())
	require.NoError(t, l.Wait(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { assert.ErrorIs(t, l.Wait(ctx), context.Canceled) })
	}
	queued := func() int64 { return rdb.ZCard(context.Background(), "{k}:queue").Val() }
	require.Eventually(t, func() bool { return queued() == 5 }, time.Minute, time.Millisecond)
	assertRefused(t, l.Wait(within(t)), 6*time.Hour)
	cancel()
	wg.Wait()
	assert.Zero(t, queued())
	assertRefused(t, l.Wait(within(t)), time.Hour)
	assert.ErrorIs(t, l.Wait(ctx), context.Canceled, "a context that has ended asks nothing")
}

// A grant is given back when it arrives after its context has ended.
func TestGiveBackMakesRoom(t *testing.T) {
	rdb := startRedis(t).client()
	l := New(rdb, "k", 1, time.Hour, WithFreshStart())
	_, err := l.ask(t.Context(), "ticket")
	require.NoError(t, err)
	assertRefused(t, l.Wait(within(t)), time.Hour)
	l.giveBack(t.Context(), "ticket")
	l.giveBack(t.Context(), "ticket") // once too often
	require.NoError(t, l.Wait(within(t)))
	assertRefused(t, l.Wait(within(t)), time.Hour)
}

func TestDeadlineBeforeTheCallIsRefusedAtOnce(t *testing.T) {
	rdb := startRedis(t).client()
	l := New(rdb, "k", 1, time.Hour, WithFreshStart())
	require.NoError(t, l.Wait(t.Context()))
	assertRefused(t, l.Wait(within(t)), time.Hour)
	assert.Zero(t, rdb.ZCard(t.Context(), "{k}:queue").Val())
	past, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	assert.ErrorIs(t, l.Wait(past), context.DeadlineExceeded)
}

// What Redis does not know of the last window counts as used.
func TestWindowStartsFull(t *testing.T) {
	ctx := context.Background()
	used := func(t *testing.T, srv *server, opts ...Option) (*redis.Client, *Limiter) {
		rdb := srv.client()
		l := New(rdb, "k", 3, time.Hour, append(opts, WithLogger(nil), WithFreshStart())...)
		for range 2 {
			require.NoError(t, l.Wait(t.Context()))
		}
		return rdb, l
	}
	newcomer := func(rdb *redis.Client) *Limiter { return New(rdb, "k", 3, time.Hour, WithLogger(nil)) }

	t.Run("where there is no record", func(t *testing.T) {
		var log journal
		l := New(startRedis(t).client(), "k", 3, time.Hour, log.logger())
		assertRefused(t, l.Wait(within(t)), time.Hour)
		assertRefused(t, l.Wait(within(t)), time.Hour)
		assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
		assert.Contains(t, log.String(), "no record")
	})
	t.Run("after a restart, for a process that is new", func(t *testing.T) {
		srv := startRedis(t)
		rdb, l := used(t, srv)
		srv.kill()
		srv.start()
		_ = rdb.Ping(ctx) // the connection that broke
		assertRefused(t, newcomer(rdb).Wait(within(t)), time.Hour)
		assertRefused(t, l.Wait(within(t)), time.Hour)
	})
	t.Run("after a restart, for a process that remembers and trusts an empty Redis", func(t *testing.T) {
		srv := startRedis(t)
		rdb, l := used(t, srv)
		srv.kill()
		srv.start()
		_ = rdb.Ping(ctx)
		assertRefused(t, l.Wait(within(t)), time.Hour)
	})
	t.Run("after a restart with an old snapshot", func(t *testing.T) {
		srv := startRedis(t)
		rdb, l := used(t, srv)
		require.NoError(t, rdb.Save(ctx).Err())
		require.NoError(t, l.Wait(t.Context()))
		srv.kill()
		srv.start()
		_ = rdb.Ping(ctx)
		require.EqualValues(t, 2, rdb.ZCard(ctx, "{k}:granted").Val(), "the snapshot was not loaded")
		assertRefused(t, newcomer(rdb).Wait(within(t)), time.Hour)
	})
	t.Run("after a flush, for a process that trusted it before one that remembers came", func(t *testing.T) {
		rdb, remembers := used(t, startRedis(t))
		require.NoError(t, rdb.FlushAll(ctx).Err())
		trusts := New(rdb, "k", 3, time.Hour, WithFreshStart(), WithLogger(nil))
		require.NoError(t, trusts.Wait(within(t)))
		assertRefused(t, remembers.Wait(within(t)), time.Hour)
		assertRefused(t, trusts.Wait(within(t)), time.Hour)
	})
	t.Run("where the record is older than what a process remembers, and INFO may not be used", func(t *testing.T) {
		srv := startRedis(t)
		admin := srv.client()
		require.NoError(t, admin.Do(ctx, "ACL", "SETUSER", "default", "-info").Err())
		rdb, l := used(t, srv)
		old := map[string]string{}
		for _, key := range []string{"{k}", "{k}:granted"} {
			old[key] = rdb.Dump(ctx, key).Val()
		}
		require.NoError(t, l.Wait(t.Context()))
		for key, value := range old {
			require.NoError(t, rdb.RestoreReplace(ctx, key, 0, value).Err())
		}
		assertRefused(t, l.Wait(within(t)), time.Hour)
	})
	t.Run("where a part of the record was evicted", func(t *testing.T) {
		rdb, _ := used(t, startRedis(t))
		require.NoError(t, rdb.Del(ctx, "{k}:granted").Err())
		assertRefused(t, newcomer(rdb).Wait(within(t)), time.Hour)
	})
	t.Run("but not for a process that is new, where Redis knows", func(t *testing.T) {
		rdb, _ := used(t, startRedis(t))
		l := newcomer(rdb)
		require.NoError(t, l.Wait(within(t)))
		assertRefused(t, l.Wait(within(t)), time.Hour)
	})
	t.Run("and what one process had is not forgotten when it is given back", func(t *testing.T) {
		rdb, l := used(t, startRedis(t))
		_, err := l.ask(ctx, "ticket")
		require.NoError(t, err)
		l.giveBack(ctx, "ticket")
		require.NoError(t, newcomer(rdb).Wait(within(t)))
		assertRefused(t, newcomer(rdb).Wait(within(t)), time.Hour)
	})
}

func TestRedisDownFails(t *testing.T) {
	srv := startRedis(t)
	var log journal
	l := New(srv.client(), "k", 100, 10*time.Millisecond, log.logger())
	require.NoError(t, l.Wait(t.Context()))
	srv.kill()
	for range 5 {
		err := l.Wait(t.Context())
		require.ErrorContains(t, err, "redislimit: asking Redis: ")
		assert.NotErrorIs(t, err, secretsstore.ErrRateLimited)
	}
	srv.start()
	for l.Wait(t.Context()) != nil { // until the client has a new connection
		require.NoError(t, t.Context().Err())
	}
	require.NoError(t, l.Wait(t.Context()))
	assert.Equal(t, 1, strings.Count(log.String(), "can't be asked; calls fail"), log.String())
	assert.Equal(t, 1, strings.Count(log.String(), "Redis is back"), log.String())
}

func TestRedisDownFallsBack(t *testing.T) {
	srv := startRedis(t)
	rdb := srv.client()
	var log journal
	// Of 8 calls, 4 are this process' own.
	l := New(rdb, "k", 8, time.Hour, WithFallback(2), WithFreshStart(), log.logger())
	for range 3 {
		require.NoError(t, l.Wait(within(t)))
	}
	srv.kill()
	require.NoError(t, l.Wait(within(t)), "the last of its share")
	for range 5 {
		assertRefused(t, l.Wait(within(t)), time.Hour)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	assert.Contains(t, log.String(), "can't be asked; going on with this process' share")

	srv.start()
	l.outage.mu.Lock()
	l.outage.probe = time.Time{} // a second is over
	l.outage.mu.Unlock()
	_ = rdb.Ping(t.Context())
	assertRefused(t, l.Wait(within(t)), time.Hour)
	assert.Contains(t, log.String(), "Redis is back")
	assert.EqualValues(t, 1, rdb.ZCard(t.Context(), "{k}:granted").Val(), "Redis is told of the call that was made without it")
	assert.EqualValues(t, 1, strings.Count(log.String(), "not known"), log.String())
}
