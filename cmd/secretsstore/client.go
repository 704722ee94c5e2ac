package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// newClient returns a client of the account in the environment or, with --demo, of an
// in-memory store. wrap, if not nil, wraps its transport.
func (a *app) newClient(wrap func(http.RoundTripper) http.RoundTripper) (*secretsstore.Client, error) {
	opts, transport := []secretsstore.Option{secretsstore.WithUserAgent("secretsstore-cli")}, a.transport
	if a.verbose {
		handler := slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelDebug})
		opts = append(opts, secretsstore.WithLogger(slog.New(handler)))
	}
	if a.demo {
		srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
		seedDemo(srv)
		transport = srv.Transport()
		opts = append(opts, secretsstore.WithBaseURL(srv.URL), secretsstore.WithAPIToken(srv.APIToken), secretsstore.WithAccountID(srv.AccountID))
	} else if a.accountID != "" {
		opts = append(opts, secretsstore.WithAccountID(a.accountID))
	}
	if wrap != nil {
		transport = wrap(cmp.Or(transport, http.DefaultTransport))
	}
	if transport != nil {
		opts = append(opts, secretsstore.WithHTTPClient(&http.Client{Transport: transport}))
	}
	client, err := secretsstore.NewClient(opts...)
	if errors.Is(err, secretsstore.ErrNoCredentials) {
		err = fmt.Errorf("%w; set CLOUDFLARE_ACCOUNT_ID too, or use --demo for an in-memory store", err)
	}
	return client, err
}

// seedDemo fills the store of --demo.
func seedDemo(srv *secretsstoretest.Server) {
	store := srv.AddStore("demo")
	for _, secret := range []secretsstore.SecretCreate{
		{Name: "AI_GATEWAY_OPENAI_KEY", Scopes: []secretsstore.Scope{"ai_gateway"}, Comment: "owner: ml"},
		{Name: "PAYMENTS_API_KEY", Scopes: []secretsstore.Scope{"workers"}, Comment: "owner: payments"},
		{Name: "PAYMENTS_WEBHOOK_SECRET", Scopes: []secretsstore.Scope{"workers"}},
		{Name: "SESSION_KEY", Scopes: []secretsstore.Scope{"access", "workers"}, Comment: "signs cookies"},
	} {
		secret.Value = secretsstore.NewSecretValue("demo-value")
		srv.AddSecret(store.ID, secret)
	}
}

// findStore returns the store that name, a name or an id, means. "" means the only store.
func findStore(ctx context.Context, client *secretsstore.Client, name string) (*secretsstore.Store, error) {
	if name != "" {
		store, err := client.Stores.FindByName(ctx, name)
		if errors.Is(err, secretsstore.ErrStoreNotFound) {
			byID, _, getErr := client.Stores.Get(ctx, name)
			if getErr == nil || !isNoStore(getErr) {
				return byID, getErr
			}
		}
		return store, err
	}
	var only *secretsstore.Store
	var names []string
	for store, err := range client.Stores.All(ctx, nil) {
		if err != nil {
			return nil, err
		}
		only = store
		names = append(names, plain(store.Name))
	}
	switch len(names) {
	case 0:
		return nil, fmt.Errorf("%w: the account has no store", secretsstore.ErrStoreNotFound)
	case 1:
		return only, nil
	}
	return nil, usageError("the account has several stores, use --store with one of: %s", strings.Join(names, ", "))
}

// isNoStore reports whether err, of a Get, means that there is no store with this id.
func isNoStore(err error) bool {
	return errors.Is(err, secretsstore.ErrNotFound) || errors.Is(err, secretsstore.ErrInvalidRequest) || errors.Is(err, secretsstore.ErrInvalidArgument)
}

// open returns a client, and the store that --store or, without it, name means.
func (a *app) open(ctx context.Context, name string) (*secretsstore.Client, *secretsstore.Store, error) {
	client, err := a.newClient(nil)
	if err != nil {
		return nil, nil, err
	}
	store, err := findStore(ctx, client, cmp.Or(a.storeName, name))
	return client, store, err
}

// readSecrets returns the secrets of a store that are not deleted, the oldest first: what
// is created meanwhile then moves none of them to another page.
func readSecrets(ctx context.Context, client *secretsstore.Client, storeID string) (secrets []*secretsstore.Secret, err error) {
	list := &secretsstore.SecretListOptions{Order: secretsstore.OrderCreated, Direction: secretsstore.Ascending}
	for secret, err := range client.Secrets.All(ctx, storeID, list) {
		if err != nil {
			return nil, err
		}
		if secret.Status != secretsstore.SecretStatusDeleted {
			secrets = append(secrets, secret)
		}
	}
	return secrets, nil
}
