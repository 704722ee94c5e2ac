package secretsstore

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/internal/ratelimit"
)

// A RetryPolicy controls how often a call is attempted and how long it waits. A zero field
// means the client's value or, if that is zero too, the default. Negative values are
// [ErrInvalidArgument], except for MaxWait.
//
// A call is retried if the connection failed, if the attempt timed out, if the body of a 2xx
// response is truncated, and after status 408, 429 and 5xx except 501. An error of the API
// that means "rate limited" counts as a 429, also with another 2xx or 4xx status. GET, PUT, DELETE
// and [SecretsService.Patch] are idempotent and are retried in all these cases. Creates and
// duplicates are retried only if the request was not applied: it was not sent, or its
// response was a 429 or 503. For POST and PATCH of Do see [Client.Do]. A certificate that is
// not trusted, a proxy that requires authentication, and errors of a [Limiter] or
// [TokenSource] end the call.
//
// The delay before a retry is Retry-After if the response has one. Otherwise it is random
// between 0 and min(MaxBackoff, BaseBackoff·2ⁿ) before retry n, counted from 0
// (exponential backoff with full jitter). The client never starts a wait that would exceed
// the context's deadline.
//
// All calls of a client share a retry budget of 500 tokens. A retry takes 5, a successful
// call returns 1, and while fewer than 5 remain nothing is retried.
type RetryPolicy struct {
	// MaxAttempts includes the first attempt. The default is 4; 1 disables retries.
	MaxAttempts int
	// BaseBackoff is the upper bound of the first, random delay. The default is 500 ms.
	BaseBackoff time.Duration
	// MaxBackoff is the upper bound of every random delay. The default is 20 s.
	MaxBackoff time.Duration
	// MaxWait is the longest wait for Retry-After or for the rate limit. If a longer wait
	// is needed, the call fails at once with the error of the last response or a
	// *WaitError. The default is 60 s. If it is negative, the client never waits for
	// either; backoff is not affected. By default, only the context bounds these waits in
	// PatchEach and WaitActive.
	MaxWait time.Duration
}

const (
	defaultMaxAttempts = 4
	defaultBaseBackoff = 500 * time.Millisecond
	defaultMaxBackoff  = 20 * time.Second
	defaultMaxWait     = 60 * time.Second
)

// or returns p with its zero fields set to those of q.
func (p RetryPolicy) or(q RetryPolicy) RetryPolicy {
	return RetryPolicy{
		MaxAttempts: cmp.Or(p.MaxAttempts, q.MaxAttempts),
		BaseBackoff: cmp.Or(p.BaseBackoff, q.BaseBackoff),
		MaxBackoff:  cmp.Or(p.MaxBackoff, q.MaxBackoff),
		MaxWait:     cmp.Or(p.MaxWait, q.MaxWait),
	}
}

func (p RetryPolicy) check() error {
	for _, field := range []struct {
		name  string
		value int64
	}{
		{"max_attempts", int64(p.MaxAttempts)},
		{"base_backoff", int64(p.BaseBackoff)},
		{"max_backoff", int64(p.MaxBackoff)},
	} {
		if field.value < 0 {
			return invalid("retry_policy."+field.name, "must not be negative")
		}
	}
	return nil
}

// backoff returns the delay before retry n, counted from 0.
func (p RetryPolicy) backoff(n int) time.Duration {
	bound := cmp.Or(p.MaxBackoff, defaultMaxBackoff)
	if base := cmp.Or(p.BaseBackoff, defaultBaseBackoff); n < 32 && base < bound>>n {
		bound = base << n
	}
	return rand.N(min(bound, math.MaxInt64-1) + 1)
}

// maxWait returns the longest wait that this call may start.
func (o *callOptions) maxWait() time.Duration {
	if o.retry.MaxWait == 0 && o.unlimitedWait {
		return math.MaxInt64
	}
	return cmp.Or(o.retry.MaxWait, defaultMaxWait)
}

// retry repeats attempts. It is the only retry loop: send prevents net/http from repeating
// requests on its own.
func retry(b *budget, cred *credential) layer {
	return func(next handler) handler {
		return func(ctx context.Context, c *call) (*Response, error) {
			var h history
			for c.attempt = 1; ; {
				resp, err := c.try(ctx, next)
				if isEnded(err) {
					return h.resp, h.fail(&c.op, err)
				}
				c.made++
				if err == nil || h.applied && c.op.gone != nil && isAPIError(err, c.op.gone) {
					b.deposit()
					return resp, nil
				}
				h.add(resp, err)
				again, err := c.prepareRetry(ctx, resp, &h, cred, b)
				if !again {
					return h.resp, h.fail(&c.op, err)
				}
			}
		}
	}
}

// try makes an attempt unless ctx has ended.
func (c *call) try(ctx context.Context, next handler) (*Response, error) {
	if err := contextError(ctx); err != nil {
		return nil, c.ended(err)
	}
	return next(ctx, c)
}

// prepareRetry reports whether to make another attempt, and waits for it. A non-nil error
// says why the call ends instead.
func (c *call) prepareRetry(ctx context.Context, resp *Response, h *history, cred *credential, b *budget) (bool, error) {
	if err := contextError(ctx); err != nil {
		if errors.Is(h.err, ctx.Err()) && errors.Is(h.err, context.Cause(ctx)) {
			return false, nil // the error of the attempt says so
		}
		return false, c.ended(err)
	}
	if c.attempt >= cmp.Or(c.options.retry.MaxAttempts, defaultMaxAttempts) {
		return false, nil
	}
	delay, reason := c.options.retry.backoff(c.attempt-1), "no response"
	c.attempt++
	if isAPIError(h.err, ErrUnauthorized) && !h.renewed {
		h.renewed = true
		changed, err := c.renew(ctx, cred)
		if err != nil {
			err = c.ended(err)
		}
		return changed, err
	}
	if !c.isRetryable(resp, h.err) {
		return false, nil
	}
	if resp != nil {
		reason = statusText(resp.StatusCode)
		if after := ratelimit.RetryAfter(resp.Header, time.Now()); after > 0 {
			if after > c.options.maxWait() {
				return false, nil
			}
			delay = after
		}
	}
	if !endsBefore(ctx, delay) || !b.withdraw() {
		return false, nil
	}
	if err := c.wait(ctx, delay, nil, reason); err != nil {
		return false, c.ended(err)
	}
	return true, nil
}

// isRetryable reports whether another attempt is safe and may succeed.
func (c *call) isRetryable(resp *Response, err error) bool {
	if resp == nil {
		state := requestState(err)
		return state == requestUnsent || state == requestSent && c.op.idempotent
	}
	switch status := effectiveStatus(resp, err); {
	case status == http.StatusTooManyRequests:
		return true
	case status == http.StatusServiceUnavailable:
		return c.op.idempotent || c.op.retry503
	case status/100 == 2:
		return c.op.idempotent && errors.Is(err, errTruncated)
	default:
		return c.op.idempotent && (status == http.StatusRequestTimeout || status >= 500 && status != http.StatusNotImplemented)
	}
}

// effectiveStatus returns the status of a response. An error that means "rate limited"
// counts as 429 whatever the status was.
func effectiveStatus(resp *Response, err error) int {
	if isAPIError(err, ErrRateLimited) {
		return http.StatusTooManyRequests
	}
	return resp.StatusCode
}

// mayBeApplied reports whether an attempt that failed with err may have been applied.
func mayBeApplied(resp *Response, err error) bool {
	if resp == nil {
		return requestState(err) == requestSent
	}
	switch status := effectiveStatus(resp, err); {
	case status/100 == 2:
		_, refused := err.(*APIError)
		return !refused
	case status == http.StatusServiceUnavailable:
		return false
	default:
		return status == http.StatusRequestTimeout || status >= 500
	}
}

// A history records the attempts of a call.
type history struct {
	resp        *Response // the last response
	err         error     // of the last attempt
	apiErr      error     // the last *APIError
	applied     bool      // an attempt may have been applied
	unavailable bool      // the response to an attempt was a 503
	renewed     bool      // the token source was asked again
}

func (h *history) add(resp *Response, err error) {
	h.err = err
	h.applied = h.applied || mayBeApplied(resp, err)
	if resp != nil {
		h.resp = resp
		h.unavailable = h.unavailable || resp.StatusCode == http.StatusServiceUnavailable
	}
	if _, ok := err.(*APIError); ok {
		h.apiErr = err
	}
}

// fail returns the error of a call that failed. ended is why it made no further attempt,
// nil if that needs no explanation.
func (h *history) fail(op *operation, ended error) error {
	err := after(ended, after(h.err, h.apiErr))
	// What exists may have been created by an earlier attempt whose response was a 503.
	exists := h.unavailable && !op.idempotent && (isAPIError(h.err, ErrAlreadyExists) || isAPIError(h.err, ErrQuotaExceeded))
	if (h.applied || exists) && op.method != http.MethodGet {
		err = &outcomeError{err: err, idempotent: op.idempotent}
	}
	return err
}

// A budget limits the retries of all calls of a client, so that an outage is not made
// worse. The zero budget is full.
type budget struct{ spent atomic.Int64 }

const (
	budgetTokens  = 500
	retryTokens   = 5
	successTokens = 1
)

// withdraw takes the tokens of a retry and reports whether there were enough.
func (b *budget) withdraw() bool {
	if b.spent.Add(retryTokens) > budgetTokens {
		b.spent.Add(-retryTokens)
		return false
	}
	return true
}

// deposit returns the tokens of a success.
func (b *budget) deposit() {
	for spent := b.spent.Load(); spent > 0 && !b.spent.CompareAndSwap(spent, spent-successTokens); spent = b.spent.Load() {
	}
}
