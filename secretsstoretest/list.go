package secretsstoretest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

const (
	defaultPerPage = 20
	maxPerPage     = 100
)

// listing is what a list request selects.
type listing struct {
	order         string
	descending    bool
	page, perPage int // positive
	search        string
	scopes        []string
}

// listStores returns a page of an account's stores, and the number of all of them.
func (st *state) listStores(accountID string, l listing) ([]*store, int) {
	all := slices.Collect(maps.Values(st.stores))
	all = slices.DeleteFunc(all, func(s *store) bool { return s.accountID != accountID })
	slices.SortFunc(all, func(a, b *store) int {
		c := a.created.Compare(b.created) // a store is never modified
		if l.order == "name" {
			c = cmp.Compare(a.name, b.name)
		}
		return l.direction(cmp.Or(c, a.seq-b.seq))
	})
	return paginate(all, l), len(all)
}

// listSecrets returns a page of a store's secrets, and the total number of secrets.
func (st *state) listSecrets(accountID, storeID string, l listing) ([]secret, int, error) {
	s, err := st.store(accountID, storeID)
	if err != nil {
		return nil, 0, err
	}
	all := st.allSecrets(s)
	total := len(all)
	all = slices.DeleteFunc(all, func(sec secret) bool { return !l.matches(sec) })
	if st.limits.filteredTotal {
		total = len(all)
	}
	slices.SortFunc(all, func(a, b secret) int {
		var c int
		switch l.order {
		case "name":
			c = cmp.Compare(a.name, b.name)
		case "comment":
			c = cmp.Compare(a.comment, b.comment)
		case "modified":
			c = a.modified.Compare(b.modified)
		case "status":
			c = cmp.Compare(a.status, b.status)
		default:
			c = a.created.Compare(b.created)
		}
		return l.direction(cmp.Or(c, a.seq-b.seq))
	})
	return paginate(all, l), total, nil
}

// allSecrets returns copies of the secrets that are listed, in the order of creation. It
// removes deleted secrets that are neither listed nor hold their name.
func (st *state) allSecrets(s *store) []secret {
	now := now()
	var all []secret
	for id, sec := range s.secrets {
		if sec.visible(now, st.limits.deletedListedFor) {
			all = append(all, sec.at(now, false))
		} else if !sec.visible(now, st.limits.nameHeldFor) {
			delete(s.secrets, id)
		}
	}
	slices.SortFunc(all, func(a, b secret) int { return a.seq - b.seq })
	return all
}

// matches reports whether the name or comment contains the search text, in any case, and
// the secret has all of the scopes.
func (l listing) matches(s secret) bool {
	search := strings.ToLower(l.search)
	if !strings.Contains(strings.ToLower(s.name), search) && !strings.Contains(strings.ToLower(s.comment), search) {
		return false
	}
	return !slices.ContainsFunc(l.scopes, func(scope string) bool { return !slices.Contains(s.scopes, scope) })
}

// direction applies the direction to the result of an ascending comparison.
func (l listing) direction(c int) int {
	if l.descending {
		return -c
	}
	return c
}

// paginate returns the page that l selects, which is empty past the end.
func paginate[T any](all []T, l listing) []T {
	if l.page > len(all)/l.perPage+1 {
		return nil
	}
	from := min((l.page-1)*l.perPage, len(all))
	return all[from:min(from+l.perPage, len(all))]
}
