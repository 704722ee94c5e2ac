package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// store is the Secrets Store in memory, with what is to be done there and what
// has been.
type store struct {
	srv   *secretsstoretest.Server
	id    string
	tasks []task

	mu       sync.Mutex
	requests int
	refused  int            // with 429
	patches  map[string]int // by path, those that succeeded
}

func newStore(p plan) *store {
	s := &store{patches: make(map[string]int, p.patches)}
	s.srv = secretsstoretest.NewServer(
		secretsstoretest.WithRateLimit(p.limit, p.window),
		secretsstoretest.WithMaxSecrets(0),
		secretsstoretest.WithRequestHook(s.see),
	)
	s.id = s.srv.AddStore("production").ID
	for i := range p.patches {
		secret := s.srv.AddSecret(s.id, secretsstore.SecretCreate{
			Name:   fmt.Sprintf("SECRET_%d", i),
			Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
			Value:  secretsstore.NewSecretValue("never-in-the-queue"),
		})
		s.tasks = append(s.tasks, task{
			StoreID: s.id, SecretID: secret.ID,
			Comment: secretsstore.Ptr(fmt.Sprintf("reviewed, number %d", i)),
			Scopes:  []secretsstore.Scope{secretsstore.ScopeAIGateway, secretsstore.ScopeWorkers},
		})
	}
	return s
}

func (s *store) see(r secretsstoretest.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	switch {
	case r.Status == 429:
		s.refused++
	case r.Status == 200:
		s.patches[r.Path]++
	}
}

// patched is how many secrets have been patched at least once.
func (s *store) patched() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.patches)
}

// summary says what came of it, by what the secrets are like now. The error is that
// something is not as it has to be.
func (s *store) summary(stdout io.Writer, p plan, took time.Duration) error {
	secrets := make(map[string]secretsstore.Secret, p.patches)
	for _, secret := range s.srv.Secrets(s.id) {
		secrets[secret.ID] = secret
	}
	right := 0
	for _, t := range s.tasks {
		if secret := secrets[t.SecretID]; secret.Comment == *t.Comment && slices.Equal(secret.Scopes, t.Scopes) {
			right++
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	again := 0
	for _, n := range s.patches {
		again += n - 1
	}
	fmt.Fprintf(stdout, "\n%d of %d secrets patched in %.1fs by %d workers.\n", right, p.patches, took.Seconds(), p.workers)
	fmt.Fprintf(stdout, "Requests: %d. Patches done again: %d. 429s seen: %d.\n", s.requests, again, s.refused)
	if right < p.patches {
		return fmt.Errorf("%d secrets are not as they have to be", p.patches-right)
	}
	if s.refused > 0 {
		return fmt.Errorf("%d requests were past the limit", s.refused)
	}
	return nil
}
