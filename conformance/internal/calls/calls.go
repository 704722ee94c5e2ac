package calls

import (
	"context"
	"iter"

	"github.com/cloudflare/cloudflare-go/v7/option"
	cf "github.com/cloudflare/cloudflare-go/v7/secrets_store"

	"github.com/seed-57d84f87/secretsstore-go"
)

// Call is the same call through two clients.
type Call struct {
	Name      string
	Operation string // its id in the document
	Ours      func(ctx context.Context, c *secretsstore.Client, w *World) error
	Theirs    func(ctx context.Context, c *cf.SecretsStoreService, w *World) error
	// Differs says what is not the same in the requests, and why.
	Differs map[string]string
	// TheyFail says that what they send is refused.
	TheyFail bool
}

// Why several calls differ.
const (
	scopesReason = "the newest definition has one list with commas; theirs repeats the key"
	pagesReason  = "ours asks for full pages, by number, from the first on; theirs leaves both to the API"
	endReason    = "ours ends at a page that is shorter than it asked for; theirs asks on until a page is empty"
	idsReason    = "theirs has no parameter for the ids, so that nothing says what to delete"
)

// Set gives a parameter of cloudflare-go a value. The type of their parameters can't
// be named without the module's root package, whose build takes minutes.
func Set[T any](value *T, present *bool, to T) { *value, *present = to, true }

// The values of the calls. What JSON has to escape is among them.
const (
	comment = "line 1\nline 2 \"quoted\" <&> \u2028 \U0001f511 é"
	value   = "p\\ss\"w\x7f<ö>\x00"
	search  = "a&b=c d/é+%"
)

var scopes = []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway}

// All are all operations of the API, in the ways they are called.
func All() []Call {
	return []Call{
		{Name: "quota", Operation: "getQuota",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Quota.Get(ctx))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				var p cf.QuotaGetParams
				Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
				return second(c.Quota.Get(ctx, p))
			}},
		{Name: "a page of stores", Operation: "listStores",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Stores.List(ctx, &secretsstore.StoreListOptions{
					Page: 2, PerPage: 1, Order: secretsstore.OrderModified, Direction: secretsstore.Ascending,
				}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				p := storeList(w)
				Set(&p.Page.Value, &p.Page.Present, 2)
				Set(&p.PerPage.Value, &p.PerPage.Present, 1)
				Set(&p.Order.Value, &p.Order.Present, cf.StoreListParamsOrderModified)
				Set(&p.Direction.Value, &p.Direction.Present, cf.StoreListParamsDirectionAsc)
				return second(c.Stores.List(ctx, p))
			}},
		{Name: "a page of stores, as the API likes it", Operation: "listStores",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Stores.List(ctx, nil))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				return second(c.Stores.List(ctx, storeList(w)))
			}},
		{Name: "all stores", Operation: "listStores",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return drain(c.Stores.All(ctx, nil))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				pager := c.Stores.ListAutoPaging(ctx, storeList(w))
				for pager.Next() {
				}
				return pager.Err()
			},
			Differs: map[string]string{"query": pagesReason, "number of requests": endReason}},
		{Name: "create a store", Operation: "createStore",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Stores.Create(ctx, secretsstore.StoreCreate{Name: "service keys"}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				var p cf.StoreNewParams
				Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
				Set(&p.Name.Value, &p.Name.Present, "service keys")
				return second(c.Stores.New(ctx, p))
			}},
		{Name: "get a store", Operation: "getStore",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Stores.Get(ctx, w.Store))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				var p cf.StoreGetParams
				Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
				return second(c.Stores.Get(ctx, w.Store, p))
			}},
		{Name: "delete a store", Operation: "deleteStore",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return second(c.Stores.Delete(ctx, w.Empty, nil))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				return second(c.Stores.Delete(ctx, w.Empty, storeDelete(w)))
			}},
		{Name: "delete a store with its secrets", Operation: "deleteStore",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return second(c.Stores.Delete(ctx, w.Store, &secretsstore.StoreDeleteOptions{Force: true}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				p := storeDelete(w)
				Set(&p.Force.Value, &p.Force.Present, true)
				return second(c.Stores.Delete(ctx, w.Store, p))
			}},
		{Name: "a page of secrets", Operation: "listSecrets",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Secrets.List(ctx, w.Store, &secretsstore.SecretListOptions{
					Page: 3, PerPage: 100, Order: secretsstore.OrderComment, Direction: secretsstore.Descending,
					Search: search, Scopes: scopes[:1],
				}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				p := secretList(w)
				Set(&p.Page.Value, &p.Page.Present, 3)
				Set(&p.PerPage.Value, &p.PerPage.Present, 100)
				Set(&p.Order.Value, &p.Order.Present, cf.StoreSecretListParamsOrderComment)
				Set(&p.Direction.Value, &p.Direction.Present, cf.StoreSecretListParamsDirectionDesc)
				Set(&p.Search.Value, &p.Search.Present, search)
				Set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretListParamsScope{cf.StoreSecretListParamsScopeWorkers})
				return second(c.Stores.Secrets.List(ctx, w.Store, p))
			}},
		{Name: "a page of secrets that have two scopes", Operation: "listSecrets",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Secrets.List(ctx, w.Store, &secretsstore.SecretListOptions{Scopes: scopes}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				p := secretList(w)
				Set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretListParamsScope{
					cf.StoreSecretListParamsScopeWorkers, cf.StoreSecretListParamsScopeAIGateway,
				})
				return second(c.Stores.Secrets.List(ctx, w.Store, p))
			},
			Differs: map[string]string{"query": scopesReason}},
		{Name: "a page of secrets, as the API likes it", Operation: "listSecrets",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Secrets.List(ctx, w.Store, nil))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				return second(c.Stores.Secrets.List(ctx, w.Store, secretList(w)))
			}},
		{Name: "all secrets", Operation: "listSecrets",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return drain(c.Secrets.All(ctx, w.Store, nil))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				pager := c.Stores.Secrets.ListAutoPaging(ctx, w.Store, secretList(w))
				for pager.Next() {
				}
				return pager.Err()
			},
			Differs: map[string]string{"query": pagesReason, "number of requests": endReason}},
		{Name: "create secrets", Operation: "createSecrets",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Secrets.BulkCreate(ctx, w.Store, []secretsstore.SecretCreate{
					{Name: "A", Value: secretsstore.NewSecretValue(value), Scopes: scopes, Comment: comment},
					{Name: "B-2_b", Value: secretsstore.NewSecretValue("v"), Scopes: scopes[:1]},
				}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				var p cf.StoreSecretNewParams
				Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
				p.Body = []cf.StoreSecretNewParamsBody{newBody("A", value), newBody("B-2_b", "v")}
				Set(&p.Body[0].Comment.Value, &p.Body[0].Comment.Present, comment)
				p.Body[1].Scopes.Value = p.Body[1].Scopes.Value[:1]
				return second(c.Stores.Secrets.New(ctx, w.Store, p))
			}},
		{Name: "get a secret", Operation: "getSecret",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Secrets.Get(ctx, w.Store, w.Secret))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				var p cf.StoreSecretGetParams
				Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
				return second(c.Stores.Secrets.Get(ctx, w.Store, w.Secret, p))
			}},
		{Name: "patch all fields of a secret", Operation: "patchSecret",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Secrets.Patch(ctx, w.Store, w.Secret, secretsstore.SecretPatch{
					Comment: secretsstore.Ptr(comment), Scopes: scopes, Value: secretsstore.NewSecretValue(value),
				}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				p := edit(w)
				Set(&p.Comment.Value, &p.Comment.Present, comment)
				Set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretEditParamsScope{
					cf.StoreSecretEditParamsScopeWorkers, cf.StoreSecretEditParamsScopeAIGateway,
				})
				Set(&p.Value.Value, &p.Value.Present, value)
				return second(c.Stores.Secrets.Edit(ctx, w.Store, w.Secret, p))
			}},
		{Name: "patch the comment away", Operation: "patchSecret",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Secrets.Patch(ctx, w.Store, w.Secret, secretsstore.SecretPatch{Comment: secretsstore.Ptr("")}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				p := edit(w)
				Set(&p.Comment.Value, &p.Comment.Present, "")
				return second(c.Stores.Secrets.Edit(ctx, w.Store, w.Secret, p))
			}},
		{Name: "patch the value", Operation: "patchSecret",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Secrets.Patch(ctx, w.Store, w.Secret, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(value)}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				p := edit(w)
				Set(&p.Value.Value, &p.Value.Present, value)
				return second(c.Stores.Secrets.Edit(ctx, w.Store, w.Secret, p))
			}},
		{Name: "delete a secret", Operation: "deleteSecret",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return second(c.Secrets.Delete(ctx, w.Store, w.Secret))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				var p cf.StoreSecretDeleteParams
				Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
				return second(c.Stores.Secrets.Delete(ctx, w.Store, w.Secret, p))
			}},
		{Name: "delete many secrets", Operation: "deleteSecrets",
			Ours: bulkDelete,
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				return second(c.Stores.Secrets.BulkDelete(ctx, w.Store, bulk(w)))
			},
			TheyFail: true,
			Differs:  map[string]string{"body": idsReason, "header Content-Type": idsReason}},
		{Name: "delete many secrets, where their body is made by hand", Operation: "deleteSecrets",
			Ours: bulkDelete,
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				body := []byte(`{"ids":["` + w.Secret + `","` + w.Second + `"]}`)
				return second(c.Stores.Secrets.BulkDelete(ctx, w.Store, bulk(w), option.WithRequestBody("application/json", body)))
			}},
		{Name: "duplicate a secret", Operation: "duplicateSecret",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Secrets.Duplicate(ctx, w.Store, w.Secret, secretsstore.SecretDuplicate{Name: "COPY", Comment: comment, Scopes: scopes}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				p := duplicate(w)
				Set(&p.Comment.Value, &p.Comment.Present, comment)
				return second(c.Stores.Secrets.Duplicate(ctx, w.Store, w.Secret, p))
			}},
		{Name: "duplicate a secret without a comment", Operation: "duplicateSecret",
			Ours: func(ctx context.Context, c *secretsstore.Client, w *World) error {
				return third(c.Secrets.Duplicate(ctx, w.Store, w.Secret, secretsstore.SecretDuplicate{Name: "COPY", Scopes: scopes}))
			},
			Theirs: func(ctx context.Context, c *cf.SecretsStoreService, w *World) error {
				return second(c.Stores.Secrets.Duplicate(ctx, w.Store, w.Secret, duplicate(w)))
			}},
	}
}

func bulkDelete(ctx context.Context, c *secretsstore.Client, w *World) error {
	return second(c.Secrets.BulkDelete(ctx, w.Store, []string{w.Secret, w.Second}))
}

func storeList(w *World) (p cf.StoreListParams) {
	Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
	return p
}

func storeDelete(w *World) (p cf.StoreDeleteParams) {
	Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
	return p
}

func secretList(w *World) (p cf.StoreSecretListParams) {
	Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
	return p
}

func edit(w *World) (p cf.StoreSecretEditParams) {
	Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
	return p
}

func bulk(w *World) (p cf.StoreSecretBulkDeleteParams) {
	Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
	return p
}

func duplicate(w *World) (p cf.StoreSecretDuplicateParams) {
	Set(&p.AccountID.Value, &p.AccountID.Present, w.Server.AccountID)
	Set(&p.Name.Value, &p.Name.Present, "COPY")
	Set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretDuplicateParamsScope{
		cf.StoreSecretDuplicateParamsScopeWorkers, cf.StoreSecretDuplicateParamsScopeAIGateway,
	})
	return p
}

func newBody(name, value string) (b cf.StoreSecretNewParamsBody) {
	Set(&b.Name.Value, &b.Name.Present, name)
	Set(&b.Value.Value, &b.Value.Present, value)
	Set(&b.Scopes.Value, &b.Scopes.Present, []cf.StoreSecretNewParamsBodyScope{
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
