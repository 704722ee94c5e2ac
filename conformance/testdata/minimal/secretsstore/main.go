// A program that changes the comment of a secret with this library.
package main

import (
	"context"
	"log"

	"github.com/seed-57d84f87/secretsstore-go"
)

func main() {
	client, err := secretsstore.NewClient()
	if err != nil {
		log.Fatal(err)
	}
	secret, _, err := client.Secrets.Patch(context.Background(), "STORE_ID", "SECRET_ID", secretsstore.SecretPatch{Comment: secretsstore.Ptr("rotated")})
	if err != nil {
		log.Fatal(err)
	}
	log.Println(secret.Name)
}
