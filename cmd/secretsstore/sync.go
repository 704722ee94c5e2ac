package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-57d84f87/secretsstore-go"
)

// A syncing is what the sync command is to do.
type syncing struct {
	name         string
	check, apply bool
	writeValues  []string
	file         *storeFile
}

func newSyncCommand(a *app) *cobra.Command {
	var s syncing
	cmd := &cobra.Command{
		Use:   "sync -f FILE [--check | --apply]",
		Short: "Make a store match a file",
		Long: `Shows how a store differs from a YAML or JSON file, and with --apply changes it.
Secrets that are not in the file stay. value_from is file:PATH, env:NAME,
random:BYTES or cmd:COMMAND, which the shell runs. An example:
  store: production
  secrets:
  - {name: KEY, comment: of team A, scopes: [workers], value_from: env:KEY}`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			switch {
			case s.name == "":
				return usageError("--file must name the file")
			case s.check && s.apply:
				return usageError("--check and --apply exclude each other")
			}
			if s.file, err = readStoreFile(a, s.name); err != nil {
				return err
			}
			return a.sync(&s)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&s.name, "file", "f", "", "`file` with the desired state; - is stdin")
	flags.BoolVar(&s.check, "check", false, "exit with status 3 if the store differs")
	flags.BoolVar(&s.apply, "apply", false, "apply the differences")
	flags.StringSliceVar(&s.writeValues, "write-values", nil, "values to write: missing (default), all or `names`")
	return cmd
}

// writes reports whether the value of an existing secret is to be written. The API does not
// return values, so they cannot be compared.
func (s *syncing) writes(name string) bool {
	return slices.Contains(s.writeValues, "all") || slices.Contains(s.writeValues, name)
}

// A syncPlan is how a store differs from the file.
type syncPlan struct {
	creates, patches []*change
	unchanged        int
	others           []string // secrets that only the store has
}

func (s *syncing) plan(secrets []*secretsstore.Secret) (*syncPlan, error) {
	p, byName := new(syncPlan), map[string]*secretsstore.Secret{}
	for _, secret := range secrets {
		byName[secret.Name] = secret
		if !slices.ContainsFunc(s.file.Secrets, func(f fileSecret) bool { return f.Name == secret.Name }) {
			p.others = append(p.others, secret.Name)
		}
	}
	for _, name := range s.writeValues {
		isKnown := func(f fileSecret) bool { return f.Name == name && f.ValueFrom != "" }
		if name != "missing" && name != "all" && !slices.ContainsFunc(s.file.Secrets, isKnown) {
			return nil, usageError("--write-values: the file has no value_from for %s", plain(name))
		}
	}
	for i := range s.file.Secrets {
		f := &s.file.Secrets[i]
		secret := byName[f.Name]
		if secret == nil {
			if f.ValueFrom == "" {
				return nil, usageError("secret %s does not exist, and the file has no value_from for it", plain(f.Name))
			}
			p.creates = append(p.creates, &change{Action: "create", Name: f.Name, Difference: fmt.Sprintf("scopes %s; value from %s", joinScopes(f.Scopes), f.source), file: f})
			continue
		}
		c := &change{Action: "patch", ID: secret.ID, Name: f.Name}
		c.patch.Scopes = newScopes(secret, f.Scopes)
		if f.Comment != nil && *f.Comment != secret.Comment {
			c.patch.Comment = f.Comment
		}
		c.Difference = difference(secret, c.patch)
		if f.ValueFrom != "" && s.writes(f.Name) {
			c.file = f
			c.Difference = strings.TrimPrefix(c.Difference+"; value from "+f.source.String(), "; ")
		}
		if c.Difference == "" {
			p.unchanged++
		} else {
			p.patches = append(p.patches, c)
		}
	}
	return p, nil
}

func (a *app) sync(s *syncing) error {
	ctx, intake, cancel := a.contexts()
	defer cancel()
	client, store, err := a.open(intake, s.file.Store)
	if errors.Is(err, secretsstore.ErrStoreNotFound) && a.storeName == "" && s.file.Store != "" {
		store, err = &secretsstore.Store{Name: s.file.Store}, nil // to be created
	}
	var secrets []*secretsstore.Secret
	if err == nil && store.ID != "" {
		secrets, err = readSecrets(intake, client, store.ID)
	}
	if err != nil {
		return err
	}
	plan, err := s.plan(secrets)
	if err != nil {
		return err
	}
	all := append(plan.creates, plan.patches...)
	a.printPlan(store.Name, all, fmt.Sprintf("%d to create, %d to patch, %d unchanged", len(plan.creates), len(plan.patches), plan.unchanged))
	if store.ID == "" {
		fmt.Fprintln(a.text(), "  The store does not exist and is created.")
	}
	if len(plan.others) > 0 {
		shown := plan.others[:min(20, len(plan.others))]
		fmt.Fprintf(a.text(), "  %d secrets are only in the store: %s\n", len(plan.others), plain(strings.Join(shown, ", ")))
	}
	isDifferent := len(all) > 0 || store.ID == ""
	if !s.apply || !isDifferent {
		if a.output == formatJSON {
			if err := a.printChanges(store.Name, all, plan.unchanged); err != nil {
				return err
			}
		}
		if s.check && isDifferent {
			return &statusError{exitPartly, errors.New("the store differs from the file")}
		}
		return nil
	}
	if err := a.confirm(fmt.Sprintf("Apply %d changes to store %s?", len(all), plain(store.Name))); err != nil {
		return err
	}
	cause, err := a.applySync(ctx, intake, client, store, plan)
	if err != nil {
		return err
	}
	return a.summarize(store.Name, all, plan.unchanged, cause)
}

// applySync applies a plan. All values are read before the first change. The error is
// non-nil if nothing was changed.
func (a *app) applySync(ctx, intake context.Context, client *secretsstore.Client, store *secretsstore.Store, plan *syncPlan) (cause, err error) {
	for _, c := range append(plan.creates, plan.patches...) {
		if c.file == nil {
			continue
		}
		if c.patch.Value, err = c.file.source.read(intake, a); err != nil {
			return nil, fmt.Errorf("nothing was changed: secret %s: %w", plain(c.Name), err)
		}
	}
	if intake.Err() != nil {
		return nil, context.Cause(intake)
	}
	client = patient(client)
	if store.ID == "" {
		if store, _, err = client.Stores.Ensure(ctx, secretsstore.StoreCreate{Name: store.Name}); err != nil {
			return nil, err
		}
	}
	p := &patcher{client: client, store: store.ID, progress: a.newProgress(len(plan.creates) + len(plan.patches))}
	defer p.progress.end()
	for _, c := range plan.creates {
		if intake.Err() != nil {
			return context.Cause(intake), nil
		}
		upsert := secretsstore.SecretUpsert{Name: c.Name, Comment: c.file.Comment, Scopes: c.file.Scopes, Value: c.patch.Value}
		secret, _, err := client.Secrets.Upsert(ctx, store.ID, upsert)
		if isUnsent(ctx, err) {
			return err, nil
		}
		if c.finish(err); err == nil {
			c.ID = secret.ID
		}
		p.progress.step()
	}
	if len(plan.patches) == 0 {
		return context.Cause(intake), nil
	}
	return p.apply(ctx, intake, plan.patches), nil
}
