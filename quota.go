package secretsstore

import (
	"context"
	"errors"
	"net/http"
)

// QuotaService tells how much of the account's quota is used. It is safe for
// concurrent use; get it from [Client.Quota].
type QuotaService struct {
	c *core
}

// Usage is what an account uses of its quota.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/quota/
type Usage struct {
	Secrets ResourceUsage `json:"secrets"`
}

// ResourceUsage is the use of one kind of thing.
type ResourceUsage struct {
	Quota int `json:"quota"` // how many there can be
	Usage int `json:"usage"` // how many there are
}

// Get returns how many secrets the account has, and how many it can have.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/quota/methods/get/
func (s *QuotaService) Get(ctx context.Context, opts ...RequestOption) (*Usage, *Response, error) {
	op := operation{method: http.MethodGet, route: accountRoute + "/quota", repeatable: true}
	usage, resp, err := call[usageResult](ctx, s.c, op, opts)
	if err != nil {
		return nil, resp, err
	}
	return &Usage{Secrets: ResourceUsage{Quota: int(*usage.Secrets.Quota), Usage: int(*usage.Secrets.Usage)}}, resp, nil
}

// usageResult is Usage as the API may write it: with numbers such as 10.0.
type usageResult struct {
	Secrets struct {
		Quota *float64 `json:"quota"`
		Usage *float64 `json:"usage"`
	} `json:"secrets"`
}

func (u *usageResult) check() error {
	for _, n := range []*float64{u.Secrets.Quota, u.Secrets.Usage} {
		if n == nil || !isCount(*n) {
			return errors.New("a usage without its numbers")
		}
	}
	return nil
}
