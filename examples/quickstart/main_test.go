package main

import (
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestMainPatchesTheSecret(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{Name: "MY_API_KEY", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("old")})
	ids := strings.NewReplacer("STORE_ID", store.ID, "SECRET_ID", secret.ID) // the program does not know those of the emulator
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = ids.Replace(r.URL.Path)
		srv.Handler().ServeHTTP(w, r)
	}))
	defer front.Close()
	t.Setenv("CLOUDFLARE_API_TOKEN", srv.APIToken)
	t.Setenv("CLOUDFLARE_ACCOUNT_ID", srv.AccountID)
	t.Setenv("CLOUDFLARE_BASE_URL", front.URL+"/client/v4")
	var out strings.Builder
	log.SetOutput(&out)

	main()
	assert.Contains(t, out.String(), "MY_API_KEY pending")
	value, _ := srv.Value(store.ID, secret.ID)
	assert.Equal(t, "the new value", value)
}
