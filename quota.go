package secretsstore

import (
	"context"
	"errors"
	"net/http"

	"github.com/seed-57d84f87/secretsstore-go/internal/lenient"
)

// QuotaService reads the account's quota. It is safe for concurrent use. The zero
// QuotaService is not usable; see [Client].
type QuotaService struct{ core *core }

// A Quota reports how many secrets an account may have and how many it has.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/quota/
type Quota struct {
	Secrets ResourceQuota `json:"secrets"`
}

// A ResourceQuota is the quota of one kind of resource.
type ResourceQuota struct {
	Quota int `json:"quota"` // the maximum
	Usage int `json:"usage"` // how many exist
}

// Get returns the account's quota.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/quota/methods/get/
func (s *QuotaService) Get(ctx context.Context, opts ...RequestOption) (*Quota, *Response, error) {
	wire, resp, err := do[quotaWire](ctx, s.core, operation{method: http.MethodGet, route: accountRoute + "/quota", idempotent: true}, opts)
	if err != nil {
		return nil, resp, err
	}
	return &Quota{Secrets: ResourceQuota{Quota: wire.Secrets.Quota.Value, Usage: wire.Secrets.Usage.Value}}, resp, nil
}

// quotaWire is a Quota as the API sends it.
type quotaWire struct {
	Secrets struct {
		Quota lenient.Int `json:"quota"`
		Usage lenient.Int `json:"usage"`
	} `json:"secrets"`
}

func (w *quotaWire) complete() error {
	if !w.Secrets.Quota.Valid || !w.Secrets.Usage.Valid {
		return errors.New("quota or usage of secrets is not a number")
	}
	return nil
}
