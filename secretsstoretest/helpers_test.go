package secretsstoretest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const (
	accountID = "023e105f4ecef8ad9ca31a8372d0c353"
	token     = "the-servers-own-token"
	email     = "user@example.com"
	apiKey    = "144c9defac04969c7bfad8efaa8ea194"
	account   = "/client/v4/accounts/" + accountID + "/secrets_store"
	unknown   = "ffffffffffffffffffffffffffffffff"
	// created is what the fixed clock says, as the API writes it.
	created = "2025-01-02T03:04:05.678900Z"
)

// fixed returns the options of a server whose answers can be written down: ids count
// up from id-1, the clock stands still.
func fixed(opts ...secretsstoretest.ServerOption) []secretsstoretest.ServerOption {
	n := 0
	return append([]secretsstoretest.ServerOption{
		secretsstoretest.WithAccountID(accountID),
		secretsstoretest.WithAPIToken(token),
		secretsstoretest.WithAPIKey(email, apiKey),
		secretsstoretest.WithClock(func() time.Time {
			return time.Date(2025, 1, 2, 4, 4, 5, 678_900_999, time.FixedZone("CET", 3600))
		}),
		secretsstoretest.WithIDSource(func() string { n++; return fmt.Sprintf("id-%d", n) }),
	}, opts...)
}

// newServer starts a fixed server without a port.
func newServer(t testing.TB, opts ...secretsstoretest.ServerOption) *secretsstoretest.Server {
	t.Helper()
	srv := secretsstoretest.NewServer(fixed(append(opts, secretsstoretest.WithoutListener())...)...)
	t.Cleanup(srv.Close)
	return srv
}

// received is an answer, read to its end.
type received struct {
	status  int
	header  http.Header
	body    string
	bodyErr error
}

// sender sends requests to a server, over its socket or over its Transport.
type sender struct {
	base string // up to and without /client/v4
	rt   http.RoundTripper
}

func over(srv *secretsstoretest.Server) sender {
	return sender{strings.TrimSuffix(srv.URL, "/client/v4"), srv.Transport()}
}

// bothWays runs a test over the socket of a new server, and over the Transport of another.
func bothWays(t *testing.T, opts []secretsstoretest.ServerOption, test func(t *testing.T, srv *secretsstoretest.Server, send sender)) {
	t.Helper()
	t.Run("over a socket", func(t *testing.T) {
		srv := secretsstoretest.NewServer(opts...)
		defer srv.Close()
		rt := &http.Transport{DisableKeepAlives: true}
		test(t, srv, sender{strings.TrimSuffix(srv.URL, "/client/v4"), rt})
	})
	t.Run("over Transport", func(t *testing.T) {
		srv := secretsstoretest.NewServer(append(opts, secretsstoretest.WithoutListener())...)
		defer srv.Close()
		test(t, srv, over(srv))
	})
}

// try sends a request with the server's own token; headers are "Name: value" and
// replace it where there are any.
func (s sender) try(ctx context.Context, method, path, body string, headers ...string) (*received, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, reader)
	if err != nil {
		return nil, err
	}
	if headers == nil {
		headers = []string{"Authorization: Bearer " + token}
	}
	for _, h := range headers {
		if name, value, ok := strings.Cut(h, ": "); ok {
			req.Header.Add(name, value)
		}
	}
	res, err := s.rt.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	read, bodyErr := io.ReadAll(res.Body)
	return &received{res.StatusCode, res.Header, string(read), bodyErr}, nil
}

// do is try for a request that must be answered.
func (s sender) do(t testing.TB, method, path, body string, headers ...string) *received {
	t.Helper()
	got, err := s.try(t.Context(), method, path, body, headers...)
	require.NoError(t, err)
	require.NoError(t, got.bodyErr)
	return got
}

// failure is the literal envelope of a refused request.
func failure(code int, message string) string {
	return fmt.Sprintf(`{"success":false,"errors":[{"code":%d,"message":%q}],"messages":[],"result":null}`, code, message)
}

// create is a secret to be made, with the value "s3cret-" and its name.
func create(name string, scopes ...secretsstore.Scope) secretsstore.SecretCreate {
	if scopes == nil {
		scopes = []secretsstore.Scope{secretsstore.ScopeWorkers}
	}
	return secretsstore.SecretCreate{Name: name, Scopes: scopes, Value: secretsstore.NewSecretValue("s3cret-" + name)}
}

// steppingClock goes on by step each time it is asked.
func steppingClock(start time.Time, step time.Duration) func() time.Time {
	var mu sync.Mutex
	now := start
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(step)
		return now
	}
}
