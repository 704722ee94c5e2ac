package secretsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"
)

// SecretsService has the calls for the secrets of a store. It is safe for
// concurrent use; get it from [Client.Secrets].
type SecretsService struct {
	c *core
}

// The routes of the secrets of a store.
const (
	secretsRoute = accountRoute + "/stores/{store_id}/secrets"
	secretRoute  = secretsRoute + "/{secret_id}"
)

// Secret is a secret as the API describes it, in all operations: everything but
// its value, which the API never returns.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/
type Secret struct {
	// ID identifies the secret: at most 32 characters, in practice hexadecimal digits.
	ID string `json:"id"`
	// StoreID is the store that holds it.
	StoreID string `json:"store_id"`
	// Name is unique in the store and can't be changed.
	Name string `json:"name"`
	// Comment is free text; "" where there is none.
	Comment string `json:"comment,omitempty"`
	// Scopes are the services that can use the secret, sorted by the API. nil where
	// the API did not say.
	Scopes []Scope `json:"scopes,omitzero"`
	// Status says whether the secret has spread to where it is used.
	Status SecretStatus `json:"status"`
	// Created and Modified are in UTC, to the microsecond.
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

// Scope is a service that can use a secret. The set grows: a value that has no
// constant here can be sent and received like the others.
type Scope string

// The scopes that the API knew when this was written.
const (
	ScopeWorkers    Scope = "workers"
	ScopeAIGateway  Scope = "ai_gateway"
	ScopeDEX        Scope = "dex"
	ScopeAccess     Scope = "access"
	ScopeContainers Scope = "containers"
	ScopeWebsearch  Scope = "websearch"
)

// SecretStatus is where a secret is in its life. A value that has no constant
// here is passed on as it came.
type SecretStatus string

// The statuses of the API. A new secret is pending until it has spread over
// Cloudflare's network.
const (
	SecretPending SecretStatus = "pending"
	SecretActive  SecretStatus = "active"
	SecretDeleted SecretStatus = "deleted"
)

// SecretPatch says what [SecretsService.Patch] changes; what is nil stays as it is.
type SecretPatch struct {
	// Comment is the new comment; Ptr("") clears it.
	Comment *string `json:"comment,omitempty"`
	// Scopes replaces the whole list. nil leaves it; an empty list that is not nil
	// is sent as [].
	Scopes []Scope `json:"scopes,omitzero"`
	// Value is the new value, at most 65,536 bytes. The API never returns it.
	Value *SecretValue `json:"value,omitempty"`
}

// SecretCreate is a secret to be made.
type SecretCreate struct {
	// Name is letters, digits, "_" and "-", unique in the store. Required.
	Name string `json:"name"`
	// Comment is free text; "" is sent as no comment.
	Comment string `json:"comment,omitempty"`
	// Scopes are the services that can use the secret. Required.
	Scopes []Scope `json:"scopes"`
	// Value is at most 65,536 bytes. Required.
	Value *SecretValue `json:"value"`
}

// SecretDuplicate is the copy that [SecretsService.Duplicate] makes; it has the
// value of the secret it copies.
type SecretDuplicate struct {
	// Name is letters, digits, "_" and "-", unique in the store. Required.
	Name string `json:"name"`
	// Comment is free text; "" is sent as no comment.
	Comment string `json:"comment,omitempty"`
	// Scopes are the services that can use the copy. Required.
	Scopes []Scope `json:"scopes"`
}

// Ptr returns a pointer to v, for the fields of [SecretPatch].
func Ptr[T any](v T) *T { return &v }

// Patch changes a secret's comment, scopes or value; what is nil in patch stays
// as it is. The answer is the secret after the change; one whose value was changed
// can be pending until it has spread.
//
// A patch that changes nothing, a value that is empty, over 65,536 bytes or
// "[REDACTED]", and text that is not UTF-8 are [ErrInvalidArgument], and nothing is
// sent. Errors of the API are an [*APIError]: [ErrSecretNotFound],
// [ErrStoreNotFound], [ErrInvalidRequest] for a scope that does not exist,
// [ErrUnauthorized], [ErrForbidden], [ErrRateLimited].
//
// A patch sets a state, so it is tried again where that helps; see [RetryPolicy].
// Where another writer patches the same secret between an attempt that was done,
// but whose answer was lost, and its repeat, the repeat undoes the other's change
// to the same fields. Have one writer to a secret, or use WithMaxAttempts(1) and
// look with Get after an error.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/edit/
func (s *SecretsService) Patch(ctx context.Context, storeID, secretID string, patch SecretPatch, opts ...RequestOption) (*Secret, *Response, error) {
	if err := patch.check(); err != nil {
		return nil, nil, err
	}
	op := secretOperation(http.MethodPatch, storeID, secretID)
	op.body = patch.wire()
	if patch.Value != nil {
		op.secrets = []*SecretValue{patch.Value}
	}
	return call[Secret](ctx, s.c, op, opts)
}

// Get returns a secret, without its value, which the API never returns.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/get/
func (s *SecretsService) Get(ctx context.Context, storeID, secretID string, opts ...RequestOption) (*Secret, *Response, error) {
	return call[Secret](ctx, s.c, secretOperation(http.MethodGet, storeID, secretID), opts)
}

// List returns one page of a store's secrets; nil options mean the API's defaults.
// Options that can't be right are [ErrInvalidArgument].
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/list/
func (s *SecretsService) List(ctx context.Context, storeID string, list *SecretListOptions, opts ...RequestOption) ([]*Secret, *Response, error) {
	var options SecretListOptions
	if list != nil {
		options = *list
	}
	if err := options.check(); err != nil {
		return nil, nil, err
	}
	op := operation{method: http.MethodGet, route: secretsRoute, ids: [2]string{storeID}, repeatable: true}
	return listPage[*Secret](ctx, s.c, op, options, opts)
}

// All returns every secret of a store that list asks for, page by page, 100 a page
// unless list says otherwise. An error ends it and is yielded once; it can come
// after some of the secrets. An answer that contradicts itself is
// [ErrInvalidResponse].
//
// What others add or delete meanwhile moves the pages: nothing that stands at the
// end of one page and at the start of the next is yielded twice, but a secret can
// be missed where others before it were deleted. To delete what is listed, collect
// the ids first.
func (s *SecretsService) All(ctx context.Context, storeID string, list *SecretListOptions, opts ...RequestOption) iter.Seq2[*Secret, error] {
	var options SecretListOptions
	if list != nil {
		options = *list
		options.Scopes = slices.Clone(list.Scopes)
	}
	return allPages(options.Page, options.PerPage, func(page, perPage int) ([]*Secret, *Response, error) {
		options := options
		options.Page, options.PerPage = page, perPage
		return s.List(ctx, storeID, &options, opts...)
	})
}

// FindByName returns the secret of exactly that name. A store without it is
// [ErrSecretNotFound], which is also [ErrNotFound].
func (s *SecretsService) FindByName(ctx context.Context, storeID, name string, opts ...RequestOption) (*Secret, error) {
	if name == "" {
		return nil, invalid("name is empty")
	}
	// The API searches for a part of the name or comment.
	for secret, err := range s.All(ctx, storeID, &SecretListOptions{Search: name}, opts...) {
		if err != nil {
			return nil, err
		}
		if secret.Name == name {
			return secret, nil
		}
	}
	return nil, fmt.Errorf("secretsstore: store %s has no secret %q: %w", storeID, name, ErrSecretNotFound)
}

// Create makes one or many secrets, all or none, and returns them in the API's
// order. A name that is taken is [ErrAlreadyExists]; an account that has as many
// secrets as it may is [ErrQuotaExceeded]. A call that may have been done all the
// same is [ErrOutcomeUnknown]: look with FindByName, or use [SecretsService.Upsert].
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/create/
func (s *SecretsService) Create(ctx context.Context, storeID string, secrets []SecretCreate, opts ...RequestOption) ([]*Secret, *Response, error) {
	if len(secrets) == 0 {
		return nil, nil, invalid("secrets is empty")
	}
	op := operation{method: http.MethodPost, route: secretsRoute, ids: [2]string{storeID}, findOut: "FindByName shows whether a secret is there"}
	bodies := make([]*secretBody, len(secrets))
	for i, secret := range secrets {
		if err := secret.check(fmt.Sprintf("secrets[%d] ", i)); err != nil {
			return nil, nil, err
		}
		bodies[i] = secret.wire()
		op.secrets = append(op.secrets, secret.Value)
	}
	op.body = bodies
	into := &createdSecrets{want: len(secrets)}
	resp, err := s.c.do(ctx, op, into, opts)
	if err != nil {
		return nil, resp, err
	}
	return into.secrets, resp, nil
}

// Duplicate makes a copy of a secret, with its value, under another name. A name
// that is taken is [ErrAlreadyExists]; a call that may have been done all the same
// is [ErrOutcomeUnknown].
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/duplicate/
func (s *SecretsService) Duplicate(ctx context.Context, storeID, secretID string, dup SecretDuplicate, opts ...RequestOption) (*Secret, *Response, error) {
	if err := checkNew("", dup.Name, dup.Comment, dup.Scopes); err != nil {
		return nil, nil, err
	}
	op := operation{method: http.MethodPost, route: secretRoute + "/duplicate", ids: [2]string{storeID, secretID},
		findOut: "FindByName shows whether the copy is there"}
	op.body = newSecretBody(dup.Name, dup.Comment, dup.Scopes, nil)
	return call[Secret](ctx, s.c, op, opts)
}

// Delete deletes a secret. A delete that is repeated after a lost answer and then
// finds no secret counts as done; otherwise one that is not there is
// [ErrSecretNotFound].
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/delete/
func (s *SecretsService) Delete(ctx context.Context, storeID, secretID string, opts ...RequestOption) (*Response, error) {
	op := secretOperation(http.MethodDelete, storeID, secretID)
	op.gone = ErrSecretNotFound
	return callNone(ctx, s.c, op, opts)
}

// BulkDelete deletes many secrets with one request. Unlike [SecretsService.Delete]
// it takes no error for success when it was repeated.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/subresources/stores/subresources/secrets/methods/bulk_delete/
func (s *SecretsService) BulkDelete(ctx context.Context, storeID string, secretIDs []string, opts ...RequestOption) (*Response, error) {
	if len(secretIDs) == 0 {
		return nil, invalid("secretIDs is empty")
	}
	for i, id := range secretIDs {
		if err := checkID(fmt.Sprintf("secretIDs[%d]", i), id); err != nil {
			return nil, err
		}
	}
	op := operation{method: http.MethodDelete, route: secretsRoute, ids: [2]string{storeID}, repeatable: true}
	op.body = struct {
		IDs []string `json:"ids"`
	}{secretIDs}
	return callNone(ctx, s.c, op, opts)
}

func secretOperation(method, storeID, secretID string) operation {
	return operation{method: method, route: secretRoute, ids: [2]string{storeID, secretID}, repeatable: true}
}

func (s *Secret) check() error {
	if s == nil || s.ID == "" {
		return errors.New("a secret without an id")
	}
	return nil
}

func (s *Secret) identity() string { return s.ID }

// createdSecrets are as many as were asked for.
type createdSecrets struct {
	secrets list[*Secret]
	want    int
}

// UnmarshalJSON reads the list.
func (c *createdSecrets) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &c.secrets) }

func (c *createdSecrets) check() error {
	if len(c.secrets) != c.want {
		return fmt.Errorf("%d secrets where %d were made", len(c.secrets), c.want)
	}
	return c.secrets.check()
}

// secretBody is a secret as requests have it: with its value.
type secretBody struct {
	Name    string  `json:"name,omitempty"`
	Value   *string `json:"value,omitempty"`
	Comment *string `json:"comment,omitempty"`
	Scopes  []Scope `json:"scopes,omitzero"`
}

func (p SecretPatch) wire() *secretBody {
	b := &secretBody{Comment: p.Comment, Scopes: p.Scopes}
	if p.Value != nil {
		b.Value = p.Value.p
	}
	return b
}

func (c SecretCreate) wire() *secretBody {
	return newSecretBody(c.Name, c.Comment, c.Scopes, c.Value)
}

func newSecretBody(name, comment string, scopes []Scope, value *SecretValue) *secretBody {
	b := &secretBody{Name: name, Scopes: scopes}
	if comment != "" {
		b.Comment = &comment
	}
	if value != nil {
		b.Value = value.p
	}
	return b
}

// check checks a secret to be made; where says which of several it is.
func (c SecretCreate) check(where string) error {
	if err := checkNew(where, c.Name, c.Comment, c.Scopes); err != nil {
		return err
	}
	return checkValue(where, c.Value)
}

func (p SecretPatch) check() error {
	if p.Comment == nil && p.Scopes == nil && p.Value == nil {
		return invalid("patch changes nothing: set Comment, Scopes or Value")
	}
	if p.Comment != nil {
		if err := checkText("comment", *p.Comment); err != nil {
			return err
		}
	}
	if p.Value != nil {
		if err := checkValue("", p.Value); err != nil {
			return err
		}
	}
	return checkScopes("", p.Scopes)
}
