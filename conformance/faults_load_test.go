package conformance

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/faultproxy"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const workers = 32

// mishap is one thing that goes wrong with an attempt, and what follows from it.
type mishap struct {
	name  string
	share int // of 10,000 attempts
	fault secretsstoretest.Fault
	// done says that the service has done what was asked.
	done bool
	// again and againPost say that the call is tried again, and that it is also where
	// it makes something.
	again, againPost bool
	// unknown says that a call that changes something can't know what came of it.
	unknown bool
	// is are the errors that a call ends with whose last attempt it was; nil is one
	// that ends no call.
	is []error
}

// mishaps are 10 % of the attempts.
var mishaps = []mishap{
	{
		name: "reset before the request", share: 150, again: true, unknown: true,
		fault: secretsstoretest.Fault{Drop: secretsstoretest.DropBeforeRequest},
		is:    []error{io.EOF},
	},
	{
		name: "reset after the request", share: 150, done: true, again: true, unknown: true,
		fault: secretsstoretest.Fault{Drop: secretsstoretest.DropAfterRequest},
		is:    []error{io.EOF},
	},
	{
		name: "answer without its body", share: 75, done: true, again: true, unknown: true,
		fault: secretsstoretest.Fault{Drop: secretsstoretest.DropInBody},
		is:    []error{secretsstore.ErrInvalidResponse, io.ErrUnexpectedEOF},
	},
	{
		name: "answer cut in its body", share: 75, done: true, again: true, unknown: true,
		fault: secretsstoretest.Fault{Drop: secretsstoretest.DropInBody, BodyBytes: 100},
		is:    []error{secretsstore.ErrInvalidResponse, io.ErrUnexpectedEOF},
	},
	{
		name: "500 and not done", share: 75, again: true, unknown: true,
		fault: secretsstoretest.Fault{Status: 500, Body: secretsstoretest.ErrorBody(10001, "internal error")},
		is:    []error{secretsstore.ErrServer},
	},
	{
		name: "502 and done", share: 75, done: true, again: true, unknown: true,
		fault: secretsstoretest.Fault{Status: 502, Apply: true, Body: "<html><h1>502 Bad Gateway</h1></html>"},
		is:    []error{secretsstore.ErrServer},
	},
	{
		name: "524 and done", share: 75, done: true, again: true, unknown: true,
		fault: secretsstoretest.Fault{Status: 524, Apply: true, Body: "error code: 524"},
		is:    []error{secretsstore.ErrServer},
	},
	{
		name: "503", share: 75, again: true, againPost: true,
		fault: secretsstoretest.Fault{Status: 503, Body: secretsstoretest.ErrorBody(10002, "unavailable")},
		is:    []error{secretsstore.ErrServer},
	},
	{
		name: "429", share: 75, again: true, againPost: true,
		fault: secretsstoretest.Fault{
			Status: 429, Header: http.Header{"Retry-After": {"0"}},
			Body: secretsstoretest.ErrorBody(971, "Please wait and consider throttling your request speed"),
		},
		is: []error{secretsstore.ErrRateLimited},
	},
	{
		name: "200 that is a page", share: 25, done: true, unknown: true,
		fault: secretsstoretest.Fault{Status: 200, Apply: true, Body: "<html>sign in</html>"},
		is:    []error{secretsstore.ErrInvalidResponse},
	},
	{
		name: "200 that is a failure", share: 25,
		fault: secretsstoretest.Fault{Status: 200, Body: secretsstoretest.ErrorBody(1001, "store_not_found")},
		is:    []error{secretsstore.ErrStoreNotFound, secretsstore.ErrNotFound},
	},
	{
		name: "late", share: 125,
		fault: secretsstoretest.Fault{Latency: 10 * time.Millisecond},
	},
}

// plan says what happens to each attempt of each call. It is a function of the seed,
// the call's key and the attempt, and so the same however the calls interleave.
type plan struct {
	seed uint64

	mu     sync.Mutex
	seen   map[string]int // attempts that came to the service
	chosen *mishap        // for the request whose fault is being chosen
}

// of returns what happens to attempt n, counted from 1; nil is nothing.
func (p *plan) of(key string, n int) *mishap {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s/%d", key, n)
	draw := rand.New(rand.NewPCG(p.seed, h.Sum64())).IntN(10_000)
	for i := range mishaps {
		if draw -= mishaps[i].share; draw < 0 {
			return &mishaps[i]
		}
	}
	return nil
}

// inject has the service follow the plan for an operation.
func (p *plan) inject(s *service, op secretsstoretest.Operation) {
	p.seen = make(map[string]int)
	for i := range mishaps {
		f := mishaps[i].fault
		f.Operation = op
		f.Match = func(r *http.Request) bool {
			if i == 0 { // the first that is asked about this request
				key := keyOf(r)
				p.mu.Lock()
				p.seen[key]++
				p.chosen = p.of(key, p.seen[key])
				p.mu.Unlock()
			}
			return p.chosen == &mishaps[i]
		}
		s.Inject(f)
	}
}

// keyOf returns the header that withCallKey sets.
func keyOf(r *http.Request) string { return r.Header.Get("X-Call") }

// fate is what a call comes to under a plan.
type fate struct {
	attempts int
	failed   *mishap // nil: the call succeeds
	done     bool
	unknown  bool // one of the attempts may have been done
}

func (p *plan) fate(key string, most int, post bool) (f fate) {
	for f.attempts = 1; ; f.attempts++ {
		m := p.of(key, f.attempts)
		if m == nil || m.is == nil {
			f.done = true
			return f
		}
		f.done = f.done || m.done
		f.unknown = f.unknown || m.unknown
		if f.attempts == most || !m.again || post && !m.againPost {
			f.failed = m
			return f
		}
	}
}

// outcome is what came of a call under load.
type outcome struct {
	key      string
	id       string // what it was about, or what it made
	attempts int    // as the answer says
	err      error
}

// underLoad makes n calls from 32 goroutines, and returns what came of each.
func underLoad(n int, call func(i int) outcome) []outcome {
	outcomes := make([]outcome, n)
	var next atomic.Int64
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				outcomes[i] = call(i)
			}
		})
	}
	running.Wait()
	return outcomes
}

// leftBehind is what a test may leave: what was there before, and goroutines of
// toxiproxy, which waits forever to pass on what comes after the end of a connection.
func leftBehind() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
	}
}

// requireNothingLeft closes what a client keeps for the next call, and checks that
// it keeps nothing else.
func requireNothingLeft(t *testing.T, s *service, before []goleak.Option, routes ...*route) {
	t.Helper()
	for _, r := range routes {
		r.http.CloseIdleConnections()
	}
	eventually(t, "connections are left", func() bool { return s.http.Open() == 0 })
	s.http.Stop()
	goleak.VerifyNone(t, before...)
}

func patchUnderLoad(ctx context.Context, c *secretsstore.Client, s *service, i int, id string) outcome {
	o := outcome{key: fmt.Sprintf("patch %05d", i), id: id}
	secret, resp, err := c.Secrets.Patch(ctx, s.store, id, secretsstore.SecretPatch{
		Comment: &o.key, Value: secretsstore.NewSecretValue("new"),
	})
	switch {
	case err != nil:
		o.err = err
	case secret == nil || secret.ID != id || secret.Comment != o.key:
		o.err = fmt.Errorf("patch %d returned %+v", i, secret)
	default:
		o.attempts = resp.Attempts
	}
	return o
}

func TestTenThousandPatchesWithTenPercentFaults(t *testing.T) {
	before := leftBehind()
	n := 10_000
	if testing.Short() {
		n = 1_000
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := startService(t)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = s.addSecret(fmt.Sprintf("SECRET_%05d", i))
	}
	p := &plan{seed: 1}
	p.inject(s, secretsstoretest.OpPatchSecret)
	r := via()
	c := s.client(t, r, tries(2))
	outcomes := underLoad(n, func(i int) outcome { return patchUnderLoad(ctx, c, s, i, ids[i]) })
	requireNothingLeft(t, s, before, r)

	failures := make(map[string]int)
	stored := s.named()
	for i, o := range outcomes {
		want := p.fate(o.key, 2, false)
		require.Equal(t, want.attempts, p.seen[o.key], "attempts that came of %s: %v", o.key, o.err)
		if want.failed == nil {
			require.NoError(t, o.err)
			require.Equal(t, want.attempts, o.attempts)
		} else {
			failures[want.failed.name]++
			require.Error(t, o.err, want.failed.name)
			for _, is := range want.failed.is {
				require.ErrorIs(t, o.err, is, want.failed.name)
			}
			require.Equal(t, want.attempts, attempts(t, o.err), o.err)
			require.Equal(t, want.unknown, errors.Is(o.err, secretsstore.ErrOutcomeUnknown), "%s: %v", want.failed.name, o.err)
		}
		value, comment := "old", "old"
		if want.done {
			value, comment = "new", o.key
		}
		got, _ := s.Value(s.store, o.id)
		require.Equal(t, value, got, "%s: %v", o.key, o.err)
		require.Equal(t, comment, stored[fmt.Sprintf("SECRET_%05d", i)].Comment)
	}
	for _, m := range mishaps {
		if m.is != nil && n == 10_000 {
			assert.NotZero(t, failures[m.name], "no patch failed with %s", m.name)
		}
	}
}

func TestCreationsWithTenPercentFaults(t *testing.T) {
	const n, most = 1_000, 3
	for _, tc := range []struct {
		name string
		op   secretsstoretest.Operation
		call func(ctx context.Context, c *secretsstore.Client, s *service, source, name string) (*secretsstore.Secret, *secretsstore.Response, error)
	}{
		{"create", secretsstoretest.OpCreateSecrets, func(ctx context.Context, c *secretsstore.Client, s *service, _, name string) (*secretsstore.Secret, *secretsstore.Response, error) {
			return c.Secrets.Create(ctx, s.store, secretsstore.SecretCreate{
				Name: name, Value: secretsstore.NewSecretValue("old"), Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
			})
		}},
		{"duplicate", secretsstoretest.OpDuplicateSecret, func(ctx context.Context, c *secretsstore.Client, s *service, source, name string) (*secretsstore.Secret, *secretsstore.Response, error) {
			return c.Secrets.Duplicate(ctx, s.store, source, secretsstore.SecretDuplicate{Name: name, Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := leftBehind()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s := startService(t)
			source := s.addSecret("SOURCE")
			p := &plan{seed: 2}
			p.inject(s, tc.op)
			r := via()
			c := s.client(t, r, tries(most))
			outcomes := underLoad(n, func(i int) outcome {
				o := outcome{key: fmt.Sprintf("MADE_%05d", i)}
				secret, resp, err := tc.call(ctx, c, s, source, o.key)
				switch {
				case err != nil:
					o.err = err
				case secret == nil || secret.Name != o.key:
					o.err = fmt.Errorf("%s returned %+v", o.key, secret)
				default:
					o.id, o.attempts = secret.ID, resp.Attempts
				}
				return o
			})
			requireNothingLeft(t, s, before, r)

			times := make(map[string]int)
			for _, secret := range s.Secrets(s.store) {
				times[secret.Name]++
			}
			unknown, refused := 0, 0
			stored := s.named()
			for _, o := range outcomes {
				want := p.fate(o.key, most, true)
				require.Equal(t, want.attempts, p.seen[o.key], "attempts that came of %s: %v", o.key, o.err)
				wantTimes := 0
				if want.done {
					wantTimes = 1
				}
				require.Equal(t, wantTimes, times[o.key], "%s is in the store: %v", o.key, o.err)
				if want.failed == nil {
					require.NoError(t, o.err)
					require.Equal(t, want.attempts, o.attempts)
					require.Equal(t, o.id, stored[o.key].ID)
					value, _ := s.Value(s.store, o.id)
					require.Equal(t, "old", value)
					continue
				}
				require.Error(t, o.err)
				for _, is := range want.failed.is {
					require.ErrorIs(t, o.err, is, want.failed.name)
				}
				require.Equal(t, want.attempts, attempts(t, o.err))
				require.Equal(t, want.unknown, errors.Is(o.err, secretsstore.ErrOutcomeUnknown), "%s: %v", want.failed.name, o.err)
				if want.unknown {
					unknown++
				} else {
					refused++
					require.Zero(t, times[o.key], "failed, and in the store: %v", o.err)
				}
			}
			assert.NotZero(t, unknown)
			assert.NotZero(t, refused)
		})
	}
}

// Here what goes wrong on the way depends on what else is on a connection, so that
// it can't be foretold for a call; what must hold does not depend on it.
func TestPatchesAndCreationsThroughBadConnections(t *testing.T) {
	const n = 1_000
	before := leftBehind()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := startService(t)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = s.addSecret(fmt.Sprintf("SECRET_%05d", i))
	}
	p := &plan{seed: 3}
	p.inject(s, secretsstoretest.OpPatchSecret)
	var proxies []*faultproxy.Proxy
	var routes []*route
	var clients []*secretsstore.Client
	for _, toxics := range [][]faultproxy.Toxic{
		{faultproxy.Latency(faultproxy.Answers, 2)},
		{faultproxy.Limit(faultproxy.Answers, 20_000)},
		{faultproxy.Limit(faultproxy.Requests, 10_000), faultproxy.Abrupt()},
		{faultproxy.Slices(faultproxy.Requests, 50), faultproxy.Slices(faultproxy.Answers, 50), faultproxy.Limit(faultproxy.Answers, 30_000)},
	} {
		proxy := faultproxy.Start(t, s.http.Addr, toxics...)
		proxies = append(proxies, proxy)
		r := via(proxy.Addr)
		routes = append(routes, r)
		clients = append(clients, s.client(t, r, tries(3)))
	}
	made := make([]outcome, n)
	outcomes := underLoad(n, func(i int) outcome {
		c := clients[i%len(clients)]
		made[i] = outcome{key: fmt.Sprintf("MADE_%05d", i)}
		got, _, err := c.Secrets.Create(ctx, s.store, secretsstore.SecretCreate{
			Name: made[i].key, Value: secretsstore.NewSecretValue("new"), Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		})
		made[i].err = err
		if err == nil {
			made[i].id = got.ID
		}
		return patchUnderLoad(ctx, c, s, i, ids[i])
	})
	for _, r := range routes {
		r.http.CloseIdleConnections()
	}
	eventually(t, "connections are left", func() bool { return s.http.Open() == 0 })
	for _, proxy := range proxies {
		proxy.Stop()
	}
	requireNothingLeft(t, s, before, routes...)

	stored := s.named()
	failed := 0
	for i, o := range outcomes {
		value, _ := s.Value(s.store, o.id)
		comment := stored[fmt.Sprintf("SECRET_%05d", i)].Comment
		if o.err != nil {
			failed++
			require.LessOrEqual(t, attempts(t, o.err), 3)
			require.Equal(t, value == "new", comment == o.key, "half of a patch is in the store")
			continue
		}
		require.LessOrEqual(t, o.attempts, 3)
		require.Equal(t, "new", value)
		require.Equal(t, o.key, comment)
	}
	assert.NotZero(t, failed)
	unknown := 0
	for _, o := range made {
		switch there := stored[o.key].ID; {
		case o.err == nil:
			require.NotEmpty(t, there, "%s was reported as made", o.key)
			require.Equal(t, there, o.id)
		case errors.Is(o.err, secretsstore.ErrOutcomeUnknown):
			unknown++
			require.GreaterOrEqual(t, attempts(t, o.err), 1)
		default:
			require.Empty(t, there, "%s was reported as failed: %v", o.key, o.err)
			require.GreaterOrEqual(t, attempts(t, o.err), 1)
		}
	}
	assert.NotZero(t, unknown)
}

// The client here is one as most users have it, with the transport of the library.
func TestAServerThatIsRestartedUnderLoad(t *testing.T) {
	before := leftBehind()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := startService(t)
	c, err := secretsstore.NewClient(tries(3),
		secretsstore.WithBaseURL("http://"+s.http.Addr+"/client/v4"),
		secretsstore.WithAPIToken(s.APIToken),
		secretsstore.WithAccountID(s.AccountID),
	)
	require.NoError(t, err)

	const (
		up int32 = iota
		down
		upAgain
	)
	type done struct {
		outcome
		began, ended int32
		made         bool
	}
	var phase atomic.Int32
	var succeeded, failed atomic.Int64
	all := make([][]done, workers)
	var running sync.WaitGroup
	for w := range workers {
		id := s.addSecret(fmt.Sprintf("SECRET_%d", w))
		running.Go(func() {
			for i, after := 0, 0; after < 20 && ctx.Err() == nil; i++ {
				d := done{began: phase.Load(), made: i%3 == 2}
				switch {
				case d.made:
					d.key = fmt.Sprintf("MADE_%d_%d", w, i)
					var got *secretsstore.Secret
					got, _, d.err = c.Secrets.Create(ctx, s.store, secretsstore.SecretCreate{
						Name: d.key, Value: secretsstore.NewSecretValue("new"), Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
					})
					if d.err == nil {
						d.id = got.ID
					}
				case i%3 == 1:
					_, _, d.err = c.Secrets.Get(ctx, s.store, id)
				default:
					d.outcome = patchUnderLoad(ctx, c, s, i, id)
				}
				d.ended = phase.Load()
				if d.began == upAgain {
					after++
				}
				if d.err == nil {
					succeeded.Add(1)
				} else {
					failed.Add(1)
				}
				all[w] = append(all[w], d)
			}
		})
	}
	eventually(t, "no load", func() bool { return succeeded.Load() >= 500 })
	phase.Store(down)
	s.http.Stop()
	eventually(t, "no call fails while there is no server", func() bool { return failed.Load() >= 200 })
	require.NoError(t, s.http.Start())
	phase.Store(upAgain)
	running.Wait()
	require.NoError(t, ctx.Err(), "calls that don't return")
	s.http.Stop()
	assert.Zero(t, s.http.Open())
	goleak.VerifyNone(t, before...)

	stored := s.named()
	for _, calls := range all {
		for _, d := range calls {
			switch {
			case d.err != nil:
				require.False(t, d.began == d.ended && d.began != down, "a call failed while there was a server: %v", d.err)
				require.NotEqual(t, upAgain, d.began, "a call failed after the server was back: %v", d.err)
				n := attempts(t, d.err)
				require.True(t, 1 <= n && n <= 3, "%d attempts: %v", n, d.err)
				if d.made && !errors.Is(d.err, secretsstore.ErrOutcomeUnknown) {
					require.Empty(t, stored[d.key].ID, "reported as failed: %v", d.err)
				}
			case d.made:
				require.NotEmpty(t, d.id)
				require.Equal(t, d.id, stored[d.key].ID)
			}
		}
	}
}
