package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/internal/lenient"
)

// SecretsService calls the operations on the secrets of a store. It is safe for concurrent
// use. The zero SecretsService is not usable; see [Client].
type SecretsService struct{ core *core }

const (
	secretsRoute = accountRoute + "/stores/{store_id}/secrets"
	secretRoute  = secretsRoute + "/{secret_id}"
)

// A Secret describes a secret. The API never returns its value.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/
type Secret struct {
	ID       string       `json:"id"`
	StoreID  string       `json:"store_id"`
	Name     string       `json:"name"`              // unique in the store
	Comment  string       `json:"comment,omitempty"` // "" if there is none
	Scopes   []Scope      `json:"scopes,omitzero"`   // the services that can use the secret; nil if the API sent none
	Status   SecretStatus `json:"status"`
	Created  time.Time    `json:"created"`  // zero if the API sent no valid time
	Modified time.Time    `json:"modified"` // zero if the API sent no valid time
}

// A Scope is a service that can use a secret. The API may accept and return scopes that have
// no constant here.
type Scope string

// The scopes that are documented.
const (
	ScopeWorkers    Scope = "workers"
	ScopeAIGateway  Scope = "ai_gateway"
	ScopeDEX        Scope = "dex"
	ScopeAccess     Scope = "access"
	ScopeContainers Scope = "containers"
	ScopeWebsearch  Scope = "websearch"
)

// A SecretStatus is the status of a secret. The API may return statuses that have no constant
// here.
type SecretStatus string

// The statuses that are documented. A new secret is pending until it has propagated, which
// takes tens of seconds; see [SecretsService.WaitActive].
const (
	SecretStatusPending SecretStatus = "pending"
	SecretStatusActive  SecretStatus = "active"
	SecretStatusDeleted SecretStatus = "deleted"
)

// A SecretPatch describes a change to a secret. Nil and zero fields leave it unchanged.
type SecretPatch struct {
	Comment *string     `json:"comment,omitempty"` // Ptr("") clears it
	Scopes  []Scope     `json:"scopes,omitzero"`   // replaces the list; an empty non-nil list is sent as []
	Value   SecretValue `json:"value,omitzero"`    // 1 to MaxSecretValueSize bytes
}

// Ptr returns a pointer to v, for the Comment of a [SecretPatch] or [SecretUpsert].
func Ptr[T any](v T) *T { return &v }

// A SecretCreate describes a secret to be created.
type SecretCreate struct {
	Name    string      `json:"name"` // required; letters, digits, "_" and "-"; unique in the store
	Comment string      `json:"comment,omitempty"`
	Scopes  []Scope     `json:"scopes,omitzero"` // required
	Value   SecretValue `json:"value,omitzero"`  // required; 1 to MaxSecretValueSize bytes
}

// A SecretDuplicate describes the copy that [SecretsService.Duplicate] creates.
type SecretDuplicate struct {
	Name    string  `json:"name"` // required; letters, digits, "_" and "-"; unique in the store
	Comment string  `json:"comment,omitempty"`
	Scopes  []Scope `json:"scopes"` // required
}

// Patch changes the comment, scopes or value of a secret, and returns the changed secret.
// After a change of its value it can be pending; see [SecretsService.WaitActive].
//
// An empty patch, an invalid value, and a comment or scope that is not valid UTF-8 return
// [ErrInvalidArgument]. Errors of the API include [ErrSecretNotFound], [ErrStoreNotFound], [ErrInvalidRequest] for an unknown
// scope, [ErrUnauthorized], [ErrForbidden] and [ErrRateLimited]. A patch that failed but
// may have been applied matches [ErrOutcomeUnknown].
//
// Patch is idempotent and is retried; see [RetryPolicy]. If another writer changes the same
// fields between an attempt whose response was lost and its retry, the retry reverts that
// change.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/edit/
func (s *SecretsService) Patch(ctx context.Context, storeID, secretID string, patch SecretPatch, opts ...RequestOption) (*Secret, *Response, error) {
	value := patch.Value.Reveal()
	if err := patch.check(value); err != nil {
		return nil, nil, err
	}
	return do[Secret](ctx, s.core, operation{
		method: http.MethodPatch, route: secretRoute, ids: ids{storeID, secretID},
		body: &patchBody{patch, value}, values: []string{value}, idempotent: true,
	}, opts)
}

// Get returns a secret, without its value.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/get/
func (s *SecretsService) Get(ctx context.Context, storeID, secretID string, opts ...RequestOption) (*Secret, *Response, error) {
	return do[Secret](ctx, s.core, operation{
		method: http.MethodGet, route: secretRoute, ids: ids{storeID, secretID}, idempotent: true,
	}, opts)
}

// List returns a page of the secrets of a store. If list is nil, the API's defaults apply.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/list/
func (s *SecretsService) List(ctx context.Context, storeID string, list *SecretListOptions, opts ...RequestOption) ([]*Secret, *Response, error) {
	query, err := list.encode()
	if err != nil {
		return nil, nil, err
	}
	return doList[Secret](ctx, s.core, operation{
		method: http.MethodGet, route: secretsRoute, ids: ids{storeID}, query: query, idempotent: true,
	}, opts)
}

// All returns an iterator over the secrets of a store, from page 1 or list.Page on. It
// requests 100 secrets per page unless list sets PerPage. If list is nil, it selects all
// secrets. An error ends the iteration; it is yielded once, with a nil secret. A list that
// repeats itself or has more than 10,000 pages causes [ErrInvalidResponse].
//
// All is not a snapshot: concurrent deletes can cause secrets to be missed. To delete the
// secrets that All yields, collect their ids first.
func (s *SecretsService) All(ctx context.Context, storeID string, list *SecretListOptions, opts ...RequestOption) iter.Seq2[*Secret, error] {
	var page SecretListOptions
	if list != nil {
		page = *list
		page.Scopes = slices.Clone(list.Scopes)
	}
	return allPages(page.Page, page.PerPage, func(number, perPage int) ([]*Secret, *Response, error) {
		page := page
		page.Page, page.PerPage = number, perPage
		return s.List(ctx, storeID, &page, opts...)
	})
}

// FindByName returns the secret with exactly this name. It skips secrets with status
// deleted. If there is none, the error matches [ErrSecretNotFound]. FindByName lists the
// secrets whose name or comment contains name, which can take several requests.
func (s *SecretsService) FindByName(ctx context.Context, storeID, name string, opts ...RequestOption) (*Secret, error) {
	if err := checkName("name", name); err != nil {
		return nil, err
	}
	for secret, err := range s.All(ctx, storeID, &SecretListOptions{Search: name}, opts...) {
		if err != nil {
			return nil, err
		}
		if secret.Name == name && secret.Status != SecretStatusDeleted {
			return secret, nil
		}
	}
	return nil, fmt.Errorf("secretsstore: %w: store %s has no secret named %q", ErrSecretNotFound, storeID, name)
}

// Create creates a secret. It is pending until it has propagated; see
// [SecretsService.WaitActive]. Errors of the API include [ErrAlreadyExists] and
// [ErrQuotaExceeded]. A create that failed but may have been applied matches
// [ErrOutcomeUnknown]: call FindByName before repeating it, or use Upsert.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/create/
func (s *SecretsService) Create(ctx context.Context, storeID string, secret SecretCreate, opts ...RequestOption) (*Secret, *Response, error) {
	body, err := newCreateBody("", secret)
	if err != nil {
		return nil, nil, err
	}
	return s.create(ctx, storeID, body, opts)
}

// create creates one secret; its scopes may be nil.
func (s *SecretsService) create(ctx context.Context, storeID string, body createBody, opts []RequestOption) (*Secret, *Response, error) {
	created, resp, err := s.bulkCreate(ctx, storeID, []createBody{body}, opts)
	if err != nil {
		return nil, resp, err
	}
	return created[0], resp, nil
}

// BulkCreate creates several secrets in one request. The API does not say whether it creates
// all of them or none if one fails, so BulkCreate returns the secrets that the API returned,
// even with an error. If they are fewer than requested, the error matches
// [ErrInvalidResponse]. If secrets is empty, it matches [ErrInvalidArgument]. Other errors
// are those of [SecretsService.Create].
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/create/
func (s *SecretsService) BulkCreate(ctx context.Context, storeID string, secrets []SecretCreate, opts ...RequestOption) ([]*Secret, *Response, error) {
	if len(secrets) == 0 {
		return nil, nil, invalid("secrets", "must not be empty")
	}
	bodies := make([]createBody, len(secrets))
	for i, secret := range secrets {
		var err error
		if bodies[i], err = newCreateBody(fmt.Sprintf("secrets[%d].", i), secret); err != nil {
			return nil, nil, err
		}
	}
	return s.bulkCreate(ctx, storeID, bodies, opts)
}

func (s *SecretsService) bulkCreate(ctx context.Context, storeID string, bodies []createBody, opts []RequestOption) ([]*Secret, *Response, error) {
	values := make([]string, len(bodies))
	for i := range bodies {
		values[i] = bodies[i].Value
	}
	env := &listEnvelope[Secret]{atLeast: len(bodies)}
	resp, err := s.core.do(ctx, operation{
		method: http.MethodPost, route: secretsRoute, ids: ids{storeID},
		body: bodies, values: values, retry503: true,
	}, env, opts)
	return env.items(), resp, err
}

// Duplicate creates a secret with the value of another. Errors are those of
// [SecretsService.Create] and [ErrSecretNotFound].
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/duplicate/
func (s *SecretsService) Duplicate(ctx context.Context, storeID, secretID string, duplicate SecretDuplicate, opts ...RequestOption) (*Secret, *Response, error) {
	if err := checkNew("", duplicate.Name, duplicate.Comment, duplicate.Scopes); err != nil {
		return nil, nil, err
	}
	return do[Secret](ctx, s.core, operation{
		method: http.MethodPost, route: secretRoute + "/duplicate", ids: ids{storeID, secretID},
		body: duplicate, retry503: true,
	}, opts)
}

// Delete deletes a secret. If the secret does not exist, the error matches
// [ErrSecretNotFound]. A retry that finds no secret succeeds if an earlier attempt may have
// been applied.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/delete/
func (s *SecretsService) Delete(ctx context.Context, storeID, secretID string, opts ...RequestOption) (*Response, error) {
	return s.core.do(ctx, operation{
		method: http.MethodDelete, route: secretRoute, ids: ids{storeID, secretID},
		idempotent: true, gone: ErrSecretNotFound,
	}, new(noResult), opts)
}

// BulkDelete deletes several secrets in one request. If one of them does not exist, the
// error matches [ErrSecretNotFound]; the API does not say whether it then deletes the
// others. Unlike Delete, BulkDelete returns this error even if an earlier attempt may have
// deleted the secrets; it then matches [ErrOutcomeUnknown] too.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/bulk_delete/
func (s *SecretsService) BulkDelete(ctx context.Context, storeID string, secretIDs []string, opts ...RequestOption) (*Response, error) {
	if len(secretIDs) == 0 {
		return nil, invalid("ids", "must not be empty")
	}
	for i, id := range secretIDs {
		if err := checkID(fmt.Sprintf("ids[%d]", i), id); err != nil {
			return nil, err
		}
	}
	return s.core.do(ctx, operation{
		method: http.MethodDelete, route: secretsRoute, ids: ids{storeID},
		body: map[string][]string{"ids": secretIDs}, idempotent: true,
	}, new(noResult), opts)
}

// patchBody is a SecretPatch as it is sent. Its Value shadows that of SecretPatch, which is
// encoded as [REDACTED].
type patchBody struct {
	SecretPatch
	Value string `json:"value,omitempty"`
}

func (p *SecretPatch) check(value string) error {
	if p.Comment == nil && p.Scopes == nil && p.Value.IsZero() {
		return invalid("patch", "empty, set a comment, scopes or a value")
	}
	if p.Comment != nil {
		if err := checkText("comment", *p.Comment); err != nil {
			return err
		}
	}
	if !p.Value.IsZero() {
		if err := checkValue("value", value); err != nil {
			return err
		}
	}
	return checkScopes("scopes", p.Scopes)
}

// createBody is a SecretCreate as it is sent.
type createBody struct {
	SecretCreate
	Value string `json:"value"`
}

// newCreateBody checks a secret to be created. prefix names it among several.
func newCreateBody(prefix string, secret SecretCreate) (createBody, error) {
	body := createBody{secret, secret.Value.Reveal()}
	err := checkNew(prefix, secret.Name, secret.Comment, secret.Scopes)
	if err == nil {
		err = checkValue(prefix+"value", body.Value)
	}
	return body, err
}

// unmarshalLenient decodes a Secret whose times may be invalid.
func (s *Secret) unmarshalLenient(b []byte) error {
	wire := struct {
		*Secret
		Created  lenient.Time `json:"created"`
		Modified lenient.Time `json:"modified"`
	}{Secret: s}
	err := unmarshal(b, &wire)
	s.Created, s.Modified = wire.Created.Time, wire.Modified.Time
	return err
}

func (s *Secret) complete() error {
	if s.ID == "" {
		return errors.New("a secret has no id")
	}
	return nil
}
