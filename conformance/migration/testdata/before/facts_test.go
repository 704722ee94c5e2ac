package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/secrets_store"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// What the guide says of cloudflare-go beside its blocks. What is no longer true fails
// here, and then belongs out of the guide.

func TestTheirsTriesAgainAfter409(t *testing.T) {
	srv, client, accountID, _, _ := emulator(t)
	srv.Inject(secretsstoretest.Fault{
		Status: 409, Header: http.Header{"Retry-After": {"0"}}, Body: secretsstoretest.ErrorBody(1003, "store_name_already_exists"),
	})
	_, err := client.SecretsStore.Stores.New(t.Context(), secrets_store.StoreNewParams{AccountID: cloudflare.F(accountID), Name: cloudflare.F("s")})
	if err == nil {
		t.Fatal("it is no error")
	}
	equal(t, 3, len(srv.Requests()))
}

func TestTheirsPagesOnAfterTheContext(t *testing.T) {
	srv, client, accountID, storeID, _ := emulator(t)
	for _, name := range []string{"A", "B", "C", "D"} {
		srv.AddSecret(storeID, secretsstore.SecretCreate{Name: name, Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: secretsstore.NewSecretValue("v")})
	}
	ctx, cancel := context.WithCancel(t.Context())
	pager := client.SecretsStore.Stores.Secrets.ListAutoPaging(ctx, storeID, secrets_store.StoreSecretListParams{
		AccountID: cloudflare.F(accountID), PerPage: cloudflare.F(int64(2)),
	})
	cancel()
	seen := 0
	for pager.Next() {
		seen++
	}
	equal(t, nil, pager.Err())
	equal(t, 5, seen)
}

func TestTheirsDumpsTheTokenAndTheValue(t *testing.T) {
	srv, client, accountID, storeID, _ := emulator(t)
	_, err := client.SecretsStore.Stores.Secrets.Edit(t.Context(), storeID, "0123456789abcdef0123456789abcdef", secrets_store.StoreSecretEditParams{
		AccountID: cloudflare.F(accountID), Value: cloudflare.F(value),
	})
	var apiErr *cloudflare.Error
	if !errors.As(err, &apiErr) {
		t.Fatal(err)
	}
	dump := string(apiErr.DumpRequest(true))
	if !strings.Contains(dump, srv.APIToken) || !strings.Contains(dump, value) {
		t.Error("they are not in it:", dump)
	}
}

func TestTheirsSendsBothCredentials(t *testing.T) {
	srv, _, accountID, _, _ := emulator(t)
	t.Setenv("CLOUDFLARE_EMAIL", srv.Email)
	t.Setenv("CLOUDFLARE_API_KEY", srv.APIKey)
	_, err := cloudflare.NewClient(option.WithAPIToken(srv.APIToken)).SecretsStore.Quota.Get(t.Context(), secrets_store.QuotaGetParams{AccountID: cloudflare.F(accountID)})
	equal(t, nil, err)
	header := srv.Requests()[0].Header
	for _, name := range []string{"Authorization", "X-Auth-Email", "X-Auth-Key"} {
		equal(t, 1, len(header.Values(name)))
	}
}

func TestTheirsReadsNoAccountFromTheEnvironment(t *testing.T) {
	srv, client, _, _, _ := emulator(t)
	t.Setenv("CLOUDFLARE_ACCOUNT_ID", srv.AccountID)
	_, err := client.SecretsStore.Quota.Get(t.Context(), secrets_store.QuotaGetParams{})
	if err == nil {
		t.Error("it does")
	}
}

func TestTheirsErrorOfAPageOfTheEdgeHasNoErrors(t *testing.T) {
	srv, client, accountID, _, _ := emulator(t)
	srv.Inject(secretsstoretest.Fault{Status: 502, Body: "<html>bad gateway</html>"})
	_, err := client.SecretsStore.Quota.Get(t.Context(), secrets_store.QuotaGetParams{AccountID: cloudflare.F(accountID)}, option.WithMaxRetries(0))
	var apiErr *cloudflare.Error
	if !errors.As(err, &apiErr) {
		t.Fatal(err)
	}
	equal(t, 0, len(apiErr.Errors))
}

func TestTheirsSendsWhatCantBeRight(t *testing.T) {
	srv, client, accountID, storeID, secretID := emulator(t)
	edit := func(p secrets_store.StoreSecretEditParams) {
		p.AccountID = cloudflare.F(accountID)
		_, _ = client.SecretsStore.Stores.Secrets.Edit(t.Context(), storeID, secretID, p)
	}
	edit(secrets_store.StoreSecretEditParams{})
	edit(secrets_store.StoreSecretEditParams{Value: cloudflare.F(strings.Repeat("v", 65_537))})
	equal(t, 2, len(srv.Requests()))
}

func TestTheirsReadsWhatItDoesNotKnow(t *testing.T) {
	srv, client, accountID, storeID, secretID := emulator(t)
	get := func(body string) (*secrets_store.StoreSecretGetResponse, error) {
		remove := srv.Inject(secretsstoretest.Fault{Status: 200, Body: body, Header: http.Header{"Content-Type": {"application/json"}}})
		defer remove()
		return client.SecretsStore.Stores.Secrets.Get(t.Context(), storeID, secretID, secrets_store.StoreSecretGetParams{AccountID: cloudflare.F(accountID)})
	}
	secret, err := get(`{"success":true,"result":{"id":"x","scopes":null}}`)
	equal(t, nil, err)
	equal(t, 0, len(secret.Scopes))

	secret, err = get(`{"success":true,"result":{"id":"x","scopes":["not_yet"],"more":1}}`)
	equal(t, nil, err)
	equal(t, []secrets_store.StoreSecretGetResponseScope{"not_yet"}, secret.Scopes)
	equal(t, "1", secret.JSON.ExtraFields["more"].Raw())

	_, err = get("")
	if err == nil {
		t.Error("an empty answer is no error")
	}
}

func TestTheirsTellsOfTheMachine(t *testing.T) {
	srv, client, accountID, _, _ := emulator(t)
	_, err := client.SecretsStore.Quota.Get(t.Context(), secrets_store.QuotaGetParams{AccountID: cloudflare.F(accountID)})
	equal(t, nil, err)
	for _, name := range []string{"OS", "Arch", "Runtime-Version", "Package-Version", "Retry-Count"} {
		equal(t, 1, len(srv.Requests()[0].Header.Values("X-Stainless-"+name)))
	}
}
