package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/faultproxy"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// made is the name of what the calls of faultyCalls make.
const made = "MADE"

// faultyCall is a call to be disturbed. It is about the secret id, whose value and
// comment are "old" before.
type faultyCall struct {
	name string
	// repeatable calls may be tried again whatever happened.
	repeatable bool
	op         secretsstoretest.Operation
	// call returns a secret that is right if there is no error.
	call func(ctx context.Context, c *secretsstore.Client, store, id string) (*secretsstore.Secret, *secretsstore.Response, error)
	// right says whether a secret is what the call has to return.
	right func(got *secretsstore.Secret) bool
	// done says whether the service has done it; nil where nothing changes.
	done func(s *service, id string) bool
}

var faultyCalls = []faultyCall{
	{
		name: "get", op: secretsstoretest.OpGetSecret, repeatable: true,
		call: func(ctx context.Context, c *secretsstore.Client, store, id string) (*secretsstore.Secret, *secretsstore.Response, error) {
			return c.Secrets.Get(ctx, store, id)
		},
		right: func(got *secretsstore.Secret) bool { return got != nil && got.Name == "OLD" },
	},
	{
		name: "patch", op: secretsstoretest.OpPatchSecret, repeatable: true,
		call: func(ctx context.Context, c *secretsstore.Client, store, id string) (*secretsstore.Secret, *secretsstore.Response, error) {
			return c.Secrets.Patch(ctx, store, id, secretsstore.SecretPatch{Comment: secretsstore.Ptr("new"), Value: secretsstore.NewSecretValue("new")})
		},
		right: func(got *secretsstore.Secret) bool { return got != nil && got.Name == "OLD" && got.Comment == "new" },
		done: func(s *service, id string) bool {
			value, _ := s.Value(s.store, id)
			return value == "new" && s.named()["OLD"].Comment == "new"
		},
	},
	{
		name: "delete", op: secretsstoretest.OpDeleteSecret, repeatable: true,
		call: func(ctx context.Context, c *secretsstore.Client, store, id string) (*secretsstore.Secret, *secretsstore.Response, error) {
			resp, err := c.Secrets.Delete(ctx, store, id)
			return nil, resp, err
		},
		right: func(got *secretsstore.Secret) bool { return got == nil },
		done:  func(s *service, id string) bool { _, there := s.Value(s.store, id); return !there },
	},
	{
		name: "create", op: secretsstoretest.OpCreateSecrets,
		call: func(ctx context.Context, c *secretsstore.Client, store, _ string) (*secretsstore.Secret, *secretsstore.Response, error) {
			return c.Secrets.Create(ctx, store, secretsstore.SecretCreate{
				Name: made, Value: secretsstore.NewSecretValue("new"), Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
			})
		},
		right: func(got *secretsstore.Secret) bool { return got != nil && got.Name == made },
		done:  func(s *service, _ string) bool { return s.named()[made].ID != "" },
	},
	{
		name: "duplicate", op: secretsstoretest.OpDuplicateSecret,
		call: func(ctx context.Context, c *secretsstore.Client, store, id string) (*secretsstore.Secret, *secretsstore.Response, error) {
			return c.Secrets.Duplicate(ctx, store, id, secretsstore.SecretDuplicate{Name: made, Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}})
		},
		right: func(got *secretsstore.Secret) bool { return got != nil && got.Name == made },
		done:  func(s *service, _ string) bool { return s.named()[made].ID != "" },
	},
}

// writes says whether the call changes something, so that its outcome can be unknown.
func (call *faultyCall) writes() bool { return call.done != nil }

func callsNamed(names ...string) (calls []faultyCall) {
	for _, call := range faultyCalls {
		if slices.Contains(names, call.name) {
			calls = append(calls, call)
		}
	}
	return calls
}

// lengths returns how many bytes the request and the answer of a call have, and how
// many of the latter are its header.
func (call *faultyCall) lengths(t *testing.T, ctx context.Context) (request, answer, header int) {
	t.Helper()
	s := startService(t)
	r := via()
	r.tap = new(tap)
	got, _, err := call.call(ctx, s.client(t, r), s.store, s.addSecret("OLD"))
	require.NoError(t, err)
	require.True(t, call.right(got))
	r.tap.mu.Lock()
	defer r.tap.mu.Unlock()
	header = bytes.Index(r.tap.answer, []byte("\r\n\r\n")) + 4
	require.Greater(t, header, 4)
	return len(r.tap.request), len(r.tap.answer), header
}

func TestAConnectionThatIsSlow(t *testing.T) {
	t.Parallel()
	const (
		late  = 2500 * time.Millisecond
		short = time.Second // enough to connect and send
	)
	for _, tc := range []struct {
		name   string
		toxics []faultproxy.Toxic
		// atLeast shows that the fault is there.
		atLeast time.Duration
	}{
		{"answers are late", []faultproxy.Toxic{faultproxy.Latency(faultproxy.Answers, late.Milliseconds())}, late},
		{"requests are late", []faultproxy.Toxic{faultproxy.Latency(faultproxy.Requests, late.Milliseconds())}, late},
		{"answers come at 1 KB a second", []faultproxy.Toxic{faultproxy.Bandwidth(faultproxy.Answers, 1)}, 200 * time.Millisecond},
		{"requests go at 1 KB a second", []faultproxy.Toxic{faultproxy.Bandwidth(faultproxy.Requests, 1)}, 150 * time.Millisecond},
		{"answers come in pieces of 7 bytes", []faultproxy.Toxic{faultproxy.Slices(faultproxy.Answers, 7)}, 0},
		{"requests go in pieces of 7 bytes", []faultproxy.Toxic{faultproxy.Slices(faultproxy.Requests, 7)}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var enoughTime, shortAttempt, shortCall []func() result
			for _, call := range faultyCalls {
				run := func(timeout time.Duration, opts ...secretsstore.Option) func() result {
					s := startService(t)
					id := s.addSecret("OLD")
					c := s.client(t, via(faultproxy.Start(t, s.http.Addr, tc.toxics...).Addr), opts...)
					return func() (r result) {
						ctx, cancel := context.WithTimeout(ctx, timeout)
						defer cancel()
						r.got, r.resp, r.err = call.call(ctx, c, s.store, id)
						return r
					}
				}
				enoughTime = append(enoughTime, run(patience))
				shortAttempt = append(shortAttempt, run(patience, secretsstore.WithAttemptTimeout(short)))
				shortCall = append(shortCall, run(short, tries(4)))
			}
			n := len(faultyCalls)
			if tc.atLeast < 2*short {
				shortAttempt, shortCall = nil, nil
			}
			results := sideBySide(append(append(enoughTime, shortAttempt...), shortCall...)...)
			for i, call := range faultyCalls {
				t.Run(call.name+" takes its time", func(t *testing.T) {
					r := results[i]
					require.NoError(t, r.err)
					assert.True(t, call.right(r.got))
					assert.Equal(t, 1, r.resp.Attempts)
					assert.GreaterOrEqual(t, r.took, tc.atLeast)
				})
				if shortAttempt == nil {
					continue
				}
				t.Run(call.name+" tells the end of an attempt from the end of the caller's time", func(t *testing.T) {
					r := results[n+i]
					require.ErrorIs(t, r.err, secretsstore.ErrAttemptTimeout)
					assert.NotErrorIs(t, r.err, context.DeadlineExceeded)
					assert.Equal(t, 1, attempts(t, r.err))
					assert.Equal(t, call.writes(), errors.Is(r.err, secretsstore.ErrOutcomeUnknown))
				})
				t.Run(call.name+" ends with the caller's time", func(t *testing.T) {
					r := results[2*n+i]
					require.ErrorIs(t, r.err, context.DeadlineExceeded)
					assert.NotErrorIs(t, r.err, secretsstore.ErrAttemptTimeout)
					assert.Equal(t, 1, attempts(t, r.err))
					assert.Equal(t, call.writes(), errors.Is(r.err, secretsstore.ErrOutcomeUnknown))
				})
			}
		})
	}
}

func TestALongAnswerAtOneKilobyteASecond(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := startService(t)
	for i := range 12 {
		s.addSecret(fmt.Sprintf("SECRET_%d", i))
	}
	proxy := faultproxy.Start(t, s.http.Addr, faultproxy.Bandwidth(faultproxy.Answers, 1))
	var whole, cut []*secretsstore.Secret
	list := func(into *[]*secretsstore.Secret, opts ...secretsstore.Option) func() result {
		c := s.client(t, via(proxy.Addr), opts...)
		return func() (r result) {
			*into, r.resp, r.err = c.Secrets.List(ctx, s.store, nil)
			return r
		}
	}
	results := sideBySide(list(&whole), list(&cut, secretsstore.WithAttemptTimeout(time.Second)))
	t.Run("is read to its end", func(t *testing.T) {
		require.NoError(t, results[0].err)
		assert.Len(t, whole, 12)
		assert.Equal(t, 1, results[0].resp.Attempts)
		assert.GreaterOrEqual(t, results[0].took, 2*time.Second)
	})
	t.Run("is given up after the time of an attempt", func(t *testing.T) {
		require.ErrorIs(t, results[1].err, secretsstore.ErrAttemptTimeout)
		assert.Nil(t, cut)
		assert.Equal(t, 1, attempts(t, results[1].err))
	})
}

func TestAnAttemptThatIsTooLate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var calls []func() result
	services, ids, routes := make([]*service, len(faultyCalls)), make([]string, len(faultyCalls)), make([]*route, len(faultyCalls))
	for i, call := range faultyCalls {
		s, r := startService(t), via()
		id := s.addSecret("OLD")
		// It is late by more than the test has: who waits for it never ends.
		s.Inject(secretsstoretest.Fault{Operation: call.op, Count: 1, ResponseLatency: 2 * patience})
		c := s.client(t, r, tries(4), secretsstore.WithAttemptTimeout(time.Second))
		services[i], ids[i], routes[i] = s, id, r
		calls = append(calls, func() (r result) {
			r.got, r.resp, r.err = call.call(ctx, c, s.store, id)
			return r
		})
	}
	for i, r := range sideBySide(calls...) {
		call, s := faultyCalls[i], services[i]
		t.Run(call.name, func(t *testing.T) {
			if call.repeatable {
				require.NoError(t, r.err)
				assert.True(t, call.right(r.got))
				assert.Equal(t, 2, r.resp.Attempts)
				assert.EqualValues(t, 2, routes[i].dials.Load(), "on the connection that is late nothing is to be hoped for")
			} else {
				require.ErrorIs(t, r.err, secretsstore.ErrOutcomeUnknown)
				require.ErrorIs(t, r.err, secretsstore.ErrAttemptTimeout)
				assert.Equal(t, 1, s.sent(call.op))
			}
			if call.done != nil {
				assert.True(t, call.done(s, ids[i]))
			}
		})
	}
}

func TestAConnectionThatClosesSlowly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const (
		slow    = 4 * time.Second
		attempt = time.Second
	)
	n := len(faultyCalls)
	services, ids := make([]*service, 2*n), make([]string, 2*n)
	var whole, cut []func() result
	for i, call := range faultyCalls {
		run := func(i int, f secretsstoretest.Fault) func() result {
			s := startService(t)
			services[i], ids[i] = s, s.addSecret("OLD")
			s.Inject(f)
			proxy := faultproxy.Start(t, s.http.Addr, faultproxy.SlowClose(faultproxy.Answers, slow.Milliseconds()))
			c := s.client(t, via(proxy.Addr), tries(4), secretsstore.WithAttemptTimeout(attempt))
			return func() (r result) {
				r.got, r.resp, r.err = call.call(ctx, c, s.store, ids[i])
				return r
			}
		}
		whole = append(whole, run(i, secretsstoretest.Fault{Header: http.Header{"Connection": {"close"}}}))
		cut = append(cut, run(n+i, secretsstoretest.Fault{Operation: call.op, Count: 1, Drop: secretsstoretest.DropInBody, BodyBytes: 10}))
	}
	results := sideBySide(append(whole, cut...)...)
	for i, call := range faultyCalls {
		t.Run(call.name+" is done when the answer is whole", func(t *testing.T) {
			r := results[i]
			require.NoError(t, r.err)
			assert.True(t, call.right(r.got))
			assert.Equal(t, 1, r.resp.Attempts, "it waited for the end of the connection")
		})
		t.Run(call.name+" does not wait for the rest of an answer", func(t *testing.T) {
			r := results[n+i]
			if call.repeatable {
				require.NoError(t, r.err)
				assert.True(t, call.right(r.got))
				assert.Equal(t, 2, r.resp.Attempts)
				return
			}
			require.ErrorIs(t, r.err, secretsstore.ErrOutcomeUnknown)
			require.ErrorIs(t, r.err, secretsstore.ErrAttemptTimeout)
			assert.Equal(t, 1, services[n+i].sent(call.op))
			assert.True(t, call.done(services[n+i], ids[n+i]))
		})
	}
}

// A 503 says that nothing was done. An API that lies can't be seen through at once,
// but when the name turns out to be taken, it may be by this very call.
func TestAServiceThatIsUnavailableAndDidItAllTheSame(t *testing.T) {
	t.Parallel()
	for _, call := range faultyCalls {
		if call.repeatable {
			continue
		}
		t.Run(call.name, func(t *testing.T) {
			s := startService(t)
			id := s.addSecret("OLD")
			s.Inject(secretsstoretest.Fault{Operation: call.op, Count: 1, Status: http.StatusServiceUnavailable, Apply: true})
			_, _, err := call.call(t.Context(), s.client(t, via(), tries(4)), s.store, id)
			require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
			require.ErrorIs(t, err, secretsstore.ErrAlreadyExists)
			assert.Equal(t, 2, attempts(t, err))
			assert.Equal(t, 2, s.sent(call.op))
		})
	}
}

// beforeAttempt is a limiter that is told of each attempt, counted from 1.
type beforeAttempt struct {
	n  atomic.Int64
	do func(n int64)
}

func (b *beforeAttempt) Wait(context.Context) error {
	b.do(b.n.Add(1))
	return nil
}

func TestAServerThatIsDownForAWhile(t *testing.T) {
	t.Parallel()
	for _, call := range faultyCalls {
		t.Run(call.name+" is tried until the server is back", func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s := startService(t)
			id := s.addSecret("OLD")
			s.http.Stop()
			back := &beforeAttempt{do: func(n int64) {
				if n == 3 {
					assert.NoError(t, s.http.Start())
				}
			}}
			got, resp, err := call.call(ctx, s.client(t, via(), tries(4), secretsstore.WithLimiter(back)), s.store, id)
			require.NoError(t, err, "nothing was sent where there was no connection: also what makes something is safe to try again")
			assert.True(t, call.right(got))
			assert.Equal(t, 3, resp.Attempts)
			assert.Equal(t, 1, s.sent(call.op))
			if call.done != nil {
				assert.True(t, call.done(s, id))
			}
		})
		t.Run(call.name+" survives a restart while it is in flight", func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s := startService(t)
			id := s.addSecret("OLD")
			s.Inject(secretsstoretest.Fault{Operation: call.op, Count: 1, ResponseLatency: 2 * patience})
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				for s.sent(call.op) == 0 {
					time.Sleep(time.Millisecond)
				}
				s.http.Stop()
			}()
			back := &beforeAttempt{do: func(n int64) {
				if n == 2 {
					<-stopped
					assert.NoError(t, s.http.Start())
				}
			}}
			got, resp, err := call.call(ctx, s.client(t, via(), tries(4), secretsstore.WithLimiter(back)), s.store, id)
			<-stopped
			if call.repeatable {
				require.NoError(t, err)
				assert.True(t, call.right(got))
				assert.Equal(t, 2, resp.Attempts)
			} else {
				require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
				assert.Equal(t, 1, attempts(t, err))
				assert.Equal(t, 1, s.sent(call.op))
			}
		})
	}
}

func TestTheTextOfAnUnknownOutcomeSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, call := range faultyCalls {
		if !call.writes() {
			continue
		}
		s := startService(t)
		proxy := faultproxy.Start(t, s.http.Addr, faultproxy.Reset(faultproxy.Answers))
		_, _, err := call.call(t.Context(), s.client(t, via(proxy.Addr)), s.store, s.addSecret("OLD"))
		require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
		assert.Contains(t, err.Error(), "may have been applied")
		assert.Equal(t, !call.repeatable, strings.Contains(err.Error(), "check before repeating it"))
	}
}
