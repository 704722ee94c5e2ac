package secretsstoretest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
)

// AddStore makes a store in [Server.AccountID]. The quota does not bind it: a test
// says what there is. AddStore panics if the name is empty or taken.
func (s *Server) AddStore(name string) *secretsstore.Store {
	return s.AddStoreTo(s.AccountID, name)
}

// AddStoreTo makes a store in another account; see [Server.AddStore] and
// [Server.AddAccount]. It panics if there is no such account.
func (s *Server) AddStoreTo(accountID, name string) *secretsstore.Store {
	if !s.state.hasAccount(accountID) {
		panic(fmt.Sprintf("secretsstoretest: AddStoreTo: there is no account %q; see AddAccount", accountID))
	}
	made, f := s.state.makeStore(accountID, name, true)
	if f != nil {
		panic(fmt.Sprintf("secretsstoretest: AddStore: %q: %v", name, f))
	}
	st := made.store()
	return &st
}

// AddSecret makes a secret in a store of any account, and has it active at once. The
// quota does not bind it. All else is checked as the API does, and AddSecret panics if
// it would be refused.
func (s *Server) AddSecret(storeID string, secret secretsstore.SecretCreate) *secretsstore.Secret {
	scopes := make([]string, len(secret.Scopes))
	for i, scope := range secret.Scopes {
		scopes[i] = string(scope)
	}
	value := secret.Value.Reveal()
	wanted := secretChange{Name: &secret.Name, Value: &value, Scopes: &scopes, Comment: &secret.Comment}
	made, f := s.state.makeSecrets(s.accountOf(storeID), storeID, []secretChange{wanted}, true)
	if f != nil {
		panic(fmt.Sprintf("secretsstoretest: AddSecret: %q: %v", secret.Name, f))
	}
	sec := made[0].secret()
	return &sec
}

// accountOf returns the account of a store, "" if there is no such store.
func (s *Server) accountOf(storeID string) string {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if st := s.state.stores[storeID]; st != nil {
		return st.account
	}
	return ""
}

// Value returns what a secret holds, which the API never tells. ok is false if there
// is no such secret.
func (s *Server) Value(storeID, secretID string) (value string, ok bool) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if st := s.state.stores[storeID]; st != nil && st.secrets[secretID] != nil {
		return st.secrets[secretID].value, true
	}
	return "", false
}

// Stores returns the stores of all accounts, in the order they were made.
func (s *Server) Stores() []secretsstore.Store {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	stores := []secretsstore.Store{}
	for _, st := range slices.SortedFunc(maps.Values(s.state.stores), func(a, b *store) int { return a.seq - b.seq }) {
		stores = append(stores, st.view().store())
	}
	return stores
}

// Secrets returns the secrets of a store of any account, in the order they were made;
// none if there is no such store.
func (s *Server) Secrets(storeID string) []secretsstore.Secret {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	secrets := []secretsstore.Secret{}
	st := s.state.stores[storeID]
	if st == nil {
		return secrets
	}
	now := s.state.now()
	for _, sec := range slices.SortedFunc(maps.Values(st.secrets), func(a, b *secret) int { return a.seq - b.seq }) {
		secrets = append(secrets, sec.view(sec.status(now)).secret())
	}
	return secrets
}

func (v storeView) store() secretsstore.Store {
	return secretsstore.Store{
		ID: v.ID, AccountID: v.AccountID, Name: v.Name,
		Created: time.Time(v.Created), Modified: time.Time(v.Modified),
	}
}

func (v secretView) secret() secretsstore.Secret {
	scopes := make([]secretsstore.Scope, len(v.Scopes))
	for i, scope := range v.Scopes {
		scopes[i] = secretsstore.Scope(scope)
	}
	return secretsstore.Secret{
		ID: v.ID, StoreID: v.StoreID, Name: v.Name, Comment: v.Comment, Scopes: scopes,
		Status: secretsstore.SecretStatus(v.Status), Created: time.Time(v.Created), Modified: time.Time(v.Modified),
	}
}
