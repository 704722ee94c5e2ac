package secretsstoretest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// step is a request, and what its response must be.
type step struct {
	after   time.Duration // since the previous step
	request string        // see emulator.request
	body    string
	headers string // separated by "; "; "none" sends none

	status  int
	code    int    // of the only error of a failure
	message string // of that error
	has     string // a part of the body
	lacks   string // no part of the body
	header  map[string]string
}

// factRow shows a fact of the API in the responses to some requests.
type factRow struct {
	fact  string
	opts  []secretsstoretest.ServerOption
	setup func(*emulator)
	steps []step
}

func options(opts ...secretsstoretest.ServerOption) []secretsstoretest.ServerOption { return opts }

const (
	uuid    = "01234567-89ab-cdef-0123-456789abcdef"
	noRoute = `"errors":[{"code":7003,"message":"Could not route to `
	newItem = `[{"name":"A","value":"v","scopes":["dex"]}]`
	list    = "GET /stores/STORE/secrets"
	create  = "POST /stores/STORE/secrets"
	bulk    = "DELETE /stores/STORE/secrets"
	get     = "GET /stores/STORE/secrets/SECRET"
	patch   = "PATCH /stores/STORE/secrets/SECRET"
	remove  = "DELETE /stores/STORE/secrets/SECRET"
	double  = "POST /stores/STORE/secrets/SECRET/duplicate"
	verify  = "GET /client/v4/user/tokens/verify"
)

// each operation of an account whose id cannot be one.
func invalidAccount() (steps []step) {
	for _, op := range []string{
		"GET /quota", "GET /stores", "POST /stores", "GET /stores/STORE", "DELETE /stores/STORE",
		list, create, bulk, get, patch, remove, double,
	} {
		method, path, _ := strings.Cut(op, " ")
		steps = append(steps, step{request: method + " /client/v4/accounts/not.an.id/secrets_store" + path, status: 400, has: noRoute})
	}
	return steps
}

func chain(code int, header string) string {
	return fmt.Sprintf(`"errors":[{"code":6003,"message":"Invalid request headers","error_chain":[{"code":%d,"message":"Invalid format for %s header"}]}]`, code, header)
}

func factRows() []factRow {
	return []factRow{
		{fact: "response-is-json-envelope", steps: []step{
			{request: "GET /quota", status: 200, has: `{"success":true,"errors":[],"messages":[],"result":{`, header: map[string]string{"Content-Type": "application/json"}},
			{request: "GET /nowhere", status: 404, has: `{"success":false,"errors":[{`, header: map[string]string{"Content-Type": "application/json"}},
		}},
		{fact: "response-has-ray-id", steps: []step{
			{request: "GET /quota", status: 200, header: map[string]string{"CF-Ray": "0000000000000001-TST", "Date": "Sat, 01 Jan 2000 00:00:00 GMT"}},
			{request: "GET /quota", headers: "none", status: 400, code: 9106, message: "Missing X-Auth-Key, X-Auth-Email or Authorization headers", header: map[string]string{"CF-Ray": "0000000000000002-TST"}},
		}},
		{fact: "response-has-rate-limit", steps: []step{
			{request: "GET /quota", status: 200, header: map[string]string{"Ratelimit": `"default";r=1000000000;t=300`, "Ratelimit-Policy": `"default";q=1000000000;w=300`}},
		}},
		{fact: "failure-result-null", steps: []step{{request: "GET /stores/" + unknownID, status: 404, has: `"messages":[],"result":null}`}}},
		{fact: "store-and-quota-have-result-info", steps: []step{
			{request: "GET /stores/STORE", status: 200, has: `"result_info":` + onePage}, {request: "GET /quota", status: 200, has: `"result_info":` + onePage},
		}},
		{fact: "secret-has-no-result-info", steps: []step{{request: get, status: 200, lacks: "result_info"}}},
		{fact: "time-has-microseconds", steps: []step{{request: get, status: 200, has: `"created":"` + epoch + `"`}}},

		{fact: "uuid-is-routed", opts: options(secretsstoretest.WithMaxStores(2)), setup: func(e *emulator) { e.AddAccount(uuid) }, steps: []step{
			{request: "GET /stores/" + uuid, status: 404, code: 1001, message: "store_not_found"},
			{request: "GET /stores/STORE/secrets/" + uuid, status: 404, code: 1001, message: "secret_not_found"},
			{request: "GET /client/v4/accounts/" + uuid + "/secrets_store/stores/STORE", status: 404, code: 1001, message: "store_not_found"},
			{request: "GET /client/v4/accounts/" + uuid + "/secrets_store/stores", status: 200, has: `"result":[]`},
		}},
		{fact: "invalid-id-7003", steps: []step{
			{request: "GET /stores/a.b", status: 400, has: noRoute + "/client/v4/accounts/" + accountID + "/secrets_store/stores/a.b, perhaps your object identifier is invalid?"},
			{request: "DELETE /stores/STORE/secrets/a%2Fb", status: 400, has: `{"code":7000,"message":"No route for that URI"}`},
			{request: "DELETE /stores/%2e%2e", status: 400, has: noRoute},
			{request: "DELETE /stores/../stores/STORE?force=true", status: 404, has: noRoute},
			{request: "DELETE /stores/./STORE", status: 404, has: noRoute},
			{request: "GET /stores/STORE", status: 200},
		}},
		{fact: "invalid-account-id-7003", steps: invalidAccount()},
		{fact: "invalid-id-status-400", steps: []step{{request: "GET /stores/a%20b", status: 400, has: noRoute}}},
		{fact: "long-id-7003", steps: []step{
			{request: "GET /stores/" + strings.Repeat("a", 36), status: 404, code: 1001, message: "store_not_found"},
			{request: "GET /stores/" + strings.Repeat("a", 37), status: 400, has: noRoute},
		}},
		{fact: "missing-id-1000", steps: []step{
			{request: "GET /stores//secrets", status: 404, code: 1000, message: "not found"},
			{request: "DELETE /stores/", status: 404, code: 1000, message: "not found"},
			{request: "POST /stores/STORE/secrets//duplicate", status: 404, code: 1000, message: "not found"},
		}},
		{fact: "missing-id-status-404", steps: []step{{request: "GET /stores/STORE/secrets/", status: 404, code: 1000, message: "not found"}}},
		{fact: "unknown-path-7003", steps: []step{
			{request: "GET /nowhere", status: 404, has: noRoute}, {request: "GET /client/v5/", status: 404, has: noRoute},
			{request: "GET /client/v4/accounts//secrets_store/quota", status: 404, has: noRoute},
		}},
		{fact: "unsupported-method-10405", steps: []step{
			{request: "PUT /stores/STORE", status: 405, code: 10405, message: "Method not allowed for this authentication scheme", header: map[string]string{"Allow": "GET, DELETE"}},
			{request: "PATCH /quota", status: 405, code: 10405, message: "Method not allowed for this authentication scheme"},
		}},
		{fact: "duplicate-leading-slash-accepted", steps: []step{{request: "GET /client/v4//accounts/" + accountID + "/secrets_store/quota", status: 200}}},

		{fact: "token-accepted", steps: []step{{request: get, headers: "Authorization: bearer " + token, status: 200}}},
		{fact: "key-accepted", steps: []step{{request: get, headers: "X-Auth-Email: " + email + "; X-Auth-Key: " + apiKey, status: 200}}},
		{fact: "email-ignores-case", steps: []step{{request: get, headers: "X-Auth-Email: USER@example.com; X-Auth-Key: " + apiKey, status: 200}}},
		{fact: "token-precedes-key", steps: []step{{request: get, headers: "Authorization: Bearer x; X-Auth-Email: " + email + "; X-Auth-Key: " + apiKey, status: 401, code: 10000, message: "Authentication error"}}},
		{fact: "missing-credentials-9106", steps: []step{{request: get, headers: "none", status: 400, code: 9106, message: "Missing X-Auth-Key, X-Auth-Email or Authorization headers"}}},
		{fact: "missing-email-9106", steps: []step{{request: get, headers: "X-Auth-Key: " + apiKey, status: 400, code: 9106, message: "Missing X-Auth-Email header"}}},
		{fact: "missing-key-9107", steps: []step{{request: get, headers: "X-Auth-Email: " + email, status: 400, code: 9107, message: "Missing X-Auth-Key header"}}},
		{fact: "unknown-key-9103", steps: []step{{request: get, headers: "X-Auth-Email: " + email + "; X-Auth-Key: x", status: 400, code: 9103, message: "Unknown X-Auth-Key or X-Auth-Email"}}},
		{fact: "credential-error-status-400", steps: []step{{request: get, headers: "X-Auth-Email: other@example.com; X-Auth-Key: " + apiKey, status: 400, code: 9103, message: "Unknown X-Auth-Key or X-Auth-Email"}}},
		{fact: "malformed-token-6003", steps: []step{
			{request: get, headers: "Authorization: " + token, status: 400, has: chain(6111, "Authorization")},
			{request: get, headers: "Authorization: Basic " + token, status: 400, has: chain(6111, "Authorization")},
			{request: get, headers: "Authorization: Bearer Bearer " + token, status: 400, has: chain(6111, "Authorization")},
			{request: get, headers: `Authorization: Bearer "` + token + `"`, status: 400, has: chain(6111, "Authorization")},
		}},
		{fact: "global-key-as-token-6003", steps: []step{{request: get, headers: "Authorization: Bearer cfk_" + strings.Repeat("a", 50), status: 400, has: chain(6111, "Authorization")}}},
		{fact: "malformed-email-6003", steps: []step{{request: get, headers: "X-Auth-Email: user; X-Auth-Key: " + apiKey, status: 400, has: chain(6102, "X-Auth-Email")}}},
		{fact: "malformed-key-6003", steps: []step{{request: get, headers: "X-Auth-Email: " + email + "; X-Auth-Key: a b", status: 400, has: chain(6103, "X-Auth-Key")}}},
		{fact: "unknown-token-10000", steps: []step{{request: get, headers: "Authorization: Bearer x", status: 401, code: 10000, message: "Authentication error"}}},
		{fact: "unknown-token-status-401", steps: []step{{request: list, headers: "Authorization: Bearer x", status: 401, code: 10000, message: "Authentication error"}}},
		{fact: "rolled-token-10000", setup: func(e *emulator) { e.RollToken(token, "new-token") }, steps: []step{
			{request: get, status: 401, code: 10000, message: "Authentication error"},
			{request: get, headers: "Authorization: Bearer new-token", status: 200},
		}},
		{fact: "read-token-cannot-write", setup: func(e *emulator) { e.AddToken("reader", secretsstoretest.PermissionRead) }, steps: []step{
			{request: patch, body: `{"comment":"c"}`, headers: "Authorization: Bearer reader", status: 403, code: 10000, message: "Authentication error"},
			{request: get, headers: "Authorization: Bearer reader", status: 200, has: "seeded"},
		}},
		{fact: "other-account-9109", steps: []step{{request: "GET /client/v4/accounts/" + unknownID + "/secrets_store/quota", status: 403, code: 9109, message: "Unauthorized to access requested resource"}}},
		{fact: "credentials-before-route", steps: []step{{request: "GET /nowhere", headers: "Authorization: Bearer x", status: 401, code: 10000, message: "Authentication error"}}},
		{fact: "verify-token", steps: []step{
			{request: verify, status: 200, has: `"status":"active"`},
			{request: verify, headers: "Authorization: Bearer x", status: 401, code: 1000, message: "Invalid API Token"},
			{request: verify, headers: "X-Auth-Email: " + email + "; X-Auth-Key: " + apiKey, status: 401, code: 1000, message: "Invalid API Token"},
		}},

		{fact: "store-created-and-listed", opts: options(secretsstoretest.WithMaxStores(2)), steps: []step{
			{request: "POST /stores", body: `{"name":"staging"}`, status: 200, has: `"name":"staging"`}, {request: "GET /stores", status: 200, has: `"name":"staging"`},
		}},
		{fact: "store-fields", steps: []step{{request: "GET /stores/STORE", status: 200, has: `","account_id":"` + accountID + `","name":"production","created":"` + epoch + `","modified":"` + epoch + `"}`}}},
		{fact: "store-limit", steps: []step{{request: "POST /stores", body: `{"name":"x"}`, status: 400, code: 1003, message: "maximum_stores_exceeded"}}},
		{fact: "store-limit-before-name", steps: []step{{request: "POST /stores", body: `{"name":"production"}`, status: 400, code: 1003, message: "maximum_stores_exceeded"}}},
		{fact: "store-name-unique", opts: options(secretsstoretest.WithMaxStores(2)), steps: []step{{request: "POST /stores", body: `{"name":"production"}`, status: 400, code: 1003, message: "store_name_already_exists"}}},
		{fact: "store-name-required", steps: []step{{request: "POST /stores", body: `{}`, status: 400, code: 1001, message: "store_name_empty"}}},
		{fact: "store-not-found", steps: []step{
			{request: "GET /stores/" + unknownID, status: 404, code: 1001, message: "store_not_found"},
			{request: "DELETE /stores/" + unknownID, status: 404, code: 1001, message: "store_not_found"},
			{request: "GET /stores/" + unknownID + "/secrets", status: 404, code: 1001, message: "store_not_found"},
			{request: "PATCH /stores/" + unknownID + "/secrets/SECRET", body: `{}`, status: 404, code: 1001, message: "store_not_found"},
		}},
		{fact: "store-not-found-before-body", steps: []step{
			{request: "DELETE /stores/" + unknownID + "/secrets", status: 404, code: 1001, message: "store_not_found"},
			{request: "POST /stores/" + unknownID + "/secrets", body: "{", status: 404, code: 1001, message: "store_not_found"},
		}},
		{fact: "store-not-empty-409", steps: []step{{request: "DELETE /stores/STORE", status: 409, code: 1003, message: "store_not_empty"}, {request: get, status: 200}}},
		{fact: "store-not-empty-1003", steps: []step{{request: "DELETE /stores/STORE?force=false", status: 409, code: 1003, message: "store_not_empty"}}},
		{fact: "store-delete-force", steps: []step{{request: "DELETE /stores/STORE?force=true", status: 200}, {request: "GET /stores/STORE", status: 404, code: 1001, message: "store_not_found"}}},
		{fact: "store-delete-status-200", steps: []step{{request: remove, status: 202}, {request: "DELETE /stores/STORE", status: 200, has: `"success":true,"errors":[],"messages":[],"result":null}`}}},
		{fact: "quota-counts-account", opts: options(secretsstoretest.WithMaxSecrets(0)), steps: []step{
			{request: create, body: newItem, status: 200}, {request: "GET /quota", status: 200, has: `{"secrets":{"quota":2147483647,"usage":2}}`},
		}},

		{fact: "secret-fields", steps: []step{{request: get, status: 200, has: `"name":"TAKEN","status":"active","store_id":"`}}},
		{fact: "secret-comment-omitted", steps: []step{{request: patch, body: `{"comment":""}`, status: 200, lacks: "comment"}}},
		{fact: "secret-not-found", steps: []step{
			{request: "GET /stores/STORE/secrets/" + unknownID, status: 404, code: 1001, message: "secret_not_found"},
			{request: "PATCH /stores/STORE/secrets/" + unknownID, body: `{}`, status: 404, code: 1001, message: "secret_not_found"},
			{request: "DELETE /stores/STORE/secrets/" + unknownID, status: 404, code: 1001, message: "secret_not_found"},
			{request: "POST /stores/STORE/secrets/" + unknownID + "/duplicate", body: `{"name":"A","scopes":["dex"]}`, status: 404, code: 1001, message: "secret_not_found"},
		}},
		{fact: "secret-pending-after-create", opts: options(secretsstoretest.WithPendingFor(30 * time.Second)), steps: []step{
			{request: create, body: newItem, status: 200, has: `"status":"pending"`},
			{request: double, body: `{"name":"B","scopes":["dex"]}`, status: 200, has: `"status":"pending"`},
			{after: 29 * time.Second, request: list, status: 200, has: `"status":"pending"`},
			{after: time.Second, request: list, status: 200, lacks: `"status":"pending"`},
		}},
		{fact: "value-never-returned", steps: []step{
			{request: get, status: 200, lacks: value}, {request: list, status: 200, lacks: value},
			{request: create, body: `[{"name":"A","value":"new-value","scopes":["dex"]}]`, status: 200, lacks: "new-value"},
			{request: patch, body: `{"value":"new-value"}`, status: 200, lacks: "new-value"},
			{request: double, body: `{"name":"B","scopes":["dex"]}`, status: 200, lacks: "new-value"},
		}},
		{fact: "value-patch-makes-pending", steps: []step{
			{request: patch, body: `{"comment":"c"}`, status: 200, has: `"status":"active"`},
			{request: patch, body: `{"value":"v"}`, status: 200, has: `"status":"pending"`},
			{request: get, status: 200, has: `"status":"active"`},
		}},
		{fact: "value-patch-makes-pending", opts: options(secretsstoretest.WithPendingFor(30 * time.Second)), steps: []step{
			{request: patch, body: `{"value":"v"}`, status: 200, has: `"status":"pending"`},
			{after: 29 * time.Second, request: get, status: 200, has: `"status":"pending"`},
			{after: time.Second, request: get, status: 200, has: `"status":"active"`},
		}},
		{fact: "value-limit-65536", steps: []step{
			{request: patch, body: `{"value":"` + strings.Repeat("v", 65_536) + `"}`, status: 200},
			{request: patch, body: `{"value":"` + strings.Repeat("v", 65_537) + `"}`, status: 400, code: 1001, message: "secret_value_too_long"},
			{request: patch, body: `{"value":"` + strings.Repeat("ü", 32_769) + `"}`, status: 400, code: 1001, message: "secret_value_too_long"},
		}},
		{fact: "value-required", steps: []step{
			{request: create, body: `[{"name":"A","scopes":["dex"]}]`, status: 400, code: 1001, message: "secret_value_empty"},
			{request: patch, body: `{"value":""}`, status: 400, code: 1001, message: "secret_value_empty"},
		}},
		{fact: "name-required", steps: []step{
			{request: create, body: `[{"value":"v","scopes":["dex"]}]`, status: 400, code: 1001, message: "secret_name_empty"},
			{request: double, body: `{"name":"","scopes":["dex"]}`, status: 400, code: 1001, message: "secret_name_empty"},
		}},
		{fact: "name-characters", steps: []step{
			{request: create, body: `[{"name":"A B","value":"v","scopes":["dex"]}]`, status: 400, code: 1001, message: "secret_name_invalid"},
			{request: create, body: `[{"name":"A.B","value":"v","scopes":["dex"]}]`, status: 400, code: 1001, message: "secret_name_invalid"},
		}},
		{fact: "name-unique-in-store", steps: []step{{request: double, body: `{"name":"TAKEN","scopes":["dex"]}`, status: 400, code: 1003, message: "secret_name_already_exists"}}},
		{fact: "name-taken-status-400", steps: []step{{request: create, body: `[{"name":"TAKEN","value":"v","scopes":["dex"]}]`, status: 400, code: 1003, message: "secret_name_already_exists"}}},
		{fact: "name-in-message-of-bulk-create", steps: []step{
			{request: create, body: `[{"name":"A","value":"v","scopes":["dex"]},{"name":"A","value":"v","scopes":["dex"]}]`, status: 400, code: 1003, message: "secret_name_already_exists: A"},
		}},
		{fact: "name-taken-before-quota", opts: options(secretsstoretest.WithMaxSecrets(1)), steps: []step{{request: double, body: `{"name":"TAKEN","scopes":["dex"]}`, status: 400, code: 1003, message: "secret_name_already_exists"}}},
		{fact: "name-held-after-delete", opts: options(secretsstoretest.WithNameHeldFor(30 * time.Second)), steps: []step{
			{request: remove, status: 202},
			{request: get, status: 404, code: 1001, message: "secret_not_found"},
			{after: 29 * time.Second, request: create, body: `[{"name":"TAKEN","value":"v","scopes":["dex"]}]`, status: 400, code: 1003, message: "secret_name_already_exists"},
			{after: time.Second, request: create, body: `[{"name":"TAKEN","value":"v","scopes":["dex"]}]`, status: 200},
		}},
		{fact: "name-not-patched", steps: []step{{request: patch, body: `{"name":"OTHER","comment":"c"}`, status: 200, has: `"name":"TAKEN"`}}},
		{fact: "scopes-required", steps: []step{
			{request: create, body: `[{"name":"A","value":"v","scopes":[]}]`, status: 400, code: 1001, message: "secret_scopes_empty"},
			{request: create, body: `[{"name":"A","value":"v"}]`, status: 400, code: 1001, message: "secret_scopes_empty"},
			{request: patch, body: `{"scopes":[]}`, status: 400, code: 1001, message: "secret_scopes_empty"},
			{request: double, body: `{"name":"A"}`, status: 400, code: 1001, message: "secret_scopes_empty"},
		}},
		{fact: "scope-known", steps: []step{
			{request: patch, body: `{"scopes":["dex","nope"]}`, status: 400, code: 1001, message: "secret_scope_invalid"},
			{request: list + "?scopes=nope", status: 400, code: 1001, message: "secret_scope_invalid"},
		}},
		{fact: "scopes-sorted", steps: []step{{request: patch, body: `{"scopes":["workers","access","workers"]}`, status: 200, has: `"scopes":["access","workers"]`}}},
		{fact: "secret-limit", opts: options(secretsstoretest.WithMaxSecrets(1)), steps: []step{
			{request: create, body: newItem, status: 400, code: 1003, message: "maximum_secrets_exceeded: max 1"},
			{request: double, body: `{"name":"A","scopes":["dex"]}`, status: 400, code: 1003, message: "maximum_secrets_exceeded: max 1"},
		}},
		{fact: "secret-patch-partial", steps: []step{{request: patch, body: `{"scopes":["access"]}`, status: 200, has: `"comment":"seeded","scopes":["access"]`}}},
		{fact: "secret-patch-empty", steps: []step{{after: time.Second, request: patch, body: `{}`, status: 200, has: `"modified":"` + epoch + `"`}}},
		{fact: "null-is-absent", steps: []step{{request: patch, body: `{"comment":null,"scopes":null,"value":null}`, status: 200, has: `"comment":"seeded","scopes":["dex","workers"]`}}},
		{fact: "unknown-field-ignored", steps: []step{{request: patch, body: `{"other":{"x":[1]},"comment":"c"}`, status: 200, has: `"comment":"c"`}}},
		{fact: "duplicate-keeps-value", steps: []step{{request: double, body: `{"name":"COPY","scopes":["dex"],"value":"ignored"}`, status: 200, has: `"name":"COPY"`}}},
		{fact: "duplicate-without-comment", steps: []step{{request: double, body: `{"name":"COPY","scopes":["dex"]}`, status: 200, lacks: "seeded"}}},
		{fact: "bulk-create-atomic", steps: []step{
			{request: create, body: `[{"name":"A","value":"v","scopes":["dex"]},{"name":"B","value":"","scopes":["dex"]}]`, status: 400, code: 1001, message: "secret_value_empty"},
			{request: list, status: 200, has: `"total_count":1`},
		}},
		{fact: "invalid-json-1001", steps: []step{
			{request: patch, body: "{", status: 400, code: 1001, message: "invalid_json_body"},
			{request: patch, body: "[]", status: 400, code: 1001, message: "invalid_json_body"},
			{request: patch, body: `{"comment":1}`, status: 400, code: 1001, message: "invalid_json_body"},
			{request: patch, body: "{\"comment\":\"\xff\"}", status: 400, code: 1001, message: "invalid_json_body"},
			{request: create, body: `{"name":"A"}`, status: 400, code: 1001, message: "invalid_json_body"},
			{request: bulk, status: 400, code: 1001, message: "invalid_json_body"},
		}},
		{fact: "empty-list-invalid", steps: []step{
			{request: create, body: `[]`, status: 400, code: 1001, message: "invalid_json_body"},
			{request: bulk, body: `{"ids":[]}`, status: 400, code: 1001, message: "invalid_json_body"},
		}},
		{fact: "content-type-ignored", steps: []step{{request: patch, body: `{"comment":"c"}`, headers: "Authorization: Bearer " + token + "; Content-Type: text/plain;charset=UTF-8", status: 200}}},

		{fact: "delete-status-202", steps: []step{{request: remove, status: 202, has: `"result":null`}, {request: remove, status: 404, code: 1001, message: "secret_not_found"}}},
		{fact: "bulk-delete-status-202", steps: []step{{request: bulk, body: `{"ids":["SECRET"]}`, status: 202, has: `"result":null`}}},
		{fact: "bulk-delete-atomic", steps: []step{
			{request: bulk, body: `{"ids":["SECRET","` + unknownID + `"]}`, status: 404, code: 1001, message: "secret_not_found"}, {request: get, status: 200},
		}},
		{fact: "deleted-secret-listed", opts: options(secretsstoretest.WithDeletedListedFor(time.Minute)), steps: []step{
			{request: remove, status: 202},
			{request: create, body: `[{"name":"TAKEN","value":"v","scopes":["dex"]}]`, status: 200},
			{request: list + "?order=status&direction=desc", status: 200, has: `"name":"TAKEN","status":"deleted"`},
			{request: list, status: 200, has: `"total_count":2`}, {request: "GET /quota", status: 200, has: `"usage":1`},
			{after: time.Minute, request: list, status: 200, lacks: `deleted`},
		}},
		{fact: "deleted-secret-not-writable", opts: options(secretsstoretest.WithDeletedListedFor(time.Minute)), steps: []step{
			{request: remove, status: 202},
			{request: get, status: 200, has: `"status":"deleted"`},
			{request: patch, body: `{}`, status: 404, code: 1001, message: "secret_not_found"},
			{request: remove, status: 404, code: 1001, message: "secret_not_found"},
		}},

		{fact: "per-page-default-20", steps: []step{{request: list, status: 200, has: `"page":1,"per_page":20`}}},
		{fact: "per-page-over-100-rejected", steps: []step{
			{request: list + "?per_page=100", status: 200, has: `"per_page":100`},
			{request: list + "?per_page=101", status: 400, code: 1001, message: "invalid_per_page_parameter"},
			{request: "GET /stores?per_page=101", status: 400, code: 1001, message: "invalid_per_page_parameter"},
		}},
		{fact: "page-invalid", steps: []step{
			{request: list + "?page=-1", status: 400, code: 1001, message: "invalid_page_parameter"},
			{request: list + "?page=x", status: 400, code: 1001, message: "invalid_page_parameter"},
		}},
		{fact: "page-zero-is-default", steps: []step{{request: list + "?page=0&per_page=0", status: 200, has: `"page":1,"per_page":20`}}},
		{fact: "page-past-end-empty", steps: []step{
			{request: list + "?page=2", status: 200, has: `"result":[],"result_info":{"count":0,"page":2,"per_page":20,"total_count":1,"total_pages":1}`},
			{request: list + "?page=9223372036854775807&per_page=100", status: 200, has: `"result":[]`},
		}},
		{fact: "order-default-created-desc", steps: []step{
			{after: time.Second, request: create, body: newItem, status: 200}, {request: list + "?per_page=1", status: 200, has: `"name":"A"`},
		}},
		{fact: "order-by-field", steps: []step{
			{after: time.Second, request: create, body: `[{"name":"Z","value":"v","scopes":["dex"],"comment":"a"}]`, status: 200},
			{request: list + "?per_page=1&order=name&direction=asc", status: 200, has: `"name":"TAKEN"`},
			{request: list + "?per_page=1&order=name&direction=desc", status: 200, has: `"name":"Z"`},
			{request: list + "?per_page=1&order=comment&direction=asc", status: 200, has: `"name":"Z"`},
			{request: list + "?per_page=1&order=created&direction=asc", status: 200, has: `"name":"TAKEN"`},
			{after: time.Second, request: patch, body: `{"comment":"c"}`, status: 200},
			{request: list + "?per_page=1&order=modified", status: 200, has: `"name":"TAKEN"`},
			{request: "GET /stores?order=name&direction=asc", status: 200, has: "production"},
		}},
		{fact: "order-invalid", steps: []step{
			{request: list + "?order=value", status: 400, code: 1001, message: "invalid_order_parameter"},
			{request: "GET /stores?order=comment", status: 400, code: 1001, message: "invalid_order_parameter"},
			{request: list + "?direction=up", status: 400, code: 1001, message: "invalid_direction_parameter"},
		}},
		{fact: "search-name-and-comment", steps: []step{
			{request: list + "?search=AKE", status: 200, has: "TAKEN"}, {request: list + "?search=eede", status: 200, has: "TAKEN"},
			{request: list + "?search=nothing", status: 200, lacks: "TAKEN"},
		}},
		{fact: "search-ignores-case", steps: []step{{request: list + "?search=taken", status: 200, has: "TAKEN"}}},
		{fact: "scopes-filter-comma", steps: []step{{request: list + "?scopes=workers,dex", status: 200, has: "TAKEN"}}},
		{fact: "scopes-filter-repeated", steps: []step{{request: list + "?scopes=workers&scopes=access", status: 200, lacks: "TAKEN"}}},
		{fact: "scopes-filter-all", steps: []step{{request: list + "?scopes=workers,access", status: 200, lacks: "TAKEN"}}},
		{fact: "total-count-ignores-search", steps: []step{
			{request: create, body: newItem, status: 200},
			{request: list + "?search=TAKEN&per_page=1", status: 200, has: `"result_info":{"count":1,"page":1,"per_page":1,"total_count":2,"total_pages":2}`},
		}},
		{fact: "total-count-ignores-search", opts: options(secretsstoretest.WithFilteredTotalCount()), steps: []step{
			{request: create, body: newItem, status: 200},
			{request: list + "?search=TAKEN&per_page=1", status: 200, has: `"result_info":{"count":1,"page":1,"per_page":1,"total_count":1,"total_pages":1}`},
		}},

		{fact: "rate-limited-429", opts: options(secretsstoretest.WithRateLimit(1, time.Minute)), steps: []step{
			{request: list, status: 200, header: map[string]string{"Ratelimit": `"default";r=0;t=60`, "Ratelimit-Policy": `"default";q=1;w=60`, "Retry-After": ""}},
			{after: 500 * time.Millisecond, request: list, status: 429, code: 971, message: "Please wait and consider throttling your request speed", header: map[string]string{"Ratelimit": `"default";r=0;t=60`, "Retry-After": "60"}},
			{after: 59_500 * time.Millisecond, request: list, status: 200},
		}},
		{fact: "rate-limit-per-token", opts: options(secretsstoretest.WithRateLimit(1, time.Minute)), setup: func(e *emulator) { e.AddToken("other", secretsstoretest.PermissionRead) }, steps: []step{
			{request: list, status: 200}, {request: list, headers: "Authorization: Bearer other", status: 200},
			{request: list, headers: "X-Auth-Email: " + email + "; X-Auth-Key: " + apiKey, status: 200}, {request: list, status: 429, has: `"code":971`},
		}},
		{fact: "rate-limited-not-applied", opts: options(secretsstoretest.WithRateLimit(1, time.Minute)), steps: []step{
			{request: list, status: 200}, {request: remove, status: 429, has: `"code":971`}, {after: time.Minute, request: get, status: 200},
		}},
	}
}

func TestFacts(t *testing.T) {
	unseen := map[string]bool{}
	for _, f := range secretsstoretest.Facts() {
		assert.Regexp(t, `^[a-z0-9]+(-[a-z0-9]+)*$`, f.ID)
		assert.False(t, unseen[f.ID], "%s is listed twice", f.ID)
		assert.Contains(t, []secretsstoretest.Basis{secretsstoretest.Documented, secretsstoretest.Observed, secretsstoretest.Decided}, f.Basis)
		assert.True(t, strings.HasSuffix(f.Statement, "."), f.Statement)
		unseen[f.ID] = true
	}
	known := len(unseen)
	for _, row := range factRows() {
		delete(unseen, row.fact)
		t.Run(row.fact, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEmulator(t, row.opts...)
				if row.setup != nil {
					row.setup(e)
				}
				for _, s := range row.steps {
					s.check(t, e)
				}
			})
		})
	}
	assert.Empty(t, unseen, "facts without a row")
	assert.GreaterOrEqual(t, len(factRows()), known)
}

func (s step) check(t *testing.T, e *emulator) {
	t.Helper()
	time.Sleep(s.after)
	var headers []string
	if s.headers != "" {
		headers = strings.Split(s.headers, "; ")
	}
	got := e.send(t, s.request, s.body, headers...)
	assert.Equal(t, s.status, got.status, "%s: %s", s.request, got.body)
	if s.code != 0 {
		assert.Equal(t, failure(s.code, s.message), got.body, s.request)
	}
	assert.Contains(t, got.body, s.has, s.request)
	if s.lacks != "" {
		assert.NotContains(t, got.body, s.lacks, s.request)
	}
	for name, want := range s.header {
		assert.Equal(t, want, got.header.Get(name), name)
	}
}
