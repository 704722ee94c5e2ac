package secretsstoretest

import (
	"slices"
	"sync"
	"time"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
)

// state is everything that is stored. Its methods are the operations of the API
// without HTTP; those that seed are not bound by quotas.
type state struct {
	clock      func() time.Time
	newID      func() string
	maxStores  int // an account; 0: any number
	maxSecrets int // an account; 0: any number
	pendingFor time.Duration

	mu       sync.Mutex
	accounts map[string]*account
	stores   map[string]*store // of all accounts
	last     time.Time         // the latest time given out
	seq      int               // counts what was made, to list it in that order
}

type account struct {
	stores  map[string]*store
	secrets int // in all its stores
}

type store struct {
	id, account, name string
	created           time.Time
	seq               int
	secrets           map[string]*secret
	names             map[string]*secret
	sorted            map[sorting][]*secret // what lists were made since the last change
}

type secret struct {
	id, store, name, comment, value string
	scopes                          []string
	created, modified, activeAt     time.Time
	seq                             int
}

// secretChange is what a write asks for; nil leaves a field as it is.
type secretChange struct {
	Name    *string   `json:"name"`
	Value   *string   `json:"value"`
	Scopes  *[]string `json:"scopes"`
	Comment *string   `json:"comment"`
}

// now is the clock's time as the API gives it, in UTC and microseconds. It never goes
// back, also where the clock does.
func (st *state) now() time.Time {
	now := st.clock().UTC().Truncate(time.Microsecond)
	if now.Before(st.last) {
		return st.last
	}
	st.last = now
	return now
}

// id returns an id that nothing has. A source that gives none of use is asked a few
// times; what a test got wrong there may not make a request fail.
func (st *state) id(taken func(string) bool) string {
	for range 10 {
		if id := st.newID(); validID(id) && !taken(id) {
			return id
		}
	}
	return randomHex(16)
}

func (st *state) addAccount(id string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.accounts[id] == nil {
		st.accounts[id] = &account{stores: map[string]*store{}}
	}
}

func (st *state) hasAccount(id string) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.accounts[id] != nil
}

// find returns the store of an account. The caller holds the lock.
func (st *state) find(accountID, storeID string) (*store, *failure) {
	if a := st.accounts[accountID]; a != nil && a.stores[storeID] != nil {
		return a.stores[storeID], nil
	}
	return nil, errStoreNotFound()
}

// findSecret returns a secret and the store it is in. The caller holds the lock.
func (st *state) findSecret(accountID, storeID, secretID string) (*store, *secret, *failure) {
	s, f := st.find(accountID, storeID)
	if f != nil {
		return nil, nil, f
	}
	sec := s.secrets[secretID]
	if sec == nil {
		return nil, nil, errSecretNotFound()
	}
	return s, sec, nil
}

// makeStore makes a store. Where the quota is reached that is said first, also if the
// name is taken.
func (st *state) makeStore(accountID, name string, seed bool) (storeView, *failure) {
	if name == "" {
		return storeView{}, errInvalid("store_name_empty")
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	a := st.accounts[accountID]
	if !seed && st.maxStores > 0 && len(a.stores) >= st.maxStores {
		return storeView{}, errMaximumExceeded()
	}
	for _, s := range a.stores {
		if s.name == name {
			return storeView{}, errStoreNameTaken()
		}
	}
	st.seq++
	s := &store{
		id:      st.id(func(id string) bool { return st.stores[id] != nil }),
		account: accountID, name: name, created: st.now(), seq: st.seq,
		secrets: map[string]*secret{}, names: map[string]*secret{},
	}
	a.stores[s.id], st.stores[s.id] = s, s
	return s.view(), nil
}

func (st *state) deleteStore(accountID, storeID string, force bool) *failure {
	st.mu.Lock()
	defer st.mu.Unlock()
	s, f := st.find(accountID, storeID)
	if f != nil {
		return f
	}
	if len(s.secrets) > 0 && !force {
		return errStoreNotEmpty()
	}
	a := st.accounts[accountID]
	a.secrets -= len(s.secrets)
	delete(a.stores, storeID)
	delete(st.stores, storeID)
	return nil
}

// makeSecrets makes all of the secrets or none.
func (st *state) makeSecrets(accountID, storeID string, wanted []secretChange, seed bool) ([]secretView, *failure) {
	if f := checkAll(wanted, true); f != nil {
		return nil, f
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.insert(accountID, storeID, wanted, seed)
}

// duplicate makes a secret with the value of another.
func (st *state) duplicate(accountID, storeID, secretID string, copied secretChange) (secretView, *failure) {
	copied.Value = nil // only the original's
	if f := checkAll([]secretChange{copied}, false); f != nil {
		return secretView{}, f
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	_, original, f := st.findSecret(accountID, storeID, secretID)
	if f != nil {
		return secretView{}, f
	}
	copied.Value = &original.value
	made, f := st.insert(accountID, storeID, []secretChange{copied}, false)
	if f != nil {
		return secretView{}, f
	}
	return made[0], nil
}

// insert is what making and duplicating have in common. The caller holds the lock
// and has checked the fields.
func (st *state) insert(accountID, storeID string, wanted []secretChange, seed bool) ([]secretView, *failure) {
	s, f := st.find(accountID, storeID)
	if f != nil {
		return nil, f
	}
	named := map[string]bool{}
	for _, w := range wanted {
		if s.names[*w.Name] != nil || named[*w.Name] {
			return nil, errSecretNameTaken(*w.Name, len(wanted) > 1)
		}
		named[*w.Name] = true
	}
	a := st.accounts[accountID]
	if !seed && st.maxSecrets > 0 && a.secrets+len(wanted) > st.maxSecrets {
		return nil, errMaximumExceeded()
	}
	now, status, pendingFor := st.now(), st.justWritten(), st.pendingFor
	if seed {
		status, pendingFor = string(secretsstore.SecretStatusActive), 0
	}
	views := make([]secretView, 0, len(wanted))
	for _, w := range wanted {
		st.seq++
		sec := &secret{
			id:    st.id(func(id string) bool { return s.secrets[id] != nil }),
			store: storeID, name: *w.Name, value: *w.Value, scopes: normalize(*w.Scopes),
			created: now, modified: now, activeAt: now.Add(pendingFor), seq: st.seq,
		}
		if w.Comment != nil {
			sec.comment = *w.Comment
		}
		s.secrets[sec.id], s.names[sec.name] = sec, sec
		views = append(views, sec.view(status))
	}
	a.secrets += len(wanted)
	s.sorted = nil
	return views, nil
}

// patch changes what is not nil. The name is not among it: it is ignored.
func (st *state) patch(accountID, storeID, secretID string, change secretChange) (secretView, *failure) {
	if f := checkPatch(change); f != nil {
		return secretView{}, f
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	s, sec, f := st.findSecret(accountID, storeID, secretID)
	if f != nil {
		return secretView{}, f
	}
	now := st.now()
	status := sec.status(now)
	if change.Comment != nil {
		sec.comment = *change.Comment
	}
	if change.Scopes != nil {
		sec.scopes = normalize(*change.Scopes)
	}
	if change.Value != nil {
		sec.value, sec.activeAt, status = *change.Value, now.Add(st.pendingFor), st.justWritten()
	}
	if change.Comment != nil || change.Scopes != nil || change.Value != nil {
		sec.modified = now
		s.sorted = nil
	}
	return sec.view(status), nil
}

// deleteSecrets deletes all of the secrets or, where one of them is unknown, none.
func (st *state) deleteSecrets(accountID, storeID string, ids ...string) *failure {
	st.mu.Lock()
	defer st.mu.Unlock()
	s, f := st.find(accountID, storeID)
	if f != nil {
		return f
	}
	for _, id := range ids {
		if s.secrets[id] == nil {
			return errSecretNotFound()
		}
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		delete(s.names, s.secrets[id].name)
		delete(s.secrets, id)
		st.accounts[accountID].secrets--
	}
	s.sorted = nil
	return nil
}
