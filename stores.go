package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// StoresService has the calls for the stores of an account. It is safe for
// concurrent use; get it from [Client.Stores].
type StoresService struct {
	c *core
}

// The routes of the stores of an account.
const (
	storesRoute = accountRoute + "/stores"
	storeRoute  = storesRoute + "/{store_id}"
)

// Store is a store as the API describes it.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/
type Store struct {
	// ID identifies the store: at most 32 characters, in practice hexadecimal digits.
	ID string `json:"id"`
	// AccountID is the account that owns it; "" where the API did not say.
	AccountID string `json:"account_id,omitempty"`
	// Name is the store's name.
	Name string `json:"name"`
	// Created and Modified are in UTC, to the microsecond.
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

// StoreDeleteOptions say what [StoresService.Delete] does with a store that has
// secrets.
type StoreDeleteOptions struct {
	// Force deletes the store's secrets with it. Without it a store that has secrets
	// stays, and the error is ErrStoreNotEmpty.
	Force bool `url:"force,omitempty"`
}

// List returns one page of the account's stores; nil options mean the API's
// defaults. Options that can't be right are [ErrInvalidArgument].
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/methods/list/
func (s *StoresService) List(ctx context.Context, list *StoreListOptions, opts ...RequestOption) ([]*Store, *Response, error) {
	var options StoreListOptions
	if list != nil {
		options = *list
	}
	if err := options.check(); err != nil {
		return nil, nil, err
	}
	op := operation{method: http.MethodGet, route: storesRoute, repeatable: true}
	return listPage[*Store](ctx, s.c, op, options, opts)
}

// All returns every store of the account, page by page, 100 a page unless list
// says otherwise. An error ends it and is yielded once; it can come after some of
// the stores. An answer that contradicts itself is [ErrInvalidResponse].
func (s *StoresService) All(ctx context.Context, list *StoreListOptions, opts ...RequestOption) iter.Seq2[*Store, error] {
	var options StoreListOptions
	if list != nil {
		options = *list
	}
	return allPages(options.Page, options.PerPage, func(page, perPage int) ([]*Store, *Response, error) {
		options := options
		options.Page, options.PerPage = page, perPage
		return s.List(ctx, &options, opts...)
	})
}

// Get returns a store.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/
func (s *StoresService) Get(ctx context.Context, storeID string, opts ...RequestOption) (*Store, *Response, error) {
	op := operation{method: http.MethodGet, route: storeRoute, ids: [2]string{storeID}, repeatable: true}
	return call[Store](ctx, s.c, op, opts)
}

// Create makes a store. An account has few of them: one while the Secrets Store is
// in beta, and past that the error is [ErrQuotaExceeded]; [StoresService.Ensure]
// takes the store that is there. A call that may have been done all the same is
// [ErrOutcomeUnknown].
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/methods/create/
func (s *StoresService) Create(ctx context.Context, name string, opts ...RequestOption) (*Store, *Response, error) {
	if err := checkStoreName(name); err != nil {
		return nil, nil, err
	}
	op := operation{method: http.MethodPost, route: storesRoute, findOut: "Stores.All shows whether the store is there"}
	op.body = struct {
		Name string `json:"name"`
	}{name}
	return call[Store](ctx, s.c, op, opts)
}

// Ensure returns the account's store of that name, and makes it if there is none;
// it says whether it made it. Callers that do this at the same time get the same
// store. An account that has as many stores as it may, none of that name, is
// [ErrQuotaExceeded].
func (s *StoresService) Ensure(ctx context.Context, name string, opts ...RequestOption) (*Store, bool, error) {
	if err := checkStoreName(name); err != nil {
		return nil, false, err
	}
	store, err := s.find(ctx, name, opts)
	if store != nil || err != nil {
		return store, false, err
	}
	for round := 1; ; round++ {
		created, _, err := s.Create(ctx, name, opts...)
		if err == nil {
			return created, true, nil
		}
		// Another caller may have been first, or this one before its answer was lost.
		unknown := errors.Is(err, ErrOutcomeUnknown)
		if !unknown && !errors.Is(err, ErrAlreadyExists) && !errors.Is(err, ErrQuotaExceeded) {
			return nil, false, err
		}
		store, findErr := s.find(ctx, name, opts)
		if findErr != nil {
			return nil, false, fmt.Errorf("%w; the attempt to make it: %w", findErr, err)
		}
		if store != nil {
			return store, unknown, nil
		}
		if !unknown || round == maxRounds {
			return nil, false, err
		}
	}
}

// maxRounds is how often a call that is made of several looks again after
// something has come in between.
const maxRounds = 4

// find returns the oldest store of that name, so that all callers find the same
// one; nil where there is none.
func (s *StoresService) find(ctx context.Context, name string, opts []RequestOption) (*Store, error) {
	var found *Store
	for store, err := range s.All(ctx, nil, opts...) {
		if err != nil {
			return nil, err
		}
		if store.Name == name && (found == nil || store.Created.Before(found.Created)) {
			found = store
		}
	}
	return found, nil
}

// Delete deletes a store; del says what becomes of its secrets. A delete that is
// repeated after a lost answer and then finds no store counts as done.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/methods/delete/
func (s *StoresService) Delete(ctx context.Context, storeID string, del StoreDeleteOptions, opts ...RequestOption) (*Response, error) {
	op := operation{method: http.MethodDelete, route: storeRoute, ids: [2]string{storeID}, repeatable: true, gone: ErrStoreNotFound}
	var err error
	if op.query, err = encodeQuery(del); err != nil {
		return nil, err
	}
	return callNone(ctx, s.c, op, opts)
}

func (s *Store) identity() string { return s.ID }

func (s *Store) check() error {
	if s == nil || s.ID == "" {
		return errors.New("a store without an id")
	}
	return nil
}
