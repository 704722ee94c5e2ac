package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/internal/ratelimit"
)

// observed returns the layers that matter to hooks on a fake next.
func observed(next handler, hooks ...Hooks) handler {
	return chain(next, callHooks(hooks), retry(new(budget), fixedToken), decode, attemptHooks(hooks))
}

func TestHooksDescribeCallsAndAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const second = time.Second
		var events []any
		hooks := Hooks{
			CallStart:    func(_ context.Context, e CallStart) context.Context { events = append(events, e); return nil },
			CallDone:     func(_ context.Context, e CallDone) { events = append(events, e) },
			AttemptStart: func(_ context.Context, e AttemptStart) context.Context { events = append(events, e); return nil },
			AttemptDone:  func(_ context.Context, e AttemptDone) { events = append(events, e) },
		}
		busy := respond(429, nil, "Retry-After: 5")
		busy.takes, busy.err = second, nil // the error is that of decode
		limits := &RateLimit{Name: "default", Quota: 1200, Reset: 30 * second, Window: 300 * second}
		busy.resp.RateLimit = limits
		fail := attempt{err: lost.err, takes: 2 * second}
		done := attempt{resp: success.resp, takes: 3 * second}
		next := &fakeNext{attempts: []attempt{busy, fail, done}}
		c := newTestCall(patchOp)
		c.options.retry = RetryPolicy{BaseBackoff: 1, MaxBackoff: 1}
		_, err := observed(next.handle, hooks)(t.Context(), c)
		require.NoError(t, err)

		const m, route = "PATCH", "/accounts/{account_id}/secrets_store/stores/{store_id}/secrets/{secret_id}"
		require.Len(t, events, 8)
		backoff := events[5].(AttemptStart).Waited
		assert.LessOrEqual(t, backoff, time.Duration(1))
		assert.Equal(t, []any{
			CallStart{m, route},
			AttemptStart{m, route, 1, 0},
			AttemptDone{Method: m, Route: route, Attempt: 1, StatusCode: 429, Duration: second, RateLimit: limits},
			AttemptStart{m, route, 2, 5 * second},
			AttemptDone{Method: m, Route: route, Attempt: 2, Waited: 5 * second, Duration: 2 * second, Err: lost.err},
			AttemptStart{m, route, 3, backoff},
			AttemptDone{Method: m, Route: route, Attempt: 3, StatusCode: 200, Waited: backoff, Duration: 3 * second},
			CallDone{m, route, 200, 3, (1+5+2+3)*second + backoff, nil},
		}, events)
	})
}

func TestHooksOfACallThatFails(t *testing.T) {
	for _, tt := range []struct {
		name             string
		op               operation
		attempt          attempt
		status, attempts int
		route            string
	}{
		{name: "an error of the API", op: getOp, attempt: respond(404, nil), status: 404, attempts: 1, route: secretRoute},
		{name: "no response", op: createOp, attempt: lost, attempts: 1, route: secretsRoute},
		{name: "ended before the attempt", op: getOp, attempt: noResponse(requestEnded, io.EOF), route: secretRoute},
		{name: "a path of Do can hold ids", op: doPostOp, attempt: respond(404, nil), status: 404, attempts: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var done CallDone
			hooks := Hooks{CallDone: func(_ context.Context, e CallDone) { done = e }}
			_, err := observed((&fakeNext{attempts: []attempt{tt.attempt}}).handle, hooks)(t.Context(), newTestCall(tt.op))
			require.Error(t, err)
			done.Duration = 0
			assert.Equal(t, CallDone{Method: tt.op.method, Route: tt.route, StatusCode: tt.status, Attempts: tt.attempts, Err: err}, done)
		})
	}
}

type hookKey struct{}

func TestHooksRunInOrderWithDerivedContexts(t *testing.T) {
	var events []string
	seen := func(event string, ctx context.Context) {
		events = append(events, fmt.Sprintf("%s %v", event, ctx.Value(hookKey{})))
	}
	derive := func(event string, ctx context.Context) context.Context {
		seen(event, ctx)
		return context.WithValue(ctx, hookKey{}, fmt.Sprintf("%v>%s", ctx.Value(hookKey{}), event))
	}
	hook := func(name string) Hooks {
		return Hooks{
			CallStart:    func(ctx context.Context, _ CallStart) context.Context { return derive("call "+name, ctx) },
			CallDone:     func(ctx context.Context, _ CallDone) { seen("call done "+name, ctx) },
			AttemptStart: func(ctx context.Context, _ AttemptStart) context.Context { return derive("attempt "+name, ctx) },
			AttemptDone:  func(ctx context.Context, _ AttemptDone) { seen("attempt done "+name, ctx) },
		}
	}
	keeps := Hooks{
		CallStart:    func(context.Context, CallStart) context.Context { return nil },
		AttemptStart: func(context.Context, AttemptStart) context.Context { return nil },
	}
	next := func(ctx context.Context, _ *call) (*Response, error) {
		seen("request", ctx)
		return success.resp, nil
	}
	_, err := observed(next, hook("a"), Hooks{}, keeps, hook("b"))(context.WithValue(t.Context(), hookKey{}, "ctx"), newTestCall(getOp))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"call a ctx",
		"call b ctx>call a",
		"attempt a ctx>call a>call b",
		"attempt b ctx>call a>call b>attempt a",
		"request ctx>call a>call b>attempt a>attempt b",
		"attempt done b ctx>call a>call b>attempt a>attempt b",
		"attempt done a ctx>call a>call b>attempt a>attempt b",
		"call done b ctx>call a>call b",
		"call done a ctx>call a>call b",
	}, events)
}

// A derived context can end the call.
func TestContextOfAHookEndsTheCall(t *testing.T) {
	cause := errors.New("too slow")
	hooks := Hooks{CallStart: func(ctx context.Context, _ CallStart) context.Context {
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(cause)
		return ctx
	}}
	next := &fakeNext{attempts: []attempt{success}}
	_, err := observed(next.handle, hooks)(t.Context(), newTestCall(getOp))
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, cause)
	assert.Empty(t, next.at)
}

func TestPanicsOfHooksSurfaceAndReleaseTheRequest(t *testing.T) {
	for name, hooks := range map[string]Hooks{
		"CallStart":    {CallStart: func(context.Context, CallStart) context.Context { panic("hook") }},
		"CallDone":     {CallDone: func(context.Context, CallDone) { panic("hook") }},
		"AttemptStart": {AttemptStart: func(context.Context, AttemptStart) context.Context { panic("hook") }},
		"AttemptDone":  {AttemptDone: func(context.Context, AttemptDone) { panic("hook") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate, one := new(ratelimit.Gate), limited(200, 1, time.Minute)
				next := (&fakeNext{attempts: []attempt{one}}).handle
				_, err := pacing(gate)(next)(t.Context(), newTestCall(getOp))
				require.NoError(t, err)
				handle := chain(next, callHooks([]Hooks{hooks}), pacing(gate), attemptHooks([]Hooks{hooks}))
				for range 3 {
					assert.PanicsWithValue(t, "hook", func() { _, _ = handle(t.Context(), newTestCall(getOp)) })
				}
				started := time.Now()
				_, err = pacing(gate)(next)(t.Context(), newTestCall(getOp))
				require.NoError(t, err)
				assert.Zero(t, time.Since(started))
			})
		})
	}
}
