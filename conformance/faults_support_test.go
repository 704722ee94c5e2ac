package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/faultproxy"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// patience bounds what a test waits for. Nothing is expected to take a fraction of
// it, also on a machine that is slow and busy.
const patience = 2 * time.Minute

// service is an emulator on a server that can be stopped, with one store.
type service struct {
	*secretsstoretest.Server
	http  *faultproxy.Server
	store string
}

func startService(t testing.TB, opts ...secretsstoretest.ServerOption) *service {
	t.Helper()
	emulator := secretsstoretest.NewServer(append([]secretsstoretest.ServerOption{
		secretsstoretest.WithoutListener(),
		secretsstoretest.WithMaxSecrets(0),
	}, opts...)...)
	t.Cleanup(emulator.Close)
	return &service{
		Server: emulator,
		http:   faultproxy.Serve(t, withCallKey(emulator.Handler())),
		store:  emulator.AddStore("faults").ID,
	}
}

// withCallKey sets a header that identifies the call of a request, since faults do not see
// bodies: the comment of a patch, or the name of a new secret.
func withCallKey(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Name, Comment string }
		b, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(bytes.Trim(b, "[]"), &body)
		r.Body = io.NopCloser(bytes.NewReader(b))
		r.Header.Set("X-Call", cmp.Or(body.Name, body.Comment))
		next.ServeHTTP(w, r)
	})
}

// addSecret makes a secret whose value and comment are "old".
func (s *service) addSecret(name string) string {
	return s.AddSecret(s.store, secretsstore.SecretCreate{
		Name: name, Value: secretsstore.NewSecretValue("old"), Comment: "old", Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
	}).ID
}

// named returns the secrets of the store by their names.
func (s *service) named() map[string]secretsstore.Secret {
	byName := make(map[string]secretsstore.Secret)
	for _, secret := range s.Secrets(s.store) {
		byName[secret.Name] = secret
	}
	return byName
}

// sent returns how many requests for an operation have come.
func (s *service) sent(op secretsstoretest.Operation) (n int) {
	for _, r := range s.Requests() {
		if r.Operation == op {
			n++
		}
	}
	return n
}

// client returns a client whose connections go by the route.
func (s *service) client(t testing.TB, r *route, opts ...secretsstore.Option) *secretsstore.Client {
	t.Helper()
	return s.Client(append([]secretsstore.Option{
		secretsstore.WithBaseURL("http://" + s.http.Addr + "/client/v4"),
		secretsstore.WithHTTPClient(&http.Client{Transport: r.transport(t)}),
		tries(1),
	}, opts...)...)
}

// tries is a policy with so many attempts that wastes no time between them.
func tries(n int) secretsstore.Option {
	return secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: n, BaseBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond})
}

// route says where connections go, whatever address they are for: the first to the
// first address, and so on; those that are left to the last. Without an address
// they go where they are meant to.
type route struct {
	addrs []string
	tap   *tap // hears what passes, if there is one

	dials atomic.Int64
	http  *http.Transport
}

func via(addrs ...string) *route { return &route{addrs: addrs} }

func (r *route) transport(t testing.TB) *http.Transport {
	r.http = &http.Transport{
		MaxIdleConnsPerHost: 128,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if n := int(r.dials.Add(1)); len(r.addrs) > 0 {
				addr = r.addrs[min(n, len(r.addrs))-1]
			}
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil || r.tap == nil {
				return conn, err
			}
			return &tapped{Conn: conn, tap: r.tap}, nil
		},
	}
	t.Cleanup(r.http.CloseIdleConnections)
	return r.http
}

// tap remembers what passes on a connection.
type tap struct {
	mu              sync.Mutex
	request, answer []byte
}

type tapped struct {
	net.Conn
	tap *tap
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	c.tap.answer = append(c.tap.answer, p[:n]...)
	return n, err
}

func (c *tapped) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	c.tap.request = append(c.tap.request, p[:n]...)
	return n, err
}

// attempts returns how often a call that failed says it was tried. An error that
// does not say so is none that a call may end with.
func attempts(t testing.TB, err error) int {
	t.Helper()
	var answered *secretsstore.APIError
	var unreadable *secretsstore.ResponseError
	var unanswered *secretsstore.RequestError
	switch {
	case errors.As(err, &unanswered): // first: it can hold the answer of the attempt before
		return unanswered.Attempts
	case errors.As(err, &answered):
		return answered.Attempts
	case errors.As(err, &unreadable):
		return unreadable.Attempts
	}
	require.Failf(t, "an error of no known type", "%T: %v", err, err)
	return 0
}

// eventually waits until something holds that nobody tells of.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, time.Millisecond, what)
}

// reset empties the store.
func (s *service) reset(t testing.TB) {
	t.Helper()
	admin := s.Client() // without a socket
	for _, secret := range s.Secrets(s.store) {
		_, err := admin.Secrets.Delete(context.Background(), s.store, secret.ID)
		require.NoError(t, err)
	}
}

// result is what a call came to.
type result struct {
	got  *secretsstore.Secret
	resp *secretsstore.Response
	err  error
	took time.Duration
}

// sideBySide runs all of calls at once: they do little but wait.
func sideBySide(calls ...func() result) []result {
	results := make([]result, len(calls))
	var running sync.WaitGroup
	for i, call := range calls {
		running.Go(func() {
			began := time.Now()
			results[i] = call()
			results[i].took = time.Since(began)
		})
	}
	running.Wait()
	return results
}
