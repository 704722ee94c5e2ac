package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

//go:embed secrets.json
var sample []byte

// demo shows three runs against a Secrets Store in memory, with values made up.
func demo(ctx context.Context, stdout io.Writer) error {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	folder, err := os.MkdirTemp("", "sync-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	fmt.Fprintf(stdout, "No credentials in the environment: using a Secrets Store in memory at %s.\n", srv.URL)
	fmt.Fprintln(stdout, "The file is examples/sync/secrets.json; the values are made up.")

	store := srv.AddStore("production")
	for _, name := range []string{"PAYMENTS_API_KEY", "LEGACY_TOKEN"} {
		srv.AddSecret(store.ID, secretsstore.SecretCreate{
			Name: name, Comment: "made by hand", Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: secretsstore.NewSecretValue("by-hand"),
		})
	}
	environment := map[string]string{
		"PAYMENTS_API_KEY": "demo-value-1", "AI_PROVIDER_TOKEN": "demo-value-2", "SESSION_KEY": "demo-value-3",
	}
	show := func(about string) error {
		fmt.Fprintf(stdout, "\n%s\n\n", about)
		want, err := readWanted(sample, func(name string) string { return environment[name] })
		if err != nil {
			return err
		}
		return synchronize(ctx, stdout, srv.Client(), want, settings{state: filepath.Join(folder, "state"), apply: true})
	}
	if err := show("The first run, with -apply:"); err != nil {
		return err
	}
	if err := show("The second run finds nothing to do:"); err != nil {
		return err
	}
	environment["SESSION_KEY"] = "demo-value-4"
	return show("SESSION_KEY has a new value in the environment:")
}
