// Command after keeps the keys of two services in a Secrets Store. It is the program of
// testdata/before, moved over from cloudflare-go by the guide in
// docs/migrating-from-cloudflare-go.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: after STORE_ID")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := secretsstore.NewClient(
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 4}),
		secretsstore.WithAttemptTimeout(10*time.Second),
	)
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	k := keys{client: client, store: os.Args[1]}
	if err := k.run(ctx); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

type keys struct {
	client *secretsstore.Client
	store  string
}

func (k keys) run(ctx context.Context) error {
	usage, _, err := k.client.Quota.Get(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d of %d secrets are used\n", usage.Secrets.Usage, usage.Secrets.Quota)

	if err := k.create(ctx, "BILLING_KEY", "SEARCH_KEY"); err != nil {
		return err
	}
	if err := k.create(ctx, "BILLING_KEY"); err != nil {
		return err
	}
	if err := k.edit(ctx, "BILLING_KEY", "rotated in May", "another value"); err != nil {
		return err
	}
	if err := k.edit(ctx, "BILLING_KEY", "", ""); err != nil {
		return err
	}
	if err := k.exists(ctx, "0123456789abcdef0123456789abcdef"); err != nil {
		return err
	}
	if err := k.deleteAll(ctx, "OLD_"); err != nil {
		return err
	}
	return k.list(ctx)
}

// create makes secrets, and leaves those that are there.
func (k keys) create(ctx context.Context, names ...string) error {
	var creates []secretsstore.SecretCreate
	for _, name := range names {
		creates = append(creates, secretsstore.SecretCreate{
			Name:    name,
			Value:   secretsstore.NewSecretValue("value of " + name),
			Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers},
			Comment: "made by the keeper",
		})
	}
	secrets, _, err := k.client.Secrets.BulkCreate(ctx, k.store, creates)
	if errors.Is(err, secretsstore.ErrAlreadyExists) {
		fmt.Println("there already:", strings.Join(names, ", "))
		return nil
	}
	if err != nil {
		return err
	}
	for _, secret := range secrets {
		fmt.Println("created", secret.Name, secret.Status)
	}
	return nil
}

// edit changes the comment, which it clears if it is empty, and the value, which it
// leaves then.
func (k keys) edit(ctx context.Context, name, comment, value string) error {
	id, err := k.find(ctx, name)
	if err != nil {
		return err
	}
	patch := secretsstore.SecretPatch{
		Comment: secretsstore.Ptr(comment),
		Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAccess},
	}
	if value != "" {
		patch.Value = secretsstore.NewSecretValue(value)
	}
	secret, resp, err := k.client.Secrets.Patch(ctx, k.store, id, patch, secretsstore.WithHeader("X-Change", "4711"))
	if err != nil {
		return err
	}
	fmt.Printf("edited %s: %q %v\n", secret.Name, secret.Comment, secret.Scopes)
	var raw map[string]any
	if err := resp.DecodeResult(&raw); err != nil {
		return err
	}
	fmt.Println("as the API sent it:", raw["name"], raw["status"])
	return nil
}

func (k keys) find(ctx context.Context, name string) (string, error) {
	for secret, err := range k.client.Secrets.All(ctx, k.store, &secretsstore.SecretListOptions{Search: name}) {
		if err != nil {
			return "", err
		}
		if secret.Name == name {
			return secret.ID, nil
		}
	}
	return "", fmt.Errorf("no secret is called %s", name)
}

func (k keys) exists(ctx context.Context, id string) error {
	_, _, err := k.client.Secrets.Get(ctx, k.store, id)
	var apiErr *secretsstore.APIError
	switch {
	case errors.Is(err, secretsstore.ErrNotFound) && errors.As(err, &apiErr):
		for _, detail := range apiErr.Errors {
			fmt.Println("not there:", apiErr.StatusCode, detail.Code, detail.Message)
		}
		return nil
	case err != nil:
		return err
	}
	fmt.Println("there:", id)
	return nil
}

// deleteAll deletes the secrets whose name starts with prefix, with one request.
func (k keys) deleteAll(ctx context.Context, prefix string) error {
	var ids []string
	for secret, err := range k.client.Secrets.All(ctx, k.store, &secretsstore.SecretListOptions{
		PerPage:   50,
		Order:     secretsstore.OrderName,
		Direction: secretsstore.Ascending,
	}) {
		if err != nil {
			return err
		}
		if strings.HasPrefix(secret.Name, prefix) {
			ids = append(ids, secret.ID)
		}
	}
	if len(ids) > 0 {
		if _, err := k.client.Secrets.BulkDelete(ctx, k.store, ids); err != nil {
			return err
		}
	}
	fmt.Println("deleted", len(ids))
	return nil
}

func (k keys) list(ctx context.Context) error {
	secrets, _, err := k.client.Secrets.List(ctx, k.store, &secretsstore.SecretListOptions{
		Order:     secretsstore.OrderName,
		Direction: secretsstore.Ascending,
		Scopes:    []secretsstore.Scope{secretsstore.ScopeWorkers},
	})
	if err != nil {
		return err
	}
	for _, secret := range secrets {
		fmt.Println(secret.ID, secret.Name, secret.Status, secret.Scopes, secret.Created.Format(time.RFC3339))
	}
	return nil
}
