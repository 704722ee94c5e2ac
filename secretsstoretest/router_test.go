package secretsstoretest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPaths(t *testing.T) {
	missing := failure(1000, "not found")
	noRoute := func(path string) string {
		return fmt.Sprintf(`{"success":false,"errors":[{"code":7003,"message":"Could not route to %s, perhaps your object identifier is invalid?"},{"code":7000,"message":"No route for that URI"}],"messages":[],"result":null}`, path)
	}
	malformed := func(path string) string {
		return failure(7003, "Could not route to "+path+", perhaps your object identifier is invalid?")
	}
	tooLong := strings.Repeat("f", 33)
	tests := []struct {
		name, path string
		status     int
		want       func(path string) string
	}{
		{"another path", "/client/v4/zones", 404, noRoute},
		{"another version", "/client/v5/accounts/" + accountID + "/secrets_store/stores", 404, noRoute},
		{"the root", "/", 404, noRoute},
		{"nothing behind the prefix", "/client/v4/", 404, noRoute},
		{"nothing behind the product", account, 404, noRoute},
		{"nothing behind the product but a slash", account + "/", 404, noRoute},
		{"another thing of the product", account + "/secrets", 404, noRoute},
		{"another thing of a store", account + "/stores/id-1/values", 404, noRoute},
		{"another thing of a secret", account + "/stores/id-1/secrets/id-2/value", 404, noRoute},
		{"too deep", account + "/stores/id-1/secrets/id-2/duplicate/x", 404, noRoute},
		{"no id of a store", account + "/stores/", 404, func(string) string { return missing }},
		{"no id of the store of a list", account + "/stores//secrets", 404, func(string) string { return missing }},
		{"no id of a secret", account + "/stores/id-1/secrets/", 404, func(string) string { return missing }},
		{"an id that is too long", account + "/stores/" + tooLong, 400, malformed},
		{"an id with a dot", account + "/stores/id.1/secrets", 400, malformed},
		{"an id that is two dots", account + "/stores/id-1/secrets/..", 400, malformed},
		{"an id with two escaped dots", account + "/stores/id-1/secrets/%2e%2e", 400, malformed},
		{"an id with an escaped slash", account + "/stores/id-1/secrets/x%2Fduplicate", 400, malformed},
		{"an id with a zero byte", account + "/stores/id-1/secrets/%00", 400, malformed},
		{"an account that is no id", "/client/v4/accounts/me@example.com/secrets_store/stores", 400, malformed},
		{"no account", "/client/v4/accounts//secrets_store/stores", 400, malformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := over(seeded(t)).do(t, "GET", tt.path, "")
			assert.Equal(t, tt.status, got.status)
			assert.Equal(t, tt.want(tt.path), got.body)
		})
	}
	t.Run("two slashes, as of a base URL that ends in one", func(t *testing.T) {
		got := over(seeded(t)).do(t, "GET", strings.Replace(account, "/accounts", "//accounts", 1)+"/stores", "")
		assert.Equal(t, success("["+theStore+"]", one), got.body)
	})
	t.Run("an escape that needs none", func(t *testing.T) {
		got := over(seeded(t)).do(t, "GET", account+"/stores/id%2D1", "")
		assert.Equal(t, success(theStore, one), got.body)
	})
}

func TestUserIsNotTold(t *testing.T) {
	got := over(seeded(t)).do(t, "GET", "/client/v4/user", "")
	assert.Equal(t, http.StatusForbidden, got.status)
	assert.Equal(t, failure(9109, "Unauthorized to access requested resource"), got.body)
}

func TestMethods(t *testing.T) {
	tests := []struct{ method, path, allow string }{
		{"PUT", account + "/stores/id-1/secrets/id-2", "GET, PATCH, DELETE"},
		{"PATCH", account + "/stores/id-1", "GET, DELETE"},
		{"POST", account + "/quota", "GET"},
		{"PUT", account + "/stores", "GET, POST"},
		{"PATCH", account + "/stores/id-1/secrets", "GET, POST, DELETE"},
		{"GET", account + "/stores/id-1/secrets/id-2/duplicate", "POST"},
		{"OPTIONS", "/client/v4/user/tokens/verify", "GET"},
		{"get", account + "/stores", "GET, POST"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			got := over(seeded(t)).do(t, tt.method, tt.path, "")
			assert.Equal(t, http.StatusMethodNotAllowed, got.status)
			assert.Equal(t, failure(7001, "Method "+tt.method+" not available for that URI."), got.body)
			assert.Equal(t, tt.allow, got.header.Get("Allow"))
		})
	}
}
