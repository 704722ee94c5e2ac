// Command patch changes the comment, scopes or value of a secret and shows it
// before and after. Without credentials in the environment it does so against a
// Secrets Store in memory, so that it runs anywhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const usage = `Usage: patch [flags]

Patches a secret of a Cloudflare Secrets Store and shows it before and after.

With credentials in the environment (CLOUDFLARE_API_TOKEN, or CLOUDFLARE_EMAIL
with CLOUDFLARE_API_KEY) and CLOUDFLARE_ACCOUNT_ID it patches the secret that
-store and -secret name; what no flag gives stays as it is. Without credentials it
starts a Secrets Store in memory, makes a secret there and patches that, by default
with the comment and scopes of the API's documentation.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "patch:", err)
		stop()
		os.Exit(1)
	}
}

// target is the secret to be patched, and what is to change.
type target struct {
	store, secret string
	patch         secretsstore.SecretPatch
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	t, err := parse(args, stderr)
	if err != nil {
		return err
	}
	client, err := secretsstore.NewClient(secretsstore.WithUserAgent("secretsstore-example-patch"))
	if errors.Is(err, secretsstore.ErrNoCredentials) {
		if t.store != "" || t.secret != "" {
			return fmt.Errorf("-store and -secret are on Cloudflare: %w", err)
		}
		return demo(ctx, stdout, t.patch)
	}
	if err != nil {
		return err
	}
	if t.store == "" || t.secret == "" {
		return errors.New("credentials are set: -store and -secret must name the secret to patch (-h explains)")
	}
	return patch(ctx, stdout, client, t)
}

// parse reads the flags. A value never comes from the command line, where other
// users of the machine and the shell's history would see it.
func parse(args []string, stderr io.Writer) (target, error) {
	var t target
	flags := flag.NewFlagSet("patch", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&t.store, "store", "", "`id` of the store")
	flags.StringVar(&t.secret, "secret", "", "`id` of the secret")
	flags.Func("comment", "the new `comment`; \"\" clears it", func(s string) error {
		t.patch.Comment = &s
		return nil
	})
	flags.Func("scopes", "the new `scopes`, with commas", func(s string) error {
		for scope := range strings.SplitSeq(s, ",") {
			t.patch.Scopes = append(t.patch.Scopes, secretsstore.Scope(strings.TrimSpace(scope)))
		}
		return nil
	})
	valueEnv := flags.String("value-env", "", "`variable` of the environment with the new value; without it the value stays")
	if err := flags.Parse(args); err != nil {
		return t, err
	}
	if flags.NArg() > 0 {
		return t, fmt.Errorf("unexpected argument %q (-h explains)", flags.Arg(0))
	}
	if *valueEnv != "" {
		value := os.Getenv(*valueEnv)
		if value == "" {
			return t, fmt.Errorf("-value-env: %s is not set", *valueEnv)
		}
		t.patch.Value = secretsstore.NewSecretValue(value)
	}
	return t, nil
}

// documented is the patch of the API's documentation.
func documented() secretsstore.SecretPatch {
	return secretsstore.SecretPatch{
		Comment: secretsstore.Ptr("info about my secret"),
		Scopes:  []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway, secretsstore.ScopeDEX, secretsstore.ScopeAccess},
	}
}

// demo does the same against a Secrets Store in memory.
func demo(ctx context.Context, stdout io.Writer, p secretsstore.SecretPatch) error {
	if p.Comment == nil && p.Scopes == nil && p.Value.IsZero() {
		p = documented()
	}
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	client := srv.Client()
	fmt.Fprintf(stdout, "No credentials in the environment: using a Secrets Store in memory at %s.\n", srv.URL)

	store, _, err := client.Stores.Create(ctx, secretsstore.StoreCreate{Name: "service_x_keys"})
	if err != nil {
		return err
	}
	created, _, err := client.Secrets.Create(ctx, store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("api-token-secret-123"),
	})
	if err != nil {
		return err
	}
	t := target{store: store.ID, secret: created.ID, patch: p}
	if err := patch(ctx, stdout, client, t); err != nil {
		return err
	}

	fmt.Fprintln(stdout, "\nA patch that fails, of a secret that is not there:")
	_, _, err = client.Secrets.Patch(ctx, store.ID, strings.Repeat("0", 32), p)
	var apiErr *secretsstore.APIError
	if !errors.As(err, &apiErr) {
		return fmt.Errorf("patching a secret that is not there: got %v, want an APIError", err)
	}
	fmt.Fprintf(stdout, "  error:                             %v\n", err)
	fmt.Fprintf(stdout, "  errors.Is(err, ErrSecretNotFound): %t\n", errors.Is(err, secretsstore.ErrSecretNotFound))
	fmt.Fprintf(stdout, "  status, code, ray:                 %d, %d, %s\n", apiErr.StatusCode, apiErr.Errors[0].Code, apiErr.RayID)
	return nil
}

func patch(ctx context.Context, stdout io.Writer, client *secretsstore.Client, t target) error {
	before, _, err := client.Secrets.Get(ctx, t.store, t.secret)
	if err != nil {
		return err
	}
	after, resp, err := client.Secrets.Patch(ctx, t.store, t.secret, t.patch)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Patched secret %s (status %d, ray %s, %d attempt):\n\n", after.ID, resp.StatusCode, resp.RayID, resp.Attempts)
	w := tabwriter.NewWriter(stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "\tBEFORE\tAFTER")
	for _, row := range []struct {
		label string
		of    func(*secretsstore.Secret) string
	}{
		{"name", func(s *secretsstore.Secret) string { return s.Name }},
		{"comment", func(s *secretsstore.Secret) string { return orDash(s.Comment) }},
		{"scopes", func(s *secretsstore.Secret) string { return orDash(join(s.Scopes)) }},
		{"status", func(s *secretsstore.Secret) string { return string(s.Status) }},
		{"modified", func(s *secretsstore.Secret) string { return s.Modified.Format(time.RFC3339Nano) }},
	} {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row.label, row.of(before), row.of(after))
	}
	return w.Flush()
}

func join(scopes []secretsstore.Scope) string {
	parts := make([]string, len(scopes))
	for i, scope := range scopes {
		parts[i] = string(scope)
	}
	return strings.Join(parts, ",")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
