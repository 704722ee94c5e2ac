package secretsstore

import (
	"context"
	"errors"
	"fmt"
)

// UpsertAction is what [SecretsService.Upsert] did.
type UpsertAction string

// What Upsert can do.
const (
	UpsertCreated UpsertAction = "created"
	UpsertUpdated UpsertAction = "updated"
)

// Upsert makes the secret, or patches the one that has its name; it says which.
// Value and Scopes are required; an empty Comment leaves the one that is there.
//
// A race with another writer of the name ends in one of the two. Where the answer
// to a creation is lost, Upsert looks, and patches what it finds; so an error is
// [ErrOutcomeUnknown] only where looking did not settle it.
func (s *SecretsService) Upsert(ctx context.Context, storeID string, secret SecretCreate, opts ...RequestOption) (*Secret, UpsertAction, error) {
	if err := secret.check(""); err != nil {
		return nil, "", err
	}
	var notMade error // of the last creation
	action := UpsertUpdated
	for round := 0; ; round++ {
		found, err := s.FindByName(ctx, storeID, secret.Name, opts...)
		switch {
		case err == nil:
			var updated *Secret
			if updated, err = s.update(ctx, storeID, found.ID, secret, opts); err == nil {
				return updated, action, nil
			}
		case errors.Is(notMade, ErrOutcomeUnknown) && !errors.Is(err, ErrSecretNotFound):
			err = fmt.Errorf("%w; looking for it: %w", notMade, err)
		}
		if !errors.Is(err, ErrSecretNotFound) {
			return nil, "", err
		}
		if round == maxRounds {
			return nil, "", fmt.Errorf("secretsstore: secret %q can be neither found nor made, %d times over: %w", secret.Name, round, notMade)
		}
		var created []*Secret
		if created, _, notMade = s.Create(ctx, storeID, []SecretCreate{secret}, opts...); notMade == nil {
			return created[0], UpsertCreated, nil
		}
		switch {
		case errors.Is(notMade, ErrOutcomeUnknown):
			action = UpsertCreated // if it is there at the next look
		case !errors.Is(notMade, ErrAlreadyExists):
			return nil, "", notMade
		}
	}
}

// update patches the secret that has the name.
func (s *SecretsService) update(ctx context.Context, storeID, secretID string, secret SecretCreate, opts []RequestOption) (*Secret, error) {
	patch := SecretPatch{Scopes: secret.Scopes, Value: secret.Value}
	if secret.Comment != "" {
		patch.Comment = &secret.Comment
	}
	patched, _, err := s.Patch(ctx, storeID, secretID, patch, opts...)
	return patched, err
}
