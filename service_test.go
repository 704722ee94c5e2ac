package secretsstore_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// These tests show the client against what users meet at the service. Time is that of a
// synctest bubble.

// aService is an emulated service with one store and one secret.
type aService struct {
	*secretsstoretest.Server
	store, secret string
}

func newService(opts ...secretsstoretest.ServerOption) aService {
	srv := secretsstoretest.NewServer(append(opts, secretsstoretest.WithoutListener())...)
	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name: "MY_API_KEY", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("old"),
	})
	return aService{Server: srv, store: store.ID, secret: secret.ID}
}

var upsertSecret = secretsstore.SecretUpsert{
	Name: "MY_API_KEY", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("new"),
}

// patchComment is a patch of the service's secret.
func (s aService) patchComment(ctx context.Context, client *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
	_, resp, err := client.Secrets.Patch(ctx, s.store, s.secret, secretsstore.SecretPatch{Comment: secretsstore.Ptr("c")}, opts...)
	return resp, err
}

func TestUpsertWaitsForANameThatIsHeldAfterADelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newService(secretsstoretest.WithNameHeldFor(30*time.Second), secretsstoretest.WithDeletedListedFor(5*time.Second))
		client := srv.Client()
		_, err := client.Secrets.Delete(t.Context(), srv.store, srv.secret)
		require.NoError(t, err)

		started := time.Now()
		secret, created, err := client.Secrets.Upsert(t.Context(), srv.store, upsertSecret)
		require.NoError(t, err)
		assert.True(t, created)
		assert.NotEqual(t, srv.secret, secret.ID)
		assert.Equal(t, 35*time.Second, time.Since(started), "1+2+4+8+10+10 s")
	})
}

func TestDeletedSecretsThatAreStillListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newService(secretsstoretest.WithDeletedListedFor(time.Minute))
		client := srv.Client()
		_, err := client.Secrets.Delete(t.Context(), srv.store, srv.secret)
		require.NoError(t, err)

		_, err = client.Secrets.FindByName(t.Context(), srv.store, "MY_API_KEY")
		assert.ErrorIs(t, err, secretsstore.ErrSecretNotFound)
		secret, err := client.Secrets.WaitActive(t.Context(), srv.store, srv.secret)
		assert.ErrorIs(t, err, secretsstore.ErrSecretNotFound)
		assert.Equal(t, secretsstore.SecretStatusDeleted, secret.Status)
		secrets, _, err := client.Secrets.List(t.Context(), srv.store, nil)
		require.NoError(t, err)
		require.Len(t, secrets, 1)
		assert.Equal(t, secretsstore.SecretStatusDeleted, secrets[0].Status)
	})
}

// A new token is refused now and then while it propagates. PatchEach goes on; a token
// source that returns the same token is not asked to try again.
func TestTokenThatPropagates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newService()
		remove := srv.Inject(secretsstoretest.PropagatingToken(srv.APIToken))
		client := srv.Client()
		refused := 0
		for range 20 {
			resp, err := srv.patchComment(t.Context(), client)
			if err != nil {
				assert.ErrorIs(t, err, secretsstore.ErrUnauthorized)
				assert.Equal(t, 1, resp.Attempts)
				refused++
			}
		}
		assert.Greater(t, refused, 0)
		assert.Less(t, refused, 20)
		remove()
		_, err := srv.patchComment(t.Context(), client)
		require.NoError(t, err)
	})
}

func TestTokenThatWasRolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newService()
		const rolled = "rolled-token"
		vault := srv.APIToken // what the token source has cached
		client := srv.Client(secretsstore.WithTokenSource(secretsstore.TokenSourceFunc(func(context.Context) (string, error) {
			current := vault
			vault = rolled
			return current, nil
		})))
		srv.RollToken(srv.APIToken, rolled)

		resp, err := srv.patchComment(t.Context(), client)
		require.NoError(t, err)
		assert.Equal(t, 2, resp.Attempts)
		assert.Equal(t, []int{http.StatusUnauthorized, http.StatusOK}, srv.statuses())
		assert.Equal(t, srv.Requests()[0].Time, srv.Requests()[1].Time, "at once")
	})
}

func (s aService) statuses() (all []int) {
	for _, r := range s.Requests() {
		all = append(all, r.Status)
	}
	return all
}

func TestErrorsOfTheEdge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  secretsstoretest.Fault
		waits  time.Duration // at least
		create bool          // whether a create is retried
		want   error         // of a call that is not retried
	}{
		{name: "502 text", fault: secretsstoretest.EdgeText(502), want: secretsstore.ErrServer},
		{name: "502 HTML", fault: secretsstoretest.EdgeHTML(502), want: secretsstore.ErrServer},
		{name: "520 HTML", fault: secretsstoretest.EdgeHTML(520), want: secretsstore.ErrServer},
		{name: "530 JSON", fault: secretsstoretest.EdgeJSON(530, 1016), want: secretsstore.ErrServer},
		{name: "429 JSON with Retry-After", fault: secretsstoretest.EdgeJSON(429, 1015), waits: time.Second, create: true, want: secretsstore.ErrRateLimited},
		{name: "502 with Retry-After", fault: secretsstoretest.Fault{Status: 502, Header: http.Header{"Retry-After": {"7"}}}, waits: 7 * time.Second, want: secretsstore.ErrServer},
	} {
		tt.fault.Count = 1
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newService()
				client := srv.Client()

				srv.Inject(tt.fault)
				started := time.Now()
				resp, err := srv.patchComment(t.Context(), client)
				require.NoError(t, err, "a patch is retried")
				assert.Equal(t, 2, resp.Attempts)
				assert.GreaterOrEqual(t, time.Since(started), tt.waits)

				srv.Inject(tt.fault)
				_, _, err = client.Secrets.Create(t.Context(), srv.store, secretsstore.SecretCreate{
					Name: "OTHER", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v"),
				})
				if tt.create {
					require.NoError(t, err)
				} else {
					assert.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
				}

				srv.Inject(tt.fault)
				_, err = srv.patchComment(t.Context(), client, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}))
				assert.ErrorIs(t, err, tt.want)
				var apiErr *secretsstore.APIError
				require.ErrorAs(t, err, &apiErr)
				assert.NotContains(t, err.Error(), "\n")
				if tt.waits > 0 {
					assert.GreaterOrEqual(t, apiErr.RetryAfter, tt.waits)
				}
			})
		})
	}
}

// Another program draws from the limit of the token: the client learns of it from the next
// response, and then waits for the reset.
func TestRateLimitThatIsSharedWithOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newService(secretsstoretest.WithRateLimit(100, 5*time.Minute))
		client := srv.Client(secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxWait: 6 * time.Minute}))
		started := time.Now()
		for i := range 60 {
			if i == 20 {
				srv.UseRequests(50)
			}
			_, err := srv.patchComment(t.Context(), client)
			require.NoError(t, err)
		}
		assert.Equal(t, 5*time.Minute, time.Since(started).Round(time.Second), "one reset")
		assert.NotContains(t, srv.statuses(), http.StatusTooManyRequests)

		// The other uses everything up between two requests: one 429, one wait.
		srv.UseRequests(100)
		_, err := srv.patchComment(t.Context(), client)
		require.NoError(t, err)
		assert.Contains(t, srv.statuses(), http.StatusTooManyRequests)
		assert.Equal(t, 10*time.Minute, time.Since(started).Round(time.Minute))
	})
}
