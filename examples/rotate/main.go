// Command rotate changes the value of a secret, waits until the secret is active, and patches
// the old value again if the new one does not work:
//
//	OLD_VALUE=... NEW_VALUE=... rotate STORE_ID SECRET_ID
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: rotate STORE_ID SECRET_ID")
	}
	client, err := secretsstore.NewClient() // reads CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID
	if err != nil {
		log.Fatal(err)
	}
	if os.Getenv("OLD_VALUE") == "" || os.Getenv("NEW_VALUE") == "" {
		log.Fatal("set OLD_VALUE, for the rollback, and NEW_VALUE")
	}
	oldValue, newValue := secretsstore.NewSecretValue(os.Getenv("OLD_VALUE")), secretsstore.NewSecretValue(os.Getenv("NEW_VALUE"))
	check := func(context.Context) error { return nil } // call what uses the secret here
	if err := rotate(context.Background(), client, os.Args[1], os.Args[2], oldValue, newValue, check); err != nil {
		log.Fatal(err)
	}
}

func rotate(ctx context.Context, client *secretsstore.Client, storeID, secretID string, oldValue, newValue secretsstore.SecretValue, check func(context.Context) error) error {
	forward, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	_, _, err := client.Secrets.Patch(forward, storeID, secretID, secretsstore.SecretPatch{Value: newValue})
	if err != nil && !errors.Is(err, secretsstore.ErrOutcomeUnknown) {
		return err // nothing was changed
	}
	if err == nil {
		_, err = client.Secrets.WaitActive(forward, storeID, secretID)
	}
	if err == nil {
		err = check(forward)
	}
	if err == nil {
		return nil
	}
	// The rollback has a context of its own: forward can be the reason for it.
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if _, _, backErr := client.Secrets.Patch(back, storeID, secretID, secretsstore.SecretPatch{Value: oldValue}); backErr != nil {
		return fmt.Errorf("the rollback failed: %w", errors.Join(backErr, err))
	}
	return fmt.Errorf("rolled back: %w", err)
}
