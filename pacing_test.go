package secretsstore

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/internal/ratelimit"
)

// limited returns an attempt whose response announces a rate limit with a window of 5
// minutes.
func limited(status, remaining int, reset time.Duration, headers ...string) attempt {
	a := respond(status, nil, headers...)
	a.resp.limits = []ratelimit.Limit{{Name: "default", Remaining: remaining, Quota: 1200, Reset: reset, Window: 5 * time.Minute}}
	return a
}

func TestPacingWaitsForTheReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &fakeNext{attempts: []attempt{limited(200, 0, 30*time.Second), limited(200, 1199, 5*time.Minute)}}
		handle := pacing(new(ratelimit.Gate))(next.handle)
		var records bytes.Buffer
		started := time.Now()
		for _, want := range []time.Duration{0, 30 * time.Second, 30 * time.Second} {
			c := newTestCall(patchOp)
			c.log = slog.New(slog.NewTextHandler(&records, nil))
			_, err := handle(t.Context(), c)
			require.NoError(t, err)
			assert.Equal(t, want, time.Since(started))
		}
		assert.Equal(t, 1, strings.Count(records.String(), "secretsstore: waiting"))
		assert.Contains(t, records.String(), `level=WARN msg="secretsstore: waiting" method=PATCH path=/path attempt=0 wait=30s reason="rate limit"`)
	})
}

func TestPacingWaitThatIsNotStarted(t *testing.T) {
	for _, tt := range []struct {
		name      string
		first     attempt
		maxWait   time.Duration
		unlimited bool
		deadline  time.Duration // 0: none
		want      time.Duration
		waits     bool
		text      string
	}{
		{name: "the default MaxWait", first: limited(200, 0, time.Minute), want: time.Minute, waits: true},
		{name: "longer", first: limited(200, 0, 61*time.Second), want: 61 * time.Second, text: "rate limited: next request allowed in 1m1s, which exceeds the maximum wait of 1m0s"},
		{name: "longer than MaxWait", first: limited(200, 0, 10*time.Second), maxWait: 9 * time.Second, want: 10 * time.Second},
		{name: "negative MaxWait", first: limited(200, 0, time.Second), maxWait: -1, want: time.Second, text: "rate limited: next request allowed in 1s"},
		{name: "before the deadline", first: limited(200, 0, 10*time.Second), deadline: 10*time.Second + 1, want: 10 * time.Second, waits: true},
		{name: "at the deadline", first: limited(200, 0, 10*time.Second), deadline: 10 * time.Second, want: 10 * time.Second, text: "rate limited: next request allowed in 10s, after the context's deadline"},
		{name: "only the context bounds it", first: limited(200, 0, 5*time.Minute), unlimited: true, want: 5 * time.Minute, waits: true},
		{name: "MaxWait beats that", first: limited(200, 0, 5*time.Minute), unlimited: true, maxWait: time.Minute, want: 5 * time.Minute},
		{name: "after a 429", first: respond(429, nil, "Retry-After: 300"), want: 5 * time.Minute},
		{name: "after a short 429", first: respond(429, nil, "Retry-After: 20"), want: 20 * time.Second, waits: true},
		{name: "after a 429 without Retry-After", first: respond(429, nil), waits: true},
		{name: "other statuses do not block the client", first: respond(503, nil, "Retry-After: 300"), waits: true},
		{name: "nor do rate-limit codes", first: respond(400, code(10429), "Retry-After: 300"), waits: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := &fakeNext{attempts: []attempt{tt.first, success}}
				handle := pacing(new(ratelimit.Gate))(next.handle)
				_, _ = handle(t.Context(), newTestCall(patchOp))
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				c := newTestCall(patchOp)
				c.options.retry.MaxWait, c.options.unlimitedWait = tt.maxWait, tt.unlimited
				started := time.Now()
				resp, err := handle(ctx, c)
				if tt.waits {
					require.NoError(t, err)
					assert.Equal(t, tt.want, time.Since(started))
					assert.Equal(t, tt.want, c.waited)
					return
				}
				assert.Zero(t, time.Since(started))
				assert.Len(t, next.at, 1, "nothing is sent")
				assert.Nil(t, resp)
				var wait *WaitError
				require.ErrorAs(t, err, &wait)
				assert.Equal(t, tt.want, wait.Wait)
				assert.ErrorIs(t, err, ErrRateLimited)
				assert.NotErrorIs(t, err, context.DeadlineExceeded)
				assert.Contains(t, err.Error(), tt.text)
			})
		})
	}
}

func TestPacingWaitsForRequestsInFlight(t *testing.T) {
	for _, tt := range []struct {
		name     string
		maxWait  time.Duration
		deadline time.Duration // 0: none
		waited   time.Duration // the request in flight takes 30 s
		is       error         // nil: success
	}{
		{name: "until one ends", waited: 30 * time.Second},
		{name: "at most MaxWait", maxWait: 20 * time.Second, waited: 20 * time.Second, is: ErrRateLimited},
		{name: "not with a negative MaxWait", maxWait: -1, is: ErrRateLimited},
		{name: "until the context ends", deadline: 10 * time.Second, waited: 10 * time.Second, is: context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := success
				slow.takes = 30 * time.Second
				next := &fakeNext{attempts: []attempt{limited(200, 1, 4*time.Minute), slow, success}}
				handle := pacing(new(ratelimit.Gate))(next.handle)
				_, err := handle(t.Context(), newTestCall(getOp))
				require.NoError(t, err)
				go func() { _, _ = handle(t.Context(), newTestCall(getOp)) }()
				synctest.Wait()

				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				var records bytes.Buffer
				c := newTestCall(getOp)
				c.log = slog.New(slog.NewTextHandler(&records, nil))
				c.options.retry.MaxWait = tt.maxWait
				started := time.Now()
				_, err = handle(ctx, c)
				assert.ErrorIs(t, err, tt.is)
				assert.Equal(t, tt.waited, time.Since(started))
				assert.Equal(t, tt.waited, c.waited)
				if tt.is == ErrRateLimited {
					var wait *WaitError
					require.ErrorAs(t, err, &wait)
					assert.Zero(t, wait.Wait, "it depends on the request in flight")
					assert.ErrorContains(t, err, "rate limited: all remaining requests are in flight")
				}
				if tt.waited > 0 {
					assert.Equal(t, 1, strings.Count(records.String(), `wait=0s reason="all remaining requests are in flight"`))
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// At the reset, requests remain again.
func TestPacingWaitsForRequestsInFlightUntilTheReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := success
		slow.takes = 30 * time.Second
		next := &fakeNext{attempts: []attempt{limited(200, 1, 5*time.Second), slow, success}}
		handle := pacing(new(ratelimit.Gate))(next.handle)
		_, err := handle(t.Context(), newTestCall(getOp))
		require.NoError(t, err)
		var calls sync.WaitGroup
		calls.Go(func() { _, _ = handle(t.Context(), newTestCall(getOp)) })
		synctest.Wait()
		started := time.Now()
		_, err = handle(t.Context(), newTestCall(getOp))
		require.NoError(t, err)
		assert.Equal(t, 5*time.Second, time.Since(started))
		calls.Wait()
	})
}

func TestWaitErrorIsJoinedWithTheLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &fakeNext{attempts: []attempt{limited(502, 0, 5*time.Minute)}}
		c := newTestCall(patchOp)
		resp, err := chain(next.handle, retry(new(budget), fixedToken), pacing(new(ratelimit.Gate)))(t.Context(), c)
		var wait *WaitError
		var apiErr *APIError
		require.ErrorAs(t, err, &wait)
		require.ErrorAs(t, err, &apiErr)
		assert.InDelta(t, 5*time.Minute, wait.Wait, float64(time.Second))
		assert.ErrorIs(t, err, ErrServer)
		assert.ErrorIs(t, err, ErrOutcomeUnknown)
		assert.Equal(t, 502, resp.StatusCode)
		assert.Equal(t, 1, c.made)
		assert.ErrorContains(t, err, "(previous error: ")
	})
}

func TestWaitErrorIsJoinedWithALostAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := new(ratelimit.Gate)
		next := func(context.Context, *call) (*Response, error) {
			gate.Enter(time.Now()) // another call, which gets a 429
			gate.Leave(time.Now(), nil, 2*time.Minute)
			return nil, lost.err
		}
		resp, err := chain(next, retry(new(budget), fixedToken), pacing(gate))(t.Context(), newTestCall(getOp))
		assert.Nil(t, resp)
		assert.ErrorAs(t, err, new(*WaitError))
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

// A retry waits once: for Retry-After, which the gate then finds over.
func TestRetryAfterAndTheGateAreOneWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &fakeNext{attempts: []attempt{limited(429, 0, 30*time.Second, "Retry-After: 30"), limited(200, 1199, 5*time.Minute)}}
		c := newTestCall(createOp)
		started := time.Now()
		_, err := chain(next.handle, retry(new(budget), fixedToken), pacing(new(ratelimit.Gate)))(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, 30*time.Second, time.Since(started))
		assert.Equal(t, 30*time.Second, c.waited)
	})
}

func TestPacingReleasesEveryRequest(t *testing.T) {
	for _, tt := range []struct {
		name string
		next handler
	}{
		{"a request that is not sent", func(_ context.Context, c *call) (*Response, error) { return nil, c.ended(io.EOF) }},
		{"a lost response", func(context.Context, *call) (*Response, error) { return nil, lost.err }},
		{"user code that panics", func(context.Context, *call) (*Response, error) { panic("user code") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := new(ratelimit.Gate)
				_, err := pacing(gate)((&fakeNext{attempts: []attempt{limited(200, 1, 4*time.Minute)}}).handle)(t.Context(), newTestCall(getOp))
				require.NoError(t, err)
				for range 10 {
					func() {
						defer func() { _ = recover() }()
						_, _ = pacing(gate)(tt.next)(t.Context(), newTestCall(getOp))
					}()
				}
				started := time.Now()
				_, err = pacing(gate)((&fakeNext{attempts: []attempt{success}}).handle)(t.Context(), newTestCall(getOp))
				require.NoError(t, err)
				assert.Zero(t, time.Since(started))
			})
		})
	}
}
