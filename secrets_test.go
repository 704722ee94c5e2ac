package secretsstore_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

func TestPatch(t *testing.T) {
	// The request and the response of the API's documentation, literally.
	const (
		request  = `{"comment":"info about my secret","scopes":["workers","ai_gateway","dex","access"]}`
		response = `{"errors":[{"code":1000,"message":"message","documentation_url":"documentation_url","source":{"pointer":"pointer"}}],` +
			`"messages":[{"code":1000,"message":"message","documentation_url":"documentation_url","source":{"pointer":"pointer"}}],` +
			`"success":true,` +
			`"result":{"id":"3fd85f74b32742f1bff64a85009dda07","created":"2023-09-21T18:56:32.624632Z","modified":"2023-09-21T18:56:32.624632Z","name":"MY_API_KEY","status":"pending","store_id":"023e105f4ecef8ad9ca31a8372d0c353","comment":"info about my secret"},` +
			`"result_info":{"count":1,"page":1,"per_page":20,"total_count":2000}}`
	)
	transport := httpmock.NewMockTransport()
	transport.RegisterResponder(http.MethodPatch, "https://api.cloudflare.com/client/v4/accounts/985e105f4ecef8ad9ca31a8372d0c353/secrets_store/stores/023e105f4ecef8ad9ca31a8372d0c353/secrets/3fd85f74b32742f1bff64a85009dda07", func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(req.Body)
		assert.NoError(t, err)
		assert.Equal(t, request, string(body))
		assert.EqualValues(t, len(request), req.ContentLength)
		assert.Regexp(t, `^secretsstore-go/\d+\.\d+\.\d+$`, req.Header.Get("User-Agent"))
		req.Header.Del("User-Agent")
		assert.Equal(t, http.Header{
			"Authorization": {"Bearer " + apiToken},
			"Accept":        {"application/json"},
			"Content-Type":  {"application/json"},
		}, req.Header)
		resp := httpmock.NewStringResponse(http.StatusOK, response)
		resp.Header.Set("CF-Ray", "8f00c0ffee-AMS")
		resp.Header.Set("Ratelimit", `"default";r=50;t=30`)
		resp.Header.Set("Ratelimit-Policy", `"default";q=100;w=60`)
		return resp, nil
	})
	client := newClient(t, transport, secretsstore.WithBaseURL(secretsstore.DefaultBaseURL))

	secret, resp, err := client.Secrets.Patch(t.Context(), storeID, secretID, secretsstore.SecretPatch{
		Comment: secretsstore.Ptr("info about my secret"),
		Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway, secretsstore.ScopeDEX, secretsstore.ScopeAccess},
	})

	require.NoError(t, err)
	at := time.Date(2023, 9, 21, 18, 56, 32, 624_632_000, time.UTC)
	assert.Equal(t, &secretsstore.Secret{
		ID: secretID, StoreID: storeID, Name: "MY_API_KEY", Comment: "info about my secret",
		Status: secretsstore.SecretStatusPending, Created: at, Modified: at,
	}, secret)
	detail := secretsstore.Detail{Code: 1000, Message: "message", DocumentationURL: "documentation_url", Source: secretsstore.Source{Pointer: "pointer"}}
	assert.Equal(t, 200, resp.StatusCode)
	assert.JSONEq(t, response, string(resp.Body))
	assert.Equal(t, []secretsstore.Detail{detail}, resp.Errors)
	assert.Equal(t, []secretsstore.Detail{detail}, resp.Messages)
	assert.Equal(t, &secretsstore.ResultInfo{Count: 1, Page: 1, PerPage: 20, TotalCount: 2000}, resp.ResultInfo)
	assert.Equal(t, &secretsstore.RateLimit{Name: "default", Remaining: 50, Quota: 100, Reset: 30 * time.Second, Window: time.Minute}, resp.RateLimit)
	assert.Equal(t, "8f00c0ffee-AMS", resp.RayID)
	assert.Equal(t, 1, resp.Attempts)
}

func TestGet(t *testing.T) {
	api := respondWith(response(200, `{"success":true,"result":{"id":"`+secretID+`","name":"A","scopes":["access","workers"],"status":"active"}}`))

	secret, _, err := newClient(t, api).Secrets.Get(t.Context(), storeID, secretID)

	require.NoError(t, err)
	assert.Equal(t, []string{"GET " + secretURL}, api.sent())
	assert.Empty(t, api.requests[0].header["Content-Type"])
	assert.Equal(t, &secretsstore.Secret{
		ID: secretID, Name: "A", Status: secretsstore.SecretStatusActive,
		Scopes: []secretsstore.Scope{secretsstore.ScopeAccess, secretsstore.ScopeWorkers},
	}, secret)
}

func TestList(t *testing.T) {
	api := respondWith(response(200, `{"success":true,"result":[{"id":"a","name":"A"},{"id":"b","name":"B"}],"result_info":{"count":2,"page":3,"per_page":2,"total_count":6,"total_pages":3}}`))

	secrets, resp, err := newClient(t, api).Secrets.List(t.Context(), storeID, &secretsstore.SecretListOptions{
		Page: 3, PerPage: 2, Order: secretsstore.OrderComment, Direction: secretsstore.Descending,
		Search: "a&b=c d/é", Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway},
	})

	require.NoError(t, err)
	assert.Equal(t, []string{"GET " + secretsURL + "?direction=desc&order=comment&page=3&per_page=2&scopes=workers%2Cai_gateway&search=a%26b%3Dc+d%2F%C3%A9"}, api.sent())
	assert.Equal(t, []*secretsstore.Secret{{ID: "a", Name: "A"}, {ID: "b", Name: "B"}}, secrets)
	assert.Equal(t, &secretsstore.ResultInfo{Count: 2, Page: 3, PerPage: 2, TotalCount: 6, TotalPages: 3}, resp.ResultInfo)
}

func TestListDefaults(t *testing.T) {
	api := respondWith(response(200, emptyBody))

	secrets, _, err := newClient(t, api).Secrets.List(t.Context(), storeID, nil)

	require.NoError(t, err)
	assert.Equal(t, []string{"GET " + secretsURL}, api.sent())
	assert.Empty(t, secrets, `"result":null is an empty list`)
}

func TestCreate(t *testing.T) {
	api := respondWith(response(200, `{"success":true,"result":[{"id":"a","name":"A","status":"pending"}]}`))

	secret, _, err := newClient(t, api).Secrets.Create(t.Context(), storeID, secretsstore.SecretCreate{
		Name: "A", Comment: "c", Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: secretsstore.NewSecretValue("v"),
	})

	require.NoError(t, err)
	assert.Equal(t, []string{"POST " + secretsURL + ` [{"name":"A","comment":"c","scopes":["workers"],"value":"v"}]`}, api.sent())
	assert.Equal(t, &secretsstore.Secret{ID: "a", Name: "A", Status: secretsstore.SecretStatusPending}, secret)
}

func TestBulkCreate(t *testing.T) {
	api := respondWith(response(200, `{"success":true,"result":[{"id":"a","name":"A"},{"id":"b","name":"B"}]}`))

	secrets, _, err := newClient(t, api).Secrets.BulkCreate(t.Context(), storeID, []secretsstore.SecretCreate{
		{Name: "A", Comment: "c", Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: secretsstore.NewSecretValue("v")},
		{Name: "B", Scopes: []secretsstore.Scope{secretsstore.ScopeDEX, secretsstore.ScopeAccess}, Value: secretsstore.NewSecretValue("w")},
	})

	require.NoError(t, err)
	assert.Equal(t, []string{"POST " + secretsURL + ` [{"name":"A","comment":"c","scopes":["workers"],"value":"v"},{"name":"B","scopes":["dex","access"],"value":"w"}]`}, api.sent())
	assert.Equal(t, []*secretsstore.Secret{{ID: "a", Name: "A"}, {ID: "b", Name: "B"}}, secrets)
}

func TestDuplicate(t *testing.T) {
	api := respondWith(response(200, `{"success":true,"result":{"id":"b","name":"B"}}`))

	secret, _, err := newClient(t, api).Secrets.Duplicate(t.Context(), storeID, secretID, secretsstore.SecretDuplicate{
		Name: "B", Comment: "c", Scopes: []secretsstore.Scope{secretsstore.ScopeDEX},
	})

	require.NoError(t, err)
	assert.Equal(t, []string{"POST " + secretURL + `/duplicate {"name":"B","comment":"c","scopes":["dex"]}`}, api.sent())
	assert.Equal(t, &secretsstore.Secret{ID: "b", Name: "B"}, secret)
}

func TestDelete(t *testing.T) {
	api := respondWith(response(202, emptyBody))

	resp, err := newClient(t, api).Secrets.Delete(t.Context(), storeID, secretID)

	require.NoError(t, err)
	assert.Equal(t, []string{"DELETE " + secretURL}, api.sent())
	assert.Equal(t, 202, resp.StatusCode)
}

func TestBulkDelete(t *testing.T) {
	api := respondWith(response(202, emptyBody))

	resp, err := newClient(t, api).Secrets.BulkDelete(t.Context(), storeID, []string{"a", "b"})

	require.NoError(t, err)
	assert.Equal(t, []string{"DELETE " + secretsURL + ` {"ids":["a","b"]}`}, api.sent())
	assert.Equal(t, 202, resp.StatusCode)
}

func TestPatchBody(t *testing.T) {
	longest := strings.Repeat("v", secretsstore.MaxSecretValueSize)
	for _, tt := range []struct {
		name  string
		patch secretsstore.SecretPatch
		want  string
	}{
		{name: "fields that are not set are not sent", patch: secretsstore.SecretPatch{Value: secretsstore.NewSecretValue("v")}, want: `{"value":"v"}`},
		{name: "an empty comment is sent", patch: secretsstore.SecretPatch{Comment: secretsstore.Ptr("")}, want: `{"comment":""}`},
		{name: "an empty list of scopes is sent", patch: secretsstore.SecretPatch{Scopes: []secretsstore.Scope{}}, want: `{"scopes":[]}`},
		{name: "unknown scopes are sent", patch: secretsstore.SecretPatch{Scopes: []secretsstore.Scope{"mars", "", "a,b", "mars"}}, want: `{"scopes":["mars","","a,b","mars"]}`},
		{name: "a comment may contain the placeholder", patch: secretsstore.SecretPatch{Comment: secretsstore.Ptr("[REDACTED]")}, want: `{"comment":"[REDACTED]"}`},
		{name: "the longest value is sent", patch: secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(longest)}, want: `{"value":"` + longest + `"}`},
		{name: "text is escaped", patch: secretsstore.SecretPatch{Value: secretsstore.NewSecretValue("\"\n\x00é\ufffd")}, want: `{"value":"\"\n\u0000é` + "\ufffd" + `"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			api := respondWith(response(200, secretBody))
			_, _, err := newClient(t, api).Secrets.Patch(t.Context(), storeID, secretID, tt.patch)
			require.NoError(t, err)
			assert.Equal(t, tt.want, api.requests[0].body)
		})
	}
}

// A value that was lost must not turn into "keep the current one".
func TestPatchWithEmptyValueIsNotSent(t *testing.T) {
	api := respondWith(response(200, secretBody))
	_, _, err := newClient(t, api).Secrets.Patch(t.Context(), storeID, secretID, secretsstore.SecretPatch{
		Comment: secretsstore.Ptr("rotated"),
		Value:   secretsstore.NewSecretValue(""),
	})
	require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
	assert.Empty(t, api.sent())
}

func TestArguments(t *testing.T) {
	api := respondWith(response(200, secretBody))
	client := newClient(t, api)
	c, stores := client.Secrets, client.Stores
	ctx, scopes, value := t.Context(), []secretsstore.Scope{"workers"}, secretsstore.NewSecretValue
	valid := secretsstore.SecretCreate{Name: "A", Scopes: scopes, Value: value("v")}
	patch := func(p secretsstore.SecretPatch) error { return third(c.Patch(ctx, storeID, secretID, p)) }
	create := func(s secretsstore.SecretCreate) error { return third(c.Create(ctx, storeID, s)) }
	bulkCreate := func(s ...secretsstore.SecretCreate) error { return third(c.BulkCreate(ctx, storeID, s)) }
	duplicate := func(s secretsstore.SecretDuplicate) error { return third(c.Duplicate(ctx, storeID, secretID, s)) }
	upsert := func(s secretsstore.SecretUpsert) error { return third(c.Upsert(ctx, storeID, s)) }
	list := func(o secretsstore.SecretListOptions) error { return third(c.List(ctx, storeID, &o)) }
	bulkDelete := func(ids ...string) error { return second(c.BulkDelete(ctx, storeID, ids)) }
	find := func(name string) error { return second(c.FindByName(ctx, storeID, name)) }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{err: patch(secretsstore.SecretPatch{}), want: "invalid patch: empty, set a comment, scopes or a value"},
		{err: patch(secretsstore.SecretPatch{Comment: secretsstore.Ptr("\xff")}), want: "invalid comment: not valid UTF-8"},
		{err: patch(secretsstore.SecretPatch{Scopes: []secretsstore.Scope{"workers", "\xff"}}), want: "invalid scopes: not valid UTF-8"},
		{err: patch(secretsstore.SecretPatch{Value: value("\xff")}), want: "invalid value: not valid UTF-8"},
		{err: patch(secretsstore.SecretPatch{Value: value(strings.Repeat("é", 32_768) + "x")}), want: "invalid value: has 65537 bytes, maximum is 65536"},
		{err: patch(secretsstore.SecretPatch{Value: value("postgres://app:[REDACTED]@db")}), want: "invalid value: contains [REDACTED], pass the revealed secret value"},

		{err: create(secretsstore.SecretCreate{Scopes: scopes, Value: value("v")}), want: "invalid name: must not be empty"},
		{err: create(secretsstore.SecretCreate{Name: "\xff", Scopes: scopes, Value: value("v")}), want: "invalid name: not valid UTF-8"},
		{err: create(secretsstore.SecretCreate{Name: "A", Value: value("v")}), want: "invalid scopes: must not be empty"},
		{err: create(secretsstore.SecretCreate{Name: "A", Scopes: scopes}), want: "invalid value: must not be empty"},
		{err: create(secretsstore.SecretCreate{Name: "A", Scopes: scopes, Value: value("")}), want: "invalid value: must not be empty"},
		{err: create(secretsstore.SecretCreate{Name: "A", Scopes: scopes, Value: value("[REDACTED]")}), want: "invalid value: contains [REDACTED], pass the revealed secret value"},
		{err: create(secretsstore.SecretCreate{Name: "A", Scopes: scopes, Value: value("v"), Comment: "\xff"}), want: "invalid comment: not valid UTF-8"},
		{err: bulkCreate(), want: "invalid secrets: must not be empty"},
		{err: bulkCreate(valid, secretsstore.SecretCreate{}), want: "invalid secrets[1].name: must not be empty"},
		{err: bulkCreate(valid, secretsstore.SecretCreate{Name: "A", Scopes: scopes}), want: "invalid secrets[1].value: must not be empty"},

		{err: duplicate(secretsstore.SecretDuplicate{Scopes: scopes}), want: "invalid name: must not be empty"},
		{err: duplicate(secretsstore.SecretDuplicate{Name: "A"}), want: "invalid scopes: must not be empty"},
		{err: duplicate(secretsstore.SecretDuplicate{Name: "A", Scopes: []secretsstore.Scope{"\xff"}}), want: "invalid scopes: not valid UTF-8"},

		{err: upsert(secretsstore.SecretUpsert{Value: value("v")}), want: "invalid name: must not be empty"},
		{err: upsert(secretsstore.SecretUpsert{Name: "A"}), want: "invalid value: must not be empty"},
		{err: upsert(secretsstore.SecretUpsert{Name: "A", Value: value("[REDACTED]")}), want: "invalid value: contains [REDACTED], pass the revealed secret value"},
		{err: upsert(secretsstore.SecretUpsert{Name: "A", Value: value("v"), Comment: secretsstore.Ptr("\xff")}), want: "invalid comment: not valid UTF-8"},

		{err: list(secretsstore.SecretListOptions{Page: -1}), want: "invalid page: must not be negative"},
		{err: list(secretsstore.SecretListOptions{PerPage: -1}), want: "invalid per_page: must not be negative"},
		{err: list(secretsstore.SecretListOptions{Search: "\xff"}), want: "invalid search: not valid UTF-8"},
		{err: list(secretsstore.SecretListOptions{Scopes: []secretsstore.Scope{"a,b"}}), want: "invalid scopes: contains a comma, which separates scopes"},
		{err: first(c.All(ctx, storeID, &secretsstore.SecretListOptions{Page: -1})), want: "invalid page: must not be negative"},
		{err: first(c.All(ctx, storeID, &secretsstore.SecretListOptions{PerPage: -1})), want: "invalid per_page: must not be negative"},
		{err: find(""), want: "invalid name: must not be empty"},
		{err: find("\xff"), want: "invalid name: not valid UTF-8"},

		{err: third(stores.Create(ctx, secretsstore.StoreCreate{})), want: "invalid name: must not be empty"},
		{err: third(stores.Create(ctx, secretsstore.StoreCreate{Name: "\xff"})), want: "invalid name: not valid UTF-8"},
		{err: third(stores.Ensure(ctx, secretsstore.StoreCreate{})), want: "invalid name: must not be empty"},
		{err: second(stores.FindByName(ctx, "")), want: "invalid name: must not be empty"},
		{err: third(stores.List(ctx, &secretsstore.StoreListOptions{Page: -1})), want: "invalid page: must not be negative"},
		{err: first(stores.All(ctx, &secretsstore.StoreListOptions{PerPage: -1})), want: "invalid per_page: must not be negative"},

		{err: bulkDelete(), want: "invalid ids: must not be empty"},
		{err: bulkDelete("a", ""), want: "invalid ids[1]: must not be empty"},
		{err: bulkDelete("a", "a/b"), want: `invalid ids[1]: contains '/', only letters, digits, "-" and "_" are allowed`},
	} {
		t.Run(tt.want, func(t *testing.T) {
			require.EqualError(t, tt.err, "secretsstore: "+tt.want)
			assert.ErrorIs(t, tt.err, secretsstore.ErrInvalidArgument)
		})
	}
	assert.Empty(t, api.sent())
}

// Names, scopes, orders and page sizes are left to the server.
func TestUnusualArgumentsAreSent(t *testing.T) {
	api := respondWith(response(200, `{"success":true,"result":[{"id":"a"}]}`))
	c := newClient(t, api).Secrets
	_, _, err := c.Create(t.Context(), storeID, secretsstore.SecretCreate{Name: " a b.é", Scopes: []secretsstore.Scope{""}, Value: secretsstore.NewSecretValue(" ")})
	require.NoError(t, err)
	_, _, err = c.List(t.Context(), storeID, &secretsstore.SecretListOptions{PerPage: 1000, Order: "size", Direction: "up"})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"POST " + secretsURL + ` [{"name":" a b.é","scopes":[""],"value":" "}]`,
		"GET " + secretsURL + "?direction=up&order=size&per_page=1000",
	}, api.sent())
}

// An id cannot change the path of a request.
func TestInvalidIDsAreNotSent(t *testing.T) {
	api := respondWith(response(200, secretBody))
	c := newClient(t, api)
	for _, id := range []string{"", ".", "..", "a/b", `a\b`, "a?x=1", "a#b", "%2e%2e", "a;b", "a\x00", "a b", "a\n", "{store_id}", "../../STORE?force=true", "ｓ", "\xff", strings.Repeat("a", 129)} {
		for name, call := range methods {
			arguments := map[string]arguments{"account_id": {store: storeID, secret: secretID, opts: []secretsstore.RequestOption{secretsstore.WithAccountID(id)}}}
			if strings.HasPrefix(name, "Secrets.") || name == "Stores.Get" || name == "Stores.Delete" {
				arguments["store_id"] = argumentsWith(id, secretID)
			}
			switch name {
			case "Secrets.Patch", "Secrets.Get", "Secrets.Duplicate", "Secrets.Delete", "Secrets.WaitActive":
				arguments["secret_id"] = argumentsWith(storeID, id)
			}
			for argument, a := range arguments {
				a.ctx, a.client = t.Context(), c
				var argErr *secretsstore.ArgumentError
				if _, err := call(a); assert.ErrorAs(t, err, &argErr, "%s: %s %q", name, argument, id) {
					assert.Equal(t, argument, argErr.Argument, "%s: %q", name, id)
				}
			}
		}
	}
	assert.Empty(t, api.sent())

	longest := strings.Repeat("A-z_0", 25) + "123"
	_, _, err := c.Secrets.Get(t.Context(), longest, longest, secretsstore.WithAccountID(longest))
	require.NoError(t, err)
	assert.Equal(t, []string{"GET " + baseURL + "/accounts/" + longest + "/secrets_store/stores/" + longest + "/secrets/" + longest}, api.sent())
}

func TestDeleteSucceedsWithoutResult(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
	}{
		{status: 204},
		{status: 200}, {status: 200, body: "null"}, {status: 200, body: emptyBody}, {status: 200, body: secretBody}, {status: 200, body: `{"success":true}`},
		{status: 202}, {status: 202, body: "null"}, {status: 202, body: " \n"},
	} {
		api := respondWith(response(tt.status, tt.body))
		c := newClient(t, api)
		for _, err := range []error{
			second(c.Secrets.Delete(t.Context(), storeID, secretID)),
			second(c.Secrets.BulkDelete(t.Context(), storeID, []string{secretID})),
			second(c.Stores.Delete(t.Context(), storeID, nil)),
			second(c.Do(t.Context(), http.MethodDelete, "/zones/z", nil, nil)),
		} {
			assert.NoError(t, err, "%d %q", tt.status, tt.body)
		}
		assert.Len(t, api.sent(), 4)
	}
}

// The request is not documented to be atomic, so what the API returned is returned.
func TestBulkCreateReturnsWhatWasCreated(t *testing.T) {
	secrets := []secretsstore.SecretCreate{
		{Name: "A", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")},
		{Name: "B", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("w")},
	}
	for _, tt := range []struct {
		name, body string
		want       []string
	}{
		{name: "fewer than requested", body: `{"success":true,"result":[{"id":"a","name":"A"}]}`, want: []string{"ErrInvalidResponse", "ErrOutcomeUnknown"}},
		{name: "a null item", body: `{"success":true,"result":[{"id":"a","name":"A"},null]}`, want: []string{"ErrInvalidResponse", "ErrOutcomeUnknown"}},
		{name: "not a success", body: `{"success":false,"errors":[{"code":1003,"message":"maximum_secrets_exceeded: max 100"}],"result":[{"id":"a","name":"A"}]}`, want: []string{"ErrQuotaExceeded"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			created, resp, err := newClient(t, respondWith(response(200, tt.body))).Secrets.BulkCreate(t.Context(), storeID, secrets)
			assert.Equal(t, tt.want, matches(err))
			assert.Equal(t, []*secretsstore.Secret{{ID: "a", Name: "A"}}, created)
			assert.NotNil(t, resp)
		})
	}
}

func TestBulkCreateReturnsNothingOfEarlierAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := respondWith(response(200, `{"success":false,"errors":[{"code":971,"message":"Please wait"}],"result":[{"id":"stale"}]}`), response(400, failure(1001, "invalid_json_body")))
		created, _, err := newClient(t, api).Secrets.BulkCreate(t.Context(), storeID, []secretsstore.SecretCreate{newSecret})
		assert.Equal(t, []string{"ErrInvalidRequest"}, matches(err))
		assert.Empty(t, created)
	})
}

func TestInvalidTimesAreZero(t *testing.T) {
	for _, body := range []string{
		`{"success":true,"result":{"id":"a","name":"A","created":"","modified":"2023-09-21T18:56:32Z"}}`,
		`{"success":true,"result":{"id":"a","name":"A","created":"yesterday","modified":"2023-09-21T18:56:32Z"}}`,
		`{"success":true,"result":{"id":"a","name":"A","created":1695322592,"modified":"2023-09-21T18:56:32Z"}}`,
		`{"success":true,"result":{"id":"a","name":"A","created":null,"modified":"2023-09-21T18:56:32Z"}}`,
	} {
		secret, _, err := newClient(t, respondWith(response(200, body))).Secrets.Get(t.Context(), storeID, secretID)
		require.NoError(t, err, body)
		assert.Equal(t, &secretsstore.Secret{ID: "a", Name: "A", Modified: time.Date(2023, 9, 21, 18, 56, 32, 0, time.UTC)}, secret, body)
	}
}
