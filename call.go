package secretsstore

import (
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/internal/redact"
)

// An operation describes one operation of the API and its arguments.
type operation struct {
	method string
	route  string // the path, with its parameters in braces
	ids    ids    // the parameters after the account
	query  string
	body   any      // encoded as JSON; nil: no body
	values []string // the secret values in body, for redaction

	idempotent bool
	retry503   bool  // a 503 means that the request was not applied, so repeat it even if it is not idempotent
	gone       error // the error of a repeated delete if an earlier attempt was applied
	do         bool  // the path was written by the user
}

type ids [2]string

// template returns the route for hooks. A path of Do is not one: it may hold ids.
func (op *operation) template() string {
	if op.do {
		return ""
	}
	return op.route
}

const accountRoute = "/accounts/{account_id}/secrets_store"

// A call is the state of an operation while the layers process it.
type call struct {
	op      operation
	options callOptions
	path    string // relative to the base URL, without the query
	url     url.URL
	body    []byte
	result  payload

	log *slog.Logger // nil: none

	attempt    int           // the current one, or the one that is waited for; from 1
	made       int           // attempts that have ended
	waited     time.Duration // since the previous attempt
	credential *credential   // of this attempt
	renewed    bool          // credential was set by renew
	secrets    []string      // texts that must not be shown: credentials, header values, secret values
	secretsBuf [4]string     // saves an allocation
}

func (c *core) newCall(op operation, result payload, opts []RequestOption) (*call, error) {
	call := &call{op: op, options: c.defaults(), result: result, log: c.log}
	o := &call.options
	if o.err != nil {
		return nil, o.err
	}
	account := o.accountID
	o.accountID = ""
	if err := o.apply(opts); err != nil {
		return nil, err
	}
	if o.accountID == "" {
		o.accountID = account
	} else if !strings.Contains(op.route, "{account_id}") {
		return nil, invalid("account_id", "the path has no {account_id}, add it or omit the account")
	}
	call.secrets = append(call.secretsBuf[:0], op.values...)
	for _, values := range o.header {
		call.secrets = append(call.secrets, values...)
	}
	var err error
	if call.path, err = expand(op.route, o.accountID, op.ids); err != nil {
		return nil, err
	}
	call.url = *c.baseURL
	if call.url.RawPath != "" || strings.Contains(call.path, "%") {
		escaped := call.path
		if !strings.Contains(escaped, "%") {
			escaped = (&url.URL{Path: escaped}).EscapedPath()
		}
		call.url.RawPath = c.baseURL.EscapedPath() + escaped
		call.url.Path, _ = url.PathUnescape(call.url.RawPath) // both parts were checked
	} else {
		call.url.Path += call.path
	}
	call.url.RawQuery = op.query
	if op.body != nil {
		if call.body, err = json.Marshal(op.body); err != nil {
			return nil, invalid("body", "cannot be encoded as JSON")
		}
	}
	return call, nil
}

// expand replaces the parameters of a route: the account first, then ids in order. It is
// the only place where an id becomes part of a path.
func expand(route, accountID string, ids ids) (string, error) {
	var path strings.Builder
	path.Grow(len(route) + 64)
	id := accountID
	for {
		before, rest, found := strings.Cut(route, "{")
		path.WriteString(before)
		if !found {
			return path.String(), nil
		}
		name, after, _ := strings.Cut(rest, "}")
		if name != "account_id" {
			id, ids[0] = ids[0], ids[1]
		} else if id == "" {
			return "", invalid(name, "missing, pass an account id, or set "+envAccountID+" if the client reads the environment")
		}
		if err := checkID(name, id); err != nil {
			return "", err
		}
		path.WriteString(id)
		route = after
	}
}

// clean makes text of the server safe to show: truncated, on one line, and replaced if it
// contains a secret of this call.
func (c *call) clean(s string, limit int) string { return redact.Text(s, limit, c.secrets) }
