package secretsstore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/google/go-querystring/query"
)

// Order is the field that a list is sorted by. Where none is given the API sorts
// by the time of creation.
type Order string

// The orders of the API. Stores have neither a comment nor a status.
const (
	OrderName     Order = "name"
	OrderComment  Order = "comment"
	OrderCreated  Order = "created"
	OrderModified Order = "modified"
	OrderStatus   Order = "status"
)

// Direction is the direction that a list is sorted in. Where none is given the
// API's is descending.
type Direction string

// The directions of the API.
const (
	Ascending  Direction = "asc"
	Descending Direction = "desc"
)

// maxPerPage is the most that the API gives on a page.
const maxPerPage = 100

// maxPages is how many pages a list can have: more than any account fills.
const maxPages = 100_000

// SecretListOptions say which secrets are listed, and how. A field that is zero
// is not sent; nil options are the same as zero ones.
type SecretListOptions struct {
	Page      int       `url:"page,omitempty"`     // from 1; All begins there
	PerPage   int       `url:"per_page,omitempty"` // at most 100; 0: the API's 20, but 100 in All
	Order     Order     `url:"order,omitempty"`
	Direction Direction `url:"direction,omitempty"`
	Search    string    `url:"search,omitempty"`       // part of the name or comment
	Scopes    []Scope   `url:"scopes,comma,omitempty"` // secrets that have these scopes
}

// StoreListOptions say how the stores are listed. A field that is zero is not
// sent; nil options are the same as zero ones.
type StoreListOptions struct {
	Page      int       `url:"page,omitempty"`     // from 1; All begins there
	PerPage   int       `url:"per_page,omitempty"` // at most 100; 0: the API's 20, but 100 in All
	Order     Order     `url:"order,omitempty"`    // OrderName, OrderCreated or OrderModified
	Direction Direction `url:"direction,omitempty"`
}

func (o SecretListOptions) check() error {
	if err := checkText("search", o.Search); err != nil {
		return err
	}
	if err := checkScopes("", o.Scopes); err != nil {
		return err
	}
	for _, scope := range o.Scopes {
		if strings.Contains(string(scope), ",") {
			return invalid("scopes has %q: a comma parts two scopes", scope)
		}
	}
	return checkPage(o.Page, o.PerPage, o.Direction, o.Order, OrderName, OrderComment, OrderCreated, OrderModified, OrderStatus)
}

func (o StoreListOptions) check() error {
	return checkPage(o.Page, o.PerPage, o.Direction, o.Order, OrderName, OrderCreated, OrderModified)
}

func checkPage(page, perPage int, direction Direction, order Order, orders ...Order) error {
	switch {
	case page < 0:
		return invalid("page is %d: pages count from 1", page)
	case perPage < 0 || perPage > maxPerPage:
		return invalid("per page is %d: it must be 1 to %d", perPage, maxPerPage)
	case direction != "" && direction != Ascending && direction != Descending:
		return invalid("direction is %q: it must be %q or %q", direction, Ascending, Descending)
	case order != "" && !slices.Contains(orders, order):
		return invalid("order is %q: it must be one of %q", order, orders)
	}
	return nil
}

// encodeQuery makes the query of tagged options.
func encodeQuery(options any) (string, error) {
	values, err := query.Values(options)
	if err != nil {
		return "", invalid("options can't be encoded: %v", err)
	}
	return values.Encode(), nil
}

// listed is what a list consists of.
type listed interface {
	result
	identity() string
}

// listPage makes one request for a page.
func listPage[E listed](ctx context.Context, c *core, op operation, options any, opts []RequestOption) (items []E, resp *Response, err error) {
	if op.query, err = encodeQuery(options); err != nil {
		return nil, nil, err
	}
	return callList[E](ctx, c, op, opts)
}

// allPages yields what is on every page from first on, of perPage each; it holds
// one page at a time. An error ends it and is yielded once.
//
// It stops where the answers say that the list ends, and trusts none that
// contradicts itself: a server that answers each page with the first one, or that
// counts what it does not list, ends it with an error, and neither in a loop nor
// with a part of the list.
func allPages[E listed](first, perPage int, fetch func(page, perPage int) ([]E, *Response, error)) iter.Seq2[E, error] {
	if first == 0 {
		first = 1
	}
	if perPage == 0 {
		perPage = maxPerPage
	}
	return func(yield func(E, error) bool) {
		var none E
		before, these := make(map[string]struct{}), make(map[string]struct{})
		for page := first; ; page++ {
			items, resp, err := fetch(page, perPage)
			if err != nil {
				yield(none, err)
				return
			}
			more, err := moreAfter(page, perPage, len(items), resp.ResultInfo)
			if err != nil {
				yield(none, err)
				return
			}
			isNew := false
			for _, item := range items {
				// What another writer adds moves the list on by one, so that the end of a
				// page comes again on the next.
				id := item.identity()
				these[id] = struct{}{}
				if _, again := before[id]; again {
					continue
				}
				isNew = true
				if !yield(item, nil) {
					return
				}
			}
			if len(items) > 0 && !isNew {
				yield(none, listError("page %d brings nothing that page %d did not have", page, page-1))
				return
			}
			if !more {
				return
			}
			if page-first+1 == maxPages {
				yield(none, listError("it has more than %d pages", maxPages))
				return
			}
			before, these = these, before
			clear(these)
		}
	}
}

// moreAfter says whether a page comes after this one, which has so many items.
func moreAfter(page, perPage, items int, info *ResultInfo) (bool, error) {
	if info != nil && info.Page > 0 && info.Page != page {
		return false, listError("asked for page %d, the API gave page %d", page, info.Page)
	}
	if info != nil && info.PerPage > 0 {
		perPage = info.PerPage // the API may give less on a page than it was asked for
	}
	if info == nil || info.TotalCount == 0 {
		return items > 0 && items >= perPage, nil
	}
	left := max(0, info.TotalCount-(page-1)*perPage)
	if items != min(left, perPage) {
		return false, listError("page %d has %d items, which total_count %d with %d a page does not explain", page, items, info.TotalCount, perPage)
	}
	return left > perPage, nil
}

// listError is about a list of pages that can't be right.
func listError(format string, args ...any) error {
	return fmt.Errorf("secretsstore: listing: "+format+": %w", append(args, ErrInvalidResponse)...)
}
