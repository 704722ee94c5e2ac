// A program that changes the comment of a secret with cloudflare-go.
package main

import (
	"context"
	"log"
	"os"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/secrets_store"
)

func main() {
	client := cloudflare.NewClient()
	secret, err := client.SecretsStore.Stores.Secrets.Edit(context.Background(), "STORE_ID", "SECRET_ID", secrets_store.StoreSecretEditParams{
		AccountID: cloudflare.F(os.Getenv("CLOUDFLARE_ACCOUNT_ID")),
		Comment:   cloudflare.F("rotated"),
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Println(secret.Name)
}
