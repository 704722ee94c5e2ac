package secretsstoretest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// seeded is a server with the store id-1, and in it the secret id-2, named TAKEN.
func seeded(t testing.TB, opts ...secretsstoretest.ServerOption) *secretsstoretest.Server {
	t.Helper()
	srv := newServer(t, opts...)
	srv.AddStore("default_secrets_store")
	taken := create("TAKEN", secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway)
	taken.Comment = "info about my secret"
	srv.AddSecret("id-1", taken)
	return srv
}

const (
	theStore  = `{"id":"id-1","account_id":"` + accountID + `","name":"default_secrets_store","created":"` + created + `","modified":"` + created + `"}`
	theSecret = `{"id":"id-2","created":"` + created + `","modified":"` + created + `","name":"TAKEN","status":"active","store_id":"id-1","comment":"info about my secret","scopes":["ai_gateway","workers"]}`
	one       = `,"result_info":{"count":1,"page":1,"per_page":20,"total_count":1,"total_pages":1}`
)

func success(result, rest string) string {
	return `{"success":true,"errors":[],"messages":[],"result":` + result + rest + `}`
}

func secretJSON(id, name, comment, scopes string) string {
	if comment != "" {
		comment = `,"comment":"` + comment + `"`
	}
	return `{"id":"` + id + `","created":"` + created + `","modified":"` + created + `","name":"` + name +
		`","status":"pending","store_id":"id-1"` + comment + `,"scopes":` + scopes + `}`
}

func TestOperationsSucceed(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"the quota counts secrets", "GET", "/quota", "", 200,
			success(`{"secrets":{"quota":100,"usage":1}}`, one)},
		{"stores are listed", "GET", "/stores", "", 200, success("["+theStore+"]", one)},
		{"a store is made", "POST", "/stores", `{"name":"another"}`, 200,
			success(`{"id":"id-3","account_id":"`+accountID+`","name":"another","created":"`+created+`","modified":"`+created+`"}`, one)},
		{"a store is shown", "GET", "/stores/id-1", "", 200, success(theStore, one)},
		{"a store is deleted with its secrets by force", "DELETE", "/stores/id-1?force=true", "", 200, success("null", "")},
		{"secrets are listed", "GET", "/stores/id-1/secrets", "", 200, success("["+theSecret+"]", one)},
		{"secrets are made in the order they are given", "POST", "/stores/id-1/secrets",
			`[{"name":"B","value":"v1","scopes":["workers","access","workers"],"comment":"<&>"},{"name":"A-1_z","value":"v2","scopes":["dex"]}]`, 200,
			success("["+secretJSON("id-3", "B", "<&>", `["access","workers"]`)+","+secretJSON("id-4", "A-1_z", "", `["dex"]`)+"]",
				`,"result_info":{"count":2,"page":1,"per_page":20,"total_count":2,"total_pages":1}`)},
		{"a comment of null is none", "POST", "/stores/id-1/secrets",
			`[{"name":"B","value":"v","scopes":["containers","websearch"],"comment":null}]`, 200,
			success("["+secretJSON("id-3", "B", "", `["containers","websearch"]`)+"]", one)},
		{"a secret is shown, without its value", "GET", "/stores/id-1/secrets/id-2", "", 200, success(theSecret, "")},
		{"a patch with a value makes it pending", "PATCH", "/stores/id-1/secrets/id-2", `{"value":"new"}`, 200,
			success(secretJSON("id-2", "TAKEN", "info about my secret", `["ai_gateway","workers"]`), "")},
		{"a patch without a value leaves it active, and sorts the scopes", "PATCH", "/stores/id-1/secrets/id-2",
			`{"comment":"other","scopes":["workers","dex"]}`, 200,
			success(strings.NewReplacer("info about my secret", "other", `"ai_gateway","workers"`, `"dex","workers"`).Replace(theSecret), "")},
		{"a patch can clear the comment", "PATCH", "/stores/id-1/secrets/id-2", `{"comment":""}`, 200,
			success(strings.Replace(theSecret, `"comment":"info about my secret",`, "", 1), "")},
		{"a patch leaves what is null, absent, unknown or the name", "PATCH", "/stores/id-1/secrets/id-2",
			`{"comment":null,"scopes":null,"value":null,"name":"RENAMED","other":1}`, 200, success(theSecret, "")},
		{"a secret is deleted", "DELETE", "/stores/id-1/secrets/id-2", "", 202, success("null", "")},
		{"secrets are deleted", "DELETE", "/stores/id-1/secrets", `{"ids":["id-2","id-2"]}`, 202, success("null", "")},
		{"a copy has a name, scopes and comment of its own", "POST", "/stores/id-1/secrets/id-2/duplicate",
			`{"name":"COPY","scopes":["dex"],"comment":"a copy"}`, 200, success(secretJSON("id-3", "COPY", "a copy", `["dex"]`), "")},
		{"a copy without a comment has none", "POST", "/stores/id-1/secrets/id-2/duplicate",
			`{"name":"COPY","scopes":["dex"],"comment":""}`, 200, success(secretJSON("id-3", "COPY", "", `["dex"]`), "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := seeded(t, secretsstoretest.WithMaxStores(2))
			got := over(srv).do(t, tt.method, account+tt.path, tt.body)
			assert.Equal(t, tt.status, got.status)
			assert.Equal(t, tt.want, got.body)
			assert.Equal(t, http.Header{
				"Content-Type":     {"application/json"},
				"Cf-Ray":           {"0000000000000001-TST"},
				"Ratelimit":        {`"default";r=1000000000;t=300`},
				"Ratelimit-Policy": {`"default";q=1000000000;w=300`},
			}, got.header)
			assert.NotContains(t, got.body, "s3cret-TAKEN")
		})
	}
}

func TestOperationsFail(t *testing.T) {
	const secrets, secret = "/stores/id-1/secrets", "/stores/id-1/secrets/id-2"
	tooLong := strings.Repeat("é", 32_768) + "x" // 65,537 bytes
	badRequest := func(word string) (int, string) { return 400, failure(1001, word) }
	_, invalidJSON := badRequest("invalid_json_body")
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"one store is all the beta has", "POST", "/stores", `{"name":"another"}`, 400, failure(1003, "maximum_stores_exceeded")},
		{"the quota of stores is said before the taken name", "POST", "/stores", `{"name":"default_secrets_store"}`, 400, failure(1003, "maximum_stores_exceeded")},
		{"a store has a name", "POST", "/stores", `{}`, 400, failure(1001, "store_name_empty")},
		{"a store is an object", "POST", "/stores", `[]`, 400, invalidJSON},
		{"an unknown store is not shown", "GET", "/stores/" + unknown, "", 404, failure(1001, "store_not_found")},
		{"an unknown store is not deleted", "DELETE", "/stores/" + unknown, "", 404, failure(1001, "store_not_found")},
		{"a store that is not empty stays", "DELETE", "/stores/id-1", "", 409, failure(1003, "store_not_empty")},
		{"force=false is no force", "DELETE", "/stores/id-1?force=false", "", 409, failure(1003, "store_not_empty")},

		{"an unknown store lists nothing", "GET", "/stores/" + unknown + "/secrets", "", 404, failure(1001, "store_not_found")},
		{"an unknown store takes nothing", "POST", "/stores/" + unknown + "/secrets", `[{"name":"A","value":"v","scopes":["dex"]}]`, 404, failure(1001, "store_not_found")},
		{"an unknown store deletes nothing", "DELETE", "/stores/" + unknown + "/secrets", `{"ids":["id-2"]}`, 404, failure(1001, "store_not_found")},
		{"a secret of an unknown store is that of a store not found", "PATCH", "/stores/" + unknown + "/secrets/id-2", `{"comment":"c"}`, 404, failure(1001, "store_not_found")},
		{"an unknown secret is not shown", "GET", secrets + "/" + unknown, "", 404, failure(1001, "secret_not_found")},
		{"an unknown secret is not patched", "PATCH", secrets + "/" + unknown, `{"comment":"c"}`, 404, failure(1001, "secret_not_found")},
		{"an unknown secret is not deleted", "DELETE", secrets + "/" + unknown, "", 404, failure(1001, "secret_not_found")},
		{"an unknown secret is not copied", "POST", secrets + "/" + unknown + "/duplicate", `{"name":"A","scopes":["dex"]}`, 404, failure(1001, "secret_not_found")},
		{"of many ids an unknown one is not deleted", "DELETE", secrets, `{"ids":["id-2","` + unknown + `"]}`, 404, failure(1001, "secret_not_found")},

		{"secrets come in a list", "POST", secrets, `{"name":"A","value":"v","scopes":["dex"]}`, 400, invalidJSON},
		{"no secrets are not made", "POST", secrets, `[]`, 400, invalidJSON},
		{"null is no list", "POST", secrets, `null`, 400, invalidJSON},
		{"a body is needed", "POST", secrets, "", 400, invalidJSON},
		{"a body ends where its JSON ends", "PATCH", secret, `{"comment":"a"} {"comment":"b"}`, 400, invalidJSON},
		{"a body is UTF-8", "PATCH", secret, "{\"comment\":\"\xff\"}", 400, invalidJSON},
		{"a field has its type", "PATCH", secret, `{"scopes":"workers"}`, 400, invalidJSON},
		{"ids are needed", "DELETE", secrets, `{}`, 400, invalidJSON},
		{"a bulk delete without a body deletes nothing", "DELETE", secrets, "", 400, invalidJSON},
		{"a bulk delete of nothing is refused", "DELETE", secrets, `{"ids":[]}`, 400, invalidJSON},

		{"a name is needed", "POST", secrets, `[{"value":"v","scopes":["dex"]}]`, 400, failure(1001, "secret_name_empty")},
		{"a name has no space", "POST", secrets, `[{"name":"A B","value":"v","scopes":["dex"]}]`, 400, failure(1001, "secret_name_invalid")},
		{"a name has no letter but those of ASCII", "POST", secrets, `[{"name":"É","value":"v","scopes":["dex"]}]`, 400, failure(1001, "secret_name_invalid")},
		{"scopes are needed", "POST", secrets, `[{"name":"A","value":"v"}]`, 400, failure(1001, "secret_scopes_empty")},
		{"one scope is needed", "POST", secrets, `[{"name":"A","value":"v","scopes":[]}]`, 400, failure(1001, "secret_scopes_empty")},
		{"a scope is one of the known", "POST", secrets, `[{"name":"A","value":"v","scopes":["workers","pages"]}]`, 400, failure(1001, "secret_scope_invalid")},
		{"a value is needed", "POST", secrets, `[{"name":"A","scopes":["dex"]}]`, 400, failure(1001, "secret_value_empty")},
		{"a value is measured in bytes", "POST", secrets, `[{"name":"A","value":"` + tooLong + `","scopes":["dex"]}]`, 400, failure(1001, "secret_value_too_long")},
		{"a name is taken once", "POST", secrets, `[{"name":"TAKEN","value":"v","scopes":["dex"]}]`, 400, failure(1003, "secret_name_already_exists")},
		{"of many the taken name is named", "POST", secrets, `[{"name":"A","value":"v","scopes":["dex"]},{"name":"TAKEN","value":"v","scopes":["dex"]}]`, 400, failure(1003, "secret_name_already_exists: TAKEN")},
		{"a list names each secret once", "POST", secrets, `[{"name":"A","value":"v","scopes":["dex"]},{"name":"A","value":"v","scopes":["dex"]}]`, 400, failure(1003, "secret_name_already_exists: A")},
		{"the quota holds for all of a list", "POST", secrets, `[{"name":"A","value":"v","scopes":["dex"]},{"name":"B","value":"v","scopes":["dex"]}]`, 400, failure(1003, "maximum_stores_exceeded")},

		{"a patch needs a scope if it has scopes", "PATCH", secret, `{"scopes":[]}`, 400, failure(1001, "secret_scopes_empty")},
		{"a patch has known scopes", "PATCH", secret, `{"scopes":[""]}`, 400, failure(1001, "secret_scope_invalid")},
		{"a patch has no empty value", "PATCH", secret, `{"value":""}`, 400, failure(1001, "secret_value_empty")},
		{"a patch has no value that is too long", "PATCH", secret, `{"value":"` + tooLong + `"}`, 400, failure(1001, "secret_value_too_long")},

		{"a copy needs a name", "POST", secret + "/duplicate", `{"scopes":["dex"]}`, 400, failure(1001, "secret_name_empty")},
		{"a copy needs scopes", "POST", secret + "/duplicate", `{"name":"A"}`, 400, failure(1001, "secret_scopes_empty")},
		{"a copy needs a name of its own", "POST", secret + "/duplicate", `{"name":"TAKEN","scopes":["dex"]}`, 400, failure(1003, "secret_name_already_exists")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := seeded(t, secretsstoretest.WithMaxSecrets(2))
			got := over(srv).do(t, tt.method, account+tt.path, tt.body)
			assert.Equal(t, tt.status, got.status)
			assert.Equal(t, tt.want, got.body)
			assert.Equal(t, "application/json", got.header.Get("Content-Type"))
			assert.Equal(t, "0000000000000001-TST", got.header.Get("CF-Ray"))

			// Whatever is refused has changed nothing.
			after := over(srv)
			assert.Equal(t, success("["+theStore+"]", one), after.do(t, "GET", account+"/stores", "").body)
			assert.Equal(t, success("["+theSecret+"]", one), after.do(t, "GET", account+secrets, "").body)
			assert.Equal(t, success(`{"secrets":{"quota":2,"usage":1}}`, one), after.do(t, "GET", account+"/quota", "").body)
			value, _ := srv.Value("id-1", "id-2")
			assert.Equal(t, "s3cret-TAKEN", value)
		})
	}
}

func TestStoreNamesAreUnique(t *testing.T) {
	send := over(seeded(t, secretsstoretest.WithMaxStores(0)))
	got := send.do(t, "POST", account+"/stores", `{"name":"default_secrets_store"}`)
	assert.Equal(t, 400, got.status)
	assert.Equal(t, failure(1003, "store_name_already_exists"), got.body)
}

func TestSecretQuota(t *testing.T) {
	srv := seeded(t, secretsstoretest.WithMaxSecrets(1))
	send := over(srv)
	const secret = `{"name":"A","value":"v","scopes":["dex"]}`
	for _, path := range []string{"/stores/id-1/secrets/id-2/duplicate", "/stores/id-1/secrets"} {
		body := secret
		if strings.HasSuffix(path, "secrets") {
			body = "[" + secret + "]"
		}
		got := send.do(t, "POST", account+path, body)
		assert.Equal(t, failure(1003, "maximum_stores_exceeded"), got.body)
	}
	require.Equal(t, 202, send.do(t, "DELETE", account+"/stores/id-1/secrets/id-2", "").status)
	require.Equal(t, 200, send.do(t, "POST", account+"/stores/id-1/secrets", "["+secret+"]").status, "a deleted secret makes room")
	require.Equal(t, 200, send.do(t, "DELETE", account+"/stores/id-1?force=true", "").status)
	assert.Equal(t, success(`{"secrets":{"quota":1,"usage":0}}`, one), send.do(t, "GET", account+"/quota", "").body, "and so does a deleted store")

	unlimited := over(newServer(t, secretsstoretest.WithMaxSecrets(-1)))
	assert.Equal(t, success(`{"secrets":{"quota":2147483647,"usage":0}}`, one), unlimited.do(t, "GET", account+"/quota", "").body)
}

func TestValues(t *testing.T) {
	srv := seeded(t)
	send := over(srv)
	longest := strings.Repeat("é", 32_768)
	require.Equal(t, 200, send.do(t, "PATCH", account+"/stores/id-1/secrets/id-2", `{"value":"`+longest+`"}`).status)
	value, ok := srv.Value("id-1", "id-2")
	assert.True(t, ok)
	assert.Equal(t, longest, value, "65,536 bytes are taken")

	require.Equal(t, 200, send.do(t, "POST", account+"/stores/id-1/secrets/id-2/duplicate", `{"name":"COPY","scopes":["dex"],"value":"other"}`).status)
	value, _ = srv.Value("id-1", "id-3")
	assert.Equal(t, longest, value, "a copy has the value of the original")

	require.Equal(t, 200, send.do(t, "PATCH", account+"/stores/id-1/secrets/id-2", `{"comment":"c"}`).status)
	value, _ = srv.Value("id-1", "id-2")
	assert.Equal(t, longest, value, "a patch without a value leaves it")

	_, ok = srv.Value("id-1", unknown)
	assert.False(t, ok)
	_, ok = srv.Value(unknown, "id-2")
	assert.False(t, ok)
}

func TestContentTypeOfRequestsIsNotLookedAt(t *testing.T) {
	got := over(seeded(t)).do(t, "PATCH", account+"/stores/id-1/secrets/id-2", `{"comment":"c"}`,
		"Authorization: Bearer "+token, "Content-Type: text/plain;charset=UTF-8")
	assert.Equal(t, 200, got.status)
}

func TestBodiesHaveALimit(t *testing.T) {
	const limit = 16 << 20
	srv := seeded(t)
	for _, tt := range []struct {
		name         string
		size, status int
		want         string
	}{
		{"the longest is read", limit, 400, failure(1001, "invalid_json_body")},
		{"one byte more is not", limit + 1, 413, failure(1001, "request_body_too_large")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := over(srv).do(t, "PATCH", secretPath, strings.Repeat("x", tt.size))
			assert.Equal(t, tt.status, got.status)
			assert.Equal(t, tt.want, got.body)
		})
	}
}

func TestStatusMovesFromPendingToActive(t *testing.T) {
	tests := []struct {
		name       string
		pendingFor time.Duration
		statuses   []string // in the answer that makes it, at once, after 59 s, after 60 s
	}{
		{"by default at the next look", 0, []string{"pending", "active", "active", "active"}},
		{"after the time that is set", time.Minute, []string{"pending", "pending", "pending", "active"}},
		{"never, if less than 0 is set", -1, []string{"active", "active", "active", "active"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener(),
					secretsstoretest.WithAccountID(accountID), secretsstoretest.WithAPIToken(token),
					secretsstoretest.WithPendingFor(tt.pendingFor), secretsstoretest.WithMaxSecrets(0))
				send := over(srv)
				st := srv.AddStore("s")
				secrets := account + "/stores/" + st.ID + "/secrets"
				secret := srv.AddSecret(st.ID, create("A"))
				assert.Equal(t, secretsstore.SecretStatusActive, secret.Status, "what is seeded is active")
				assert.Contains(t, send.do(t, "GET", secrets+"/"+secret.ID, "").body, `"status":"active"`)

				write := send.do(t, "PATCH", secrets+"/"+secret.ID, `{"value":"v"}`).body
				for i, want := range tt.statuses {
					got := write
					if i > 0 {
						got = send.do(t, "GET", secrets+"/"+secret.ID, "").body
						assert.Contains(t, send.do(t, "GET", secrets, "").body, `"status":"`+want+`"`)
						assert.Equal(t, want, string(srv.Secrets(st.ID)[0].Status))
					}
					assert.Contains(t, got, `"status":"`+want+`"`, "look %d", i)
					switch i {
					case 1:
						time.Sleep(59 * time.Second)
					case 2:
						time.Sleep(time.Second)
					}
				}
			})
		})
	}
}

func TestTimesOfModification(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener(), secretsstoretest.WithAccountID(accountID),
		secretsstoretest.WithAPIToken(token), secretsstoretest.WithIDSource(counter()),
		secretsstoretest.WithClock(steppingClock(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Second)))
	srv.AddStore("s")
	made := srv.AddSecret("id-1", create("A"))
	send := over(srv)

	require.Equal(t, 200, send.do(t, "PATCH", account+"/stores/id-1/secrets/id-2", `{}`).status)
	assert.Equal(t, made.Modified, srv.Secrets("id-1")[0].Modified, "a patch of nothing changes nothing")
	require.Equal(t, 200, send.do(t, "PATCH", account+"/stores/id-1/secrets/id-2", `{"comment":"c"}`).status)
	now := srv.Secrets("id-1")[0]
	assert.Equal(t, made.Created, now.Created)
	assert.True(t, now.Modified.After(made.Modified))
}

func TestTimeNeverGoesBack(t *testing.T) {
	times := []time.Time{time.Unix(2000, 0), time.Unix(1000, 0), time.Unix(3000, 0)}
	n := -1
	srv := newServer(t, secretsstoretest.WithClock(func() time.Time { n = min(n+1, len(times)-1); return times[n] }))
	a, b, c := srv.AddStore("a"), srv.AddStore("b"), srv.AddStore("c")
	assert.Equal(t, []int64{2000, 2000, 3000}, []int64{a.Created.Unix(), b.Created.Unix(), c.Created.Unix()})
}
