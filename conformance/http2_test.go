package conformance

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// A silencer is a proxy whose connections can be silenced: they stay open, and nothing that
// is sent arrives, as when a device on the way forgets a connection. Later connections work.
type silencer struct {
	net.Listener
	upstream string

	mu    sync.Mutex
	conns []*silencedConn
}

type silencedConn struct {
	net.Conn
	requests, responses atomic.Bool // silent
}

func startSilencer(t testing.TB, upstream string) *silencer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &silencer{Listener: listener, upstream: upstream}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", upstream)
			if err != nil {
				_ = client.Close()
				continue
			}
			conn := &silencedConn{Conn: client}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			running.Go(func() { forward(server, client, &conn.requests) })
			running.Go(func() { forward(client, server, &conn.responses) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.mu.Lock()
		for _, conn := range s.conns {
			_ = conn.Close()
		}
		s.mu.Unlock()
		running.Wait()
	})
	return s
}

func forward(to, from net.Conn, silent *atomic.Bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if !silent.Load() {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
	}
}

// silence silences the connections that are open: their responses, and optionally their
// requests.
func (s *silencer) silence(requests bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.responses.Store(true)
		conn.requests.Store(requests)
	}
}

func (s *silencer) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Pings detect a silent HTTP/2 connection long before an attempt times out. The default
// transport has the same settings, with 10 s each instead of 300 ms.
func TestSilentHTTP2ConnectionIsReplaced(t *testing.T) {
	for _, call := range faultyCalls {
		for _, requests := range []bool{true, false} {
			name := call.name + ", responses are lost"
			if requests {
				name = call.name + ", requests and responses are lost"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
				defer cancel()
				w := newWorld(t)
				server := httptest.NewUnstartedServer(w.Handler())
				server.EnableHTTP2 = true
				server.Config.ErrorLog = log.New(io.Discard, "", 0)
				server.StartTLS()
				t.Cleanup(server.Close)
				proxy := startSilencer(t, server.Listener.Addr().String())
				tls := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
				tls.NextProtos = nil
				transport := &http.Transport{
					TLSClientConfig: tls, ForceAttemptHTTP2: true,
					HTTP2: &http.HTTP2Config{SendPingTimeout: 300 * time.Millisecond, PingTimeout: 300 * time.Millisecond},
				}
				t.Cleanup(transport.CloseIdleConnections)
				client := w.via(transport, 4, secretsstore.WithBaseURL("https://"+proxy.Addr().String()+"/client/v4"))
				_, resp, err := client.Stores.Get(ctx, w.store)
				require.NoError(t, err)
				require.Equal(t, 1, resp.Attempts)

				proxy.silence(requests)
				resp, err = call.call(ctx, client, w.store, w.first)
				if call.idempotent {
					require.NoError(t, err)
					assert.Equal(t, 2, resp.Attempts)
					assert.Equal(t, 2, proxy.accepted())
				} else {
					require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
					assert.Equal(t, 1, proxy.accepted(), "sent again")
				}
				assert.NotErrorIs(t, err, secretsstore.ErrAttemptTimeout)
				if call.applied != nil {
					assert.Equal(t, call.idempotent || !requests, call.applied(w, w.first))
				}
			})
		}
	}
}
