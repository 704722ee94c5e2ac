package secretsstore_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// A call passes call hooks, retry, decode, pacing, limiter, credentials, attempt hooks,
// log and send, in this order.
func TestClientChainsTheLayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []string
		event := func(parts ...string) { events = append(events, strings.Join(parts, " ")) }
		api := respondWith(response(401, failure(10000, "Authentication error")), response(200, secretBody))
		send := api.respond
		api.respond = func(req *http.Request) (*http.Response, error) {
			event("send", req.Header.Get("Authorization"))
			return send(req)
		}
		tokens := []string{"old-token", "new-token"}
		client := newClient(t, api,
			secretsstore.WithHooks(secretsstore.Hooks{
				CallStart: func(ctx context.Context, s secretsstore.CallStart) context.Context {
					event("call start", s.Method, s.Route)
					return ctx
				},
				CallDone: func(_ context.Context, d secretsstore.CallDone) { event("call done", strconv.Itoa(d.StatusCode)) },
				AttemptStart: func(ctx context.Context, s secretsstore.AttemptStart) context.Context {
					event("attempt start", strconv.Itoa(s.Attempt))
					return ctx
				},
				AttemptDone: func(_ context.Context, d secretsstore.AttemptDone) { event("attempt done", strconv.Itoa(d.Attempt)) },
			}),
			secretsstore.WithLimiter(limiterFunc(func(context.Context) error { event("limiter"); return nil })),
			secretsstore.WithTokenSource(secretsstore.TokenSourceFunc(func(context.Context) (string, error) {
				token := tokens[0]
				tokens = tokens[1:]
				event("token", token)
				return token, nil
			})),
			secretsstore.WithLogger(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) { event("log") }), &slog.HandlerOptions{Level: slog.LevelDebug}))),
			secretsstore.OnResponse(func(r *secretsstore.Response) { event("response", strconv.Itoa(r.StatusCode)) }),
		)

		_, resp, err := client.Secrets.Get(t.Context(), storeID, secretID)

		require.NoError(t, err)
		assert.Equal(t, 2, resp.Attempts)
		assert.Equal(t, []string{
			"call start GET /accounts/{account_id}/secrets_store/stores/{store_id}/secrets/{secret_id}",
			"limiter", "token old-token", "attempt start 1", "send Bearer old-token", "log", "attempt done 1", "response 401",
			"token new-token", // called again after a 401
			"limiter", "attempt start 2", "send Bearer new-token", "log", "attempt done 2", "response 200",
			"call done 200",
		}, events)
	})
}

type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestWithAddsDefaults(t *testing.T) {
	api := respondWith(response(200, secretBody))
	client := newClient(t, api, secretsstore.WithHeader("X-A", "1"))
	derived := client.With(secretsstore.WithAccountID("other"), nil, secretsstore.WithHeader("X-B", "2")).With(secretsstore.WithHeader("X-C", "3"))

	for _, c := range []*secretsstore.Client{derived, client} {
		_, _, err := c.Secrets.Get(t.Context(), storeID, secretID)
		require.NoError(t, err)
	}

	assert.Equal(t, []string{"GET " + strings.Replace(secretURL, accountID, "other", 1), "GET " + secretURL}, api.sent())
	headers := func(h http.Header) []string {
		return []string{h.Get("X-A"), h.Get("X-B"), h.Get("X-C"), h.Get("Authorization")}
	}
	assert.Equal(t, []string{"1", "2", "3", "Bearer " + apiToken}, headers(api.requests[0].header))
	assert.Equal(t, []string{"1", "", "", "Bearer " + apiToken}, headers(api.requests[1].header))
}

func TestWithInvalidOptionFailsEveryCall(t *testing.T) {
	api := respondWith(response(200, secretBody))
	client := newClient(t, api).With(secretsstore.WithAccountID("a/b")).With(secretsstore.WithAccountID("valid"))
	for name, call := range methods {
		_, err := call(arguments{ctx: t.Context(), client: client, store: storeID, secret: secretID})
		assert.EqualError(t, err, `secretsstore: invalid account_id: contains '/', only letters, digits, "-" and "_" are allowed`, name)
	}
	for result := range client.Secrets.PatchEach(t.Context(), patchesOf(1), nil) {
		assert.Equal(t, -1, result.Index)
		assert.ErrorIs(t, result.Err, secretsstore.ErrInvalidArgument)
	}
	assert.Empty(t, api.sent())
}

func TestWithSharesTheRateLimit(t *testing.T) {
	api := respondWith(response(429, failure(971, "Please wait"), "Retry-After: 300"))
	client := newClient(t, api)
	err := third(client.With(secretsstore.WithAccountID("other")).Secrets.Patch(t.Context(), storeID, secretID, commentPatch))
	var apiErr *secretsstore.APIError
	require.ErrorAs(t, err, &apiErr)
	err = third(client.Secrets.Patch(t.Context(), storeID, secretID, commentPatch))
	var waitErr *secretsstore.WaitError
	require.ErrorAs(t, err, &waitErr)
	assert.Len(t, api.sent(), 1)
}

func TestWithSharesTheRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := respondWith(response(500, ""))
		client := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 2}))
		for _, c := range []*secretsstore.Client{client.With(), client} {
			for range 70 {
				require.ErrorIs(t, third(c.Secrets.Get(t.Context(), storeID, secretID)), secretsstore.ErrServer)
			}
		}
		assert.Len(t, api.sent(), 140+100, "100 retries empty the budget")
	})
}

// A closingTransport counts calls of CloseIdleConnections.
type closingTransport struct {
	http.RoundTripper
	closed int
}

func (c *closingTransport) CloseIdleConnections() { c.closed++ }

func TestCloseIdleConnections(t *testing.T) {
	transport := &closingTransport{RoundTripper: respondWith(response(200, secretBody))}
	client := newClient(t, transport)
	client.CloseIdleConnections()
	client.With().CloseIdleConnections()
	assert.Equal(t, 2, transport.closed)
	require.NoError(t, third(client.Secrets.Get(t.Context(), storeID, secretID)), "the client remains usable")

	newClient(t, transport.RoundTripper).CloseIdleConnections() // not supported
}

func TestNilAndZeroOptionsMeanTheDefaults(t *testing.T) {
	api := respondWith(response(200, secretBody))
	client := newClient(t, api, nil,
		secretsstore.WithLimiter(nil), secretsstore.WithLogger(nil), secretsstore.WithHooks(secretsstore.Hooks{}), secretsstore.WithUserAgent(""),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}), secretsstore.WithAttemptTimeout(0), secretsstore.OnResponse(nil))
	_, _, err := client.With(nil).Secrets.Get(t.Context(), storeID, secretID, nil, secretsstore.OnResponse(nil))
	require.NoError(t, err)
	assert.Regexp(t, "^secretsstore-go/", api.requests[0].header.Get("User-Agent"))
}

// Creates are repeated only after a response that says that they were not applied.
func TestWhichMethodsAreRetried(t *testing.T) {
	creates := []string{"Secrets.Create", "Secrets.BulkCreate", "Secrets.Duplicate", "Stores.Create"}
	writes := append(creates, "Secrets.Patch", "Secrets.Delete", "Secrets.BulkDelete", "Stores.Delete")
	for name, call := range methods {
		for _, status := range []int{502, 503} {
			synctest.Test(t, func(t *testing.T) {
				api := respondWith(response(status, ""))
				_, err := call(arguments{ctx: t.Context(), client: newClient(t, api), store: storeID, secret: secretID})
				want := 4
				if status == 502 && slices.Contains(creates, name) {
					want = 1
				}
				assert.Len(t, api.sent(), want, "%s after %d", name, status)
				assert.Equal(t, status == 502 && slices.Contains(writes, name), errors.Is(err, secretsstore.ErrOutcomeUnknown), name)
			})
		}
	}
}

func TestNilContextIsAnInvalidArgument(t *testing.T) {
	api := respondWith(response(200, secretBody))
	client := newClient(t, api)
	for name, call := range methods {
		_, err := call(arguments{client: client, store: storeID, secret: secretID})
		assert.EqualError(t, err, "secretsstore: invalid context: must not be nil", name)
	}
	assert.Empty(t, api.sent())
}

func TestCallsWithoutAccount(t *testing.T) {
	api := respondWith(response(200, secretBody))
	client, err := secretsstore.NewClient(secretsstore.WithoutEnvironment(), secretsstore.WithAPIToken(apiToken), secretsstore.WithHTTPClient(&http.Client{Transport: api}))
	require.NoError(t, err)

	_, _, err = client.Secrets.Get(t.Context(), storeID, secretID)
	assert.EqualError(t, err, "secretsstore: invalid account_id: missing, pass an account id, or set CLOUDFLARE_ACCOUNT_ID if the client reads the environment")
	assert.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
	assert.Empty(t, api.sent())

	_, _, err = client.Secrets.Get(t.Context(), storeID, secretID, secretsstore.WithAccountID("a"))
	require.NoError(t, err)
	assert.Contains(t, api.sent()[0], secretsstore.DefaultBaseURL+"/accounts/a/")
}

// A program may print a struct that holds a client, also after connections were made.
func TestClientDumpsHoldNoSecret(t *testing.T) {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	storeID := srv.AddStore("s").ID
	token, err := secretsstore.NewClient(secretsstore.WithoutEnvironment(), secretsstore.WithBaseURL(srv.URL), secretsstore.WithAccountID(srv.AccountID),
		secretsstore.WithAPIToken(srv.APIToken), secretsstore.WithHeader("Cf-Access-Client-Secret", plaintext))
	require.NoError(t, err)
	key := srv.Client(secretsstore.WithAPIKey(srv.Email, srv.APIKey))
	for name, client := range map[string]*secretsstore.Client{"token": token, "key": key, "derived": token.With(secretsstore.WithHeader("X-Secret", plaintext))} {
		_, _, err := client.Secrets.Create(t.Context(), storeID, secretsstore.SecretCreate{Name: name, Scopes: newSecret.Scopes, Value: secretsstore.NewSecretValue(plaintext)})
		require.NoError(t, err)
		type holder struct {
			Client *secretsstore.Client
			inner  *secretsstore.Client
			byVal  secretsstore.SecretsService
		}
		for _, v := range []any{client, *client, client.Stores, holder{client, client, *client.Secrets}} {
			for form, text := range everyForm(v) {
				for _, secret := range []string{srv.APIToken, srv.APIKey, plaintext} {
					assert.NotContains(t, text, secret, "%s: %s of %T", name, form, v)
				}
			}
		}
	}
}

func TestCookieJarIsIgnored(t *testing.T) {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	api := respondWith(response(200, secretBody, "Set-Cookie: a=b; Path=/"))
	client := newClient(t, nil, secretsstore.WithHTTPClient(&http.Client{Transport: api, Jar: jar}))
	for range 2 {
		require.NoError(t, third(client.Secrets.Get(t.Context(), storeID, secretID)))
	}
	assert.Empty(t, api.requests[1].header["Cookie"])
}

// arguments are those of a method: a context, the ids and the options.
type arguments struct {
	ctx           context.Context
	client        *secretsstore.Client
	store, secret string
	opts          []secretsstore.RequestOption
}

func argumentsWith(store, secret string) arguments { return arguments{store: store, secret: secret} }

var (
	commentPatch = secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")}
	newSecret    = secretsstore.SecretCreate{Name: "A", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("some value")}
)

// composites are the methods that combine requests. They return no Response.
var composites = []string{"Secrets.All", "Secrets.FindByName", "Secrets.WaitActive", "Secrets.Upsert", "Stores.All", "Stores.FindByName", "Stores.Ensure"}

// methods are all methods that send requests.
var methods = map[string]func(a arguments) (*secretsstore.Response, error){
	"Secrets.Patch": func(a arguments) (*secretsstore.Response, error) {
		return result(a.client.Secrets.Patch(a.ctx, a.store, a.secret, commentPatch, a.opts...))
	},
	"Secrets.Get": func(a arguments) (*secretsstore.Response, error) {
		return result(a.client.Secrets.Get(a.ctx, a.store, a.secret, a.opts...))
	},
	"Secrets.List": func(a arguments) (*secretsstore.Response, error) {
		return result(a.client.Secrets.List(a.ctx, a.store, nil, a.opts...))
	},
	"Secrets.All": func(a arguments) (*secretsstore.Response, error) {
		return nil, first(a.client.Secrets.All(a.ctx, a.store, nil, a.opts...))
	},
	"Secrets.Create": func(a arguments) (*secretsstore.Response, error) {
		return result(a.client.Secrets.Create(a.ctx, a.store, newSecret, a.opts...))
	},
	"Secrets.BulkCreate": func(a arguments) (*secretsstore.Response, error) {
		return result(a.client.Secrets.BulkCreate(a.ctx, a.store, []secretsstore.SecretCreate{newSecret}, a.opts...))
	},
	"Secrets.Duplicate": func(a arguments) (*secretsstore.Response, error) {
		return result(a.client.Secrets.Duplicate(a.ctx, a.store, a.secret, secretsstore.SecretDuplicate{Name: "B", Scopes: newSecret.Scopes}, a.opts...))
	},
	"Secrets.Delete": func(a arguments) (*secretsstore.Response, error) {
		return a.client.Secrets.Delete(a.ctx, a.store, a.secret, a.opts...)
	},
	"Secrets.BulkDelete": func(a arguments) (*secretsstore.Response, error) {
		return a.client.Secrets.BulkDelete(a.ctx, a.store, []string{"a"}, a.opts...)
	},
	"Secrets.FindByName": func(a arguments) (*secretsstore.Response, error) {
		return nil, second(a.client.Secrets.FindByName(a.ctx, a.store, "A", a.opts...))
	},
	"Secrets.WaitActive": func(a arguments) (*secretsstore.Response, error) {
		return nil, second(a.client.Secrets.WaitActive(a.ctx, a.store, a.secret, a.opts...))
	},
	"Secrets.Upsert": func(a arguments) (*secretsstore.Response, error) {
		return nil, third(a.client.Secrets.Upsert(a.ctx, a.store, secretsstore.SecretUpsert{Name: "A", Value: newSecret.Value}, a.opts...))
	},
	"Stores.List": func(a arguments) (*secretsstore.Response, error) {
		return result(a.client.Stores.List(a.ctx, nil, a.opts...))
	},
	"Stores.All": func(a arguments) (*secretsstore.Response, error) {
		return nil, first(a.client.Stores.All(a.ctx, nil, a.opts...))
	},
	"Stores.Get": func(a arguments) (*secretsstore.Response, error) {
		return result(a.client.Stores.Get(a.ctx, a.store, a.opts...))
	},
	"Stores.FindByName": func(a arguments) (*secretsstore.Response, error) {
		return nil, second(a.client.Stores.FindByName(a.ctx, "s", a.opts...))
	},
	"Stores.Create": func(a arguments) (*secretsstore.Response, error) {
		return result(a.client.Stores.Create(a.ctx, secretsstore.StoreCreate{Name: "s"}, a.opts...))
	},
	"Stores.Ensure": func(a arguments) (*secretsstore.Response, error) {
		return nil, third(a.client.Stores.Ensure(a.ctx, secretsstore.StoreCreate{Name: "s"}, a.opts...))
	},
	"Stores.Delete": func(a arguments) (*secretsstore.Response, error) {
		return a.client.Stores.Delete(a.ctx, a.store, nil, a.opts...)
	},
	"Quota.Get": func(a arguments) (*secretsstore.Response, error) { return result(a.client.Quota.Get(a.ctx, a.opts...)) },
	"Do": func(a arguments) (*secretsstore.Response, error) {
		return a.client.Do(a.ctx, "GET", "/accounts/{account_id}/tokens/verify", nil, nil, a.opts...)
	},
}

func result[A any](_ A, resp *secretsstore.Response, err error) (*secretsstore.Response, error) {
	return resp, err
}

func second[A any](_ A, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }

// first returns the error that an iteration begins with.
func first[T any](seq func(yield func(T, error) bool)) (err error) {
	for _, err = range seq {
		break
	}
	return err
}
