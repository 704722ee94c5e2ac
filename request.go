package secretsstore

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// operation is one call as a service's method names it.
type operation struct {
	method string
	// route is the path with its parameters in braces. They are filled with the
	// account's id and then with ids; their names stand in errors.
	route string
	ids   [2]string
	query string
	body  any // sent as JSON; nil: no body
	// secrets are the values in body, to be kept out of errors.
	secrets []*SecretValue
	// repeatable says that doing it twice is doing it once.
	repeatable bool
	// gone is what a repeated delete finds where the first one had worked.
	gone error
	// findOut says how to learn whether it was done, where that is not known.
	findOut string
}

// accountRoute is what the routes of the Secrets Store start with.
const accountRoute = "/accounts/{account_id}/secrets_store"

// name is the operation's route, without any id; "" for one of Do, whose path the
// user wrote.
func (op *operation) name() string {
	if !strings.HasPrefix(op.route, accountRoute) {
		return ""
	}
	return op.route
}

// request is a call that is ready to be sent, as often as the policy allows.
type request struct {
	op       operation
	settings *requestSettings // nil where there are none
	url      *url.URL
	path     string // relative to the base URL, without the query
	body     []byte
	signed   []*SecretValue // the credentials of the attempts, each once
	hidden   []hidden       // what scrub takes out; nil until it is needed
}

func (c *core) newRequest(op operation, opts []RequestOption) (*request, error) {
	r := &request{op: op}
	accountID := c.accountID
	if len(opts) > 0 {
		var err error
		if r.settings, err = newRequestSettings(opts); err != nil {
			return nil, err
		}
		if id := r.settings.accountID; id != "" {
			if !strings.Contains(op.route, "{account_id}") {
				return nil, invalid("ForAccount: the path names the account")
			}
			accountID = id
		}
	}
	escaped, err := fillRoute(op.route, accountID, op.ids)
	if err != nil {
		return nil, err
	}
	r.path = escaped
	u := *c.baseURL
	if u.RawPath != "" || strings.Contains(escaped, "%") {
		u.RawPath = c.baseURL.EscapedPath() + escaped
		u.Path, _ = url.PathUnescape(u.RawPath)
	} else {
		u.Path += escaped
	}
	u.RawQuery = op.query
	r.url = &u
	if op.body != nil {
		if r.body, err = json.Marshal(op.body); err != nil {
			return nil, invalid("body can't be encoded: %v", err)
		}
	}
	return r, nil
}

// fillRoute puts the ids into the route's braces, and is the only place where an
// id becomes part of a path.
func fillRoute(route, accountID string, ids [2]string) (string, error) {
	if !strings.Contains(route, "{") {
		return route, nil
	}
	var path strings.Builder
	path.Grow(len(route) + len(accountID) + len(ids[0]) + len(ids[1]))
	next := 0
	for {
		before, rest, found := strings.Cut(route, "{")
		path.WriteString(before)
		if !found {
			return path.String(), nil
		}
		var name string
		name, route, _ = strings.Cut(rest, "}")
		id := accountID
		if name != "account_id" {
			id = ids[next]
			next++
		} else if id == "" {
			return "", invalid("account_id is empty: use WithAccountID, ForAccount or %s", envAccountID)
		}
		if err := checkID(name, id); err != nil {
			return "", err
		}
		path.WriteString(url.PathEscape(id))
	}
}

// http makes the request of one attempt.
func (r *request) http(ctx context.Context, header http.Header) *http.Request {
	req := (&http.Request{
		Method:     r.op.method,
		URL:        r.url,
		Host:       r.url.Host,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     header,
	}).WithContext(ctx)
	switch {
	case r.body == nil && !r.op.repeatable && (header["Idempotency-Key"] != nil || header["X-Idempotency-Key"] != nil):
		// net/http takes such a request for one that it may send again by itself, unless
		// it has a body that it can't.
		req.Body = newBody(nil)
	case r.body != nil:
		req.Body = newBody(r.body)
		req.ContentLength = int64(len(r.body))
		if r.op.repeatable {
			// With this the transport may send the body a second time by itself.
			req.GetBody = func() (io.ReadCloser, error) { return newBody(r.body), nil }
		}
	}
	return req
}

// header makes the headers of an attempt, but for the credentials. Their values
// are shared, which is why they have no room to grow.
func (c *core) header(r *request) http.Header {
	h := make(http.Header, 8)
	h["User-Agent"] = c.userAgent
	h["Accept"] = c.mediaType
	if r.body != nil {
		h["Content-Type"] = c.mediaType
	}
	if r.settings != nil {
		for name, values := range r.settings.header {
			h[name] = values
		}
	}
	return h
}

// isSignedWith keeps the credential of an attempt out of what is printed later.
func (r *request) isSignedWith(v *SecretValue) {
	if !slices.Contains(r.signed, v) {
		r.signed = append(r.signed, v)
		r.hidden = nil
	}
}

// waiting bounds what comes before an attempt is sent, in a call with that context.
func (r *request) waiting(ctx context.Context) context.Context {
	if r.settings != nil && r.settings.waiting != nil {
		return r.settings.waiting
	}
	return ctx
}

func (r *request) onResponse(resp *Response) {
	if r.settings != nil && r.settings.onResponse != nil {
		r.settings.onResponse(resp)
	}
}

// notSent is the error of a call that ends without sending attempt n, with that
// of the attempt before, if there was one.
func (r *request) notSent(err, last error, n int) error {
	if last != nil {
		err = fmt.Errorf("%w; the attempt before: %w", err, last)
	}
	return &RequestError{Method: r.op.method, Path: r.path, Attempts: n - 1, Err: err}
}
