package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestRotateRollsBack(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	store := srv.AddStore("production")
	oldValue, newValue := secretsstore.NewSecretValue("old"), secretsstore.NewSecretValue("new")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{Name: "MY_API_KEY", Scopes: []secretsstore.Scope{"workers"}, Value: oldValue})

	refused := errors.New("refused")
	for _, want := range []error{refused, nil} {
		err := rotate(t.Context(), srv.Client(), store.ID, secret.ID, oldValue, newValue, func(context.Context) error { return want })
		require.ErrorIs(t, err, want)
		value, _ := srv.Value(store.ID, secret.ID)
		assert.Equal(t, map[error]string{refused: "old", nil: "new"}[want], value)
	}
}
