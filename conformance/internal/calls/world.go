// Package calls has every operation of the API as two clients call it, ours and
// cloudflare-go, and a world to call them in.
package calls

import (
	"net/http"
	"net/http/httptest"

	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/secrets_store"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/wire"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// BasePath is where the paths of the API begin.
const BasePath = "/client/v4"

// World is an emulator behind a recorder. Two that are made in the same way have the
// same ids, and so the same calls mean the same requests there.
type World struct {
	Server   *secretsstoretest.Server
	Recorder *wire.Recorder
	URL      string

	Store  string // holds two secrets
	Empty  string // holds none
	Secret string
	Second string

	http *httptest.Server
}

// NewWorld starts one. change may be nil; see [wire.Record].
func NewWorld(change func(*wire.Answer), opts ...secretsstoretest.ServerOption) *World {
	srv := secretsstoretest.NewServer(append([]secretsstoretest.ServerOption{
		secretsstoretest.WithoutListener(), secretsstoretest.WithMaxStores(0), secretsstoretest.WithMaxSecrets(0),
		secretsstoretest.WithAccountID("985e105f4ecef8ad9ca31a8372d0c353"),
		secretsstoretest.WithAPIToken("token-of-the-world"), secretsstoretest.WithAPIKey("user@example.com", "key-of-the-world"),
	}, opts...)...)
	w := &World{Server: srv, Recorder: wire.Record(srv.Handler(), change)}
	w.http = httptest.NewServer(w.Recorder)
	w.URL = w.http.URL + BasePath
	w.Store, w.Empty = srv.AddStore("production").ID, srv.AddStore("empty").ID
	w.Secret = srv.AddSecret(w.Store, newSecret("FIRST", "the first")).ID
	w.Second = srv.AddSecret(w.Store, newSecret("SECOND", "")).ID
	return w
}

// Close stops it.
func (w *World) Close() { w.http.Close() }

func newSecret(name, comment string) secretsstore.SecretCreate {
	return secretsstore.SecretCreate{
		Name: name, Comment: comment, Value: secretsstore.NewSecretValue("value of " + name),
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway},
	}
}

// Credentials are what a client signs in with: a token, or email and key.
type Credentials struct {
	Token, Email, Key string
}

// Token and Key are the world's own credentials, of both kinds.
func (w *World) Token() Credentials { return Credentials{Token: w.Server.APIToken} }

// Key is the older kind.
func (w *World) Key() Credentials { return Credentials{Email: w.Server.Email, Key: w.Server.APIKey} }

// Ours returns our client, over rt unless that is nil. It tries once.
func (w *World) Ours(cred Credentials, rt http.RoundTripper, opts ...secretsstore.Option) *secretsstore.Client {
	sign := secretsstore.WithAPIToken(cred.Token)
	if cred.Token == "" {
		sign = secretsstore.WithAPIKey(cred.Email, cred.Key)
	}
	if rt == nil {
		rt = w.http.Client().Transport
	}
	c, err := secretsstore.NewClient(append([]secretsstore.Option{
		sign, secretsstore.WithBaseURL(w.URL), secretsstore.WithAccountID(w.Server.AccountID),
		secretsstore.WithHTTPClient(&http.Client{Transport: rt}),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}),
	}, opts...)...)
	if err != nil {
		panic(err)
	}
	return c
}

// Theirs returns cloudflare-go's client, which tries once too.
func (w *World) Theirs(cred Credentials, opts ...option.RequestOption) *secrets_store.SecretsStoreService {
	sign := []option.RequestOption{option.WithAPIToken(cred.Token)}
	if cred.Token == "" {
		sign = []option.RequestOption{option.WithAPIEmail(cred.Email), option.WithAPIKey(cred.Key)}
	}
	return secrets_store.NewSecretsStoreService(append(append(sign,
		option.WithBaseURL(w.URL), option.WithMaxRetries(0), option.WithHTTPClient(w.http.Client())), opts...)...)
}
