package secretsstoretest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestRequestLog(t *testing.T) {
	inBubble(t, func(t *testing.T, e *emulator) {
		e.send(t, patch+"?x=1", `{"comment":"c","value":"new"}`, "Authorization: Bearer "+token, "Content-Type: application/json")
		e.send(t, "GET /nowhere", "")
		log := e.Requests()
		assert.Equal(t, secretsstoretest.Request{
			Time: time.Date(2000, 1, 1, 0, 0, 0, 0, time.Local), Method: "PATCH",
			Path:  "/client/v4/accounts/" + accountID + "/secrets_store/stores/" + e.store + "/secrets/" + e.secret,
			Query: "[REDACTED]", Operation: secretsstoretest.OpPatchSecret, AccountID: accountID,
			Header: http.Header{"Authorization": {"[REDACTED]"}, "Content-Type": {"application/json"}},
			Body:   `{"comment":"c","value":"[REDACTED]"}`, Status: 200, RayID: "0000000000000001-TST",
		}, log[0])
		assert.Equal(t, []any{secretsstoretest.Operation(""), 404}, []any{log[1].Operation, log[1].Status})
		e.ClearRequests()
		assert.Empty(t, e.Requests())
	})
}

func TestRequestLogRedacts(t *testing.T) {
	big := strings.Repeat("s", 9000)
	tests := []struct {
		name   string
		query  string
		body   string
		header string
		want   string // of the field that is set above
	}{
		{name: "value", body: `{"name":"A","value":"secret"}`, want: `{"name":"A","value":"[REDACTED]"}`},
		{name: "value in a list", body: `[{"scopes":["dex"],"value":"secret"},{"ids":["a"]}]`, want: `[{"scopes":["dex"],"value":"[REDACTED]"},{"ids":["a"]}]`},
		{name: "value of another type", body: `{"value":{"name":"secret"}}`, want: `{"value":"[REDACTED]"}`},
		{name: "unknown member", body: `{"Value":"secret","other":1}`, want: `{"Value":"[REDACTED]","other":"[REDACTED]"}`},
		{name: "member of a comment", body: `{"comment":{"value":"secret"}}`, want: `{"comment":{"value":"[REDACTED]"}}`},
		{name: "number as name", body: `{"name":123456}`, want: `{"name":"[REDACTED]"}`},
		{name: "string", body: `"secret"`, want: `"[REDACTED]"`},
		{name: "null", body: `{"comment":null}`, want: `{"comment":null}`},
		{name: "not JSON", body: `secret`, want: `[6 bytes]`},
		{name: "long body", body: `{"comment":"` + big + `"}`, want: `[9014 bytes]`},
		{name: "query of the API", query: "search=a&scopes=dex,workers&page=1", want: "search=a&scopes=dex,workers&page=1"},
		{name: "other query", query: "token=secret&secret&page=2", want: "[REDACTED]&[REDACTED]&page=2"},
		{name: "long query", query: "search=" + big, want: "[9007 bytes]"},
		{name: "credentials", header: "X-Auth-Key: secret", want: "[REDACTED]"},
		{name: "cookie", header: "Cookie: secret", want: "[REDACTED]"},
		{name: "token of a gateway", header: "Cf-Access-Jwt-Assertion: secret", want: "[REDACTED]"},
		{name: "other header", header: "User-Agent: tool/1", want: "tool/1"},
		{name: "repeated header", header: "X-Many: a", want: "a, b"},
		{name: "long header", header: "User-Agent: " + big, want: "[9000 bytes]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEmulator(t)
			e.send(t, patch+"?"+tt.query, tt.body, "Authorization: Bearer "+token, tt.header, "X-Many: b")
			got := e.Requests()[0]
			name, _, _ := strings.Cut(tt.header, ": ")
			switch {
			case tt.body != "":
				assert.Equal(t, tt.want, got.Body)
			case tt.query != "":
				assert.Equal(t, tt.want, got.Query)
			default:
				assert.Equal(t, tt.want, got.Header.Get(name))
			}
			all, err := json.Marshal(got)
			assert.NoError(t, err)
			assert.NotContains(t, string(all), "secret\"")
			assert.Less(t, len(all), 9000)
		})
	}
}

func TestRequestLogKeepsTheLastRequests(t *testing.T) {
	e := newEmulator(t)
	for i := range 20_005 {
		e.send(t, fmt.Sprintf("GET /nowhere?page=%d", i), "", "Authorization: Bearer x")
	}
	log := e.Requests()
	assert.Len(t, log, 10_000)
	assert.Equal(t, "page=20004", log[9999].Query)
	assert.Equal(t, "page=10005", log[0].Query)
}

func TestRequestLogLimitsManyHeaders(t *testing.T) {
	e := newEmulator(t)
	headers := []string{"Authorization: Bearer " + token}
	for i := range 2000 {
		headers = append(headers, fmt.Sprintf("X-Header-%d: %d", i, i))
	}
	e.send(t, get, "", headers...)
	all, err := json.Marshal(e.Requests()[0])
	assert.NoError(t, err)
	assert.Less(t, len(all), 16_000)
}

func TestRequestHookSeesTheResponse(t *testing.T) {
	var seen []secretsstoretest.Request
	e := newEmulator(t, secretsstoretest.WithRequestHook(func(r secretsstoretest.Request) { seen = append(seen, r) }))
	e.send(t, get, "")
	assert.Equal(t, e.Requests(), seen)
	seen[0].Header.Set("Authorization", "changed")
	assert.Equal(t, "[REDACTED]", e.Requests()[0].Header.Get("Authorization"))
}

func TestRequestLogHoldsBodiesThatWereNotRead(t *testing.T) {
	e := newEmulator(t)
	e.Inject(secretsstoretest.Fault{Status: 503})
	e.send(t, patch, patched)
	e.send(t, patch, strings.Repeat(" ", 20_000))
	assert.Equal(t, patched, e.Requests()[0].Body)
	assert.Equal(t, "[20000 bytes]", e.Requests()[1].Body)
}
