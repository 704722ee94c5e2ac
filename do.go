package secretsstore

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Do calls an endpoint of the Cloudflare API that has no method here, with this
// client's credentials, limits and errors. path is relative to the base URL, such
// as "/user/tokens/verify?x=1"; it may have a query, but no scheme, empty or dot
// segment, or fragment. body is encoded as JSON; nil sends none. The answer's
// result is decoded into result, a pointer, unless that is nil; a success without
// a result is then [ErrInvalidResponse].
//
// GET, PUT and DELETE are tried again where that helps. PATCH and POST are
// not taken to be safe to repeat: one that may have been done is
// [ErrOutcomeUnknown]. A body that holds a [SecretValue] is [ErrInvalidArgument],
// since a SecretValue marshals as [REDACTED]: put what Reveal returns there.
// [ForAccount] has no meaning here, as path names the account, and is
// [ErrInvalidArgument].
func (c *Client) Do(ctx context.Context, method, path string, body, result any, opts ...RequestOption) (*Response, error) {
	op := operation{method: method, findOut: "read back what it was to change"}
	switch method {
	case http.MethodGet, http.MethodPut, http.MethodDelete:
		op.repeatable = true
	case http.MethodPatch, http.MethodPost:
	default:
		return nil, invalid("method %q is not GET, PUT, DELETE, PATCH or POST", method)
	}
	var err error
	if op.route, op.query, err = splitPath(path); err != nil {
		return nil, err
	}
	if op.body, err = checkBody(body); err != nil {
		return nil, err
	}
	if result == nil {
		return c.c.do(ctx, op, new(none), opts)
	}
	into := &anyResult{into: result}
	if err := into.checkTarget(); err != nil {
		return nil, err
	}
	return c.c.do(ctx, op, into, opts)
}

// splitPath parts a path of Do from its query, and checks both.
func splitPath(path string) (escaped, query string, err error) {
	escaped, query, _ = strings.Cut(path, "?")
	escaped = "/" + strings.TrimPrefix(escaped, "/")
	if strings.ContainsAny(path, "#{}") {
		return "", "", invalid("path has a fragment or a brace")
	}
	if u, err := url.Parse(path); err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" {
		return "", "", invalid("path is no path below the base URL")
	}
	if err := checkPath(escaped); err != nil {
		return "", "", invalid("path has %v", err)
	}
	if unescaped, _ := url.PathUnescape(escaped); unescaped != escaped && (&url.URL{Path: unescaped, RawPath: escaped}).EscapedPath() != escaped {
		return "", "", invalid("path has escapes, and a character beside them that is not escaped")
	}
	for i := 0; i < len(query); i++ {
		if query[i] <= ' ' || query[i] >= 0x7f {
			return "", "", invalid("path has a query that is not escaped")
		}
	}
	return escaped, query, nil
}

// checkBody encodes a body of Do, and refuses one that would not arrive as it is
// meant. It is encoded here so that what is checked is what is sent.
func checkBody(body any) (any, error) {
	switch body.(type) {
	case nil:
		return nil, nil
	case []byte, io.Reader:
		return nil, invalid("body is %T: it is encoded as JSON, so pass the value, or a json.RawMessage", body)
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, invalid("body can't be encoded: %v", err)
	}
	if !isText(reflect.ValueOf(body)) {
		return nil, invalid("body has text that is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	for {
		token, err := decoder.Token()
		if err != nil {
			return json.RawMessage(encoded), nil // the end: it was just encoded
		}
		if token == redacted {
			return nil, invalid("body holds %s: a SecretValue is sent only as what its Reveal returns", redacted)
		}
	}
}

// isText says whether all text in v, which encoding/json has encoded, is UTF-8. Its
// output does not tell: it may have the character that replaces what is not.
func isText(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || isText(v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			return utf8.Valid(v.Bytes())
		}
		for i := range v.Len() {
			if !isText(v.Index(i)) {
				return false
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if !isText(entries.Key()) || !isText(entries.Value()) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if (field.IsExported() || field.Anonymous) && field.Tag.Get("json") != "-" && !isText(v.Field(i)) {
				return false
			}
		}
	}
	return true
}

// anyResult decodes into what the caller of Do gave.
type anyResult struct {
	into any
}

// checkTarget refuses what nothing can be decoded into.
func (r *anyResult) checkTarget() error {
	if v := reflect.ValueOf(r.into); v.Kind() != reflect.Pointer || v.IsNil() {
		return invalid("result is %T: it must be a pointer that is not nil", r.into)
	}
	return nil
}

// UnmarshalJSON decodes into the caller's pointer.
func (r *anyResult) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, r.into) }

func (*anyResult) check() error { return nil }
