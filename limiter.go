package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Limiter limits the rate of attempts: the client calls Wait before each of them.
// *rate.Limiter of golang.org/x/time/rate implements it. Wait returns nil when the request
// may be sent. An error ends the call and matches [ErrRateLimited], unless the context has
// ended. A limiter that knows how long to wait should return a [*WaitError]. MaxWait of
// [RetryPolicy] does not apply; only the context bounds Wait. Wait must be safe for
// concurrent use.
type Limiter interface {
	Wait(ctx context.Context) error
}

func limiter(l Limiter) layer {
	if l == nil {
		return nil
	}
	return func(next handler) handler {
		return func(ctx context.Context, c *call) (*Response, error) {
			started := time.Now()
			err := l.Wait(ctx)
			c.waited += time.Since(started)
			switch {
			case err == nil:
				return next(ctx, c)
			case ctx.Err() == nil && !errors.Is(err, ErrRateLimited):
				err = fmt.Errorf("%w: %w", ErrRateLimited, err)
			}
			return nil, c.ended(fmt.Errorf("limiter: %w", withContext(ctx, err)))
		}
	}
}
