package secretsstoretest

import (
	"slices"
	"strings"
	"time"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
)

// The names and limits of the API.
const (
	nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	maxValue       = 65_536 // bytes
)

// timestamp is a time as the API writes it: in UTC, always with six decimals.
type timestamp time.Time

func (t timestamp) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).Format(`"2006-01-02T15:04:05.000000Z"`)), nil
}

// secretView is a secret as the API shows it. It is a type of its own, and not the
// client's, so that a mistake there can't hide behind the same mistake here.
type secretView struct {
	ID       string    `json:"id"`
	Created  timestamp `json:"created"`
	Modified timestamp `json:"modified"`
	Name     string    `json:"name"`
	Status   string    `json:"status"`
	StoreID  string    `json:"store_id"`
	Comment  string    `json:"comment,omitempty"`
	Scopes   []string  `json:"scopes"`
}

type storeView struct {
	ID        string    `json:"id"`
	AccountID string    `json:"account_id"`
	Name      string    `json:"name"`
	Created   timestamp `json:"created"`
	Modified  timestamp `json:"modified"`
}

func (s *store) view() storeView {
	at := timestamp(s.created)
	return storeView{ID: s.id, AccountID: s.account, Name: s.name, Created: at, Modified: at}
}

// view shares the scopes: they are replaced as a whole, and never changed.
func (s *secret) view(status string) secretView {
	return secretView{
		ID: s.id, Created: timestamp(s.created), Modified: timestamp(s.modified),
		Name: s.name, Status: status, StoreID: s.store, Comment: s.comment, Scopes: s.scopes,
	}
}

func (s *secret) status(now time.Time) string {
	if now.Before(s.activeAt) {
		return string(secretsstore.SecretStatusPending)
	}
	return string(secretsstore.SecretStatusActive)
}

// justWritten is the status in the answer to a write with a value.
func (st *state) justWritten() string {
	if st.pendingFor < 0 {
		return string(secretsstore.SecretStatusActive)
	}
	return string(secretsstore.SecretStatusPending)
}

// checkAll checks the fields of secrets that are to be made.
func checkAll(wanted []secretChange, withValue bool) *failure {
	for _, w := range wanted {
		if f := checkName(w.Name); f != nil {
			return f
		}
		if w.Scopes == nil {
			return errInvalid("secret_scopes_empty")
		}
		if withValue && w.Value == nil {
			return errInvalid("secret_value_empty")
		}
		if f := checkPatch(w); f != nil {
			return f
		}
	}
	return nil
}

// checkPatch checks what a patch sets.
func checkPatch(w secretChange) *failure {
	if w.Scopes != nil {
		if f := checkScopes(*w.Scopes); f != nil {
			return f
		}
	}
	if w.Value != nil {
		switch {
		case *w.Value == "":
			return errInvalid("secret_value_empty")
		case len(*w.Value) > maxValue:
			return errInvalid("secret_value_too_long")
		}
	}
	return nil
}

func checkName(name *string) *failure {
	switch {
	case name == nil || *name == "":
		return errInvalid("secret_name_empty")
	case strings.Trim(*name, nameCharacters) != "":
		return errInvalid("secret_name_invalid")
	}
	return nil
}

func checkScopes(scopes []string) *failure {
	if len(scopes) == 0 {
		return errInvalid("secret_scopes_empty")
	}
	for _, s := range scopes {
		if !knownScope(s) {
			return errInvalid("secret_scope_invalid")
		}
	}
	return nil
}

func knownScope(s string) bool {
	switch secretsstore.Scope(s) {
	case secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway, secretsstore.ScopeDEX,
		secretsstore.ScopeAccess, secretsstore.ScopeContainers, secretsstore.ScopeWebsearch:
		return true
	}
	return false
}

// normalize returns scopes as the API gives them back: sorted, each once.
func normalize(scopes []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(scopes)))
}
