package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const (
	oldText = "old-value-c0ffee"
	newText = "new-value-5ca1ab1e"
)

// stage is a rotation of a secret in a Secrets Store in memory. It is used in a
// bubble, where waits take no time and last exactly as long as they should.
type stage struct {
	srv      *secretsstoretest.Server
	rotation *rotation
	out      bytes.Buffer
}

// fixed is the source of a value that is known to the test.
func fixed(text string) source {
	return func(context.Context, *console) (secretsstore.SecretValue, error) {
		return secretsstore.NewSecretValue(text), nil
	}
}

func newStage(opts ...secretsstoretest.ServerOption) *stage {
	srv := secretsstoretest.NewServer(append(opts, secretsstoretest.WithoutListener())...)
	store := srv.AddStore("s")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{Name: "KEY", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue(oldText)})
	return &stage{srv: srv, rotation: &rotation{
		store: store.ID, secret: secret.ID,
		oldValue: fixed(oldText), newValue: fixed(newText),
		check:   func(context.Context, *console, secretsstore.SecretValue) error { return nil },
		timeout: 20 * time.Second, rollbackTimeout: time.Minute,
	}}
}

// run rotates, and says that nothing secret was printed.
func (s *stage) run(t *testing.T, ctx context.Context) error {
	t.Helper()
	err := s.rotation.run(ctx, s.srv.Client(), &console{stdout: &s.out, stderr: &s.out})
	text := s.out.String()
	if err != nil {
		text += err.Error()
	}
	for _, secret := range []string{oldText, newText, s.srv.APIToken} {
		assert.NotContains(t, text, secret)
	}
	return err
}

// holds is what the store holds.
func (s *stage) holds() string {
	value, _ := s.srv.Value(s.rotation.store, s.rotation.secret)
	return value
}

func (s *stage) patches() (n int) {
	for _, r := range s.srv.Requests() {
		if r.Operation == secretsstoretest.OpPatchSecret {
			n++
		}
	}
	return n
}

// refuse has the API answer patches with a status, n of them, or all if n is 0.
func (s *stage) refuse(n, status int) {
	s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Count: n, Status: status, Body: secretsstoretest.ErrorBody(1001, "no")})
}

func TestRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(secretsstoretest.WithPendingFor(3 * time.Second))
		var checked time.Duration
		begun := time.Now()
		s.rotation.check = func(_ context.Context, _ *console, v secretsstore.SecretValue) error {
			checked = time.Since(begun)
			assert.Equal(t, newText, v.Reveal())
			assert.Equal(t, newText, s.holds())
			return nil
		}
		require.NoError(t, s.run(t, t.Context()))
		// Looks after 0, 500, 1250, 2375 and 4062.5 ms.
		assert.Equal(t, 4062500*time.Microsecond, checked)
		assert.Equal(t, newText, s.holds())
		assert.Equal(t, 1, s.patches())
		assert.Contains(t, s.out.String(), "Rotated: the secret has the new value.")
	})
}

func TestFailures(t *testing.T) {
	failing := errors.New("the check says no")
	fails := func(context.Context, *console, secretsstore.SecretValue) error { return failing }
	for name, tc := range map[string]struct {
		server   []secretsstoretest.ServerOption
		prepare  func(*stage)
		stage    string // where it failed
		says     state
		is       error
		holds    string
		patches  int
		duration time.Duration // 0: not of interest
	}{
		"the check fails": {
			prepare: func(s *stage) { s.rotation.check = fails },
			stage:   "checking the new value", says: rolledBack, is: failing, holds: oldText, patches: 2,
		},
		"the secret is not there": {
			prepare: func(s *stage) { s.rotation.secret = "0" },
			stage:   "looking at the secret", says: untouched, is: secretsstore.ErrSecretNotFound,
		},
		"the old value can't be got": {
			prepare: func(s *stage) { s.rotation.oldValue = fileSource("-old-file", "no/such/file", textOptions{}) },
			stage:   "getting the old value", says: untouched, holds: oldText,
		},
		"the new value can't be got": {
			prepare: func(s *stage) { s.rotation.newValue = environmentSource("NO_SUCH_VARIABLE") },
			stage:   "getting the new value", says: untouched, holds: oldText,
		},
		"the new value is the old one": {
			prepare: func(s *stage) { s.rotation.newValue = fixed(oldText) },
			stage:   "getting the new value", says: untouched, holds: oldText,
		},
		"the patch is refused": {
			prepare: func(s *stage) { s.refuse(0, http.StatusForbidden) },
			stage:   "patching the new value", says: untouched, is: secretsstore.ErrForbidden, holds: oldText, patches: 1,
		},
		"the patch is refused by the rate limit, each time": {
			prepare: func(s *stage) { s.refuse(0, http.StatusTooManyRequests) },
			stage:   "patching the new value", says: untouched, is: secretsstore.ErrRateLimited, holds: oldText, patches: 4,
		},
		"the patch is done, and no answer says so": {
			prepare: func(s *stage) {
				s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Count: 4, Drop: secretsstoretest.DropAfterRequest})
			},
			stage: "patching the new value", says: rolledBack, holds: oldText, patches: 5,
		},
		"the patch is done and its answer can't be read": {
			prepare: func(s *stage) {
				s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Count: 4, Drop: secretsstoretest.DropInBody, BodyBytes: 10})
			},
			stage: "patching the new value", says: rolledBack, is: secretsstore.ErrInvalidResponse, holds: oldText, patches: 5,
		},
		"the patch is done at a first attempt that failed, and refused at the second": {
			prepare: func(s *stage) {
				s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Count: 1, Status: 502, Apply: true})
				s.refuse(1, http.StatusForbidden)
			},
			stage: "patching the new value", says: rolledBack, is: secretsstore.ErrForbidden, holds: oldText, patches: 3,
		},
		"the patch and rolling back have no outcome": {
			prepare: func(s *stage) {
				s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Count: 1, Status: 502, Apply: true})
				s.refuse(0, http.StatusServiceUnavailable)
			},
			stage: "patching the new value", says: eitherOne, is: secretsstore.ErrServer, holds: newText,
		},
		"the patch has no outcome, and rolling back is refused": {
			prepare: func(s *stage) { s.refuse(4, http.StatusBadGateway); s.refuse(0, http.StatusForbidden) },
			stage:   "patching the new value", says: eitherOne, is: secretsstore.ErrForbidden, holds: oldText, patches: 5,
		},
		"the secret does not become active": {
			server: []secretsstoretest.ServerOption{secretsstoretest.WithPendingFor(time.Hour)},
			stage:  "waiting until the secret is active: not active after 20s", says: rolledBack, holds: oldText, patches: 2, duration: 20 * time.Second,
		},
		"no look at the secret has an answer": {
			prepare: func(s *stage) {
				s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpGetSecret, Match: func(*http.Request) bool { return s.patches() > 0 }, Status: 500})
			},
			stage: "waiting until the secret is active: not active after 20s", says: rolledBack, is: secretsstore.ErrServer, holds: oldText, patches: 2, duration: 20 * time.Second,
		},
		"the secret is deleted by somebody": {
			prepare: func(s *stage) {
				s.rotation.check = func(ctx context.Context, _ *console, _ secretsstore.SecretValue) error {
					_, err := s.srv.Client().Secrets.Delete(ctx, s.rotation.store, s.rotation.secret)
					return errors.Join(failing, err)
				}
			},
			stage: "checking the new value", says: gone, is: secretsstore.ErrSecretNotFound, patches: 2,
		},
		"rolling back is refused": {
			prepare: func(s *stage) {
				s.rotation.check = func(context.Context, *console, secretsstore.SecretValue) error {
					s.srv.RevokeToken(s.srv.APIToken)
					return failing
				}
			},
			stage: "checking the new value", says: hasNew, is: secretsstore.ErrUnauthorized, holds: newText, patches: 2,
		},
		"rolling back fails, and the server in trouble had done it": {
			prepare: func(s *stage) {
				s.rotation.check = func(context.Context, *console, secretsstore.SecretValue) error {
					s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Status: 500, Apply: true})
					return failing
				}
			},
			stage: "checking the new value", says: eitherOne, is: secretsstore.ErrServer, holds: oldText,
		},
		"rolling back hangs": {
			prepare: func(s *stage) {
				s.rotation.check = func(context.Context, *console, secretsstore.SecretValue) error {
					s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Latency: time.Hour})
					return failing
				}
			},
			stage: "checking the new value", says: eitherOne, is: context.DeadlineExceeded, holds: newText, duration: time.Minute,
		},
		"rolling back is limited at first": {
			prepare: func(s *stage) {
				s.rotation.check = func(context.Context, *console, secretsstore.SecretValue) error {
					s.srv.Inject(secretsstoretest.Fault{
						Operation: secretsstoretest.OpPatchSecret, Count: 6, Status: 429, Header: http.Header{"Retry-After": {"5"}},
					})
					return failing
				}
			},
			stage: "checking the new value", says: rolledBack, is: failing, holds: oldText, patches: 8, duration: 30 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(tc.server...)
				if tc.prepare != nil {
					tc.prepare(s)
				}
				begun := time.Now()
				err := s.run(t, t.Context())
				var f *failure
				require.ErrorAs(t, err, &f)
				assert.Equal(t, tc.says, f.state)
				assert.Regexp(t, "^"+tc.stage+".*; "+string(tc.says)+"$", err.Error())
				if tc.is != nil {
					assert.ErrorIs(t, err, tc.is)
				}
				assert.Equal(t, tc.holds, s.holds())
				if tc.patches > 0 || tc.says == untouched {
					assert.Equal(t, tc.patches, s.patches())
				}
				if tc.duration > 0 {
					assert.Equal(t, tc.duration, time.Since(begun))
				}
			})
		})
	}
}

func TestLooksThatFailAreNoReasonToRollBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.srv.Inject(secretsstoretest.Fault{
			Operation: secretsstoretest.OpGetSecret, Count: 6, Status: 503, Header: http.Header{"Retry-After": {"1"}},
			Match: func(*http.Request) bool { return s.patches() > 0 },
		})
		require.NoError(t, s.run(t, t.Context()))
		assert.Equal(t, newText, s.holds())
	})
}

func TestCtrlC(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(s *stage, interrupt func())
		says    state
		holds   string
		patches int
	}{
		"while the new value is made": {
			prepare: func(s *stage, interrupt func()) {
				s.rotation.newValue = func(ctx context.Context, con *console) (secretsstore.SecretValue, error) {
					interrupt()
					return fixed(newText)(ctx, con)
				}
			},
			says: untouched, holds: oldText,
		},
		"while the patch is on its way": {
			prepare: func(s *stage, interrupt func()) {
				s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Count: 1, ResponseLatency: time.Hour})
				time.AfterFunc(time.Second, interrupt)
			},
			says: rolledBack, holds: oldText, patches: 2,
		},
		"while the patch waits to be tried again": {
			prepare: func(s *stage, interrupt func()) {
				s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Status: 429, Header: http.Header{"Retry-After": {"30"}}})
				time.AfterFunc(time.Second, interrupt)
			},
			says: untouched, holds: oldText, patches: 1,
		},
		"while the secret is pending": {
			prepare: func(s *stage, interrupt func()) { time.AfterFunc(time.Second, interrupt) },
			says:    rolledBack, holds: oldText, patches: 2,
		},
		"while looking at the secret": {
			prepare: func(s *stage, interrupt func()) {
				s.srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpGetSecret, Match: func(*http.Request) bool { return s.patches() > 0 }, Latency: time.Hour})
				time.AfterFunc(time.Second, interrupt)
			},
			says: rolledBack, holds: oldText, patches: 2,
		},
		"while the check runs": {
			prepare: func(s *stage, interrupt func()) {
				s.rotation.check = func(ctx context.Context, _ *console, _ secretsstore.SecretValue) error {
					interrupt()
					return context.Cause(ctx)
				}
			},
			says: rolledBack, holds: oldText, patches: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(secretsstoretest.WithPendingFor(10 * time.Second))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				tc.prepare(s, cancel)
				err := s.run(t, ctx)
				var f *failure
				require.ErrorAs(t, err, &f)
				assert.Equal(t, tc.says, f.state)
				assert.ErrorIs(t, err, context.Canceled)
				assert.NoError(t, f.rollback)
				assert.NotContains(t, err.Error(), "the last look")
				assert.Equal(t, tc.holds, s.holds())
				assert.Equal(t, tc.patches, s.patches())
			})
		})
	}
	t.Run("after the check has passed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStage()
			ctx, cancel := context.WithCancel(t.Context())
			s.rotation.check = func(context.Context, *console, secretsstore.SecretValue) error { cancel(); return nil }
			require.NoError(t, s.run(t, ctx))
			assert.Equal(t, newText, s.holds())
		})
	})
}
