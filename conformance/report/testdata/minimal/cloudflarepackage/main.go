// Command cloudflarepackage patches a secret with cloudflare-go's package for the
// Secrets Store alone, without the module's root package.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/secrets_store"
)

func main() {
	secrets := secrets_store.NewStoreSecretService(
		option.WithEnvironmentProduction(), option.WithAPIToken(os.Getenv("CLOUDFLARE_API_TOKEN")))
	var params secrets_store.StoreSecretEditParams
	params.AccountID.Value, params.AccountID.Present = os.Getenv("CLOUDFLARE_ACCOUNT_ID"), true
	params.Comment.Value, params.Comment.Present = "rotated by the nightly job", true
	secret, err := secrets.Edit(context.Background(), os.Args[1], os.Args[2], params)
	if err != nil {
		panic(err)
	}
	fmt.Println(secret.Name)
}
