// Command after maintains the secrets of a service. It is command before of testdata,
// migrated from cloudflare-go as docs/migrating-from-cloudflare-go.md describes.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

func main() {
	token, accountID, storeID := os.Getenv("CLOUDFLARE_API_TOKEN"), os.Getenv("CLOUDFLARE_ACCOUNT_ID"), os.Args[1]
	client, err := secretsstore.NewClient(
		secretsstore.WithAPIToken(token),
		secretsstore.WithAccountID(accountID),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 4}),
		secretsstore.WithAttemptTimeout(10*time.Second),
	)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(context.Background(), client, storeID); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, client *secretsstore.Client, storeID string) error {
	id, err := create(ctx, client, storeID, "BILLING_KEY")
	if err != nil {
		return err
	}
	if err := rotate(ctx, client, storeID, id); err != nil {
		return err
	}
	if err := remove(ctx, client, storeID, "no-such-secret"); err != nil {
		return err
	}
	return removeAll(ctx, client, storeID, "OLD_")
}

func create(ctx context.Context, client *secretsstore.Client, storeID, name string) (id string, err error) {
	secret, _, err := client.Secrets.Create(ctx, storeID, secretsstore.SecretCreate{
		Name:   name,
		Value:  secretsstore.NewSecretValue("value of " + name),
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
	})
	if err != nil {
		return "", err
	}
	fmt.Println("created", secret.Name)
	return secret.ID, nil
}

func rotate(ctx context.Context, client *secretsstore.Client, storeID, id string) error {
	_, _, err := client.Secrets.Patch(ctx, storeID, id, secretsstore.SecretPatch{Comment: secretsstore.Ptr("rotated")})
	return err
}

func remove(ctx context.Context, client *secretsstore.Client, storeID, id string) error {
	_, err := client.Secrets.Delete(ctx, storeID, id)
	if errors.Is(err, secretsstore.ErrNotFound) {
		return nil
	}
	return err
}

// removeAll deletes the secrets whose names start with prefix.
func removeAll(ctx context.Context, client *secretsstore.Client, storeID, prefix string) error {
	var ids []string
	for secret, err := range client.Secrets.All(ctx, storeID, nil) {
		if err != nil {
			return err
		}
		if strings.HasPrefix(secret.Name, prefix) {
			fmt.Println("deleting", secret.Name)
			ids = append(ids, secret.ID)
		}
	}
	_, err := client.Secrets.BulkDelete(ctx, storeID, ids)
	return err
}
