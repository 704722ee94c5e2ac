package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed-57d84f87/secretsstore-go"
)

// plan is what is to be done, so that the store is as the file says.
type plan struct {
	storeName string
	store     *secretsstore.Store // nil: there is none yet
	present   []*secretsstore.Secret

	create    []entry
	patch     []change
	unchanged []string
	extra     []string // only in the store
}

// change is a secret that is there, and differs.
type change struct {
	name  string
	id    string
	patch secretsstore.SecretPatch
	value secretsstore.SecretValue // what the secret has afterwards
	why   []string
}

// empty says that there is nothing to do.
func (p plan) empty() bool { return p.store != nil && len(p.create) == 0 && len(p.patch) == 0 }

// makePlan compares the file with the store. It only looks.
func makePlan(ctx context.Context, client *secretsstore.Client, want wanted, st *state, allValues bool) (plan, error) {
	p := plan{storeName: want.Store}
	for store, err := range client.Stores.All(ctx, nil) {
		if err != nil {
			return p, err
		}
		if store.Name == want.Store {
			p.store = store
			break
		}
	}
	byName := map[string]*secretsstore.Secret{}
	if p.store != nil {
		for secret, err := range client.Secrets.All(ctx, p.store.ID, &secretsstore.SecretListOptions{Order: secretsstore.OrderName, Direction: secretsstore.Ascending}) {
			if err != nil {
				return p, err
			}
			p.present = append(p.present, secret)
			byName[secret.Name] = secret
		}
	}
	for _, e := range want.Secrets {
		secret := byName[e.Name]
		delete(byName, e.Name)
		if secret == nil {
			p.create = append(p.create, e)
			continue
		}
		if c := difference(p.store.ID, secret, e, st, allValues); c.why != nil {
			p.patch = append(p.patch, c)
		} else {
			p.unchanged = append(p.unchanged, e.Name)
		}
	}
	for _, secret := range p.present {
		if byName[secret.Name] != nil {
			p.extra = append(p.extra, secret.Name)
		}
	}
	return p, nil
}

// difference says what of a secret is to be changed, and why.
func difference(storeID string, secret *secretsstore.Secret, e entry, st *state, allValues bool) change {
	c := change{name: e.Name, id: secret.ID, value: e.value}
	if secret.Comment != e.Comment {
		c.patch.Comment = secretsstore.Ptr(e.Comment)
		c.why = append(c.why, fmt.Sprintf("comment %q → %q", secret.Comment, e.Comment))
	}
	if before, after := sorted(secret.Scopes), sorted(e.Scopes); !slices.Equal(before, after) {
		c.patch.Scopes = after
		c.why = append(c.why, fmt.Sprintf("scopes %s → %s", join(before), join(after)))
	}
	switch wrote := st.compare(storeID, secret.ID, e.value); {
	case allValues:
		c.why = append(c.why, "value, as -values says")
	case wrote == another:
		c.why = append(c.why, "value, which has changed")
	case wrote == unknown:
		c.why = append(c.why, "value, which is not known to be the same")
	default:
		return c
	}
	c.patch.Value = e.value
	return c
}

// print writes the plan, without values.
func (p plan) print(w io.Writer) error {
	if p.store == nil {
		fmt.Fprintf(w, "Store %q: there is none, it is to be made.\n", p.storeName)
	} else {
		fmt.Fprintf(w, "Store %q (%s):\n", p.storeName, p.store.ID)
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, e := range p.create {
		fmt.Fprintf(table, "  + create\t%s\tscopes %s, value from %s\n", e.Name, join(sorted(e.Scopes)), e.ValueEnv)
	}
	for _, c := range p.patch {
		fmt.Fprintf(table, "  ~ patch\t%s\t%s\n", c.name, strings.Join(c.why, "; "))
	}
	for _, name := range p.unchanged {
		fmt.Fprintf(table, "  = unchanged\t%s\n", name)
	}
	for _, name := range p.extra {
		fmt.Fprintf(table, "  ? only in the store\t%s\n", name)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d to create, %d to patch, %d unchanged, %d only in the store.\n",
		len(p.create), len(p.patch), len(p.unchanged), len(p.extra))
	return err
}

// sorted is what two lists of scopes are compared as: their order means nothing.
func sorted(scopes []secretsstore.Scope) []secretsstore.Scope {
	return slices.Compact(slices.Sorted(slices.Values(scopes)))
}

func join(scopes []secretsstore.Scope) string {
	parts := make([]string, len(scopes))
	for i, scope := range scopes {
		parts[i] = string(scope)
	}
	return strings.Join(parts, ",")
}
