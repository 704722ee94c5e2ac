package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/internal/lenient"
)

// StoresService calls the operations on the stores of an account. It is safe for concurrent
// use. The zero StoresService is not usable; see [Client].
type StoresService struct{ core *core }

const (
	storesRoute = accountRoute + "/stores"
	storeRoute  = storesRoute + "/{store_id}"
)

// A Store holds secrets.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/
type Store struct {
	ID        string    `json:"id"`
	AccountID string    `json:"account_id,omitempty"` // "" if the API sent none
	Name      string    `json:"name"`
	Created   time.Time `json:"created"`  // zero if the API sent no valid time
	Modified  time.Time `json:"modified"` // zero if the API sent no valid time
}

// A StoreCreate describes a store to be created.
type StoreCreate struct {
	Name string `json:"name"` // required
}

// StoreDeleteOptions are the options of [StoresService.Delete].
type StoreDeleteOptions struct {
	// Force also deletes the secrets of the store. Without it, deleting a store that has
	// secrets returns ErrStoreNotEmpty.
	Force bool `url:"force,omitempty"`
}

// List returns a page of the account's stores. If list is nil, the API's defaults apply.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/methods/list/
func (s *StoresService) List(ctx context.Context, list *StoreListOptions, opts ...RequestOption) ([]*Store, *Response, error) {
	query, err := list.encode()
	if err != nil {
		return nil, nil, err
	}
	return doList[Store](ctx, s.core, operation{method: http.MethodGet, route: storesRoute, query: query, idempotent: true}, opts)
}

// All returns an iterator over the account's stores, from page 1 or list.Page on. It
// requests 100 stores per page unless list sets PerPage. If list is nil, it selects all
// stores. An error ends the iteration; it is yielded once, with a nil store. A list that
// repeats itself or has more than 10,000 pages causes [ErrInvalidResponse].
func (s *StoresService) All(ctx context.Context, list *StoreListOptions, opts ...RequestOption) iter.Seq2[*Store, error] {
	var page StoreListOptions
	if list != nil {
		page = *list
	}
	return allPages(page.Page, page.PerPage, func(number, perPage int) ([]*Store, *Response, error) {
		page := page
		page.Page, page.PerPage = number, perPage
		return s.List(ctx, &page, opts...)
	})
}

// Get returns a store.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/methods/get/
func (s *StoresService) Get(ctx context.Context, storeID string, opts ...RequestOption) (*Store, *Response, error) {
	return do[Store](ctx, s.core, operation{method: http.MethodGet, route: storeRoute, ids: ids{storeID}, idempotent: true}, opts)
}

// FindByName returns the store with exactly this name, the oldest if there are several. If
// there is none, the error matches [ErrStoreNotFound].
func (s *StoresService) FindByName(ctx context.Context, name string, opts ...RequestOption) (*Store, error) {
	if err := checkName("name", name); err != nil {
		return nil, err
	}
	var found *Store
	for store, err := range s.All(ctx, nil, opts...) {
		if err != nil {
			return nil, err
		}
		if store.Name == name && (found == nil || store.Created.Before(found.Created)) {
			found = store
		}
	}
	if found == nil {
		return nil, fmt.Errorf("secretsstore: %w: the account has no store named %q", ErrStoreNotFound, name)
	}
	return found, nil
}

// Create creates a store. During the Secrets Store's beta an account can have one store;
// creating another returns [ErrQuotaExceeded]. A create that failed but may have been applied matches
// [ErrOutcomeUnknown]: call FindByName before repeating it, or use Ensure.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/methods/create/
func (s *StoresService) Create(ctx context.Context, store StoreCreate, opts ...RequestOption) (*Store, *Response, error) {
	if err := checkName("name", store.Name); err != nil {
		return nil, nil, err
	}
	return do[Store](ctx, s.core, operation{method: http.MethodPost, route: storesRoute, body: store, retry503: true}, opts)
}

// Delete deletes a store. If del is nil, Force is false. If the store does not exist, the
// error matches [ErrStoreNotFound]. A retry that finds no store succeeds if an earlier
// attempt may have been applied.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/methods/delete/
func (s *StoresService) Delete(ctx context.Context, storeID string, del *StoreDeleteOptions, opts ...RequestOption) (*Response, error) {
	return s.core.do(ctx, operation{
		method: http.MethodDelete, route: storeRoute, ids: ids{storeID}, query: encodeQuery(del),
		idempotent: true, gone: ErrStoreNotFound,
	}, new(noResult), opts)
}

// unmarshalLenient decodes a Store whose times may be invalid.
func (s *Store) unmarshalLenient(b []byte) error {
	wire := struct {
		*Store
		Created  lenient.Time `json:"created"`
		Modified lenient.Time `json:"modified"`
	}{Store: s}
	err := unmarshal(b, &wire)
	s.Created, s.Modified = wire.Created.Time, wire.Modified.Time
	return err
}

func (s *Store) complete() error {
	if s.ID == "" {
		return errors.New("a store has no id")
	}
	return nil
}
