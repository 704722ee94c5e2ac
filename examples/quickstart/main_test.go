package main

import (
	"log"
	"os"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// The program of the README, as it is, against a Secrets Store in memory.
func Example() {
	ids := []string{"STORE_ID", "SECRET_ID"}
	srv := secretsstoretest.NewServer(
		secretsstoretest.WithIDSource(func() string {
			id := ids[0]
			ids = ids[1:]
			return id
		}),
		secretsstoretest.WithClock(func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }),
	)
	defer srv.Close()
	store := srv.AddStore("production")
	srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old"),
	})
	for name, value := range map[string]string{
		"CLOUDFLARE_API_TOKEN":  srv.APIToken,
		"CLOUDFLARE_ACCOUNT_ID": srv.AccountID,
		"CLOUDFLARE_BASE_URL":   srv.URL,
	} {
		before := os.Getenv(name)
		defer os.Setenv(name, before)
		os.Setenv(name, value)
	}
	log.SetFlags(0)
	log.SetOutput(os.Stdout)

	main()
	// Output: &{SECRET_ID STORE_ID MY_API_KEY rotated in May [workers] active 2026-05-01 12:00:00 +0000 UTC 2026-05-01 12:00:00 +0000 UTC} <nil>
}
