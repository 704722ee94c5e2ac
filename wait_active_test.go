package secretsstore_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

func secretWithStatus(status string) func() *http.Response {
	return response(200, `{"success":true,"result":{"id":"`+secretID+`","name":"A","status":"`+status+`"}}`)
}

func TestWaitActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		var polls []time.Duration
		pending, active := secretWithStatus("pending"), secretWithStatus("active")
		api := script(map[string][]func() *http.Response{"GET": responses(pending, pending, pending, pending, pending, pending, active)})
		client := newClient(t, api, secretsstore.OnResponse(func(*secretsstore.Response) { polls = append(polls, time.Since(started)) }))

		secret, err := client.Secrets.WaitActive(t.Context(), storeID, secretID)

		require.NoError(t, err)
		assert.Equal(t, secretsstore.SecretStatusActive, secret.Status)
		const s = time.Second
		assert.Equal(t, []time.Duration{0, 1 * s, 3 * s, 7 * s, 15 * s, 25 * s, 35 * s}, polls)
	})
}

func TestWaitActiveEnds(t *testing.T) {
	const path = "/accounts/" + accountID + "/secrets_store/stores/" + storeID + "/secrets/" + secretID
	pending := secretWithStatus("pending")
	limited := response(429, failure(971, "Please wait"), "Retry-After: 120")
	for _, tt := range []struct {
		name      string
		responses []func() *http.Response
		opts      []secretsstore.RequestOption
		status    secretsstore.SecretStatus // of the secret that is returned; "": none
		matches   []string
		text      string
		took      time.Duration
	}{
		{name: "the secret is active at once", responses: responses(secretWithStatus("active")), status: "active"},
		{name: "the secret gets a status that is not documented", responses: responses(pending, secretWithStatus("failed")), status: "failed", took: time.Second},
		{name: "the secret is deleted", responses: responses(pending, secretWithStatus("deleted")), status: "deleted", matches: []string{"ErrNotFound", "ErrSecretNotFound"},
			text: "secretsstore: secret not found: secret " + secretID + " has status deleted", took: time.Second},
		{name: "the secret is gone", responses: responses(pending, response(404, failure(1001, "secret_not_found"))), status: "pending", matches: []string{"ErrNotFound", "ErrSecretNotFound"},
			text: "secretsstore: GET " + path + ": 404 Not Found: secret_not_found (code 1001) (ray 8f00c0ffee-AMS)", took: time.Second},
		{name: "after a wait for the rate limit", responses: responses(limited, secretWithStatus("active")), status: "active", took: 2 * time.Minute},
		{name: "after a poll all of whose attempts were rate limited", responses: responses(limited, limited, limited, limited, limited, secretWithStatus("active")), status: "active", took: 10 * time.Minute},
		{name: "at a wait that is longer than MaxWait", responses: responses(pending, limited), opts: []secretsstore.RequestOption{secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxWait: time.Minute})}, status: "pending",
			matches: []string{"ErrRateLimited"}, text: "secretsstore: GET " + path + ": rate limited: next request allowed in 1m58s, which exceeds the maximum wait of 1m0s", took: 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				started := time.Now()
				secret, err := newClient(t, script(map[string][]func() *http.Response{"GET": tt.responses})).Secrets.WaitActive(t.Context(), storeID, secretID, tt.opts...)
				assert.Equal(t, tt.matches, matches(err))
				if tt.text != "" {
					assert.EqualError(t, err, tt.text)
				}
				if tt.status == "" {
					assert.Nil(t, secret)
				} else if assert.NotNil(t, secret) {
					assert.Equal(t, tt.status, secret.Status)
				}
				assert.Equal(t, tt.took, time.Since(started))
			})
		})
	}
}

func TestWaitActiveUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, respondWith(secretWithStatus("pending")))
		cause := errors.New("the deploy was aborted")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, cause)
		defer cancel()
		secret, err := client.Secrets.WaitActive(ctx, storeID, secretID)
		assert.EqualError(t, err, "secretsstore: secret "+secretID+" is still pending: context deadline exceeded: the deploy was aborted")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, err, cause)
		_, ok := secretsstore.Retryable(err)
		assert.True(t, ok)
		if assert.NotNil(t, secret, "the last secret received") {
			assert.Equal(t, secretsstore.SecretStatusPending, secret.Status)
		}
	})
}

func TestWaitActiveWaitsForTheLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		limiter := limiterFunc(func(context.Context) error {
			if wait := 30*time.Second - time.Since(started); wait > 0 {
				return &secretsstore.WaitError{Wait: wait}
			}
			return nil
		})
		client := newClient(t, respondWith(secretWithStatus("active")), secretsstore.WithLimiter(limiter))
		_, err := client.Secrets.WaitActive(t.Context(), storeID, secretID)
		require.NoError(t, err)
		assert.Equal(t, 30*time.Second, time.Since(started))

		started = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = client.Secrets.WaitActive(ctx, storeID, secretID)
		assert.ErrorAs(t, err, new(*secretsstore.WaitError))
		assert.Zero(t, time.Since(started))
	})
}

// If no poll got through, nothing is known about the secret.
func TestWaitActiveWhileRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, respondWith(response(429, failure(971, "Please wait"))), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		secret, err := client.Secrets.WaitActive(ctx, "s", "x", secretsstore.WithAccountID("a"))
		assert.EqualError(t, err, "secretsstore: waiting for secret x: context deadline exceeded (previous error: GET /accounts/a/secrets_store/stores/s/secrets/x: 429 Too Many Requests: Please wait (code 971) (ray 8f00c0ffee-AMS))")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		var apiErr *secretsstore.APIError
		assert.ErrorAs(t, err, &apiErr)
		assert.Nil(t, secret)
	})
}
