package main

import (
	"context"
	"fmt"
	"io"

	"github.com/seed-57d84f87/secretsstore-go"
)

// apply does what the plan says, one secret after the other, and ends at the first
// error. What was done until then is done: the next plan is what is left.
//
// The state forgets a value before it is overwritten, and remembers the new one after
// it was written. Killed in between, it knows neither, and the next run writes again;
// otherwise it could take the old value to be there still.
func (p plan) apply(ctx context.Context, stdout io.Writer, client *secretsstore.Client, st *state) error {
	if p.store == nil {
		store, _, err := client.Stores.Ensure(ctx, secretsstore.StoreCreate{Name: p.storeName})
		if err != nil {
			return err
		}
		p.store = store
	}
	keep := map[string]bool{}
	for _, secret := range p.present {
		keep[secret.ID] = true
	}
	for _, c := range p.patch {
		if !c.patch.Value.IsZero() {
			keep[c.id] = false
		}
	}
	if err := st.forgetBut(p.store.ID, keep); err != nil {
		return err
	}

	done, all := 0, len(p.create)+len(p.patch)
	failed := func(name string, err error) error {
		return fmt.Errorf("secret %s: %w (%d of %d are done; run it again to go on)", name, err, done, all)
	}
	for _, e := range p.create {
		// Upsert, since a creation may have been done though its answer was lost.
		secret, created, err := client.Secrets.Upsert(ctx, p.store.ID, secretsstore.SecretUpsert{
			Name: e.Name, Comment: &e.Comment, Scopes: sorted(e.Scopes), Value: e.value,
		})
		if err == nil {
			err = st.remember(p.store.ID, secret.ID, e.value)
		}
		if err != nil {
			return failed(e.Name, err)
		}
		done++
		action := "updated"
		if created {
			action = "created"
		}
		fmt.Fprintf(stdout, "%s %s\n", action, e.Name)
	}
	for _, c := range p.patch {
		_, _, err := client.Secrets.Patch(ctx, p.store.ID, c.id, c.patch)
		if err == nil && !c.patch.Value.IsZero() {
			err = st.remember(p.store.ID, c.id, c.value)
		}
		if err != nil {
			return failed(c.name, err)
		}
		done++
		fmt.Fprintf(stdout, "patched %s\n", c.name)
	}
	_, err := fmt.Fprintf(stdout, "Done: %d created, %d patched.\n", len(p.create), len(p.patch))
	return err
}
