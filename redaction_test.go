package secretsstore_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

const headerValue = "header-value-of-the-gateway"

// spellings returns the ways in which a server can write a secret.
func spellings(secret string) map[string]string {
	escape := func(format, s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, format, c)
		}
		return b.String()
	}
	return map[string]string{
		"literally":        secret,
		"as \\uXXXX":       escape(`\u%04x`, secret),
		"as %XX":           escape("%%%02X", secret),
		"as %XX twice":     escape("%%25%02X", secret),
		"as \\uXXXX twice": escape(`\\u%04X`, secret),
	}
}

// assertNoSecret asserts that err, all errors that it wraps, and text show no secret.
func assertNoSecret(t *testing.T, err error, text string, message string) {
	t.Helper()
	if err != nil {
		text += fmt.Sprintf("%v %+v %#v", err, err, err)
		var apiErr *secretsstore.APIError
		var respErr *secretsstore.ResponseError
		if errors.As(err, &apiErr) {
			text += fmt.Sprintf("%+v", *apiErr)
		}
		if errors.As(err, &respErr) {
			text += fmt.Sprintf("%+v", *respErr)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			text += fmt.Sprintf("%v %#v", e, e)
		}
	}
	for _, secret := range []string{apiToken, plaintext, headerValue} {
		for how, spelling := range spellings(secret) {
			assert.NotContains(t, text, spelling[:len(spelling)/3], "%s (%s)", message, how) // a part of it
		}
	}
}

func TestServerTextIsRedacted(t *testing.T) {
	places := map[string]func(s string) func() *http.Response{
		"a message": func(s string) func() *http.Response {
			return response(400, `{"success":false,"errors":[{"code":1001,"message":"bad: `+s+`!"}]}`)
		},
		"a message of a success": func(s string) func() *http.Response {
			return response(200, `{"success":true,"messages":[{"code":1,"message":"`+s+`"}],"errors":["`+s+`"],"result":{"id":"a"}}`)
		},
		"an error's details": func(s string) func() *http.Response {
			return response(502, `{"success":false,"errors":[{"code":1,"message":"m","documentation_url":"https://x/`+s+`","source":{"pointer":"/`+s+`"}}]}`)
		},
		"a chain": func(s string) func() *http.Response {
			return response(400, `{"success":false,"errors":[{"code":1,"message":"m","error_chain":[{"code":2,"message":"m","error_chain":["`+s+`"]}]}]}`)
		},
		"a page": func(s string) func() *http.Response { return response(502, "<html>"+s) },
		"a page with status 200": func(s string) func() *http.Response {
			return response(200, `{"value":"`+s+`"`)
		},
		"the end of what is shown": func(s string) func() *http.Response {
			return response(400, "<html>"+strings.Repeat("x", 2048-6-len(s)/2)+s)
		},
		"an invalid result": func(s string) func() *http.Response { return response(200, `{"success":true,"result":"`+s+`"}`) },
		"an invalid time": func(s string) func() *http.Response {
			return response(200, `{"success":true,"result":{"created":"`+s+`"}}`)
		},
		"the content type":    func(s string) func() *http.Response { return response(200, "", "Content-Type: "+s) },
		"the ray id":          func(s string) func() *http.Response { return response(404, "", "Cf-Ray: "+s) },
		"the name of a limit": func(s string) func() *http.Response { return response(404, "", `Ratelimit: "`+s+`";r=5;t=5`) },
		"a redirect":          func(s string) func() *http.Response { return response(307, "", "Location: https://x/"+s) },
	}
	for place, respond := range places {
		for _, secret := range []string{apiToken, plaintext, headerValue} {
			for how, spelling := range spellings(secret) {
				r := respond(spelling)
				if place == "the content type" || place == "the ray id" {
					r = func() *http.Response { // instead of the usual one
						resp := respond(spelling)()
						for name, values := range resp.Header {
							resp.Header[name] = values[len(values)-1:]
						}
						return resp
					}
				}
				var log strings.Builder
				client := newClient(t, respondWith(r), secretsstore.WithHeader("X-Gateway", headerValue),
					secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 2, BaseBackoff: 1, MaxBackoff: 1}),
					secretsstore.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
				_, resp, err := client.Secrets.Patch(t.Context(), storeID, secretID, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(plaintext)})
				require.NotNil(t, resp)
				assert.NotEmpty(t, log.String())
				assertNoSecret(t, err, log.String()+fmt.Sprintf("%+v %+v %+v %s", resp.Errors, resp.Messages, resp.RateLimit, resp.RayID), place+" "+how)
			}
		}
	}
}

func TestTextWithASecretIsReplacedAsAWhole(t *testing.T) {
	client := newClient(t, respondWith(response(400, `{"success":false,"errors":[{"code":1001,"message":"token `+apiToken+` is bad"},{"code":1003,"message":"secret_name_already_exists: `+apiToken+`"}]}`)))
	_, resp, err := client.Secrets.Get(t.Context(), storeID, secretID)
	assert.ErrorContains(t, err, "400 Bad Request: [REDACTED] (code 1001); [REDACTED] (code 1003)")
	assert.Equal(t, []string{"ErrAlreadyExists"}, matches(err), "classified before it is redacted")
	assert.Equal(t, []secretsstore.Detail{{Code: 1001, Message: "[REDACTED]"}, {Code: 1003, Message: "[REDACTED]"}}, resp.Errors)
	assert.Contains(t, string(resp.Body), apiToken, "Body is raw")
}

func TestServerTextIsOneBoundedLine(t *testing.T) {
	ray := strings.Repeat("f", 200<<10)
	const text = "x\x1b[31m\\ny\u202ez\u2028\u200b"
	_, resp, err := newClient(t, respondWith(func() *http.Response {
		r := response(400, `{"success":false,"errors":[{"message":"`+strings.ReplaceAll(text, "\x1b", `\u001b`)+`"}]}`)()
		r.Header.Set("Cf-Ray", ray)
		return r
	})).Secrets.Get(t.Context(), "s", "x", secretsstore.WithAccountID("a"))
	assert.EqualError(t, err, "secretsstore: GET /accounts/a/secrets_store/stores/s/secrets/x: 400 Bad Request: x [31m y z  ")
	assert.Empty(t, resp.RayID)

	_, _, err = newClient(t, respondWith(func() *http.Response {
		r := response(200, "<html>"+strings.ReplaceAll(text, `\n`, "\n"))()
		r.Header.Set("Content-Type", "text/html\x1b"+ray)
		r.Header.Set("Cf-Ray", "a b")
		return r
	})).Secrets.Get(t.Context(), "s", "x", secretsstore.WithAccountID("a"))
	assert.ErrorContains(t, err, `(content type "text/html `+ray[:70]+`…"): body: <html>x [31m y z  `)
}
