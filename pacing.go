package secretsstore

import (
	"context"
	"net/http"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/internal/ratelimit"
)

// pacing delays requests while the API allows none, and after a 429.
func pacing(gate *ratelimit.Gate) layer {
	if gate == nil {
		return nil
	}
	return func(next handler) handler {
		return func(ctx context.Context, c *call) (resp *Response, err error) {
			if err := c.enter(ctx, gate); err != nil {
				return nil, c.ended(err)
			}
			defer func() { leave(gate, resp) }() // even if user code panics
			return next(ctx, c)
		}
	}
}

// enter returns when the next request may be sent, and counts it.
func (c *call) enter(ctx context.Context, gate *ratelimit.Gate) error {
	longest := c.options.maxWait()
	left := longest // of the wait for requests in flight
	reason := "all remaining requests are in flight"
	for {
		wait, changed := gate.Enter(time.Now())
		switch {
		case wait == 0:
			return nil
		case changed != nil: // how long depends on the requests in flight
			if longest < 0 {
				return &WaitError{limit: ", and waiting is disabled"}
			}
			if left <= 0 {
				return &WaitError{limit: ", gave up after the maximum wait of " + longest.String()}
			}
			started := time.Now()
			if err := c.wait(ctx, min(left, wait), changed, reason); err != nil {
				return err
			}
			left -= time.Since(started)
			reason = "" // logged once
			continue
		case longest < 0:
			return &WaitError{Wait: wait, limit: ", and waiting is disabled"}
		case wait > longest:
			return &WaitError{Wait: wait, limit: ", which exceeds the maximum wait of " + longest.String()}
		case !endsBefore(ctx, wait):
			return &WaitError{Wait: wait, limit: ", after the context's deadline"}
		}
		if err := c.wait(ctx, wait, nil, "rate limit"); err != nil {
			return err
		}
	}
}

// leave records the response to a request, nil if there was none.
func leave(gate *ratelimit.Gate, resp *Response) {
	now := time.Now()
	var limits []ratelimit.Limit
	var block time.Duration
	if resp != nil {
		limits = resp.limits
		if resp.StatusCode == http.StatusTooManyRequests {
			block = ratelimit.RetryAfter(resp.Header, now)
		}
	}
	gate.Leave(now, limits, block)
}
