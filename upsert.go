package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A SecretUpsert describes a secret to be created or changed.
type SecretUpsert struct {
	Name    string      `json:"name"`              // required
	Comment *string     `json:"comment,omitempty"` // nil keeps the existing comment
	Scopes  []Scope     `json:"scopes,omitzero"`   // nil keeps the existing scopes; the API may require them to create a secret
	Value   SecretValue `json:"value,omitzero"`    // required; 1 to MaxSecretValueSize bytes
}

// Upsert patches the secret with this name or, if there is none, creates it. created reports
// whether Upsert created it, also if the outcome of the create was unknown and the secret
// was found afterwards.
//
// If a create fails because its outcome is unknown, or because the name of a deleted secret
// is still in use, Upsert looks for the secret and creates it again, for up to a minute.
// After that, the error matches [ErrOutcomeUnknown] or [ErrAlreadyExists].
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
	if err := patch.check(value); err != nil { // comment and scopes
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
// created reports whether Ensure created it. If there is no such store and the account has
// its maximum number of stores, the error matches [ErrQuotaExceeded]. If the outcome of the
// create is unknown, or the name is still in use, Ensure tries again for up to a minute, as
// [SecretsService.Upsert] does.
func (s *StoresService) Ensure(ctx context.Context, store StoreCreate, opts ...RequestOption) (result *Store, created bool, err error) {
	return findOrCreate(ctx, ErrStoreNotFound,
		func() (*Store, error) { return s.FindByName(ctx, store.Name, opts...) },
		func() (*Store, error) {
			made, _, err := s.Create(ctx, store, opts...)
			return made, err
		})
}

// findOrCreate calls find and, if its error is notFound, create. It repeats both if create
// fails with an unknown outcome, a name in use or an exceeded quota, since find may then
// succeed.
func findOrCreate[T any](ctx context.Context, notFound error, find, create func() (*T, error)) (result *T, created bool, err error) {
	const limit = time.Minute
	var createErr, unknown error // the last error of create, and the last with an unknown outcome
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
	return fmt.Errorf("%w (an earlier create: %w)", err, opaque(trimPrefix(unknown), unknown))
}

// nextDelay returns the delay after the given one: 1 s, doubling to 10 s.
func nextDelay(delay time.Duration) time.Duration {
	return min(max(2*delay, time.Second), 10*time.Second)
}
