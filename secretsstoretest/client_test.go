package secretsstoretest_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// These tests use the emulator as a user's test does.

var allScopes = []secretsstore.Scope{
	secretsstore.ScopeAccess, secretsstore.ScopeAIGateway, secretsstore.ScopeContainers, secretsstore.ScopeDEX, secretsstore.ScopeWebsearch, secretsstore.ScopeWorkers,
}

func TestDuplicateHasTheValueOfTheOriginal(t *testing.T) {
	e := newEmulator(t)
	duplicate, _, err := e.Client().Secrets.Duplicate(t.Context(), e.store, e.secret, secretsstore.SecretDuplicate{Name: "COPY", Scopes: allScopes})
	require.NoError(t, err)
	assert.Equal(t, allScopes, duplicate.Scopes)
	copied, ok := e.Value(e.store, duplicate.ID)
	assert.True(t, ok)
	assert.Equal(t, value, copied)
}

func TestOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEmulator(t, secretsstoretest.WithMaxStores(0), secretsstoretest.WithPendingFor(time.Hour))
		client := e.Client()
		for _, name := range []string{"C", "B"} { // pending, and created at the same time as TAKEN, which is active
			_, _, err := client.Secrets.Create(t.Context(), e.store, secretsstore.SecretCreate{Name: name, Scopes: allScopes, Value: secretsstore.NewSecretValue("v")})
			require.NoError(t, err)
		}
		for order, want := range map[secretsstore.Order][]string{
			secretsstore.OrderName:    {"B", "C", "TAKEN"},
			secretsstore.OrderStatus:  {"TAKEN", "C", "B"},
			secretsstore.OrderCreated: {"TAKEN", "C", "B"},
		} {
			var names []string
			for secret, err := range client.Secrets.All(t.Context(), e.store, &secretsstore.SecretListOptions{Order: order, Direction: secretsstore.Ascending}) {
				require.NoError(t, err)
				names = append(names, secret.Name)
			}
			assert.Equal(t, want, names, order)
		}
		e.AddStore("another")
		stores, _, err := client.Stores.List(t.Context(), &secretsstore.StoreListOptions{Order: secretsstore.OrderName, Direction: secretsstore.Ascending})
		require.NoError(t, err)
		assert.Equal(t, []string{"another", "production"}, []string{stores[0].Name, stores[1].Name})
	})
}

func TestSeedsAreActiveAndBeyondTheQuota(t *testing.T) {
	e := newEmulator(t, secretsstoretest.WithMaxSecrets(1), secretsstoretest.WithPendingFor(time.Hour))
	secret := e.AddSecret(e.store, secretsstore.SecretCreate{Name: "MORE", Scopes: allScopes, Value: secretsstore.NewSecretValue("v")})
	assert.Equal(t, secretsstore.SecretStatusActive, secret.Status)
	_, _, err := e.Client().Secrets.Create(t.Context(), e.store, secretsstore.SecretCreate{Name: "NEW", Scopes: allScopes, Value: secretsstore.NewSecretValue("v")})
	assert.ErrorIs(t, err, secretsstore.ErrQuotaExceeded)
}

func TestRetryAfterOfTheEdge(t *testing.T) {
	for code, want := range map[int]http.Header{
		1004: {"Retry-After": {"120"}}, 1005: {"Retry-After": {"120"}}, 1015: {"Retry-After": {"30"}}, 1016: nil, 1033: {"Retry-After": {"120"}},
		1038: {"Retry-After": {"60"}}, 1200: {"Retry-After": {"60"}}, 1205: {"Retry-After": {"5"}},
	} {
		assert.Equal(t, want, secretsstoretest.EdgeJSON(530, code).Header, code)
	}
}
