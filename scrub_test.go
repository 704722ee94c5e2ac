package secretsstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// What reads a server's answer repeats it in errors: net/http and encoding/json do.
func TestErrorsOfOthersHideWhatTheServerEchoes(t *testing.T) {
	for name, answer := range map[string]string{
		"a status":                     "HTTP/1.1 %s OK\r\n\r\n",
		"a protocol":                   "%s 200 OK\r\n\r\n",
		"a header line":                "HTTP/1.1 200 OK\r\nno colon %s\r\n\r\n",
		"a length":                     "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"an encoding":                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"a date":                       "HTTP/1.1 200 OK\r\n\r\n" + `{"success":true,"result":{"id":"x","created":"%s"}}`,
		"a status that is tried again": "HTTP/1.1 502 x\r\n\r\n%s",
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					req, err := http.ReadRequest(bufio.NewReader(conn))
					if err == nil {
						_, _ = io.Copy(io.Discard, req.Body)
						_, _ = fmt.Fprintf(conn, answer, hidden+strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
					}
					_ = conn.Close()
				}
			}()
			var logged strings.Builder
			c, err := secretsstore.NewClient(secretsstore.WithAPIToken(apiToken), secretsstore.WithAccountID(accountID),
				secretsstore.WithBaseURL("http://"+listener.Addr().String()),
				secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 2, MaxBackoff: 1}),
				secretsstore.WithLogger(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))))
			require.NoError(t, err)
			_, _, err = c.Secrets.Patch(t.Context(), storeID, secretID, valuePatch)
			require.Error(t, err)
			for at := err; at != nil; at = errors.Unwrap(at) {
				assertHidden(t, at)
				assert.NotContains(t, at.Error(), apiToken)
			}
			assert.NotEmpty(t, logged.String())
			assert.NotContains(t, logged.String(), hidden)
			assert.NotContains(t, logged.String(), apiToken)
		})
	}
}

// An error whose text was changed is still what it was.
func TestScrubbedErrorsAreWhatTheyWere(t *testing.T) {
	cause := &net.OpError{Op: "read", Err: fmt.Errorf("%w: %s", io.ErrUnexpectedEOF, hidden)}
	w := &wire{answer: func(*http.Request) (*http.Response, error) { return nil, cause }}
	_, _, err := newClient(t, w).Secrets.Patch(t.Context(), storeID, secretID, valuePatch)
	assertHidden(t, err)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	assert.Equal(t, "read", op.Op)
	assert.ErrorContains(t, err, "[REDACTED]")
}

func TestErrorsHideEachWayToWriteASecret(t *testing.T) {
	const value = "p\u00e4ss/word+\"<\U0001f511>\"\x01\ttab"
	for name, spelling := range map[string]string{
		"as it is":        value,
		"quoted":          strconv.Quote(value),
		"quoted as ASCII": strconv.QuoteToASCII(value),
		"as JSON":         "p\u00e4ss/word+\\\"<\U0001f511>\\\"\\u0001\\ttab",
		"in a query":      url.QueryEscape(value),
		"in a path":       url.PathEscape(value),
		"for a browser":   "p\u00e4ss/word+\\\"\\u003c\U0001f511\\u003e\\\"\\u0001\\ttab",
	} {
		_, _, err := newClient(t, answering(400, "<html>"+spelling+"</html>")).Secrets.Patch(t.Context(), storeID, secretID,
			secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(value)})
		assert.NotContains(t, fmt.Sprintf("%+v", err), "tab", name)
		assert.ErrorContains(t, err, "[REDACTED]", name)
	}
}

// One value may begin as another one does.
func TestErrorsHideSecretsThatOverlap(t *testing.T) {
	c := newClient(t, answering(400, failure(1001, "bad: "+hidden+"-and-its-remainder "+hidden)))
	_, _, err := c.Secrets.Create(t.Context(), storeID, []secretsstore.SecretCreate{
		{Name: "A", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue(hidden)},
		{Name: "B", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue(hidden + "-and-its-remainder")},
	})
	require.ErrorContains(t, err, "bad: [REDACTED] [REDACTED] [1001]")
}

// An answer that breaks off may do so within a value.
func TestErrorsHideTheStartOfASecret(t *testing.T) {
	for name, body := range map[string]string{
		"a body":         `{"success":true,"result":{"value":"` + hidden[:len(hidden)-2],
		"what is shown":  "<html>" + strings.Repeat(" ", 2048-6-10) + hidden,
		"a few bytes":    `{"value":"` + hidden[:4],
		"half an escape": `{"value":"` + hidden[:9] + `\u00`,
	} {
		for _, status := range []int{200, 400} {
			_, _, err := newClient(t, answering(status, body)).Secrets.Patch(t.Context(), storeID, secretID, secretsstore.SecretPatch{
				Value: secretsstore.NewSecretValue(map[bool]string{false: hidden, true: hidden[:9] + "\x01"}[name == "half an escape"])})
			assert.NotContains(t, fmt.Sprintf("%+v %+v", err, errors.Unwrap(err)), hidden[:4], name)
			var apiErr *secretsstore.APIError
			if errors.As(err, &apiErr) {
				assert.NotContains(t, apiErr.Body, hidden[:4], name)
				assert.LessOrEqual(t, len(apiErr.Body), 2048+len("…"))
			}
			var unreadable *secretsstore.ResponseError
			if errors.As(err, &unreadable) {
				assert.NotContains(t, unreadable.Body, hidden[:4], name)
			}
		}
	}
}

type newTokenEachTime struct{ n int }

func (r *newTokenEachTime) Token(context.Context) (string, error) {
	r.n++
	return fmt.Sprintf("rotating-token-%d", r.n), nil
}

func TestErrorsHideTheCredentialOfEachAttempt(t *testing.T) {
	n := 0
	w := &wire{answer: func(*http.Request) (*http.Response, error) {
		if n++; n == 1 {
			return response(500, failure(1000, "internal")), nil
		}
		return response(403, failure(9109, "not rotating-token-1, not rotating-token-2")), nil
	}}
	c := newClient(t, w, secretsstore.WithTokenSource(new(newTokenEachTime)), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 2, MaxBackoff: 1}))
	_, _, err := c.Secrets.Get(t.Context(), storeID, secretID)
	require.ErrorContains(t, err, "not [REDACTED], not [REDACTED] [9109]")
}

func TestErrorsHideSecretsInAllTheirParts(t *testing.T) {
	w := &wire{answer: func(*http.Request) (*http.Response, error) {
		resp := response(429, `{"success":false,"errors":[],"messages":[{"message":"m","documentation_url":"https://d/?`+hidden+`","source":{"pointer":"/`+hidden+`"}}]}`)
		resp.Header["Ratelimit"] = []string{`"` + hidden + `";r=5;t=5`}
		return resp, nil
	}}
	_, resp, err := newClient(t, w).Secrets.Patch(t.Context(), storeID, secretID, valuePatch)
	assertHidden(t, err)
	var apiErr *secretsstore.APIError
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, &secretsstore.RateLimit{Name: "[REDACTED]", Remaining: 5, Reset: 5 * time.Second}, apiErr.RateLimit)
	assert.Equal(t, hidden, resp.RateLimit.Name, "the answer is as it came")
	assert.Equal(t, "https://d/?[REDACTED]", apiErr.Messages[0].DocumentationURL)
}
