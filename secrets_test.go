package secretsstore_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// The request and the answer of the API's documentation, literally.
const (
	documentedBody   = `{"comment":"info about my secret","scopes":["workers","ai_gateway","dex","access"]}`
	documentedAnswer = `{"errors":[{"code":1000,"message":"message","documentation_url":"documentation_url","source":{"pointer":"pointer"}}],` +
		`"messages":[{"code":1000,"message":"message","documentation_url":"documentation_url","source":{"pointer":"pointer"}}],` +
		`"success":true,` +
		`"result":{"id":"3fd85f74b32742f1bff64a85009dda07","created":"2023-09-21T18:56:32.624632Z","modified":"2023-09-21T18:56:32.624632Z","name":"MY_API_KEY","status":"pending","store_id":"023e105f4ecef8ad9ca31a8372d0c353","comment":"info about my secret"},` +
		`"result_info":{"count":1,"page":1,"per_page":20,"total_count":2000}}`
)

func TestPatchAsDocumented(t *testing.T) {
	const url = "https://api.cloudflare.com/client/v4/accounts/985e105f4ecef8ad9ca31a8372d0c353/secrets_store/stores/023e105f4ecef8ad9ca31a8372d0c353/secrets/3fd85f74b32742f1bff64a85009dda07"
	for name, tc := range map[string]struct {
		credentials secretsstore.Option
		header      http.Header
	}{
		"with email and key": {secretsstore.WithAPIKey("user@example.com", "144c9defac04969c7bfad8efaa8ea194"),
			http.Header{"X-Auth-Email": {"user@example.com"}, "X-Auth-Key": {"144c9defac04969c7bfad8efaa8ea194"}}},
		"with a token": {secretsstore.WithAPIToken("Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"),
			http.Header{"Authorization": {"Bearer Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"}}},
	} {
		t.Run(name, func(t *testing.T) {
			noEnvironment(t)
			hc := new(http.Client)
			httpmock.ActivateNonDefault(hc)
			t.Cleanup(httpmock.DeactivateAndReset)
			httpmock.RegisterResponder("PATCH", url, func(req *http.Request) (*http.Response, error) {
				header := req.Header.Clone()
				assert.Regexp(t, "^secretsstore-go/", header.Get("User-Agent"))
				header.Del("User-Agent")
				want := tc.header.Clone()
				want.Set("Accept", "application/json")
				want.Set("Content-Type", "application/json")
				assert.Equal(t, want, header)
				assert.Equal(t, documentedBody, read(t, req.Body))
				assert.Equal(t, int64(len(documentedBody)), req.ContentLength)
				resp := httpmock.NewStringResponse(200, documentedAnswer)
				resp.Header.Set("CF-Ray", "8f00c0ffee-AMS")
				resp.Header.Set("Ratelimit", `"default";r=50;t=30`)
				resp.Header.Set("Ratelimit-Policy", `"default";q=100;w=60`)
				return resp, nil
			})
			c, err := secretsstore.NewClient(tc.credentials, secretsstore.WithAccountID("985e105f4ecef8ad9ca31a8372d0c353"), secretsstore.WithHTTPClient(hc))
			require.NoError(t, err)
			secret, resp, err := c.Secrets.Patch(t.Context(), "023e105f4ecef8ad9ca31a8372d0c353", "3fd85f74b32742f1bff64a85009dda07", secretsstore.SecretPatch{
				Comment: secretsstore.Ptr("info about my secret"),
				Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway, secretsstore.ScopeDEX, secretsstore.ScopeAccess},
			})
			require.NoError(t, err)
			at := time.Date(2023, 9, 21, 18, 56, 32, 624632000, time.UTC)
			assert.Equal(t, &secretsstore.Secret{
				ID: "3fd85f74b32742f1bff64a85009dda07", StoreID: "023e105f4ecef8ad9ca31a8372d0c353",
				Name: "MY_API_KEY", Comment: "info about my secret", Status: secretsstore.SecretPending,
				Created: at, Modified: at,
			}, secret)
			assert.Equal(t, 200, resp.StatusCode)
			assert.Equal(t, "8f00c0ffee-AMS", resp.Header.Get("cf-ray"))
			assert.Equal(t, &secretsstore.ResultInfo{Count: 1, Page: 1, PerPage: 20, TotalCount: 2000}, resp.ResultInfo)
			assert.Equal(t, []secretsstore.Message{{Code: 1000, Message: "message", DocumentationURL: "documentation_url", Source: secretsstore.ErrorSource{Pointer: "pointer"}}}, resp.Messages)
			assert.Equal(t, &secretsstore.RateLimit{Name: "default", Remaining: 50, Quota: 100, Reset: 30 * time.Second, Window: time.Minute}, resp.RateLimit)
			assert.Equal(t, "8f00c0ffee-AMS", resp.RayID)
			assert.Equal(t, 1, resp.Attempts)
			assert.JSONEq(t, `{"id":"3fd85f74b32742f1bff64a85009dda07","created":"2023-09-21T18:56:32.624632Z","modified":"2023-09-21T18:56:32.624632Z","name":"MY_API_KEY","status":"pending","store_id":"023e105f4ecef8ad9ca31a8372d0c353","comment":"info about my secret"}`, string(resp.Result))
		})
	}
}

func TestPatchBodies(t *testing.T) {
	value := strings.Repeat("v", 65_536)
	for name, tc := range map[string]struct {
		patch secretsstore.SecretPatch
		want  string
	}{
		"a comment alone":                        {secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")}, `{"comment":"c"}`},
		"clears the comment":                     {secretsstore.SecretPatch{Comment: secretsstore.Ptr("")}, `{"comment":""}`},
		"scopes alone":                           {secretsstore.SecretPatch{Scopes: []secretsstore.Scope{"workers"}}, `{"scopes":["workers"]}`},
		"a scope of the future":                  {secretsstore.SecretPatch{Scopes: []secretsstore.Scope{"mars"}}, `{"scopes":["mars"]}`},
		"sends an empty list that is not nil":    {secretsstore.SecretPatch{Scopes: []secretsstore.Scope{}}, `{"scopes":[]}`},
		"a value alone":                          {secretsstore.SecretPatch{Value: secretsstore.NewSecretValue("v")}, `{"value":"v"}`},
		"the longest value":                      {secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(value)}, `{"value":"` + value + `"}`},
		"text with markup, breaks and the like":  {secretsstore.SecretPatch{Comment: secretsstore.Ptr("<a> & \"b\"\n\x00é\ufffd\u2028")}, `{"comment":"\u003ca\u003e \u0026 \"b\"\n\u0000é` + "\ufffd" + `\u2028"}`},
		"a comment may be the word for redacted": {secretsstore.SecretPatch{Comment: secretsstore.Ptr("[REDACTED]")}, `{"comment":"[REDACTED]"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := answering(200, secretAnswer)
			_, _, err := newClient(t, w).Secrets.Patch(t.Context(), storeID, secretID, tc.patch)
			require.NoError(t, err)
			require.Len(t, w.sent, 1)
			assert.JSONEq(t, tc.want, w.sent[0].body)
			assert.Len(t, w.sent[0].body, len(tc.want))
		})
	}
}

func TestPatchRefuses(t *testing.T) {
	w := answering(200, secretAnswer)
	c := newClient(t, w)
	for says, patch := range map[string]secretsstore.SecretPatch{
		"patch changes nothing":                 {},
		"value has 65537 bytes":                 {Value: secretsstore.NewSecretValue(strings.Repeat("v", 65_537))},
		"value is empty":                        {Value: secretsstore.NewSecretValue("")},
		"value is [REDACTED]":                   {Value: secretsstore.NewSecretValue("[REDACTED]")},
		"value is not UTF-8":                    {Value: secretsstore.NewSecretValue("a\xffb")},
		"comment is not UTF-8":                  {Comment: secretsstore.Ptr("a\xffb")},
		"scopes is not UTF-8":                   {Scopes: []secretsstore.Scope{"workers", "\xff"}},
		"scopes has an empty scope":             {Scopes: []secretsstore.Scope{""}},
		"value is empty: invalid":               {Value: new(secretsstore.SecretValue)},
		"value has 65538 bytes: the API takes ": {Value: secretsstore.NewSecretValue(strings.Repeat("é", 32_769))},
	} {
		t.Run(says, func(t *testing.T) {
			secret, resp, err := c.Secrets.Patch(t.Context(), storeID, secretID, patch)
			require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
			require.ErrorContains(t, err, says)
			assert.Nil(t, secret)
			assert.Nil(t, resp)
			assert.Empty(t, w.sent)
		})
	}
}

// badIDs can't be part of a path, or would make it another one.
var badIDs = map[string]string{
	"nothing":         "",
	"dots":            "..",
	"a dot":           ".",
	"a slash":         "a/b",
	"a backslash":     `a\b`,
	"a query":         "a?x=1",
	"a fragment":      "a#b",
	"an encoded dot":  "%2e%2e",
	"NUL":             "a\x00b",
	"a space":         "a b",
	"a line break":    "a\nb",
	"33 characters":   strings.Repeat("a", 33),
	"another script":  "ｓtore",
	"the way to all":  "../../../../user/tokens",
	"a parameter":     "a;b",
	"a brace":         "{store_id}",
	"what is no text": "a\xff",
}

// callsWithIDs are all calls that put ids into a path, each with an id to fill.
func callsWithIDs(c *secretsstore.Client) map[string]func(ctx context.Context, id string) error {
	patch := secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")}
	create := secretsstore.SecretCreate{Name: "N", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")}
	dup := secretsstore.SecretDuplicate{Name: "N", Scopes: []secretsstore.Scope{"workers"}}
	s := c.Secrets
	return map[string]func(ctx context.Context, id string) error{
		"Patch secret_id": func(ctx context.Context, id string) error { _, _, err := s.Patch(ctx, storeID, id, patch); return err },
		"Patch store_id":  func(ctx context.Context, id string) error { _, _, err := s.Patch(ctx, id, secretID, patch); return err },
		"Get secret_id":   func(ctx context.Context, id string) error { _, _, err := s.Get(ctx, storeID, id); return err },
		"Get store_id":    func(ctx context.Context, id string) error { _, _, err := s.Get(ctx, id, secretID); return err },
		"List store_id":   func(ctx context.Context, id string) error { _, _, err := s.List(ctx, id, nil); return err },
		"Create store_id": func(ctx context.Context, id string) error {
			_, _, err := s.Create(ctx, id, []secretsstore.SecretCreate{create})
			return err
		},
		"Duplicate store_id": func(ctx context.Context, id string) error {
			_, _, err := s.Duplicate(ctx, id, secretID, dup)
			return err
		},
		"Duplicate secret_id": func(ctx context.Context, id string) error {
			_, _, err := s.Duplicate(ctx, storeID, id, dup)
			return err
		},
		"Delete store_id":  func(ctx context.Context, id string) error { _, err := s.Delete(ctx, id, secretID); return err },
		"Delete secret_id": func(ctx context.Context, id string) error { _, err := s.Delete(ctx, storeID, id); return err },
		"BulkDelete store_id": func(ctx context.Context, id string) error {
			_, err := s.BulkDelete(ctx, id, []string{secretID})
			return err
		},
		"BulkDelete secretIDs[1]": func(ctx context.Context, id string) error {
			_, err := s.BulkDelete(ctx, storeID, []string{secretID, id})
			return err
		},
		"FindByName store_id": func(ctx context.Context, id string) error { _, err := s.FindByName(ctx, id, "N"); return err },
		"Upsert store_id":     func(ctx context.Context, id string) error { _, _, err := s.Upsert(ctx, id, create); return err },
		"Stores.Get store_id": func(ctx context.Context, id string) error { _, _, err := c.Stores.Get(ctx, id); return err },
		"Stores.Delete store_id": func(ctx context.Context, id string) error {
			_, err := c.Stores.Delete(ctx, id, secretsstore.StoreDeleteOptions{Force: true})
			return err
		},
		"ForAccount account_id": func(ctx context.Context, id string) error {
			_, _, err := s.Get(ctx, storeID, secretID, secretsstore.ForAccount(id))
			return err
		},
		"Quota.Get account_id": func(ctx context.Context, id string) error {
			_, _, err := c.Quota.Get(ctx, secretsstore.ForAccount(id))
			return err
		},
		"Stores.List account_id": func(ctx context.Context, id string) error {
			_, _, err := c.Stores.List(ctx, nil, secretsstore.ForAccount(id))
			return err
		},
		"Stores.Create account_id": func(ctx context.Context, id string) error {
			_, _, err := c.Stores.Create(ctx, "n", secretsstore.ForAccount(id))
			return err
		},
		"Stores.Ensure account_id": func(ctx context.Context, id string) error {
			_, _, err := c.Stores.Ensure(ctx, "n", secretsstore.ForAccount(id))
			return err
		},
		"Secrets.All account_id": func(ctx context.Context, id string) error {
			return first(c.Secrets.All(ctx, storeID, nil, secretsstore.ForAccount(id)))
		},
		"Secrets.All store_id": func(ctx context.Context, id string) error { return first(c.Secrets.All(ctx, id, nil)) },
		"Stores.All account_id": func(ctx context.Context, id string) error {
			return first(c.Stores.All(ctx, nil, secretsstore.ForAccount(id)))
		},
		"WithAccountID as account_id": func(_ context.Context, id string) error {
			_, err := secretsstore.NewClient(secretsstore.WithAPIToken("T"), secretsstore.WithAccountID(id))
			return err
		},
	}
}

// first is the error that an iteration begins with.
func first[T any](seq func(func(T, error) bool)) (err error) {
	for _, err = range seq {
		break
	}
	return err
}

func TestIDsCannotLeaveTheirPlace(t *testing.T) {
	w := answering(200, secretAnswer)
	for name, do := range callsWithIDs(newClient(t, w)) {
		for what, id := range badIDs {
			t.Run(name+" with "+what, func(t *testing.T) {
				err := do(t.Context(), id)
				require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
				require.ErrorContains(t, err, strings.Fields(name)[len(strings.Fields(name))-1])
				assert.Empty(t, w.sent)
			})
		}
	}
}

// FuzzID holds that no id changes the shape of a path.
func FuzzID(f *testing.F) {
	for _, id := range badIDs {
		f.Add(id, secretID, storeID)
		f.Add(accountID, id, storeID)
		f.Add(accountID, storeID, id)
	}
	f.Add("A-z_0", "b", strings.Repeat("f", 32))
	f.Fuzz(func(t *testing.T, account, store, secret string) {
		w := answering(200, secretAnswer)
		_, _, err := newClient(t, w).Secrets.Patch(t.Context(), store, secret, secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")}, secretsstore.ForAccount(account))
		if err != nil {
			require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
			require.Empty(t, w.sent)
			return
		}
		require.Equal(t, baseURL+"/accounts/"+account+"/secrets_store/stores/"+store+"/secrets/"+secret, w.sent[0].url)
		require.Equal(t, 9, strings.Count(w.sent[0].url[len("https://"):], "/"))
		require.False(t, strings.ContainsAny(w.sent[0].url, "?#%"))
		for _, id := range []string{account, store, secret} {
			require.Regexp(t, "^[A-Za-z0-9_-]{1,32}$", id)
		}
	})
}
