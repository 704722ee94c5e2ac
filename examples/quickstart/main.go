// Command quickstart is the first program of README.md.
package main

import (
	"context"
	"log"

	"github.com/seed-57d84f87/secretsstore-go"
)

func main() {
	client, err := secretsstore.NewClient() // reads the environment
	if err != nil {
		log.Fatal(err)
	}
	secret, _, err := client.Secrets.Patch(context.Background(), "STORE_ID", "SECRET_ID",
		secretsstore.SecretPatch{Value: secretsstore.NewSecretValue("the new value")})
	if err != nil {
		log.Fatal(err)
	}
	log.Println(secret.Name, secret.Status)
}
