package secretsstore_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

type hookKey struct{}

func TestCallHook(t *testing.T) {
	const secretRoute = "/accounts/{account_id}/secrets_store/stores/{store_id}/secrets/{secret_id}"
	var calls []secretsstore.Call
	var ends []int
	var errs []error
	hook := func(ctx context.Context, call secretsstore.Call) (context.Context, func(*secretsstore.Response, error)) {
		calls = append(calls, call)
		return context.WithValue(ctx, hookKey{}, "from the hook"), func(resp *secretsstore.Response, err error) {
			ends = append(ends, resp.StatusCode)
			errs = append(errs, err)
		}
	}
	attempts := 0
	w := &wire{answer: func(req *http.Request) (*http.Response, error) {
		assert.Equal(t, "from the hook", req.Context().Value(hookKey{}))
		if attempts++; attempts == 1 {
			return response(503, ""), nil
		}
		return response(200, secretAnswer), nil
	}}
	c := newClient(t, w, secretsstore.WithCallHook(hook), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MinBackoff: 1, MaxBackoff: 1}))

	_, _, err := c.Secrets.Patch(t.Context(), storeID, secretID, valuePatch)
	require.NoError(t, err)
	_, _, err = c.Secrets.Get(t.Context(), "../x", secretID)
	require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
	_, err = c.Do(t.Context(), "GET", "/accounts/"+accountID, nil, nil)
	require.NoError(t, err)
	assert.Equal(t, []secretsstore.Call{{Method: "PATCH", Route: secretRoute}, {Method: "GET"}}, calls)
	assert.Equal(t, []int{200, 200}, ends)
	assert.Equal(t, []error{nil, nil}, errs)
	assert.Equal(t, 3, attempts)

	t.Run("may return nothing", func(t *testing.T) {
		c := newClient(t, answering(200, secretAnswer), secretsstore.WithCallHook(func(context.Context, secretsstore.Call) (context.Context, func(*secretsstore.Response, error)) {
			return nil, nil
		}))
		_, _, err := c.Secrets.Get(t.Context(), storeID, secretID)
		require.NoError(t, err)
	})
}
