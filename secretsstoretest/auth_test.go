package secretsstoretest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func headersFailure(chain string) string {
	return `{"success":false,"errors":[{"code":6003,"message":"Invalid request headers","error_chain":[` + chain + `]}],"messages":[],"result":null}`
}

func TestAuthentication(t *testing.T) {
	const (
		badToken = `{"code":6111,"message":"Invalid format for Authorization header"}`
		badEmail = `{"code":6102,"message":"Invalid format for X-Auth-Email header"}`
		badKey   = `{"code":6103,"message":"Invalid format for X-Auth-Key header"}`
	)
	missing := failure(9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
	unauthenticated := failure(10000, "Authentication error")
	allowed := success("["+theStore+"]", one)
	tests := []struct {
		name    string
		headers []string
		status  int
		want    string
	}{
		{"a token", []string{"Authorization: Bearer " + token}, 200, allowed},
		{"the scheme takes no notice of case", []string{"Authorization: bearer " + token}, 200, allowed},
		{"email and key", []string{"X-Auth-Email: " + email, "X-Auth-Key: " + apiKey}, 200, allowed},
		{"an email takes no notice of case", []string{"X-Auth-Email: USER@example.com", "X-Auth-Key: " + apiKey}, 200, allowed},
		{"a token wins over a key", []string{"Authorization: Bearer unknown", "X-Auth-Email: " + email, "X-Auth-Key: " + apiKey}, 401, unauthenticated},
		{"nothing", []string{"X-Other: x"}, 400, missing},
		{"an email alone", []string{"X-Auth-Email: " + email}, 400, missing},
		{"a key alone", []string{"X-Auth-Key: " + apiKey}, 400, missing},
		{"an unknown token", []string{"Authorization: Bearer unknown"}, 401, unauthenticated},
		{"an unknown key", []string{"X-Auth-Email: " + email, "X-Auth-Key: unknown"}, 401, unauthenticated},
		{"the key of another email", []string{"X-Auth-Email: other@example.com", "X-Auth-Key: " + apiKey}, 401, unauthenticated},
		{"no scheme", []string{"Authorization: " + token}, 400, headersFailure(badToken)},
		{"another scheme", []string{"Authorization: Basic " + token}, 400, headersFailure(badToken)},
		{"a scheme alone", []string{"Authorization: Bearer"}, 400, headersFailure(badToken)},
		{"the scheme twice", []string{"Authorization: Bearer Bearer " + token}, 400, headersFailure(badToken)},
		{"a token in quotes", []string{`Authorization: Bearer "` + token + `"`}, 400, headersFailure(badToken)},
		{"an email that is none", []string{"X-Auth-Email: user", "X-Auth-Key: " + apiKey}, 400, headersFailure(badEmail)},
		{"a key that is none", []string{"X-Auth-Email: " + email, "X-Auth-Key: my key"}, 400, headersFailure(badKey)},
		{"neither is one", []string{"X-Auth-Email: user", "X-Auth-Key: my key"}, 400, headersFailure(badEmail + "," + badKey)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := over(seeded(t)).do(t, "GET", account+"/stores", "", tt.headers...)
			assert.Equal(t, tt.status, got.status)
			assert.Equal(t, tt.want, got.body)
			assert.NotEmpty(t, got.header.Get("CF-Ray"))
			assert.NotEmpty(t, got.header.Get("Ratelimit"))
		})
	}
}

func TestPermissions(t *testing.T) {
	const other = "0123456789abcdef0123456789abcdef"
	readOnly := failure(10000, "Authentication error")
	notThere := failure(9109, "Unauthorized to access requested resource")
	setUp := func(t *testing.T) (*secretsstoretest.Server, sender) {
		srv := seeded(t)
		srv.AddAccount(other)
		srv.AddToken("reader", secretsstoretest.PermissionRead)
		srv.AddToken("writer", secretsstoretest.PermissionWrite)
		srv.AddToken("stranger", secretsstoretest.PermissionWrite, other)
		srv.AddToken("both", secretsstoretest.PermissionRead, other, accountID)
		return srv, over(srv)
	}
	operations := []struct{ method, path, body string }{
		{"GET", "/quota", ""},
		{"GET", "/stores", ""},
		{"POST", "/stores", `{"name":"another"}`},
		{"GET", "/stores/id-1", ""},
		{"DELETE", "/stores/id-1", ""},
		{"GET", "/stores/id-1/secrets", ""},
		{"POST", "/stores/id-1/secrets", `[{"name":"A","value":"v","scopes":["dex"]}]`},
		{"DELETE", "/stores/id-1/secrets", `{"ids":["id-2"]}`},
		{"GET", "/stores/id-1/secrets/id-2", ""},
		{"PATCH", "/stores/id-1/secrets/id-2", `{"comment":"c"}`},
		{"DELETE", "/stores/id-1/secrets/id-2", ""},
		{"POST", "/stores/id-1/secrets/id-2/duplicate", `{"name":"A","scopes":["dex"]}`},
	}
	for _, op := range operations {
		t.Run(op.method+" "+op.path, func(t *testing.T) {
			srv, send := setUp(t)
			before := srv.Secrets("id-1")
			for _, who := range []string{"reader", "both"} {
				got := send.do(t, op.method, account+op.path, op.body, "Authorization: Bearer "+who)
				if op.method == "GET" {
					assert.Equal(t, 200, got.status, who)
				} else {
					assert.Equal(t, 403, got.status, who)
					assert.Equal(t, readOnly, got.body, who)
				}
			}
			got := send.do(t, op.method, account+op.path, op.body, "Authorization: Bearer stranger")
			assert.Equal(t, 403, got.status)
			assert.Equal(t, notThere, got.body)
			assert.Equal(t, before, srv.Secrets("id-1"), "what is refused changes nothing")

			got = send.do(t, op.method, account+op.path, op.body, "Authorization: Bearer writer")
			assert.NotEqual(t, 403, got.status)

			// In the other account the same ids lead to nothing.
			got = send.do(t, op.method, "/client/v4/accounts/"+other+"/secrets_store"+op.path, op.body, "Authorization: Bearer "+token)
			assert.NotContains(t, got.body, "id-1")
			assert.NotContains(t, got.body, "TAKEN")
			if len(op.path) > len("/stores") {
				assert.Equal(t, failure(1001, "store_not_found"), got.body)
			}
		})
	}
	t.Run("an account that is not there", func(t *testing.T) {
		_, send := setUp(t)
		got := send.do(t, "GET", "/client/v4/accounts/"+unknown+"/secrets_store/stores", "")
		assert.Equal(t, 403, got.status)
		assert.Equal(t, notThere, got.body)
	})
	t.Run("a token that is added again has its new permission", func(t *testing.T) {
		srv, send := setUp(t)
		srv.AddToken("writer", secretsstoretest.PermissionRead)
		got := send.do(t, "DELETE", account+"/stores/id-1/secrets/id-2", "", "Authorization: Bearer writer")
		assert.Equal(t, readOnly, got.body)
	})
	t.Run("a token that is revoked is unknown", func(t *testing.T) {
		srv, send := setUp(t)
		srv.RevokeToken(token)
		srv.RevokeToken("never there")
		got := send.do(t, "GET", account+"/stores", "")
		assert.Equal(t, 401, got.status)
		assert.Equal(t, readOnly, got.body)
	})
}

func TestAccountsAreKeptApart(t *testing.T) {
	const other = "0123456789abcdef0123456789abcdef"
	srv := seeded(t, secretsstoretest.WithMaxSecrets(1))
	srv.AddAccount(other)
	srv.AddAccount(other)
	st := srv.AddStoreTo(other, "default_secrets_store")
	assert.Equal(t, other, st.AccountID)
	assert.Equal(t, []string{other, accountID}, srv.Accounts())

	send := over(srv)
	got := send.do(t, "POST", "/client/v4/accounts/"+other+"/secrets_store/stores/"+st.ID+"/secrets", `[{"name":"TAKEN","value":"v","scopes":["dex"]}]`)
	require.Equal(t, 200, got.status, "each account has a quota, and names, of its own: %s", got.body)
	assert.Len(t, srv.Secrets("id-1"), 1)
	assert.Len(t, srv.Secrets(st.ID), 1)
	assert.Len(t, srv.Stores(), 2)
}

func TestVerifyToken(t *testing.T) {
	send := over(seeded(t))
	got := send.do(t, "GET", "/client/v4/user/tokens/verify", "")
	assert.Equal(t, 200, got.status)
	assert.Regexp(t, `^{"success":true,"errors":\[\],"messages":\[{"code":10000,"message":"This API Token is valid and active"}\],"result":{"id":"[0-9a-f]{32}","status":"active"}}$`, got.body)

	invalid := failure(1000, "Invalid API Token")
	got = send.do(t, "GET", "/client/v4/user/tokens/verify", "", "Authorization: Bearer unknown")
	assert.Equal(t, 401, got.status)
	assert.Equal(t, invalid, got.body)
	got = send.do(t, "GET", "/client/v4/user/tokens/verify", "", "X-Auth-Email: "+email, "X-Auth-Key: "+apiKey)
	assert.Equal(t, 401, got.status)
	assert.Equal(t, invalid, got.body)
	got = send.do(t, "GET", "/client/v4/user/tokens/verify", "", "Authorization: x")
	assert.Equal(t, 400, got.status)
	assert.Contains(t, got.body, "6111")
}
