package secretsstore_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

const (
	accountID = "985e105f4ecef8ad9ca31a8372d0c353"
	storeID   = "023e105f4ecef8ad9ca31a8372d0c353"
	secretID  = "3fd85f74b32742f1bff64a85009dda07"
	apiToken  = "token-abcdefghijklmnopqrstuvwxyz"
	baseURL   = "https://api.example.com/client/v4"
)

// exchange is a request as it was sent.
type exchange struct {
	method, url string
	header      http.Header
	body        string
}

// wire is a transport that records what is sent and answers from a function.
type wire struct {
	mu     sync.Mutex
	sent   []exchange
	answer func(*http.Request) (*http.Response, error)
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := exchange{method: req.Method, url: req.URL.String(), header: req.Header.Clone()}
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		sent.body = string(b)
		_ = req.Body.Close()
	}
	w.mu.Lock()
	w.sent = append(w.sent, sent)
	w.mu.Unlock()
	return w.answer(req)
}

// response is an answer with that body, as the API sends it.
func response(status int, body string) *http.Response {
	return &http.Response{
		StatusCode:    status,
		Header:        http.Header{"Content-Type": {"application/json"}, "Cf-Ray": {"8f00c0ffee-AMS"}},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}

// answering is a wire that gives each request the same answer.
func answering(status int, body string) *wire {
	return &wire{answer: func(*http.Request) (*http.Response, error) { return response(status, body), nil }}
}

// newClient makes a client that sends to rt, and never waits for a retry unless
// an option says so.
func newClient(t testing.TB, rt http.RoundTripper, opts ...secretsstore.Option) *secretsstore.Client {
	t.Helper()
	c, err := secretsstore.NewClient(append([]secretsstore.Option{
		secretsstore.WithAPIToken(apiToken),
		secretsstore.WithAccountID(accountID),
		secretsstore.WithBaseURL(baseURL),
		secretsstore.WithHTTPClient(&http.Client{Transport: rt}),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}),
	}, opts...)...)
	require.NoError(t, err)
	return c
}

// noEnvironment takes away what the machine may say.
func noEnvironment(t *testing.T) {
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_BASE_URL"} {
		t.Setenv(name, "")
	}
}

func read(t testing.TB, r io.Reader) string {
	t.Helper()
	var b bytes.Buffer
	_, err := b.ReadFrom(r)
	require.NoError(t, err)
	return b.String()
}
