package secretsstoretest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestRequests(t *testing.T) {
	srv := seeded(t)
	over(srv).do(t, "PATCH", secretPath+"?a=b", `{"comment":"c","value":"hidden"}`,
		"Authorization: Bearer "+token, "Content-Type: application/json", "X-Auth-Email: "+email)
	require.Len(t, srv.Requests(), 1)
	got := srv.Requests()[0]
	assert.True(t, got.Time.Equal(time.Date(2025, 1, 2, 3, 4, 5, 678_900_999, time.UTC)))
	got.Time = time.Time{}
	assert.Equal(t, secretsstoretest.Request{
		Method: "PATCH", Path: secretPath, Query: "a=b", Operation: secretsstoretest.OpPatchSecret, AccountID: accountID,
		Header: http.Header{"Authorization": {"[REDACTED]"}, "Content-Type": {"application/json"}, "X-Auth-Email": {email}},
		Body:   `{"comment":"c","value":"[REDACTED]"}`,
		Status: 200, RayID: "0000000000000001-TST",
	}, got)

	srv.ClearRequests()
	assert.Empty(t, srv.Requests())
	over(srv).do(t, "GET", "/nowhere", "")
	assert.Len(t, srv.Requests(), 1)
	assert.Empty(t, srv.Requests()[0].Operation)
}

func TestMaskedBodies(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"a list", ` [ {"name": "A", "value": "hidden", "scopes": ["dex"]} , {"value":"hidden"} ] `,
			`[{"name":"A","value":"[REDACTED]","scopes":["dex"]},{"value":"[REDACTED]"}]`},
		{"an empty list", `[]`, `[]`},
		{"ids", `{"ids":["a","b"]}`, `{"ids":["a","b"]}`},
		{"null where text belongs", `{"comment":null,"scopes":null}`, `{"comment":null,"scopes":null}`},
		{"another spelling", `{"VALUE":"hidden","Value":"hidden"}`, `{"VALUE":"[REDACTED]","Value":"[REDACTED]"}`},
		{"an unknown field", `{"secret":"hidden","text":["hidden"]}`, `{"secret":"[REDACTED]","text":"[REDACTED]"}`},
		{"a value that is no text", `{"value":{"nested":"hidden"}}`, `{"value":"[REDACTED]"}`},
		{"a value in the wrong place", `{"comment":{"value":"hidden"},"scopes":[{"value":"hidden"}]}`, `{"comment":"[REDACTED]","scopes":"[REDACTED]"}`},
		{"a value twice", `{"value":"hidden","value":"hidden"}`, `{"value":"[REDACTED]","value":"[REDACTED]"}`},
		{"malformed", `{"comment":"c","value":"hidden"`, ""},
		{"more than one", `{"comment":"c"}{"value":"hidden"}`, ""},
		{"text", `"hidden"`, ""},
		{"a list of text", `["hidden"]`, ""},
		{"no JSON", `value=hidden`, ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := seeded(t)
			over(srv).do(t, "PATCH", secretPath, tt.body)
			assert.Equal(t, tt.want, srv.Requests()[0].Body)
		})
	}
	t.Run("a long one is cut", func(t *testing.T) {
		srv := seeded(t)
		over(srv).do(t, "PATCH", secretPath, `{"comment":"`+strings.Repeat("x", 10_000)+`","value":"hidden"}`)
		assert.Len(t, srv.Requests()[0].Body, 8192)
	})
}

func TestNoSecretIsLogged(t *testing.T) {
	var mu sync.Mutex
	var hooked []secretsstoretest.Request
	srv := seeded(t, secretsstoretest.WithRequestHook(func(r secretsstoretest.Request) {
		mu.Lock()
		defer mu.Unlock()
		hooked = append(hooked, r)
	}))
	send := over(srv)
	bodies := []string{
		`{"value":"hidden"}`, `[{"value":"hidden"}]`, `{"vAlUe":"hidden"}`, `hidden`, `"hidden"`, `["hidden"]`, `{"value":"hidden"`,
		`{"name":["hidden"]}`, `{"a":{"b":"hidden"}}`,
	}
	headers := []string{
		"Authorization: Bearer hidden", "Authorization: hidden", "X-Auth-Key: hidden", "X-Auth-User-Service-Key: hidden",
		"Cookie: a=hidden", "Proxy-Authorization: hidden", "X-Api-Token: hidden", "X-My-Secret: hidden",
	}
	for _, body := range bodies {
		for _, op := range []string{"PATCH", "POST", "DELETE", "PUT"} {
			send.do(t, op, account+"/stores/id-1/secrets", body, headers...)
			send.do(t, op, secretPath, body)
		}
	}
	require.Len(t, hooked, len(bodies)*8)
	encoded, err := json.Marshal(hooked)
	require.NoError(t, err)
	printed := []string{
		fmt.Sprintf("%+v", srv.Requests()), fmt.Sprintf("%#v", srv.Requests()), fmt.Sprintf("%+v", hooked), string(encoded),
		fmt.Sprintf("%+v", srv.Secrets("id-1")),
	}
	for _, s := range printed {
		assert.NotContains(t, s, "hidden")
		assert.NotContains(t, s, token)
		assert.NotContains(t, s, "s3cret-TAKEN")
	}
}

func TestLogKeepsTheLastRequests(t *testing.T) {
	tests := []struct {
		name string
		size int
		want []string
	}{
		{"as many as are set", 3, []string{"/5", "/6", "/7"}},
		{"all, where there is room", 10, []string{"/1", "/2", "/3", "/4", "/5", "/6", "/7"}},
		{"none", 0, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var hooked int
			srv := newServer(t, secretsstoretest.WithRequestLog(tt.size), secretsstoretest.WithRequestHook(func(secretsstoretest.Request) { hooked++ }))
			for i := range 7 {
				over(srv).do(t, "GET", fmt.Sprintf("/%d", i+1), "")
			}
			paths := []string{}
			for _, r := range srv.Requests() {
				paths = append(paths, r.Path)
			}
			assert.Equal(t, tt.want, paths)
			assert.Equal(t, 7, hooked, "the hook sees all")
		})
	}
	t.Run("10,000 by default", func(t *testing.T) {
		srv := newServer(t)
		for range 10_001 {
			over(srv).do(t, "GET", "/", "")
		}
		assert.Len(t, srv.Requests(), 10_000)
	})
}

func TestLogIsACopy(t *testing.T) {
	var hooked secretsstoretest.Request
	srv := newServer(t, secretsstoretest.WithRequestHook(func(r secretsstoretest.Request) { hooked = r }))
	over(srv).do(t, "GET", "/", "", "X-A: a")
	hooked.Header.Set("X-A", "b")
	srv.Requests()[0].Header.Set("X-A", "c")
	assert.Equal(t, "a", srv.Requests()[0].Header.Get("X-A"))
}
