package main

import (
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// emulator is an emulator that the environment names, with a store and a secret, and
// what the blocks of the guide call their variables.
func emulator(t *testing.T) (srv *secretsstoretest.Server, client *cloudflare.Client, accountID, storeID, secretID string) {
	t.Helper()
	srv = secretsstoretest.NewServer(secretsstoretest.WithMaxStores(0), secretsstoretest.WithPendingFor(time.Hour))
	t.Cleanup(srv.Close)
	for _, name := range []string{"CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_USER_SERVICE_KEY", "CLOUDFLARE_CUSTOM_HEADERS"} {
		t.Setenv(name, "")
	}
	t.Setenv("CLOUDFLARE_API_TOKEN", srv.APIToken)
	t.Setenv("CLOUDFLARE_BASE_URL", srv.URL)
	storeID = srv.AddStore("production").ID
	secretID = srv.AddSecret(storeID, secretsstore.SecretCreate{
		Name: "MY_API_KEY", Comment: "old",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: secretsstore.NewSecretValue("old value"),
	}).ID
	return srv, cloudflare.NewClient(), srv.AccountID, storeID, secretID
}
