// Package peers puts three clients behind one interface, so that the same calls
// can be timed through each.
package peers

import (
	"context"
	"net/http"

	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/secrets_store"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/canned"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/handwritten"
)

// Peer is a client of the store that package canned answers for.
type Peer interface {
	// Patch changes the comment and scopes of a secret.
	Patch(ctx context.Context, comment string) error
	// List goes through all secrets of the store and returns how many there are.
	List(ctx context.Context) (int, error)
}

// The names of the peers.
const (
	Ours         = "secretsstore-go"
	CloudflareGo = "cloudflare-go"
	HandWritten  = "hand-written"
)

// Names are all peers.
var Names = []string{Ours, CloudflareGo, HandWritten}

// New makes the peer of that name. A nil transport is the one that the peer takes
// by itself: that is what most of its users have.
func New(name, baseURL string, rt http.RoundTripper) Peer {
	switch name {
	case Ours:
		opts := []secretsstore.Option{
			secretsstore.WithBaseURL(baseURL),
			secretsstore.WithAPIToken(canned.Token),
			secretsstore.WithAccountID(canned.AccountID),
		}
		if rt != nil {
			opts = append(opts, secretsstore.WithHTTPClient(&http.Client{Transport: rt}))
		}
		c, err := secretsstore.NewClient(opts...)
		if err != nil {
			panic(err)
		}
		return ours{c}
	case CloudflareGo:
		opts := []option.RequestOption{option.WithBaseURL(baseURL), option.WithAPIToken(canned.Token)}
		if rt != nil {
			opts = append(opts, option.WithHTTPClient(&http.Client{Transport: rt}))
		}
		return cloudflareGo{secrets_store.NewStoreSecretService(opts...)}
	case HandWritten:
		return handWritten{handwritten.New(baseURL, canned.Token, canned.AccountID, rt)}
	}
	panic("no peer is called " + name)
}

type ours struct{ c *secretsstore.Client }

func (p ours) Patch(ctx context.Context, comment string) error {
	_, _, err := p.c.Secrets.Patch(ctx, canned.StoreID, canned.SecretID, secretsstore.SecretPatch{
		Comment: &comment,
		Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway},
	})
	return err
}

func (p ours) List(ctx context.Context) (n int, err error) {
	for _, err := range p.c.Secrets.All(ctx, canned.StoreID, nil) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

type cloudflareGo struct {
	s *secrets_store.StoreSecretService
}

// The type of the parameters' fields can't be named without the module's root
// package, whose build takes minutes; so the fields are set one by one.

func (p cloudflareGo) Patch(ctx context.Context, comment string) error {
	var params secrets_store.StoreSecretEditParams
	params.AccountID.Value, params.AccountID.Present = canned.AccountID, true
	params.Comment.Value, params.Comment.Present = comment, true
	params.Scopes.Value = []secrets_store.StoreSecretEditParamsScope{
		secrets_store.StoreSecretEditParamsScopeWorkers, secrets_store.StoreSecretEditParamsScopeAIGateway,
	}
	params.Scopes.Present = true
	_, err := p.s.Edit(ctx, canned.StoreID, canned.SecretID, params)
	return err
}

func (p cloudflareGo) List(ctx context.Context) (n int, err error) {
	var params secrets_store.StoreSecretListParams
	params.AccountID.Value, params.AccountID.Present = canned.AccountID, true
	params.PerPage.Value, params.PerPage.Present = 100, true
	pager := p.s.ListAutoPaging(ctx, canned.StoreID, params)
	for pager.Next() {
		n++
	}
	return n, pager.Err()
}

type handWritten struct{ c *handwritten.Client }

func (p handWritten) Patch(ctx context.Context, comment string) error {
	_, err := p.c.PatchSecret(ctx, canned.StoreID, canned.SecretID, handwritten.Patch{
		Comment: &comment, Scopes: []string{"workers", "ai_gateway"},
	})
	return err
}

func (p handWritten) List(ctx context.Context) (n int, err error) {
	err = p.c.EachSecret(ctx, canned.StoreID, func(*handwritten.Secret) { n++ })
	return n, err
}
