// Command before maintains the secrets of a service with cloudflare-go. Command after is
// the same program after the migration.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/secrets_store"
)

func main() {
	token, accountID, storeID := os.Getenv("CLOUDFLARE_API_TOKEN"), os.Getenv("CLOUDFLARE_ACCOUNT_ID"), os.Args[1]
	client := cloudflare.NewClient(
		option.WithAPIToken(token),
		option.WithMaxRetries(3),
		option.WithRequestTimeout(10*time.Second),
	)
	if err := run(context.Background(), client, accountID, storeID); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, client *cloudflare.Client, accountID, storeID string) error {
	id, err := create(ctx, client, accountID, storeID, "BILLING_KEY")
	if err != nil {
		return err
	}
	if err := rotate(ctx, client, accountID, storeID, id); err != nil {
		return err
	}
	if err := remove(ctx, client, accountID, storeID, "no-such-secret"); err != nil {
		return err
	}
	return removeAll(ctx, client, accountID, storeID, "OLD_")
}

func create(ctx context.Context, client *cloudflare.Client, accountID, storeID, name string) (id string, err error) {
	page, err := client.SecretsStore.Stores.Secrets.New(ctx, storeID, secrets_store.StoreSecretNewParams{
		AccountID: cloudflare.F(accountID),
		Body: []secrets_store.StoreSecretNewParamsBody{{
			Name:   cloudflare.F(name),
			Value:  cloudflare.F("value of " + name),
			Scopes: cloudflare.F([]secrets_store.StoreSecretNewParamsBodyScope{secrets_store.StoreSecretNewParamsBodyScopeWorkers}),
		}},
	})
	if err != nil {
		return "", err
	}
	fmt.Println("created", page.Result[0].Name)
	return page.Result[0].ID, nil
}

func rotate(ctx context.Context, client *cloudflare.Client, accountID, storeID, id string) error {
	_, err := client.SecretsStore.Stores.Secrets.Edit(ctx, storeID, id, secrets_store.StoreSecretEditParams{
		AccountID: cloudflare.F(accountID),
		Comment:   cloudflare.F("rotated"),
	})
	return err
}

func remove(ctx context.Context, client *cloudflare.Client, accountID, storeID, id string) error {
	_, err := client.SecretsStore.Stores.Secrets.Delete(ctx, storeID, id, secrets_store.StoreSecretDeleteParams{AccountID: cloudflare.F(accountID)})
	var apiErr *cloudflare.Error
	if errors.As(err, &apiErr) && apiErr.StatusCode == http.StatusNotFound {
		return nil
	}
	return err
}

// removeAll deletes the secrets whose names start with prefix.
func removeAll(ctx context.Context, client *cloudflare.Client, accountID, storeID, prefix string) error {
	var ids []string
	pager := client.SecretsStore.Stores.Secrets.ListAutoPaging(ctx, storeID, secrets_store.StoreSecretListParams{AccountID: cloudflare.F(accountID)})
	for pager.Next() {
		if secret := pager.Current(); strings.HasPrefix(secret.Name, prefix) {
			fmt.Println("deleting", secret.Name)
			ids = append(ids, secret.ID)
		}
	}
	if err := pager.Err(); err != nil {
		return err
	}
	body, err := json.Marshal(map[string][]string{"ids": ids})
	if err != nil {
		return err
	}
	_, err = client.SecretsStore.Stores.Secrets.BulkDelete(ctx, storeID,
		secrets_store.StoreSecretBulkDeleteParams{AccountID: cloudflare.F(accountID)},
		option.WithRequestBody("application/json", body))
	return err
}
