package secretsstore

import (
	"context"
	"time"
)

// Hooks observe calls and attempts, for tracing and metrics. Start hooks run in the order
// in which they were added, and done hooks in reverse order. A start hook may return a
// derived context, in which the call or attempt then runs; nil keeps the current one. A
// nil field is skipped. Hooks run in the goroutine of the call and must be safe for
// concurrent use. No hook runs for a call with an invalid argument.
type Hooks struct {
	CallStart    func(context.Context, CallStart) context.Context
	CallDone     func(context.Context, CallDone)
	AttemptStart func(context.Context, AttemptStart) context.Context
	AttemptDone  func(context.Context, AttemptDone)
}

// A CallStart describes a call that starts.
type CallStart struct {
	Method string
	Route  string // a template such as /accounts/{account_id}/secrets_store/quota, never an id; "" for Do
}

// A CallDone describes a call that has ended.
type CallDone struct {
	Method, Route string
	StatusCode    int           // of the last response; 0 if there is none
	Attempts      int           // 0 if the call ended before the first attempt
	Duration      time.Duration // includes waits
	Err           error
}

// An AttemptStart describes an attempt that starts: the request is about to be sent.
type AttemptStart struct {
	Method, Route string
	Attempt       int           // from 1
	Waited        time.Duration // time spent waiting for a retry, the rate limit and the Limiter since the previous attempt
}

// An AttemptDone describes an attempt that has ended.
type AttemptDone struct {
	Method, Route string
	Attempt       int
	StatusCode    int           // 0 if there is no response
	Waited        time.Duration // as in AttemptStart
	Duration      time.Duration // without Waited
	RateLimit     *RateLimit    // nil if none was announced
	Err           error         // nil if a complete response was received, whatever its status
}

func callHooks(hooks []Hooks) layer {
	if len(hooks) == 0 {
		return nil
	}
	return func(next handler) handler {
		return func(ctx context.Context, c *call) (*Response, error) {
			started := time.Now()
			for i := range hooks {
				if f := hooks[i].CallStart; f != nil {
					ctx = derived(ctx, f(ctx, CallStart{Method: c.op.method, Route: c.op.template()}))
				}
			}
			resp, err := next(ctx, c)
			done := CallDone{Method: c.op.method, Route: c.op.template(), Attempts: c.made, Duration: time.Since(started), Err: err}
			if resp != nil {
				done.StatusCode = resp.StatusCode
			}
			for i := range hooks {
				if f := hooks[len(hooks)-1-i].CallDone; f != nil {
					f(ctx, done)
				}
			}
			return resp, err
		}
	}
}

func attemptHooks(hooks []Hooks) layer {
	if len(hooks) == 0 {
		return nil
	}
	return func(next handler) handler {
		return func(ctx context.Context, c *call) (*Response, error) {
			waited, started := c.waited, time.Now()
			c.waited = 0
			for i := range hooks {
				if f := hooks[i].AttemptStart; f != nil {
					ctx = derived(ctx, f(ctx, AttemptStart{Method: c.op.method, Route: c.op.template(), Attempt: c.attempt, Waited: waited}))
				}
			}
			resp, err := next(ctx, c)
			done := AttemptDone{Method: c.op.method, Route: c.op.template(), Attempt: c.attempt, Waited: waited, Duration: time.Since(started), Err: err}
			if resp != nil {
				done.StatusCode, done.RateLimit = resp.StatusCode, resp.RateLimit
			}
			for i := range hooks {
				if f := hooks[len(hooks)-1-i].AttemptDone; f != nil {
					f(ctx, done)
				}
			}
			return resp, err
		}
	}
}

// derived returns the context that a start hook returned, or ctx if it returned none.
func derived(ctx, hook context.Context) context.Context {
	if hook == nil {
		return ctx
	}
	return hook
}
