package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// target is where the store is that is worked on.
type target struct {
	client   *secretsstore.Client
	inMemory bool
	close    func()
}

// longestBlock is how long the API blocks who was past its limit, and a minute. A
// run of many patches waits for it rather than fail.
const longestBlock = 6 * time.Minute

// open finds the store that the settings name, or makes one in memory, and fills in
// the account and the settings that have a default there.
func open(s *settings, out io.Writer) (*target, error) {
	if s.demoGiven {
		return demo(s, out), nil
	}
	client, err := secretsstore.NewClient(
		secretsstore.WithUserAgent("secretsstore-example-bulk"),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxWait: longestBlock}))
	switch {
	case errors.Is(err, secretsstore.ErrNoCredentials) && s.Store != "":
		return nil, fmt.Errorf("store %s is on Cloudflare: %w", plain(s.Store), err)
	case errors.Is(err, secretsstore.ErrNoCredentials):
		return demo(s, out), nil
	case err != nil:
		return nil, err
	}
	s.Account = os.Getenv("CLOUDFLARE_ACCOUNT_ID")
	switch {
	case s.Account == "":
		return nil, errors.New("credentials are set: CLOUDFLARE_ACCOUNT_ID must be, too")
	case s.Store == "":
		return nil, errors.New("credentials are set: -store must name the store, or -demo ask for one in memory (-h explains)")
	case s.Select.empty():
		return nil, errors.New("-scope, -name or -ids must say which secrets are meant; -name '*' is all")
	case s.Change.empty():
		return nil, errors.New("-add-scope, -remove-scope, -set-scopes or -comment must say what is to change")
	}
	if s.journal == "" && s.resume == "" {
		s.journal = "bulk-" + time.Now().Format("20060102-150405") + ".journal"
	}
	return &target{client: client, close: func() {}}, nil
}

// demoLatency is what a patch takes in the store in memory, as if it were far away.
const demoLatency = 20 * time.Millisecond

// demo makes a store in memory, with secrets of several kinds.
func demo(s *settings, out io.Writer) *target {
	srv := secretsstoretest.NewServer(secretsstoretest.WithMaxSecrets(0))
	store := srv.AddStore("demo")
	kinds := []secretsstore.SecretCreate{
		{Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}},
		{Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway}, Comment: "made by hand"},
		{Scopes: []secretsstore.Scope{secretsstore.ScopeDEX}},
		{Scopes: []secretsstore.Scope{secretsstore.ScopeAccess, secretsstore.ScopeWorkers}, Comment: "reviewed"},
	}
	for i := range s.demo {
		secret := kinds[i%len(kinds)]
		secret.Name = fmt.Sprintf("DEMO_%05d", i+1)
		secret.Value = secretsstore.NewSecretValue("demo")
		srv.AddSecret(store.ID, secret)
	}
	srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Latency: demoLatency})
	fmt.Fprintf(out, "Using a Secrets Store in memory at %s, with %d secrets.\n", srv.URL, s.demo)

	s.Account, s.Store = srv.AccountID, store.ID
	if s.Select.empty() {
		s.Select.Name = "*"
	}
	if s.Change.empty() {
		s.Change.Add = []secretsstore.Scope{secretsstore.ScopeAccess}
		s.Change.Comment = secretsstore.Ptr("reviewed")
	}
	return &target{client: srv.Client(), inMemory: true, close: srv.Close}
}
