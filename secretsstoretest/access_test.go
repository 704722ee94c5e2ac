package secretsstoretest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestPermissionsOfEachOperation(t *testing.T) {
	operations := []struct{ request, body string }{
		{request: "GET /quota"}, {request: "GET /stores"}, {request: "POST /stores", body: `{"name":"x"}`},
		{request: "GET /stores/STORE"}, {request: "DELETE /stores/STORE"},
		{request: list}, {request: create, body: newItem}, {request: bulk, body: `{"ids":["SECRET"]}`},
		{request: get}, {request: patch, body: patched}, {request: remove}, {request: double, body: `{"name":"A","scopes":["dex"]}`},
	}
	for _, op := range operations {
		t.Run(op.request, func(t *testing.T) {
			e := newEmulator(t)
			e.AddAccount(unknownID)
			e.AddToken("reader", secretsstoretest.PermissionRead)
			e.AddToken("writer", secretsstoretest.PermissionWrite)
			e.AddToken("stranger", secretsstoretest.PermissionWrite, unknownID)
			before := e.Secrets(e.store)

			got := e.send(t, op.request, op.body, "Authorization: Bearer stranger")
			assert.Equal(t, 403, got.status)
			assert.Equal(t, failure(9109, "Unauthorized to access requested resource"), got.body)

			got = e.send(t, op.request, op.body, "Authorization: Bearer reader")
			if strings.HasPrefix(op.request, "GET") {
				assert.Equal(t, 200, got.status)
			} else {
				assert.Equal(t, 403, got.status)
				assert.Equal(t, failure(10000, "Authentication error"), got.body)
			}
			assert.Equal(t, before, e.Secrets(e.store), "a refused request is not applied")

			assert.NotEqual(t, 403, e.send(t, op.request, op.body, "Authorization: Bearer writer").status)
		})
	}
}

func TestAccountsAreSeparate(t *testing.T) {
	e := newEmulator(t)
	e.AddAccount(unknownID)
	other := "/client/v4/accounts/" + unknownID + "/secrets_store"
	assert.Contains(t, e.send(t, "GET "+other+"/stores", "").body, `"result":[]`)
	assert.Contains(t, e.send(t, "GET "+other+"/quota", "").body, `"usage":0`)
	assert.Equal(t, failure(1001, "store_not_found"), e.send(t, "GET "+other+"/stores/STORE/secrets/SECRET", "").body)
	assert.Equal(t, 200, e.send(t, "POST "+other+"/stores", `{"name":"production"}`).status, "the limit of stores is per account")
}

func TestRevokedTokenIsUnknown(t *testing.T) {
	e := newEmulator(t)
	e.RevokeToken(token)
	e.RevokeToken("unknown")
	assert.Equal(t, failure(10000, "Authentication error"), e.send(t, get, "").body)
	e.AddToken(token, secretsstoretest.PermissionRead)
	assert.Equal(t, 200, e.send(t, get, "").status)
	assert.Equal(t, 403, e.send(t, patch, patched).status)
	e.AddAccount(e.AccountID)
	assert.Equal(t, 403, e.send(t, patch, patched).status, "an existing account is left unchanged")
	e.AddToken("another-token", secretsstoretest.PermissionWrite, e.AccountID)
	assert.Equal(t, 200, e.send(t, patch, patched, "Authorization: Bearer another-token").status)
}

func TestRolledTokenKeepsItsIDAndRateLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, e *emulator) {
		before := e.send(t, verify, "").body
		e.RollToken(token, "new-token")
		got := e.send(t, verify, "", "Authorization: Bearer new-token")
		assert.Equal(t, before, got.body)
		assert.Equal(t, `"default";r=8;t=60`, got.header.Get("Ratelimit"))
		assert.PanicsWithValue(t, "secretsstoretest: RollToken: invalid token", func() { e.RollToken(token, "x") })
	}, secretsstoretest.WithRateLimit(10, time.Minute))
}

func TestOtherClientsUseRequests(t *testing.T) {
	inBubble(t, func(t *testing.T, e *emulator) {
		assert.Equal(t, `"default";r=9;t=60`, e.send(t, get, "").header.Get("Ratelimit"))
		e.UseRequests(8)
		assert.Equal(t, `"default";r=0;t=60`, e.send(t, get, "").header.Get("Ratelimit"))
		time.Sleep(30 * time.Second)
		got := e.send(t, get, "")
		assert.Equal(t, 429, got.status)
		assert.Equal(t, "30", got.header.Get("Retry-After"))
		time.Sleep(30 * time.Second)
		e.UseRequests(1000)
		assert.Equal(t, 429, e.send(t, get, "").status)
		assert.Equal(t, 200, e.send(t, get, "", "X-Auth-Email: "+email, "X-Auth-Key: "+apiKey).status)
		assert.Equal(t, `"default";r=10;t=60`, e.send(t, get, "", "Authorization: Bearer x").header.Get("Ratelimit"))
	}, secretsstoretest.WithRateLimit(10, time.Minute))
}

func TestSeedingPanicsOnInvalidArguments(t *testing.T) {
	e := newEmulator(t)
	tests := []struct {
		name string
		call func()
		want string
	}{
		{name: "account id", call: func() { e.AddAccount("a b") }, want: `AddAccount: invalid account id "a b"`},
		{name: "token", call: func() { e.AddToken("a b", secretsstoretest.PermissionRead) }, want: "AddToken: invalid token"},
		{name: "permission", call: func() { e.AddToken("a", 0) }, want: "AddToken: invalid permission 0"},
		{name: "unknown account", call: func() { e.AddToken("a", secretsstoretest.PermissionRead, "x") }, want: `AddToken: unknown account "x"`},
		{name: "store name", call: func() { e.AddStore("production") }, want: `AddStore: "production": store_name_already_exists`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.PanicsWithValue(t, "secretsstoretest: "+tt.want, tt.call)
		})
	}
}
