package conformance

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// TestMain makes the certificate of httptest's servers a certificate of the system, since
// the transport of NewClient trusts no other.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		srv := httptest.NewTLSServer(nil)
		certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
		srv.Close()
		dir, err := os.MkdirTemp("", "conformance")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, "certificate.pem")
		if err := os.WriteFile(file, certificate, 0o600); err != nil {
			panic(err)
		}
		_ = os.Setenv("SSL_CERT_FILE", file)
		_ = os.Setenv("SSL_CERT_DIR", dir)
		return m.Run()
	}())
}

// A device on the way can forget a connection: it stays open, and nothing passes. The
// transport of NewClient notices within 20 s, and the client continues on a new connection.
func TestSilentHTTP2ConnectionIsReplaced(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("SSL_CERT_FILE has no effect")
	}
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	type silentCall struct {
		faultyCall
		name    string
		arrives bool // whether the request does
		w       *world
		resp    *secretsstore.Response
		err     error
	}
	var calls []*silentCall
	var running sync.WaitGroup // not subtests, since few of them run in parallel
	for _, call := range faultyCalls {
		for _, arrives := range []bool{false, true} {
			w := newWorld(t)
			client, silence := w.silencedClient(t)
			_, _, err := client.Stores.Get(ctx, w.store)
			require.NoError(t, err)
			w.ClearRequests()
			c := &silentCall{faultyCall: call, name: call.name + ", request is lost", arrives: arrives, w: w}
			silence("downstream")
			if arrives {
				c.name = call.name + ", response is lost"
			} else {
				silence("upstream")
			}
			calls = append(calls, c)
			running.Go(func() { c.resp, c.err = c.call(ctx, client, w.store, w.first) })
		}
	}
	running.Wait()
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			if c.idempotent {
				require.NoError(t, c.err)
				assert.Equal(t, 2, c.resp.Attempts)
			} else {
				require.ErrorIs(t, c.err, secretsstore.ErrOutcomeUnknown)
				assert.Equal(t, c.arrives, len(c.w.Requests()) == 1, "sent again")
			}
			if c.applied != nil {
				assert.Equal(t, c.idempotent || c.arrives, c.applied(c.w, c.w.first))
			}
		})
	}
}

// silencedClient returns a client with the transport of NewClient, and a function that
// silences its connections in one direction until an attempt has failed.
func (w *world) silencedClient(t *testing.T) (client *secretsstore.Client, silence func(direction string)) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		assert.Equal(t, 2, r.ProtoMajor)
		w.Handler().ServeHTTP(rw, r)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	proxy := startProxy(t, srv.Listener.Addr().String())
	client, err := secretsstore.NewClient(
		secretsstore.WithoutEnvironment(),
		secretsstore.WithBaseURL("https://"+proxy.Listen+"/client/v4"),
		secretsstore.WithAPIToken(w.APIToken),
		secretsstore.WithAccountID(w.AccountID),
		secretsstore.WithHooks(secretsstore.Hooks{AttemptDone: func(ctx context.Context, done secretsstore.AttemptDone) {
			if done.Err != nil {
				assert.NotErrorIs(t, done.Err, secretsstore.ErrAttemptTimeout, "the pings of the transport detect it earlier")
				proxy.Toxics.ResetToxics(ctx)
			}
		}}))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client, func(direction string) {
		_, err := proxy.Toxics.AddToxicJson(strings.NewReader(`{"type":"timeout","stream":"` + direction + `"}`))
		require.NoError(t, err)
	}
}
