package secretsstore_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

func TestDo(t *testing.T) {
	api := respondWith(response(200, `{"success":true,"errors":[],"messages":[],"result":{"id":"z1","status":"active"}}`))
	var zone struct{ ID, Status string }

	resp, err := newClient(t, api).Do(t.Context(), http.MethodPost, "/zones?x=1", map[string]string{"name": "example.com"}, &zone)

	require.NoError(t, err)
	assert.Equal(t, []string{"POST " + baseURL + `/zones?x=1 {"name":"example.com"}`}, api.sent())
	assert.Equal(t, []string{"application/json"}, api.requests[0].header["Content-Type"])
	assert.Equal(t, "active", zone.Status)
	assert.Equal(t, 200, resp.StatusCode)
}

func TestDoPaths(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{path: "user/tokens/verify", want: "/user/tokens/verify"},
		{path: "/accounts/{account_id}/members", want: "/accounts/" + accountID + "/members"},
		{path: "/accounts?page=2&name=a%20b", want: "/accounts?page=2&name=a%20b"},
		{path: "/zones?callback=https://example.com/", want: "/zones?callback=https://example.com/"},
		{path: "/zones/a%20b%2Fc/{account_id}", want: "/zones/a%20b%2Fc/" + accountID},
		{path: "/a:b/..c/d..;e", want: "/a:b/..c/d..;e"},
		{path: "/a%2525", want: "/a%2525"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			api := respondWith(response(200, emptyBody))
			_, err := newClient(t, api).Do(t.Context(), http.MethodGet, tt.path, nil, nil)
			require.NoError(t, err)
			assert.Equal(t, []string{"GET " + baseURL + tt.want}, api.sent())
			assert.Empty(t, api.requests[0].header["Content-Type"])
		})
	}
}

func TestDoPathThatIsNotEscaped(t *testing.T) {
	api := respondWith(response(200, emptyBody))
	for _, base := range []string{"https://example.com/a", "https://example.com/a%2Fb"} {
		_, err := newClient(t, api, secretsstore.WithBaseURL(base)).Do(t.Context(), http.MethodGet, "/x y", nil, nil)
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"GET https://example.com/a/x%20y", "GET https://example.com/a%2Fb/x%20y"}, api.sent())
}

func TestDoArguments(t *testing.T) {
	const notRelative = "invalid path: must be relative to the base URL"
	for _, tt := range []struct {
		method, path string // GET and /a by default
		body, result any
		want         string
	}{
		{method: "HEAD", want: "invalid method: must be GET, PUT, DELETE, POST or PATCH"},
		{method: "get", want: "invalid method: must be GET, PUT, DELETE, POST or PATCH"},
		{method: "GET /x\r\n", want: "invalid method: must be GET, PUT, DELETE, POST or PATCH"},
		{path: "https://evil.example/x", want: notRelative},
		{path: "//evil.example/x", want: notRelative},
		{path: "/a//b", want: "invalid path: has an empty segment"},
		{path: "/", want: "invalid path: must not be empty or end with a slash"},
		{path: "/a/", want: "invalid path: must not be empty or end with a slash"},
		{path: "/a/?x=1", want: "invalid path: must not be empty or end with a slash"},
		{path: "/a/%252e%252e/x%25zz", want: "invalid path: has a dot segment"},
		{path: "/a/%252e%252e%252fb%25", want: "invalid path: has a dot segment"},
		{path: "/a/../b", want: "invalid path: has a dot segment"},
		{path: "./a", want: "invalid path: has a dot segment"},
		{path: "/a/%2e%2E/b", want: "invalid path: has a dot segment"},
		{path: "/a/%252e%252e/b", want: "invalid path: has a dot segment"},
		{path: "/a/..;x=1/b", want: "invalid path: has a dot segment"},
		{path: "/a/x%2f..%2fb", want: "invalid path: has a dot segment"},
		{path: "/a/x%5c..%5cb", want: "invalid path: has a dot segment"},
		{path: `/a\b`, want: "invalid path: has a control character or a backslash"},
		{path: "/a%0d%0ab", want: "invalid path: has a control character or a backslash"},
		{path: "/a%zz", want: "invalid path: has an invalid escape"},
		{path: "/a#b", want: "invalid path: must not have a fragment"},
		{path: "/a?b#c", want: "invalid path: must not have a fragment"},
		{path: "/zones/{zone_id}", want: "invalid path: has a parameter other than {account_id}"},
		{path: "/a%20b/c d", want: "invalid path: must be fully percent-encoded"},
		{path: "/a?b=c\x7f", want: "invalid path: query must be percent-encoded"},
		{path: "/a?b=c d", want: "invalid path: query must be percent-encoded"},
		{result: struct{}{}, want: "invalid result: must be a non-nil pointer"},
		{result: (*string)(nil), want: "invalid result: must be a non-nil pointer"},
		{method: "PUT", body: []byte("{}"), want: "invalid body: must not be bytes or a reader, it is encoded as JSON"},
		{method: "PUT", body: strings.NewReader("{}"), want: "invalid body: must not be bytes or a reader, it is encoded as JSON"},
		{method: "PUT", body: "postgres://app:[REDACTED]@db", want: "invalid body: contains [REDACTED], pass the revealed secret value"},
		{method: "PUT", body: map[string]any{"value": newSecret.Value}, want: "invalid body: contains [REDACTED], pass the revealed secret value"},
		{method: "PUT", body: []any{secretsstore.SecretPatch{Value: newSecret.Value}}, want: "invalid body: contains [REDACTED], pass the revealed secret value"},
	} {
		if tt.method == "" {
			tt.method = http.MethodGet
		}
		if tt.path == "" {
			tt.path = "/a"
		}
		t.Run(tt.method+" "+tt.path+" "+tt.want, func(t *testing.T) {
			api := respondWith(response(200, emptyBody))
			resp, err := newClient(t, api).Do(t.Context(), tt.method, tt.path, tt.body, tt.result)
			require.EqualError(t, err, "secretsstore: "+tt.want)
			assert.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
			assert.Nil(t, resp)
			assert.Empty(t, api.sent())
		})
	}
}

func TestDoBodyThatCannotBeEncoded(t *testing.T) {
	api := respondWith(response(200, emptyBody))
	for want, body := range map[string]any{": has a value of type chan int": make(chan int), "": json.Number("some secret")} {
		_, err := newClient(t, api).Do(t.Context(), http.MethodPut, "/a", body, nil)
		assert.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
		assert.EqualError(t, err, "secretsstore: invalid body: cannot be encoded as JSON"+want)
	}
	assert.Empty(t, api.sent())
}

func TestDoAccount(t *testing.T) {
	api := respondWith(response(200, emptyBody))
	client := newClient(t, api).With(secretsstore.WithAccountID("default"))

	_, err := client.Do(t.Context(), http.MethodGet, "/user", nil, nil)
	require.NoError(t, err, "a default is ignored if the path has no account")
	_, err = client.Do(t.Context(), http.MethodGet, "/accounts/{account_id}", nil, nil, secretsstore.WithAccountID("call"))
	require.NoError(t, err)
	assert.Equal(t, []string{"GET " + baseURL + "/user", "GET " + baseURL + "/accounts/call"}, api.sent())

	_, err = client.Do(t.Context(), http.MethodGet, "/accounts/x", nil, nil, secretsstore.WithAccountID("call"))
	assert.EqualError(t, err, "secretsstore: invalid account_id: the path has no {account_id}, add it or omit the account")
	assert.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
}

func TestDoResult(t *testing.T) {
	get := func(body string, result any) (*secretsstore.Response, error) {
		return newClient(t, respondWith(response(200, body))).Do(t.Context(), http.MethodGet, "/a", nil, result)
	}
	var raw json.RawMessage
	_, err := get(`{"success":true,"result":[{"a":1.50}]}`, &raw)
	require.NoError(t, err)
	assert.JSONEq(t, `[{"a":1.50}]`, string(raw))

	for _, body := range []string{"", "null", `{"success":true}`, emptyBody} {
		resp, err := get(body, &raw)
		assert.Equal(t, []string{"ErrInvalidResponse"}, matches(err), body)
		assert.NotNil(t, resp, body)
	}
	var number int
	_, err = get(`{"success":true,"result":"some text"}`, &number)
	assert.Equal(t, []string{"ErrInvalidResponse"}, matches(err))
	assert.NotContains(t, strings.SplitN(err.Error(), "body:", 2)[0], "some text")

	_, err = get(`{"success":true,"result":"anything"}`, nil)
	assert.NoError(t, err, "a nil result ignores it")
	_, err = get(`{"success":true}`, nil)
	assert.NoError(t, err)
}

func TestDoErrors(t *testing.T) {
	var result any
	resp, err := newClient(t, respondWith(response(403, failure(9109, "Invalid access token")))).Do(t.Context(), http.MethodGet, "/user/tokens/verify?x=1", nil, &result)
	var apiErr *secretsstore.APIError
	require.ErrorAs(t, err, &apiErr)
	assert.ErrorIs(t, err, secretsstore.ErrForbidden)
	assert.Equal(t, "/user/tokens/verify", apiErr.Path)
	assert.Equal(t, 403, resp.StatusCode)
	assert.Nil(t, result)
}

func TestDoRetries(t *testing.T) {
	for _, tt := range []struct {
		method  string
		failure func() *http.Response
		sent    int
		matches []string
	}{
		{method: http.MethodGet, failure: response(502, ""), sent: 4, matches: []string{"ErrServer"}},
		{method: http.MethodPut, failure: response(502, ""), sent: 4, matches: []string{"ErrServer", "ErrOutcomeUnknown"}},
		{method: http.MethodDelete, failure: response(502, ""), sent: 4, matches: []string{"ErrServer", "ErrOutcomeUnknown"}},
		{method: http.MethodPost, failure: response(502, ""), sent: 1, matches: []string{"ErrServer", "ErrOutcomeUnknown"}},
		{method: http.MethodPatch, failure: response(502, ""), sent: 1, matches: []string{"ErrServer", "ErrOutcomeUnknown"}},
		{method: http.MethodPost, failure: response(503, ""), sent: 1, matches: []string{"ErrServer"}},
		{method: http.MethodPost, failure: response(429, ""), sent: 4, matches: []string{"ErrRateLimited"}},
		{method: http.MethodPatch, failure: response(429, ""), sent: 4, matches: []string{"ErrRateLimited"}},
		{method: http.MethodPatch, failure: lost, sent: 1, matches: []string{"ErrOutcomeUnknown"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			api := respondWith(tt.failure)
			_, err := newClient(t, api).Do(t.Context(), tt.method, "/a", nil, nil)
			assert.Equal(t, tt.matches, matches(err), tt.method)
			assert.Len(t, api.sent(), tt.sent, tt.method)
		})
	}
}

func TestDecodeResult(t *testing.T) {
	resp := &secretsstore.Response{Body: []byte(`{"success":true,"result":{"id":"a","future_field":[1,2]}}`)} // as in a user's test
	var secret struct {
		FutureField []int `json:"future_field"`
	}
	require.NoError(t, resp.DecodeResult(&secret))
	assert.Equal(t, []int{1, 2}, secret.FutureField)

	for _, body := range []string{"", "null", "<html>", emptyBody, `{"success":true}`, `{"result":"some text"}`} {
		err := (&secretsstore.Response{Body: []byte(body)}).DecodeResult(&secret)
		assert.Equal(t, []string{"ErrInvalidResponse"}, matches(err), body)
		assert.NotContains(t, err.Error(), "some text")
	}
	for _, target := range []any{nil, secret, (*string)(nil)} {
		assert.EqualError(t, resp.DecodeResult(target), "secretsstore: invalid result: must be a non-nil pointer")
	}
	assert.EqualError(t, resp.DecodeResult(new(refusing)), "secretsstore: invalid response: cannot be decoded")
	large := &secretsstore.Response{Body: []byte(`{"result":[` + strings.Repeat("{},", 100_001) + `{}]}`)}
	assert.Equal(t, []string{"ErrResponseTooLarge"}, matches(large.DecodeResult(new(any))))
}

// A refusing cannot be decoded from any JSON.
type refusing struct{}

func (*refusing) UnmarshalJSON([]byte) error { return errors.New("quotes its input") }

// FuzzDoPath checks that no path leaves the base URL.
func FuzzDoPath(f *testing.F) {
	for _, path := range []string{"a", "/a/../b", "//x", "/a%2e%2e/b", "/a/%2e%2e/b?c=/../", "https://x", `/\x`, "/%00", "?", "/;a", "/..;/a", "/a%2f..", "/%252e%252e/", "/a?x=%zz"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		api := respondWith(response(200, emptyBody))
		if _, err := newClient(t, api).Do(t.Context(), http.MethodGet, path, nil, nil); err != nil {
			require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
			require.Empty(t, api.sent())
			return
		}
		url := api.requests[0].url
		require.True(t, strings.HasPrefix(url, baseURL+"/"), url)
		require.False(t, strings.ContainsAny(url, "\r\n #"), url)
		decoded, _, _ := strings.Cut(url[len(baseURL):], "?")
		for range 2 {
			decoded = strings.NewReplacer("%25", "%", "%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/", `\`, "/").Replace(decoded)
		}
		for segment := range strings.SplitSeq(decoded, "/") {
			segment, _, _ = strings.Cut(segment, ";")
			require.NotContains(t, []string{".", ".."}, segment, url)
		}
	})
}
