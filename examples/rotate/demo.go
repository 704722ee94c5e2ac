package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// demo rotates a secret in a Secrets Store in memory, once with a check that passes
// and once with one that fails.
func demo(ctx context.Context, con *console) error {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener(), secretsstoretest.WithPendingFor(time.Second))
	defer srv.Close()
	con.say("No credentials in the environment: using a Secrets Store in memory.")
	store := srv.AddStore("service_x_keys")
	inUse := secretsstore.NewSecretValue("the-value-at-first")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  inUse,
	})

	rotate := func(result error) (made secretsstore.SecretValue, err error) {
		r := rotation{
			store:           store.ID,
			secret:          secret.ID,
			oldValue:        func(context.Context, *console) (secretsstore.SecretValue, error) { return inUse, nil },
			newValue:        randomSource(32, "base64url"),
			timeout:         10 * time.Second,
			rollbackTimeout: 10 * time.Second,
			check: func(_ context.Context, _ *console, newValue secretsstore.SecretValue) error {
				made = newValue
				return result
			},
		}
		err = r.run(ctx, srv.Client(), con)
		return made, err
	}

	con.say("\nA check that passes:")
	made, err := rotate(nil)
	if err != nil {
		return err
	}
	if held, _ := srv.Value(store.ID, secret.ID); held != made.Reveal() {
		return errors.New("the store does not hold the new value")
	}
	con.say("The store holds the value that was made.")
	inUse = made

	con.say("\nA check that fails:")
	refused := errors.New("the service does not take the new value")
	_, err = rotate(refused)
	if !errors.Is(err, refused) {
		return fmt.Errorf("rotating with a check that fails: got %w", err)
	}
	con.say("rotate: %v", err)
	if held, _ := srv.Value(store.ID, secret.ID); held != inUse.Reveal() {
		return errors.New("the store does not hold the old value")
	}
	con.say("The store holds the value that it held before.")
	return nil
}
