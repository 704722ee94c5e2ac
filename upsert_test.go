package secretsstore_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// between is a transport that does something after each answer of a kind.
type between struct {
	http.RoundTripper
	after map[string]func() // by method
}

func (b *between) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if f := b.after[req.Method]; f != nil {
		f()
	}
	return resp, err
}

func secretToMake(comment, value string) secretsstore.SecretCreate {
	return secretsstore.SecretCreate{Name: "API_KEY", Comment: comment, Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue(value)}
}

func TestUpsert(t *testing.T) {
	const ours = "ours"
	there := func(s *secretsstoretest.Server, storeID string) {
		s.AddSecret(storeID, secretToMake("a comment", "old"))
	}
	create := secretsstoretest.OpCreateSecrets
	for _, s := range []struct {
		name    string
		before  func(s *secretsstoretest.Server, storeID string)
		faults  []secretsstoretest.Fault
		comment string
		opts    []secretsstore.RequestOption

		action  secretsstore.UpsertAction // "": it fails
		is      []error
		isNot   []error
		left    string // the comment that is there in the end
		creates int    // requests that make
	}{
		{name: "makes what is not there", comment: "new", action: secretsstore.UpsertCreated, left: "new", creates: 1},
		{name: "updates what is there", before: there, comment: "new", action: secretsstore.UpsertUpdated, left: "new"},
		{name: "leaves the comment where there is none", before: there, action: secretsstore.UpsertUpdated, left: "a comment"},
		{name: "passes over names that contain the name", before: func(s *secretsstoretest.Server, storeID string) {
			other := secretToMake("API_KEY", "other")
			other.Name = "OLD_API_KEY"
			s.AddSecret(storeID, other)
		}, action: secretsstore.UpsertCreated, creates: 1},

		{name: "looks where the answer to a creation was lost, and it was made",
			faults: []secretsstoretest.Fault{{Operation: create, Count: 1, Cut: secretsstoretest.CutAfterRequest}},
			action: secretsstore.UpsertCreated, creates: 1},
		{name: "looks where the answer to a creation was cut, and it was made",
			faults: []secretsstoretest.Fault{{Operation: create, Count: 1, Cut: secretsstoretest.CutAnswer, CutAt: 20}},
			action: secretsstore.UpsertCreated, creates: 1},
		{name: "looks where the edge failed, and it was made",
			faults: []secretsstoretest.Fault{{Operation: create, Count: 1, Status: 502, Apply: true}},
			action: secretsstore.UpsertCreated, creates: 1},
		{name: "looks where a creation took too long, and it was made",
			faults: []secretsstoretest.Fault{{Operation: create, Count: 1, AnswerLatency: time.Hour}},
			action: secretsstore.UpsertCreated, creates: 1},
		{name: "looks where a creation was lost, and it was not made",
			faults: []secretsstoretest.Fault{{Operation: create, Count: 1, Cut: secretsstoretest.CutBeforeRequest}},
			action: secretsstore.UpsertCreated, creates: 2},
		{name: "looks where the edge failed, and it was not made",
			faults: []secretsstoretest.Fault{{Operation: create, Count: 1, Status: 504}},
			action: secretsstore.UpsertCreated, creates: 2},
		{name: "looks where the name is taken after 503, and it was made",
			faults: []secretsstoretest.Fault{{Operation: create, Count: 1, Status: 503, Apply: true}},
			action: secretsstore.UpsertCreated, creates: 2},
		{name: "creates again after 503",
			faults: []secretsstoretest.Fault{{Operation: create, Count: 1, Status: 503}},
			action: secretsstore.UpsertCreated, creates: 2},

		{name: "can't say where the looking failed, too", faults: []secretsstoretest.Fault{
			{Operation: create, Count: 1, Cut: secretsstoretest.CutAfterRequest},
			{Operation: secretsstoretest.OpListSecrets, Status: 500, When: after(1)}},
			is: []error{secretsstore.ErrOutcomeUnknown, secretsstore.ErrServer}, creates: 1},
		{name: "can't say where each creation was lost, and none was made",
			faults: []secretsstoretest.Fault{{Operation: create, Cut: secretsstoretest.CutBeforeRequest}},
			is:     []error{secretsstore.ErrOutcomeUnknown}, creates: 4},
		{name: "knows where the first look failed", faults: []secretsstoretest.Fault{{Operation: secretsstoretest.OpListSecrets, Status: 500}},
			is: []error{secretsstore.ErrServer}, isNot: []error{secretsstore.ErrOutcomeUnknown}},
		{name: "knows that it is there where the update fails", faults: []secretsstoretest.Fault{
			{Operation: create, Count: 1, Cut: secretsstoretest.CutAfterRequest},
			{Operation: secretsstoretest.OpPatchSecret, Status: 500}},
			is: []error{secretsstore.ErrServer}, isNot: []error{secretsstore.ErrOutcomeUnknown}, creates: 1},
		{name: "says why it can't make it", faults: []secretsstoretest.Fault{{Operation: create, Status: 400, Body: secretsstoretest.ErrorBody(1003, "maximum_secrets_exceeded")}},
			is: []error{secretsstore.ErrQuotaExceeded}, isNot: []error{secretsstore.ErrOutcomeUnknown}, creates: 1},
		{name: "gives up on a name that is taken and not to be found", faults: []secretsstoretest.Fault{{Operation: create, Status: 409, Body: secretsstoretest.ErrorBody(1003, "secret_name_already_exists")}},
			is: []error{secretsstore.ErrAlreadyExists}, isNot: []error{secretsstore.ErrOutcomeUnknown}, creates: 4},
		{name: "knows the account it is for", opts: []secretsstore.RequestOption{secretsstore.ForAccount("another")},
			is: []error{secretsstore.ErrForbidden}, isNot: []error{secretsstore.ErrOutcomeUnknown}},
	} {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
				store := srv.AddStore("s")
				if s.before != nil {
					s.before(srv, store.ID)
				}
				for _, f := range s.faults {
					srv.Inject(f)
				}
				secret, action, err := srv.Client().Secrets.Upsert(t.Context(), store.ID, secretToMake(s.comment, ours), s.opts...)
				creates := 0
				for _, r := range srv.Requests() {
					if r.Operation == create {
						creates++
					}
				}
				assert.Equal(t, s.creates, creates)
				assert.Equal(t, s.action, action)
				if s.action == "" {
					require.Error(t, err)
					assert.Nil(t, secret)
					for _, is := range s.is {
						assert.ErrorIs(t, err, is)
					}
					for _, isNot := range s.isNot {
						assert.NotErrorIs(t, err, isNot)
					}
					return
				}
				require.NoError(t, err)
				assert.Equal(t, "API_KEY", secret.Name)
				assert.Equal(t, s.left, secret.Comment)
				value, _ := srv.Value(store.ID, secret.ID)
				assert.Equal(t, ours, value)
				named := 0
				for _, there := range srv.Secrets(store.ID) {
					if there.Name == "API_KEY" {
						named++
					}
				}
				assert.Equal(t, 1, named)
			})
		})
	}
}

// after makes a fault pass over the first n requests.
func after(n int) func(*http.Request) bool {
	return func(*http.Request) bool { n--; return n < 0 }
}

func TestUpsertThatAnotherWriterComesInto(t *testing.T) {
	for _, s := range []struct {
		name   string
		there  bool
		other  func(ctx context.Context, c *secretsstore.Client, storeID string) error
		action secretsstore.UpsertAction
	}{
		{"another makes it after we looked: ours is an update", false, func(ctx context.Context, c *secretsstore.Client, storeID string) error {
			_, _, err := c.Secrets.Create(ctx, storeID, []secretsstore.SecretCreate{secretToMake("", "theirs")})
			return err
		}, secretsstore.UpsertUpdated},
		{"another deletes it after we looked: ours makes it", true, func(ctx context.Context, c *secretsstore.Client, storeID string) error {
			found, err := c.Secrets.FindByName(ctx, storeID, "API_KEY")
			if err != nil {
				return err
			}
			_, err = c.Secrets.Delete(ctx, storeID, found.ID)
			return err
		}, secretsstore.UpsertCreated},
	} {
		t.Run(s.name, func(t *testing.T) {
			srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
			store := srv.AddStore("s")
			if s.there {
				srv.AddSecret(store.ID, secretToMake("", "old"))
			}
			var once sync.Once
			rt := &between{srv.Transport(), map[string]func(){http.MethodGet: func() {
				once.Do(func() { require.NoError(t, s.other(t.Context(), srv.Client(), store.ID)) })
			}}}
			c := srv.Client(secretsstore.WithHTTPClient(&http.Client{Transport: rt}))
			secret, action, err := c.Secrets.Upsert(t.Context(), store.ID, secretToMake("", "ours"))
			require.NoError(t, err)
			assert.Equal(t, s.action, action)
			value, _ := srv.Value(store.ID, secret.ID)
			assert.Equal(t, "ours", value)
			assert.Len(t, srv.Secrets(store.ID), 1)
		})
	}
}

func TestUpsertThatIsCancelledInFlight(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	store := srv.AddStore("s")
	ctx, cancel := context.WithCancel(t.Context())
	rt := &between{srv.Transport(), map[string]func(){http.MethodPost: cancel}}
	c := srv.Client(secretsstore.WithHTTPClient(&http.Client{Transport: rt}))
	_, _, err := c.Secrets.Upsert(ctx, store.ID, secretToMake("", "v"))
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
	assert.Contains(t, err.Error(), "FindByName", "the text says how to find out")
}

func TestUpsertOfOneNameByMany(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	store := srv.AddStore("s")
	c := srv.Client()
	var made sync.Map
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			_, action, err := c.Secrets.Upsert(t.Context(), store.ID, secretToMake("", strings.Repeat("v", i+1)))
			assert.NoError(t, err)
			if action == secretsstore.UpsertCreated {
				made.Store(i, true)
			}
		})
	}
	wg.Wait()
	assert.Len(t, srv.Secrets(store.ID), 1)
	n := 0
	made.Range(func(any, any) bool { n++; return true })
	assert.Equal(t, 1, n, "one of them made it")
}

func TestUpsertRefusesWhatItCannotSend(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	for name, change := range map[string]func(*secretsstore.SecretCreate){
		"no name":          func(s *secretsstore.SecretCreate) { s.Name = "" },
		"no value":         func(s *secretsstore.SecretCreate) { s.Value = nil },
		"no scopes":        func(s *secretsstore.SecretCreate) { s.Scopes = nil },
		"a redacted value": func(s *secretsstore.SecretCreate) { s.Value = secretsstore.NewSecretValue("[REDACTED]") },
	} {
		t.Run(name, func(t *testing.T) {
			secret := secretToMake("", "v")
			change(&secret)
			_, _, err := srv.Client().Secrets.Upsert(t.Context(), storeID, secret)
			assert.ErrorIs(t, err, secretsstore.ErrInvalidArgument)
		})
	}
	assert.Empty(t, srv.Requests())
}
