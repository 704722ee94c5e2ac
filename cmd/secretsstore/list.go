package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-57d84f87/secretsstore-go"
)

func newListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List secrets with their scopes, status and comment",
		Long:  "Lists the secrets of a store by name. The API never returns their values.",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return a.list() },
	}
}

func (a *app) list() error {
	ctx, cancel := a.withTimeout(a.first)
	defer cancel()
	client, store, err := a.open(ctx, "")
	if err != nil {
		return err
	}
	secrets := []*secretsstore.Secret{} // encoded as [] if there is none
	for secret, err := range client.Secrets.All(ctx, store.ID, nil) {
		if err != nil {
			return err
		}
		secrets = append(secrets, secret)
	}
	slices.SortFunc(secrets, func(x, y *secretsstore.Secret) int { return cmp.Compare(x.Name, y.Name) })
	if a.output == formatJSON {
		return encodeJSON(a.stdout, secrets)
	}
	rows := [][]string{{"NAME", "SCOPES", "STATUS", "COMMENT", "MODIFIED"}}
	for _, s := range secrets {
		rows = append(rows, []string{s.Name, joinScopes(s.Scopes), string(s.Status), s.Comment, s.Modified.UTC().Format(time.RFC3339)})
	}
	return printTable(a.stdout, rows)
}
