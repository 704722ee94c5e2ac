package secretsstoretest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const (
	accountID = "023e105f4ecef8ad9ca31a8372d0c353"
	token     = "the-servers-own-token"
	email     = "user@example.com"
	apiKey    = "144c9defac04969c7bfad8efaa8ea194"
	value     = "s3cret-of-TAKEN"
	unknownID = "ffffffffffffffffffffffffffffffff"
	epoch     = "2000-01-01T00:00:00.000000Z" // the time at which a synctest bubble starts
)

// emulator is a server with the store "production", which holds the secret TAKEN.
type emulator struct {
	*secretsstoretest.Server
	transport     http.RoundTripper
	store, secret string
}

// newEmulator returns an emulator that is reached over Transport.
func newEmulator(t testing.TB, opts ...secretsstoretest.ServerOption) *emulator {
	t.Helper()
	e := newListening(t, append(opts, secretsstoretest.WithoutListener())...)
	e.transport = e.Transport()
	return e
}

// newListening returns an emulator that is reached over a socket.
func newListening(t testing.TB, opts ...secretsstoretest.ServerOption) *emulator {
	t.Helper()
	srv := secretsstoretest.NewServer(append(opts,
		secretsstoretest.WithAccountID(accountID),
		secretsstoretest.WithAPIToken(token),
		secretsstoretest.WithAPIKey(email, apiKey),
	)...)
	t.Cleanup(srv.Close)
	e := &emulator{Server: srv, transport: &http.Transport{DisableKeepAlives: true}}
	e.store = srv.AddStore("production").ID
	e.secret = srv.AddSecret(e.store, secretsstore.SecretCreate{
		Name: "TAKEN", Comment: "seeded", Value: secretsstore.NewSecretValue(value),
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeDEX},
	}).ID
	return e
}

// overBoth runs a test over a socket and over Transport.
func overBoth(t *testing.T, test func(t *testing.T, e *emulator)) {
	t.Helper()
	t.Run("socket", func(t *testing.T) { test(t, newListening(t)) })
	t.Run("transport", func(t *testing.T) { test(t, newEmulator(t)) })
}

// received is a response whose body was read to its end.
type received struct {
	status  int
	header  http.Header
	body    string
	bodyErr error
}

// request returns a request with the server's token. "PATCH /stores/STORE/secrets/SECRET"
// is relative to the account, and names the emulator's store and secret. A path that starts
// with /client is complete. Headers are "Name: value", and replace the token.
func (e *emulator) request(t testing.TB, methodAndPath, body string, headers ...string) *http.Request {
	t.Helper()
	method, path, _ := strings.Cut(methodAndPath, " ")
	path = strings.NewReplacer("STORE", e.store, "SECRET", e.secret).Replace(path)
	base := strings.TrimSuffix(e.URL, "/client/v4")
	if !strings.HasPrefix(path, "/client") {
		base = e.URL + "/accounts/" + accountID + "/secrets_store"
	}
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(strings.NewReplacer("SECRET", e.secret).Replace(body))
	}
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, reader)
	require.NoError(t, err)
	if headers == nil {
		headers = []string{"Authorization: Bearer " + token}
	}
	for _, h := range headers {
		if name, value, ok := strings.Cut(h, ": "); ok {
			r.Header.Add(name, value)
		}
	}
	return r
}

// try sends a request that may fail.
func (e *emulator) try(r *http.Request) (*received, error) {
	res, err := e.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, bodyErr := io.ReadAll(res.Body)
	_ = res.Body.Close()
	return &received{res.StatusCode, res.Header, string(body), bodyErr}, nil
}

// send sends a request that must receive a response.
func (e *emulator) send(t testing.TB, methodAndPath, body string, headers ...string) *received {
	t.Helper()
	got, err := e.try(e.request(t, methodAndPath, body, headers...))
	require.NoError(t, err)
	require.NoError(t, got.bodyErr)
	return got
}

// comment returns the comment of the secret TAKEN, to tell whether a patch was applied.
func (e *emulator) comment() string { return e.Secrets(e.store)[0].Comment }

// success and failure return the literal body of a response.
func success(result, info string) string {
	if info != "" {
		info = `,"result_info":` + info
	}
	return `{"success":true,"errors":[],"messages":[],"result":` + result + info + `}`
}

func failure(code int, message string) string {
	return fmt.Sprintf(`{"success":false,"errors":[{"code":%d,"message":%q}],"messages":[],"result":null}`, code, message)
}

const onePage = `{"count":1,"page":1,"per_page":20,"total_count":1,"total_pages":1}`
