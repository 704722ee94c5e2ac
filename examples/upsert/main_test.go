package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestUpsertCreatesOnce(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	for _, value := range []string{"first", "second"} {
		secret, created, err := upsert(t.Context(), srv.Client(), value)
		require.NoError(t, err)
		assert.Equal(t, value == "first", created)
		got, _ := srv.Value(secret.StoreID, secret.ID)
		assert.Equal(t, value, got)
	}
}
