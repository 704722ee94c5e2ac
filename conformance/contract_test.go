package conformance

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

//go:embed openapi.yaml
var document []byte

// A contract is the OpenAPI document of the API.
type contract struct{ router routers.Router }

func newContract(t testing.TB) contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(document)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(context.Background()))
	doc.Servers = openapi3.Servers{{URL: "/client/v4"}}
	router, err := legacy.NewRouter(doc)
	require.NoError(t, err)
	return contract{router}
}

// check validates a response and, unless onlyResponse is set, its request. It returns the id
// of the operation.
func (c contract) check(t testing.TB, x exchange, onlyResponse bool) string {
	t.Helper()
	r := x.request.Clone(context.Background())
	r.URL.Host, r.URL.Scheme, r.Host = "", "", ""
	r.Body = io.NopCloser(bytes.NewReader(x.body))
	route, parameters, err := c.router.FindRoute(r)
	require.NoError(t, err)
	input := &openapi3filter.RequestValidationInput{
		Request: r, Route: route, PathParams: parameters,
		Options: &openapi3filter.Options{
			MultiError: true, IncludeResponseStatus: true, SkipSettingDefaults: true, RejectWhenRequestBodyNotSpecified: true,
			AuthenticationFunc: authenticate,
		},
	}
	what := fmt.Sprintf("%s %s %.300s\n%d %.300s", r.Method, r.URL, x.body, x.status, x.result)
	if !onlyResponse {
		assert.NoError(t, openapi3filter.ValidateRequest(context.Background(), input), what)
		for name := range r.URL.Query() { // kin-openapi accepts unknown parameters
			assert.NotNil(t, route.Operation.Parameters.GetByInAndName("query", name), "%s: %s", name, what)
		}
	}
	assert.NoError(t, openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: x.status, Header: x.header, Body: io.NopCloser(bytes.NewReader(x.result)), Options: input.Options,
	}), what)
	return route.Operation.OperationID
}

// authenticate requires the header of a security scheme.
func authenticate(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	name := "Authorization"
	if in.SecurityScheme.Type == "apiKey" {
		name = in.SecurityScheme.Name
	}
	if in.RequestValidationInput.Request.Header.Get(name) == "" {
		return fmt.Errorf("no %s", name)
	}
	return nil
}

// What this library sends, and what the emulator responds, is as the document has it.
func TestContract(t *testing.T) {
	c := newContract(t)
	operations := map[string]bool{}
	for _, pair := range pairs {
		t.Run(pair.name, func(t *testing.T) {
			w := newWorld(t)
			require.NoError(t, pair.ours(t.Context(), w.ours(), w))
			byKey := newWorld(t)
			require.NoError(t, pair.ours(t.Context(), byKey.ours(secretsstore.WithAPIKey(byKey.Email, byKey.APIKey)), byKey))
			for _, x := range append(w.take(), byKey.take()...) {
				operations[c.check(t, x, false)] = true
			}
		})
		for _, failure := range []struct {
			name   string
			opts   []secretsstore.Option
			change func(*world)
			want   error
		}{
			{name: "an unknown token", opts: []secretsstore.Option{secretsstore.WithAPIToken("unknown-token")}, want: secretsstore.ErrUnauthorized},
			{name: "an unknown key", opts: []secretsstore.Option{secretsstore.WithAPIKey("user@example.com", "unknown")}, want: secretsstore.ErrUnauthorized},
			{name: "another account", opts: []secretsstore.Option{secretsstore.WithAccountID(strings.Repeat("f", 32))}, want: secretsstore.ErrForbidden},
			{name: "the rate limit", change: func(w *world) { w.UseRequests(1_000_000_000) }, want: secretsstore.ErrRateLimited},
		} {
			t.Run(pair.name+", "+failure.name, func(t *testing.T) {
				w := newWorld(t, secretsstoretest.WithRateLimit(1_000_000_000, time.Minute))
				if failure.change != nil {
					failure.change(w)
				}
				require.ErrorIs(t, pair.ours(t.Context(), w.ours(failure.opts...), w), failure.want)
				for _, x := range w.take() {
					c.check(t, x, false)
				}
			})
		}
	}
	assert.Len(t, operations, 12)
}

// The document describes each error that the API is known to return, with each of its
// statuses.
func TestContractOfEachError(t *testing.T) {
	c := newContract(t)
	for _, tt := range []struct {
		code     int
		message  string
		statuses []int
	}{
		{code: 1001, message: "secret_not_found", statuses: []int{404}},
		{code: 1001, message: "store_not_found", statuses: []int{404}},
		{code: 1000, message: "not found", statuses: []int{404}},
		{code: 7003, message: "Could not route to /x, perhaps your object identifier is invalid?", statuses: []int{400, 404}},
		{code: 7000, message: "No route for that URI", statuses: []int{400, 404}},
		{code: 1001, message: "secret_name_empty", statuses: []int{400}},
		{code: 1001, message: "secret_scopes_empty", statuses: []int{400}},
		{code: 1001, message: "secret_scope_invalid", statuses: []int{400}},
		{code: 1001, message: "secret_value_too_long", statuses: []int{400}},
		{code: 1001, message: "invalid_json_body", statuses: []int{400}},
		{code: 1001, message: "invalid_per_page_parameter", statuses: []int{400}},
		{code: 1003, message: "secret_name_already_exists", statuses: []int{400, 409}},
		{code: 1003, message: "secret_name_already_exists: NAME", statuses: []int{400, 409}},
		{code: 1003, message: "maximum_stores_exceeded", statuses: []int{400}},
		{code: 1003, message: "maximum_secrets_exceeded: max 100", statuses: []int{400}},
		{code: 1003, message: "store_not_empty", statuses: []int{409}},
		{code: 10000, message: "Authentication error", statuses: []int{400, 401, 403}},
		{code: 10001, message: "Unable to authenticate request", statuses: []int{400, 401, 403}},
		{code: 9109, message: "Invalid access token", statuses: []int{403}},
		{code: 9109, message: "Unauthorized to access requested resource", statuses: []int{403}},
		{code: 9103, message: "Unknown X-Auth-Key or X-Auth-Email", statuses: []int{400}},
		{code: 9106, message: "Missing X-Auth-Key, X-Auth-Email or Authorization headers", statuses: []int{400}},
		{code: 9107, message: "Missing X-Auth-Key header", statuses: []int{400}},
		{code: 1001, message: `Missing "Authorization" header`, statuses: []int{400}},
		{code: 6003, message: "Invalid request headers", statuses: []int{400}},
		{code: 971, message: "Please wait and consider throttling your request speed", statuses: []int{429}},
		{code: 10100, message: "Rate limited", statuses: []int{429}},
		{code: 10300, message: "Rate limited", statuses: []int{429}},
		{code: 10429, message: "Rate limited", statuses: []int{429}},
		{code: 10405, message: "Method not allowed for this authentication scheme", statuses: []int{405}},
	} {
		for _, status := range tt.statuses {
			t.Run(fmt.Sprint(status, " ", tt.code, " ", tt.message), func(t *testing.T) {
				w := newWorld(t)
				header := http.Header{"Ratelimit": {`"default";r=0;t=60`}, "Ratelimit-Policy": {`"default";q=1;w=60`}}
				if status == http.StatusTooManyRequests {
					header.Set("Retry-After", "60")
				}
				w.Inject(secretsstoretest.Fault{Status: status, Body: secretsstoretest.ErrorBody(tt.code, tt.message), Header: header})
				var err error
				switch {
				case tt.message == "store_not_empty":
					_, err = w.ours().Stores.Delete(t.Context(), w.store, nil)
				case strings.HasPrefix(tt.message, "secret_name_already_exists"):
					_, _, err = w.ours().Secrets.Duplicate(t.Context(), w.store, w.first, secretsstore.SecretDuplicate{Name: "N", Scopes: bothScopes})
				default:
					_, err = w.ours().Secrets.Delete(t.Context(), w.store, w.first)
				}
				var apiErr *secretsstore.APIError
				require.ErrorAs(t, err, &apiErr)
				assert.Equal(t, status, apiErr.StatusCode)
				require.Len(t, apiErr.Errors, 1)
				assert.Equal(t, tt.message, apiErr.Errors[0].Message)
				for _, x := range w.take() {
					c.check(t, x, false)
				}
			})
		}
	}
}
