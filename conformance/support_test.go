package conformance

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/secrets_store"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// A world is an emulator on a socket, with two stores and two secrets, whose exchanges are
// recorded. Two worlds with the same requests have the same ids.
type world struct {
	*secretsstoretest.Server
	url                          string
	store, empty, first, another string // ids

	mu        sync.Mutex
	exchanges []exchange
}

// An exchange is a request as it arrived and its response as it was sent.
type exchange struct {
	request *http.Request // its body is read
	body    []byte
	status  int
	header  http.Header
	result  []byte
}

func newWorld(t testing.TB, opts ...secretsstoretest.ServerOption) *world {
	t.Helper()
	srv := secretsstoretest.NewServer(append([]secretsstoretest.ServerOption{
		secretsstoretest.WithoutListener(), secretsstoretest.WithMaxStores(0), secretsstoretest.WithMaxSecrets(0),
		secretsstoretest.WithAccountID("985e105f4ecef8ad9ca31a8372d0c353"),
		secretsstoretest.WithAPIToken("token-of-the-world"), secretsstoretest.WithAPIKey("user@example.com", "key-of-the-world"),
	}, opts...)...)
	w := &world{Server: srv}
	listener := httptest.NewServer(w)
	t.Cleanup(listener.Close)
	w.url = listener.URL + "/client/v4"
	w.store, w.empty = srv.AddStore("production").ID, srv.AddStore("empty").ID
	w.first, w.another = w.addSecret("FIRST"), w.addSecret("ANOTHER")
	return w
}

func (w *world) addSecret(name string) string {
	return w.AddSecret(w.store, secretsstore.SecretCreate{
		Name: name, Comment: "old", Value: secretsstore.NewSecretValue("old"), Scopes: []secretsstore.Scope{"workers", "ai_gateway"},
	}).ID
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	x := exchange{request: r.Clone(r.Context()), body: body}
	r.Body = io.NopCloser(bytes.NewReader(body))
	recorder := httptest.NewRecorder()
	w.Handler().ServeHTTP(recorder, r)
	x.status, x.header, x.result = recorder.Code, recorder.Header(), recorder.Body.Bytes()
	w.mu.Lock()
	w.exchanges = append(w.exchanges, x)
	w.mu.Unlock()
	maps.Copy(rw.Header(), x.header)
	rw.WriteHeader(x.status)
	_, _ = rw.Write(x.result)
}

// take returns the exchanges since it was last called.
func (w *world) take() []exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.exchanges
	w.exchanges = nil
	return taken
}

// ours returns a client of this library that makes one attempt.
func (w *world) ours(opts ...secretsstore.Option) *secretsstore.Client {
	return w.Client(append([]secretsstore.Option{
		secretsstore.WithBaseURL(w.url), secretsstore.WithHTTPClient(&http.Client{}),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1, BaseBackoff: time.Millisecond}),
	}, opts...)...)
}

// theirs returns a client of cloudflare-go that makes one attempt.
func (w *world) theirs(opts ...option.RequestOption) *secrets_store.SecretsStoreService {
	return secrets_store.NewSecretsStoreService(append([]option.RequestOption{
		option.WithBaseURL(w.url), option.WithAPIToken(w.APIToken), option.WithMaxRetries(0),
	}, opts...)...)
}

// set gives a parameter of cloudflare-go a value. The type of a parameter is internal, and
// the function that returns one is in the root package, whose build takes minutes.
func set[T any](value *T, present *bool, to T) { *value, *present = to, true }
