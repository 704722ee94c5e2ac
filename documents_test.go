package secretsstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// The functions in this file are those of README.md and of the guides in docs.

func listAll(ctx context.Context, client *secretsstore.Client, storeID string) error {
	for secret, err := range client.Secrets.All(ctx, storeID, nil) {
		if err != nil {
			return err
		}
		fmt.Println(secret.Name, secret.Scopes, secret.Status)
	}
	return nil
}

func upsert(ctx context.Context, client *secretsstore.Client, storeID, password string) (bool, error) {
	secret, created, err := client.Secrets.Upsert(ctx, storeID, secretsstore.SecretUpsert{
		Name:   "DB_PASSWORD",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue(password),
	})
	return created && secret != nil, err
}

func create(ctx context.Context, client *secretsstore.Client, storeID string, create secretsstore.SecretCreate) (*secretsstore.Secret, error) {
	secret, _, err := client.Secrets.Create(ctx, storeID, create)
	if errors.Is(err, secretsstore.ErrOutcomeUnknown) {
		secret, err = client.Secrets.FindByName(ctx, storeID, create.Name)
	}
	return secret, err
}

func repeatLater(err error, requeue func(after time.Duration)) {
	if after, ok := secretsstore.Retryable(err); ok {
		requeue(max(after, time.Second))
	}
}

func patchEach(ctx context.Context, client *secretsstore.Client, patches func(func(secretsstore.PatchItem) bool)) (failed []secretsstore.PatchResult) {
	for result := range client.Secrets.PatchEach(ctx, patches, nil) {
		if result.Err != nil {
			failed = append(failed, result)
		}
	}
	return failed
}

func rotateAndWait(ctx context.Context, client *secretsstore.Client, storeID, secretID string, value secretsstore.SecretValue) error {
	if _, _, err := client.Secrets.Patch(ctx, storeID, secretID, secretsstore.SecretPatch{Value: value}); err != nil {
		return err
	}
	if _, err := client.Secrets.WaitActive(ctx, storeID, secretID); err != nil {
		return err
	}
	return nil
}

func TestFunctionsOfTheDocuments(t *testing.T) {
	ctx := t.Context()
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	store := srv.AddStore("production")
	client := srv.Client()

	created, err := upsert(ctx, client, store.ID, "hunter2")
	require.NoError(t, err)
	assert.True(t, created)
	require.NoError(t, listAll(ctx, client, store.ID))

	srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpCreateSecrets, Count: 1, Apply: true, Status: http.StatusBadGateway})
	secret, err := create(ctx, client, store.ID, secretsstore.SecretCreate{
		Name: "MY_API_KEY", Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: secretsstore.NewSecretValue("old"),
	})
	require.NoError(t, err)
	assert.Equal(t, "MY_API_KEY", secret.Name)

	require.NoError(t, rotateAndWait(ctx, client, store.ID, secret.ID, secretsstore.NewSecretValue("new")))
	value, _ := srv.Value(store.ID, secret.ID)
	assert.Equal(t, "new", value)

	failed := patchEach(ctx, client, slices.Values([]secretsstore.PatchItem{
		{StoreID: store.ID, SecretID: secret.ID, Patch: secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")}},
		{StoreID: store.ID, SecretID: "another", Patch: secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")}},
	}))
	require.Len(t, failed, 1)
	assert.ErrorIs(t, failed[0].Err, secretsstore.ErrSecretNotFound)

	stagingAccountID := "staging"
	srv.AddAccount(stagingAccountID)
	staging := client.With(secretsstore.WithAccountID(stagingAccountID))
	stores, _, err := staging.Stores.List(ctx, nil)
	require.NoError(t, err)
	assert.Empty(t, stores)

	var waited time.Duration
	repeatLater(secretsstore.ErrRateLimited, func(after time.Duration) { waited = after })
	assert.Equal(t, time.Second, waited)
}
