package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// These tests use real connections: toxiproxy, or a server that is stopped, between the
// client and the emulator.

// testTimeout bounds each test. None is expected to take a fraction of it.
const testTimeout = 2 * time.Minute

// A faultyCall is a call whose connection fails. Its secret has the value "old" before.
type faultyCall struct {
	name       string
	op         secretsstoretest.Operation
	idempotent bool
	call       func(ctx context.Context, c *secretsstore.Client, store, id string) (*secretsstore.Response, error)
	applied    func(w *world, id string) bool // nil if the call changes nothing
}

var faultyCalls = []faultyCall{
	{
		name: "get", op: secretsstoretest.OpGetSecret, idempotent: true,
		call: func(ctx context.Context, c *secretsstore.Client, store, id string) (*secretsstore.Response, error) {
			_, resp, err := c.Secrets.Get(ctx, store, id)
			return resp, err
		},
	},
	{
		name: "patch", op: secretsstoretest.OpPatchSecret, idempotent: true,
		call: func(ctx context.Context, c *secretsstore.Client, store, id string) (*secretsstore.Response, error) {
			_, resp, err := c.Secrets.Patch(ctx, store, id, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue("new")})
			return resp, err
		},
		applied: func(w *world, id string) bool { value, _ := w.Value(w.store, id); return value == "new" },
	},
	{
		name: "delete", op: secretsstoretest.OpDeleteSecret, idempotent: true,
		call: func(ctx context.Context, c *secretsstore.Client, store, id string) (*secretsstore.Response, error) {
			return c.Secrets.Delete(ctx, store, id)
		},
		applied: func(w *world, id string) bool { _, ok := w.Value(w.store, id); return !ok },
	},
	{
		name: "create", op: secretsstoretest.OpCreateSecrets,
		call: func(ctx context.Context, c *secretsstore.Client, store, _ string) (*secretsstore.Response, error) {
			_, resp, err := c.Secrets.Create(ctx, store, secretsstore.SecretCreate{Name: "NEW", Value: secretsstore.NewSecretValue("v"), Scopes: bothScopes})
			return resp, err
		},
		applied: func(w *world, _ string) bool { return w.byName()["NEW"].ID != "" },
	},
	{
		name: "duplicate", op: secretsstoretest.OpDuplicateSecret,
		call: func(ctx context.Context, c *secretsstore.Client, store, id string) (*secretsstore.Response, error) {
			_, resp, err := c.Secrets.Duplicate(ctx, store, id, secretsstore.SecretDuplicate{Name: "NEW", Scopes: bothScopes})
			return resp, err
		},
		applied: func(w *world, _ string) bool { return w.byName()["NEW"].ID != "" },
	},
}

func (w *world) byName() map[string]secretsstore.Secret {
	secrets := make(map[string]secretsstore.Secret)
	for _, secret := range w.Secrets(w.store) {
		secrets[secret.Name] = secret
	}
	return secrets
}

// A toxic is a fault of toxiproxy.
type toxic struct {
	Type       string           `json:"type"`
	Stream     string           `json:"stream"` // upstream: requests; downstream: responses
	Toxicity   float32          `json:"toxicity"`
	Attributes map[string]int64 `json:"attributes"`
}

// abrupt makes every end of a connection a reset.
var abrupt = toxic{Type: "reset_peer", Stream: "upstream", Attributes: map[string]int64{"timeout": 0}}

func reset(stream string) toxic {
	return toxic{Type: "reset_peer", Stream: stream, Toxicity: 1, Attributes: map[string]int64{"timeout": 0}}
}

// limit ends a connection after n bytes.
func limit(stream string, n int) toxic {
	return toxic{Type: "limit_data", Stream: stream, Toxicity: 1, Attributes: map[string]int64{"bytes": int64(n)}}
}

// startProxy starts toxiproxy in front of an address and returns its own address.
func startProxy(t testing.TB, upstream string, toxics ...toxic) *toxiproxy.Proxy {
	t.Helper()
	proxy := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), t.Name(), "127.0.0.1:0", upstream)
	for _, toxic := range toxics {
		text, err := json.Marshal(toxic)
		require.NoError(t, err)
		_, err = proxy.Toxics.AddToxicJson(bytes.NewReader(text))
		require.NoError(t, err)
	}
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return proxy
}

// A route is a transport whose connections go to addresses in turn, the last of which is
// used for the rest. It counts connections and the bytes that pass.
type route struct {
	*http.Transport
	dials          atomic.Int64
	sent, received atomic.Int64
}

func newRoute(t testing.TB, addresses ...string) *route {
	r := new(route)
	r.Transport = &http.Transport{MaxIdleConnsPerHost: 128, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		n := int(r.dials.Add(1))
		conn, err := new(net.Dialer).DialContext(ctx, network, addresses[min(n, len(addresses))-1])
		if err != nil {
			return nil, err
		}
		return &countedConn{conn, r}, nil
	}}
	t.Cleanup(r.CloseIdleConnections)
	return r
}

type countedConn struct {
	net.Conn
	route *route
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.route.received.Add(int64(n))
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.route.sent.Add(int64(n))
	return n, err
}

func (w *world) via(rt http.RoundTripper, attempts int, opts ...secretsstore.Option) *secretsstore.Client {
	return w.ours(append([]secretsstore.Option{
		secretsstore.WithHTTPClient(&http.Client{Transport: rt}),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: attempts, BaseBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond}),
	}, opts...)...)
}

func (w *world) address() string { return w.url[len("http://") : len(w.url)-len("/client/v4")] }

// lengths returns the bytes of the request and the response of a call.
func (call *faultyCall) lengths(t *testing.T) (request, response int) {
	t.Helper()
	w := newWorld(t)
	r := newRoute(t, w.address())
	_, err := call.call(t.Context(), w.via(r, 1), w.store, w.first)
	require.NoError(t, err)
	return int(r.sent.Load()), int(r.received.Load())
}

func TestConnectionIsReset(t *testing.T) {
	for _, stage := range []struct {
		name    string
		toxics  func(request, response int) []toxic
		arrives bool // the whole request
	}{
		{name: "before the request", toxics: func(int, int) []toxic { return []toxic{reset("upstream")} }},
		{name: "within the request", toxics: func(request, _ int) []toxic { return []toxic{abrupt, limit("upstream", request/2)} }},
		{name: "after the request", toxics: func(int, int) []toxic { return []toxic{reset("downstream")} }, arrives: true},
		{name: "within the header of the response", toxics: func(int, int) []toxic { return []toxic{abrupt, limit("downstream", 50)} }, arrives: true},
		{name: "within the body of the response", toxics: func(_, n int) []toxic { return []toxic{abrupt, limit("downstream", n-10)} }, arrives: true},
	} {
		for _, call := range faultyCalls {
			t.Run(stage.name+", "+call.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				proxy := startProxy(t, w.address(), stage.toxics(call.lengths(t))...)

				_, err := call.call(t.Context(), w.via(newRoute(t, proxy.Listen), 1), w.store, w.first)
				require.Error(t, err)
				assert.Equal(t, call.applied != nil, errors.Is(err, secretsstore.ErrOutcomeUnknown), "%v", err)
				if call.applied != nil {
					assert.Equal(t, stage.arrives, call.applied(w, w.first))
				}

				w = newWorld(t)
				proxy = startProxy(t, w.address(), stage.toxics(call.lengths(t))...)
				r := newRoute(t, proxy.Listen, w.address())
				_, err = call.call(t.Context(), w.via(r, 4), w.store, w.first)
				if !call.idempotent {
					require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
					assert.EqualValues(t, 1, r.dials.Load(), "sent again")
					return
				}
				require.NoError(t, err)
				assert.EqualValues(t, 2, r.dials.Load())
				assert.True(t, call.applied == nil || call.applied(w, w.first))
			})
		}
	}
}

// A connection that ends without a reset is harder to tell from a complete response.
func TestResponseEndsAtAnyByte(t *testing.T) {
	for _, call := range faultyCalls {
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			_, length := call.lengths(t)
			for n := range length + 1 {
				w := newWorld(t)
				proxy := startProxy(t, w.address(), limit("downstream", n))
				r := newRoute(t, proxy.Listen)
				_, err := call.call(t.Context(), w.via(r, 1), w.store, w.first)
				r.CloseIdleConnections()
				require.Equal(t, n < length, err != nil, "%d of %d bytes: %v", n, length, err)
				if call.applied != nil {
					require.Equal(t, n < length, errors.Is(err, secretsstore.ErrOutcomeUnknown), "%d of %d bytes: %v", n, length, err)
					require.True(t, call.applied(w, w.first))
				}
				proxy.Stop()
			}
		})
	}
}

// An outcome is the result of one call under load.
type outcome struct {
	name string
	err  error
	made int64 // attempts
}

const workers = 32

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

// loadFaults are faults of 10 % of the requests.
var loadFaults = []secretsstoretest.Fault{
	{Probability: 0.02, Drop: secretsstoretest.DropBeforeRequest},
	{Probability: 0.02, Drop: secretsstoretest.DropAfterRequest},
	{Probability: 0.01, Drop: secretsstoretest.DropInBody, BodyBytes: 100},
	{Probability: 0.01, Status: 500, Body: secretsstoretest.ErrorBody(10001, "internal error")},
	{Probability: 0.01, Status: 502, Apply: true, Body: "<html><h1>502 Bad Gateway</h1></html>"},
	{Probability: 0.01, Status: 503, Body: secretsstoretest.ErrorBody(10002, "unavailable")},
	{Probability: 0.01, Status: 429, Body: secretsstoretest.ErrorBody(10429, "rate limited")},
	{Probability: 0.01, Status: 200, Apply: true, Body: "<html>sign in</html>"},
}

// checkOutcomes checks that errors are true: a success is applied, and a failure that does
// not match ErrOutcomeUnknown is not.
func checkOutcomes(t *testing.T, outcomes []outcome, maxAttempts int64, applied func(name string) bool) {
	t.Helper()
	failed, unknown, retried := 0, 0, 0
	for _, o := range outcomes {
		require.LessOrEqual(t, o.made, maxAttempts, "%s: %v", o.name, o.err)
		if o.made > 1 {
			retried++
		}
		switch {
		case o.err == nil:
			require.True(t, applied(o.name), "%s was reported as applied", o.name)
		case errors.Is(o.err, secretsstore.ErrOutcomeUnknown):
			unknown++
		default:
			failed++
			require.False(t, applied(o.name), "%s was reported as not applied: %v", o.name, o.err)
		}
	}
	t.Logf("%d calls: %d retried, %d failed, %d unknown", len(outcomes), retried, failed, unknown)
	assert.NotZero(t, retried)
	assert.NotZero(t, unknown)
}

// countAttempts returns an option that counts the attempts of one call.
func countAttempts(n *int64) secretsstore.RequestOption {
	return secretsstore.OnResponse(func(resp *secretsstore.Response) { *n = int64(resp.Attempts) })
}

func TestTenThousandPatches(t *testing.T) {
	const n = 10_000
	w := &loadWorld{world: newWorld(t), listen: "127.0.0.1:0"}
	before := goleak.IgnoreCurrent()
	w.start(t)
	ids := make(map[string]string, n)
	for i := range n {
		name := fmt.Sprintf("SECRET_%d", i)
		ids[name] = w.addSecret(name)
	}
	client, rt := w.loadClient(t, secretsstoretest.OpPatchSecret)
	outcomes := underLoad(n, func(i int) (o outcome) {
		o.name = fmt.Sprintf("SECRET_%d", i)
		_, _, o.err = client.Secrets.Patch(t.Context(), w.store, ids[o.name], secretsstore.SecretPatch{Value: secretsstore.NewSecretValue("new")}, countAttempts(&o.made))
		return o
	})
	checkOutcomes(t, outcomes, 3, func(name string) bool {
		value, _ := w.Value(w.store, ids[name])
		return value == "new"
	})
	rt.CloseIdleConnections()
	w.stop()
	goleak.VerifyNone(t, before)
}

func TestCreatesUnderLoad(t *testing.T) {
	w := newLoadWorld(t)
	client, _ := w.loadClient(t, secretsstoretest.OpCreateSecrets)
	outcomes := underLoad(2_000, func(i int) (o outcome) {
		o.name = fmt.Sprintf("MADE_%d", i)
		_, _, o.err = client.Secrets.Create(t.Context(), w.store, secretsstore.SecretCreate{
			Name: o.name, Value: secretsstore.NewSecretValue("v"), Scopes: bothScopes,
		}, countAttempts(&o.made))
		return o
	})
	stored := w.byName()
	checkOutcomes(t, outcomes, 3, func(name string) bool { return stored[name].ID != "" })
	for _, o := range outcomes {
		require.NotErrorIs(t, o.err, secretsstore.ErrAlreadyExists, "a create was sent twice")
	}
}

// A loadWorld is a world whose server can be stopped and started at the same address.
type loadWorld struct {
	*world
	listen string
	server *http.Server
}

func newLoadWorld(t testing.TB) *loadWorld {
	w := &loadWorld{world: newWorld(t), listen: "127.0.0.1:0"}
	w.start(t)
	t.Cleanup(w.stop)
	return w
}

func (w *loadWorld) start(t testing.TB) {
	listener, err := net.Listen("tcp", w.listen)
	require.NoError(t, err)
	w.listen = listener.Addr().String()
	w.url = "http://" + w.listen + "/client/v4"
	w.server = &http.Server{Handler: w.Handler(), ErrorLog: log.New(io.Discard, "", 0)}
	go func(s *http.Server) { _ = s.Serve(listener) }(w.server)
}

func (w *loadWorld) stop() { _ = w.server.Close() }

func (w *loadWorld) loadClient(t testing.TB, op secretsstoretest.Operation) (*secretsstore.Client, *http.Transport) {
	for i, fault := range loadFaults {
		fault.Operation, fault.Seed = op, uint64(i)
		w.Inject(fault)
	}
	rt := &http.Transport{MaxIdleConnsPerHost: 128}
	t.Cleanup(rt.CloseIdleConnections)
	return w.via(rt, 3, secretsstore.WithoutPacing()), rt
}

// The server is stopped in the middle of the load and started again.
func TestServerRestartsUnderLoad(t *testing.T) {
	w := newLoadWorld(t)
	rt := &http.Transport{MaxIdleConnsPerHost: 128}
	t.Cleanup(rt.CloseIdleConnections)
	client := w.via(rt, 8, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 8, BaseBackoff: 50 * time.Millisecond, MaxBackoff: 200 * time.Millisecond}))
	arrived := make(chan struct{}, 1)
	var requests atomic.Int64
	reached := make(chan struct{})
	w.Inject(secretsstoretest.Fault{Skip: 500, Count: 1, ResponseLatency: time.Hour})
	w.Inject(secretsstoretest.Fault{Match: func(*http.Request) bool {
		if requests.Add(1) == 600 {
			close(reached)
		}
		return false
	}})
	go func() {
		<-reached
		w.stop()
		time.Sleep(20 * time.Millisecond) // the outage
		w.start(t)
		arrived <- struct{}{}
	}()
	outcomes := underLoad(3_000, func(i int) (o outcome) {
		o.name = fmt.Sprintf("MADE_%d", i)
		_, _, o.err = client.Secrets.Create(t.Context(), w.store, secretsstore.SecretCreate{
			Name: o.name, Value: secretsstore.NewSecretValue("v"), Scopes: bothScopes,
		}, countAttempts(&o.made))
		return o
	})
	<-arrived
	stored := w.byName()
	checkOutcomes(t, outcomes, 8, func(name string) bool { return stored[name].ID != "" })
	failed := 0
	for _, o := range outcomes {
		if o.err != nil {
			failed++
		}
	}
	assert.LessOrEqual(t, failed, workers, "only calls in flight can fail")
}
