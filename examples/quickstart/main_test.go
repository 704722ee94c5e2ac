package main

import (
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// The program of the README, as it is, against a Secrets Store in memory.
func TestMainPatchesTheSecret(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old"),
	})
	var out strings.Builder
	// The program names ids that the emulator does not choose.
	ids := strings.NewReplacer("STORE_ID", store.ID, "SECRET_ID", secret.ID)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = ids.Replace(r.URL.Path)
		srv.Handler().ServeHTTP(w, r)
	}))
	defer front.Close()
	for name, value := range map[string]string{
		"CLOUDFLARE_API_TOKEN":  srv.APIToken,
		"CLOUDFLARE_ACCOUNT_ID": srv.AccountID,
		"CLOUDFLARE_BASE_URL":   front.URL + "/client/v4",
	} {
		t.Setenv(name, value)
	}
	log.SetFlags(0)
	log.SetOutput(&out)

	main()
	if !strings.Contains(out.String(), "MY_API_KEY rotated in May [workers] active") {
		t.Error(out.String())
	}
}
