package secretsstoretest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzHandler sends arbitrary requests. Each response is an envelope that fits its status,
// and no value of a secret is in a response or in the request log.
func FuzzHandler(f *testing.F) {
	e := newEmulator(f)
	account := "/client/v4/accounts/" + accountID + "/secrets_store"
	secret := account + "/stores/" + e.store + "/secrets/" + e.secret
	for _, seed := range []struct{ method, path, query, body, authorization string }{
		{method: "GET", path: account + "/quota"},
		{method: "GET", path: account + "/stores", query: "page=1&per_page=2&order=name&direction=asc"},
		{method: "POST", path: account + "/stores", body: `{"name":"x"}`},
		{method: "DELETE", path: account + "/stores/" + e.store, query: "force=true"},
		{method: "GET", path: account + "/stores/" + e.store + "/secrets", query: "search=A&scopes=workers,dex&scopes=access"},
		{method: "POST", path: account + "/stores/" + e.store + "/secrets", body: `[{"name":"x","value":"` + value + `","scopes":["dex"],"comment":null}]`},
		{method: "DELETE", path: account + "/stores/" + e.store + "/secrets", body: `{"ids":["` + e.secret + `"]}`},
		{method: "PATCH", path: secret, body: `{"value":"` + value + `","comment":"\u0000","scopes":["dex"]}`},
		{method: "POST", path: secret + "/duplicate", body: `{"name":"y","scopes":["dex"],"comment":"\ud800"}`},
		{method: "GET", path: "/client/v4//accounts/%2e%2e/secrets_store/stores/%zz", query: "%zz=;", body: "[[[", authorization: "Basic x"},
		{method: "CONNECT", path: "", query: value, body: "null", authorization: value},
		{method: "OPTIONS", path: "*"},
		{method: "", path: "//", authorization: "Bearer " + token},
	} {
		if seed.authorization == "" {
			seed.authorization = "Bearer " + token
		}
		f.Add(seed.method, seed.path, seed.query, seed.body, seed.authorization)
	}
	f.Fuzz(func(t *testing.T, method, path, query, body, authorization string) {
		e := newEmulator(t)
		unescaped, err := url.PathUnescape(path)
		if err != nil {
			unescaped = path
		}
		w := httptest.NewRecorder()
		e.Handler().ServeHTTP(w, &http.Request{
			Method: method, URL: &url.URL{Path: unescaped, RawPath: path, RawQuery: query},
			Header: http.Header{"Authorization": {authorization}}, Body: io.NopCloser(strings.NewReader(body)),
		})

		var envelope struct {
			Success          *bool
			Errors, Messages []struct{ Code int }
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &envelope), w.Body.String())
		require.NotNil(t, envelope.Success)
		assert.Equal(t, w.Code < 400, *envelope.Success)
		assert.Equal(t, *envelope.Success, len(envelope.Errors) == 0)
		assert.NotNil(t, envelope.Messages)
		assert.Equal(t, "application/json", w.Header().Get("Content-Type"))

		require.Len(t, e.Requests(), 1)
		logged, err := json.Marshal(e.Requests()[0])
		require.NoError(t, err)
		assert.Less(t, len(logged), 60_000) // 8 KiB, with each byte escaped
		assert.NotContains(t, string(logged), "Bearer")
		// The value is only looked for where it was sent as one.
		sent := method + path + query + strings.ReplaceAll(body, `"value":"`+value, "")
		if !strings.Contains(sent, value) {
			assert.NotContains(t, w.Body.String(), value)
			assert.NotContains(t, string(logged), value)
		}
	})
}
