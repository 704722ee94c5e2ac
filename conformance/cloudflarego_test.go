package conformance

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/option"
	cf "github.com/cloudflare/cloudflare-go/v7/secrets_store"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/calls"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// emulated is an emulator on a socket, and cloudflare-go's client of it, made as its
// users make it but for the base URL.
func emulated(t *testing.T, opts ...secretsstoretest.ServerOption) (*secretsstoretest.Server, *cf.SecretsStoreService) {
	t.Helper()
	srv := secretsstoretest.NewServer(opts...)
	t.Cleanup(srv.Close)
	return srv, cf.NewSecretsStoreService(option.WithBaseURL(srv.URL), option.WithAPIToken(srv.APIToken))
}

// requireTheirError asserts that err is their error of that status and code.
func requireTheirError(t *testing.T, err error, status int, code int64, message string) {
	t.Helper()
	var theirs *cf.Error
	require.ErrorAs(t, err, &theirs)
	require.Equal(t, status, theirs.StatusCode)
	require.Len(t, theirs.Errors, 1)
	assert.Equal(t, code, theirs.Errors[0].Code)
	assert.Equal(t, message, theirs.Errors[0].Message)
}

// requireAll asserts that all requests that the emulator saw are operations it knows.
func requireAll(t *testing.T, srv *secretsstoretest.Server, want ...secretsstoretest.Operation) {
	t.Helper()
	var got []secretsstoretest.Operation
	for _, r := range srv.Requests() {
		got = append(got, r.Operation)
	}
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(t, want, slices.Compact(got))
}

// All that cloudflare-go can do with the Secrets Store works with the emulator.
func TestCloudflareGoUsesTheEmulator(t *testing.T) {
	t.Run("stores and quota", func(t *testing.T) {
		srv, client := emulated(t, secretsstoretest.WithMaxStores(3))
		ctx := t.Context()

		var quota cf.QuotaGetParams
		calls.Set(&quota.AccountID.Value, &quota.AccountID.Present, srv.AccountID)
		usage, err := client.Quota.Get(ctx, quota)
		require.NoError(t, err)
		assert.InDelta(t, 100, usage.Secrets.Quota, 0)
		assert.Zero(t, usage.Secrets.Usage)

		var create cf.StoreNewParams
		calls.Set(&create.AccountID.Value, &create.AccountID.Present, srv.AccountID)
		var ids []string
		for _, name := range []string{"b", "a", "c"} {
			calls.Set(&create.Name.Value, &create.Name.Present, name)
			store, err := client.Stores.New(ctx, create)
			require.NoError(t, err)
			assert.Equal(t, name, store.Name)
			assert.Equal(t, srv.AccountID, store.AccountID)
			assert.WithinDuration(t, time.Now(), store.Created, time.Minute)
			assert.Equal(t, store.Created, store.Modified)
			ids = append(ids, store.ID)
		}
		calls.Set(&create.Name.Value, &create.Name.Present, "d")
		_, err = client.Stores.New(ctx, create)
		requireTheirError(t, err, 400, 1003, "maximum_stores_exceeded")

		var get cf.StoreGetParams
		calls.Set(&get.AccountID.Value, &get.AccountID.Present, srv.AccountID)
		store, err := client.Stores.Get(ctx, ids[0], get)
		require.NoError(t, err)
		assert.Equal(t, "b", store.Name)
		assert.Equal(t, ids[0], store.ID)
		_, err = client.Stores.Get(ctx, "no-such-store", get)
		requireTheirError(t, err, 404, 1001, "store_not_found")

		var list cf.StoreListParams
		calls.Set(&list.AccountID.Value, &list.AccountID.Present, srv.AccountID)
		calls.Set(&list.PerPage.Value, &list.PerPage.Present, 2)
		calls.Set(&list.Order.Value, &list.Order.Present, cf.StoreListParamsOrderName)
		calls.Set(&list.Direction.Value, &list.Direction.Present, cf.StoreListParamsDirectionAsc)
		page, err := client.Stores.List(ctx, list)
		require.NoError(t, err)
		require.Len(t, page.Result, 2)
		assert.Equal(t, "a", page.Result[0].Name)
		assert.Equal(t, int64(1), page.ResultInfo.Page)
		assert.Equal(t, int64(2), page.ResultInfo.PerPage)
		page, err = page.GetNextPage()
		require.NoError(t, err)
		require.Len(t, page.Result, 1)
		assert.Equal(t, "c", page.Result[0].Name)
		page, err = page.GetNextPage()
		require.NoError(t, err)
		assert.Empty(t, page.Result)

		var names []string
		pager := client.Stores.ListAutoPaging(ctx, list)
		for pager.Next() {
			names = append(names, pager.Current().Name)
		}
		require.NoError(t, pager.Err())
		assert.Equal(t, []string{"a", "b", "c"}, names)
		calls.Set(&list.PerPage.Value, &list.PerPage.Present, 101)
		_, err = client.Stores.List(ctx, list)
		requireTheirError(t, err, 400, 1001, "invalid_per_page_parameter")

		srv.AddSecret(ids[0], aSecretOf("A"))
		var del cf.StoreDeleteParams
		calls.Set(&del.AccountID.Value, &del.AccountID.Present, srv.AccountID)
		result, err := client.Stores.Delete(ctx, ids[1], del)
		require.NoError(t, err)
		assert.Nil(t, *result)
		_, err = client.Stores.Delete(ctx, ids[0], del, option.WithMaxRetries(0)) // it tries again after 409
		requireTheirError(t, err, 409, 1003, "store_not_empty")
		calls.Set(&del.Force.Value, &del.Force.Present, true)
		_, err = client.Stores.Delete(ctx, ids[0], del)
		require.NoError(t, err)
		_, err = client.Stores.Delete(ctx, ids[0], del)
		requireTheirError(t, err, 404, 1001, "store_not_found")
		assert.Len(t, srv.Stores(), 1)

		requireAll(t, srv, secretsstoretest.OpGetQuota, secretsstoretest.OpListStores, secretsstoretest.OpCreateStore,
			secretsstoretest.OpGetStore, secretsstoretest.OpDeleteStore)
	})

	t.Run("secrets", func(t *testing.T) {
		srv, client := emulated(t)
		store := srv.AddStore("s").ID
		ctx, secrets := t.Context(), client.Stores.Secrets

		var create cf.StoreSecretNewParams
		calls.Set(&create.AccountID.Value, &create.AccountID.Present, srv.AccountID)
		create.Body = []cf.StoreSecretNewParamsBody{theirSecret("A", "value of A"), theirSecret("B", "value of B")}
		calls.Set(&create.Body[0].Comment.Value, &create.Body[0].Comment.Present, "the first")
		made, err := secrets.New(ctx, store, create)
		require.NoError(t, err)
		require.Len(t, made.Result, 2)
		first := made.Result[0]
		assert.Equal(t, "A", first.Name)
		assert.Equal(t, "the first", first.Comment)
		assert.Equal(t, store, first.StoreID)
		assert.Equal(t, cf.StoreSecretNewResponseStatusPending, first.Status)
		assert.Equal(t, []cf.StoreSecretNewResponseScope{cf.StoreSecretNewResponseScopeAIGateway, cf.StoreSecretNewResponseScopeWorkers}, first.Scopes)
		requireValue(t, srv, store, first.ID, "value of A")
		_, err = secrets.New(ctx, store, create)
		requireTheirError(t, err, 400, 1003, "secret_name_already_exists: A")
		create.Body = []cf.StoreSecretNewParamsBody{theirSecret("C", "value of C")}
		var names []string
		created := secrets.NewAutoPaging(ctx, store, create)
		for created.Next() {
			names = append(names, created.Current().Name)
		}
		require.NoError(t, created.Err())
		assert.Equal(t, []string{"C"}, names)

		var get cf.StoreSecretGetParams
		calls.Set(&get.AccountID.Value, &get.AccountID.Present, srv.AccountID)
		got, err := secrets.Get(ctx, store, first.ID, get)
		require.NoError(t, err)
		assert.Equal(t, "A", got.Name)
		assert.Equal(t, cf.StoreSecretGetResponseStatusActive, got.Status)
		_, err = secrets.Get(ctx, store, "no-such-secret", get)
		requireTheirError(t, err, 404, 1001, "secret_not_found")

		var edit cf.StoreSecretEditParams
		calls.Set(&edit.AccountID.Value, &edit.AccountID.Present, srv.AccountID)
		calls.Set(&edit.Comment.Value, &edit.Comment.Present, "patched")
		edited, err := secrets.Edit(ctx, store, first.ID, edit)
		require.NoError(t, err)
		assert.Equal(t, "patched", edited.Comment)
		assert.Equal(t, cf.StoreSecretEditResponseStatusActive, edited.Status)
		assert.Len(t, edited.Scopes, 2)
		assert.True(t, edited.Modified.After(edited.Created))
		requireValue(t, srv, store, first.ID, "value of A")
		var change cf.StoreSecretEditParams
		calls.Set(&change.AccountID.Value, &change.AccountID.Present, srv.AccountID)
		calls.Set(&change.Value.Value, &change.Value.Present, "another")
		calls.Set(&change.Scopes.Value, &change.Scopes.Present, []cf.StoreSecretEditParamsScope{cf.StoreSecretEditParamsScopeDEX})
		edited, err = secrets.Edit(ctx, store, first.ID, change)
		require.NoError(t, err)
		assert.Equal(t, "patched", edited.Comment)
		assert.Equal(t, []cf.StoreSecretEditResponseScope{cf.StoreSecretEditResponseScopeDEX}, edited.Scopes)
		requireValue(t, srv, store, first.ID, "another")
		calls.Set(&change.Scopes.Value, &change.Scopes.Present, []cf.StoreSecretEditParamsScope{"not_yet"})
		_, err = secrets.Edit(ctx, store, first.ID, change)
		requireTheirError(t, err, 400, 1001, "secret_scope_invalid")

		var dup cf.StoreSecretDuplicateParams
		calls.Set(&dup.AccountID.Value, &dup.AccountID.Present, srv.AccountID)
		calls.Set(&dup.Name.Value, &dup.Name.Present, "A2")
		calls.Set(&dup.Scopes.Value, &dup.Scopes.Present, []cf.StoreSecretDuplicateParamsScope{cf.StoreSecretDuplicateParamsScopeAccess})
		copied, err := secrets.Duplicate(ctx, store, first.ID, dup)
		require.NoError(t, err)
		assert.Equal(t, "A2", copied.Name)
		assert.Empty(t, copied.Comment)
		assert.NotEqual(t, first.ID, copied.ID)
		requireValue(t, srv, store, copied.ID, "another")
		_, err = secrets.Duplicate(ctx, store, first.ID, dup)
		requireTheirError(t, err, 400, 1003, "secret_name_already_exists")

		var del cf.StoreSecretDeleteParams
		calls.Set(&del.AccountID.Value, &del.AccountID.Present, srv.AccountID)
		result, err := secrets.Delete(ctx, store, first.ID, del)
		require.NoError(t, err)
		assert.Nil(t, *result)
		_, err = secrets.Delete(ctx, store, first.ID, del)
		requireTheirError(t, err, 404, 1001, "secret_not_found")

		var bulk cf.StoreSecretBulkDeleteParams
		calls.Set(&bulk.AccountID.Value, &bulk.AccountID.Present, srv.AccountID)
		_, err = secrets.BulkDelete(ctx, store, bulk)
		requireTheirError(t, err, 400, 1001, "invalid_json_body")
		body := fmt.Appendf(nil, `{"ids":[%q,%q]}`, made.Result[1].ID, copied.ID)
		result, err = secrets.BulkDelete(ctx, store, bulk, option.WithRequestBody("application/json", body))
		require.NoError(t, err)
		assert.Nil(t, *result)
		left := srv.Secrets(store)
		require.Len(t, left, 1)
		assert.Equal(t, "C", left[0].Name)

		requireAll(t, srv, secretsstoretest.OpCreateSecrets, secretsstoretest.OpGetSecret, secretsstoretest.OpPatchSecret,
			secretsstoretest.OpDuplicateSecret, secretsstoretest.OpDeleteSecret, secretsstoretest.OpDeleteSecrets)
	})

	t.Run("lists of secrets", func(t *testing.T) {
		srv, client := emulated(t)
		store := srv.AddStore("s").ID
		var want []string
		for i := range 45 {
			secret := aSecretOf(fmt.Sprintf("S%02d", i))
			if i%2 == 1 {
				secret.Scopes = append(secret.Scopes, secretsstore.ScopeDEX)
			}
			want = append(want, srv.AddSecret(store, secret).Name)
		}
		params := func() (p cf.StoreSecretListParams) {
			calls.Set(&p.AccountID.Value, &p.AccountID.Present, srv.AccountID)
			calls.Set(&p.Order.Value, &p.Order.Present, cf.StoreSecretListParamsOrderName)
			calls.Set(&p.Direction.Value, &p.Direction.Present, cf.StoreSecretListParamsDirectionAsc)
			return p
		}
		all := func(p cf.StoreSecretListParams) (names []string) {
			pager := client.Stores.Secrets.ListAutoPaging(t.Context(), store, p)
			for pager.Next() {
				names = append(names, pager.Current().Name)
			}
			require.NoError(t, pager.Err())
			return names
		}
		assert.Equal(t, want, all(params()), "with the API's 20 on a page")
		p := params()
		calls.Set(&p.PerPage.Value, &p.PerPage.Present, 7)
		assert.Equal(t, want, all(p), "with 7 on a page")
		calls.Set(&p.Page.Value, &p.Page.Present, 7)
		assert.Equal(t, want[42:], all(p), "from the last page on")
		calls.Set(&p.Page.Value, &p.Page.Present, 8)
		assert.Empty(t, all(p), "past the last page")
		p = params()
		calls.Set(&p.Search.Value, &p.Search.Present, "s1")
		assert.Equal(t, want[10:20], all(p), "that have a text in their name")
		p = params()
		calls.Set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretListParamsScope{cf.StoreSecretListParamsScopeWorkers, cf.StoreSecretListParamsScopeDEX})
		assert.Len(t, all(p), 22, "that have two scopes, each in a key of its own")

		p = params()
		calls.Set(&p.Page.Value, &p.Page.Present, 2)
		page, err := client.Stores.Secrets.List(t.Context(), store, p)
		require.NoError(t, err)
		assert.Len(t, page.Result, 20)
		assert.Equal(t, int64(2), page.ResultInfo.Page)
		assert.Equal(t, int64(20), page.ResultInfo.PerPage)
		_, err = client.Stores.Secrets.List(t.Context(), "no-such-store", p)
		requireTheirError(t, err, 404, 1001, "store_not_found")
	})

	t.Run("signed in with email and key", func(t *testing.T) {
		srv, _ := emulated(t)
		client := cf.NewSecretsStoreService(option.WithBaseURL(srv.URL), option.WithAPIEmail(srv.Email), option.WithAPIKey(srv.APIKey))
		var quota cf.QuotaGetParams
		calls.Set(&quota.AccountID.Value, &quota.AccountID.Present, srv.AccountID)
		_, err := client.Quota.Get(t.Context(), quota)
		require.NoError(t, err)
		_, err = client.Quota.Get(t.Context(), quota, option.WithAPIKey("another-key"))
		requireTheirError(t, err, 400, 9103, "Unknown X-Auth-Key or X-Auth-Email")
	})

	t.Run("refused", func(t *testing.T) {
		srv, client := emulated(t)
		srv.AddToken("reader", secretsstoretest.PermissionRead)
		var quota cf.QuotaGetParams
		calls.Set(&quota.AccountID.Value, &quota.AccountID.Present, srv.AccountID)
		_, err := client.Quota.Get(t.Context(), quota, option.WithAPIToken("another-token"))
		requireTheirError(t, err, 401, 10000, "Authentication error")
		_, err = client.Quota.Get(t.Context(), quota, option.WithHeaderDel("Authorization"))
		requireTheirError(t, err, 400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
		_, err = client.Quota.Get(t.Context(), quota, option.WithHeader("Authorization", "Basic eDp5"))
		requireTheirError(t, err, 400, 6003, "Invalid request headers")
		var create cf.StoreNewParams
		calls.Set(&create.AccountID.Value, &create.AccountID.Present, srv.AccountID)
		calls.Set(&create.Name.Value, &create.Name.Present, "s")
		_, err = client.Stores.New(t.Context(), create, option.WithAPIToken("reader"))
		requireTheirError(t, err, 403, 10000, "Authentication error")
		calls.Set(&quota.AccountID.Value, &quota.AccountID.Present, "another-account")
		_, err = client.Quota.Get(t.Context(), quota)
		requireTheirError(t, err, 403, 9109, "Unauthorized to access requested resource")
		calls.Set(&quota.AccountID.Value, &quota.AccountID.Present, "another account")
		_, err = client.Quota.Get(t.Context(), quota)
		var theirs *cf.Error
		require.True(t, errors.As(err, &theirs), err)
		assert.Equal(t, 400, theirs.StatusCode)
	})

	t.Run("past the rate limit", func(t *testing.T) {
		srv, client := emulated(t, secretsstoretest.WithRateLimit(1, time.Minute))
		var quota cf.QuotaGetParams
		calls.Set(&quota.AccountID.Value, &quota.AccountID.Present, srv.AccountID)
		_, err := client.Quota.Get(t.Context(), quota)
		require.NoError(t, err)
		_, err = client.Quota.Get(t.Context(), quota, option.WithMaxRetries(0))
		requireTheirError(t, err, 429, 971, "Please wait and consider throttling your request speed")
		var theirs *cf.Error
		require.ErrorAs(t, err, &theirs)
		assert.NotEmpty(t, theirs.Response.Header.Get("Retry-After"))
	})

	t.Run("tried again after 503", func(t *testing.T) {
		srv, client := emulated(t)
		srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpGetQuota, Count: 2, Status: http.StatusServiceUnavailable,
			Header: http.Header{"Retry-After": {"0"}}, Body: "<html>"})
		var quota cf.QuotaGetParams
		calls.Set(&quota.AccountID.Value, &quota.AccountID.Present, srv.AccountID)
		_, err := client.Quota.Get(t.Context(), quota)
		require.NoError(t, err)
		assert.Len(t, srv.Requests(), 3)
	})
}

func aSecretOf(name string) secretsstore.SecretCreate {
	return secretsstore.SecretCreate{Name: name, Value: secretsstore.NewSecretValue("v"), Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}}
}

func theirSecret(name, value string) (b cf.StoreSecretNewParamsBody) {
	calls.Set(&b.Name.Value, &b.Name.Present, name)
	calls.Set(&b.Value.Value, &b.Value.Present, value)
	calls.Set(&b.Scopes.Value, &b.Scopes.Present, []cf.StoreSecretNewParamsBodyScope{
		cf.StoreSecretNewParamsBodyScopeWorkers, cf.StoreSecretNewParamsBodyScopeAIGateway,
	})
	return b
}

func requireValue(t *testing.T, srv *secretsstoretest.Server, storeID, secretID, want string) {
	t.Helper()
	got, ok := srv.Value(storeID, secretID)
	require.True(t, ok)
	require.Equal(t, want, got)
}
