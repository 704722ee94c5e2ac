package secretsstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// exampleStore returns an emulated Secrets Store with the secret MY_API_KEY.
func exampleStore(opts ...secretsstore.Option) (srv *secretsstoretest.Server, client *secretsstore.Client, storeID, secretID string) {
	srv = secretsstoretest.NewServer()
	storeID = srv.AddStore("production").ID
	secretID = srv.AddSecret(storeID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old"),
	}).ID
	return srv, srv.Client(opts...), storeID, secretID
}

func ExampleNewClient() {
	client, err := secretsstore.NewClient(
		secretsstore.WithAPIToken("token"), // by default, CLOUDFLARE_API_TOKEN
		secretsstore.WithAccountID("985e105f4ecef8ad9ca31a8372d0c353"),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 2}),
	)
	fmt.Println(client != nil, err)
	// Output: true <nil>
}

func ExampleSecretsService_Patch() {
	ctx := context.Background()
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	secret, resp, err := client.Secrets.Patch(ctx, storeID, secretID, secretsstore.SecretPatch{
		Comment: secretsstore.Ptr("rotated in May"),                                           // Ptr("") clears it
		Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway}, // the whole list
		Value:   secretsstore.NewSecretValue("the new value"),                                 // prints as [REDACTED]
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secret.Name, secret.Scopes, secret.Status, resp.StatusCode)
	// Output: MY_API_KEY [ai_gateway workers] pending 200
}

func ExampleSecretsService_Get() {
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	secret, _, err := client.Secrets.Get(context.Background(), storeID, secretID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secret.Name, secret.Status)
	// Output: MY_API_KEY active
}

func ExampleSecretsService_List() {
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	secrets, resp, err := client.Secrets.List(context.Background(), storeID, &secretsstore.SecretListOptions{
		PerPage: 50,
		Order:   secretsstore.OrderName,
		Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(secrets), "of", resp.ResultInfo.TotalCount)
	// Output: 1 of 1
}

func ExampleSecretsService_All() {
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	for secret, err := range client.Secrets.All(context.Background(), storeID, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(secret.Name)
	}
	// Output: MY_API_KEY
}

func ExampleSecretsService_FindByName() {
	ctx := context.Background()
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	secret, err := client.Secrets.FindByName(ctx, storeID, "MY_API_KEY")
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Secrets.FindByName(ctx, storeID, "API_KEY")
	fmt.Println(secret.Name, errors.Is(err, secretsstore.ErrSecretNotFound))
	// Output: MY_API_KEY true
}

func ExampleSecretsService_Create() {
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	secret, _, err := client.Secrets.Create(context.Background(), storeID, secretsstore.SecretCreate{
		Name:   "DB_PASSWORD",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("hunter2"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secret.Name, secret.Status)
	// Output: DB_PASSWORD pending
}

func ExampleSecretsService_BulkCreate() {
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	scopes := []secretsstore.Scope{secretsstore.ScopeWorkers}
	created, _, err := client.Secrets.BulkCreate(context.Background(), storeID, []secretsstore.SecretCreate{
		{Name: "DB_USER", Scopes: scopes, Value: secretsstore.NewSecretValue("app")},
		{Name: "DB_PASSWORD", Scopes: scopes, Value: secretsstore.NewSecretValue("hunter2")},
	})
	if err != nil {
		log.Fatal(err) // created holds the secrets that were created all the same
	}
	fmt.Println(len(created), created[0].Name)
	// Output: 2 DB_USER
}

func ExampleSecretsService_Upsert() {
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	for _, name := range []string{"MY_API_KEY", "NEW_KEY"} {
		secret, created, err := client.Secrets.Upsert(context.Background(), storeID, secretsstore.SecretUpsert{
			Name:   name,
			Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
			Value:  secretsstore.NewSecretValue("the new value"),
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(secret.Name, "created:", created)
	}
	// Output:
	// MY_API_KEY created: false
	// NEW_KEY created: true
}

func ExampleSecretsService_WaitActive() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()
	value := "the new value"

	secret, _, err := client.Secrets.Patch(ctx, storeID, secretID, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(value)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secret.Status)
	secret, err = client.Secrets.WaitActive(ctx, storeID, secretID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secret.Status)
	// Output:
	// pending
	// active
}

func ExampleSecretsService_PatchEach() {
	ctx := context.Background()
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	patches := func(yield func(secretsstore.PatchItem) bool) {
		for _, id := range []string{secretID, "0123456789abcdef0123456789abcdef"} {
			patch := secretsstore.SecretPatch{Comment: secretsstore.Ptr("rotated in May")}
			if !yield(secretsstore.PatchItem{StoreID: storeID, SecretID: id, Patch: patch}) {
				return
			}
		}
	}
	patched, failed := 0, 0
	for result := range client.Secrets.PatchEach(ctx, patches, &secretsstore.PatchEachOptions{Concurrency: 4}) {
		if result.Err != nil {
			failed++ // result.Item is the patch
			continue
		}
		patched++
	}
	fmt.Println(patched, "patched,", failed, "failed")
	// Output: 1 patched, 1 failed
}

func ExampleSecretsService_Delete() {
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	_, err := client.Secrets.Delete(context.Background(), storeID, secretID)
	if err != nil && !errors.Is(err, secretsstore.ErrNotFound) {
		log.Fatal(err)
	}
	fmt.Println(len(srv.Secrets(storeID)))
	// Output: 0
}

func ExampleSecretsService_BulkDelete() {
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	if _, err := client.Secrets.BulkDelete(context.Background(), storeID, []string{secretID}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(srv.Secrets(storeID)))
	// Output: 0
}

func ExampleStoresService_Ensure() {
	srv, client, _, _ := exampleStore()
	defer srv.Close()

	store, created, err := client.Stores.Ensure(context.Background(), secretsstore.StoreCreate{Name: "production"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.Name, "created:", created)
	// Output: production created: false
}

func ExampleQuotaService_Get() {
	srv, client, _, _ := exampleStore()
	defer srv.Close()

	quota, _, err := client.Quota.Get(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(quota.Secrets.Usage, "of", quota.Secrets.Quota)
	// Output: 1 of 100
}

func ExampleClient_Do() {
	srv, client, _, _ := exampleStore()
	defer srv.Close()

	var token struct {
		Status string `json:"status"`
	}
	if _, err := client.Do(context.Background(), "GET", "/user/tokens/verify", nil, &token); err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Status)
	// Output: active
}

func ExampleClient_With() {
	srv, client, storeID, _ := exampleStore(secretsstore.WithAccountID("another"))
	defer srv.Close()

	tenant := client.With(secretsstore.WithAccountID(srv.AccountID)) // shares the rate limit and the connections
	secrets, _, err := tenant.Secrets.List(context.Background(), storeID, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(secrets))
	// Output: 1
}

// DecodeResult reads fields that the types of this package lack.
func ExampleResponse_DecodeResult() {
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	_, resp, err := client.Secrets.Get(context.Background(), storeID, secretID)
	if err != nil {
		log.Fatal(err)
	}
	var fields map[string]any
	if err := resp.DecodeResult(&fields); err != nil {
		log.Fatal(err)
	}
	fmt.Println(fields["name"])
	// Output: MY_API_KEY
}

func ExampleAPIError() {
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	_, _, err := client.Secrets.Get(context.Background(), storeID, "0123456789abcdef0123456789abcdef")
	var apiErr *secretsstore.APIError
	switch {
	case errors.Is(err, secretsstore.ErrSecretNotFound):
		fmt.Println("the secret does not exist")
	case errors.As(err, &apiErr):
		fmt.Println(apiErr.StatusCode, apiErr.Errors, apiErr.RayID)
	case err != nil:
		fmt.Println("the call failed:", err)
	}
	// Output: the secret does not exist
}

// A queue repeats what may succeed later, and drops the rest.
func ExampleRetryable() {
	for _, err := range []error{
		&secretsstore.APIError{StatusCode: 503, RetryAfter: 30 * time.Second},
		&secretsstore.APIError{StatusCode: 403},
	} {
		if after, ok := secretsstore.Retryable(err); ok {
			fmt.Println("repeat after", max(after, time.Second))
		} else {
			fmt.Println("drop")
		}
	}
	// Output:
	// repeat after 30s
	// drop
}

func ExampleWithRetryPolicy() {
	client, err := secretsstore.NewClient(
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxWait: 6 * time.Minute}),
	)
	if err != nil {
		log.Fatal(err)
	}
	client.CloseIdleConnections()
}

func ExampleWithHooks() {
	srv, client, storeID, secretID := exampleStore(secretsstore.WithHooks(secretsstore.Hooks{
		CallDone: func(_ context.Context, call secretsstore.CallDone) {
			fmt.Println(call.Method, call.Route, call.StatusCode, call.Attempts)
		},
	}))
	defer srv.Close()

	if _, _, err := client.Secrets.Get(context.Background(), storeID, secretID); err != nil {
		log.Fatal(err)
	}
	// Output: GET /accounts/{account_id}/secrets_store/stores/{store_id}/secrets/{secret_id} 200 1
}

// The token source is called again if its token was revoked.
func ExampleWithTokenSource() {
	tokens := make(chan string, 2) // stands for a vault
	srv, client, storeID, secretID := exampleStore(secretsstore.WithTokenSource(
		secretsstore.TokenSourceFunc(func(context.Context) (string, error) { return <-tokens, nil })))
	defer srv.Close()
	tokens <- "revoked-token"
	tokens <- srv.APIToken

	_, resp, err := client.Secrets.Get(context.Background(), storeID, secretID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.StatusCode, "after", resp.Attempts, "attempts")
	// Output: 200 after 2 attempts
}
