package secretsstore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

func TestLimiterIsWaitedForBeforeEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &fakeNext{attempts: []attempt{respond(429, nil, "Retry-After: 1"), success}}
		waits := 0
		l := limiterFunc(func(context.Context) error {
			assert.Len(t, next.at, waits)
			waits++
			time.Sleep(3 * time.Second)
			return nil
		})
		c := newTestCall(getOp)
		_, err := chain(next.handle, retry(new(budget), fixedToken), limiter(l))(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, 2, waits)
		assert.Equal(t, (3+1+3)*time.Second, c.waited)
	})
}

func TestLayersThatAreNotNeededAreOmitted(t *testing.T) {
	assert.Nil(t, limiter(nil))
	assert.Nil(t, pacing(nil))
	assert.Nil(t, callHooks(nil))
	assert.Nil(t, attemptHooks(nil))
	assert.Nil(t, logAttempts(nil))
}

func TestLimiterErrorEndsTheCall(t *testing.T) {
	errFull, cause := errors.New("rate: Wait(n=1) would exceed context deadline"), errors.New("shutdown")
	for _, tt := range []struct {
		name      string
		err       error
		canceled  bool
		is, isNot []error
	}{
		{name: "any error is a rate limit", err: errFull, is: []error{errFull, ErrRateLimited}, isNot: []error{context.DeadlineExceeded}},
		{name: "a WaitError stays one", err: &WaitError{Wait: time.Minute}, is: []error{ErrRateLimited}},
		{name: "the context has ended", err: context.Canceled, canceled: true, is: []error{context.Canceled, cause}, isNot: []error{ErrRateLimited}},
		{name: "the context has ended, whatever the error", err: errFull, canceled: true, is: []error{errFull, context.Canceled, cause}, isNot: []error{ErrRateLimited}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			next := &fakeNext{attempts: []attempt{success}}
			l := limiterFunc(func(context.Context) error {
				if tt.canceled {
					cancel(cause)
				}
				return tt.err
			})
			c := newTestCall(createOp)
			resp, err := chain(next.handle, retry(new(budget), fixedToken), limiter(l))(ctx, c)
			assert.Nil(t, resp)
			assert.Empty(t, next.at)
			assert.Equal(t, 0, c.made)
			assert.ErrorContains(t, err, "limiter: ")
			for _, target := range tt.is {
				assert.ErrorIs(t, err, target)
			}
			for _, target := range append(tt.isNot, ErrOutcomeUnknown) {
				assert.NotErrorIs(t, err, target)
			}
			var wait, want *WaitError
			assert.Equal(t, errors.As(tt.err, &want), errors.As(err, &wait))
			assert.Equal(t, want, wait)
		})
	}
}
