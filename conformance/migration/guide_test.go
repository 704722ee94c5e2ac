package migration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// The blocks of the guide that show secretsstore-go, in the guide's order. What they
// stand for is in testdata/before/guide_test.go, under the same names.

const value = "the new value"

// emulator is an emulator with a store and a secret, and what the blocks of the guide
// call their variables.
func emulator(t *testing.T) (srv *secretsstoretest.Server, client *secretsstore.Client, storeID, secretID string) {
	t.Helper()
	srv = secretsstoretest.NewServer(secretsstoretest.WithMaxStores(0), secretsstoretest.WithPendingFor(time.Hour))
	t.Cleanup(srv.Close)
	t.Setenv("CLOUDFLARE_API_TOKEN", srv.APIToken)
	t.Setenv("CLOUDFLARE_ACCOUNT_ID", srv.AccountID)
	t.Setenv("CLOUDFLARE_BASE_URL", srv.URL)
	storeID = srv.AddStore("production").ID
	secretID = srv.AddSecret(storeID, secretsstore.SecretCreate{
		Name: "MY_API_KEY", Comment: "old",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: secretsstore.NewSecretValue("old value"),
	}).ID
	client, err := secretsstore.NewClient()
	require.NoError(t, err)
	return srv, client, storeID, secretID
}

func requireValue(t *testing.T, srv *secretsstoretest.Server, storeID, secretID, want string) {
	t.Helper()
	got, ok := srv.Value(storeID, secretID)
	require.True(t, ok)
	require.Equal(t, want, got)
}

func TestGuideClient(t *testing.T) {
	srv, _, _, _ := emulator(t)
	token, accountID := srv.APIToken, srv.AccountID
	t.Setenv("CLOUDFLARE_API_TOKEN", "another")
	t.Setenv("CLOUDFLARE_ACCOUNT_ID", "")

	client, err := secretsstore.NewClient(
		secretsstore.WithAPIToken(token),
		secretsstore.WithAccountID(accountID),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 4}),
		secretsstore.WithAttemptTimeout(10*time.Second),
	)

	require.NoError(t, err)
	_, _, err = client.Quota.Get(t.Context())
	require.NoError(t, err)
}

func TestGuideCreate(t *testing.T) {
	srv, client, storeID, _ := emulator(t)
	ctx := t.Context()

	secret, _, err := client.Secrets.Create(ctx, storeID, secretsstore.SecretCreate{
		Name:    "BILLING_KEY",
		Value:   secretsstore.NewSecretValue(value),
		Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers},
		Comment: "for the billing service",
	})
	if err != nil {
		t.Fatal(err)
	}
	id := secret.ID

	requireValue(t, srv, storeID, id, value)
}

func TestGuideList(t *testing.T) {
	_, client, storeID, _ := emulator(t)
	ctx := t.Context()
	var names []string

	for secret, err := range client.Secrets.All(ctx, storeID, &secretsstore.SecretListOptions{
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
	}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, secret.Name)
	}

	assert.Equal(t, []string{"MY_API_KEY"}, names)

	secrets, resp, err := client.Secrets.List(ctx, storeID, &secretsstore.SecretListOptions{
		Page:      1,
		PerPage:   50,
		Order:     secretsstore.OrderName,
		Direction: secretsstore.Ascending,
		Search:    "API",
	})

	require.NoError(t, err)
	assert.Len(t, secrets, 1)
	assert.Equal(t, 1, resp.ResultInfo.TotalCount)
}

func TestGuideGet(t *testing.T) {
	_, client, storeID, secretID := emulator(t)
	ctx := t.Context()

	secret, _, err := client.Secrets.Get(ctx, storeID, secretID)

	require.NoError(t, err)
	assert.Equal(t, "MY_API_KEY", secret.Name)
}

func TestGuideEdit(t *testing.T) {
	srv, client, storeID, secretID := emulator(t)
	ctx := t.Context()

	secret, _, err := client.Secrets.Patch(ctx, storeID, secretID, secretsstore.SecretPatch{
		Comment: secretsstore.Ptr("rotated in May"),
		Value:   secretsstore.NewSecretValue(value),
	})

	require.NoError(t, err)
	assert.Equal(t, "rotated in May", secret.Comment)
	requireValue(t, srv, storeID, secretID, value)
}

func TestGuideDuplicate(t *testing.T) {
	srv, client, storeID, secretID := emulator(t)
	ctx := t.Context()

	secret, _, err := client.Secrets.Duplicate(ctx, storeID, secretID, secretsstore.SecretDuplicate{
		Name:   "MY_API_KEY_2",
		Scopes: []secretsstore.Scope{secretsstore.ScopeAccess},
	})

	require.NoError(t, err)
	requireValue(t, srv, storeID, secret.ID, "old value")
}

func TestGuideDelete(t *testing.T) {
	srv, client, storeID, secretID := emulator(t)
	ctx := t.Context()

	_, err := client.Secrets.Delete(ctx, storeID, secretID)

	require.NoError(t, err)
	assert.Empty(t, srv.Secrets(storeID))
}

func TestGuideBulkDelete(t *testing.T) {
	srv, client, storeID, secretID := emulator(t)
	ctx := t.Context()
	ids := []string{secretID}

	_, err := client.Secrets.BulkDelete(ctx, storeID, ids)

	require.NoError(t, err)
	assert.Empty(t, srv.Secrets(storeID))
	_, err = client.Secrets.BulkDelete(ctx, storeID, nil)
	require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
}

func TestGuideStoresAndQuota(t *testing.T) {
	srv, client, _, _ := emulator(t)
	ctx := t.Context()

	store, _, err := client.Stores.Create(ctx, secretsstore.StoreCreate{Name: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Stores.Delete(ctx, store.ID, &secretsstore.StoreDeleteOptions{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	usage, _, err := client.Quota.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	left := usage.Secrets.Quota - usage.Secrets.Usage

	assert.Equal(t, 99, left)
	assert.Len(t, srv.Stores(), 1)
}

func TestGuideErrors(t *testing.T) {
	_, client, storeID, _ := emulator(t)
	said := ""

	_, _, err := client.Secrets.Get(t.Context(), storeID, "0123456789abcdef0123456789abcdef")

	var apiErr *secretsstore.APIError
	switch {
	case errors.Is(err, secretsstore.ErrSecretNotFound):
		said = "there is no such secret"
	case errors.As(err, &apiErr):
		said = fmt.Sprint(apiErr.StatusCode, apiErr.Errors, apiErr.RayID)
	case err != nil:
		said = err.Error()
	}

	assert.Equal(t, "there is no such secret", said)
}

func TestGuideRawJSON(t *testing.T) {
	_, client, storeID, secretID := emulator(t)
	ctx := t.Context()

	_, resp, err := client.Secrets.Get(ctx, storeID, secretID)
	if err != nil {
		t.Fatal(err)
	}
	var raw json.RawMessage
	if err := resp.DecodeResult(&raw); err != nil {
		t.Fatal(err)
	}

	var fields map[string]any
	require.NoError(t, json.Unmarshal(raw, &fields))
	assert.Equal(t, "MY_API_KEY", fields["name"])
}

func TestGuideCallOptions(t *testing.T) {
	srv, client, storeID, secretID := emulator(t)
	ctx := t.Context()

	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	secret, resp, err := client.Secrets.Get(ctx, storeID, secretID,
		secretsstore.WithHeader("X-Change", "4711"),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}),
	)
	if err != nil {
		t.Fatal(err)
	}
	rayID := resp.RayID

	assert.Equal(t, "MY_API_KEY", secret.Name)
	require.Len(t, srv.Requests(), 1)
	assert.Equal(t, srv.Requests()[0].RayID, rayID)
	assert.Equal(t, "4711", srv.Requests()[0].Header.Get("X-Change"))
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) { return t(req) }

func TestGuideMiddleware(t *testing.T) {
	emulator(t)
	var seen []int

	client, err := secretsstore.NewClient(secretsstore.WithHTTPClient(&http.Client{Transport: transport(
		func(req *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err == nil {
				seen = append(seen, resp.StatusCode)
			}
			return resp, err
		},
	)}))

	require.NoError(t, err)
	_, _, err = client.Quota.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []int{200}, seen)
}

func TestGuideOtherEndpoints(t *testing.T) {
	_, client, _, _ := emulator(t)
	ctx := t.Context()

	var token struct{ Status string }
	_, err := client.Do(ctx, http.MethodGet, "/user/tokens/verify", nil, &token)

	require.NoError(t, err)
	assert.Equal(t, "active", token.Status)
}
