package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestBulkGoesOnWhereItFailed(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	store := srv.AddStore("production")
	for i := range 25 {
		srv.AddSecret(store.ID, secretsstore.SecretCreate{
			Name: fmt.Sprintf("KEY_%d", i), Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v"),
		})
	}
	srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Count: 1, Status: 403, Body: secretsstoretest.ErrorBody(10000, "Authentication error")})
	for _, want := range [][2]int{{24, 1}, {1, 0}, {0, 0}} {
		patched, failed, err := bulk(t.Context(), srv.Client(), store.ID, "reviewed")
		require.NoError(t, err)
		assert.Equal(t, want, [2]int{patched, failed})
	}
}
