package secretsstore_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

type staticToken string

func (s staticToken) Token(context.Context) (string, error) { return string(s), nil }

// credentialOf returns the headers that authenticate a request.
func credentialOf(req sentRequest) http.Header {
	h := make(http.Header)
	for _, name := range []string{"Authorization", "X-Auth-Email", "X-Auth-Key"} {
		if values, ok := req.header[name]; ok {
			h[name] = values
		}
	}
	return h
}

func TestInvalidOptions(t *testing.T) {
	var nilSource secretsstore.TokenSource
	for _, tt := range []struct {
		opt  secretsstore.Option
		want string
	}{
		{opt: secretsstore.WithAPIToken(""), want: "no credentials: api_token is empty"},
		{opt: secretsstore.WithAPIKey("a@example.com", ""), want: "no credentials: api_key is empty"},
		{opt: secretsstore.WithAPIKey("", "K"), want: "no credentials: email is empty"},
		{opt: secretsstore.WithTokenSource(nilSource), want: "no credentials: token source is nil, pass one"},
		{opt: secretsstore.WithAPIToken("\ufeffhidden"), want: "invalid api_token: has an invalid character at byte 1 of 9, only visible ASCII without quotes is allowed"},
		{opt: secretsstore.WithAPIToken("hidden\u00a0"), want: "invalid api_token: has an invalid character at byte 7 of 8, only visible ASCII without quotes is allowed"},
		{opt: secretsstore.WithAPIToken("hid…"), want: "invalid api_token: has an invalid character at byte 4 of 6, only visible ASCII without quotes is allowed"},
		{opt: secretsstore.WithAPIToken(`"hidden"`), want: "invalid api_token: has an invalid character at byte 1 of 8, only visible ASCII without quotes is allowed"},
		{opt: secretsstore.WithAPIToken("hidden'"), want: "invalid api_token: has an invalid character at byte 7 of 7, only visible ASCII without quotes is allowed"},
		{opt: secretsstore.WithAPIToken("hidden\r\nX-Evil: 1"), want: "invalid api_token: has an invalid character at byte 7 of 17, only visible ASCII without quotes is allowed"},
		{opt: secretsstore.WithAPIKey("a@example.com", "hid den"), want: "invalid api_key: has an invalid character at byte 4 of 7, only visible ASCII without quotes is allowed"},
		{opt: secretsstore.WithAPIKey("hidden\n", "K"), want: "invalid email: has an invalid character at byte 7 of 7, only visible ASCII without quotes is allowed"},
		{opt: secretsstore.WithAccountID(""), want: "invalid account_id: must not be empty"},
		{opt: secretsstore.WithAccountID("a/b"), want: `invalid account_id: contains '/', only letters, digits, "-" and "_" are allowed`},
		{opt: secretsstore.WithHTTPClient(nil), want: "invalid http_client: must not be nil"},
		{opt: secretsstore.WithHTTPClient(&http.Client{Timeout: -1}), want: "invalid http_client: has a negative timeout"},
		{opt: secretsstore.WithUserAgent("a\nb"), want: "invalid user_agent: has a control character at byte 2"},
		{opt: secretsstore.WithUserAgent("a "), want: "invalid user_agent: starts or ends with a space or tab"},
		{opt: secretsstore.WithHeader("X-A", "hidden\r\nX-B: 2"), want: "invalid header X-A: has a control character at byte 7"},
		{opt: secretsstore.WithHeader("", "v"), want: "invalid header name: must not be empty"},
		{opt: secretsstore.WithHeader("x_auth-key", "v"), want: "invalid header X_auth-Key: reserved, the client sets it"},
		{opt: secretsstore.WithHeader("X-A:", "v"), want: "invalid header name: has a character that is not allowed in a header name"},
		{opt: secretsstore.WithAttemptTimeout(-1), want: "invalid attempt_timeout: must not be negative"},
		{opt: secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: -1}), want: "invalid retry_policy.max_attempts: must not be negative"},
		{opt: secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{BaseBackoff: -1}), want: "invalid retry_policy.base_backoff: must not be negative"},
		{opt: secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxBackoff: -1}), want: "invalid retry_policy.max_backoff: must not be negative"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Setenv("CLOUDFLARE_API_TOKEN", "fallback") // never used instead
			client, err := secretsstore.NewClient(tt.opt, secretsstore.WithAPIToken("valid"))
			require.EqualError(t, err, "secretsstore: "+tt.want)
			assert.Nil(t, client)
			if strings.HasPrefix(tt.want, "invalid") {
				assert.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
			} else {
				assert.ErrorIs(t, err, secretsstore.ErrNoCredentials)
			}
		})
	}
}

func TestReservedHeaders(t *testing.T) {
	api := respondWith(response(200, secretBody))
	client := newClient(t, api)
	for _, name := range []string{"authorization", "Proxy-Authorization", "X-Auth-Key", "x-auth-email", "X_Auth_Key", "x-Auth_User-Service-Key", "Host",
		"Content-Length", "content_length", "Transfer-Encoding", "Content-Encoding", "Accept-Encoding", "Expect", "Connection", "Proxy-Connection",
		"Keep-Alive", "HTTP2-Settings", "Trailer", "TE", "Upgrade"} {
		_, _, err := client.Secrets.Get(t.Context(), storeID, secretID, secretsstore.WithHeader(name, "v"))
		assert.ErrorIs(t, err, secretsstore.ErrInvalidArgument, name)
	}
	assert.Empty(t, api.sent())
}

// A user's fake can assert which options it was given.
func TestOptionsAreComparable(t *testing.T) {
	transport := new(http.Client)
	options := func(s string) []secretsstore.Option {
		return []secretsstore.Option{
			secretsstore.WithAccountID(s), secretsstore.WithHeader("X-A", s), secretsstore.WithAPIToken(s), secretsstore.WithAPIKey(s, s),
			secretsstore.WithBaseURL(s), secretsstore.WithUserAgent(s), secretsstore.WithTokenSource(staticToken(s)),
			secretsstore.WithAttemptTimeout(time.Duration(len(s))), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: len(s)}),
		}
	}
	require.Equal(t, secretsstore.WithAccountID("a"), secretsstore.WithAccountID("a"))
	for i, a := range options("a") {
		assert.True(t, a == options("a")[i], "%T", a)
		assert.False(t, a == options("bb")[i], "%T", a)
	}
	assert.True(t, secretsstore.WithoutEnvironment() == secretsstore.WithoutEnvironment())
	assert.True(t, secretsstore.WithoutPacing() == secretsstore.WithoutPacing())
	assert.True(t, secretsstore.WithHTTPClient(transport) == secretsstore.WithHTTPClient(transport))
}

func TestCallOptionsReplaceDefaults(t *testing.T) {
	api := respondWith(response(200, secretBody))
	var seen []string
	client := newClient(t, api, secretsstore.WithHeader("x-a", "client"), secretsstore.WithHeader("X-B", "client"),
		secretsstore.OnResponse(func(*secretsstore.Response) { seen = append(seen, "client") }))
	_, _, err := client.Secrets.Get(t.Context(), storeID, secretID,
		secretsstore.OnResponse(func(*secretsstore.Response) { seen = append(seen, "call 1") }),
		secretsstore.WithAccountID("other"), secretsstore.WithHeader("X-B", "call"), secretsstore.WithHeader("X-C", "call"),
		secretsstore.OnResponse(func(*secretsstore.Response) { seen = append(seen, "call 2") }))
	require.NoError(t, err)
	_, _, err = client.Secrets.Get(t.Context(), storeID, secretID)
	require.NoError(t, err)

	assert.Equal(t, []string{"GET " + strings.Replace(secretURL, accountID, "other", 1), "GET " + secretURL}, api.sent())
	headers := func(i int) (values []string) {
		for _, name := range []string{"X-A", "X-B", "X-C"} {
			values = append(values, api.requests[i].header.Get(name))
		}
		return values
	}
	assert.Equal(t, []string{"client", "call", "call"}, headers(0))
	assert.Equal(t, []string{"client", "client", ""}, headers(1), "a call does not change the defaults")
	assert.Equal(t, []string{"client", "call 1", "call 2", "client"}, seen)
}

func TestRetryPolicyIsReplacedPerField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, respondWith(response(503, "", "Retry-After: 5")), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 3, MaxWait: time.Second}))
		for _, tt := range []struct {
			policy   secretsstore.RetryPolicy
			attempts int
		}{
			{policy: secretsstore.RetryPolicy{}, attempts: 1}, // MaxWait is too short
			{policy: secretsstore.RetryPolicy{MaxWait: 5 * time.Second}, attempts: 3},
			{policy: secretsstore.RetryPolicy{MaxWait: 5 * time.Second, MaxAttempts: 2}, attempts: 2},
			{policy: secretsstore.RetryPolicy{MaxWait: -1}, attempts: 1},
		} {
			_, resp, err := client.Secrets.Get(t.Context(), storeID, secretID, secretsstore.WithRetryPolicy(tt.policy))
			require.ErrorIs(t, err, secretsstore.ErrServer)
			assert.Equal(t, tt.attempts, resp.Attempts, "%+v", tt.policy)
		}
	})
}

func TestAttemptTimeoutIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, hang, oneAttempt, secretsstore.WithAttemptTimeout(5*time.Second))
		for _, tt := range []struct {
			opts []secretsstore.RequestOption
			want time.Duration
		}{
			{want: 5 * time.Second},
			{opts: []secretsstore.RequestOption{secretsstore.WithAttemptTimeout(time.Minute)}, want: time.Minute},
			{opts: []secretsstore.RequestOption{secretsstore.WithAttemptTimeout(0)}, want: 30 * time.Second},
		} {
			started := time.Now()
			_, _, err := client.Secrets.Get(t.Context(), storeID, secretID, tt.opts...)
			assert.ErrorIs(t, err, secretsstore.ErrAttemptTimeout)
			assert.Equal(t, tt.want, time.Since(started))
		}
	})
}

// hang is a transport that does not respond.
var hang = &fakeAPI{respond: func(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}}

func TestUserAgentMayBeRepeated(t *testing.T) {
	api := respondWith(response(200, secretBody))
	client := newClient(t, api, secretsstore.WithUserAgent("terraform/1.9"), secretsstore.WithUserAgent("provider/2.0 (linux)"))
	require.NoError(t, third(client.Secrets.Get(t.Context(), storeID, secretID)))
	assert.Regexp(t, `^terraform/1\.9 provider/2\.0 \(linux\) secretsstore-go/\d+\.\d+\.\d+$`, api.requests[0].header.Get("User-Agent"))
}

func TestBaseURL(t *testing.T) {
	for _, tt := range []struct{ baseURL, want string }{
		{baseURL: "https://gateway.example.com/client/v4", want: "https://gateway.example.com/client/v4/accounts/"},
		{baseURL: "https://gateway.example.com/client/v4/", want: "https://gateway.example.com/client/v4/accounts/"},
		{baseURL: "HTTPS://Gateway.Example.com", want: "https://gateway.example.com/accounts/"},
		{baseURL: "https://gateway.example.com/a%2Fb", want: "https://gateway.example.com/a%2Fb/accounts/"},
		{baseURL: "http://localhost:8787/v4", want: "http://localhost:8787/v4/accounts/"},
		{baseURL: "http://LOCALHOST:8787", want: "http://localhost:8787/accounts/"},
		{baseURL: "http://127.8.9.10", want: "http://127.8.9.10/accounts/"},
		{baseURL: "http://[::1]:8787", want: "http://[::1]:8787/accounts/"},
	} {
		t.Run(tt.baseURL, func(t *testing.T) {
			api := respondWith(response(200, secretBody))
			require.NoError(t, third(newClient(t, api, secretsstore.WithBaseURL(tt.baseURL)).Secrets.Get(t.Context(), storeID, secretID)))
			assert.Equal(t, []string{"GET " + tt.want + accountID + "/secrets_store/stores/" + storeID + "/secrets/" + secretID}, api.sent())
		})
	}
}

func TestInvalidBaseURL(t *testing.T) {
	const plainHTTP = "must start with https://, plain http is allowed for loopback addresses only"
	for _, tt := range []struct{ baseURL, want string }{
		{baseURL: "", want: "must start with https://"},
		{baseURL: "localhost:8787", want: "must start with https://"},
		{baseURL: "ftp://localhost", want: "must start with https://"},
		{baseURL: "https://", want: "has no host"},
		{baseURL: "https:example.com", want: "has no host"},
		{baseURL: "https://user:hidden @%zz", want: "not a URL"},
		{baseURL: "https://user:hidden@example.com", want: "must not contain a user or password"},
		{baseURL: "http://localhost@example.com", want: "must not contain a user or password"},
		{baseURL: "https://example.com/?token=hidden", want: "must not have a query or fragment"},
		{baseURL: "https://example.com/#hidden", want: "must not have a query or fragment"},
		{baseURL: "https://example.com/a/%2e%2e/b", want: "path has a dot segment"},
		{baseURL: "https://example.com//v4", want: "path has an empty segment"},
		{baseURL: "http://api.cloudflare.com/client/v4", want: plainHTTP},
		{baseURL: "http://localhost.example.com", want: plainHTTP},
		{baseURL: "http://127.0.0.1.example.com", want: plainHTTP},
		{baseURL: "http://localho\u017ft", want: plainHTTP},
		{baseURL: "http://10.0.0.1", want: plainHTTP},
		{baseURL: "http://0.0.0.0", want: plainHTTP},
	} {
		t.Run(tt.baseURL, func(t *testing.T) {
			_, err := secretsstore.NewClient(secretsstore.WithAPIToken("T"), secretsstore.WithBaseURL(tt.baseURL))
			require.EqualError(t, err, "secretsstore: invalid base_url: "+tt.want)
			assert.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
		})
	}
}
