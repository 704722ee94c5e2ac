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

// FuzzHandler sends anything a client may: each answer is an envelope that fits its
// status, and no value is in it or in the log.
func FuzzHandler(f *testing.F) {
	const value = "s3cret-TAKEN"
	for _, seed := range []struct{ method, path, query, body, authorization string }{
		{"GET", account + "/quota", "", "", "Bearer " + token},
		{"GET", account + "/stores", "page=1&per_page=2&order=name&direction=asc", "", "Bearer " + token},
		{"POST", account + "/stores", "", `{"name":"x"}`, "Bearer " + token},
		{"DELETE", account + "/stores/id-1", "force=true", "", "Bearer " + token},
		{"GET", account + "/stores/id-1/secrets", "search=A&scopes=workers,dex&scopes=access", "", "Bearer " + token},
		{"POST", account + "/stores/id-1/secrets", "", `[{"name":"x","value":"v","scopes":["dex"],"comment":null}]`, "Bearer " + token},
		{"DELETE", account + "/stores/id-1/secrets", "", `{"ids":["id-2"]}`, "Bearer " + token},
		{"PATCH", secretPath, "", `{"value":"\ud800","comment":"\u0000","scopes":["dex"]}`, "Bearer " + token},
		{"POST", secretPath + "/duplicate", "", `{"name":"y","scopes":["dex"],"comment":""}`, "Bearer " + token},
		{"GET", "/client/v4//accounts/%2e%2e/secrets_store/stores/%zz", "%zz=;", "[[[", "Basic x"},
		{"GET", "*", "", "null", ""},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.body, seed.authorization)
	}
	f.Fuzz(func(t *testing.T, method, path, query, body, authorization string) {
		srv := seeded(t)
		unescaped, err := url.PathUnescape(path)
		if err != nil {
			unescaped = path
		}
		r := &http.Request{
			Method: method, URL: &url.URL{Path: unescaped, RawPath: path, RawQuery: query},
			Header: http.Header{"Authorization": {authorization}}, Body: io.NopCloser(strings.NewReader(body)),
		}
		w := httptest.NewRecorder()
		srv.Handler().ServeHTTP(w, r)

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
		assert.NotContains(t, w.Body.String(), value)
		require.Len(t, srv.Requests(), 1)
		assert.NotContains(t, srv.Requests()[0].Header.Get("Authorization"), "Bearer")
	})
}
