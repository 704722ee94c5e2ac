package conformance

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/faultproxy"
)

// secure is an emulator that is served with TLS and HTTP/2, behind a proxy that can
// silence connections.
type secure struct {
	*service
	tls    *httptest.Server
	proxy  *faultproxy.Silencer
	older  atomic.Int64 // requests that came with an older HTTP
	reason *reasons
}

func startSecure(t *testing.T) *secure {
	t.Helper()
	s := &secure{service: startService(t), reason: new(reasons)}
	handler := s.Handler()
	s.tls = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			s.older.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	s.tls.EnableHTTP2 = true
	s.tls.Config.ErrorLog = log.New(io.Discard, "", 0) // what is done to a connection here is no news
	s.tls.StartTLS()
	t.Cleanup(s.tls.Close)
	s.proxy = faultproxy.StartSilencer(t, s.tls.Listener.Addr().String())
	return s
}

func (s *secure) options(opts ...secretsstore.Option) []secretsstore.Option {
	return append([]secretsstore.Option{
		secretsstore.WithBaseURL("https://" + s.proxy.Addr + "/client/v4"),
		secretsstore.WithAPIToken(s.APIToken),
		secretsstore.WithAccountID(s.AccountID),
		secretsstore.WithHooks(secretsstore.Hooks{AttemptDone: s.reason.add}),
	}, opts...)
}

// reasons are why attempts failed.
type reasons struct {
	mu  sync.Mutex
	all []error
}

func (r *reasons) add(_ context.Context, done secretsstore.AttemptDone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if done.Err != nil {
		r.all = append(r.all, done.Err)
	}
}

// testSilentConnections makes each call on a connection that has worked and has gone
// silent since. The client has to notice by itself, as nothing ends the connection
// and no attempt runs out of its time.
func testSilentConnections(t *testing.T, newClient func(*testing.T, *secure) *secretsstore.Client) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	type silent struct {
		name string
		all  bool // also the request is lost
		call faultyCall
		s    *secure
		id   string
	}
	var cases []silent
	var calls []func() result
	for _, call := range faultyCalls {
		for _, all := range []bool{true, false} {
			s := startSecure(t)
			name := call.name + " when answers are lost"
			if all {
				name = call.name + " when requests and answers are lost"
			}
			id := s.addSecret("OLD")
			cases = append(cases, silent{name, all, call, s, id})
			c := newClient(t, s)
			_, _, err := c.Stores.Get(ctx, s.store)
			require.NoError(t, err)
			require.Equal(t, 1, s.proxy.Accepted())
			s.proxy.Silence(all)
			calls = append(calls, func() (r result) {
				r.got, r.resp, r.err = call.call(ctx, c, s.store, id)
				return r
			})
		}
	}
	// All at once: they do little but wait for the same pings.
	for i, r := range sideBySide(calls...) {
		call, s := cases[i].call, cases[i].s
		t.Run(cases[i].name, func(t *testing.T) {
			sent := 1
			if call.repeatable {
				require.NoError(t, r.err)
				assert.True(t, call.right(r.got))
				assert.Equal(t, 2, r.resp.Attempts)
				assert.Equal(t, 2, s.proxy.Accepted(), "the silent connection was replaced")
				require.Len(t, s.reason.all, 1)
				assert.NotErrorIs(t, s.reason.all[0], secretsstore.ErrAttemptTimeout, "the pings should have noticed first")
				if !cases[i].all {
					sent = 2
				}
			} else {
				require.ErrorIs(t, r.err, secretsstore.ErrOutcomeUnknown)
				assert.NotErrorIs(t, r.err, secretsstore.ErrAttemptTimeout, "the pings should have noticed first")
				assert.Equal(t, 1, attempts(t, r.err))
				assert.Equal(t, 1, s.proxy.Accepted(), "it was not sent again")
				if cases[i].all {
					sent = 0
				}
			}
			if call.done != nil {
				assert.Equal(t, call.repeatable || !cases[i].all, call.done(s.service, cases[i].id))
			}
			assert.Equal(t, sent, s.sent(call.op))
			assert.Zero(t, s.older.Load(), "requests without HTTP/2")
		})
	}
}

// quick returns a client with a transport like the library's, but for its times,
// which are divided by 20.
func (s *secure) quick(t *testing.T) *secretsstore.Client {
	t.Helper()
	config := s.tls.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = nil // is the transport's to set
	transport := &http.Transport{
		TLSClientConfig:   config,
		ForceAttemptHTTP2: true,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: 500 * time.Millisecond, PingTimeout: 500 * time.Millisecond},
	}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := secretsstore.NewClient(s.options(tries(4), secretsstore.WithHTTPClient(&http.Client{Transport: transport}))...)
	require.NoError(t, err)
	return c
}

func TestASilentHTTP2ConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	testSilentConnections(t, func(t *testing.T, s *secure) *secretsstore.Client { return s.quick(t) })
}

// The variable that says that this process was started to test the transport of the
// library as it is.
const inOwnProcess = "SECRETSSTORE_TEST_OWN_PROCESS"

// The library's transport trusts what the system trusts. What that is, a process can
// be told only before it looks for the first time: hence one of its own.
func TestASilentHTTP2ConnectionIsReplacedByDefault(t *testing.T) {
	if os.Getenv(inOwnProcess) != "" {
		testSilentConnections(t, func(t *testing.T, s *secure) *secretsstore.Client {
			c, err := secretsstore.NewClient(s.options()...)
			require.NoError(t, err)
			return c
		})
		return
	}
	t.Parallel()
	if testing.Short() {
		t.Skip("takes 20 seconds: two times of the library's transport")
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		t.Skip("the system's certificates can't be replaced by a variable here")
	}
	some := httptest.NewTLSServer(nil) // all of them have the same certificate
	roots := filepath.Join(t.TempDir(), "roots.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: some.Certificate().Raw})
	some.Close()
	require.NoError(t, os.WriteFile(roots, certificate, 0o600))

	program, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var output bytes.Buffer
	child := exec.CommandContext(ctx, program, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout="+patience.String())
	child.Env = append(os.Environ(), inOwnProcess+"=1", "SSL_CERT_FILE="+roots, "SSL_CERT_DIR="+filepath.Dir(roots))
	child.Stdout, child.Stderr = &output, &output
	child.WaitDelay = time.Second
	err = child.Run()
	require.NoError(t, err, output.String())
	require.Contains(t, output.String(), "--- PASS: "+t.Name()+"/create_when_answers_are_lost", "the process tested nothing")
}

// Many calls wait on one connection when it goes silent: all are told, and all are
// made again on a new one, or are said to be unknown.
func TestASilentHTTP2ConnectionUnderLoad(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := startSecure(t)
	c := s.quick(t)
	ids := make([]string, 4*workers)
	for i := range ids {
		ids[i] = s.addSecret(fmt.Sprintf("SECRET_%d", i))
	}
	_, _, err := c.Stores.Get(ctx, s.store)
	require.NoError(t, err)
	s.proxy.Silence(true)
	outcomes := underLoad(len(ids), func(i int) outcome {
		if i%2 == 0 {
			return patchUnderLoad(ctx, c, s.service, i, ids[i])
		}
		o := outcome{key: fmt.Sprintf("MADE_%d", i)}
		_, _, o.err = c.Secrets.Duplicate(ctx, s.store, ids[i], secretsstore.SecretDuplicate{Name: o.key, Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}})
		return o
	})
	stored := s.named()
	unknown := 0
	for i, o := range outcomes {
		switch {
		case i%2 == 0:
			require.NoError(t, o.err)
			value, _ := s.Value(s.store, o.id)
			require.Equal(t, "new", value)
		case errors.Is(o.err, secretsstore.ErrOutcomeUnknown):
			unknown++
			require.Equal(t, 1, attempts(t, o.err))
			require.Empty(t, stored[o.key].ID)
		default: // it was begun when the connection had been replaced
			require.NoError(t, o.err)
			require.NotEmpty(t, stored[o.key].ID)
		}
	}
	assert.NotZero(t, unknown)
	assert.Less(t, unknown, len(ids)/2, "the new connection was not used")
	assert.Zero(t, s.older.Load(), "requests without HTTP/2")
}
