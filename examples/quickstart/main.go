package main

import (
	"context"
	"log"

	"github.com/seed-57d84f87/secretsstore-go"
)

func main() {
	client, err := secretsstore.NewClient() // reads CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID
	if err != nil {
		log.Fatal(err)
	}
	secret, _, err := client.Secrets.Patch(context.Background(), "STORE_ID", "SECRET_ID",
		secretsstore.SecretPatch{Comment: secretsstore.Ptr("rotated in May")})
	log.Println(secret, err)
}
