package secretsstore

import (
	"cmp"
	"fmt"
	"iter"
	"strings"

	"github.com/google/go-querystring/query"
)

// An Order is the field that a list is sorted by. The API's default is OrderCreated.
// OrderComment and OrderStatus are for secrets only.
type Order string

// The orders that are documented.
const (
	OrderName     Order = "name"
	OrderComment  Order = "comment"
	OrderCreated  Order = "created"
	OrderModified Order = "modified"
	OrderStatus   Order = "status"
)

// A Direction is the direction in which a list is sorted. The API's default is Descending.
type Direction string

// The directions that are documented.
const (
	Ascending  Direction = "asc"
	Descending Direction = "desc"
)

// SecretListOptions select the secrets of a list. Zero fields are not sent. Negative numbers
// and a scope with a comma return [ErrInvalidArgument].
type SecretListOptions struct {
	Page      int       `url:"page,omitempty"`     // from 1; 0 means 1
	PerPage   int       `url:"per_page,omitempty"` // 0 means 20 for List and 100 for All; the API's maximum is 100
	Order     Order     `url:"order,omitempty"`
	Direction Direction `url:"direction,omitempty"`
	Search    string    `url:"search,omitempty"`       // selects secrets whose name or comment contains it
	Scopes    []Scope   `url:"scopes,comma,omitempty"` // selects secrets with these scopes; the API does not say whether with one or all
}

// StoreListOptions select the stores of a list. Zero fields are not sent. Negative numbers
// return [ErrInvalidArgument].
type StoreListOptions struct {
	Page      int       `url:"page,omitempty"`     // from 1; 0 means 1
	PerPage   int       `url:"per_page,omitempty"` // 0 means 20 for List and 100 for All; the API's maximum is 100
	Order     Order     `url:"order,omitempty"`
	Direction Direction `url:"direction,omitempty"`
}

func (o *SecretListOptions) encode() (string, error) {
	if o == nil {
		return "", nil
	}
	if err := checkPage(o.Page, o.PerPage); err != nil {
		return "", err
	}
	if err := checkText("search", o.Search); err != nil {
		return "", err
	}
	for _, scope := range o.Scopes {
		if strings.Contains(string(scope), ",") {
			return "", invalid("scopes", "contains a comma, which separates scopes")
		}
	}
	return encodeQuery(o), checkScopes("scopes", o.Scopes)
}

func (o *StoreListOptions) encode() (string, error) {
	if o == nil {
		return "", nil
	}
	return encodeQuery(o), checkPage(o.Page, o.PerPage)
}

// encodeQuery encodes a struct with url tags.
func encodeQuery(options any) string {
	values, _ := query.Values(options) // fails for other types only
	return values.Encode()
}

const (
	allPerPage = 100
	maxPages   = 10_000
)

// An identified is an item of a list.
type identified interface{ identity() string }

func (s *Secret) identity() string { return s.ID }
func (s *Store) identity() string  { return s.ID }

// allPages returns an iterator over the items of all pages from first on. It ends at a page
// that is empty, or shorter than requested unless its ResultInfo says that more pages
// follow. A ResultInfo can be wrong, so it is used for nothing else.
func allPages[T identified](first, perPage int, fetch func(page, perPage int) ([]T, *Response, error)) iter.Seq2[T, error] {
	first, perPage = cmp.Or(first, 1), cmp.Or(perPage, allPerPage)
	return func(yield func(T, error) bool) {
		var zero T
		seen := make(map[string]struct{})
		for page := first; ; page++ {
			if page-first == maxPages {
				yield(zero, listError("the list has more than %d pages", maxPages))
				return
			}
			items, resp, err := fetch(page, perPage)
			if err != nil {
				yield(zero, err)
				return
			}
			isNew := false
			for _, item := range items {
				if _, again := seen[item.identity()]; again {
					continue // concurrent creates move items to the next page
				}
				isNew = true
				seen[item.identity()] = struct{}{}
				if !yield(item, nil) {
					return
				}
			}
			switch {
			case len(items) == 0:
				return
			case !isNew:
				yield(zero, listError("page %d of the list repeats earlier pages", page))
				return
			case len(items) < perPage && !hintsAtMore(resp.ResultInfo, page, perPage, len(items), len(seen)):
				return
			}
		}
	}
}

// hintsAtMore reports whether info says that pages follow this one, which is shorter than
// requested. seen is the number of items on all pages so far, which can all be short.
func hintsAtMore(info *ResultInfo, page, perPage, items, seen int) bool {
	if info == nil {
		return false
	}
	if 0 < info.PerPage && info.PerPage < perPage {
		perPage = info.PerPage
	}
	return items >= perPage || page < info.TotalPages || seen < info.TotalCount
}

func listError(format string, args ...any) error {
	return fmt.Errorf("secretsstore: %w: "+format, append([]any{ErrInvalidResponse}, args...)...)
}
