package secretsstore

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The operations that differ in how they are retried.
var (
	getOp        = operation{method: http.MethodGet, route: secretRoute, idempotent: true}
	patchOp      = operation{method: http.MethodPatch, route: secretRoute, idempotent: true}
	deleteOp     = operation{method: http.MethodDelete, route: secretRoute, idempotent: true, gone: ErrSecretNotFound}
	bulkDeleteOp = operation{method: http.MethodDelete, route: secretsRoute, idempotent: true}
	createOp     = operation{method: http.MethodPost, route: secretsRoute, retry503: true}
	doPutOp      = operation{method: http.MethodPut, route: "/x", do: true, idempotent: true}
	doPatchOp    = operation{method: http.MethodPatch, route: "/x", do: true}
	doPostOp     = operation{method: http.MethodPost, route: "/x", do: true}
)

var fixedToken = &credential{secret: "token-abcdef", bearer: []string{"Bearer token-abcdef"}}

// newTestCall returns a call as it enters the layers.
func newTestCall(op operation) *call {
	return &call{op: op, path: "/path", result: new(noResult)}
}

// An attempt is what a fakeNext returns.
type attempt struct {
	resp  *Response
	err   error
	takes time.Duration
}

// A fakeNext is a next handler that returns its attempts in order, and then the last one
// again.
type fakeNext struct {
	attempts []attempt
	at       []time.Time // when each one started
	tokens   []string    // the token of each one
}

func (f *fakeNext) handle(_ context.Context, c *call) (*Response, error) {
	a := f.attempts[min(len(f.at), len(f.attempts)-1)]
	f.at = append(f.at, time.Now())
	if c.credential != nil {
		f.tokens = append(f.tokens, c.credential.secret)
	}
	time.Sleep(a.takes)
	return a.resp, a.err
}

// respond returns an attempt with a response: a success if status is 200 and there are no
// errors, otherwise an *APIError. headers are "Name: value".
func respond(status int, details []Detail, headers ...string) attempt {
	resp := &Response{StatusCode: status, Header: header(headers...)}
	if status == http.StatusOK && details == nil {
		return attempt{resp: resp}
	}
	return attempt{resp: resp, err: &APIError{StatusCode: status, Errors: details}}
}

func word(message string) []Detail { return []Detail{{Code: 1001, Message: message}} }

func code(code int) []Detail { return []Detail{{Code: code, Message: "text"}} }

// undecodable returns an attempt with a 2xx that cannot be decoded because of err.
func undecodable(err error) attempt {
	return attempt{resp: &Response{StatusCode: 200}, err: &ResponseError{StatusCode: 200, Err: err}}
}

// noResponse returns an attempt without a response.
func noResponse(state sentState, err error) attempt {
	return attempt{err: &RequestError{Err: err, state: state}}
}

var (
	success   = respond(200, nil)
	truncated = undecodable(fmt.Errorf("%w: %w: %w", ErrInvalidResponse, errTruncated, io.ErrUnexpectedEOF))
	lost      = noResponse(requestSent, io.ErrUnexpectedEOF)
	unsent    = noResponse(requestUnsent, io.ErrClosedPipe)
)

func header(headers ...string) http.Header {
	h := http.Header{}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

const secretBody = `{"success":true,"errors":[],"messages":[],"result":{"id":"secret","name":"A","status":"active"}}`

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func httpResponse(status int, body string, h http.Header) *http.Response {
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// newTestClient returns a client that sends to rt and is independent of the environment.
func newTestClient(t testing.TB, rt http.RoundTripper, opts ...Option) *Client {
	t.Helper()
	client, err := NewClient(append([]Option{
		WithoutEnvironment(), WithAPIToken(fixedToken.secret), WithAccountID("account"), WithHTTPClient(&http.Client{Transport: rt}),
	}, opts...)...)
	require.NoError(t, err)
	return client
}

func get(ctx context.Context, client *Client) error {
	_, _, err := client.Secrets.Get(ctx, "store", "secret")
	return err
}

func patch(ctx context.Context, client *Client) error {
	_, _, err := client.Secrets.Patch(ctx, "store", "secret", SecretPatch{Comment: Ptr("new")})
	return err
}
