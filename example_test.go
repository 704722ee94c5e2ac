package secretsstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// exampleStore is a Secrets Store in memory, with a store and the secret
// MY_API_KEY in it.
func exampleStore() (srv *secretsstoretest.Server, client *secretsstore.Client, storeID, secretID string) {
	srv = secretsstoretest.NewServer()
	storeID = srv.AddStore("production").ID
	secretID = srv.AddSecret(storeID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old"),
	}).ID
	return srv, srv.Client(), storeID, secretID
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

func ExampleAPIError() {
	ctx := context.Background()
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	_, _, err := client.Secrets.Get(ctx, storeID, "0123456789abcdef0123456789abcdef")
	switch apiErr := (*secretsstore.APIError)(nil); {
	case errors.Is(err, secretsstore.ErrSecretNotFound):
		fmt.Println("there is no such secret")
	case errors.Is(err, secretsstore.ErrRateLimited):
		fmt.Println("too many requests, even after waiting")
	case errors.As(err, &apiErr):
		fmt.Println(apiErr.StatusCode, apiErr.Errors, apiErr.RayID)
	case err != nil:
		fmt.Println("no answer:", err)
	}
	// Output: there is no such secret
}

func ExampleNewClient() {
	client, err := secretsstore.NewClient(
		secretsstore.WithAPIToken("token"),
		secretsstore.WithAccountID("985e105f4ecef8ad9ca31a8372d0c353"),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 2}),
	)
	fmt.Println(client != nil, err)
	// Output: true <nil>
}

func ExampleClient_Do() {
	ctx := context.Background()
	srv, client, _, _ := exampleStore()
	defer srv.Close()

	var token struct {
		Status string `json:"status"`
	}
	if _, err := client.Do(ctx, "GET", "/user/tokens/verify", nil, &token); err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Status)
	// Output: active
}

func ExampleSecretsService_Get() {
	ctx := context.Background()
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	secret, _, err := client.Secrets.Get(ctx, storeID, secretID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secret.Name, secret.Status)
	// Output: MY_API_KEY active
}

func ExampleSecretsService_List() {
	ctx := context.Background()
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	secrets, resp, err := client.Secrets.List(ctx, storeID, &secretsstore.SecretListOptions{
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
	ctx := context.Background()
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	for secret, err := range client.Secrets.All(ctx, storeID, nil) {
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
	ctx := context.Background()
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	scopes := []secretsstore.Scope{secretsstore.ScopeWorkers}
	created, _, err := client.Secrets.Create(ctx, storeID, []secretsstore.SecretCreate{
		{Name: "DB_USER", Scopes: scopes, Value: secretsstore.NewSecretValue("app")},
		{Name: "DB_PASSWORD", Scopes: scopes, Value: secretsstore.NewSecretValue("hunter2")},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(created), created[0].Status)
	// Output: 2 pending
}

func ExampleSecretsService_Duplicate() {
	ctx := context.Background()
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	dup, _, err := client.Secrets.Duplicate(ctx, storeID, secretID, secretsstore.SecretDuplicate{
		Name:   "MY_API_KEY_FOR_DEX",
		Scopes: []secretsstore.Scope{secretsstore.ScopeDEX},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dup.Name, dup.Scopes)
	// Output: MY_API_KEY_FOR_DEX [dex]
}

func ExampleSecretsService_Delete() {
	ctx := context.Background()
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	resp, err := client.Secrets.Delete(ctx, storeID, secretID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.StatusCode, len(srv.Secrets(storeID)))
	// Output: 202 0
}

func ExampleSecretsService_BulkDelete() {
	ctx := context.Background()
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	if _, err := client.Secrets.BulkDelete(ctx, storeID, []string{secretID}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(srv.Secrets(storeID)))
	// Output: 0
}

func ExampleSecretsService_Upsert() {
	ctx := context.Background()
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	for _, name := range []string{"MY_API_KEY", "NEW_KEY"} {
		secret, action, err := client.Secrets.Upsert(ctx, storeID, secretsstore.SecretCreate{
			Name:   name,
			Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
			Value:  secretsstore.NewSecretValue("the new value"),
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(secret.Name, action)
	}
	// Output:
	// MY_API_KEY updated
	// NEW_KEY created
}

func ExampleSecretsService_PatchAll() {
	ctx := context.Background()
	srv, client, storeID, secretID := exampleStore()
	defer srv.Close()

	patches := func(yield func(secretsstore.PatchRequest) bool) {
		for _, id := range []string{secretID, "0123456789abcdef0123456789abcdef"} {
			patch := secretsstore.SecretPatch{Comment: secretsstore.Ptr("rotated in May")}
			if !yield(secretsstore.PatchRequest{StoreID: storeID, SecretID: id, Patch: patch}) {
				return
			}
		}
	}
	done, failed := 0, 0
	for result := range client.Secrets.PatchAll(ctx, patches, secretsstore.BulkOptions{Concurrency: 4}) {
		if result.Err != nil {
			failed++ // result.Request says which
			continue
		}
		done++
	}
	fmt.Println(done, "done,", failed, "failed")
	// Output: 1 done, 1 failed
}

func ExampleStoresService_List() {
	ctx := context.Background()
	srv, client, _, _ := exampleStore()
	defer srv.Close()

	stores, _, err := client.Stores.List(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stores[0].Name)
	// Output: production
}

func ExampleStoresService_All() {
	ctx := context.Background()
	srv, client, _, _ := exampleStore()
	defer srv.Close()

	for store, err := range client.Stores.All(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(store.Name)
	}
	// Output: production
}

func ExampleStoresService_Get() {
	ctx := context.Background()
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	store, _, err := client.Stores.Get(ctx, storeID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.Name)
	// Output: production
}

func ExampleStoresService_Create() {
	ctx := context.Background()
	srv, client, _, _ := exampleStore()
	defer srv.Close()

	_, _, err := client.Stores.Create(ctx, "staging")
	fmt.Println(errors.Is(err, secretsstore.ErrQuotaExceeded)) // an account has one store
	// Output: true
}

func ExampleStoresService_Ensure() {
	ctx := context.Background()
	srv, client, _, _ := exampleStore()
	defer srv.Close()

	store, made, err := client.Stores.Ensure(ctx, "production")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.Name, made)
	// Output: production false
}

func ExampleStoresService_Delete() {
	ctx := context.Background()
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	_, err := client.Stores.Delete(ctx, storeID, secretsstore.StoreDeleteOptions{})
	fmt.Println(errors.Is(err, secretsstore.ErrStoreNotEmpty))
	_, err = client.Stores.Delete(ctx, storeID, secretsstore.StoreDeleteOptions{Force: true})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

func ExampleQuotaService_Get() {
	ctx := context.Background()
	srv, client, _, _ := exampleStore()
	defer srv.Close()

	usage, _, err := client.Quota.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(usage.Secrets.Usage, "of", usage.Secrets.Quota)
	// Output: 1 of 100
}

func ExampleOnResponse() {
	ctx := context.Background()
	srv, client, storeID, _ := exampleStore()
	defer srv.Close()

	pages := 0
	count := secretsstore.OnResponse(func(resp *secretsstore.Response) { pages++ })
	for _, err := range client.Secrets.All(ctx, storeID, nil, count) {
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(pages)
	// Output: 1
}

// rotate is what a user would test.
func rotate(ctx context.Context, client *secretsstore.Client, storeID, name, value string) error {
	secret, err := client.Secrets.FindByName(ctx, storeID, name)
	if err != nil {
		return err
	}
	_, _, err = client.Secrets.Patch(ctx, storeID, secret.ID, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(value)})
	return err
}

func TestRotate(t *testing.T) {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old"),
	})

	if err := rotate(t.Context(), srv.Client(), store.ID, "MY_API_KEY", "new"); err != nil {
		t.Fatal(err)
	}
	if value, _ := srv.Value(store.ID, secret.ID); value != "new" {
		t.Errorf("the store has %q", value)
	}
}

// vault stands for a place where tokens rotate.
type vault struct{}

func (vault) Token(context.Context) (string, error) { return "token-of-today", nil }

func ExampleWithTokenSource() {
	client, err := secretsstore.NewClient(
		secretsstore.WithTokenSource(vault{}), // asked before every attempt
		secretsstore.WithAttemptTimeout(10*time.Second),
	)
	fmt.Println(client != nil, err)
	// Output: true <nil>
}

func TestRotateWhenTheAPIFails(t *testing.T) {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	store := srv.AddStore("production")
	srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old"),
	})
	srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Status: 403, Body: secretsstoretest.ErrorBody(10000, "Authentication error")})

	err := rotate(t.Context(), srv.Client(), store.ID, "MY_API_KEY", "new")
	if !errors.Is(err, secretsstore.ErrForbidden) {
		t.Errorf("got %v", err)
	}
}

func TestRotateRidesOutARateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
		defer srv.Close()
		store := srv.AddStore("production")
		srv.AddSecret(store.ID, secretsstore.SecretCreate{
			Name:   "MY_API_KEY",
			Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
			Value:  secretsstore.NewSecretValue("old"),
		})
		srv.Inject(secretsstoretest.Fault{Count: 1, Status: 429, Header: http.Header{"Retry-After": {"30"}}, Body: secretsstoretest.ErrorBody(971, "Please wait and consider throttling your request speed")})

		started := time.Now()
		if err := rotate(t.Context(), srv.Client(), store.ID, "MY_API_KEY", "new"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(started); waited != 30*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

// rotateAndWait is the heart of rotating without downtime.
func rotateAndWait(ctx context.Context, client *secretsstore.Client, storeID, secretID, value string) error {
	secret, _, err := client.Secrets.Patch(ctx, storeID, secretID, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(value)})
	if err != nil {
		return err
	}
	for secret.Status == secretsstore.SecretPending {
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
		if secret, _, err = client.Secrets.Get(ctx, storeID, secretID); err != nil {
			return err
		}
	}
	return nil
}

func TestRotateAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener(), secretsstoretest.WithPendingFor(time.Minute))
		store := srv.AddStore("production")
		secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
			Name:   "MY_API_KEY",
			Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
			Value:  secretsstore.NewSecretValue("old"),
		})
		started := time.Now()
		if err := rotateAndWait(t.Context(), srv.Client(), store.ID, secret.ID, "new"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(started); waited != time.Minute {
			t.Errorf("waited %v", waited)
		}
	})
}

func ExampleWithRetryPolicy() {
	client, err := secretsstore.NewClient(
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxRetryAfter: 6 * time.Minute}),
	)
	fmt.Println(client != nil, errors.Is(err, secretsstore.ErrNoCredentials))
}
