package redislimit

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-57d84f87/secretsstore-go"
)

// Limiter lets at most a number of calls go in any window of time, over all
// processes that have one with the same key on the same Redis. It is made by
// [New], and safe for concurrent use.
type Limiter struct {
	rdb     redis.Scripter
	keys    []string
	limit   int
	window  time.Duration // what is kept, which is a little more than what was asked for
	fresh   bool
	logger  *slog.Logger
	share   *share // nil: without Redis there are no calls
	invalid error  // what Wait returns, where New was asked for what can't be

	id      string // of this Limiter, part of its tickets
	tickets atomic.Uint64
	outage  outage
	memory  memory
}

var _ secretsstore.Limiter = (*Limiter)(nil)

// New returns a Limiter that lets at most limit calls go in any window, together
// with all others that have the same key on the same Redis. They must be told the
// same limit and window. The key is the start of the names under which Redis holds
// what it needs; it stands in braces there, so that in a cluster it is all on one
// node.
//
// rdb is a *redis.Client, *redis.ClusterClient or *redis.Ring. How long it takes
// until Redis counts as down is up to its options: DialTimeout, ReadTimeout,
// MaxRetries.
//
// What can't be is said by Wait, with an error that matches
// [secretsstore.ErrInvalidArgument]: no rdb, an empty key or one that begins with a
// brace that closes, a limit below 1, a window below 1 ms or above 24 h.
func New(rdb redis.Scripter, key string, limit int, window time.Duration, opts ...Option) *Limiter {
	key = "{" + key + "}"
	l := &Limiter{
		rdb:    rdb,
		keys:   []string{key, key + ":granted", key + ":queue", key + ":due"},
		limit:  limit,
		window: window + window/margin,
		logger: slog.Default(),
		id:     rand.Text()[:16],
	}
	switch {
	case rdb == nil:
		l.invalid = invalid("rdb is nil")
	case key == "{}":
		l.invalid = invalid("key is empty")
	case key[1] == '}':
		l.invalid = invalid("key %q begins with }", key[1:len(key)-1])
	case limit < 1:
		l.invalid = invalid("limit is %d: it can't be below 1", limit)
	case window < time.Millisecond || window > maxWindow:
		l.invalid = invalid("window is %v: it is from 1ms to %v", window, maxWindow)
	}
	for _, opt := range opts {
		if opt != nil && l.invalid == nil {
			l.invalid = opt(l)
		}
	}
	return l
}

const (
	// margin is the part of a window by which it is kept longer: calls take
	// unequally long from the grant to where they are counted.
	margin    = 100
	maxWindow = 24 * time.Hour
	// keep is how long Redis remembers that a limit was not used.
	keep = 30 * 24 * time.Hour
	// giveBackTimeout is the longest that a call which has ended waits for its place
	// in the queue to be given back. Where that fails it is lost.
	giveBackTimeout = time.Second
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("redislimit: %w: %w", secretsstore.ErrInvalidArgument, fmt.Errorf(format, args...))
}

// Wait returns nil as soon as a call may be made, which is to be made at once.
//
// A wait that is longer than the context's deadline allows is not begun: the error
// is a [*secretsstore.WaitError], which matches [secretsstore.ErrRateLimited] and
// not [context.DeadlineExceeded]. A context that ends gives its own error, and the
// place in the queue is given back. Where Redis can't be asked, the error wraps
// what the client said, unless [WithFallback] says otherwise.
func (l *Limiter) Wait(ctx context.Context) error {
	_, err := l.wait(ctx)
	return err
}

// wait is Wait, and tells the time of the grant by Redis' clock, in microseconds;
// 0 where Redis was not asked.
func (l *Limiter) wait(ctx context.Context) (at int64, err error) {
	if l.invalid != nil {
		return 0, l.invalid
	}
	if err := ended(ctx); err != nil {
		return 0, err
	}
	ticket := l.id + ":" + strconv.FormatUint(l.tickets.Add(1), 36)
	for {
		if l.share != nil && !l.outage.mayAsk() {
			again, err := l.share.wait(ctx, ticket, l.outage.isOver)
			if again {
				continue
			}
			return 0, err
		}
		a, err := l.ask(ctx, ticket)
		if err == nil && a.verdict == toWait && tooLong(ctx, a.wait) {
			l.giveBack(ctx, ticket)
			a.verdict = refused
		}
		switch over := ended(ctx); {
		case over != nil:
			l.giveBack(ctx, ticket)
			return 0, over
		case err != nil && l.share == nil:
			return 0, fmt.Errorf("redislimit: asking Redis: %w", err)
		case err != nil:
			// The next round is without Redis.
		case a.verdict == granted:
			return a.now, nil
		case a.verdict == refused:
			return 0, &secretsstore.WaitError{Wait: a.wait}
		default:
			if err := sleep(ctx, a.wait); err != nil {
				l.giveBack(ctx, ticket)
				return 0, err
			}
		}
	}
}

// ended is why ctx has ended, if it has. A client may notice a deadline before the
// context does.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if tooLong(ctx, 0) {
		return context.DeadlineExceeded
	}
	return nil
}

// tooLong says whether ctx ends before a wait does.
func tooLong(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= wait
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
