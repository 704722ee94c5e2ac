package secretsstoretest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxBody holds 100 secrets whose values have the maximum size.
	maxBody = 8 << 20
	// maxCommas bounds the items that a body can decode into: without a limit, 8 MiB of
	// {} take hundreds of megabytes.
	maxCommas = 100_000
)

// secretBody is a secret in the body of a request.
type secretBody struct {
	Name    *string   `json:"name"`
	Value   *string   `json:"value"`
	Scopes  *[]string `json:"scopes"`
	Comment *string   `json:"comment"`
}

func (b secretBody) fields() secretFields {
	return secretFields{name: b.Name, value: b.Value, scopes: b.Scopes, comment: b.Comment}
}

// decode decodes a body, which must be a JSON value that starts with opening. It ignores
// the content type: wrangler sends text/plain.
func decode[T any](body []byte, opening byte) (v T, err error) {
	body = bytes.TrimLeft(body, " \t\r\n")
	if len(body) == 0 || body[0] != opening ||
		commas(body) > maxCommas || !utf8.Valid(body) || json.Unmarshal(body, &v) != nil {
		return v, errInvalidJSON()
	}
	return v, nil
}

// commas counts the commas outside of strings.
func commas(body []byte) (n int) {
	quoted := false
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			quoted = !quoted
		case '\\':
			i++
		case ',':
			if !quoted {
				n++
			}
		}
	}
	return n
}

// parseListing reads the query of a list that can be sorted by the given fields.
func parseListing(q url.Values, orders ...string) (listing, error) {
	l := listing{order: cmp.Or(q.Get("order"), "created"), descending: q.Get("direction") != "asc", search: q.Get("search")}
	var ok bool
	if l.page, ok = parseNumber(q.Get("page"), 1); !ok {
		return l, refusal{word: "invalid_page_parameter"}
	}
	if l.perPage, ok = parseNumber(q.Get("per_page"), defaultPerPage); !ok || l.perPage > maxPerPage {
		return l, refusal{word: "invalid_per_page_parameter"}
	}
	if !slices.Contains(orders, l.order) {
		return l, refusal{word: "invalid_order_parameter"}
	}
	if !slices.Contains([]string{"", "asc", "desc"}, q.Get("direction")) {
		return l, refusal{word: "invalid_direction_parameter"}
	}
	// The API defines one list with commas. cloudflare-go repeats the key.
	for s := range strings.SplitSeq(strings.Join(q["scopes"], ","), ",") {
		switch {
		case s == "":
		case !knownScope(s):
			return l, refusal{word: "secret_scope_invalid"}
		default:
			l.scopes = append(l.scopes, s)
		}
	}
	return l, nil
}

// parseNumber reads a number that is not negative. The API allows 0, which is taken for
// absent.
func parseNumber(s string, absent int) (n int, ok bool) {
	if s == "" {
		return absent, true
	}
	n, err := strconv.Atoi(s)
	return cmp.Or(n, absent), err == nil && n >= 0
}
