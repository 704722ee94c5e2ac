package secretsstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/seed-57d84f87/secretsstore-go/internal/grammar"
	"github.com/seed-57d84f87/secretsstore-go/internal/redact"
)

// Do calls an endpoint of the Cloudflare API that has no method in this package. It uses the
// client's credentials, retries and error types.
//
// path is relative to the base URL, such as /user/tokens/verify. It must be
// percent-encoded. It may have a query, but no scheme, fragment, empty segment or dot
// segment. {account_id} in it is replaced with the account. WithAccountID is invalid for a
// path without it, except as a default of the client.
//
// body is encoded as JSON and must not be a []byte or an io.Reader. If it is nil, no body is
// sent. A body that contains a [SecretValue] is rejected; use [SecretValue.Reveal].
//
// If result is non-nil, it must be a pointer, into which the result field of the response is
// decoded; a success without one returns [ErrInvalidResponse]. If result is nil, the field is
// ignored.
//
// method is GET, PUT, DELETE, POST or PATCH. The first three are idempotent. POST and PATCH
// are retried only if the request was not sent or its response was a 429. A failed call
// other than GET that may have been applied matches [ErrOutcomeUnknown].
func (c *Client) Do(ctx context.Context, method, path string, body, result any, opts ...RequestOption) (*Response, error) {
	op := operation{method: method, do: true}
	switch method {
	case http.MethodGet, http.MethodPut, http.MethodDelete:
		op.idempotent = true
	case http.MethodPost, http.MethodPatch:
	default:
		return nil, invalid("method", "must be GET, PUT, DELETE, POST or PATCH")
	}
	var err error
	if op.route, op.query, err = splitPath(path); err != nil {
		return nil, err
	}
	if op.body, err = encodeBody(body); err != nil {
		return nil, err
	}
	if result == nil {
		return c.core.do(ctx, op, new(noResult), opts)
	}
	if err := checkTarget(result); err != nil {
		return nil, err
	}
	return c.core.do(ctx, op, &anyEnvelope{target: result}, opts)
}

// checkTarget checks what a result is decoded into.
func checkTarget(v any) error {
	if v := reflect.ValueOf(v); v.Kind() != reflect.Pointer || v.IsNil() {
		return invalid("result", "must be a non-nil pointer")
	}
	return nil
}

// splitPath checks a path of Do and separates its query.
func splitPath(path string) (escaped, query string, err error) {
	escaped, query, _ = strings.Cut(path, "?")
	escaped = "/" + strings.TrimPrefix(escaped, "/")
	plain := strings.ReplaceAll(escaped, "{account_id}", "account_id")
	if strings.Contains(path, "#") {
		return "", "", invalid("path", "must not have a fragment")
	}
	if strings.ContainsAny(plain, "{}") {
		return "", "", invalid("path", "has a parameter other than {account_id}")
	}
	if u, err := url.Parse(plain); err == nil && (u.Scheme != "" || u.Host != "") || strings.Contains(escaped, "://") {
		return "", "", invalid("path", "must be relative to the base URL")
	}
	if strings.HasSuffix(escaped, "/") {
		return "", "", invalid("path", "must not be empty or end with a slash")
	}
	if reason := grammar.Path(plain); reason != "" {
		return "", "", invalid("path", reason)
	}
	if unescaped, _ := url.PathUnescape(plain); unescaped != plain && (&url.URL{Path: unescaped, RawPath: plain}).EscapedPath() != plain {
		return "", "", invalid("path", "must be fully percent-encoded")
	}
	for i := range len(query) {
		if query[i] <= ' ' || query[i] >= 0x7f {
			return "", "", invalid("path", "query must be percent-encoded")
		}
	}
	return escaped, query, nil
}

// encodeBody encodes a body of Do, and rejects one that contains a redacted secret value.
func encodeBody(body any) (any, error) {
	switch body.(type) {
	case nil:
		return nil, nil
	case []byte, io.Reader:
		return nil, invalid("body", "must not be bytes or a reader, it is encoded as JSON")
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		reason := "cannot be encoded as JSON" // other errors quote the body
		var unsupported *json.UnsupportedTypeError
		if errors.As(err, &unsupported) {
			reason += ": has a value of type " + unsupported.Type.String()
		}
		return nil, invalid("body", reason)
	}
	if bytes.Contains(encoded, []byte(redact.Placeholder)) {
		return nil, invalid("body", "contains "+redact.Placeholder+", pass the revealed secret value")
	}
	return json.RawMessage(encoded), nil
}

// An anyEnvelope decodes its result into target, once the response is a success.
type anyEnvelope struct {
	envelopeInfo
	Result json.RawMessage `json:"result"`

	target any
}

func (e *anyEnvelope) reset()       { *e = anyEnvelope{target: e.target} }
func (*anyEnvelope) required() bool { return true }

func (e *anyEnvelope) complete() error { return decodeResult(e.Result, e.target) }
