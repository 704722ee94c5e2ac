package secretsstoretest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func TestNewServerMakesUpWhatIsNotSet(t *testing.T) {
	srv := secretsstoretest.NewServer(nil)
	defer srv.Close()
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+/client/v4$`, srv.URL)
	assert.Regexp(t, `^[0-9a-f]{32}$`, srv.AccountID)
	assert.Regexp(t, `^[0-9a-f]{40}$`, srv.APIToken)
	assert.Regexp(t, `^[^@]+@example\.com$`, srv.Email)
	assert.Regexp(t, `^[0-9a-f]{32}$`, srv.APIKey)
	other := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	assert.NotEqual(t, srv.APIToken, other.APIToken)
	assert.Equal(t, "https://secretsstore.invalid/client/v4", other.URL)

	assert.Empty(t, srv.Stores())
	for _, headers := range [][]string{{"Authorization: Bearer " + srv.APIToken}, {"X-Auth-Email: " + srv.Email, "X-Auth-Key: " + srv.APIKey}} {
		got := sender{srv.URL, &http.Transport{DisableKeepAlives: true}}.do(t, "GET", "/accounts/"+srv.AccountID+"/secrets_store/stores", "", headers...)
		assert.Equal(t, 200, got.status)
	}
	st := srv.AddStore("s")
	assert.Regexp(t, `^[0-9a-f]{32}$`, st.ID)
}

func TestClose(t *testing.T) {
	srv := secretsstoretest.NewServer()
	st := srv.AddStore("s")
	idle := &http.Transport{}
	send := sender{srv.URL, idle}
	send.do(t, "GET", "/", "")
	srv.Close()
	srv.Close()
	_, err := send.try(t.Context(), "GET", "/", "")
	assert.Error(t, err)
	assert.Len(t, srv.Stores(), 1, "what is stored can still be looked at")
	got := over(srv).do(t, "GET", "/client/v4/accounts/"+srv.AccountID+"/secrets_store/stores/"+st.ID, "", "Authorization: Bearer "+srv.APIToken)
	assert.Equal(t, 200, got.status)
}

func TestNewServerPanicsOnMistakes(t *testing.T) {
	tests := []struct {
		name string
		opt  secretsstoretest.ServerOption
		want string
	}{
		{"account", secretsstoretest.WithAccountID("a/b"), `WithAccountID: "a/b" can't be an account id`},
		{"token", secretsstoretest.WithAPIToken("a b"), "WithAPIToken: a token is letters, digits and any of -._~+/="},
		{"key", secretsstoretest.WithAPIKey("no address", "k"), "WithAPIKey: wants an email address, and a key of letters, digits and any of -._~+/="},
		{"rate", secretsstoretest.WithRateLimit(0, time.Minute), "WithRateLimit: wants at least one request, and a window longer than 0"},
		{"window", secretsstoretest.WithRateLimit(1, 0), "WithRateLimit: wants at least one request, and a window longer than 0"},
		{"clock", secretsstoretest.WithClock(nil), "WithClock: the clock is nil"},
		{"ids", secretsstoretest.WithIDSource(nil), "WithIDSource: the source is nil"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.PanicsWithValue(t, "secretsstoretest: NewServer: "+tt.want, func() { secretsstoretest.NewServer(tt.opt) })
		})
	}
}

func TestSeeding(t *testing.T) {
	srv := newServer(t, secretsstoretest.WithMaxSecrets(1), secretsstoretest.WithPendingFor(time.Hour))
	st := srv.AddStore("s")
	at := time.Date(2025, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	assert.Equal(t, &secretsstore.Store{ID: "id-1", AccountID: accountID, Name: "s", Created: at, Modified: at}, st)
	srv.AddStore("past the quota")

	b := create("b", secretsstore.ScopeWorkers, secretsstore.ScopeDEX)
	b.Comment = "c"
	made := srv.AddSecret(st.ID, b)
	assert.Equal(t, &secretsstore.Secret{
		ID: "id-3", StoreID: "id-1", Name: "b", Comment: "c", Scopes: []secretsstore.Scope{"dex", "workers"},
		Status: secretsstore.SecretStatusActive, Created: at, Modified: at,
	}, made)
	srv.AddSecret(st.ID, create("a"))

	assert.Equal(t, []string{"s", "past the quota"}, []string{srv.Stores()[0].Name, srv.Stores()[1].Name})
	assert.Equal(t, []string{"b", "a"}, []string{srv.Secrets(st.ID)[0].Name, srv.Secrets(st.ID)[1].Name}, "in the order they were made")
	assert.Equal(t, []secretsstore.Secret{}, srv.Secrets(unknown))
	value, ok := srv.Value(st.ID, made.ID)
	assert.True(t, ok)
	assert.Equal(t, "s3cret-b", value)

	snapshot := srv.Secrets(st.ID)
	snapshot[0].Scopes[0] = "changed"
	assert.Equal(t, secretsstore.ScopeDEX, srv.Secrets(st.ID)[0].Scopes[0])
}

func TestSeedingPanicsOnMistakes(t *testing.T) {
	srv := seeded(t)
	tests := []struct {
		name string
		do   func()
		want string
	}{
		{"a store without a name", func() { srv.AddStore("") }, `AddStore: "": store_name_empty`},
		{"a store twice", func() { srv.AddStore("default_secrets_store") }, `AddStore: "default_secrets_store": store_name_already_exists`},
		{"a store of nobody", func() { srv.AddStoreTo(unknown, "s") }, `AddStoreTo: there is no account "` + unknown + `"; see AddAccount`},
		{"a secret in no store", func() { srv.AddSecret(unknown, create("A")) }, `AddSecret: "A": store_not_found`},
		{"a secret twice", func() { srv.AddSecret("id-1", create("TAKEN")) }, `AddSecret: "TAKEN": secret_name_already_exists`},
		{"a secret without a value", func() {
			srv.AddSecret("id-1", secretsstore.SecretCreate{Name: "A", Scopes: []secretsstore.Scope{"dex"}})
		}, `AddSecret: "A": secret_value_empty`},
		{"an account that is none", func() { srv.AddAccount("") }, `AddAccount: "" can't be an account id`},
		{"a token that is none", func() { srv.AddToken("a b", secretsstoretest.PermissionRead) }, "AddToken: a token is letters, digits and any of -._~+/="},
		{"a token without permission", func() { srv.AddToken("a", 0) }, "AddToken: perm is PermissionRead or PermissionWrite"},
		{"a token of nobody", func() { srv.AddToken("a", secretsstoretest.PermissionRead, unknown) }, `AddToken: there is no account "` + unknown + `"; see AddAccount`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.PanicsWithValue(t, "secretsstoretest: "+tt.want, tt.do)
		})
	}
}

func TestIDSourceThatGivesNothingOfUse(t *testing.T) {
	for _, id := range []string{"same", "", "a/b", strings.Repeat("x", 33)} {
		srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener(), secretsstoretest.WithIDSource(func() string { return id }))
		a, b := srv.AddStore("a"), srv.AddStore("b")
		assert.NotEqual(t, a.ID, b.ID)
		assert.Regexp(t, `^[0-9a-f]{32}$`, b.ID)
	}
}

func TestClient(t *testing.T) {
	for _, opts := range [][]secretsstoretest.ServerOption{nil, {secretsstoretest.WithoutListener()}} {
		srv := secretsstoretest.NewServer(opts...)
		defer srv.Close()
		srv.AddStore("s")
		stores, _, err := srv.Client().Stores.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, srv.Stores(), []secretsstore.Store{*stores[0]})
		assert.Panics(t, func() { srv.Client(secretsstore.WithBaseURL("ftp://x")) })
	}
}

func TestHandlerServesElsewhere(t *testing.T) {
	srv := seeded(t)
	elsewhere := httptest.NewServer(srv.Handler())
	defer elsewhere.Close()
	got := sender{elsewhere.URL, elsewhere.Client().Transport}.do(t, "GET", secretPath, "")
	assert.Equal(t, success(theSecret, ""), got.body)
}

// script is a run of requests whose answers are to be the same each time.
func script(t *testing.T, send sender) string {
	var all strings.Builder
	for i := range 20 {
		for _, r := range []struct{ method, path, body string }{
			{"POST", "/stores/id-1/secrets", fmt.Sprintf(`[{"name":"S%d","value":"v","scopes":["dex"]}]`, i)},
			{"PATCH", fmt.Sprintf("/stores/id-1/secrets/id-%d", i+2), `{"value":"w"}`},
			{"GET", "/stores/id-1/secrets?per_page=5&order=modified", ""},
			{"GET", "/quota", ""},
			{"GET", "/stores/x", ""},
		} {
			got := send.do(t, r.method, account+r.path, r.body)
			got.header.Del("Date") // net/http's own
			fmt.Fprintln(&all, got.status, got.header, got.body)
		}
	}
	return all.String()
}

func TestAnswersAreReproducible(t *testing.T) {
	run := func(send func(*secretsstoretest.Server) sender, opts ...secretsstoretest.ServerOption) string {
		srv := secretsstoretest.NewServer(append(opts, secretsstoretest.WithAccountID(accountID), secretsstoretest.WithAPIToken(token),
			secretsstoretest.WithIDSource(counter()), secretsstoretest.WithRateLimit(1000, time.Hour),
			secretsstoretest.WithClock(steppingClock(time.Unix(1_700_000_000, 0), time.Millisecond)))...)
		defer srv.Close()
		srv.AddStore("s")
		return script(t, send(srv))
	}
	first := run(over, secretsstoretest.WithoutListener())
	assert.Equal(t, first, run(over, secretsstoretest.WithoutListener()))
	// net/http adds the length.
	socket := run(func(srv *secretsstoretest.Server) sender {
		return sender{strings.TrimSuffix(srv.URL, "/client/v4"), withoutLength{&http.Transport{DisableKeepAlives: true}}}
	})
	assert.Equal(t, first, socket, "and the same over a socket")
}

type withoutLength struct{ rt http.RoundTripper }

func (w withoutLength) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := w.rt.RoundTrip(r)
	if err == nil {
		res.Header.Del("Content-Length")
		res.Header.Del("Connection")
	}
	return res, err
}

func TestConcurrentUse(t *testing.T) {
	bothWays(t, []secretsstoretest.ServerOption{
		secretsstoretest.WithAccountID(accountID), secretsstoretest.WithAPIToken(token), secretsstoretest.WithMaxSecrets(0),
	}, func(t *testing.T, srv *secretsstoretest.Server, send sender) {
		st := srv.AddStore("s")
		secrets := account + "/stores/" + st.ID + "/secrets"
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := map[string]int{}
		for g := range 8 {
			wg.Go(func() {
				for i := range 20 {
					// Two goroutines want each name: one of them gets it.
					got, err := send.try(context.Background(), "POST", secrets, fmt.Sprintf(`[{"name":"S-%d-%d","value":"v","scopes":["dex"]}]`, g/2, i))
					if assert.NoError(t, err) {
						mu.Lock()
						made[fmt.Sprint(got.status)]++
						mu.Unlock()
					}
					for _, s := range srv.Secrets(st.ID) {
						if i%5 == 0 {
							_, err := send.try(context.Background(), "PATCH", secrets+"/"+s.ID, `{"value":"w","comment":"c"}`)
							assert.NoError(t, err)
							srv.Value(st.ID, s.ID)
							break
						}
					}
					_, err = send.try(context.Background(), "GET", secrets+"?order=name&search=S", "")
					assert.NoError(t, err)
					srv.Requests()
				}
			})
		}
		wg.Wait()
		assert.Equal(t, map[string]int{"200": 80, "400": 80}, made)
		assert.Len(t, srv.Secrets(st.ID), 80)
	})
}

// TestMain takes away what would sign a client in as somebody else.
func TestMain(m *testing.M) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "CLOUDFLARE_") {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}
