// Command cloudflare patches a secret with cloudflare-go, as its README shows it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/secrets_store"
)

func main() {
	client := cloudflare.NewClient()
	secret, err := client.SecretsStore.Stores.Secrets.Edit(context.Background(), os.Args[1], os.Args[2], secrets_store.StoreSecretEditParams{
		AccountID: cloudflare.F(os.Getenv("CLOUDFLARE_ACCOUNT_ID")),
		Comment:   cloudflare.F("rotated by the nightly job"),
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(secret.Name)
}
