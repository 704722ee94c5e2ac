// Command upsert creates a secret, or changes it if it exists, in the store production:
//
//	API_KEY=... upsert
package main

import (
	"context"
	"log"
	"os"

	"github.com/seed-57d84f87/secretsstore-go"
)

func main() {
	client, err := secretsstore.NewClient() // reads CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID
	if err != nil {
		log.Fatal(err)
	}
	secret, created, err := upsert(context.Background(), client, os.Getenv("API_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("%s: created %t, status %s", secret.Name, created, secret.Status)
}

func upsert(ctx context.Context, client *secretsstore.Client, value string) (*secretsstore.Secret, bool, error) {
	store, _, err := client.Stores.Ensure(ctx, secretsstore.StoreCreate{Name: "production"})
	if err != nil {
		return nil, false, err
	}
	return client.Secrets.Upsert(ctx, store.ID, secretsstore.SecretUpsert{
		Name:    "MY_API_KEY",
		Comment: secretsstore.Ptr("of the payment service"),
		Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:   secretsstore.NewSecretValue(value),
	})
}
