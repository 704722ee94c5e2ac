package secretsstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

var errShutdown = errors.New("shutting down")

func TestContextEndedBeforeTheCall(t *testing.T) {
	api := respondWith(response(200, secretBody))
	client := newClient(t, api)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errShutdown)
	for name, call := range methods {
		_, err := call(arguments{ctx: ctx, client: client, store: storeID, secret: secretID})
		assert.ErrorIs(t, err, context.Canceled, name)
		assert.ErrorIs(t, err, errShutdown, name)
		assert.NotErrorIs(t, err, secretsstore.ErrOutcomeUnknown, name)
	}
	for range client.Secrets.PatchEach(ctx, patchesOf(1), nil) {
		t.Error("a patch was read")
	}
	assert.Empty(t, api.sent())
}

func TestContextEndsDuringACall(t *testing.T) {
	block := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	unavailable := response(503, failure(1000, "internal"))
	for _, tt := range []struct {
		name     string
		before   func() *http.Response // the response to an earlier call
		respond  func() *http.Response // nil: none until the context ends
		opts     []secretsstore.Option
		attempts int  // that the error reports
		apiErr   bool // the error of the last response is found
		unknown  bool
	}{
		{name: "in flight", attempts: 1, unknown: true},
		{name: "during backoff", respond: unavailable, attempts: 1, apiErr: true,
			opts: []secretsstore.Option{secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1000, BaseBackoff: time.Hour, MaxBackoff: time.Hour})}},
		{name: "during Retry-After", respond: response(503, failure(1000, "internal"), "Retry-After: 30"), attempts: 1, apiErr: true},
		{name: "during the wait for the reset", before: response(200, secretBody, `Ratelimit: "default";r=0;t=30`)},
		{name: "in a limiter", opts: []secretsstore.Option{secretsstore.WithLimiter(limiterFunc(block))}},
		{name: "in a limiter that hides it", opts: []secretsstore.Option{secretsstore.WithLimiter(limiterFunc(func(ctx context.Context) error { <-ctx.Done(); return errors.New("stopped") }))}},
		{name: "in a token source", opts: []secretsstore.Option{secretsstore.WithTokenSource(secretsstore.TokenSourceFunc(func(ctx context.Context) (string, error) { return "", block(ctx) }))}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				client := newClient(t, &fakeAPI{respond: func(req *http.Request) (*http.Response, error) {
					if n++; n == 1 && tt.before != nil {
						return tt.before(), nil
					}
					if tt.respond == nil {
						return nil, block(req.Context())
					}
					return tt.respond(), nil
				}}, tt.opts...)
				if tt.before != nil {
					require.NoError(t, third(client.Secrets.Get(t.Context(), storeID, secretID)))
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(errShutdown) })
				started := time.Now()
				_, resp, err := client.Secrets.Patch(ctx, storeID, secretID, commentPatch)
				assert.Equal(t, time.Second, time.Since(started))
				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, errShutdown)
				assert.Equal(t, tt.unknown, errors.Is(err, secretsstore.ErrOutcomeUnknown))
				assert.NotErrorIs(t, err, secretsstore.ErrRateLimited)
				var reqErr *secretsstore.RequestError
				require.ErrorAs(t, err, &reqErr)
				assert.Equal(t, tt.attempts, reqErr.Attempts)
				var apiErr *secretsstore.APIError
				assert.Equal(t, tt.apiErr, errors.As(err, &apiErr))
				assert.Equal(t, tt.apiErr, resp != nil)
			})
		})
	}
}

// The cause of a context can be an error of this package, such as that of another call in
// an errgroup. It says nothing about this call.
func TestCauseIsNotAnErrorOfTheCall(t *testing.T) {
	for name, cause := range map[string]error{
		"not found":         &secretsstore.APIError{StatusCode: 404, Errors: []secretsstore.Detail{{Message: "secret_not_found"}}},
		"rate limited":      &secretsstore.APIError{StatusCode: 429},
		"unauthorized":      &secretsstore.APIError{StatusCode: 401},
		"a wait":            &secretsstore.WaitError{Wait: time.Second},
		"invalid argument":  &secretsstore.ArgumentError{Argument: "name"},
		"no credentials":    secretsstore.ErrNoCredentials,
		"a call that ended": fmt.Errorf("worker: %w", &secretsstore.RequestError{Err: io.EOF}),
	} {
		for _, tt := range []struct {
			name string
			last func(*http.Request, context.CancelCauseFunc) (*http.Response, error)
		}{
			{name: "without a response", last: func(req *http.Request, cancel context.CancelCauseFunc) (*http.Response, error) {
				cancel(cause)
				return nil, req.Context().Err()
			}},
			{name: "within a response", last: func(_ *http.Request, cancel context.CancelCauseFunc) (*http.Response, error) {
				resp := response(200, "")()
				resp.Body = io.NopCloser(readerFunc(func([]byte) (int, error) { cancel(cause); return 0, io.ErrUnexpectedEOF }))
				return resp, nil
			}},
		} {
			t.Run(name+", "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					first := response(502, "")
					client := newClient(t, &fakeAPI{respond: func(req *http.Request) (*http.Response, error) {
						if req.Method == http.MethodDelete && first != nil {
							defer func() { first = nil }()
							return first(), nil
						}
						return tt.last(req, cancel)
					}})
					_, patchErr := result(client.Secrets.Patch(ctx, storeID, secretID, commentPatch))
					ctx, cancel = context.WithCancelCause(t.Context())
					defer cancel(nil)
					resp, deleteErr := client.Secrets.Delete(ctx, storeID, secretID)
					assert.NotNil(t, resp)
					for _, err := range []error{patchErr, deleteErr} {
						assert.ErrorIs(t, err, context.Canceled)
						assert.ErrorIs(t, err, cause)
						assert.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
						_, retryable := secretsstore.Retryable(err)
						assert.True(t, retryable)
					}
				})
			})
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestContextEndsWhileAnErrorIsReceived(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	client := newClient(t, &fakeAPI{respond: func(*http.Request) (*http.Response, error) {
		resp := response(404, "")()
		resp.Body = io.NopCloser(readerFunc(func([]byte) (int, error) { cancel(errShutdown); return 0, io.ErrUnexpectedEOF }))
		return resp, nil
	}})
	_, resp, err := client.Secrets.Get(ctx, storeID, secretID)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, errShutdown)
	var apiErr *secretsstore.APIError
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, 404, apiErr.StatusCode)
	assert.Equal(t, 404, resp.StatusCode)
}

func TestContextThatEndsAnAttemptIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 60*time.Second, errShutdown)
		defer cancel()
		_, _, err := newClient(t, hang).Secrets.Get(ctx, "s", "x", secretsstore.WithAccountID("a"))
		assert.EqualError(t, err, "secretsstore: GET /accounts/a/secrets_store/stores/s/secrets/x: context deadline exceeded: shutting down (2 attempts)")
	})
}

// No wait is started that would exceed the deadline: the call fails at once, and not with
// context.DeadlineExceeded.
func TestWaitsThatWouldExceedTheDeadline(t *testing.T) {
	const path = "/accounts/a/secrets_store/stores/s/secrets/x"
	for _, tt := range []struct {
		name    string
		before  func() *http.Response // the response to an earlier call
		respond func() *http.Response
		want    string
	}{
		{name: "a retry returns the last error", respond: response(503, "", "Retry-After: 20"),
			want: "503 Service Unavailable (retry after 20s, ray 8f00c0ffee-AMS)"},
		{name: "a wait for the reset is a WaitError", before: response(200, secretBody, `Ratelimit: "default";r=0;t=20`),
			want: "rate limited: next request allowed in 20s, after the context's deadline"},
		{name: "with the last error if there is one", respond: response(503, failure(1000, "internal"), "Retry-After: 1", `Ratelimit: "default";r=0;t=20`),
			want: "rate limited: next request allowed in 19s, after the context's deadline (previous error: GET " + path + ": 503 Service Unavailable: internal (code 1000) (retry after 1s, ray 8f00c0ffee-AMS))"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				steps := responses(tt.before, tt.respond)
				if tt.before == nil {
					steps = steps[1:]
				}
				client := newClient(t, script(map[string][]func() *http.Response{"GET": steps})).With(secretsstore.WithAccountID("a"))
				if tt.before != nil {
					require.NoError(t, third(client.Secrets.Get(t.Context(), "s", "x")))
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := third(client.Secrets.Get(ctx, "s", "x"))
				assert.EqualError(t, err, "secretsstore: GET "+path+": "+tt.want)
				assert.NotErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
}
