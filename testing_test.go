package secretsstore_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// rotate stands for a user's own code.
func rotate(ctx context.Context, client *secretsstore.Client, storeID, name, value string) error {
	secret, err := client.Secrets.FindByName(ctx, storeID, name)
	if err != nil {
		return err
	}
	_, _, err = client.Secrets.Patch(ctx, storeID, secret.ID, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(value)})
	return err
}

func TestRotate(t *testing.T) {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old"),
	})

	if err := rotate(t.Context(), srv.Client(), store.ID, "MY_API_KEY", "new"); err != nil {
		t.Fatal(err)
	}
	if value, _ := srv.Value(store.ID, secret.ID); value != "new" {
		t.Errorf("the value is %q", value)
	}
}

func TestRotateWithoutPermission(t *testing.T) {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	store := srv.AddStore("production")
	srv.Inject(secretsstoretest.Fault{
		Operation: secretsstoretest.OpListSecrets,
		Status:    http.StatusForbidden,
		Body:      secretsstoretest.ErrorBody(10000, "Authentication error"),
	})

	err := rotate(t.Context(), srv.Client(), store.ID, "MY_API_KEY", "new")
	if !errors.Is(err, secretsstore.ErrForbidden) {
		t.Errorf("got %v", err)
	}
}

func TestRotateAfterARateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
		store := srv.AddStore("production")
		srv.AddSecret(store.ID, secretsstore.SecretCreate{
			Name:   "MY_API_KEY",
			Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
			Value:  secretsstore.NewSecretValue("old"),
		})
		srv.Inject(secretsstoretest.Fault{
			Count:  1,
			Status: http.StatusTooManyRequests,
			Header: http.Header{"Retry-After": {"30"}},
			Body:   secretsstoretest.ErrorBody(971, "Please wait and consider throttling your request speed"),
		})

		started := time.Now()
		if err := rotate(t.Context(), srv.Client(), store.ID, "MY_API_KEY", "new"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(started); waited < 30*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}
