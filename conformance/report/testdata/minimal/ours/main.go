// Command ours patches a secret with this module's client.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/seed-57d84f87/secretsstore-go"
)

func main() {
	client, err := secretsstore.NewClient()
	if err != nil {
		panic(err)
	}
	secret, _, err := client.Secrets.Patch(context.Background(), os.Args[1], os.Args[2], secretsstore.SecretPatch{
		Comment: secretsstore.Ptr("rotated by the nightly job"),
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(secret.Name)
}
