package secretsstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

var sentinels = map[string]error{
	"ErrUnauthorized":   secretsstore.ErrUnauthorized,
	"ErrForbidden":      secretsstore.ErrForbidden,
	"ErrNotFound":       secretsstore.ErrNotFound,
	"ErrSecretNotFound": secretsstore.ErrSecretNotFound,
	"ErrStoreNotFound":  secretsstore.ErrStoreNotFound,
	"ErrAlreadyExists":  secretsstore.ErrAlreadyExists,
	"ErrStoreNotEmpty":  secretsstore.ErrStoreNotEmpty,
	"ErrConflict":       secretsstore.ErrConflict,
	"ErrQuotaExceeded":  secretsstore.ErrQuotaExceeded,
	"ErrRateLimited":    secretsstore.ErrRateLimited,
	"ErrInvalidRequest": secretsstore.ErrInvalidRequest,
	"ErrServer":         secretsstore.ErrServer,

	"ErrInvalidArgument":  secretsstore.ErrInvalidArgument,
	"ErrNoCredentials":    secretsstore.ErrNoCredentials,
	"ErrOutcomeUnknown":   secretsstore.ErrOutcomeUnknown,
	"ErrResponseTooLarge": secretsstore.ErrResponseTooLarge,
	"ErrInvalidResponse":  secretsstore.ErrInvalidResponse,
	"ErrAttemptTimeout":   secretsstore.ErrAttemptTimeout,
	"ErrNotTried":         secretsstore.ErrNotTried,
}

// matches are the names of all sentinels that err is.
func matches(err error) []string {
	names := []string{}
	for name, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			names = append(names, name)
		}
	}
	return names
}

func failure(code int, message string) string {
	return fmt.Sprintf(`{"success":false,"errors":[{"code":%d,"message":%q}],"messages":[],"result":null}`, code, message)
}

// Each error that the API documents, at each status it comes with.
func TestErrorsOfTheAPI(t *testing.T) {
	const route = "Could not route to /client/v4/accounts/x, perhaps your object identifier is invalid?"
	for _, tc := range []struct {
		code    int
		message string
		status  []int
		want    []string
	}{
		{1001, "secret_not_found", []int{404, 200, 400}, []string{"ErrSecretNotFound", "ErrNotFound"}},
		{1001, "secret_not_found: 3fd8", []int{404}, []string{"ErrSecretNotFound", "ErrNotFound"}},
		{1001, "secret_not_found in the store", []int{404}, []string{"ErrSecretNotFound", "ErrNotFound"}},
		{1001, "store_not_found", []int{404, 200}, []string{"ErrStoreNotFound", "ErrNotFound"}},
		{1000, "not found", []int{404}, []string{"ErrNotFound"}},
		{7003, route, []int{400, 404, 200}, []string{"ErrNotFound", "ErrInvalidRequest"}},
		{7000, "No route for that URI", []int{400, 404}, []string{"ErrNotFound", "ErrInvalidRequest"}},
		{1001, "secret_name_empty", []int{400, 200}, []string{"ErrInvalidRequest"}},
		{1001, "secret_scopes_empty", []int{400, 200}, []string{"ErrInvalidRequest"}},
		{1001, "secret_scope_invalid", []int{400, 200}, []string{"ErrInvalidRequest"}},
		{1001, "secret_value_too_long", []int{400, 200}, []string{"ErrInvalidRequest"}},
		{1001, "invalid_json_body", []int{400, 200}, []string{"ErrInvalidRequest"}},
		{1001, "invalid_per_page_parameter", []int{400, 200}, []string{"ErrInvalidRequest"}},
		{1003, "secret_name_already_exists", []int{400, 409, 200}, []string{"ErrAlreadyExists"}},
		{1003, "secret_name_already_exists: MY_API_KEY", []int{400, 409}, []string{"ErrAlreadyExists"}},
		{1003, "maximum_stores_exceeded", []int{400, 200}, []string{"ErrQuotaExceeded"}},
		{1003, "maximum_secrets_exceeded", []int{400}, []string{"ErrQuotaExceeded"}},
		{1005, "store_not_empty", []int{409, 400}, []string{"ErrStoreNotEmpty"}},
		{10000, "Authentication error", []int{400, 401, 200}, []string{"ErrUnauthorized"}},
		{10000, "Authentication error", []int{403}, []string{"ErrForbidden"}},
		{9109, "Invalid access token", []int{403, 401}, []string{"ErrForbidden"}},
		{9109, "Unauthorized to access requested resource", []int{403}, []string{"ErrForbidden"}},
		{9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers", []int{400}, []string{"ErrUnauthorized"}},
		{6003, "Invalid request headers", []int{400}, []string{"ErrUnauthorized"}},
		{971, "Please wait and consider throttling your request speed", []int{429, 200}, []string{"ErrRateLimited"}},
		{10100, "Please wait and consider throttling your request speed", []int{429}, []string{"ErrRateLimited"}},
		{10100, "too fast", []int{429, 400}, []string{"ErrRateLimited"}},
		{1001, "secret_not_found", []int{500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527}, []string{"ErrServer"}},
		// What is not known goes by the status.
		{1001, "a_word_of_the_future", []int{400, 405, 413, 415, 422}, []string{"ErrInvalidRequest"}},
		{1001, "a_word_of_the_future", []int{401}, []string{"ErrUnauthorized"}},
		{1001, "a_word_of_the_future", []int{403}, []string{"ErrForbidden"}},
		{1001, "a_word_of_the_future", []int{404, 410}, []string{"ErrNotFound"}},
		{1003, "a_word_of_the_future", []int{409}, []string{"ErrConflict"}},
		{1001, "a_word_of_the_future", []int{429}, []string{"ErrRateLimited"}},
		{1001, "a_word_of_the_future", []int{200, 408}, []string{}},
		// A word counts as a whole, and only at the start.
		{1001, "secret_not_found_elsewhere", []int{400}, []string{"ErrInvalidRequest"}},
		{1001, "the secret_not_found", []int{400}, []string{"ErrInvalidRequest"}},
	} {
		for _, status := range tc.status {
			t.Run(fmt.Sprintf("%d %s %d", tc.code, tc.message, status), func(t *testing.T) {
				c := newClient(t, answering(status, failure(tc.code, tc.message)))
				secret, resp, err := c.Secrets.Get(t.Context(), storeID, secretID)
				assert.Nil(t, secret)
				assert.ElementsMatch(t, tc.want, matches(err))
				var apiErr *secretsstore.APIError
				require.ErrorAs(t, err, &apiErr)
				assert.Equal(t, status, apiErr.StatusCode)
				assert.Equal(t, []secretsstore.ErrorDetail{{Code: tc.code, Message: tc.message}}, apiErr.Errors)
				assert.Equal(t, "GET", apiErr.Method)
				assert.Equal(t, "/accounts/"+accountID+"/secrets_store/stores/"+storeID+"/secrets/"+secretID, apiErr.Path)
				assert.Equal(t, "8f00c0ffee-AMS", apiErr.RayID)
				assert.Equal(t, 1, apiErr.Attempts)
				assert.Empty(t, apiErr.Body)
				require.NotNil(t, resp)
				assert.Equal(t, status, resp.StatusCode)
			})
		}
	}
}

func TestErrorDetails(t *testing.T) {
	get := func(t *testing.T, status int, header http.Header, body string) *secretsstore.APIError {
		t.Helper()
		w := &wire{answer: func(*http.Request) (*http.Response, error) {
			resp := response(status, body)
			for k, v := range header {
				resp.Header[k] = v
			}
			return resp, nil
		}}
		_, _, err := newClient(t, w).Secrets.Get(t.Context(), storeID, secretID)
		var apiErr *secretsstore.APIError
		require.ErrorAs(t, err, &apiErr)
		return apiErr
	}
	t.Run("keeps the chain", func(t *testing.T) {
		err := get(t, 400, nil, `{"success":false,"errors":[{"code":6003,"message":"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format for Authorization header"}]}]}`)
		require.ErrorIs(t, err, secretsstore.ErrUnauthorized)
		assert.Equal(t, []secretsstore.ErrorDetail{{Code: 6003, Message: "Invalid request headers",
			Chain: []secretsstore.ErrorDetail{{Code: 6111, Message: "Invalid format for Authorization header"}}}}, err.Errors)
		assert.ErrorContains(t, err, "because of Invalid format for Authorization header [6111]")
	})
	t.Run("goes by the chain where the error is unknown", func(t *testing.T) {
		err := get(t, 400, nil, `{"success":false,"errors":[{"code":1,"message":"x","error_chain":[{"code":6103,"message":"y"}]}]}`)
		assert.Equal(t, []string{"ErrUnauthorized"}, matches(err))
	})
	t.Run("keeps the documentation and the source", func(t *testing.T) {
		err := get(t, 400, nil, `{"success":false,"errors":[{"code":1001,"message":"secret_scope_invalid","documentation_url":"https://d","source":{"pointer":"/scopes/1"}}],"messages":[{"code":1000,"message":"m","documentation_url":"u","source":{"pointer":"p"}}]}`)
		assert.Equal(t, []secretsstore.ErrorDetail{{Code: 1001, Message: "secret_scope_invalid", DocumentationURL: "https://d", Source: secretsstore.ErrorSource{Pointer: "/scopes/1"}}}, err.Errors)
		assert.Equal(t, []secretsstore.Message{{Code: 1000, Message: "m", DocumentationURL: "u", Source: secretsstore.ErrorSource{Pointer: "p"}}}, err.Messages)
		assert.ErrorContains(t, err, "at /scopes/1")
	})
	t.Run("takes entries of any shape", func(t *testing.T) {
		err := get(t, 404, nil, `{"success":false,"errors":["secret_not_found",{"code":"1001","message":"m"},7,null,{"message":{}}],"messages":null}`)
		require.ErrorIs(t, err, secretsstore.ErrSecretNotFound)
		assert.Equal(t, []secretsstore.ErrorDetail{{Message: "secret_not_found"}, {Code: 1001, Message: "m"}, {Message: "7"}, {Message: "null"}, {}}, err.Errors)
	})
	t.Run("takes one error that is no list", func(t *testing.T) {
		assert.Equal(t, []secretsstore.ErrorDetail{{Code: 1, Message: "m"}}, get(t, 404, nil, `{"success":false,"errors":{"code":1,"message":"m"}}`).Errors)
	})
	t.Run("takes nothing for no error", func(t *testing.T) {
		for _, body := range []string{`[]`, `{}`, `""`, `null`, `[ ]`} {
			assert.Nil(t, get(t, 404, nil, `{"success":false,"errors":`+body+`,"messages":`+body+`}`).Errors, body)
		}
	})
	t.Run("takes codes that no number holds", func(t *testing.T) {
		err := get(t, 404, nil, `{"success":false,"errors":[{"code":1001,"message":"secret_not_found"},{"code":1e999},{"code":-1e999}]}`)
		require.ErrorIs(t, err, secretsstore.ErrSecretNotFound)
		assert.Equal(t, []secretsstore.ErrorDetail{{Code: 1001, Message: "secret_not_found"}, {Code: math.MaxInt32}, {Code: math.MinInt32}}, err.Errors)
	})
	t.Run("takes names in another case", func(t *testing.T) {
		err := get(t, 404, nil, `{"success":false,"ERRORS":[{"Code":1001,"MESSAGE":"m","S\u006furce":{"Pointer":"/a"}}]}`)
		assert.Equal(t, []secretsstore.ErrorDetail{{Code: 1001, Message: "m", Source: secretsstore.ErrorSource{Pointer: "/a"}}}, err.Errors)
	})
	t.Run("takes errors without a success", func(t *testing.T) {
		for _, success := range []string{``, `"success":null,`, `"success":"false",`} {
			err := get(t, 404, nil, `{`+success+`"errors":[{"code":1001,"message":"secret_not_found"}],"messages":["m"],"result":{}}`)
			require.ErrorIs(t, err, secretsstore.ErrSecretNotFound)
			assert.Equal(t, []secretsstore.Message{{Message: "m"}}, err.Messages)
			assert.NotEmpty(t, err.Body)
			assert.ErrorContains(t, err, "404 Not Found: secret_not_found [1001] (ray")
		}
	})
	t.Run("any of several errors counts", func(t *testing.T) {
		err := get(t, 400, nil, `{"success":false,"errors":[{"code":1,"message":"x"},{"code":1001,"message":"store_not_found"},{"code":1003,"message":"secret_name_already_exists"}]}`)
		assert.ElementsMatch(t, []string{"ErrStoreNotFound", "ErrNotFound", "ErrAlreadyExists"}, matches(err))
	})
	t.Run("reads Retry-After in seconds", func(t *testing.T) {
		err := get(t, 429, http.Header{"Retry-After": {"300"}}, failure(971, "x"))
		assert.Equal(t, 5*time.Minute, err.RetryAfter)
		assert.ErrorContains(t, err, "retry after 5m0s")
	})
	t.Run("reads Retry-After as a date, by the server's clock", func(t *testing.T) {
		err := get(t, 429, http.Header{"Date": {"Sun, 22 Nov 2026 20:00:00 GMT"}, "Retry-After": {"Sun, 22 Nov 2026 20:00:42 GMT"}}, failure(971, "x"))
		assert.Equal(t, 42*time.Second, err.RetryAfter)
	})
	t.Run("keeps the rate limit", func(t *testing.T) {
		err := get(t, 429, http.Header{"Ratelimit": {`"default";r=0;t=30`}, "Ratelimit-Policy": {`"default";q=100;w=60`}}, failure(971, "x"))
		assert.Equal(t, &secretsstore.RateLimit{Name: "default", Quota: 100, Reset: 30 * time.Second, Window: time.Minute}, err.RateLimit)
	})
}

// An answer that is not the API's is an APIError that keeps its start.
func TestErrorsWithoutEnvelope(t *testing.T) {
	page := "<html><head><title>502 Bad Gateway</title></head>" + strings.Repeat("<p>cloudflare</p>", 1000)
	for name, tc := range map[string]struct {
		status     int
		body, kept string
		want       []string
	}{
		"a page of the edge":            {502, page, page[:2048] + "…", []string{"ErrServer"}},
		"a page with 403":               {403, "<html>blocked", "<html>blocked", []string{"ErrForbidden"}},
		"nothing":                       {500, "", "", []string{"ErrServer"}},
		"JSON that is no envelope":      {400, `{"error":"x"}`, `{"error":"x"}`, []string{"ErrInvalidRequest"}},
		"a list":                        {404, `[]`, `[]`, []string{"ErrNotFound"}},
		"success:true with a bad state": {500, `{"success":true,"result":{}}`, "", []string{"ErrServer"}},
		"a cut envelope":                {404, `{"success":false,"errors":[{"code":1001,"mess`, `{"success":false,"errors":[{"code":1001,"mess`, []string{"ErrNotFound"}},
		"more than is read":             {500, strings.Repeat("x", 9<<20), strings.Repeat("x", 2048) + "…", []string{"ErrServer"}},
		"a character that is cut":       {500, strings.Repeat("x", 2047) + "é", strings.Repeat("x", 2047) + "…", []string{"ErrServer"}},
		"a status that is none":         {99, "", "", []string{}},
		"a status of the past":          {304, "", "", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			_, resp, err := newClient(t, answering(tc.status, tc.body)).Secrets.Get(t.Context(), storeID, secretID)
			var apiErr *secretsstore.APIError
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, tc.kept, apiErr.Body)
			assert.Empty(t, apiErr.Errors)
			assert.ElementsMatch(t, tc.want, matches(err))
			assert.Less(t, len(err.Error()), 500)
			require.NotNil(t, resp)
			assert.Equal(t, tc.status, resp.StatusCode)
		})
	}
}

func TestErrorTextIsOneLineToActOn(t *testing.T) {
	const path = "/accounts/" + accountID + "/secrets_store/stores/" + storeID + "/secrets/" + secretID
	for name, tc := range map[string]struct {
		status     int
		body, want string
	}{
		"a missing secret": {404, failure(1001, "secret_not_found"), "secretsstore: GET " + path + ": 404 Not Found: secret_not_found [1001] (ray 8f00c0ffee-AMS)"},
		"bad credentials":  {401, failure(10000, "Authentication error"), "secretsstore: GET " + path + ": 401 Unauthorized: Authentication error [10000]: check the credentials (ray 8f00c0ffee-AMS)"},
		"a permission":     {403, failure(10000, "Authentication error"), "secretsstore: GET " + path + ": 403 Forbidden: Authentication error [10000]: check the account and the permissions of the credentials (ray 8f00c0ffee-AMS)"},
		"a redirect":       {307, "", "secretsstore: GET " + path + ": 307 Temporary Redirect: redirects are not followed: check the base URL (ray 8f00c0ffee-AMS)"},
		"a page":           {521, "<html>\x1b[31m\r\nFake: log line", "secretsstore: GET " + path + `: 521: no answer of the API but "<html>\x1b[31m\r\nFake: log line" (ray 8f00c0ffee-AMS)`},
		"a message with a line break": {400, `{"success":false,"errors":[{"code":1001,"message":"x\ny\u001b[2J\u2028z\u202ea\u200bb"}]}`,
			"secretsstore: GET " + path + ": 400 Bad Request: x y [2J z a b [1001] (ray 8f00c0ffee-AMS)"},
		"more errors than one reads": {400, `{"success":false,"errors":["a","b","c","d","e","f","g"]}`,
			"secretsstore: GET " + path + ": 400 Bad Request: a; b; c; d; e; and 2 more (ray 8f00c0ffee-AMS)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := newClient(t, answering(tc.status, tc.body)).Secrets.Get(t.Context(), storeID, secretID)
			require.EqualError(t, err, tc.want)
		})
	}
	t.Run("an answer that can't be read", func(t *testing.T) {
		w := &wire{answer: func(*http.Request) (*http.Response, error) {
			resp := response(200, "<html>\x1b[31m\nFake: log line")
			resp.Header.Set("Content-Type", "text/html\x1b[31m\nFake: log line")
			return resp, nil
		}}
		_, _, err := newClient(t, w).Secrets.Get(t.Context(), storeID, secretID)
		require.ErrorContains(t, err, `; what came was "<html>\x1b[31m\nFake: log line" as text/html [31m Fake: log line (ray 8f00c0ffee-AMS)`)
	})
	t.Run("no answer", func(t *testing.T) {
		w := &wire{answer: func(*http.Request) (*http.Response, error) {
			return nil, errors.New("malformed HTTP response \"\x1b[31m\nFake: log line\"")
		}}
		_, _, err := newClient(t, w).Secrets.Get(t.Context(), storeID, secretID)
		require.EqualError(t, err, "secretsstore: GET "+path+`: malformed HTTP response " [31m Fake: log line"`)
	})
}

func TestAPIErrorLogsAsAGroup(t *testing.T) {
	var b bytes.Buffer
	err := &secretsstore.APIError{StatusCode: 404, Method: "GET", Path: "/x", RayID: "r\ns", RetryAfter: time.Second, Attempts: 2,
		Errors: []secretsstore.ErrorDetail{{Code: 1001, Message: "secret_not_found\nlevel=ERROR"}}}
	slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})).Info("failed", "err", err)
	assert.Equal(t, `level=INFO msg=failed err.method=GET err.path=/x err.status=404 err.attempts=2 err.ray_id="r s" err.retry_after=1s err.errors="[secret_not_found level=ERROR [1001]]"`+"\n", b.String())
}
