// Command bulk gives all secrets of a store the same comment. It patches eight at a time,
// and waits where the rate limit requires it:
//
//	bulk STORE_ID COMMENT
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/seed-57d84f87/secretsstore-go"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: bulk STORE_ID COMMENT")
	}
	client, err := secretsstore.NewClient() // reads CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID
	if err != nil {
		log.Fatal(err)
	}
	patched, failed, err := bulk(context.Background(), client, os.Args[1], os.Args[2])
	fmt.Printf("%d patched, %d failed\n", patched, failed)
	if err != nil {
		log.Fatal(err)
	}
	if failed > 0 {
		log.Fatal("not all secrets were patched: run it again")
	}
}

// bulk patches the secrets of a store that have another comment. A run that ended early is
// completed by the next one.
func bulk(ctx context.Context, client *secretsstore.Client, storeID, comment string) (patched, failed int, err error) {
	var secrets []*secretsstore.Secret
	for secret, err := range client.Secrets.All(ctx, storeID, nil) {
		if err != nil {
			return 0, 0, err
		}
		if secret.Comment != comment && secret.Status != secretsstore.SecretStatusDeleted {
			secrets = append(secrets, secret)
		}
	}
	items := func(yield func(secretsstore.PatchItem) bool) {
		for _, secret := range secrets {
			item := secretsstore.PatchItem{StoreID: secret.StoreID, SecretID: secret.ID, Patch: secretsstore.SecretPatch{Comment: &comment}}
			if !yield(item) {
				return
			}
		}
	}
	for result := range client.Secrets.PatchEach(ctx, items, nil) {
		if result.Err != nil {
			failed++
			log.Printf("%s: %v", result.Item.SecretID, result.Err)
			continue
		}
		patched++
	}
	return patched, failed, ctx.Err()
}
