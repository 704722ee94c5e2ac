package redislimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/seed-57d84f87/secretsstore-go"
)

// A Limiter is a [secretsstore.Limiter] that several processes share. Create one with
// [New]. It is safe for concurrent use.
type Limiter struct {
	redis *redis_rate.Limiter
	key   string
	limit redis_rate.Limit // in parts of a request
	part  time.Duration    // limit.Period / limit.Rate
	burst time.Duration    // until a burst that was used up is available again
	local *rate.Limiter    // nil: no fallback
}

const (
	parts    = 100     // per request, so that deadlines are exact to a hundredth of the interval between requests
	maxParts = 1 << 30 // of all waiting requests, about ten million

	spare   = 10 * time.Millisecond // before a deadline, for the reply of Redis and for the request
	timeout = time.Second           // of Redis, if there is a fallback
)

// An Option configures a [Limiter]. A nil Option is skipped.
type Option func(*config)

type config struct{ burst, processes int }

// WithBurst sets how many requests are granted at once after a pause, from 1 to limit-1. The
// default is a twentieth of the limit, at least 1. All other requests are granted at a constant
// rate of limit-n per window.
func WithBurst(n int) Option { return func(c *config) { c.burst = n } }

// WithFallback sets the number of processes that share the limit. While Redis returns an
// error, or does not reply within 1 s (or half of the time until the deadline, if that is
// shorter), each process keeps to its own share of (limit-burst)/processes requests per window.
// By default, or if processes is 0, Wait then returns an error.
func WithFallback(processes int) Option { return func(c *config) { c.processes = processes } }

// New returns a Limiter that grants at most limit requests in any interval of length window,
// together with all others that use the same key of the same Redis. All of them must have
// the same limit, window and burst. In Redis, the name of the key is "rate:" followed by key.
//
// It returns an error if rdb is nil, key is empty, limit is less than 2, window is shorter
// than limit microseconds, or an option is out of range.
func New(rdb redis.UniversalClient, key string, limit int, window time.Duration, opts ...Option) (*Limiter, error) {
	cfg := config{burst: max(1, limit/20)}
	for _, opt := range opts {
		if opt != nil {
			opt(&cfg)
		}
	}
	burst := cfg.burst
	switch {
	case rdb == nil || key == "":
		return nil, errors.New("redislimit: a Redis client and a key are required")
	case limit < 2:
		return nil, fmt.Errorf("redislimit: limit is %d, must be at least 2", limit)
	case burst < 1 || burst >= limit:
		return nil, fmt.Errorf("redislimit: burst is %d, must be from 1 to %d", burst, limit-1)
	case window < time.Duration(limit)*time.Microsecond:
		return nil, fmt.Errorf("redislimit: window is %v, too short for a limit of %d", window, limit)
	case cfg.processes < 0:
		return nil, fmt.Errorf("redislimit: processes is %d, must not be negative", cfg.processes)
	}
	interval := float64(window) / float64(limit-burst)
	l := &Limiter{
		redis: redis_rate.NewLimiter(rdb),
		key:   key,
		limit: redis_rate.Limit{Rate: (limit - burst) * parts, Burst: burst * parts, Period: window},
		part:  time.Duration(interval / parts),
		burst: time.Duration(interval * float64(burst)),
	}
	if cfg.processes > 0 {
		l.local = rate.NewLimiter(rate.Limit(float64(time.Second)/interval/float64(cfg.processes)), 1)
	}
	return l, nil
}

// Wait returns nil when the request may be sent. Requests are granted in the order in which
// they reach Redis. A request that would be granted after the deadline of ctx fails at once with a
// [*secretsstore.WaitError]. It does not count against the limit, unless Redis replied so
// late that a deadline can no longer be met. Wait returns the error of ctx as soon as ctx
// ends, even if Redis does not reply; the request may still be counted. Any other error is that
// of go-redis.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wait, err := l.reserve(ctx)
	if err != nil {
		return err
	}
	if wait >= untilDeadline(ctx) { // the reply was slow
		return tooLate(wait)
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reserve reserves a time for a request and returns how long to wait until then.
//
// Redis grants requests within a burst and refuses all others. reserve enlarges the burst by
// the requests that are due before the deadline. Redis then grants every request that is due
// before its deadline. How much of the larger burst is used up shows how long it must wait.
func (l *Limiter) reserve(ctx context.Context) (time.Duration, error) {
	early := min(max((untilDeadline(ctx)-spare)/l.part, 0), maxParts)
	limit := l.limit
	limit.Burst += int(early)
	reply, err := l.ask(ctx, limit)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case err != nil && l.local != nil:
		turn := l.local.Reserve()
		wait := turn.Delay()
		if wait >= untilDeadline(ctx) {
			turn.Cancel()
			return 0, tooLate(wait)
		}
		return wait, nil
	case err != nil:
		return 0, fmt.Errorf("redislimit: %w", err)
	case reply.Allowed == 0:
		return 0, tooLate(early*l.part + reply.RetryAfter)
	}
	return reply.ResetAfter - l.burst, nil
}

// ask returns the reply of Redis, or an error when ctx ends. go-redis can take longer: by
// default it ignores the context while it waits for a reply. It therefore runs in another
// goroutine, which ends when go-redis returns. At most PoolSize of them remain, because
// go-redis honors the context while it waits for a connection.
func (l *Limiter) ask(ctx context.Context, limit redis_rate.Limit) (*redis_rate.Result, error) {
	if l.local != nil {
		limited, cancel := context.WithTimeout(ctx, min(timeout, untilDeadline(ctx)/2))
		defer cancel()
		ctx = limited
	}
	var reply *redis_rate.Result
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		reply, err = l.redis.AllowN(ctx, l.key, limit, parts)
	}()
	select {
	case <-done:
		if err == nil || untilDeadline(ctx) > 0 {
			return reply, err
		}
		<-ctx.Done() // go-redis can notice the deadline first
	case <-ctx.Done():
	}
	return nil, ctx.Err()
}

func untilDeadline(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return math.MaxInt64
}

func tooLate(wait time.Duration) error {
	return fmt.Errorf("%w, after the context's deadline", &secretsstore.WaitError{Wait: wait})
}
