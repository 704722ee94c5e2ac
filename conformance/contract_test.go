package conformance

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/calls"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/contract"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/wire"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

//go:embed openapi.yaml
var document []byte

func newChecker(t testing.TB) *contract.Checker {
	t.Helper()
	checker, err := contract.New(document, calls.BasePath)
	require.NoError(t, err)
	require.Len(t, checker.Operations(), 12)
	return checker
}

func newWorld(t testing.TB, change func(*wire.Answer), opts ...secretsstoretest.ServerOption) *calls.World {
	t.Helper()
	w := calls.NewWorld(change, opts...)
	t.Cleanup(w.Close)
	return w
}

// coverage is what was seen of each operation.
type coverage struct {
	successes, errors map[string]int
}

// add checks exchanges and counts them. Where the requests are wrong on purpose, only
// their answers are checked.
func (c *coverage) add(t testing.TB, checker *contract.Checker, exchanges []wire.Exchange, wrong bool) {
	t.Helper()
	for _, x := range exchanges {
		what := fmt.Sprintf("%s %s?%s\n%.500s\n%d %s", x.Method, x.Path, x.Query, x.Body, x.Answer.Status, x.Answer.Body)
		assert.Empty(t, checker.Answer(x), what)
		if !wrong {
			assert.Empty(t, checker.Request(x), what)
			if x.Answer.Status < 400 {
				c.successes[checker.Operation(x)]++
			} else {
				c.errors[checker.Operation(x)]++
			}
		}
	}
}

// messages are the words of an answer's errors, with those behind them.
func messages(t testing.TB, body []byte) (all []string) {
	type note struct {
		Message string `json:"message"`
		Chain   []note `json:"error_chain"`
	}
	var answer struct {
		Errors []note `json:"errors"`
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	for _, n := range answer.Errors {
		all = append(all, n.Message)
		for _, behind := range n.Chain {
			all = append(all, behind.Message)
		}
	}
	return all
}

// Every operation, through our client, with both kinds of credentials, where it
// works and where it is refused; and every error that the emulator knows.
func TestContract(t *testing.T) {
	checker := newChecker(t)
	seen := coverage{map[string]int{}, map[string]int{}}
	for kind, credentials := range map[string]func(*calls.World) calls.Credentials{"token": (*calls.World).Token, "key": (*calls.World).Key} {
		t.Run(kind, func(t *testing.T) {
			for _, call := range calls.All() {
				t.Run(call.Name, func(t *testing.T) {
					w := newWorld(t, nil)
					require.NoError(t, call.Ours(t.Context(), w.Ours(credentials(w), nil), w))
					exchanges := w.Recorder.Take()
					for _, x := range exchanges {
						assert.Equal(t, call.Operation, checker.Operation(x))
					}
					seen.add(t, checker, exchanges, false)
				})
				for name, refused := range refusals() {
					if !refused.fits(call.Operation) {
						continue
					}
					t.Run(call.Name+", "+name, func(t *testing.T) {
						var opts []secretsstoretest.ServerOption
						if refused.limit {
							opts = append(opts, secretsstoretest.WithRateLimit(1, time.Minute))
						}
						w := newWorld(t, nil, opts...)
						require.ErrorIs(t, refused.try(t.Context(), w, credentials(w), call), refused.want)
						seen.add(t, checker, w.Recorder.Take(), false)
					})
				}
			}
			for name, call := range combined() {
				t.Run(name, func(t *testing.T) {
					w := newWorld(t, nil)
					require.NoError(t, call(t.Context(), w, w.Ours(credentials(w), nil,
						secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 2, BaseBackoff: time.Millisecond}))))
					exchanges := w.Recorder.Take()
					require.NotEmpty(t, exchanges)
					seen.add(t, checker, exchanges, false)
				})
			}
		})
	}
	for _, id := range checker.Operations() {
		assert.NotZero(t, seen.successes[id], "no success of %s was seen", id)
		assert.NotZero(t, seen.errors[id], "no error of %s was seen", id)
	}
	assert.NotContains(t, seen.successes, "")
	assert.NotContains(t, seen.errors, "")

	for name, wrong := range wrongRequests() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, wrong.opts...)
			x := send(t, w, wrong)
			require.Equal(t, wrong.status, x.Answer.Status, "%s", x.Answer.Body)
			assert.True(t, slices.ContainsFunc(messages(t, x.Answer.Body), func(said string) bool {
				return strings.HasPrefix(said, wrong.says)
			}), "%s", x.Answer.Body)
			switch {
			case wrong.fits:
				assert.Empty(t, checker.Request(x))
			default:
				assert.NotEmpty(t, checker.Request(x), "what the emulator refuses for its form, the document refuses too")
			}
			seen.add(t, checker, []wire.Exchange{x}, true)
		})
	}
}

// TestContractOfEachErrorOfTheAPI checks that the document describes each error that the
// API is known to return, with each of its statuses, whether the emulator returns it by
// itself or by a fault.
func TestContractOfEachErrorOfTheAPI(t *testing.T) {
	checker := newChecker(t)
	tests := []struct {
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
	}
	for _, tt := range tests {
		for _, status := range tt.statuses {
			t.Run(fmt.Sprint(status, " ", tt.code, " ", tt.message), func(t *testing.T) {
				w := newWorld(t, nil)
				header := http.Header{"Ratelimit": {`"default";r=0;t=60`}, "Ratelimit-Policy": {`"default";q=1;w=60`}}
				if status == http.StatusTooManyRequests {
					header.Set("Retry-After", "60")
				}
				w.Server.Inject(secretsstoretest.Fault{Status: status, Body: secretsstoretest.ErrorBody(tt.code, tt.message), Header: header})
				request := wrongRequest{method: "DELETE", path: "/stores/S/secrets/X"}
				switch {
				case tt.message == "store_not_empty":
					request.path = "/stores/S"
				case strings.HasPrefix(tt.message, "secret_name_already_exists"):
					request = wrongRequest{method: "POST", path: "/stores/S/secrets"}
				}
				x := send(t, w, request)
				assert.Equal(t, status, x.Answer.Status)
				assert.Equal(t, []string{tt.message}, messages(t, x.Answer.Body))
				assert.Empty(t, checker.Answer(x))
			})
		}
	}
}

// combined are the calls that make several requests.
func combined() map[string]func(context.Context, *calls.World, *secretsstore.Client) error {
	secret := func(name string) secretsstore.SecretUpsert {
		return secretsstore.SecretUpsert{Name: name, Value: secretsstore.NewSecretValue("v"), Scopes: []secretsstore.Scope{secretsstore.ScopeDEX}}
	}
	return map[string]func(context.Context, *calls.World, *secretsstore.Client) error{
		"upsert a secret that is there": func(ctx context.Context, w *calls.World, c *secretsstore.Client) error {
			_, _, err := c.Secrets.Upsert(ctx, w.Store, secret("FIRST"))
			return err
		},
		"upsert a secret that is not": func(ctx context.Context, w *calls.World, c *secretsstore.Client) error {
			_, _, err := c.Secrets.Upsert(ctx, w.Store, secret("THIRD"))
			return err
		},
		"find a secret": func(ctx context.Context, w *calls.World, c *secretsstore.Client) error {
			_, err := c.Secrets.FindByName(ctx, w.Store, "SECOND")
			return err
		},
		"ensure a store that is there": func(ctx context.Context, _ *calls.World, c *secretsstore.Client) error {
			_, _, err := c.Stores.Ensure(ctx, secretsstore.StoreCreate{Name: "empty"})
			return err
		},
		"ensure a store that is not": func(ctx context.Context, _ *calls.World, c *secretsstore.Client) error {
			_, _, err := c.Stores.Ensure(ctx, secretsstore.StoreCreate{Name: "third"})
			return err
		},
		"patch a secret twice, as the first answer was 503": func(ctx context.Context, w *calls.World, c *secretsstore.Client) error {
			w.Server.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Count: 1, Status: http.StatusServiceUnavailable,
				Body: secretsstoretest.ErrorBody(1000, "try again")})
			_, _, err := c.Secrets.Patch(ctx, w.Store, w.Secret, secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")})
			return err
		},
	}
}

// refusal is a way to have any operation refused.
type refusal struct {
	try   func(ctx context.Context, w *calls.World, cred calls.Credentials, call calls.Call) error
	fits  func(operation string) bool
	want  error
	limit bool
}

func refusals() map[string]refusal {
	return map[string]refusal{
		"by an account that is not theirs": {func(ctx context.Context, w *calls.World, cred calls.Credentials, call calls.Call) error {
			return call.Ours(ctx, w.Ours(cred, nil, secretsstore.WithAccountID("ffffffffffffffffffffffffffffffff")), w)
		}, always, secretsstore.ErrForbidden, false},
		"by credentials that nobody has": {func(ctx context.Context, w *calls.World, cred calls.Credentials, call calls.Call) error {
			if cred.Key != "" {
				cred.Key = "another-key"
			} else {
				cred.Token = "another-token"
			}
			return call.Ours(ctx, w.Ours(cred, nil), w)
		}, always, secretsstore.ErrUnauthorized, false},
		"by a token that only reads": {func(ctx context.Context, w *calls.World, _ calls.Credentials, call calls.Call) error {
			w.Server.AddToken("reader", secretsstoretest.PermissionRead)
			return call.Ours(ctx, w.Ours(calls.Credentials{Token: "reader"}, nil), w)
		}, func(id string) bool { return !strings.HasPrefix(id, "get") && !strings.HasPrefix(id, "list") }, secretsstore.ErrForbidden, false},
		"by the rate limit": {func(ctx context.Context, w *calls.World, cred calls.Credentials, call calls.Call) error {
			// The client that used the limit up would wait by itself.
			if _, _, err := w.Ours(cred, nil).Quota.Get(ctx); err != nil {
				return err
			}
			return call.Ours(ctx, w.Ours(cred, nil), w)
		}, always, secretsstore.ErrRateLimited, true},
		"by a store that is not there": {func(ctx context.Context, w *calls.World, cred calls.Credentials, call calls.Call) error {
			w.Store, w.Empty = "no-such-store", "no-such-store"
			return call.Ours(ctx, w.Ours(cred, nil), w)
		}, func(id string) bool {
			return !slices.Contains([]string{"getQuota", "listStores", "createStore"}, id)
		}, secretsstore.ErrStoreNotFound, false},
		"by a secret that is not there": {func(ctx context.Context, w *calls.World, cred calls.Credentials, call calls.Call) error {
			w.Secret = "no-such-secret"
			return call.Ours(ctx, w.Ours(cred, nil), w)
		}, func(id string) bool {
			return slices.Contains([]string{"getSecret", "patchSecret", "deleteSecret", "deleteSecrets", "duplicateSecret"}, id)
		}, secretsstore.ErrSecretNotFound, false},
	}
}

func always(string) bool { return true }

// wrongRequest is a request that our client does not make, or that is refused for
// what is already there.
type wrongRequest struct {
	method, path, body string // in the path S is the store and X a secret in it
	header             map[string]string
	opts               []secretsstoretest.ServerOption
	status             int
	says               string
	// fits says that the document has nothing against the request: it is refused for
	// what there is, or for what a document does not say.
	fits bool
}

func wrongRequests() map[string]wrongRequest {
	secret := func(name, value, scopes string) string {
		return `{"name":` + name + `,"value":` + value + `,"scopes":` + scopes + `}`
	}
	list := func(secrets ...string) string { return "[" + strings.Join(secrets, ",") + "]" }
	full := []secretsstoretest.ServerOption{secretsstoretest.WithMaxSecrets(2), secretsstoretest.WithMaxStores(2)}
	good := secret(`"N"`, `"v"`, `["dex"]`)
	headers := func(pairs ...string) map[string]string {
		h := map[string]string{"Authorization": ""}
		for i := 0; i < len(pairs); i += 2 {
			h[pairs[i]] = pairs[i+1]
		}
		return h
	}
	return map[string]wrongRequest{
		"a store without a name":         {method: "POST", path: "/stores", body: `{"name":""}`, status: 400, says: "store_name_empty"},
		"a store whose name is taken":    {method: "POST", path: "/stores", body: `{"name":"empty"}`, status: 400, says: "store_name_already_exists", fits: true},
		"a store too many":               {method: "POST", path: "/stores", body: `{"name":"third"}`, opts: full, status: 400, says: "maximum_stores_exceeded", fits: true},
		"a secret too many":              {method: "POST", path: "/stores/S/secrets", body: list(good), opts: full, status: 400, says: "maximum_secrets_exceeded: max 2", fits: true},
		"a copy too many":                {method: "POST", path: "/stores/S/secrets/X/duplicate", body: `{"name":"N","scopes":["dex"]}`, opts: full, status: 400, says: "maximum_secrets_exceeded: max 2", fits: true},
		"a store that is not empty":      {method: "DELETE", path: "/stores/S", status: 409, says: "store_not_empty", fits: true},
		"a secret's name that is taken":  {method: "POST", path: "/stores/S/secrets", body: list(secret(`"FIRST"`, `"v"`, `["dex"]`)), status: 400, says: "secret_name_already_exists", fits: true},
		"one of the names that is taken": {method: "POST", path: "/stores/S/secrets", body: list(good, secret(`"FIRST"`, `"v"`, `["dex"]`)), status: 400, says: "secret_name_already_exists: FIRST", fits: true},
		"a copy's name that is taken":    {method: "POST", path: "/stores/S/secrets/X/duplicate", body: `{"name":"SECOND","scopes":["dex"]}`, status: 400, says: "secret_name_already_exists", fits: true},

		"a secret without a name":    {method: "POST", path: "/stores/S/secrets", body: list(secret(`""`, `"v"`, `["dex"]`)), status: 400, says: "secret_name_empty"},
		"a name with a space":        {method: "POST", path: "/stores/S/secrets", body: list(secret(`"a b"`, `"v"`, `["dex"]`)), status: 400, says: "secret_name_invalid"},
		"a secret without scopes":    {method: "POST", path: "/stores/S/secrets", body: list(secret(`"N"`, `"v"`, `[]`)), status: 400, says: "secret_scopes_empty"},
		"a copy without scopes":      {method: "POST", path: "/stores/S/secrets/X/duplicate", body: `{"name":"N"}`, status: 400, says: "secret_scopes_empty"},
		"a scope that nobody knows":  {method: "POST", path: "/stores/S/secrets", body: list(secret(`"N"`, `"v"`, `["not_yet"]`)), status: 400, says: "secret_scope_invalid", fits: true},
		"a scope that can't be one":  {method: "PATCH", path: "/stores/S/secrets/X", body: `{"scopes":["Not A Scope"]}`, status: 400, says: "secret_scope_invalid"},
		"a secret without a value":   {method: "POST", path: "/stores/S/secrets", body: `[{"name":"N","scopes":["dex"]}]`, status: 400, says: "secret_value_empty"},
		"a patch to an empty value":  {method: "PATCH", path: "/stores/S/secrets/X", body: `{"value":""}`, status: 400, says: "secret_value_empty"},
		"a value that is too long":   {method: "PATCH", path: "/stores/S/secrets/X", body: `{"value":"` + strings.Repeat("v", 65_537) + `"}`, status: 400, says: "secret_value_too_long"},
		"a body that is no JSON":     {method: "PATCH", path: "/stores/S/secrets/X", body: `{`, status: 400, says: "invalid_json_body"},
		"a secret outside of a list": {method: "POST", path: "/stores/S/secrets", body: good, status: 400, says: "invalid_json_body"},
		"no secrets":                 {method: "POST", path: "/stores/S/secrets", body: `[]`, status: 400, says: "invalid_json_body"},
		"a bulk delete without ids":  {method: "DELETE", path: "/stores/S/secrets", body: ``, status: 400, says: "invalid_json_body"},

		"a page below 0":                 {method: "GET", path: "/stores?page=-1", status: 400, says: "invalid_page_parameter"},
		"more than 100 on a page":        {method: "GET", path: "/stores/S/secrets?per_page=101", status: 400, says: "invalid_per_page_parameter"},
		"stores by their comment":        {method: "GET", path: "/stores?order=comment", status: 400, says: "invalid_order_parameter"},
		"secrets by their value":         {method: "GET", path: "/stores/S/secrets?order=value", status: 400, says: "invalid_order_parameter"},
		"a direction of no kind":         {method: "GET", path: "/stores/S/secrets?direction=up", status: 400, says: "invalid_direction_parameter"},
		"a path without its store":       {method: "GET", path: "/stores//secrets", status: 404, says: "not found"},
		"an id of another shape":         {method: "GET", path: "/stores/a.b/secrets/X", status: 400, says: "Could not route to /client/v4/accounts/"},
		"an id that leads elsewhere":     {method: "GET", path: "/stores/..%2f..", status: 400, says: "Could not route to /client/v4/accounts/"},
		"a path that leads nowhere":      {method: "GET", path: "/secrets", status: 404, says: "No route for that URI"},
		"a method that a path lacks":     {method: "PUT", path: "/stores/S", body: `{}`, status: 405, says: "Method not allowed for this authentication scheme"},
		"a token that nobody can verify": {method: "GET", path: "VERIFY", header: map[string]string{"Authorization": "Bearer x"}, status: 401, says: "Invalid API Token"},

		"no credentials":           {method: "GET", path: "/quota", header: headers(), status: 400, says: "Missing X-Auth-Key, X-Auth-Email or Authorization headers"},
		"an email without its key": {method: "GET", path: "/quota", header: headers("X-Auth-Email", "user@example.com"), status: 400, says: "Missing X-Auth-Key header"},
		"a key without its email":  {method: "GET", path: "/quota", header: headers("X-Auth-Key", "k"), status: 400, says: "Missing X-Auth-Email header"},
		"a key that is not known":  {method: "GET", path: "/quota", header: headers("X-Auth-Email", "user@example.com", "X-Auth-Key", "k"), status: 400, says: "Unknown X-Auth-Key or X-Auth-Email", fits: true},
		"another scheme":           {method: "GET", path: "/quota", header: headers("Authorization", "Basic eDp5"), status: 400, says: "Invalid format for Authorization header"},
		"a token with a space":     {method: "GET", path: "/quota", header: headers("Authorization", "Bearer a b"), status: 400, says: "Invalid format for Authorization header"},
		"an email that is none":    {method: "GET", path: "/quota", header: headers("X-Auth-Email", "user", "X-Auth-Key", "k"), status: 400, says: "Invalid format for X-Auth-Email header", fits: true},
		"a key with a space":       {method: "GET", path: "/quota", header: headers("X-Auth-Email", "user@example.com", "X-Auth-Key", "a b"), status: 400, says: "Invalid format for X-Auth-Key header", fits: true},
	}
}

// send makes the request by hand, and returns what the server saw of it.
func send(t *testing.T, w *calls.World, wrong wrongRequest) wire.Exchange {
	t.Helper()
	path, query, hasQuery := strings.Cut(wrong.path, "?")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if id := map[string]string{"S": w.Store, "X": w.Secret}[s]; id != "" {
			segments[i] = id
		}
	}
	address := w.URL + "/accounts/" + w.Server.AccountID + "/secrets_store" + strings.Join(segments, "/")
	if path == "VERIFY" {
		address = w.URL + "/user/tokens/verify"
	}
	if hasQuery {
		address += "?" + query
	}
	r, err := http.NewRequestWithContext(t.Context(), wrong.method, address, strings.NewReader(wrong.body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+w.Server.APIToken)
	r.Header.Set("Content-Type", "application/json")
	for name, value := range wrong.header {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	seen := w.Recorder.Take()
	require.Len(t, seen, 1)
	return seen[0]
}
