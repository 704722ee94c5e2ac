package secretsstoretest

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultPerPage = 20
	maxPerPage     = 100
)

// sorting is an order and a direction.
type sorting struct {
	by         string
	descending bool
}

// listing is what the query of a list asks for.
type listing struct {
	sorting
	page, perPage int
	search        string // in lower case
	scopes        []string
}

// parseListing reads the query. orders are the fields that this list can be sorted by.
func parseListing(q url.Values, orders ...string) (listing, *failure) {
	l := listing{sorting: sorting{by: "created", descending: true}, search: strings.ToLower(q.Get("search"))}
	var ok bool
	// The definition allows 0 for both; it is taken to mean "not given".
	if l.page, ok = number(q.Get("page")); !ok {
		return l, errInvalid("invalid_page_parameter")
	}
	if l.perPage, ok = number(q.Get("per_page")); !ok || l.perPage > maxPerPage {
		return l, errInvalid("invalid_per_page_parameter")
	}
	l.page, l.perPage = cmp.Or(l.page, 1), cmp.Or(l.perPage, defaultPerPage)
	if by := q.Get("order"); by != "" {
		if !slices.Contains(orders, by) {
			return l, errInvalid("invalid_order_parameter")
		}
		l.by = by
	}
	switch q.Get("direction") {
	case "", "desc":
	case "asc":
		l.descending = false
	default:
		return l, errInvalid("invalid_direction_parameter")
	}
	// Both forms are on the wire: one list with commas, and the key again and again.
	for _, s := range strings.FieldsFunc(strings.Join(q["scopes"], ","), func(r rune) bool { return r == ',' }) {
		if !knownScope(s) {
			return l, errInvalid("secret_scope_invalid")
		}
		l.scopes = append(l.scopes, s)
	}
	return l, nil
}

// number reads a number that is not negative; "" is 0.
func number(s string) (n int, ok bool) {
	if s == "" {
		return 0, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}

// keeps says whether a secret is among those that are asked for: it has the text in
// its name or comment, and it has all of the scopes.
func (l listing) keeps(s *secret) bool {
	if l.search != "" && !strings.Contains(strings.ToLower(s.name), l.search) && !strings.Contains(strings.ToLower(s.comment), l.search) {
		return false
	}
	for _, scope := range l.scopes {
		if !slices.Contains(s.scopes, scope) {
			return false
		}
	}
	return true
}

// page cuts the page that is asked for out of all results. One past the end is empty.
func page[T any](all []T, l listing) ([]T, *resultInfo) {
	pages := (len(all) + l.perPage - 1) / l.perPage
	result := []T{}
	if l.page <= pages {
		from := (l.page - 1) * l.perPage
		result = all[from:min(from+l.perPage, len(all))]
	}
	return result, &resultInfo{Count: len(result), Page: l.page, PerPage: l.perPage, TotalCount: len(all), TotalPages: pages}
}

func (st *state) listStores(accountID string, l listing) ([]storeView, *resultInfo) {
	st.mu.Lock()
	defer st.mu.Unlock()
	all := slices.SortedFunc(maps.Values(st.accounts[accountID].stores), func(a, b *store) int {
		c := a.created.Compare(b.created) // modified is the same: nothing changes a store
		if l.by == "name" {
			c = cmp.Compare(a.name, b.name)
		}
		return l.ordered(c, a.id, b.id)
	})
	some, info := page(all, l)
	views := make([]storeView, len(some))
	for i, s := range some {
		views[i] = s.view()
	}
	return views, info
}

func (st *state) listSecrets(accountID, storeID string, l listing) ([]secretView, *resultInfo, *failure) {
	st.mu.Lock()
	defer st.mu.Unlock()
	s, f := st.find(accountID, storeID)
	if f != nil {
		return nil, nil, f
	}
	now := st.now()
	all := s.list(l.sorting, now)
	if l.search != "" || l.scopes != nil {
		all = slices.DeleteFunc(slices.Clone(all), func(s *secret) bool { return !l.keeps(s) })
	}
	some, info := page(all, l)
	views := make([]secretView, len(some))
	for i, sec := range some {
		views[i] = sec.view(sec.status(now))
	}
	return views, info, nil
}

// list returns all secrets of the store in an order. It is kept until the next
// change, since a client that lists asks for page after page of the same.
func (s *store) list(by sorting, now time.Time) []*secret {
	if kept, ok := s.sorted[by]; ok {
		return kept
	}
	all := slices.SortedFunc(maps.Values(s.secrets), func(a, b *secret) int {
		c := 0
		switch by.by {
		case "name":
			c = cmp.Compare(a.name, b.name)
		case "comment":
			c = cmp.Compare(a.comment, b.comment)
		case "modified":
			c = a.modified.Compare(b.modified)
		case "status":
			c = cmp.Compare(a.status(now), b.status(now))
		default:
			c = a.created.Compare(b.created)
		}
		return by.ordered(c, a.id, b.id)
	})
	if by.by != "status" { // which changes by itself
		if s.sorted == nil {
			s.sorted = map[sorting][]*secret{}
		}
		s.sorted[by] = all
	}
	return all
}

// ordered turns the result of a comparison into the direction that is asked for. What
// is equal is in the order of the ids, in both directions.
func (by sorting) ordered(c int, a, b string) int {
	if c == 0 {
		return cmp.Compare(a, b)
	}
	if by.descending {
		return -c
	}
	return c
}
