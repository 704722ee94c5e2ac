package conformance

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/cloudflare/cloudflare-go/v7/option"
	cf "github.com/cloudflare/cloudflare-go/v7/secrets_store"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// A pair is one call through this library and through cloudflare-go.
type pair struct {
	name   string
	ours   func(context.Context, *secretsstore.Client, *world) error
	theirs func(context.Context, *cf.SecretsStoreService, *world) error
	// differs names what may differ in the requests: query, body, Content-Type.
	differs []string
	reason  string
	theyErr bool // cloudflare-go's request is refused
}

// Texts with characters that JSON and URLs escape.
const (
	comment = "line 1\nline 2 \"quoted\" <&> \u2028 \U0001f511 é"
	value   = "p\\ss\"w\x7f<ö>\x00"
	search  = "a&b=c d/é+%"
)

var bothScopes = []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway}

// pairs holds each operation of the API.
var pairs = []pair{
	{
		name: "quota",
		ours: func(ctx context.Context, c *secretsstore.Client, _ *world) error { return third(c.Quota.Get(ctx)) },
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			var p cf.QuotaGetParams
			set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
			return second(c.Quota.Get(ctx, p))
		},
	},
	{
		name: "a page of stores",
		ours: func(ctx context.Context, c *secretsstore.Client, _ *world) error {
			return third(c.Stores.List(ctx, &secretsstore.StoreListOptions{
				Page: 2, PerPage: 1, Order: secretsstore.OrderModified, Direction: secretsstore.Ascending,
			}))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			p := storeList(w)
			set(&p.Page.Value, &p.Page.Present, 2)
			set(&p.PerPage.Value, &p.PerPage.Present, 1)
			set(&p.Order.Value, &p.Order.Present, cf.StoreListParamsOrderModified)
			set(&p.Direction.Value, &p.Direction.Present, cf.StoreListParamsDirectionAsc)
			return second(c.Stores.List(ctx, p))
		},
	},
	{
		name: "all stores",
		ours: func(ctx context.Context, c *secretsstore.Client, _ *world) error {
			return drain(c.Stores.All(ctx, nil))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			pager := c.Stores.ListAutoPaging(ctx, storeList(w))
			for pager.Next() {
			}
			return pager.Err()
		},
		differs: []string{"query", "number of requests"},
		reason:  "All requests full pages and ends at a short one; cloudflare-go ends at an empty one",
	},
	{
		name: "create a store",
		ours: func(ctx context.Context, c *secretsstore.Client, _ *world) error {
			return third(c.Stores.Create(ctx, secretsstore.StoreCreate{Name: "service keys"}))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			var p cf.StoreNewParams
			set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
			set(&p.Name.Value, &p.Name.Present, "service keys")
			return second(c.Stores.New(ctx, p))
		},
	},
	{
		name: "get a store",
		ours: func(ctx context.Context, c *secretsstore.Client, w *world) error {
			return third(c.Stores.Get(ctx, w.store))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			var p cf.StoreGetParams
			set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
			return second(c.Stores.Get(ctx, w.store, p))
		},
	},
	{
		name: "delete a store with its secrets",
		ours: func(ctx context.Context, c *secretsstore.Client, w *world) error {
			return second(c.Stores.Delete(ctx, w.store, &secretsstore.StoreDeleteOptions{Force: true}))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			var p cf.StoreDeleteParams
			set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
			set(&p.Force.Value, &p.Force.Present, true)
			return second(c.Stores.Delete(ctx, w.store, p))
		},
	},
	{
		name: "a page of secrets",
		ours: func(ctx context.Context, c *secretsstore.Client, w *world) error {
			return third(c.Secrets.List(ctx, w.store, &secretsstore.SecretListOptions{
				Page: 3, PerPage: 100, Order: secretsstore.OrderComment, Direction: secretsstore.Descending, Search: search, Scopes: bothScopes[:1],
			}))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			p := secretList(w)
			set(&p.Page.Value, &p.Page.Present, 3)
			set(&p.PerPage.Value, &p.PerPage.Present, 100)
			set(&p.Order.Value, &p.Order.Present, cf.StoreSecretListParamsOrderComment)
			set(&p.Direction.Value, &p.Direction.Present, cf.StoreSecretListParamsDirectionDesc)
			set(&p.Search.Value, &p.Search.Present, search)
			set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretListParamsScope{cf.StoreSecretListParamsScopeWorkers})
			return second(c.Stores.Secrets.List(ctx, w.store, p))
		},
	},
	{
		name: "a page of secrets that have two scopes",
		ours: func(ctx context.Context, c *secretsstore.Client, w *world) error {
			return third(c.Secrets.List(ctx, w.store, &secretsstore.SecretListOptions{Scopes: bothScopes}))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			p := secretList(w)
			set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretListParamsScope{
				cf.StoreSecretListParamsScopeWorkers, cf.StoreSecretListParamsScopeAIGateway,
			})
			return second(c.Stores.Secrets.List(ctx, w.store, p))
		},
		differs: []string{"query"},
		reason:  "the API's definition has one list with commas; cloudflare-go repeats the key",
	},
	{
		name: "create secrets",
		ours: func(ctx context.Context, c *secretsstore.Client, w *world) error {
			return third(c.Secrets.BulkCreate(ctx, w.store, []secretsstore.SecretCreate{
				{Name: "A", Value: secretsstore.NewSecretValue(value), Scopes: bothScopes, Comment: comment},
				{Name: "B-2_b", Value: secretsstore.NewSecretValue("v"), Scopes: bothScopes},
			}))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			var p cf.StoreSecretNewParams
			set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
			p.Body = []cf.StoreSecretNewParamsBody{newBody("A", value), newBody("B-2_b", "v")}
			set(&p.Body[0].Comment.Value, &p.Body[0].Comment.Present, comment)
			return second(c.Stores.Secrets.New(ctx, w.store, p))
		},
	},
	{
		name: "get a secret",
		ours: func(ctx context.Context, c *secretsstore.Client, w *world) error {
			return third(c.Secrets.Get(ctx, w.store, w.first))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			return second(c.Stores.Secrets.Get(ctx, w.store, w.first, getParams(w)))
		},
	},
	{
		name: "patch all fields",
		ours: func(ctx context.Context, c *secretsstore.Client, w *world) error {
			return third(c.Secrets.Patch(ctx, w.store, w.first, secretsstore.SecretPatch{
				Comment: secretsstore.Ptr(comment), Scopes: bothScopes, Value: secretsstore.NewSecretValue(value),
			}))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			p := editParams(w, comment)
			set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretEditParamsScope{
				cf.StoreSecretEditParamsScopeWorkers, cf.StoreSecretEditParamsScopeAIGateway,
			})
			set(&p.Value.Value, &p.Value.Present, value)
			return second(c.Stores.Secrets.Edit(ctx, w.store, w.first, p))
		},
	},
	{
		name: "clear the comment",
		ours: func(ctx context.Context, c *secretsstore.Client, w *world) error {
			return third(c.Secrets.Patch(ctx, w.store, w.first, secretsstore.SecretPatch{Comment: secretsstore.Ptr("")}))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			return second(c.Stores.Secrets.Edit(ctx, w.store, w.first, editParams(w, "")))
		},
	},
	{
		name: "delete a secret",
		ours: func(ctx context.Context, c *secretsstore.Client, w *world) error {
			return second(c.Secrets.Delete(ctx, w.store, w.first))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			var p cf.StoreSecretDeleteParams
			set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
			return second(c.Stores.Secrets.Delete(ctx, w.store, w.first, p))
		},
	},
	{
		name: "delete several secrets",
		ours: bulkDelete,
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			return second(c.Stores.Secrets.BulkDelete(ctx, w.store, bulkParams(w)))
		},
		theyErr: true,
		differs: []string{"body", "Content-Type"},
		reason:  "cloudflare-go has no parameter for the ids",
	},
	{
		name: "delete several secrets, with a body of cloudflare-go's user",
		ours: bulkDelete,
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			body := []byte(`{"ids":["` + w.first + `","` + w.another + `"]}`)
			return second(c.Stores.Secrets.BulkDelete(ctx, w.store, bulkParams(w), option.WithRequestBody("application/json", body)))
		},
	},
	{
		name: "duplicate a secret",
		ours: func(ctx context.Context, c *secretsstore.Client, w *world) error {
			return third(c.Secrets.Duplicate(ctx, w.store, w.first, secretsstore.SecretDuplicate{Name: "COPY", Comment: comment, Scopes: bothScopes}))
		},
		theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *world) error {
			var p cf.StoreSecretDuplicateParams
			set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
			set(&p.Name.Value, &p.Name.Present, "COPY")
			set(&p.Comment.Value, &p.Comment.Present, comment)
			set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretDuplicateParamsScope{
				cf.StoreSecretDuplicateParamsScopeWorkers, cf.StoreSecretDuplicateParamsScopeAIGateway,
			})
			return second(c.Stores.Secrets.Duplicate(ctx, w.store, w.first, p))
		},
	},
}

// The requests of both libraries are the same, but for what a pair says.
func TestSameRequestsAsCloudflareGo(t *testing.T) {
	for _, credential := range []struct {
		name   string
		ours   func(*world) []secretsstore.Option
		theirs func(*world) []option.RequestOption
	}{
		{
			name:   "token",
			ours:   func(*world) []secretsstore.Option { return nil },
			theirs: func(*world) []option.RequestOption { return nil },
		},
		{
			name: "key",
			ours: func(w *world) []secretsstore.Option {
				return []secretsstore.Option{secretsstore.WithAPIKey(w.Email, w.APIKey)}
			},
			theirs: func(w *world) []option.RequestOption {
				return []option.RequestOption{option.WithHeaderDel("Authorization"), option.WithAPIEmail(w.Email), option.WithAPIKey(w.APIKey)}
			},
		},
	} {
		for _, pair := range pairs {
			t.Run(credential.name+", "+pair.name, func(t *testing.T) {
				ours, theirs := newWorld(t), newWorld(t)
				require.NoError(t, pair.ours(t.Context(), ours.ours(credential.ours(ours)...), ours))
				err := pair.theirs(t.Context(), theirs.theirs(credential.theirs(theirs)...), theirs)
				require.Equal(t, pair.theyErr, err != nil, "%v", err)
				assert.Equal(t, pair.differs, differences(t, ours.take(), theirs.take()), pair.reason)
			})
		}
	}
}

// differences names what differs between the first requests, and whether their numbers do.
func differences(t *testing.T, ours, theirs []exchange) (names []string) {
	t.Helper()
	a, b := ours[0].request, theirs[0].request
	assert.Equal(t, a.Method, b.Method)
	assert.Equal(t, a.URL.EscapedPath(), b.URL.EscapedPath())
	if a.URL.RawQuery != b.URL.RawQuery {
		names = append(names, "query")
	}
	if !sameJSON(ours[0].body, theirs[0].body) {
		names = append(names, "body")
	}
	if a.Header.Get("Content-Type") != b.Header.Get("Content-Type") {
		names = append(names, "Content-Type")
	}
	assert.Equal(t, rest(a.Header), rest(b.Header))
	if len(ours) != len(theirs) {
		names = append(names, "number of requests")
	}
	return names
}

// rest returns h without what says which client it is and how long the body is.
func rest(h http.Header) http.Header {
	h = h.Clone()
	for name := range h {
		if strings.HasPrefix(name, "X-Stainless") || name == "User-Agent" || name == "Content-Length" || name == "Content-Type" {
			h.Del(name)
		}
	}
	return h
}

func sameJSON(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func bulkDelete(ctx context.Context, c *secretsstore.Client, w *world) error {
	return second(c.Secrets.BulkDelete(ctx, w.store, []string{w.first, w.another}))
}

func storeList(w *world) (p cf.StoreListParams) {
	set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
	return p
}

func secretList(w *world) (p cf.StoreSecretListParams) {
	set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
	return p
}

func getParams(w *world) (p cf.StoreSecretGetParams) {
	set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
	return p
}

func editParams(w *world, comment string) (p cf.StoreSecretEditParams) {
	set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
	set(&p.Comment.Value, &p.Comment.Present, comment)
	return p
}

func bulkParams(w *world) (p cf.StoreSecretBulkDeleteParams) {
	set(&p.AccountID.Value, &p.AccountID.Present, w.AccountID)
	return p
}

func newBody(name, value string) (b cf.StoreSecretNewParamsBody) {
	set(&b.Name.Value, &b.Name.Present, name)
	set(&b.Value.Value, &b.Value.Present, value)
	set(&b.Scopes.Value, &b.Scopes.Present, []cf.StoreSecretNewParamsBodyScope{
		cf.StoreSecretNewParamsBodyScopeWorkers, cf.StoreSecretNewParamsBodyScopeAIGateway,
	})
	return b
}

func second[A any](_ A, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }

func drain[T any](list iter.Seq2[T, error]) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}
