package conformance

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/option"
	cf "github.com/cloudflare/cloudflare-go/v7/secrets_store"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// cloudflare-go reads the emulator's responses as it reads those of the service. That all of
// its operations succeed is part of TestSameRequestsAsCloudflareGo.

func TestCloudflareGoLifeCycle(t *testing.T) {
	w := newWorld(t)
	ctx, secrets := t.Context(), w.theirs().Stores.Secrets

	var create cf.StoreSecretNewParams
	set(&create.AccountID.Value, &create.AccountID.Present, w.AccountID)
	create.Body = []cf.StoreSecretNewParamsBody{newBody("A", "value of A")}
	created, err := secrets.New(ctx, w.store, create)
	require.NoError(t, err)
	require.Len(t, created.Result, 1)
	secret := created.Result[0]
	assert.Equal(t, "A", secret.Name)
	assert.Equal(t, w.store, secret.StoreID)
	assert.Equal(t, cf.StoreSecretNewResponseStatusPending, secret.Status)
	assert.WithinDuration(t, time.Now(), secret.Created, time.Minute)

	got, err := secrets.Get(ctx, w.store, secret.ID, getParams(w))
	require.NoError(t, err)
	assert.Equal(t, cf.StoreSecretGetResponseStatusActive, got.Status)
	assert.Len(t, got.Scopes, 2)

	edited, err := secrets.Edit(ctx, w.store, secret.ID, editParams(w, "patched"))
	require.NoError(t, err)
	assert.Equal(t, "patched", edited.Comment)
	value, _ := w.Value(w.store, secret.ID)
	assert.Equal(t, "value of A", value)

	var del cf.StoreSecretDeleteParams
	set(&del.AccountID.Value, &del.AccountID.Present, w.AccountID)
	_, err = secrets.Delete(ctx, w.store, secret.ID, del)
	require.NoError(t, err)
	_, err = secrets.Get(ctx, w.store, secret.ID, getParams(w))
	requireTheirError(t, err, http.StatusNotFound, 1001, "secret_not_found")
}

func TestCloudflareGoPaging(t *testing.T) {
	w := newWorld(t)
	for i := range 43 {
		w.addSecret(fmt.Sprintf("S%02d", i))
	}
	names := func(perPage int64, search string) (names []string) {
		p := secretList(w)
		set(&p.Order.Value, &p.Order.Present, cf.StoreSecretListParamsOrderName)
		set(&p.Direction.Value, &p.Direction.Present, cf.StoreSecretListParamsDirectionAsc)
		if perPage > 0 {
			set(&p.PerPage.Value, &p.PerPage.Present, perPage)
		}
		if search != "" {
			set(&p.Search.Value, &p.Search.Present, search)
		}
		pager := w.theirs().Stores.Secrets.ListAutoPaging(t.Context(), w.store, p)
		for pager.Next() {
			names = append(names, pager.Current().Name)
		}
		require.NoError(t, pager.Err())
		return names
	}
	assert.Len(t, names(0, ""), 45)
	assert.Len(t, names(7, ""), 45)
	assert.Equal(t, []string{"S10", "S11", "S12", "S13", "S14", "S15", "S16", "S17", "S18", "S19"}, names(3, "S1"))
}

func TestCloudflareGoErrors(t *testing.T) {
	w := newWorld(t)
	w.AddToken("reader", secretsstoretest.PermissionRead)
	ctx := t.Context()
	get := func(store, id string, opts ...option.RequestOption) error {
		return second(w.theirs(opts...).Stores.Secrets.Get(ctx, store, id, getParams(w)))
	}
	edit := func(scope cf.StoreSecretEditParamsScope, opts ...option.RequestOption) error {
		p := editParams(w, "c")
		set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretEditParamsScope{scope})
		return second(w.theirs(opts...).Stores.Secrets.Edit(ctx, w.store, w.first, p))
	}
	create := func(name string) error {
		var p cf.StoreSecretNewParams
		set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
		p.Body = []cf.StoreSecretNewParamsBody{newBody(name, "v")}
		return second(w.theirs().Stores.Secrets.New(ctx, w.store, p))
	}
	var deleteStore cf.StoreDeleteParams
	set(&deleteStore.AccountID.Value, &deleteStore.AccountID.Present, w.AccountID)

	requireTheirError(t, get("no-such-store", w.first), 404, 1001, "store_not_found")
	requireTheirError(t, get(w.store, "no-such-secret"), 404, 1001, "secret_not_found")
	requireTheirError(t, create("FIRST"), 400, 1003, "secret_name_already_exists")
	requireTheirError(t, edit("not_yet"), 400, 1001, "secret_scope_invalid")
	requireTheirError(t, edit("workers", option.WithAPIToken("reader")), 403, 10000, "Authentication error")
	requireTheirError(t, get(w.store, w.first, option.WithAPIToken("unknown")), 401, 10000, "Authentication error")
	requireTheirError(t, get(w.store, w.first, option.WithHeaderDel("Authorization")), 400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
	requireTheirError(t, second(w.theirs().Stores.Delete(ctx, w.store, deleteStore)), 409, 1003, "store_not_empty")
	requireTheirError(t, second(w.theirs().Stores.Secrets.BulkDelete(ctx, w.store, bulkParams(w))), 400, 1001, "invalid_json_body")
}

func TestCloudflareGoRetriesAndRateLimit(t *testing.T) {
	w := newWorld(t, secretsstoretest.WithRateLimit(3, time.Minute))
	get := func(retries int) error {
		return second(w.theirs(option.WithMaxRetries(retries)).Stores.Secrets.Get(t.Context(), w.store, w.first, getParams(w)))
	}
	w.Inject(secretsstoretest.Fault{Count: 2, Status: 503, Header: http.Header{"Retry-After": {"0"}}, Body: "<html>"})
	require.NoError(t, get(2))
	require.NoError(t, get(0))
	require.NoError(t, get(0))
	requireTheirError(t, get(0), 429, 971, "Please wait and consider throttling your request speed")
}

func requireTheirError(t *testing.T, err error, status int, code int64, message string) {
	t.Helper()
	var apiErr *cf.Error
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, status, apiErr.StatusCode)
	require.Len(t, apiErr.Errors, 1)
	assert.Equal(t, code, apiErr.Errors[0].Code)
	assert.Equal(t, message, apiErr.Errors[0].Message)
}
