// Command before keeps the keys of two services in a Secrets Store. It is written with
// cloudflare-go, as its users write; command after is the same, moved over.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/secrets_store"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: before STORE_ID")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := cloudflare.NewClient(option.WithMaxRetries(3), option.WithRequestTimeout(10*time.Second))
	k := keys{client: client, account: os.Getenv("CLOUDFLARE_ACCOUNT_ID"), store: os.Args[1]}
	if err := k.run(ctx); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

type keys struct {
	client         *cloudflare.Client
	account, store string
}

func (k keys) run(ctx context.Context) error {
	usage, err := k.client.SecretsStore.Quota.Get(ctx, secrets_store.QuotaGetParams{AccountID: cloudflare.F(k.account)})
	if err != nil {
		return err
	}
	fmt.Printf("%.0f of %.0f secrets are used\n", usage.Secrets.Usage, usage.Secrets.Quota)

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
	params := secrets_store.StoreSecretNewParams{AccountID: cloudflare.F(k.account)}
	for _, name := range names {
		params.Body = append(params.Body, secrets_store.StoreSecretNewParamsBody{
			Name:    cloudflare.F(name),
			Value:   cloudflare.F("value of " + name),
			Scopes:  cloudflare.F([]secrets_store.StoreSecretNewParamsBodyScope{secrets_store.StoreSecretNewParamsBodyScopeWorkers}),
			Comment: cloudflare.F("made by the keeper"),
		})
	}
	page, err := k.client.SecretsStore.Stores.Secrets.New(ctx, k.store, params)
	var apiErr *cloudflare.Error
	if errors.As(err, &apiErr) && len(apiErr.Errors) > 0 && apiErr.Errors[0].Code == 1003 {
		fmt.Println("there already:", strings.Join(names, ", "))
		return nil
	}
	if err != nil {
		return err
	}
	for _, secret := range page.Result {
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
	params := secrets_store.StoreSecretEditParams{
		AccountID: cloudflare.F(k.account),
		Comment:   cloudflare.F(comment),
		Scopes: cloudflare.F([]secrets_store.StoreSecretEditParamsScope{
			secrets_store.StoreSecretEditParamsScopeWorkers, secrets_store.StoreSecretEditParamsScopeAccess,
		}),
	}
	if value != "" {
		params.Value = cloudflare.F(value)
	}
	secret, err := k.client.SecretsStore.Stores.Secrets.Edit(ctx, k.store, id, params, option.WithHeader("X-Change", "4711"))
	if err != nil {
		return err
	}
	fmt.Printf("edited %s: %q %v\n", secret.Name, secret.Comment, secret.Scopes)
	var raw map[string]any
	if err := json.Unmarshal([]byte(secret.JSON.RawJSON()), &raw); err != nil {
		return err
	}
	fmt.Println("as the API sent it:", raw["name"], raw["status"])
	return nil
}

func (k keys) find(ctx context.Context, name string) (string, error) {
	pager := k.client.SecretsStore.Stores.Secrets.ListAutoPaging(ctx, k.store, secrets_store.StoreSecretListParams{
		AccountID: cloudflare.F(k.account),
		Search:    cloudflare.F(name),
	})
	for pager.Next() {
		if secret := pager.Current(); secret.Name == name {
			return secret.ID, nil
		}
	}
	if err := pager.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("no secret is called %s", name)
}

func (k keys) exists(ctx context.Context, id string) error {
	_, err := k.client.SecretsStore.Stores.Secrets.Get(ctx, k.store, id, secrets_store.StoreSecretGetParams{AccountID: cloudflare.F(k.account)})
	var apiErr *cloudflare.Error
	switch {
	case errors.As(err, &apiErr) && apiErr.StatusCode == http.StatusNotFound:
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
	pager := k.client.SecretsStore.Stores.Secrets.ListAutoPaging(ctx, k.store, secrets_store.StoreSecretListParams{
		AccountID: cloudflare.F(k.account),
		PerPage:   cloudflare.F(int64(50)),
		Order:     cloudflare.F(secrets_store.StoreSecretListParamsOrderName),
		Direction: cloudflare.F(secrets_store.StoreSecretListParamsDirectionAsc),
	})
	var ids []string
	for pager.Next() {
		if secret := pager.Current(); strings.HasPrefix(secret.Name, prefix) {
			ids = append(ids, secret.ID)
		}
	}
	if err := pager.Err(); err != nil {
		return err
	}
	body, err := json.Marshal(map[string][]string{"ids": ids})
	if err != nil {
		return err
	}
	_, err = k.client.SecretsStore.Stores.Secrets.BulkDelete(ctx, k.store,
		secrets_store.StoreSecretBulkDeleteParams{AccountID: cloudflare.F(k.account)},
		option.WithRequestBody("application/json", body))
	if err != nil {
		return err
	}
	fmt.Println("deleted", len(ids))
	return nil
}

func (k keys) list(ctx context.Context) error {
	page, err := k.client.SecretsStore.Stores.Secrets.List(ctx, k.store, secrets_store.StoreSecretListParams{
		AccountID: cloudflare.F(k.account),
		Order:     cloudflare.F(secrets_store.StoreSecretListParamsOrderName),
		Direction: cloudflare.F(secrets_store.StoreSecretListParamsDirectionAsc),
		Scopes:    cloudflare.F([]secrets_store.StoreSecretListParamsScope{secrets_store.StoreSecretListParamsScopeWorkers}),
	})
	if err != nil {
		return err
	}
	for _, secret := range page.Result {
		fmt.Println(secret.ID, secret.Name, secret.Status, secret.Scopes, secret.Created.Format(time.RFC3339))
	}
	return nil
}
