package main

import (
	"bytes"
	"flag"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// environment sets what the program reads, and nothing else.
func environment(t *testing.T, set map[string]string) {
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL"} {
		t.Setenv(name, set[name])
	}
}

func TestDemo(t *testing.T) {
	environment(t, nil)
	var out, errs bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out, &errs))
	assert.Empty(t, errs.String())
	got := out.String()
	assert.Regexp(t, `(?m)^ +BEFORE +AFTER$`, got)
	assert.Regexp(t, `(?m)^name +MY_API_KEY +MY_API_KEY$`, got)
	assert.Regexp(t, `(?m)^comment +- +info about my secret$`, got)
	assert.Regexp(t, `(?m)^scopes +workers +access,ai_gateway,dex,workers$`, got)
	assert.Contains(t, got, "404 Not Found: secret_not_found (code 1001)")
	assert.Contains(t, got, "errors.Is(err, ErrSecretNotFound): true")
	assert.NotContains(t, got, "api-token-secret-123")
}

func TestWithCredentials(t *testing.T) {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	store := srv.AddStore("s")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{Name: "N", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("old")})
	environment(t, map[string]string{"CLOUDFLARE_API_TOKEN": srv.APIToken, "CLOUDFLARE_ACCOUNT_ID": srv.AccountID, "CLOUDFLARE_BASE_URL": srv.URL})
	t.Setenv("NEW_VALUE", "new-value")

	t.Run("patches what the flags name", func(t *testing.T) {
		var out bytes.Buffer
		args := []string{"-store", store.ID, "-secret", secret.ID, "-comment", "by hand", "-scopes", "access, dex", "-value-env", "NEW_VALUE"}
		require.NoError(t, run(t.Context(), args, &out, &out))
		assert.Regexp(t, `(?m)^comment +- +by hand$`, out.String())
		assert.Regexp(t, `(?m)^scopes +workers +access,dex$`, out.String())
		assert.NotContains(t, out.String(), "new-value")
		value, _ := srv.Value(store.ID, secret.ID)
		assert.Equal(t, "new-value", value)
	})
	for name, tc := range map[string]struct{ args, says string }{
		"asks for the secret":              {"", "-store and -secret"},
		"changes nothing by itself":        {"-store " + store.ID + " -secret " + secret.ID, "invalid patch: empty"},
		"reports a secret that is missing": {"-store " + store.ID + " -secret 0", "secret_not_found"},
		"reports a bad id":                 {"-store ../x -secret 0", "store_id"},
		"reports a value that is not set":  {"-value-env NO_SUCH", "NO_SUCH"},
		"reports an argument":              {"secret", "unexpected argument"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.ErrorContains(t, run(t.Context(), strings.Fields(tc.args), &out, &out), tc.says)
		})
	}
}

func TestWithoutCredentialsNothingOnCloudflareIsNamed(t *testing.T) {
	environment(t, nil)
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-store", "x"}, &out, &out), secretsstore.ErrNoCredentials)
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &out, &errs), flag.ErrHelp)
	assert.Contains(t, errs.String(), "-value-env variable")
	assert.Contains(t, errs.String(), "CLOUDFLARE_API_TOKEN")
}
