package secretsstore_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

const (
	storeURL  = storesURL + "/" + storeID
	storeBody = `{"success":true,"errors":[],"messages":[],"result":{"id":"` + storeID + `","account_id":"` + accountID + `","name":"service_x_keys","created":"2023-09-21T18:56:32Z","modified":"2023-09-21T18:56:33Z"}}`
)

var documentedStore = &secretsstore.Store{
	ID: storeID, AccountID: accountID, Name: "service_x_keys",
	Created: time.Date(2023, 9, 21, 18, 56, 32, 0, time.UTC), Modified: time.Date(2023, 9, 21, 18, 56, 33, 0, time.UTC),
}

func TestStoresList(t *testing.T) {
	api := respondWith(response(200, `{"success":true,"result":[{"id":"a","name":"A"},{"id":"b","name":"B"}],"result_info":{"count":2,"page":2,"per_page":2,"total_count":4}}`))

	stores, resp, err := newClient(t, api).Stores.List(t.Context(), &secretsstore.StoreListOptions{
		Page: 2, PerPage: 2, Order: secretsstore.OrderModified, Direction: secretsstore.Ascending,
	})

	require.NoError(t, err)
	assert.Equal(t, []string{"GET " + storesURL + "?direction=asc&order=modified&page=2&per_page=2"}, api.sent())
	assert.Equal(t, []*secretsstore.Store{{ID: "a", Name: "A"}, {ID: "b", Name: "B"}}, stores)
	assert.Equal(t, &secretsstore.ResultInfo{Count: 2, Page: 2, PerPage: 2, TotalCount: 4}, resp.ResultInfo)
}

func TestStoresListDefaults(t *testing.T) {
	api := respondWith(response(200, emptyBody))

	stores, _, err := newClient(t, api).Stores.List(t.Context(), nil)

	require.NoError(t, err)
	assert.Equal(t, []string{"GET " + storesURL}, api.sent())
	assert.Empty(t, stores)
}

func TestStoresGet(t *testing.T) {
	api := respondWith(response(200, storeBody))

	store, _, err := newClient(t, api).Stores.Get(t.Context(), storeID)

	require.NoError(t, err)
	assert.Equal(t, []string{"GET " + storeURL}, api.sent())
	assert.Equal(t, documentedStore, store)
}

func TestStoresCreate(t *testing.T) {
	api := respondWith(response(200, storeBody))

	store, _, err := newClient(t, api).Stores.Create(t.Context(), secretsstore.StoreCreate{Name: "service_x_keys"})

	require.NoError(t, err)
	assert.Equal(t, []string{"POST " + storesURL + ` {"name":"service_x_keys"}`}, api.sent())
	assert.Equal(t, documentedStore, store)
}

func TestStoresDelete(t *testing.T) {
	api := respondWith(response(200, emptyBody))
	client := newClient(t, api)

	for _, del := range []*secretsstore.StoreDeleteOptions{nil, {}, {Force: true}} {
		resp, err := client.Stores.Delete(t.Context(), storeID, del)

		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
	}
	assert.Equal(t, []string{"DELETE " + storeURL, "DELETE " + storeURL, "DELETE " + storeURL + "?force=true"}, api.sent())
}

func TestStoresAll(t *testing.T) {
	api := pages(150, 100, nil)
	var names []string
	for store, err := range newClient(t, api).Stores.All(t.Context(), &secretsstore.StoreListOptions{Order: secretsstore.OrderName}) {
		require.NoError(t, err)
		names = append(names, store.Name)
	}
	assert.Len(t, names, 150)
	assert.Equal(t, []string{"GET " + storesURL + "?order=name&page=1&per_page=100", "GET " + storesURL + "?order=name&page=2&per_page=100"}, api.sent())
}

func TestStoresFindByName(t *testing.T) {
	c := newClient(t, respondWith(response(200, `{"success":true,"result":[
		{"id":"1","name":"other","created":"2020-01-01T00:00:00Z"},
		{"id":"2","name":"keys","created":"2023-01-01T00:00:00Z"},
		{"id":"3","name":"keys","created":"2022-01-01T00:00:00Z"},
		{"id":"4","name":"keys","created":"2024-01-01T00:00:00Z"}]}`))).Stores

	store, err := c.FindByName(t.Context(), "keys")
	require.NoError(t, err)
	assert.Equal(t, "3", store.ID, "the oldest")

	store, err = c.FindByName(t.Context(), "KEYS")
	assert.EqualError(t, err, `secretsstore: store not found: the account has no store named "KEYS"`)
	assert.Equal(t, []string{"ErrNotFound", "ErrStoreNotFound"}, matches(err))
	assert.Nil(t, store)
}

func TestEnsure(t *testing.T) {
	found := response(200, `{"success":true,"result":[{"id":"a","name":"other"},{"id":"b","name":"keys"}]}`)
	none := response(200, `{"success":true,"result":[{"id":"a","name":"other"}]}`)
	made := response(200, `{"success":true,"result":{"id":"b","name":"keys"}}`)
	for _, tt := range []struct {
		name    string
		lists   []func() *http.Response
		creates []func() *http.Response
		created bool
		matches []string // of the error
		sent    []string
	}{
		{name: "returns the store of this name", lists: responses(found), sent: []string{"GET"}},
		{name: "creates it if there is none", lists: responses(none), creates: responses(made), created: true, sent: []string{"GET", "POST"}},
		{name: "returns the one that another caller created", lists: responses(none, found), creates: responses(response(409, failure(1003, "store_name_already_exists"))), sent: []string{"GET", "POST", "GET"}},
		{name: "does not return a store of another name", lists: responses(none), creates: responses(response(400, failure(1003, "maximum_stores_exceeded"))), matches: []string{"ErrQuotaExceeded"}, sent: []string{"GET", "POST", "GET"}},
		{name: "looks for it if the outcome of the create is unknown", lists: responses(none, found), creates: responses(lost), created: true, sent: []string{"GET", "POST", "GET"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			api := script(map[string][]func() *http.Response{"GET": tt.lists, "POST": tt.creates})
			store, created, err := newClient(t, api).Stores.Ensure(t.Context(), secretsstore.StoreCreate{Name: "keys"})
			assert.Equal(t, tt.matches, matches(err))
			assert.Equal(t, tt.created, created)
			assert.Equal(t, tt.sent, sentMethods(api))
			if err == nil {
				assert.Equal(t, "b", store.ID)
			} else {
				assert.Nil(t, store)
			}
		})
	}
}
