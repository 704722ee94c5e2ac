package secretsstore_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const (
	storesURL  = baseURL + "/accounts/" + accountID + "/secrets_store/stores"
	secretsURL = storesURL + "/" + storeID + "/secrets"

	storeAnswer = `{"success":true,"errors":[],"messages":[],"result":{"id":"` + storeID + `","account_id":"` + accountID + `","name":"service_x_keys","created":"2023-09-21T18:56:32.624632Z","modified":"2023-09-21T18:56:33Z"}}`
	listAnswer  = `{"success":true,"errors":[],"messages":[],"result":[{"id":"` + secretID + `","name":"A"},{"id":"b","name":"B"}],"result_info":{"count":2,"page":1,"per_page":20,"total_count":2,"total_pages":1}}`
	goneAnswer  = `{"success":true,"errors":[],"messages":[],"result":null}`
)

// Each operation's method, address and body, literally, so that a mistake that
// the client and the emulator share would show.
func TestOperationsOnTheWire(t *testing.T) {
	value := secretsstore.NewSecretValue("v")
	scopes := []secretsstore.Scope{"workers", "ai_gateway"}
	for name, tc := range map[string]struct {
		status  int
		answer  string
		do      func(c *secretsstore.Client) (got any, resp *secretsstore.Response, err error)
		method  string
		url     string
		body    string
		want    any
		wantRaw bool
	}{
		"quota": {200, `{"success":true,"result":{"secrets":{"quota":100.0,"usage":1e1}}}`, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Quota.Get(t.Context()))
		}, "GET", baseURL + "/accounts/" + accountID + "/secrets_store/quota", "", &secretsstore.Usage{Secrets: secretsstore.ResourceUsage{Quota: 100, Usage: 10}}, true},
		"list stores": {200, strings.Replace(listAnswer, `"A"`, `"A","account_id":"x"`, 1), func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Stores.List(t.Context(), &secretsstore.StoreListOptions{Page: 2, PerPage: 100, Order: secretsstore.OrderModified, Direction: secretsstore.Ascending}))
		}, "GET", storesURL + "?direction=asc&order=modified&page=2&per_page=100", "", []*secretsstore.Store{{ID: secretID, Name: "A", AccountID: "x"}, {ID: "b", Name: "B"}}, true},
		"list stores, by the API's defaults": {200, listAnswer, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Stores.List(t.Context(), nil))
		}, "GET", storesURL, "", []*secretsstore.Store{{ID: secretID, Name: "A"}, {ID: "b", Name: "B"}}, true},
		"create a store": {200, storeAnswer, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Stores.Create(t.Context(), "service_x_keys"))
		}, "POST", storesURL, `{"name":"service_x_keys"}`, &secretsstore.Store{ID: storeID, AccountID: accountID, Name: "service_x_keys",
			Created: time.Date(2023, 9, 21, 18, 56, 32, 624632000, time.UTC), Modified: time.Date(2023, 9, 21, 18, 56, 33, 0, time.UTC)}, true},
		"get a store": {200, `{"success":true,"result":{"id":"x"}}`, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Stores.Get(t.Context(), storeID))
		}, "GET", storesURL + "/" + storeID, "", &secretsstore.Store{ID: "x"}, true},
		"delete a store": {200, goneAnswer, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return second(c.Stores.Delete(t.Context(), storeID, secretsstore.StoreDeleteOptions{}))
		}, "DELETE", storesURL + "/" + storeID, "", nil, false},
		"delete a store with its secrets": {200, storeAnswer, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return second(c.Stores.Delete(t.Context(), storeID, secretsstore.StoreDeleteOptions{Force: true}))
		}, "DELETE", storesURL + "/" + storeID + "?force=true", "", nil, true},
		"list secrets": {200, listAnswer, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Secrets.List(t.Context(), storeID, &secretsstore.SecretListOptions{Page: 3, PerPage: 1, Order: secretsstore.OrderComment, Direction: secretsstore.Descending, Search: "a&b=c d/é", Scopes: scopes}))
		}, "GET", secretsURL + "?direction=desc&order=comment&page=3&per_page=1&scopes=workers%2Cai_gateway&search=a%26b%3Dc+d%2F%C3%A9", "", []*secretsstore.Secret{{ID: secretID, Name: "A"}, {ID: "b", Name: "B"}}, true},
		"list secrets, by the API's defaults": {200, `{"success":true,"result":[]}`, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Secrets.List(t.Context(), storeID, nil))
		}, "GET", secretsURL, "", []*secretsstore.Secret{}, true},
		"create secrets": {200, listAnswer, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Secrets.Create(t.Context(), storeID, []secretsstore.SecretCreate{{Name: "A", Value: value, Scopes: scopes, Comment: "c"}, {Name: "B-2_b", Value: value, Scopes: scopes[:1]}}))
		}, "POST", secretsURL, `[{"name":"A","value":"v","comment":"c","scopes":["workers","ai_gateway"]},{"name":"B-2_b","value":"v","scopes":["workers"]}]`, []*secretsstore.Secret{{ID: secretID, Name: "A"}, {ID: "b", Name: "B"}}, true},
		"get a secret": {200, `{"success":true,"result":{"id":"x"}}`, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Secrets.Get(t.Context(), storeID, secretID))
		}, "GET", secretsURL + "/" + secretID, "", &secretsstore.Secret{ID: "x"}, true},
		"patch a secret": {200, `{"success":true,"result":{"id":"x"}}`, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Secrets.Patch(t.Context(), storeID, secretID, secretsstore.SecretPatch{Comment: secretsstore.Ptr("c"), Scopes: scopes, Value: value}))
		}, "PATCH", secretsURL + "/" + secretID, `{"value":"v","comment":"c","scopes":["workers","ai_gateway"]}`, &secretsstore.Secret{ID: "x"}, true},
		"delete a secret": {202, goneAnswer, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return second(c.Secrets.Delete(t.Context(), storeID, secretID))
		}, "DELETE", secretsURL + "/" + secretID, "", nil, false},
		"delete a secret, as it was": {200, secretAnswer, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return second(c.Secrets.Delete(t.Context(), storeID, secretID))
		}, "DELETE", secretsURL + "/" + secretID, "", nil, true},
		"delete many secrets": {202, goneAnswer, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return second(c.Secrets.BulkDelete(t.Context(), storeID, []string{secretID, "b"}))
		}, "DELETE", secretsURL, `{"ids":["` + secretID + `","b"]}`, nil, false},
		"delete many secrets, as it was": {200, listAnswer, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return second(c.Secrets.BulkDelete(t.Context(), storeID, []string{secretID}))
		}, "DELETE", secretsURL, `{"ids":["` + secretID + `"]}`, nil, true},
		"duplicate a secret": {200, `{"success":true,"result":{"id":"x"}}`, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Secrets.Duplicate(t.Context(), storeID, secretID, secretsstore.SecretDuplicate{Name: "A", Comment: "c", Scopes: scopes}))
		}, "POST", secretsURL + "/" + secretID + "/duplicate", `{"name":"A","comment":"c","scopes":["workers","ai_gateway"]}`, &secretsstore.Secret{ID: "x"}, true},
		"duplicate a secret without a comment": {200, `{"success":true,"result":{"id":"x"}}`, func(c *secretsstore.Client) (any, *secretsstore.Response, error) {
			return third(c.Secrets.Duplicate(t.Context(), storeID, secretID, secretsstore.SecretDuplicate{Name: "A", Scopes: scopes[:1]}))
		}, "POST", secretsURL + "/" + secretID + "/duplicate", `{"name":"A","scopes":["workers"]}`, &secretsstore.Secret{ID: "x"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := answering(tc.status, tc.answer)
			got, resp, err := tc.do(newClient(t, w))
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
			assert.Equal(t, tc.status, resp.StatusCode)
			assert.Equal(t, tc.wantRaw, resp.Result != nil)
			require.Len(t, w.sent, 1)
			assert.Equal(t, tc.method, w.sent[0].method)
			assert.Equal(t, tc.url, w.sent[0].url)
			assert.Equal(t, tc.body, w.sent[0].body)
			assert.Equal(t, tc.body != "", w.sent[0].header.Get("Content-Type") == "application/json")

			// The same call, refused.
			got, resp, err = tc.do(newClient(t, answering(403, failure(10000, "Authentication error"))))
			require.ErrorIs(t, err, secretsstore.ErrForbidden)
			assert.Empty(t, got)
			assert.Equal(t, 403, resp.StatusCode)
		})
	}
}

func third[T any](got T, resp *secretsstore.Response, err error) (any, *secretsstore.Response, error) {
	return got, resp, err
}

func second(resp *secretsstore.Response, err error) (any, *secretsstore.Response, error) {
	return nil, resp, err
}

func TestArgumentsAreChecked(t *testing.T) {
	w := answering(200, listAnswer)
	c := newClient(t, w)
	ctx := t.Context()
	good := secretsstore.SecretCreate{Name: "A", Value: secretsstore.NewSecretValue("v"), Scopes: []secretsstore.Scope{"workers"}}
	with := func(change func(*secretsstore.SecretCreate)) []secretsstore.SecretCreate {
		bad := good
		change(&bad)
		return []secretsstore.SecretCreate{good, bad}
	}
	create := func(secrets []secretsstore.SecretCreate) error {
		_, _, err := c.Secrets.Create(ctx, storeID, secrets)
		return err
	}
	upsert := func(secrets []secretsstore.SecretCreate) error {
		_, _, err := c.Secrets.Upsert(ctx, storeID, secrets[1])
		return err
	}
	duplicate := func(d secretsstore.SecretDuplicate) error {
		_, _, err := c.Secrets.Duplicate(ctx, storeID, secretID, d)
		return err
	}
	list := func(o secretsstore.SecretListOptions) error {
		_, _, err := c.Secrets.List(ctx, storeID, &o)
		return err
	}
	stores := func(o secretsstore.StoreListOptions) error { _, _, err := c.Stores.List(ctx, &o); return err }
	for says, err := range map[string]error{
		"secrets is empty":             create(nil),
		"secrets[1] name is empty":     create(with(func(s *secretsstore.SecretCreate) { s.Name = "" })),
		`secrets[1] name "a b"`:        create(with(func(s *secretsstore.SecretCreate) { s.Name = "a b" })),
		"secrets[1] scopes is empty":   create(with(func(s *secretsstore.SecretCreate) { s.Scopes = nil })),
		"secrets[1] scopes has an":     create(with(func(s *secretsstore.SecretCreate) { s.Scopes = []secretsstore.Scope{""} })),
		"secrets[1] value is empty":    create(with(func(s *secretsstore.SecretCreate) { s.Value = nil })),
		"secrets[1] value has 65537":   create(with(func(s *secretsstore.SecretCreate) { s.Value = secretsstore.NewSecretValue(strings.Repeat("v", 65_537)) })),
		"secrets[1] value is not UTF":  create(with(func(s *secretsstore.SecretCreate) { s.Value = secretsstore.NewSecretValue("\xff") })),
		"secrets[1] value is [REDAC":   create(with(func(s *secretsstore.SecretCreate) { s.Value = secretsstore.NewSecretValue("[REDACTED]") })),
		"secrets[1] comment is not":    create(with(func(s *secretsstore.SecretCreate) { s.Comment = "\xff" })),
		"store: name is empty":         upsert(with(func(s *secretsstore.SecretCreate) { s.Name = "" })),
		"store: scopes is empty":       upsert(with(func(s *secretsstore.SecretCreate) { s.Scopes = []secretsstore.Scope{} })),
		"store: value is empty":        upsert(with(func(s *secretsstore.SecretCreate) { s.Value = nil })),
		`name "é"`:                     duplicate(secretsstore.SecretDuplicate{Name: "é", Scopes: good.Scopes}),
		"scopes is empty":              duplicate(secretsstore.SecretDuplicate{Name: "A"}),
		"comment is not UTF-8":         duplicate(secretsstore.SecretDuplicate{Name: "A", Scopes: good.Scopes, Comment: "\xff"}),
		"secretIDs is empty":           func() error { _, err := c.Secrets.BulkDelete(ctx, storeID, nil); return err }(),
		"per page is 101":              list(secretsstore.SecretListOptions{PerPage: 101}),
		"per page is -1":               list(secretsstore.SecretListOptions{PerPage: -1}),
		"page is -1":                   list(secretsstore.SecretListOptions{Page: -1}),
		`order is "size"`:              list(secretsstore.SecretListOptions{Order: "size"}),
		`direction is "up"`:            list(secretsstore.SecretListOptions{Direction: "up"}),
		"search is not UTF-8":          list(secretsstore.SecretListOptions{Search: "\xff"}),
		"a comma parts":                list(secretsstore.SecretListOptions{Scopes: []secretsstore.Scope{"a,b"}}),
		"scopes has an empty scope":    list(secretsstore.SecretListOptions{Scopes: []secretsstore.Scope{""}}),
		`order is "comment"`:           stores(secretsstore.StoreListOptions{Order: secretsstore.OrderComment}),
		`order is "status"`:            stores(secretsstore.StoreListOptions{Order: secretsstore.OrderStatus}),
		"per page is 1000":             stores(secretsstore.StoreListOptions{PerPage: 1000}),
		"per page is 200":              first(c.Secrets.All(ctx, storeID, &secretsstore.SecretListOptions{PerPage: 200})),
		"page is -3":                   first(c.Stores.All(ctx, &secretsstore.StoreListOptions{Page: -3})),
		"secretsstore: name is empty":  func() error { _, _, err := c.Stores.Create(ctx, ""); return err }(),
		"secretsstore: name is not":    func() error { _, _, err := c.Stores.Create(ctx, "\xff"); return err }(),
		"secretsstore: name is empty:": func() error { _, _, err := c.Stores.Ensure(ctx, ""); return err }(),
		"name is empty: invalid":       func() error { _, err := c.Secrets.FindByName(ctx, storeID, ""); return err }(),
	} {
		t.Run(says, func(t *testing.T) {
			require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
			require.ErrorContains(t, err, says)
			assert.Equal(t, 1, strings.Count(err.Error(), "secretsstore:"), err)
		})
	}
	assert.Empty(t, w.sent)
}

// An API that makes another number of secrets than it was asked for leaves it
// unknown which.
func TestCreateReturnsAllOrAnError(t *testing.T) {
	c := newClient(t, answering(200, listAnswer))
	secrets, resp, err := c.Secrets.Create(t.Context(), storeID, []secretsstore.SecretCreate{{Name: "A", Value: secretsstore.NewSecretValue("v"), Scopes: []secretsstore.Scope{"workers"}}})
	assert.ElementsMatch(t, []string{"ErrInvalidResponse", "ErrOutcomeUnknown"}, matches(err))
	assert.Nil(t, secrets)
	assert.NotNil(t, resp)
}

func TestEnsure(t *testing.T) {
	t.Run("makes the store, and adopts it the next time", func(t *testing.T) {
		srv := secretsstoretest.NewServer()
		defer srv.Close()
		made, isNew, err := srv.Client().Stores.Ensure(t.Context(), "s")
		require.NoError(t, err)
		assert.True(t, isNew)
		again, isNew, err := srv.Client().Stores.Ensure(t.Context(), "s")
		require.NoError(t, err)
		assert.False(t, isNew)
		assert.Equal(t, made, again)
	})
	t.Run("does not adopt a store of another name", func(t *testing.T) {
		srv := secretsstoretest.NewServer()
		defer srv.Close()
		srv.AddStore("other")
		store, _, err := srv.Client().Stores.Ensure(t.Context(), "s")
		require.ErrorIs(t, err, secretsstore.ErrQuotaExceeded)
		assert.Nil(t, store)
	})
	for name, stores := range map[string]int{"where one store is allowed": 1, "where several are": 0} {
		t.Run("32 callers at once get the same store "+name, func(t *testing.T) {
			srv := secretsstoretest.NewServer(secretsstoretest.WithMaxStores(stores))
			defer srv.Close()
			c := srv.Client()
			var mu sync.Mutex
			ids, made := map[string]bool{}, 0
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					store, isNew, err := c.Stores.Ensure(t.Context(), "s")
					mu.Lock()
					defer mu.Unlock()
					if assert.NoError(t, err) {
						ids[store.ID] = true
					}
					if isNew {
						made++
					}
				})
			}
			wg.Wait()
			assert.Len(t, ids, 1)
			assert.Equal(t, 1, made)
			assert.Len(t, srv.Stores(), 1)
		})
	}
	t.Run("looks where the answer was lost", func(t *testing.T) {
		srv := secretsstoretest.NewServer()
		defer srv.Close()
		srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpCreateStore, Count: 1, Cut: secretsstoretest.CutAfterRequest})
		store, isNew, err := srv.Client().Stores.Ensure(t.Context(), "s")
		require.NoError(t, err)
		assert.True(t, isNew)
		assert.Equal(t, srv.Stores()[0].ID, store.ID)
	})
	t.Run("tries again where the request was lost", func(t *testing.T) {
		srv := secretsstoretest.NewServer()
		defer srv.Close()
		srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpCreateStore, Count: 2, Status: 502, Body: "<html>"})
		store, isNew, err := srv.Client().Stores.Ensure(t.Context(), "s")
		require.NoError(t, err)
		assert.True(t, isNew)
		assert.Equal(t, srv.Stores()[0].ID, store.ID)
	})
	t.Run("gives up where it stays unknown", func(t *testing.T) {
		srv := secretsstoretest.NewServer()
		defer srv.Close()
		srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpCreateStore, Status: 502, Body: "<html>"})
		_, _, err := srv.Client().Stores.Ensure(t.Context(), "s")
		require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
	})
	t.Run("says that looking failed too", func(t *testing.T) {
		srv := secretsstoretest.NewServer()
		defer srv.Close()
		lists := 0
		srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpListStores, Status: 403, Body: secretsstoretest.ErrorBody(9109, "Invalid access token"),
			When: func(*http.Request) bool { lists++; return lists > 1 }})
		srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpCreateStore, Status: 502, Apply: true, Body: "<html>"})
		_, _, err := srv.Client().Stores.Ensure(t.Context(), "s")
		require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
		require.ErrorIs(t, err, secretsstore.ErrForbidden)
	})
}
