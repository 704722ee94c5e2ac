package secretsstore_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

const secretAnswer = `{"success":true,"errors":[],"messages":[],"result":{"id":"` + secretID + `","name":"MY_API_KEY","status":"active","store_id":"` + storeID + `","created":"2023-09-21T18:56:32.624632Z","modified":"2023-09-21T18:56:32.624632Z"}}`

// sentBy is the one request that a Get of a client with these options makes.
func sentBy(t *testing.T, opts ...secretsstore.Option) exchange {
	t.Helper()
	w := answering(200, secretAnswer)
	c, err := secretsstore.NewClient(append(opts, secretsstore.WithHTTPClient(&http.Client{Transport: w}))...)
	require.NoError(t, err)
	_, _, err = c.Secrets.Get(t.Context(), storeID, secretID)
	require.NoError(t, err)
	require.Len(t, w.sent, 1)
	return w.sent[0]
}

func TestCredentials(t *testing.T) {
	account := secretsstore.WithAccountID(accountID)
	bearer := http.Header{"Authorization": {"Bearer T"}}
	pair := http.Header{"X-Auth-Email": {"user@example.com"}, "X-Auth-Key": {"K"}}
	fromEnv := map[string]string{"CLOUDFLARE_API_TOKEN": "env-token", "CLOUDFLARE_EMAIL": "env@example.com", "CLOUDFLARE_API_KEY": "env-key"}
	for name, tc := range map[string]struct {
		env  map[string]string
		opts []secretsstore.Option
		want http.Header
	}{
		"a token is a bearer":                       {nil, []secretsstore.Option{secretsstore.WithAPIToken("T")}, bearer},
		"email and key are a pair":                  {nil, []secretsstore.Option{secretsstore.WithAPIKey("user@example.com", "K")}, pair},
		"a source gives a bearer":                   {nil, []secretsstore.Option{secretsstore.WithTokenSource(staticSource("T"))}, bearer},
		"of two the last wins, token":               {nil, []secretsstore.Option{secretsstore.WithAPIKey("user@example.com", "K"), secretsstore.WithAPIToken("T")}, bearer},
		"of two the last wins, key":                 {nil, []secretsstore.Option{secretsstore.WithAPIToken("T"), secretsstore.WithAPIKey("user@example.com", "K")}, pair},
		"an option wins over the environment":       {fromEnv, []secretsstore.Option{secretsstore.WithAPIKey("user@example.com", "K")}, pair},
		"a token wins in the environment":           {fromEnv, nil, http.Header{"Authorization": {"Bearer env-token"}}},
		"email and key come from the environment":   {map[string]string{"CLOUDFLARE_EMAIL": "user@example.com", "CLOUDFLARE_API_KEY": "K"}, nil, pair},
		"an empty variable is as one that is unset": {map[string]string{"CLOUDFLARE_API_TOKEN": "", "CLOUDFLARE_EMAIL": "user@example.com", "CLOUDFLARE_API_KEY": "K"}, nil, pair},
		"a nil option is passed over":               {nil, []secretsstore.Option{nil, secretsstore.WithAPIToken("T")}, bearer},
	} {
		t.Run(name, func(t *testing.T) {
			noEnvironment(t)
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			sent := sentBy(t, append(tc.opts, account)...)
			got := http.Header{}
			for _, name := range []string{"Authorization", "X-Auth-Email", "X-Auth-Key"} {
				if values, ok := sent.header[name]; ok {
					got[name] = values
				}
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestAccountAndBaseURLFromEnvironment(t *testing.T) {
	noEnvironment(t)
	t.Setenv("CLOUDFLARE_API_TOKEN", "T")
	t.Setenv("CLOUDFLARE_ACCOUNT_ID", "env_account")
	t.Setenv("CLOUDFLARE_BASE_URL", "https://gateway.example.com/v4/")
	assert.Equal(t, "https://gateway.example.com/v4/accounts/env_account/secrets_store/stores/"+storeID+"/secrets/"+secretID, sentBy(t).url)

	t.Run("an option wins", func(t *testing.T) {
		sent := sentBy(t, secretsstore.WithAccountID("option"), secretsstore.WithBaseURL("https://option.example.com"))
		assert.True(t, strings.HasPrefix(sent.url, "https://option.example.com/accounts/option/"), sent.url)
	})
	t.Run("the default is Cloudflare", func(t *testing.T) {
		t.Setenv("CLOUDFLARE_BASE_URL", "")
		assert.True(t, strings.HasPrefix(sentBy(t).url, "https://api.cloudflare.com/client/v4/accounts/env_account/"))
	})
}

func TestNewClientRefuses(t *testing.T) {
	token := secretsstore.WithAPIToken("T")
	const bad = "sekret\r\nX-Evil: 1"
	for name, tc := range map[string]struct {
		env  map[string]string
		opts []secretsstore.Option
		is   error
		says string
	}{
		"no credentials":                        {nil, nil, secretsstore.ErrNoCredentials, "CLOUDFLARE_API_TOKEN"},
		"no credentials, naming email":          {nil, nil, secretsstore.ErrNoCredentials, "CLOUDFLARE_EMAIL"},
		"no credentials, naming key":            {nil, nil, secretsstore.ErrNoCredentials, "CLOUDFLARE_API_KEY"},
		"an email without a key":                {map[string]string{"CLOUDFLARE_EMAIL": "a@b.c"}, nil, secretsstore.ErrNoCredentials, "CLOUDFLARE_API_KEY"},
		"an empty token, though one is set":     {map[string]string{"CLOUDFLARE_API_TOKEN": "T"}, []secretsstore.Option{secretsstore.WithAPIToken("")}, secretsstore.ErrNoCredentials, "API token"},
		"an empty key, though a token is set":   {map[string]string{"CLOUDFLARE_API_TOKEN": "T"}, []secretsstore.Option{secretsstore.WithAPIKey("a@b.c", "")}, secretsstore.ErrNoCredentials, "API key"},
		"an empty email":                        {nil, []secretsstore.Option{secretsstore.WithAPIKey("", "K")}, secretsstore.ErrNoCredentials, "email"},
		"an empty token before a good one":      {nil, []secretsstore.Option{secretsstore.WithAPIToken(""), token}, secretsstore.ErrNoCredentials, "API token"},
		"a nil source":                          {nil, []secretsstore.Option{secretsstore.WithTokenSource(nil)}, secretsstore.ErrNoCredentials, "token source"},
		"a token with a line break":             {nil, []secretsstore.Option{secretsstore.WithAPIToken(bad)}, secretsstore.ErrInvalidArgument, "API token"},
		"a token that ends in a line break":     {nil, []secretsstore.Option{secretsstore.WithAPIToken("sekret\n")}, secretsstore.ErrInvalidArgument, "byte 7 of 7"},
		"a token with NUL":                      {nil, []secretsstore.Option{secretsstore.WithAPIToken("sekret\x00")}, secretsstore.ErrInvalidArgument, "API token"},
		"a key with a line break":               {nil, []secretsstore.Option{secretsstore.WithAPIKey("a@b.c", bad)}, secretsstore.ErrInvalidArgument, "API key"},
		"an email with a line break":            {nil, []secretsstore.Option{secretsstore.WithAPIKey(bad, "K")}, secretsstore.ErrInvalidArgument, "email"},
		"a token with DEL in the environment":   {map[string]string{"CLOUDFLARE_API_TOKEN": "sekret\x7f"}, nil, secretsstore.ErrInvalidArgument, "CLOUDFLARE_API_TOKEN"},
		"a bad account in the environment":      {map[string]string{"CLOUDFLARE_ACCOUNT_ID": "../x"}, []secretsstore.Option{token}, secretsstore.ErrInvalidArgument, "CLOUDFLARE_ACCOUNT_ID"},
		"a bad base URL in the environment":     {map[string]string{"CLOUDFLARE_BASE_URL": "http://evil.example"}, []secretsstore.Option{token}, secretsstore.ErrInvalidArgument, "CLOUDFLARE_BASE_URL"},
		"an empty account":                      {map[string]string{"CLOUDFLARE_ACCOUNT_ID": "a"}, []secretsstore.Option{token, secretsstore.WithAccountID("")}, secretsstore.ErrInvalidArgument, "account_id"},
		"an account that leaves its place":      {nil, []secretsstore.Option{token, secretsstore.WithAccountID("..")}, secretsstore.ErrInvalidArgument, "account_id"},
		"a nil HTTP client":                     {nil, []secretsstore.Option{token, secretsstore.WithHTTPClient(nil)}, secretsstore.ErrInvalidArgument, "HTTP client"},
		"no time for an attempt":                {nil, []secretsstore.Option{token, secretsstore.WithAttemptTimeout(0)}, secretsstore.ErrInvalidArgument, "attempt timeout"},
		"a user agent that breaks the line":     {nil, []secretsstore.Option{token, secretsstore.WithUserAgent("a\r\nb")}, secretsstore.ErrInvalidArgument, "user agent"},
		"a user agent with a space at its end":  {nil, []secretsstore.Option{token, secretsstore.WithUserAgent("a ")}, secretsstore.ErrInvalidArgument, "user agent"},
		"attempts below 0":                      {nil, []secretsstore.Option{token, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: -1})}, secretsstore.ErrInvalidArgument, "MaxAttempts"},
		"a backoff below 0":                     {nil, []secretsstore.Option{token, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MinBackoff: -1})}, secretsstore.ErrInvalidArgument, "MinBackoff"},
		"a largest backoff below 0":             {nil, []secretsstore.Option{token, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxBackoff: -1})}, secretsstore.ErrInvalidArgument, "MaxBackoff"},
		"a wait below 0":                        {nil, []secretsstore.Option{token, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxRetryAfter: -1})}, secretsstore.ErrInvalidArgument, "MaxRetryAfter"},
		"a smallest backoff over the largest":   {nil, []secretsstore.Option{token, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MinBackoff: 2, MaxBackoff: 1})}, secretsstore.ErrInvalidArgument, "MinBackoff"},
		"a base URL that is empty":              {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("")}, secretsstore.ErrInvalidArgument, "no host"},
		"a base URL that is no URL":             {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("https://user:sekret @%zz")}, secretsstore.ErrInvalidArgument, "base URL"},
		"a base URL with a password":            {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("https://user:sekret@example.com")}, secretsstore.ErrInvalidArgument, "user or password"},
		"a base URL with a query":               {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("https://example.com/?a=b")}, secretsstore.ErrInvalidArgument, "query"},
		"a base URL with a fragment":            {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("https://example.com/#")}, secretsstore.ErrInvalidArgument, "fragment"},
		"a base URL with dot segments":          {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("https://example.com/a/%2e%2e/b")}, secretsstore.ErrInvalidArgument, "dot segment"},
		"a base URL of another scheme":          {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("ftp://localhost/")}, secretsstore.ErrInvalidArgument, "neither https nor http"},
		"a base URL without scheme":             {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("localhost:8080")}, secretsstore.ErrInvalidArgument, "host"},
		"plain http to a host":                  {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("http://api.cloudflare.com/client/v4")}, secretsstore.ErrInvalidArgument, "use https"},
		"plain http to a name like localhost":   {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("http://localhost.evil.example")}, secretsstore.ErrInvalidArgument, "use https"},
		"plain http to an address like a local": {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("http://127.0.0.1.evil.example")}, secretsstore.ErrInvalidArgument, "use https"},
		"plain http with localhost as user":     {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("http://localhost@evil.example")}, secretsstore.ErrInvalidArgument, "user"},
		"plain http to the private network":     {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("http://10.0.0.1")}, secretsstore.ErrInvalidArgument, "use https"},
		"plain http to no address":              {nil, []secretsstore.Option{token, secretsstore.WithBaseURL("http://0.0.0.0")}, secretsstore.ErrInvalidArgument, "use https"},
	} {
		t.Run(name, func(t *testing.T) {
			noEnvironment(t)
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			c, err := secretsstore.NewClient(tc.opts...)
			require.ErrorIs(t, err, tc.is)
			assert.Nil(t, c)
			assert.ErrorContains(t, err, tc.says)
			assert.NotContains(t, err.Error(), "sekret")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestBaseURLs(t *testing.T) {
	for base, want := range map[string]string{
		"https://api.example.com/client/v4":   "https://api.example.com/client/v4/accounts/",
		"https://api.example.com/client/v4/":  "https://api.example.com/client/v4/accounts/",
		"https://api.example.com":             "https://api.example.com/accounts/",
		"https://api.example.com/":            "https://api.example.com/accounts/",
		"https://api.example.com/a%2Fb":       "https://api.example.com/a%2Fb/accounts/",
		"http://localhost:8787/client/v4":     "http://localhost:8787/client/v4/accounts/",
		"http://LOCALHOST:8787/client/v4":     "http://localhost:8787/client/v4/accounts/",
		"http://127.0.0.1:8787":               "http://127.0.0.1:8787/accounts/",
		"http://127.8.9.10/x":                 "http://127.8.9.10/x/accounts/",
		"http://[::1]:8787/client/v4":         "http://[::1]:8787/client/v4/accounts/",
		"HTTPS://api.example.com/client/v4":   "https://api.example.com/client/v4/accounts/",
		"https://10.0.0.1:8443/client/v4////": "", // an empty segment is refused
	} {
		t.Run(base, func(t *testing.T) {
			noEnvironment(t)
			opts := []secretsstore.Option{secretsstore.WithAPIToken("T"), secretsstore.WithAccountID(accountID), secretsstore.WithBaseURL(base)}
			if want == "" {
				_, err := secretsstore.NewClient(opts...)
				require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
				return
			}
			assert.Equal(t, want+accountID+"/secrets_store/stores/"+storeID+"/secrets/"+secretID, sentBy(t, opts...).url)
		})
	}
}

func TestNoAccount(t *testing.T) {
	noEnvironment(t)
	w := answering(200, secretAnswer)
	c, err := secretsstore.NewClient(secretsstore.WithAPIToken("T"), secretsstore.WithHTTPClient(&http.Client{Transport: w}))
	require.NoError(t, err)
	_, resp, err := c.Secrets.Get(t.Context(), storeID, secretID)
	require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
	require.ErrorContains(t, err, "CLOUDFLARE_ACCOUNT_ID")
	assert.Nil(t, resp)
	assert.Empty(t, w.sent)

	_, _, err = c.Secrets.Get(t.Context(), storeID, secretID, secretsstore.ForAccount("other"))
	require.NoError(t, err)
	assert.Contains(t, w.sent[0].url, "/accounts/other/")
}

func TestRequestOptions(t *testing.T) {
	w := answering(200, secretAnswer)
	c := newClient(t, w)
	get := func(opts ...secretsstore.RequestOption) error {
		_, _, err := c.Secrets.Get(t.Context(), storeID, secretID, opts...)
		return err
	}
	for name, opt := range map[string]secretsstore.RequestOption{
		"no account":                 secretsstore.ForAccount(""),
		"an account with a slash":    secretsstore.ForAccount("a/b"),
		"authorization":              secretsstore.WithHeader("authorization", "Bearer X"),
		"a proxy's authorization":    secretsstore.WithHeader("Proxy-Authorization", "X"),
		"a proxy's connection":       secretsstore.WithHeader("Proxy-Connection", "close"),
		"the connection's life":      secretsstore.WithHeader("Keep-Alive", "timeout=1"),
		"what to expect":             secretsstore.WithHeader("Expect", "100-continue"),
		"a key with other signs":     secretsstore.WithHeader("x_auth_key", "X"),
		"a key with both signs":      secretsstore.WithHeader("X-Auth_Key", "X"),
		"a key":                      secretsstore.WithHeader("x-auth-key", "X"),
		"any other X-Auth header":    secretsstore.WithHeader("X-AUTH-User-Service-Key", "X"),
		"a host":                     secretsstore.WithHeader("host", "evil.example"),
		"a length":                   secretsstore.WithHeader("Content-length", "0"),
		"an encoding of the frame":   secretsstore.WithHeader("Transfer-Encoding", "chunked"),
		"an encoding of the answer":  secretsstore.WithHeader("accept-encoding", "gzip"),
		"the connection's end":       secretsstore.WithHeader("Connection", "close"),
		"a trailer":                  secretsstore.WithHeader("Trailer", "X-Auth-Key"),
		"what may trail":             secretsstore.WithHeader("TE", "trailers"),
		"another protocol":           secretsstore.WithHeader("upgrade", "websocket"),
		"a header name with a space": secretsstore.WithHeader("Authorization ", "X"),
		"a header name that is none": secretsstore.WithHeader("", "X"),
		"a value with a line break":  secretsstore.WithHeader("X-A", "1\r\nX-B: 2"),
		"no attempts":                secretsstore.WithMaxAttempts(0),
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			require.ErrorIs(t, get(opt), secretsstore.ErrInvalidArgument)
			assert.Empty(t, w.sent)
		})
	}
	t.Run("takes the others", func(t *testing.T) {
		var seen []int
		require.NoError(t, get(nil,
			secretsstore.ForAccount("other"),
			secretsstore.WithHeader("x-trace", "1"), secretsstore.WithHeader("X-Trace", "2"),
			secretsstore.OnResponse(nil),
			secretsstore.OnResponse(func(r *secretsstore.Response) { seen = append(seen, r.StatusCode) }),
			secretsstore.OnResponse(func(r *secretsstore.Response) { seen = append(seen, -r.StatusCode) }),
		))
		require.Len(t, w.sent, 1)
		assert.Contains(t, w.sent[0].url, "/accounts/other/")
		assert.Equal(t, []string{"2"}, w.sent[0].header["X-Trace"])
		assert.Equal(t, []int{200, -200}, seen)
	})
}

func TestUserAgent(t *testing.T) {
	assert.Regexp(t, `^secretsstore-go/\d+\.\d+\.\d+$`, sentBy(t, secretsstore.WithAPIToken("T"), secretsstore.WithAccountID("a")).header.Get("User-Agent"))
	assert.Regexp(t, `^deployer/1\.4 secretsstore-go/\d+\.\d+\.\d+$`,
		sentBy(t, secretsstore.WithAPIToken("T"), secretsstore.WithAccountID("a"), secretsstore.WithUserAgent("deployer/1.4")).header.Get("User-Agent"))
}

// rotating gives another token each time, or an error.
type rotating struct {
	tokens []string
	err    error
}

func (r *rotating) Token(context.Context) (string, error) {
	if len(r.tokens) == 0 {
		return "", r.err
	}
	token := r.tokens[0]
	r.tokens = r.tokens[1:]
	return token, nil
}

func TestTokenSource(t *testing.T) {
	t.Run("is asked before every attempt", func(t *testing.T) {
		w := answering(503, `{"success":false,"errors":[],"messages":[],"result":null}`)
		c := newClient(t, w,
			secretsstore.WithTokenSource(&rotating{tokens: []string{"one", "two", "three"}}),
			secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 3, MinBackoff: 1, MaxBackoff: 1}))
		_, _, err := c.Secrets.Get(t.Context(), storeID, secretID)
		require.ErrorIs(t, err, secretsstore.ErrServer)
		require.Len(t, w.sent, 3)
		for i, token := range []string{"one", "two", "three"} {
			assert.Equal(t, []string{"Bearer " + token}, w.sent[i].header["Authorization"])
		}
	})
	for name, tc := range map[string]struct {
		source *rotating
		is     error
	}{
		"an error ends the call":               {&rotating{err: context.Canceled}, context.Canceled},
		"an empty token is no credential":      {&rotating{tokens: []string{""}}, secretsstore.ErrNoCredentials},
		"a token with a line break is refused": {&rotating{tokens: []string{"sekret\n"}}, secretsstore.ErrInvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			w := answering(200, secretAnswer)
			c := newClient(t, w, secretsstore.WithTokenSource(tc.source), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
			_, resp, err := c.Secrets.Get(t.Context(), storeID, secretID)
			require.ErrorIs(t, err, tc.is)
			assert.NotContains(t, err.Error(), "sekret")
			assert.Nil(t, resp)
			assert.Empty(t, w.sent)
		})
	}
}

func TestHTTPClientIsCopied(t *testing.T) {
	w := answering(200, secretAnswer)
	hc := &http.Client{Transport: w, Timeout: time.Minute}
	before := *hc
	c := newClient(t, nil, secretsstore.WithHTTPClient(hc))
	hc.Transport = nil // what the user does later does not change the client
	_, _, err := c.Secrets.Get(t.Context(), storeID, secretID)
	require.NoError(t, err)
	assert.Len(t, w.sent, 1)
	hc.Transport = before.Transport
	assert.Equal(t, before.Timeout, hc.Timeout)
	assert.Nil(t, hc.CheckRedirect)
	assert.Nil(t, hc.Jar)
}

func TestJarIsUsed(t *testing.T) {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	w := answering(200, secretAnswer)
	answer := w.answer
	w.answer = func(req *http.Request) (*http.Response, error) {
		resp, err := answer(req)
		resp.Header.Set("Set-Cookie", "__cf_bm=1; Path=/; Secure")
		return resp, err
	}
	c := newClient(t, nil, secretsstore.WithHTTPClient(&http.Client{Transport: w, Jar: jar}))
	for range 2 {
		_, _, err = c.Secrets.Get(t.Context(), storeID, secretID)
		require.NoError(t, err)
	}
	assert.Empty(t, w.sent[0].header["Cookie"])
	assert.Equal(t, []string{"__cf_bm=1"}, w.sent[1].header["Cookie"])
}

func TestNilContextIsAnError(t *testing.T) {
	w := answering(200, secretAnswer)
	c := newClient(t, w)
	var none context.Context
	_, _, err := c.Secrets.Get(none, storeID, secretID)
	require.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
	assert.Empty(t, w.sent)
}

func TestCancelledContextSendsNothing(t *testing.T) {
	w := answering(200, secretAnswer)
	c := newClient(t, w)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the user left"))
	_, resp, err := c.Secrets.Get(ctx, storeID, secretID)
	require.ErrorIs(t, err, context.Canceled)
	assert.Nil(t, resp)
	assert.Empty(t, w.sent)
}
