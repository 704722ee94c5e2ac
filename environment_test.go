package secretsstore_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// setEnvironment sets the variables that NewClient reads; those not in env are unset.
func setEnvironment(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL"} {
		t.Setenv(name, env[name])
	}
}

func TestEnvironment(t *testing.T) {
	const quota = "/accounts/env-account/secrets_store/quota"
	token := http.Header{"Authorization": {"Bearer env-token"}}
	key := http.Header{"X-Auth-Email": {"env@example.com"}, "X-Auth-Key": {"env-key"}}
	for _, tt := range []struct {
		name string
		env  map[string]string
		opts []secretsstore.Option
		want http.Header
		url  string
	}{
		{name: "a token", want: token, url: secretsstore.DefaultBaseURL + quota,
			env: map[string]string{"CLOUDFLARE_API_TOKEN": "env-token", "CLOUDFLARE_ACCOUNT_ID": "env-account"}},
		{name: "an email and a key", want: key, url: secretsstore.DefaultBaseURL + quota,
			env: map[string]string{"CLOUDFLARE_EMAIL": "env@example.com", "CLOUDFLARE_API_KEY": "env-key", "CLOUDFLARE_ACCOUNT_ID": "env-account"}},
		{name: "a token wins over an email and a key", want: token, url: secretsstore.DefaultBaseURL + quota,
			env: map[string]string{"CLOUDFLARE_API_TOKEN": "env-token", "CLOUDFLARE_EMAIL": "env@example.com", "CLOUDFLARE_API_KEY": "env-key", "CLOUDFLARE_ACCOUNT_ID": "env-account"}},
		{name: "a base URL", want: token, url: "https://gateway.example.com/v4" + quota,
			env: map[string]string{"CLOUDFLARE_API_TOKEN": "env-token", "CLOUDFLARE_ACCOUNT_ID": "env-account", "CLOUDFLARE_BASE_URL": "https://gateway.example.com/v4/"}},
		{name: "white space is trimmed", want: key, url: "https://gateway.example.com" + quota,
			env: map[string]string{"CLOUDFLARE_API_TOKEN": " \n", "CLOUDFLARE_EMAIL": " env@example.com\r\n", "CLOUDFLARE_API_KEY": "\tenv-key\u00a0\n", "CLOUDFLARE_ACCOUNT_ID": "env-account\n", "CLOUDFLARE_BASE_URL": " https://gateway.example.com\n"}},
		{name: "an option wins", want: http.Header{"X-Auth-Email": {"a@example.com"}, "X-Auth-Key": {"K"}}, url: "https://option.example.com/accounts/option/secrets_store/quota",
			env:  map[string]string{"CLOUDFLARE_API_TOKEN": "env-token", "CLOUDFLARE_ACCOUNT_ID": "a/b", "CLOUDFLARE_BASE_URL": "http://invalid.example.com"},
			opts: []secretsstore.Option{secretsstore.WithAPIKey("a@example.com", "K"), secretsstore.WithAccountID("option"), secretsstore.WithBaseURL("https://option.example.com")}},
		{name: "WithoutEnvironment ignores it", want: http.Header{"Authorization": {"Bearer T"}}, url: secretsstore.DefaultBaseURL + "/accounts/option/secrets_store/quota",
			env:  map[string]string{"CLOUDFLARE_API_TOKEN": "env-token", "CLOUDFLARE_ACCOUNT_ID": "a/b", "CLOUDFLARE_BASE_URL": "https://gateway.example.com"},
			opts: []secretsstore.Option{secretsstore.WithAPIToken("T"), secretsstore.WithAccountID("option"), secretsstore.WithoutEnvironment()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			setEnvironment(t, tt.env)
			api := respondWith(response(200, `{"success":true,"result":{"secrets":{"quota":1,"usage":0}}}`))
			client, err := secretsstore.NewClient(append(tt.opts, secretsstore.WithHTTPClient(&http.Client{Transport: api}))...)
			require.NoError(t, err)
			require.NoError(t, third(client.Quota.Get(t.Context())))
			assert.Equal(t, []string{"GET " + tt.url}, api.sent())
			assert.Equal(t, tt.want, credentialOf(api.requests[0]))
		})
	}
}

func TestInvalidEnvironment(t *testing.T) {
	const none = "no credentials: set CLOUDFLARE_API_TOKEN, or CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY"
	for _, tt := range []struct {
		name string
		env  map[string]string
		opts []secretsstore.Option
		want string
	}{
		{name: "no credentials", want: none},
		{name: "an email without a key", env: map[string]string{"CLOUDFLARE_EMAIL": "a@example.com"}, want: none},
		{name: "a key without an email", env: map[string]string{"CLOUDFLARE_API_KEY": "hidden"}, want: none},
		{name: "WithoutEnvironment", env: map[string]string{"CLOUDFLARE_API_TOKEN": "hidden"}, opts: []secretsstore.Option{secretsstore.WithoutEnvironment()},
			want: "no credentials: an API token, or an email and a global API key, is required"},
		{name: "an empty option", env: map[string]string{"CLOUDFLARE_API_TOKEN": "hidden"}, opts: []secretsstore.Option{secretsstore.WithAPIToken("")},
			want: "no credentials: api_token is empty"},
		{name: "a byte-order mark", env: map[string]string{"CLOUDFLARE_API_TOKEN": "\ufeffhidden"}, want: "invalid CLOUDFLARE_API_TOKEN: has an invalid character at byte 1 of 9, only visible ASCII without quotes is allowed"},
		{name: "a no-break space", env: map[string]string{"CLOUDFLARE_API_TOKEN": "hid\u00a0den"}, want: "invalid CLOUDFLARE_API_TOKEN: has an invalid character at byte 4 of 8, only visible ASCII without quotes is allowed"},
		{name: "an ellipsis", env: map[string]string{"CLOUDFLARE_EMAIL": "a@example.com", "CLOUDFLARE_API_KEY": "hidden…"}, want: "invalid CLOUDFLARE_API_KEY: has an invalid character at byte 7 of 9, only visible ASCII without quotes is allowed"},
		{name: "quotes", env: map[string]string{"CLOUDFLARE_API_TOKEN": `"hidden"`}, want: "invalid CLOUDFLARE_API_TOKEN: has an invalid character at byte 1 of 8, only visible ASCII without quotes is allowed"},
		{name: "an email with a line break", env: map[string]string{"CLOUDFLARE_EMAIL": "hid\nden", "CLOUDFLARE_API_KEY": "K"}, want: "invalid CLOUDFLARE_EMAIL: has an invalid character at byte 4 of 7, only visible ASCII without quotes is allowed"},
		{name: "an account", env: map[string]string{"CLOUDFLARE_API_TOKEN": "T", "CLOUDFLARE_ACCOUNT_ID": "../x"},
			want: `invalid CLOUDFLARE_ACCOUNT_ID: contains '.', only letters, digits, "-" and "_" are allowed`},
		{name: "a base URL", env: map[string]string{"CLOUDFLARE_API_TOKEN": "T", "CLOUDFLARE_BASE_URL": "https://user:hidden@example.com"},
			want: "invalid CLOUDFLARE_BASE_URL: must not contain a user or password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			setEnvironment(t, tt.env)
			client, err := secretsstore.NewClient(tt.opts...)
			require.EqualError(t, err, "secretsstore: "+tt.want)
			assert.Nil(t, client)
			assert.Equal(t, strings.HasPrefix(tt.want, "no credentials"), matches(err)[0] == "ErrNoCredentials")
		})
	}
}
