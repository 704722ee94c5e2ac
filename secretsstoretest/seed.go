package secretsstoretest

import (
	"fmt"
	"maps"
	"slices"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
)

// AddStore creates a store in [Server.AccountID]. Quotas do not apply. AddStore panics if
// the name is empty or taken.
func (s *Server) AddStore(name string) *secretsstore.Store {
	st := s.service.state
	st.Lock()
	defer st.Unlock()
	made, err := st.createStore(s.AccountID, name, true)
	if err != nil {
		panic(fmt.Sprintf("secretsstoretest: AddStore: %q: %v", name, err))
	}
	return exportStore(made)
}

// AddSecret creates an active secret in a store of any account. Quotas do not apply.
// AddSecret panics if the store does not exist or if the API would reject the secret for
// another reason.
func (s *Server) AddSecret(storeID string, secret secretsstore.SecretCreate) *secretsstore.Secret {
	value, scopes := secret.Value.Reveal(), each(secret.Scopes, func(scope secretsstore.Scope) string { return string(scope) })
	fields := secretFields{name: &secret.Name, value: &value, scopes: &scopes, comment: &secret.Comment}
	st := s.service.state
	st.Lock()
	defer st.Unlock()
	found := st.stores[storeID]
	if found == nil {
		panic(fmt.Sprintf("secretsstoretest: AddSecret: unknown store %q", storeID))
	}
	made, err := st.insert(found, []secretFields{fields}, true)
	if err != nil {
		panic(fmt.Sprintf("secretsstoretest: AddSecret: %q: %v", secret.Name, err))
	}
	return exportSecret(made[0])
}

// Stores returns the stores of all accounts in the order of creation.
func (s *Server) Stores() []secretsstore.Store {
	st := s.service.state
	st.Lock()
	defer st.Unlock()
	all := slices.SortedFunc(maps.Values(st.stores), func(a, b *store) int { return a.seq - b.seq })
	return each(all, func(found *store) secretsstore.Store { return *exportStore(found) })
}

// Secrets returns the secrets that are listed in a store of any account, in the order of
// creation. It returns none if the store does not exist.
func (s *Server) Secrets(storeID string) []secretsstore.Secret {
	st := s.service.state
	st.Lock()
	defer st.Unlock()
	found := st.stores[storeID]
	if found == nil {
		return nil
	}
	return each(st.allSecrets(found), func(sec secret) secretsstore.Secret { return *exportSecret(sec) })
}

// Value returns the value of a secret, which the API never returns. ok reports whether the
// secret exists.
func (s *Server) Value(storeID, secretID string) (value string, ok bool) {
	st := s.service.state
	st.Lock()
	defer st.Unlock()
	if found := st.stores[storeID]; found != nil {
		if sec := found.secrets[secretID]; sec.visible(now(), 0) {
			return sec.value.Reveal(), true
		}
	}
	return "", false
}

func exportStore(s *store) *secretsstore.Store {
	return &secretsstore.Store{ID: s.id, AccountID: s.accountID, Name: s.name, Created: s.created, Modified: s.created}
}

func exportSecret(s secret) *secretsstore.Secret {
	return &secretsstore.Secret{
		ID: s.id, StoreID: s.storeID, Name: s.name, Comment: s.comment, Status: secretsstore.SecretStatus(s.status),
		Scopes:  each(s.scopes, func(scope string) secretsstore.Scope { return secretsstore.Scope(scope) }),
		Created: s.created, Modified: s.modified,
	}
}
