package secretsstore_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// script is an API that gives the nth request with a method the nth of its responses, and
// the last one to all further requests.
func script(responses map[string][]func() *http.Response) *fakeAPI {
	count := map[string]int{}
	return &fakeAPI{respond: func(req *http.Request) (*http.Response, error) {
		next := responses[req.Method][min(count[req.Method], len(responses[req.Method])-1)]
		count[req.Method]++
		return next(), nil
	}}
}

func responses(list ...func() *http.Response) []func() *http.Response { return list }

// lost stands for a response that is lost after the request was sent.
func lost() *http.Response { return nil }

func sentMethods(api *fakeAPI) (list []string) {
	for _, req := range api.requests {
		list = append(list, req.method)
	}
	return list
}

func TestUpsertPatches(t *testing.T) {
	api := script(map[string][]func() *http.Response{
		"GET":   responses(response(200, `{"success":true,"result":[{"id":"`+secretID+`","name":"API_KEY"}],"result_info":{"total_count":42}}`)),
		"PATCH": responses(response(200, secretBody)),
	})

	secret, created, err := newClient(t, api).Secrets.Upsert(t.Context(), storeID, secretsstore.SecretUpsert{
		Name: "API_KEY", Value: secretsstore.NewSecretValue("v"),
	})

	require.NoError(t, err)
	assert.Equal(t, secretID, secret.ID)
	assert.False(t, created)
	assert.Equal(t, []string{
		"GET " + secretsURL + "?page=1&per_page=100&search=API_KEY",
		"PATCH " + secretURL + ` {"value":"v"}`, // nil fields keep what there is
	}, api.sent())
}

func TestUpsertCreates(t *testing.T) {
	api := script(map[string][]func() *http.Response{
		"GET":  responses(response(200, emptyBody)), // result null
		"POST": responses(response(200, `{"success":true,"result":[{"id":"a","name":"API_KEY"}]}`)),
	})

	secret, created, err := newClient(t, api).Secrets.Upsert(t.Context(), storeID, secretsstore.SecretUpsert{
		Name: "API_KEY", Value: secretsstore.NewSecretValue("v"), Comment: secretsstore.Ptr("c"),
	})

	require.NoError(t, err)
	assert.Equal(t, "a", secret.ID)
	assert.True(t, created)
	assert.Equal(t, []string{
		"GET " + secretsURL + "?page=1&per_page=100&search=API_KEY",
		"POST " + secretsURL + ` [{"name":"API_KEY","comment":"c","value":"v"}]`, // the API decides about scopes that are missing
	}, api.sent())
}

func TestUpsertStories(t *testing.T) {
	var (
		none    = response(200, `{"success":true,"result":[]}`)
		deleted = response(200, `{"success":true,"result":[{"id":"old","name":"API_KEY","status":"deleted"}]}`)
		found   = response(200, `{"success":true,"result":[{"id":"`+secretID+`","name":"API_KEY"}]}`)
		made    = response(200, `{"success":true,"result":[{"id":"a","name":"API_KEY"}]}`)
		taken   = response(409, failure(1003, "secret_name_already_exists: API_KEY"))
		quota   = response(400, failure(1003, "maximum_secrets_exceeded: max 100"))
		refused = response(403, failure(9109, "Invalid access token"))
	)
	for _, tt := range []struct {
		name            string
		lists, creates  []func() *http.Response
		deadline        time.Duration // 0: none
		created         bool
		matches         []string
		sent            []string
		took            time.Duration
		deadlineMatches bool
	}{
		{name: "the name is free after 3 s", lists: responses(none), creates: responses(taken, taken, taken, made), created: true,
			sent: []string{"GET", "POST", "GET", "POST", "GET", "POST", "GET", "POST"}, took: 3 * time.Second},
		{name: "the deleted secret is listed until the name is free", lists: responses(deleted), creates: responses(taken, taken, made), created: true,
			sent: []string{"GET", "POST", "GET", "POST", "GET", "POST"}, took: time.Second},
		{name: "the name stays taken", lists: responses(none), creates: responses(taken), matches: []string{"ErrAlreadyExists"},
			took: 55 * time.Second}, // 1+2+4+8+10+10+10+10
		{name: "the name stays taken until the deadline is too close", lists: responses(none), creates: responses(taken), deadline: 2 * time.Second, matches: []string{"ErrAlreadyExists"},
			sent: []string{"GET", "POST", "GET", "POST", "GET", "POST"}, took: time.Second},
		{name: "another writer creates it", lists: responses(none, found), creates: responses(taken),
			sent: []string{"GET", "POST", "GET", "PATCH"}},
		{name: "the response to the create is lost, and it was applied", lists: responses(none, found), creates: responses(lost), created: true,
			sent: []string{"GET", "POST", "GET", "PATCH"}},
		{name: "the response to the create is lost, and it was not applied", lists: responses(none), creates: responses(lost, made), created: true,
			sent: []string{"GET", "POST", "GET", "POST"}},
		{name: "the create is lost, and its name is taken before it is found", lists: responses(none, none, found), creates: responses(lost, taken), created: true,
			sent: []string{"GET", "POST", "GET", "POST", "GET", "PATCH"}, took: time.Second},
		{name: "all creates are lost", lists: responses(none), creates: responses(lost), matches: []string{"ErrOutcomeUnknown"}, took: 55 * time.Second},
		{name: "the create is lost, and so is the permission to look", lists: responses(none, refused), creates: responses(lost), matches: []string{"ErrForbidden", "ErrOutcomeUnknown"},
			sent: []string{"GET", "POST", "GET"}},
		{name: "the create is lost, and a second one refused", lists: responses(none), creates: responses(lost, refused), matches: []string{"ErrForbidden", "ErrOutcomeUnknown"},
			sent: []string{"GET", "POST", "GET", "POST"}},
		{name: "the first look is refused", lists: responses(refused), matches: []string{"ErrForbidden"}, sent: []string{"GET"}},
		{name: "the account is full", lists: responses(none), creates: responses(quota), matches: []string{"ErrQuotaExceeded"}, sent: []string{"GET", "POST", "GET"}},
		{name: "another writer takes the last place", lists: responses(none, found), creates: responses(quota), sent: []string{"GET", "POST", "GET", "PATCH"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := script(map[string][]func() *http.Response{"GET": tt.lists, "POST": tt.creates, "PATCH": responses(response(200, secretBody))})
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				started := time.Now()
				secret, created, err := newClient(t, api).Secrets.Upsert(ctx, storeID, secretsstore.SecretUpsert{Name: "API_KEY", Value: secretsstore.NewSecretValue("v")})
				assert.Equal(t, tt.matches, matches(err))
				assert.NotErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, tt.took, time.Since(started))
				assert.Equal(t, tt.created, created)
				assert.Equal(t, err == nil, secret != nil)
				if tt.sent != nil {
					assert.Equal(t, tt.sent, sentMethods(api))
				}
			})
		})
	}
}

func TestUpsertErrorText(t *testing.T) {
	none := response(200, `{"success":true,"result":[]}`)
	api := script(map[string][]func() *http.Response{"GET": responses(none, response(403, failure(9109, "Invalid access token"))), "POST": responses(lost)})
	_, _, err := newClient(t, api).Secrets.Upsert(t.Context(), "s", secretsstore.SecretUpsert{Name: "A", Value: secretsstore.NewSecretValue("v")}, secretsstore.WithAccountID("a"))
	assert.EqualError(t, err, "secretsstore: GET /accounts/a/secrets_store/stores/s/secrets: 403 Forbidden: Invalid access token (code 9109): check the account and the permissions of the credentials (ray 8f00c0ffee-AMS)"+
		" (an earlier create: POST /accounts/a/secrets_store/stores/s/secrets: the transport returned neither a response nor an error: outcome unknown: the request may have been applied; before repeating it, check whether it was applied)")
}

func TestUpsertCanceledWhileTheNameIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := script(map[string][]func() *http.Response{
			"GET": responses(response(200, emptyBody)), "POST": responses(response(409, failure(1003, "secret_name_already_exists"))),
		})
		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Second, func() { cancel(cause) })
		_, _, err := newClient(t, api).Secrets.Upsert(ctx, storeID, secretsstore.SecretUpsert{Name: "A", Value: secretsstore.NewSecretValue("v")})
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, cause)
		var apiErr *secretsstore.APIError
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, 409, apiErr.StatusCode)
	})
}

func TestUpsertOfOneNameByManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
		storeID := srv.AddStore("s").ID
		client := srv.Client()
		var created atomic.Int32
		var callers sync.WaitGroup
		for range 32 {
			callers.Go(func() {
				_, isNew, err := client.Secrets.Upsert(t.Context(), storeID, secretsstore.SecretUpsert{Name: "A", Scopes: newSecret.Scopes, Value: newSecret.Value})
				assert.NoError(t, err)
				if isNew {
					created.Add(1)
				}
			})
		}
		callers.Wait()
		assert.EqualValues(t, 1, created.Load())
		assert.Len(t, srv.Secrets(storeID), 1)
	})
}
