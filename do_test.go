package secretsstore_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

func TestDoSends(t *testing.T) {
	for path, want := range map[string]string{
		"user/tokens/verify":           baseURL + "/user/tokens/verify",
		"/user/tokens/verify":          baseURL + "/user/tokens/verify",
		"/accounts?page=2&name=a%20b":  baseURL + "/accounts?page=2&name=a%20b",
		"/zones/a%20b%2Fc/x":           baseURL + "/zones/a%20b%2Fc/x",
		"/a/..b/c..":                   baseURL + "/a/..b/c..",
		"/a:b/c":                       baseURL + "/a:b/c",
		"/accounts/x?next=https://a.b": baseURL + "/accounts/x?next=https://a.b",
	} {
		t.Run(path, func(t *testing.T) {
			w := answering(200, `{"success":true,"result":{"status":"active"}}`)
			var got struct{ Status string }
			resp, err := newClient(t, w).Do(t.Context(), "GET", path, nil, &got)
			require.NoError(t, err)
			assert.Equal(t, "active", got.Status)
			assert.JSONEq(t, `{"status":"active"}`, string(resp.Result))
			require.Len(t, w.sent, 1)
			assert.Equal(t, want, w.sent[0].url)
			assert.Empty(t, w.sent[0].body)
			assert.Empty(t, w.sent[0].header["Content-Type"])
		})
	}
}

func TestDoRefuses(t *testing.T) {
	value := secretsstore.NewSecretValue(hidden)
	for name, tc := range map[string]struct {
		method, path string
		body, result any
		says         string
	}{
		"a scheme":                           {"GET", "https://evil.example/x", nil, nil, "no path below the base URL"},
		"a scheme without a host":            {"GET", "https:x", nil, nil, "no path below the base URL"},
		"a host":                             {"GET", "//evil.example/x", nil, nil, "no path below the base URL"},
		"an empty segment":                   {"GET", "/a//b", nil, nil, "empty segment"},
		"a dot segment":                      {"GET", "/a/../b", nil, nil, "dot segment"},
		"a dot segment at the end":           {"GET", "/a/..", nil, nil, "dot segment"},
		"a single dot":                       {"GET", "./a", nil, nil, "dot segment"},
		"an encoded dot segment":             {"GET", "/a/%2e%2E/b", nil, nil, "dot segment"},
		"a half encoded dot segment":         {"GET", "/a/.%2e/b", nil, nil, "dot segment"},
		"a dot segment by encoded slashes":   {"GET", "/a/x%2f..%2fb", nil, nil, "dot segment"},
		"a dot segment by a backslash":       {"GET", `/a/x%5c..%5cb`, nil, nil, "dot segment"},
		"a backslash":                        {"GET", `/a\b`, nil, nil, "path"},
		"a fragment":                         {"GET", "/a#b", nil, nil, "fragment"},
		"an escape beside a space":           {"GET", "/accounts/a%2Fb/x y", nil, nil, "escape"},
		"an escape beside a bar":             {"GET", "/a%2Fb|", nil, nil, "escape"},
		"a fragment in the query":            {"GET", "/a?b#c", nil, nil, "fragment"},
		"a bad escape":                       {"GET", "/a%zz", nil, nil, "path"},
		"a line break":                       {"GET", "/a\r\nHost: x", nil, nil, "path"},
		"a space in the query":               {"GET", "/a?b=c d", nil, nil, "query"},
		"a place for an id":                  {"GET", "/accounts/{account_id}", nil, nil, "brace"},
		"an unknown method":                  {"CONNECT", "/a", nil, nil, "method"},
		"a method with a line break":         {"GET\r\n", "/a", nil, nil, "method"},
		"a method whose answer has no body":  {"HEAD", "/a", nil, nil, "method"},
		"no method":                          {"", "/a", nil, nil, "method"},
		"a result that is no pointer":        {"GET", "/a", nil, struct{}{}, "result"},
		"a result that is a nil pointer":     {"GET", "/a", nil, (*struct{})(nil), "result"},
		"bytes":                              {"PATCH", "/a", []byte("{}"), nil, "body"},
		"a reader":                           {"PATCH", "/a", strings.NewReader("{}"), nil, "body"},
		"what can't be encoded":              {"PATCH", "/a", func() {}, nil, "body"},
		"JSON that is none":                  {"PATCH", "/a", json.RawMessage("{"), nil, "body"},
		"text that is not UTF-8":             {"PATCH", "/a", map[string]string{"value": "a\xffb"}, nil, "UTF-8"},
		"text that is not UTF-8, further in": {"PATCH", "/a", []any{map[string]any{"a": &struct{ B []string }{[]string{"x", "a\xffb"}}}}, nil, "UTF-8"},
		"a name that is not UTF-8":           {"PATCH", "/a", map[string]int{"\xff": 1}, nil, "UTF-8"},
		"JSON that is not UTF-8, further in": {"PATCH", "/a", []json.RawMessage{json.RawMessage("\"\xff\"")}, nil, "UTF-8"},
		"JSON that is not UTF-8":             {"PATCH", "/a", json.RawMessage("\"a\xffb\""), nil, "UTF-8"},
		"a value":                            {"PATCH", "/a", value, nil, "[REDACTED]"},
		"a value in a patch":                 {"PATCH", "/a", secretsstore.SecretPatch{Value: value}, nil, "[REDACTED]"},
		"a value in a list of secrets":       {"POST", "/a", []secretsstore.SecretCreate{{Name: "N", Value: value}}, nil, "[REDACTED]"},
		"a value by value":                   {"PUT", "/a", map[string]secretsstore.SecretValue{"v": *value}, nil, "[REDACTED]"},
		"a value that is escaped":            {"PUT", "/a", json.RawMessage(`{"value":"\u005bREDACTED]"}`), nil, "[REDACTED]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := answering(200, `{"success":true,"result":{}}`)
			resp, err := newClient(t, w).Do(t.Context(), tc.method, tc.path, tc.body, tc.result)
			require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
			require.ErrorContains(t, err, tc.says)
			assert.NotContains(t, err.Error(), hidden)
			assert.Nil(t, resp)
			assert.Empty(t, w.sent)
		})
	}
	t.Run("an account, which the path names", func(t *testing.T) {
		w := answering(200, `{"success":true,"result":{}}`)
		_, err := newClient(t, w).Do(t.Context(), "GET", "/accounts/x", nil, nil, secretsstore.ForAccount("y"))
		require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
		assert.Empty(t, w.sent)
	})
}

func TestDoBodies(t *testing.T) {
	for want, body := range map[string]any{
		`{"a":1}`:         map[string]int{"a": 1},
		`[1,2]`:           json.RawMessage(`[1, 2]`),
		`{"value":"v"}`:   map[string]string{"value": secretsstore.NewSecretValue("v").Reveal()},
		`"x [REDACTED]"`:  "x [REDACTED]",
		"\"\ufffd\"":      "\ufffd",
		`"\\ufffd"`:       `\ufffd`,
		`{"comment":"c"}`: secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")},
		`{"a":"\u003cb\u003e"}`: struct {
			A string `json:"a"`
		}{"<b>"},
	} {
		w := answering(200, `{"success":true,"result":null}`)
		_, err := newClient(t, w).Do(t.Context(), "PUT", "x", body, nil)
		require.NoError(t, err, want)
		assert.Equal(t, want, w.sent[0].body)
		assert.Equal(t, []string{"application/json"}, w.sent[0].header["Content-Type"])
	}
}

func TestDoResults(t *testing.T) {
	t.Run("a raw message takes what came", func(t *testing.T) {
		var raw json.RawMessage
		_, err := newClient(t, answering(200, `{"success":true,"result":[{"a":1.50}]}`)).Do(t.Context(), "GET", "x", nil, &raw)
		require.NoError(t, err)
		assert.Equal(t, `[{"a":1.50}]`, string(raw))
	})
	t.Run("a result that was asked for must be there", func(t *testing.T) {
		var raw json.RawMessage
		_, err := newClient(t, answering(200, `{"success":true,"result":null}`)).Do(t.Context(), "GET", "x", nil, &raw)
		require.ErrorIs(t, err, secretsstore.ErrInvalidResponse)
	})
	t.Run("a result of another type is an error", func(t *testing.T) {
		var number int
		_, err := newClient(t, answering(200, `{"success":true,"result":"x"}`)).Do(t.Context(), "GET", "x", nil, &number)
		require.ErrorIs(t, err, secretsstore.ErrInvalidResponse)
	})
	t.Run("an error is an APIError", func(t *testing.T) {
		var into any
		resp, err := newClient(t, answering(403, failure(9109, "Invalid access token"))).Do(t.Context(), "GET", "/user/tokens/verify?x=1", nil, &into)
		var apiErr *secretsstore.APIError
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, "/user/tokens/verify", apiErr.Path)
		assert.Equal(t, 403, resp.StatusCode)
		assert.Nil(t, into)
	})
}

// FuzzDoPath holds that a path of Do stays below the base URL.
func FuzzDoPath(f *testing.F) {
	for _, path := range []string{"/a/../b", "a", "//x", "/a%2e%2e/b", "/a/%2e%2e/b?c=/../", "https://x", `/\x`, "/%00", "?", "/;a", "/a%2f..", "/a?x=%zz"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		w := answering(200, `{"success":true,"result":null}`)
		if _, err := newClient(t, w).Do(t.Context(), "GET", path, nil, nil); err != nil {
			require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
			require.Empty(t, w.sent)
			return
		}
		url := w.sent[0].url
		require.True(t, strings.HasPrefix(url, baseURL+"/"), url)
		before, _, _ := strings.Cut(url[len(baseURL):], "?")
		decoded := strings.ToLower(before)
		decoded = strings.NewReplacer("%2e", ".", "%2f", "/", "%5c", "/", `\`, "/").Replace(decoded)
		for segment := range strings.SplitSeq(decoded, "/") {
			require.NotContains(t, []string{".", ".."}, segment)
		}
		require.False(t, bytes.ContainsAny([]byte(url), "\r\n #"))
	})
}
