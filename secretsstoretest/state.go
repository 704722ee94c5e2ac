package secretsstoretest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
)

// limits are the settings of a state.
type limits struct {
	stores, secrets  int // per account; unlimited if not positive
	pendingFor       time.Duration
	nameHeldFor      time.Duration
	deletedListedFor time.Duration
	filteredTotal    bool
}

// state holds the data of all accounts. Its methods are the operations of the API without
// HTTP. Callers must hold the mutex.
type state struct {
	sync.Mutex
	limits limits
	stores map[string]*store // of all accounts
	made   int               // stores and secrets created so far
}

type store struct {
	id, accountID, name string
	created             time.Time
	seq                 int
	live                int                // secrets that are not deleted
	secrets             map[string]*secret // by id
	names               map[string]*secret // the last secret with each name
}

type secret struct {
	id, storeID, name, comment string
	value                      secretsstore.SecretValue // so that dumps of a Server do not show it
	scopes                     []string                 // replaced as a whole
	created, modified          time.Time
	activeAt, deletedAt        time.Time // deletedAt is zero unless the secret is deleted
	seq                        int
	status                     string // set in copies that are returned
}

// A refusal reports why the service does not apply a request. Its word is the API's.
type refusal struct{ word, detail string }

func (r refusal) Error() string {
	if r.detail == "" {
		return r.word
	}
	return r.word + ": " + r.detail
}

// now returns the time in the API's resolution.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// next returns the sequence number and the id of a new store or secret.
func (st *state) next() (int, string) {
	st.made++
	return st.made, hashID(fmt.Sprint(st.made))
}

// hashID returns 32 hexadecimal digits that are derived from s.
func hashID(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// store returns a store of an account.
func (st *state) store(accountID, storeID string) (*store, error) {
	if s := st.stores[storeID]; s != nil && s.accountID == accountID {
		return s, nil
	}
	return nil, refusal{word: "store_not_found"}
}

// secret returns a secret that is not deleted, and its store.
func (st *state) secret(accountID, storeID, secretID string) (*store, *secret, error) {
	s, err := st.store(accountID, storeID)
	if err != nil {
		return nil, nil, err
	}
	if sec := s.secrets[secretID]; sec.visible(now(), 0) {
		return s, sec, nil
	}
	return s, nil, refusal{word: "secret_not_found"}
}

// count returns how many stores and secrets an account has.
func (st *state) count(accountID string) (stores, secrets int) {
	for _, s := range st.stores {
		if s.accountID == accountID {
			stores++
			secrets += s.live
		}
	}
	return stores, secrets
}

// createStore creates a store. The quota does not apply to seeds.
func (st *state) createStore(accountID, name string, seed bool) (*store, error) {
	if name == "" {
		return nil, refusal{word: "store_name_empty"}
	}
	stores, _ := st.count(accountID)
	if !seed && st.limits.stores > 0 && stores >= st.limits.stores {
		return nil, refusal{word: "maximum_stores_exceeded"}
	}
	for _, s := range st.stores {
		if s.accountID == accountID && s.name == name {
			return nil, refusal{word: "store_name_already_exists"}
		}
	}
	s := &store{accountID: accountID, name: name, created: now(), secrets: map[string]*secret{}, names: map[string]*secret{}}
	s.seq, s.id = st.next()
	st.stores[s.id] = s
	return s, nil
}

func (st *state) deleteStore(accountID, storeID string, force bool) error {
	s, err := st.store(accountID, storeID)
	if err != nil {
		return err
	}
	if s.live > 0 && !force {
		return refusal{word: "store_not_empty"}
	}
	delete(st.stores, storeID)
	return nil
}

func (st *state) createSecrets(accountID, storeID string, wanted []secretFields) ([]secret, error) {
	s, err := st.store(accountID, storeID)
	if err != nil {
		return nil, err
	}
	return st.insert(s, wanted, false)
}

func (st *state) duplicateSecret(accountID, storeID, secretID string, wanted secretFields) (secret, error) {
	s, original, err := st.secret(accountID, storeID, secretID)
	if err != nil {
		return secret{}, err
	}
	value := original.value.Reveal()
	wanted.value = &value
	made, err := st.insert(s, []secretFields{wanted}, false)
	if err != nil {
		return secret{}, err
	}
	return made[0], nil
}

// insert creates all of the secrets or none. Seeds are active, and the quota does not apply
// to them.
func (st *state) insert(s *store, wanted []secretFields, seed bool) ([]secret, error) {
	now, taken := now(), map[string]bool{}
	for _, w := range wanted {
		if err := w.checkCreate(); err != nil {
			return nil, err
		}
		if taken[*w.name] || s.names[*w.name].visible(now, st.limits.nameHeldFor) {
			r := refusal{word: "secret_name_already_exists"}
			if len(wanted) > 1 {
				r.detail = *w.name
			}
			return nil, r
		}
		taken[*w.name] = true
	}
	limit := st.limits.secrets
	if _, n := st.count(s.accountID); !seed && limit > 0 && n+len(wanted) > limit {
		return nil, refusal{"maximum_secrets_exceeded", fmt.Sprintf("max %d", limit)}
	}
	made := make([]secret, 0, len(wanted))
	for _, w := range wanted {
		sec := &secret{storeID: s.id, name: *w.name, created: now}
		sec.seq, sec.id = st.next()
		s.secrets[sec.id], s.names[sec.name] = sec, sec
		sec.write(w, now)
		if !seed {
			sec.activeAt = now.Add(st.limits.pendingFor)
		}
		made = append(made, sec.at(now, !seed))
	}
	s.live += len(made)
	return made, nil
}

// visible reports whether a secret, which may be nil, is not deleted or was deleted less
// than d ago.
func (sec *secret) visible(now time.Time, d time.Duration) bool {
	return sec != nil && (sec.deletedAt.IsZero() || now.Before(sec.deletedAt.Add(d)))
}

func (st *state) getSecret(accountID, storeID, secretID string) (secret, error) {
	s, _, err := st.secret(accountID, storeID, secretID)
	if s == nil {
		return secret{}, err
	}
	if sec, now := s.secrets[secretID], now(); sec.visible(now, st.limits.deletedListedFor) {
		return sec.at(now, false), nil
	}
	return secret{}, err
}

// patchSecret changes the fields that are present, except the name.
func (st *state) patchSecret(accountID, storeID, secretID string, patch secretFields) (secret, error) {
	_, sec, err := st.secret(accountID, storeID, secretID)
	if err != nil {
		return secret{}, err
	}
	if err := patch.check(); err != nil {
		return secret{}, err
	}
	now := now()
	sec.write(patch, now)
	if patch.value != nil {
		sec.activeAt = now.Add(st.limits.pendingFor)
	}
	return sec.at(now, patch.value != nil), nil
}

// deleteSecrets deletes all of the secrets, or none if one of them does not exist.
func (st *state) deleteSecrets(accountID, storeID string, ids ...string) error {
	for _, id := range ids {
		if _, _, err := st.secret(accountID, storeID, id); err != nil {
			return err
		}
	}
	for _, id := range ids {
		s, sec, err := st.secret(accountID, storeID, id)
		if err != nil {
			continue // named twice
		}
		sec.deletedAt = now()
		s.live--
		if st.limits.nameHeldFor <= 0 && st.limits.deletedListedFor <= 0 {
			delete(s.secrets, id)
			delete(s.names, sec.name)
		}
	}
	return nil
}

// write sets the fields that are present, except the name.
func (sec *secret) write(f secretFields, now time.Time) {
	if f.comment == nil && f.scopes == nil && f.value == nil {
		return
	}
	sec.modified = now
	if f.comment != nil {
		sec.comment = *f.comment
	}
	if f.scopes != nil {
		sec.scopes = normalize(*f.scopes)
	}
	if f.value != nil {
		sec.value = secretsstore.NewSecretValue(*f.value)
	}
}

// at returns a copy with the status at a time. The result of a write with a value is
// always pending.
func (sec *secret) at(now time.Time, written bool) secret {
	c := *sec
	switch {
	case !c.deletedAt.IsZero():
		c.status = "deleted"
	case written || now.Before(c.activeAt):
		c.status = "pending"
	default:
		c.status = "active"
	}
	return c
}
