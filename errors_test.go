package secretsstore_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

var sentinels = []struct {
	name string
	err  error
}{
	{"ErrUnauthorized", secretsstore.ErrUnauthorized},
	{"ErrForbidden", secretsstore.ErrForbidden},
	{"ErrNotFound", secretsstore.ErrNotFound},
	{"ErrSecretNotFound", secretsstore.ErrSecretNotFound},
	{"ErrStoreNotFound", secretsstore.ErrStoreNotFound},
	{"ErrAlreadyExists", secretsstore.ErrAlreadyExists},
	{"ErrStoreNotEmpty", secretsstore.ErrStoreNotEmpty},
	{"ErrConflict", secretsstore.ErrConflict},
	{"ErrQuotaExceeded", secretsstore.ErrQuotaExceeded},
	{"ErrRateLimited", secretsstore.ErrRateLimited},
	{"ErrInvalidRequest", secretsstore.ErrInvalidRequest},
	{"ErrServer", secretsstore.ErrServer},
	{"ErrInvalidArgument", secretsstore.ErrInvalidArgument},
	{"ErrNoCredentials", secretsstore.ErrNoCredentials},
	{"ErrInvalidResponse", secretsstore.ErrInvalidResponse},
	{"ErrResponseTooLarge", secretsstore.ErrResponseTooLarge},
	{"ErrAttemptTimeout", secretsstore.ErrAttemptTimeout},
	{"ErrOutcomeUnknown", secretsstore.ErrOutcomeUnknown},
}

// matches returns the names of all sentinels that err matches, in the order above.
func matches(err error) (names []string) {
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			names = append(names, s.name)
		}
	}
	return names
}

// oneAttempt makes a call fail at once.
var oneAttempt = secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1})

// The errors that the API documents, at the statuses that they come with.
func TestAPIErrorMatches(t *testing.T) {
	const route = "Could not route to /client/v4/accounts/x, perhaps your object identifier is invalid?"
	for _, tt := range []struct {
		code     int
		message  string
		statuses []int
		want     []string
	}{
		{code: 1001, message: "secret_not_found", statuses: []int{404, 400, 200}, want: []string{"ErrNotFound", "ErrSecretNotFound"}},
		{code: 1001, message: "secret_not_found: 3fd8", statuses: []int{404}, want: []string{"ErrNotFound", "ErrSecretNotFound"}},
		{code: 1001, message: "secret_not_found in this store", statuses: []int{404}, want: []string{"ErrNotFound", "ErrSecretNotFound"}},
		{code: 1001, message: "store_not_found", statuses: []int{404, 200}, want: []string{"ErrNotFound", "ErrStoreNotFound"}},
		{code: 1000, message: "not found", statuses: []int{404}, want: []string{"ErrInvalidRequest"}},
		{code: 7003, message: route, statuses: []int{400, 404, 200}, want: []string{"ErrInvalidRequest"}},
		{code: 7000, message: "No route for that URI", statuses: []int{400, 404}, want: []string{"ErrInvalidRequest"}},
		{code: 1001, message: "secret_name_empty", statuses: []int{400, 200}, want: []string{"ErrInvalidRequest"}},
		{code: 1001, message: "secret_scopes_empty", statuses: []int{400, 200}, want: []string{"ErrInvalidRequest"}},
		{code: 1001, message: "secret_scope_invalid", statuses: []int{400, 200}, want: []string{"ErrInvalidRequest"}},
		{code: 1001, message: "secret_value_too_long", statuses: []int{400, 200}, want: []string{"ErrInvalidRequest"}},
		{code: 1001, message: "invalid_json_body", statuses: []int{400, 200}, want: []string{"ErrInvalidRequest"}},
		{code: 1001, message: "invalid_per_page_parameter", statuses: []int{400, 200}, want: []string{"ErrInvalidRequest"}},
		{code: 1003, message: "secret_name_already_exists", statuses: []int{400, 409, 200}, want: []string{"ErrAlreadyExists"}},
		{code: 1003, message: "secret_name_already_exists: MY_API_KEY", statuses: []int{400, 409}, want: []string{"ErrAlreadyExists"}},
		{code: 1003, message: "maximum_stores_exceeded", statuses: []int{400, 200}, want: []string{"ErrQuotaExceeded"}},
		{code: 1003, message: "maximum_secrets_exceeded: max 100", statuses: []int{400}, want: []string{"ErrQuotaExceeded"}},
		{code: 1005, message: "store_not_empty", statuses: []int{409, 400}, want: []string{"ErrStoreNotEmpty"}},
		{code: 10000, message: "Authentication error", statuses: []int{400, 401}, want: []string{"ErrUnauthorized"}},
		{code: 10000, message: "Authentication error", statuses: []int{403}, want: []string{"ErrForbidden"}},
		{code: 10001, message: "Unable to authenticate request", statuses: []int{400, 401}, want: []string{"ErrUnauthorized"}},
		{code: 10001, message: "Unable to authenticate request", statuses: []int{403}, want: []string{"ErrForbidden"}},
		{code: 9109, message: "Invalid access token", statuses: []int{403, 400}, want: []string{"ErrForbidden"}},
		{code: 9109, message: "Unauthorized to access requested resource", statuses: []int{403}, want: []string{"ErrForbidden"}},
		{code: 9103, message: "Unknown X-Auth-Key or X-Auth-Email", statuses: []int{400, 403}, want: []string{"ErrUnauthorized"}},
		{code: 9106, message: "Missing X-Auth-Key, X-Auth-Email or Authorization headers", statuses: []int{400}, want: []string{"ErrUnauthorized"}},
		{code: 9107, message: "Missing X-Auth-Email header", statuses: []int{400}, want: []string{"ErrUnauthorized"}},
		{code: 1001, message: `Missing "Authorization" header`, statuses: []int{400}, want: []string{"ErrUnauthorized"}},
		{code: 6003, message: "Invalid request headers", statuses: []int{400}, want: []string{"ErrUnauthorized"}},
		{code: 971, message: "Please wait and consider throttling your request speed", statuses: []int{429, 400, 403, 200}, want: []string{"ErrRateLimited"}},
		{code: 10100, message: "other", statuses: []int{429, 400}, want: []string{"ErrRateLimited"}},
		{code: 10300, message: "other", statuses: []int{429, 400}, want: []string{"ErrRateLimited"}},
		{code: 10429, message: "other", statuses: []int{429, 400, 200}, want: []string{"ErrRateLimited"}},
		{code: 10405, message: "Method not allowed for this authentication scheme", statuses: []int{405}, want: []string{"ErrInvalidRequest"}},
		{code: 1001, message: "secret_not_found", statuses: []int{500, 501, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530}, want: []string{"ErrServer"}},
		// The status decides if the error is unknown.
		{code: 1, message: "unknown", statuses: []int{400, 405, 410, 413, 415, 422}, want: []string{"ErrInvalidRequest"}},
		{code: 1, message: "unknown", statuses: []int{401}, want: []string{"ErrUnauthorized"}},
		{code: 1, message: "unknown", statuses: []int{403}, want: []string{"ErrForbidden"}},
		{code: 1, message: "unknown", statuses: []int{404}, want: []string{"ErrNotFound"}},
		{code: 1, message: "unknown", statuses: []int{409}, want: []string{"ErrConflict"}},
		{code: 1, message: "unknown", statuses: []int{429}, want: []string{"ErrRateLimited"}},
		{code: 1, message: "unknown", statuses: []int{200, 408}},
		// A word counts as a whole, and only at the start.
		{code: 1001, message: "secret_not_found_elsewhere", statuses: []int{400}, want: []string{"ErrInvalidRequest"}},
		{code: 1001, message: "the secret_not_found", statuses: []int{400}, want: []string{"ErrInvalidRequest"}},
	} {
		for _, status := range tt.statuses {
			t.Run(fmt.Sprintf("%d %s at %d", tt.code, tt.message, status), func(t *testing.T) {
				client := newClient(t, respondWith(response(status, failure(tt.code, tt.message))), oneAttempt)
				secret, resp, err := client.Secrets.Get(t.Context(), storeID, secretID)
				assert.Nil(t, secret)
				assert.Equal(t, tt.want, matches(err))
				var apiErr *secretsstore.APIError
				require.ErrorAs(t, err, &apiErr)
				assert.Equal(t, status, apiErr.StatusCode)
				assert.Equal(t, status, resp.StatusCode)
				assert.Equal(t, []secretsstore.Detail{{Code: tt.code, Message: tt.message}}, apiErr.Errors)
				assert.Equal(t, apiErr.Errors, resp.Errors)

				built := &secretsstore.APIError{StatusCode: status, Errors: apiErr.Errors}
				assert.Equal(t, tt.want, matches(built), "an APIError of a user's test")
			})
		}
	}
}

func TestAPIErrorMatchesAnyOfItsErrors(t *testing.T) {
	for _, tt := range []struct {
		name, errors string
		want         []string
	}{
		{name: "several errors", errors: `[{"code":1,"message":"x"},{"code":1001,"message":"store_not_found"},{"code":1003,"message":"secret_name_already_exists"}]`, want: []string{"ErrNotFound", "ErrStoreNotFound", "ErrAlreadyExists"}},
		{name: "strings", errors: `["secret_not_found"]`, want: []string{"ErrNotFound", "ErrSecretNotFound"}},
		{name: "a chain", errors: `[{"code":1,"message":"x","error_chain":[{"code":6103,"message":"Invalid format for X-Auth-Key header"}]}]`, want: []string{"ErrUnauthorized"}},
	} {
		_, _, err := newClient(t, respondWith(response(400, `{"success":false,"errors":`+tt.errors+`}`))).Secrets.Get(t.Context(), storeID, secretID)
		assert.Equal(t, tt.want, matches(err), tt.name)
	}
}

// Neither a gateway's page nor an invalid route means that a secret is gone.
func TestDeleteFailsIfNothingSaysThatTheSecretIsGone(t *testing.T) {
	for _, notFound := range []func() *http.Response{
		response(404, failure(7003, "Could not route to /x, perhaps your object identifier is invalid?")),
		response(404, failure(7000, "No route for that URI")),
		response(404, failure(1000, "not found")),
		response(404, "<html>404 Not Found", "Content-Type: text/html"),
		response(404, `{"success":false,"error":[{"code":1,"message":"x"}]}`),
		response(404, `{"errors":{"detail":"Not Found"}}`),
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := newClient(t, respondWith(notFound)).Secrets.Delete(t.Context(), storeID, secretID)
			assert.Equal(t, []string{"ErrInvalidRequest"}, matches(err))

			_, err = newClient(t, respondWith(response(502, ""), notFound)).Secrets.Delete(t.Context(), storeID, secretID)
			assert.Equal(t, []string{"ErrInvalidRequest", "ErrOutcomeUnknown"}, matches(err), "on a retry")
		})
	}
}

func TestErrorTexts(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("shutting down"))
	const ray, path = "ray 8f00c0ffee-AMS", "/accounts/a/secrets_store/stores/s/secrets/x"
	for _, tt := range []struct {
		name    string
		ctx     context.Context // nil: one that does not end
		respond func() *http.Response
		err     error // of the transport
		patch   bool  // instead of a get
		retry   bool
		want    string
	}{
		{name: "an error", respond: response(404, failure(1001, "secret_not_found")),
			want: "404 Not Found: secret_not_found (code 1001) (" + ray + ")"},
		{name: "bad credentials", respond: response(401, failure(10000, "Authentication error")),
			want: "401 Unauthorized: Authentication error (code 10000): check the credentials (" + ray + ")"},
		{name: "a missing permission", respond: response(403, failure(10000, "Authentication error")),
			want: "403 Forbidden: Authentication error (code 10000): check the account and the permissions of the credentials (" + ray + ")"},
		{name: "a pointer and a chain", respond: response(400, `{"success":false,"errors":[{"code":6003,"message":"Invalid request headers","source":{"pointer":"/scopes/1"},"error_chain":[{"code":6111,"message":"Invalid format for Authorization header"}]}]}`),
			want: "400 Bad Request: Invalid request headers (code 6003) at /scopes/1: Invalid format for Authorization header (code 6111): check the credentials (" + ray + ")"},
		{name: "several errors", respond: response(400, `{"success":false,"errors":["a","b","c","d","e","f","g"]}`),
			want: "400 Bad Request: a; b; c; d; e; and 2 more (" + ray + ")"},
		{name: "a redirect", respond: response(307, ""),
			want: "307 Temporary Redirect: redirects are not followed, check the base URL (" + ray + ")"},
		{name: "error instead of errors", respond: response(400, `{"success":false,"error":[{"code":2001,"message":"Please configure"}]}`),
			want: `400 Bad Request: {"success":false,"error":[{"code":2001,"message":"Please configure"}]} (` + ray + ")"},
		{name: "a message alone", respond: response(200, `{"success":false,"message":"No route"}`),
			want: `200 OK: {"success":false,"message":"No route"} (` + ray + ")"},
		{name: "a page of the edge", respond: response(521, "<html>\n<title>Web server is down"),
			want: "521: <html> <title>Web server is down (" + ray + ")"},
		{name: "no text at all", respond: response(500, ""),
			want: "500 Internal Server Error (" + ray + ")"},
		{name: "a rate limit", respond: response(429, failure(971, "Please wait"), "Retry-After: 300"),
			want: "429 Too Many Requests: Please wait (code 971) (retry after 5m0s, " + ray + ")"},
		{name: "several attempts", respond: response(503, ""), retry: true,
			want: "503 Service Unavailable (4 attempts, " + ray + ")"},
		{name: "no result", respond: response(200, `{"success":true}`),
			want: `200 OK: invalid response: no result (content type "application/json", ` + ray + `): body: {"success":true}`},
		{name: "a page instead of an envelope", respond: response(200, "<html>"),
			want: `200 OK: invalid response: invalid JSON at byte N (content type "application/json", ` + ray + `): body: <html>`},
		{name: "an empty body", respond: response(200, ""),
			want: `200 OK: invalid response: no result (content type "application/json", ` + ray + `): empty body`},
		{name: "a truncated body", respond: truncated, patch: true,
			want: `200 OK: invalid response: truncated body: unexpected EOF (content type "application/json", ` + ray + `): body: {"success":true,"result":{: outcome unknown: the request may have been applied`},
		{name: "a write that may have been applied", respond: response(502, ""), patch: true,
			want: "502 Bad Gateway (" + ray + "): outcome unknown: the request may have been applied"},
		{name: "no connection", err: &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, retry: true,
			want: "dial tcp 192.0.2.1:443: connect: connection refused (4 attempts)"},
		{name: "an ended context", ctx: ended, want: "context canceled: shutting down"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			call := func(t *testing.T) {
				api := &fakeAPI{respond: func(*http.Request) (*http.Response, error) {
					if tt.err != nil {
						return nil, tt.err
					}
					return tt.respond(), nil
				}}
				opts := []secretsstore.RequestOption{secretsstore.WithAccountID("a")}
				if !tt.retry {
					opts = append(opts, oneAttempt)
				}
				ctx, method := t.Context(), "GET "
				if tt.ctx != nil {
					ctx = tt.ctx
				}
				_, _, err := newClient(t, api).Secrets.Get(ctx, "s", "x", opts...)
				if tt.patch {
					method = "PATCH "
					_, _, err = newClient(t, api).Secrets.Patch(ctx, "s", "x", commentPatch, opts...)
				}
				require.Error(t, err)
				text := regexp.MustCompile(`byte \d+`).ReplaceAllString(err.Error(), "byte N") // depends on encoding/json
				assert.Equal(t, "secretsstore: "+method+path+": "+tt.want, text)
				assert.NotRegexp(t, `Err[A-Z]|\b[a-z]+\.[A-Z]|0x`, err.Error(), "no Go identifiers")
			}
			if tt.retry {
				synctest.Test(t, call)
			} else {
				call(t)
			}
		})
	}
}

// truncated is a success whose body ends early.
func truncated() *http.Response {
	resp := response(200, `{"success":true,"result":{`)()
	resp.Body = io.NopCloser(io.MultiReader(resp.Body, iotestErrReader{}))
	return resp
}

type iotestErrReader struct{}

func (iotestErrReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Whenever a response was received, it is returned.
func TestResponseIsReturnedWithErrors(t *testing.T) {
	for name, call := range methods {
		if slices.Contains(composites, name) {
			continue
		}
		for _, respond := range []func() *http.Response{
			response(404, failure(1001, "secret_not_found")), response(500, "<html>"), response(200, "<html>"), response(200, failure(1, "x")), response(302, ""), truncated, lost,
		} {
			resp, err := call(arguments{ctx: t.Context(), client: newClient(t, respondWith(respond), oneAttempt), store: storeID, secret: secretID})
			assert.Error(t, err, name)
			if want := respond(); want == nil {
				assert.Nil(t, resp, name)
			} else if assert.NotNil(t, resp, name) {
				assert.Equal(t, want.StatusCode, resp.StatusCode, name)
			}
		}
	}
}

func TestErrorsAs(t *testing.T) {
	client := newClient(t, respondWith(response(404, failure(1001, "secret_not_found"), "Retry-After: 7", `Ratelimit: "default";r=1;t=2`)))
	_, _, err := client.Secrets.Patch(t.Context(), "s", "x", commentPatch, secretsstore.WithAccountID("a"))
	err = fmt.Errorf("rotate: %w", err)
	var apiErr *secretsstore.APIError
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, []any{404, "PATCH", "/accounts/a/secrets_store/stores/s/secrets/x", "8f00c0ffee-AMS", 7 * time.Second, 1},
		[]any{apiErr.StatusCode, apiErr.Method, apiErr.Path, apiErr.RayID, apiErr.RetryAfter, apiErr.Attempts})
	assert.Equal(t, &secretsstore.RateLimit{Name: "default", Remaining: 1, Reset: 2 * time.Second}, apiErr.RateLimit)

	_, _, err = newClient(t, respondWith(response(200, "<html>"))).Secrets.Get(t.Context(), "s", "x", secretsstore.WithAccountID("a"))
	var respErr *secretsstore.ResponseError
	require.ErrorAs(t, err, &respErr)
	assert.Equal(t, []any{200, "GET", "/accounts/a/secrets_store/stores/s/secrets/x", "application/json", "8f00c0ffee-AMS", 1, "<html>"},
		[]any{respErr.StatusCode, respErr.Method, respErr.Path, respErr.ContentType, respErr.RayID, respErr.Attempts, respErr.Body})

	_, _, err = newClient(t, respondWith(lost), oneAttempt).Secrets.Get(t.Context(), "s", "x", secretsstore.WithAccountID("a"))
	var reqErr *secretsstore.RequestError
	require.ErrorAs(t, err, &reqErr)
	assert.Equal(t, []any{"GET", "/accounts/a/secrets_store/stores/s/secrets/x", 1}, []any{reqErr.Method, reqErr.Path, reqErr.Attempts})

	_, _, err = client.Secrets.BulkCreate(t.Context(), storeID, []secretsstore.SecretCreate{newSecret, {Name: "B"}})
	var argErr *secretsstore.ArgumentError
	require.ErrorAs(t, err, &argErr)
	assert.Equal(t, &secretsstore.ArgumentError{Argument: "secrets[1].scopes", Reason: "must not be empty"}, argErr)
	assert.Equal(t, []string{"ErrInvalidArgument"}, matches(argErr))
}

func TestRetryable(t *testing.T) {
	// fail returns the error of a call that receives respond.
	fail := func(respond func() *http.Response, name string, opts ...secretsstore.Option) error {
		client := newClient(t, respondWith(respond), append(opts, oneAttempt)...)
		return second(methods[name](arguments{ctx: t.Context(), client: client, store: storeID, secret: secretID}))
	}
	do := func(method string) error {
		return second(newClient(t, respondWith(response(502, "")), oneAttempt).Do(t.Context(), method, "/a", nil, nil))
	}
	source := func(token string, err error) secretsstore.Option {
		return secretsstore.WithTokenSource(secretsstore.TokenSourceFunc(func(context.Context) (string, error) { return token, err }))
	}
	tooLarge := response(200, `{"success":true,"result":{"id":"a","scopes":[`+strings.Repeat(`"",`, 100_001)+`""]}}`)
	for _, tt := range []struct {
		name  string
		err   error
		after time.Duration
		want  bool
	}{
		{name: "no error"},
		{name: "another error", err: io.EOF},
		{name: "an invalid argument", err: &secretsstore.ArgumentError{Argument: "value"}},
		{name: "a context that ended", err: fail(nil, "Secrets.Get", secretsstore.WithHooks(secretsstore.Hooks{CallStart: func(ctx context.Context, _ secretsstore.CallStart) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		}})), want: true},
		{name: "a 404", err: &secretsstore.APIError{StatusCode: 404}},
		{name: "a 408", err: &secretsstore.APIError{StatusCode: 408}, want: true},
		{name: "a 429", err: &secretsstore.APIError{StatusCode: 429, RetryAfter: 30 * time.Second}, after: 30 * time.Second, want: true},
		{name: "a 500", err: &secretsstore.APIError{StatusCode: 500}, want: true},
		{name: "a 501", err: &secretsstore.APIError{StatusCode: 501}},
		{name: "a 503", err: &secretsstore.APIError{StatusCode: 503}, want: true},
		{name: "a rate limit at 400", err: &secretsstore.APIError{StatusCode: 400, Errors: []secretsstore.Detail{{Code: 10429}}}, want: true},
		{name: "a wait that was not started", err: &secretsstore.WaitError{Wait: 5 * time.Second}, after: 5 * time.Second, want: true},
		{name: "a user's own rate limit", err: fmt.Errorf("queue: %w", secretsstore.ErrRateLimited), want: true},
		{name: "a write that is not a success", err: fail(response(400, failure(1003, "maximum_secrets_exceeded")), "Secrets.Create")},
		{name: "a create with unknown outcome", err: fail(response(502, ""), "Secrets.Create")},
		{name: "a duplicate with unknown outcome", err: fail(lost, "Secrets.Duplicate")},
		{name: "a create that was rate limited", err: fail(response(429, "", "Retry-After: 9"), "Secrets.Create"), after: 9 * time.Second, want: true},
		{name: "a patch with unknown outcome", err: fail(response(502, ""), "Secrets.Patch"), want: true},
		{name: "a delete with unknown outcome", err: fail(lost, "Secrets.Delete"), want: true},
		{name: "a POST of Do with unknown outcome", err: do(http.MethodPost)},
		{name: "a PATCH of Do with unknown outcome", err: do(http.MethodPatch)},
		{name: "a PUT of Do with unknown outcome", err: do(http.MethodPut), want: true},
		{name: "a lost response", err: fail(lost, "Secrets.Get"), want: true},
		{name: "an untrusted certificate", err: fail(nil, "Secrets.Get", secretsstore.WithHTTPClient(&http.Client{Transport: &fakeAPI{respond: func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		}}}))},
		{name: "a truncated response", err: fail(truncated, "Secrets.Get"), want: true},
		{name: "a response that is too large", err: fail(tooLarge, "Secrets.Get")},
		{name: "a limiter's wait", err: fail(nil, "Secrets.Get", secretsstore.WithLimiter(limiterFunc(func(context.Context) error { return &secretsstore.WaitError{Wait: time.Minute} }))), after: time.Minute, want: true},
		{name: "a limiter's error", err: fail(nil, "Secrets.Create", secretsstore.WithLimiter(limiterFunc(func(context.Context) error { return io.EOF }))), want: true},
		{name: "a token source that fails", err: fail(nil, "Secrets.Create", source("", io.EOF)), want: true},
		{name: "a token source without a token", err: fail(nil, "Secrets.Get", source("", nil))},
		{name: "a token source with an invalid token", err: fail(nil, "Secrets.Get", source("a\n", nil))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err != nil {
				tt.err = fmt.Errorf("reconcile: %w", tt.err)
			}
			after, ok := secretsstore.Retryable(tt.err)
			assert.Equal(t, tt.want, ok)
			assert.Equal(t, tt.after, after)
		})
	}
}
