package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCredentialsSignRequests(t *testing.T) {
	for _, tt := range []struct {
		name string
		opt  Option
		want http.Header
	}{
		{"API token", WithAPIToken("token"), http.Header{"Authorization": {"Bearer token"}}},
		{"API key", WithAPIKey("user@example.com", "key"), http.Header{"X-Auth-Email": {"user@example.com"}, "X-Auth-Key": {"key"}}},
		{"token source", WithTokenSource(TokenSourceFunc(func(context.Context) (string, error) { return "token", nil })), http.Header{"Authorization": {"Bearer token"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var cfg config
			require.NoError(t, tt.opt.applyClient(&cfg))
			c := newTestCall(getOp)
			_, err := credentials(cfg.credential)((&fakeNext{attempts: []attempt{success}}).handle)(t.Context(), c)
			require.NoError(t, err)
			got := http.Header{}
			c.credential.sign(got)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestNilTokenSourceFunc(t *testing.T) {
	client := newTestClient(t, roundTripFunc(nil), WithTokenSource(TokenSourceFunc(nil)))
	assert.ErrorIs(t, get(t.Context(), client), ErrNoCredentials)
}

func TestTokenSourceErrors(t *testing.T) {
	errSource, cause := errors.New("vault is sealed"), errors.New("shutdown")
	for _, tt := range []struct {
		name     string
		token    string
		err      error
		canceled bool
		is       []error
	}{
		{name: "its error", err: errSource, is: []error{errSource}},
		{name: "an empty token", is: []error{ErrNoCredentials}},
		{name: "an invalid token", token: "tok\u00a0en-12345", is: []error{ErrInvalidArgument}},
		{name: "the context has ended", err: errSource, canceled: true, is: []error{errSource, context.Canceled, cause}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			cred := &credential{source: TokenSourceFunc(func(got context.Context) (string, error) {
				assert.Equal(t, ctx, got)
				if tt.canceled {
					cancel(cause)
				}
				return tt.token, tt.err
			})}
			next, c := &fakeNext{attempts: []attempt{success}}, newTestCall(createOp)
			resp, err := chain(next.handle, retry(new(budget), cred), credentials(cred))(ctx, c)
			assert.Nil(t, resp)
			assert.Empty(t, next.at)
			for _, target := range tt.is {
				assert.ErrorIs(t, err, target)
			}
			assert.NotErrorIs(t, err, ErrOutcomeUnknown)
			assert.ErrorContains(t, err, "token source")
			assert.NotContains(t, err.Error(), "12345")
			assert.Equal(t, 0, c.made)
		})
	}
}

// A server can repeat the token of an earlier attempt.
func TestTokensOfAllAttemptsAreSecret(t *testing.T) {
	asked := 0
	cred := &credential{source: TokenSourceFunc(func(context.Context) (string, error) {
		asked++
		return fmt.Sprintf("rotating-token-%d", asked), nil
	})}
	next := &fakeNext{attempts: []attempt{respond(401, nil), success}}
	c := newTestCall(getOp)
	_, err := chain(next.handle, retry(new(budget), cred), credentials(cred))(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, []string{"rotating-token-1", "rotating-token-2"}, next.tokens)
	for _, token := range next.tokens {
		assert.Equal(t, "[REDACTED]", c.clean("unknown token "+token, maxText))
	}
	assert.Equal(t, "unknown token rotating-token-3", c.clean("unknown token rotating-token-3", maxText))
}
