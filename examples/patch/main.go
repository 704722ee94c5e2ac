// Command patch changes the comment and scopes of a secret and shows it before and after:
//
//	patch [STORE_ID SECRET_ID]
//
// Without credentials in the environment it patches a secret in an in-memory store.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	client, err := secretsstore.NewClient() // reads CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID
	switch {
	case errors.Is(err, secretsstore.ErrNoCredentials) && len(args) == 0:
		fmt.Fprintln(out, "No credentials in the environment: using an in-memory store.")
		srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
		store := srv.AddStore("production")
		secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
			Name:   "MY_API_KEY",
			Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
			Value:  secretsstore.NewSecretValue("old"),
		})
		return patch(ctx, out, srv.Client(), store.ID, secret.ID)
	case err != nil:
		return err
	case len(args) != 2:
		return errors.New("credentials are set: pass the ids of a store and of a secret to patch")
	}
	return patch(ctx, out, client, args[0], args[1])
}

func patch(ctx context.Context, out io.Writer, client *secretsstore.Client, storeID, secretID string) error {
	before, _, err := client.Secrets.Get(ctx, storeID, secretID)
	if err != nil {
		return err
	}
	after, resp, err := client.Secrets.Patch(ctx, storeID, secretID, secretsstore.SecretPatch{
		Comment: secretsstore.Ptr("info about my secret"),
		Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "before: %s, scopes %v, comment %q\n", before.Name, before.Scopes, before.Comment)
	fmt.Fprintf(out, "after:  %s, scopes %v, comment %q\n", after.Name, after.Scopes, after.Comment)
	fmt.Fprintf(out, "status %d, ray %s\n", resp.StatusCode, resp.RayID)
	return nil
}
