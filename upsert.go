package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A SecretUpsert is a secret to be created or changed.
type SecretUpsert struct {
	Name    string      `json:"name"`              // required
	Comment *string     `json:"comment,omitempty"` // nil: keep the existing comment
	Scopes  []Scope     `json:"scopes,omitzero"`   // nil: keep the existing scopes; the API may require them to create a secret
	Value   SecretValue `json:"value,omitzero"`    // required; 1 to MaxSecretValueSize bytes
}

// Upsert patches the secret with this name or, if there is none, creates it. created reports
// which. If the outcome of its create is unknown, Upsert looks for the secret and patches
// it. If the name is neither found nor free, because its secret was just deleted, Upsert
// retries for up to a minute; the error then matches [ErrAlreadyExists].
func (s *SecretsService) Upsert(ctx context.Context, storeID string, secret SecretUpsert, opts ...RequestOption) (result *Secret, created bool, err error) {
	if err := checkName("name", secret.Name); err != nil {
		return nil, false, err
	}
	value := secret.Value.Reveal()
	if err := checkValue("value", value); err != nil {
		return nil, false, err
	}
	patch := SecretPatch{Comment: secret.Comment, Scopes: secret.Scopes, Value: secret.Value}
	body := createBody{SecretCreate{Name: secret.Name, Scopes: secret.Scopes}, value}
	if secret.Comment != nil {
		body.Comment = *secret.Comment
	}
	if err := patch.check(value); err != nil { // its texts
		return nil, false, err
	}
	return findOrCreate(ctx, ErrSecretNotFound,
		func() (*Secret, error) {
			found, err := s.FindByName(ctx, storeID, secret.Name, opts...)
			if err != nil {
				return nil, err
			}
			patched, _, err := s.Patch(ctx, storeID, found.ID, patch, opts...)
			return patched, err
		},
		func() (*Secret, error) {
			made, _, err := s.create(ctx, storeID, body, opts)
			return made, err
		})
}

// Ensure returns the store with this name, the oldest if there are several, or creates it.
// created reports which. An account that has its maximum of stores, none of this name, is
// [ErrQuotaExceeded]. Ensure retries like [SecretsService.Upsert].
func (s *StoresService) Ensure(ctx context.Context, store StoreCreate, opts ...RequestOption) (result *Store, created bool, err error) {
	return findOrCreate(ctx, ErrStoreNotFound,
		func() (*Store, error) { return s.FindByName(ctx, store.Name, opts...) },
		func() (*Store, error) {
			made, _, err := s.Create(ctx, store, opts...)
			return made, err
		})
}

// findOrCreate calls find and, if its error is notFound, create. It repeats both while what
// made create fail may be found next: its outcome is unknown, or the name is taken.
func findOrCreate[T any](ctx context.Context, notFound error, find, create func() (*T, error)) (result *T, created bool, err error) {
	const limit = time.Minute
	var createErr, unknown error // the last errors of create, and those whose outcome is unknown
	var delay time.Duration
	started := time.Now()
	for {
		found, err := find()
		switch {
		case err == nil:
			return found, unknown != nil, nil
		case !errors.Is(err, notFound):
			return nil, false, withUnknown(err, unknown)
		case errors.Is(createErr, ErrQuotaExceeded):
			return nil, false, withUnknown(createErr, unknown)
		}
		made, err := create()
		if err == nil {
			return made, true, nil
		}
		if errors.Is(err, ErrOutcomeUnknown) {
			unknown = err
		} else if !errors.Is(err, ErrAlreadyExists) && !errors.Is(err, ErrQuotaExceeded) {
			return nil, false, withUnknown(err, unknown)
		}
		if createErr != nil { // the first time, look again at once
			delay = nextDelay(delay)
			if time.Since(started)+delay > limit || !endsBefore(ctx, delay) {
				return nil, false, withUnknown(err, unknown)
			}
			if sleepErr := sleep(ctx, delay, nil); sleepErr != nil {
				return nil, false, withUnknown(&afterError{fmt.Errorf("secretsstore: %w", sleepErr), err}, unknown)
			}
		}
		createErr = err
	}
}

// withUnknown adds the error of a create whose outcome is unknown to a later error.
func withUnknown(err, unknown error) error {
	if unknown == nil || errors.Is(err, ErrOutcomeUnknown) {
		return err
	}
	return fmt.Errorf("%w (after: %w)", err, opaque(trimPrefix(unknown), unknown))
}

// nextDelay returns the delay after the given one: 1 s, doubling to 10 s.
func nextDelay(delay time.Duration) time.Duration {
	return min(max(2*delay, time.Second), 10*time.Second)
}
