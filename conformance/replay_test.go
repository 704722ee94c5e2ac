package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
)

// net/http repeats requests on its own: without bound after a GOAWAY, and on reused
// HTTP/1 connections. The servers here count what arrives.

// replayTimeout bounds a case. None is expected to take a fraction of it.
const replayTimeout = 20 * time.Second

// A replayCall is a call whose requests are counted.
type replayCall struct {
	name       string
	call       func(context.Context, *secretsstore.Client) error
	idempotent bool
	create     bool
}

var replayCalls = []replayCall{
	{name: "GET", idempotent: true, call: func(ctx context.Context, c *secretsstore.Client) error {
		_, _, err := c.Secrets.Get(ctx, "store", "secret")
		return err
	}},
	{name: "PATCH", idempotent: true, call: func(ctx context.Context, c *secretsstore.Client) error {
		_, _, err := c.Secrets.Patch(ctx, "store", "secret", secretsstore.SecretPatch{Comment: secretsstore.Ptr("new")})
		return err
	}},
	{name: "DELETE", idempotent: true, call: func(ctx context.Context, c *secretsstore.Client) error {
		_, err := c.Secrets.Delete(ctx, "store", "secret")
		return err
	}},
	{name: "DELETE with a body", idempotent: true, call: func(ctx context.Context, c *secretsstore.Client) error {
		_, err := c.Secrets.BulkDelete(ctx, "store", []string{"secret"})
		return err
	}},
	{name: "POST", create: true, call: func(ctx context.Context, c *secretsstore.Client) error {
		_, _, err := c.Stores.Create(ctx, secretsstore.StoreCreate{Name: "new"})
		return err
	}},
	{name: "POST without a body", call: func(ctx context.Context, c *secretsstore.Client) error {
		_, err := c.Do(ctx, http.MethodPost, "/x", nil, nil)
		return err
	}},
}

func newReplayClient(t *testing.T, baseURL string, rt http.RoundTripper, attempts int) *secretsstore.Client {
	t.Helper()
	client, err := secretsstore.NewClient(
		secretsstore.WithoutEnvironment(),
		secretsstore.WithAPIToken("token"),
		secretsstore.WithAccountID("account"),
		secretsstore.WithBaseURL(baseURL),
		secretsstore.WithHTTPClient(&http.Client{Transport: rt}),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: attempts, BaseBackoff: time.Millisecond, MaxBackoff: time.Millisecond}),
	)
	require.NoError(t, err)
	return client
}

// serveConns calls serve with each connection of a listener, until the test ends.
func serveConns(t *testing.T, ln net.Listener, serve func(net.Conn)) {
	t.Helper()
	var conns sync.WaitGroup
	accepted := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(accepted)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(replayTimeout))
			conns.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
				serve(conn)
			})
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-accepted
		cancel() // net/http can dial a connection that it then does not need
		conns.Wait()
	})
}

// An h2Failure is how a server ends a stream instead of responding.
type h2Failure struct {
	name        string
	end         func(fr *http2.Framer, stream uint32)
	closes      bool // the connection
	unprocessed bool // the server says that it did not process the request
}

var h2Failures = []h2Failure{
	{name: "RST_STREAM PROTOCOL_ERROR", end: func(fr *http2.Framer, stream uint32) { _ = fr.WriteRSTStream(stream, http2.ErrCodeProtocol) }},
	{name: "RST_STREAM REFUSED_STREAM", end: func(fr *http2.Framer, stream uint32) { _ = fr.WriteRSTStream(stream, http2.ErrCodeRefusedStream) }, unprocessed: true},
	{name: "GOAWAY NO_ERROR with last stream 0", end: func(fr *http2.Framer, _ uint32) { _ = fr.WriteGoAway(0, http2.ErrCodeNo, nil) }, unprocessed: true},
	{name: "closed connection", end: func(*http2.Framer, uint32) {}, closes: true},
}

// An h2Server fails its first requests and responds to the others with a store.
type h2Server struct {
	failure  h2Failure
	failing  int32 // how many requests fail
	requests atomic.Int32
	url      string
	rt       *http.Transport
}

func startH2(t *testing.T, failure h2Failure, failing int32) *h2Server {
	t.Helper()
	template := httptest.NewUnstartedServer(nil) // for its certificate
	template.EnableHTTP2 = true
	template.StartTLS()
	template.Close()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: template.TLS.Certificates, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	trusted := template.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	trusted.NextProtos = nil
	s := &h2Server{failure: failure, failing: failing, url: "https://" + ln.Addr().String(), rt: &http.Transport{TLSClientConfig: trusted, ForceAttemptHTTP2: true}}
	serveConns(t, ln, s.serve)
	t.Cleanup(s.rt.CloseIdleConnections)
	return s
}

func (s *h2Server) serve(conn net.Conn) {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	fr := http2.NewFramer(conn, conn)
	_ = fr.WriteSettings()
	for {
		frame, err := fr.ReadFrame()
		if err != nil {
			return
		}
		stream, ended := frame.Header().StreamID, false
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = fr.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			ended = frame.StreamEnded()
		case *http2.DataFrame:
			ended = frame.StreamEnded()
		}
		if !ended {
			continue
		}
		if s.requests.Add(1) > s.failing {
			respondH2(fr, stream)
			continue
		}
		if s.failure.end(fr, stream); s.failure.closes {
			return
		}
	}
}

func respondH2(fr *http2.Framer, stream uint32) {
	var block bytes.Buffer
	_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true})
	_ = fr.WriteData(stream, true, []byte(replayBody))
}

const replayBody = `{"success":true,"result":{"id":"a"}}`

func TestHTTP2RequestsAreSentOncePerAttempt(t *testing.T) {
	for _, failure := range h2Failures {
		for _, call := range replayCalls {
			for _, attempts := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s, %s, %d attempts", failure.name, call.name, attempts), func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), replayTimeout)
					defer cancel()
					s := startH2(t, failure, 1<<30)
					err := call.call(ctx, newReplayClient(t, s.url, s.rt, attempts))
					require.Error(t, err)
					require.NoError(t, ctx.Err())
					assert.NotErrorIs(t, err, context.Canceled, "the client's own cancellation")
					sent := int(s.requests.Load())
					assert.LessOrEqual(t, sent, attempts)
					if call.idempotent || call.create && failure.unprocessed {
						assert.Equal(t, attempts, sent)
					}
					if !failure.unprocessed && !call.idempotent {
						assert.Equal(t, 1, sent)
					}
					isUnknown := errors.Is(err, secretsstore.ErrOutcomeUnknown)
					switch {
					case call.name == "GET", call.create && failure.unprocessed:
						assert.False(t, isUnknown, "%v", err)
					case !failure.unprocessed:
						assert.True(t, isUnknown, "%v", err)
					}
				})
			}
		}
	}
}

// Servers send GOAWAY whenever they rotate connections.
func TestCreateSucceedsAfterItWasNotProcessed(t *testing.T) {
	for _, failure := range h2Failures {
		if !failure.unprocessed {
			continue
		}
		t.Run(failure.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), replayTimeout)
			defer cancel()
			s := startH2(t, failure, 1)
			client := newReplayClient(t, s.url, s.rt, 4)
			store, resp, err := client.Stores.Create(ctx, secretsstore.StoreCreate{Name: "new"})
			require.NoError(t, err)
			assert.Equal(t, "a", store.ID)
			assert.Equal(t, 2, resp.Attempts)
			assert.EqualValues(t, 2, s.requests.Load())
		})
	}
}

// An h1Failure is what a server does to a connection that has served a request.
type h1Failure struct {
	name   string
	stale  bool // it is closed at once, or after the next request was read
	resets bool // with RST
}

var h1Failures = []h1Failure{
	{name: "closed after the request was read"},
	{name: "reset after the request was read", resets: true},
	{name: "closed while idle", stale: true},
}

const idleConns = 3

// startH1 returns a server whose connections respond to a request for the secret "warm",
// and then fail. requests are the others that it read.
func startH1(t *testing.T, failure h1Failure) (url string, requests *atomic.Int32) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	requests = new(atomic.Int32)
	var warm sync.WaitGroup // holds the responses until all connections exist
	warm.Add(idleConns)
	serveConns(t, ln, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if !strings.HasSuffix(req.URL.Path, "/warm") {
				requests.Add(1)
				if failure.stale {
					continue // written before the client noticed the end
				}
				if failure.resets {
					_ = conn.(*net.TCPConn).SetLinger(0)
				}
				return
			}
			warm.Done()
			warm.Wait()
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(replayBody), replayBody)
			if failure.stale {
				_ = conn.(*net.TCPConn).CloseWrite()
			}
		}
	})
	return "http://" + ln.Addr().String(), requests
}

// A slowConn takes its time to close. net/http closes a connection to stop a canceled
// request, which it may write in the meantime.
type slowConn struct{ net.Conn }

func (c slowConn) Close() error {
	time.Sleep(5 * time.Millisecond)
	return c.Conn.Close()
}

func dialSlowConn(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return slowConn{conn}, err
}

func TestHTTP1RequestsAreSentOncePerAttempt(t *testing.T) {
	for _, failure := range h1Failures {
		for _, call := range replayCalls {
			for _, attempts := range []int{1, 2, 5} {
				t.Run(fmt.Sprintf("%s, %s, %d attempts", failure.name, call.name, attempts), func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), replayTimeout)
					defer cancel()
					url, requests := startH1(t, failure)
					rt := &http.Transport{MaxIdleConnsPerHost: idleConns, DialContext: dialSlowConn}
					defer rt.CloseIdleConnections()
					client := newReplayClient(t, url, rt, attempts)
					var idle, calls sync.WaitGroup
					idle.Add(idleConns)
					traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{PutIdleConn: func(error) { idle.Done() }})
					for range idleConns {
						calls.Go(func() {
							_, _, err := client.Secrets.Get(traced, "store", "warm")
							assert.NoError(t, err)
						})
					}
					calls.Wait()
					idle.Wait()
					if failure.stale {
						// Its requests may get no response on a new connection.
						var stop context.CancelFunc
						ctx, stop = context.WithTimeout(ctx, 100*time.Millisecond)
						defer stop()
					}

					err := call.call(ctx, client)
					require.Error(t, err)
					assert.NotErrorIs(t, err, context.Canceled, "the client's own cancellation")
					sent := int(requests.Load())
					assert.LessOrEqual(t, sent, attempts)
					if failure.stale {
						return
					}
					if call.idempotent {
						assert.Equal(t, attempts, sent)
					} else {
						assert.Equal(t, 1, sent)
					}
					assert.Equal(t, call.name != "GET", errors.Is(err, secretsstore.ErrOutcomeUnknown), "%v", err)
				})
			}
		}
	}
}

// A signer is a transport that fetches a token over HTTP with the context of each request.
type signer struct {
	tokens string
	rt     *http.Transport
}

func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	fetch, err := http.NewRequestWithContext(req.Context(), http.MethodGet, s.tokens, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.rt.RoundTrip(fetch)
	if err != nil {
		return nil, err
	}
	token, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	signed := req.Clone(req.Context())
	signed.Header.Set("X-Gateway-Token", string(token))
	return s.rt.RoundTrip(signed)
}

func TestTransportMayFetchATokenWithTheRequestsContext(t *testing.T) {
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "gateway-token") }))
	defer tokens.Close()
	var requests atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := requests.Add(1); n%2 == 1 { // each call is retried
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		assert.Equal(t, "gateway-token", r.Header.Get("X-Gateway-Token"))
		_, _ = io.WriteString(w, replayBody)
	}))
	defer api.Close()
	rt := &http.Transport{}
	defer rt.CloseIdleConnections()
	client := newReplayClient(t, api.URL, &signer{tokens.URL, rt}, 2)
	for _, call := range replayCalls[:5] {
		ctx, cancel := context.WithTimeout(t.Context(), replayTimeout)
		for range 2 { // on a new connection and on a reused one
			assert.NoError(t, call.call(ctx, client), call.name)
		}
		cancel()
	}
	assert.EqualValues(t, 20, requests.Load())
}
