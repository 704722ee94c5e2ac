package secretsstore

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var once = WithRetryPolicy(RetryPolicy{MaxAttempts: 1})

func TestSendRequest(t *testing.T) {
	var got *http.Request
	var body string
	client := newTestClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		b, err := io.ReadAll(req.Body)
		got, body = req, string(b)
		assert.Nil(t, httptrace.ContextClientTrace(req.Context()).GotConn, "net/http does not repeat it")
		return httpResponse(200, secretBody, header("X-A: b")), err
	}), WithUserAgent("deployer/1.4"), WithHeader("x-gateway", "g"), WithBaseURL("https://api.example.com/client/v4/"))

	_, resp, err := client.Secrets.Patch(t.Context(), "store", "secret", SecretPatch{Comment: Ptr("new")})

	require.NoError(t, err)
	assert.Equal(t, "PATCH", got.Method)
	assert.Equal(t, "https://api.example.com/client/v4/accounts/account/secrets_store/stores/store/secrets/secret", got.URL.String())
	assert.Equal(t, "api.example.com", got.Host)
	assert.Equal(t, http.Header{
		"Accept": {"application/json"}, "Content-Type": {"application/json"}, "Authorization": {"Bearer " + fixedToken.secret},
		"User-Agent": {"deployer/1.4 secretsstore-go/" + version}, "X-Gateway": {"g"},
	}, got.Header)
	assert.Equal(t, `{"comment":"new"}`, body)
	assert.EqualValues(t, len(body), got.ContentLength)
	assert.Nil(t, got.GetBody, "net/http must not repeat the request")
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, header("X-A: b"), resp.Header)
	assert.Equal(t, secretBody, string(resp.Body))
	assert.Equal(t, 1, resp.Attempts)
}

func TestSendRequestWithoutBody(t *testing.T) {
	client := newTestClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		assert.Nil(t, req.Body, "an empty body adds a DATA frame")
		assert.NotNil(t, httptrace.ContextClientTrace(req.Context()).GotConn, "net/http can repeat it on an idle connection")
		assert.Zero(t, req.ContentLength)
		assert.NotContains(t, req.Header, "Content-Type")
		return httpResponse(200, secretBody, nil), nil
	}))
	assert.NoError(t, get(t.Context(), client))
	_, err := client.Secrets.Delete(t.Context(), "store", "secret")
	assert.NoError(t, err)
}

// Every attempt has the whole body and a header of its own.
func TestSendAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		client := newTestClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			b, err := io.ReadAll(req.Body)
			bodies = append(bodies, string(b)+req.Header.Get("Authorization"))
			clear(req.Header)
			return httpResponse(503, "", nil), err
		}))
		require.ErrorIs(t, patch(t.Context(), client), ErrServer)
		want := `{"comment":"new"}Bearer ` + fixedToken.secret
		assert.Equal(t, []string{want, want, want, want}, bodies)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A stalling transport responds with a status, if it is not 0, and then with nothing until
// the context of the request ends.
func stalling(status int) roundTripFunc {
	return func(req *http.Request) (*http.Response, error) {
		stall := func([]byte) (int, error) {
			<-req.Context().Done()
			return 0, req.Context().Err()
		}
		if status == 0 {
			_, err := stall(nil)
			return nil, err
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(readerFunc(stall)), ContentLength: -1}, nil
	}
}

func TestSendTimeouts(t *testing.T) {
	cause := errors.New("shutdown")
	for _, tt := range []struct {
		name       string
		attempt    time.Duration // WithAttemptTimeout; 0: none
		httpClient time.Duration // Timeout of the http.Client; 0: none
		deadline   time.Duration // of the context; 0: none
		cancel     time.Duration // of the context, with a cause; 0: never
		want       time.Duration
		is         error
	}{
		{name: "30 seconds by default", want: 30 * time.Second, is: ErrAttemptTimeout},
		{name: "the attempt timeout", attempt: 2 * time.Second, want: 2 * time.Second, is: ErrAttemptTimeout},
		{name: "a shorter timeout of the http.Client", httpClient: 3 * time.Second, want: 3 * time.Second, is: ErrAttemptTimeout},
		{name: "a longer timeout of the http.Client", attempt: 2 * time.Second, httpClient: time.Minute, want: 2 * time.Second, is: ErrAttemptTimeout},
		{name: "the context's deadline", deadline: time.Second, want: time.Second, is: context.DeadlineExceeded},
		{name: "the context is canceled", cancel: time.Second, want: time.Second, is: context.Canceled},
	} {
		for _, status := range []int{0, 200} {
			t.Run(fmt.Sprintf("%s at status %d", tt.name, status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					if tt.deadline > 0 {
						var stop context.CancelFunc
						ctx, stop = context.WithTimeoutCause(ctx, tt.deadline, cause)
						defer stop()
					}
					if tt.cancel > 0 {
						time.AfterFunc(tt.cancel, func() { cancel(cause) })
					}
					client := newTestClient(t, nil, once, WithAttemptTimeout(tt.attempt),
						WithHTTPClient(&http.Client{Transport: stalling(status), Timeout: tt.httpClient}))
					started := time.Now()
					_, resp, err := client.Secrets.Patch(ctx, "store", "secret", SecretPatch{Comment: Ptr("new")})
					assert.Equal(t, tt.want, time.Since(started))
					for _, target := range []error{ErrAttemptTimeout, context.DeadlineExceeded, context.Canceled} {
						assert.Equal(t, target == tt.is, errors.Is(err, target), "%v: %v", target, err)
					}
					assert.Equal(t, tt.is != ErrAttemptTimeout, errors.Is(err, cause))
					assert.ErrorIs(t, err, ErrOutcomeUnknown)
					assert.Equal(t, status == 200, errors.Is(err, ErrInvalidResponse))
					assert.Equal(t, status == 200, resp != nil)
				})
			})
		}
	}
}

// The error of a dialer's own timeout matches context.DeadlineExceeded, but no context has
// ended.
func TestTimeoutOfTheTransportIsNotTheContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, timeout := range []error{&net.OpError{Op: "dial", Err: context.DeadlineExceeded}, context.Canceled} {
			client := newTestClient(t, roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, timeout }))
			err := get(t.Context(), client)
			assert.NotErrorIs(t, err, context.DeadlineExceeded)
			assert.NotErrorIs(t, err, context.Canceled)
			var reqErr *RequestError
			require.ErrorAs(t, err, &reqErr)
			assert.Equal(t, 4, reqErr.Attempts)
		}
	})
}

func TestRedirectsAreNeverFollowed(t *testing.T) {
	var reached atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for name, opts := range map[string][]Option{
			"default":          {WithHTTPClient(&http.Client{Transport: newTransport()})},
			"user's transport": {WithHTTPClient(&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }})},
		} {
			for _, location := range []string{other.URL, "/elsewhere", "::", ""} {
				var requests atomic.Int32
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					requests.Add(1)
					w.Header().Set("Location", location)
					w.WriteHeader(status)
				}))
				err := patch(t.Context(), newTestClient(t, nil, append(opts, WithBaseURL(srv.URL))...))
				srv.Close()
				var apiErr *APIError
				require.ErrorAs(t, err, &apiErr, name)
				assert.Equal(t, status, apiErr.StatusCode)
				assert.EqualValues(t, 1, requests.Load())
			}
		}
	}
	assert.Zero(t, reached.Load())
}

// A RoundTripper that violates its contract causes an error and no panic.
func TestInvalidRoundTrippers(t *testing.T) {
	for _, tt := range []struct {
		name string
		resp *http.Response
		err  error
		is   error
		text string
	}{
		{name: "neither a response nor an error", is: errNoResponse, text: "the transport returned neither a response nor an error"},
		{name: "both", resp: httpResponse(200, secretBody, nil), err: io.ErrUnexpectedEOF, is: io.ErrUnexpectedEOF},
		{name: "an error without a body", resp: &http.Response{}, err: io.ErrUnexpectedEOF, is: io.ErrUnexpectedEOF},
		{name: "no body", resp: &http.Response{StatusCode: 200}, is: ErrInvalidResponse},
		{name: "no status", resp: &http.Response{}, text: "GET /accounts/account/secrets_store/stores/store/secrets/secret: 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := get(t.Context(), newTestClient(t, roundTripFunc(func(*http.Request) (*http.Response, error) { return tt.resp, tt.err }), once))
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			assert.ErrorContains(t, err, tt.text)
		})
	}
	resp := httpResponse(200, secretBody, nil)
	resp.ContentLength = 3
	assert.NoError(t, get(t.Context(), newTestClient(t, roundTripFunc(func(*http.Request) (*http.Response, error) { return resp, nil }))))
}

// What is known of an attempt without a response.
func TestSentState(t *testing.T) {
	fails := func(err error) roundTripFunc { return func(*http.Request) (*http.Response, error) { return nil, err } }
	dials := func(dial func(ctx context.Context, network, address string) (net.Conn, error)) http.RoundTripper {
		return &http.Transport{DialContext: dial}
	}
	pipe := func(serve func(net.Conn)) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go serve(server)
			return client, nil
		}
	}
	for _, tt := range []struct {
		name string
		rt   http.RoundTripper
		want sentState
		text string
	}{
		{name: "a RoundTripper that reports nothing", rt: fails(syscall.ECONNREFUSED), want: requestSent, text: "connection refused"},
		{name: "no connection", rt: dials(func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }), want: requestUnsent, text: "connection refused"},
		{name: "a TLS handshake that is cut", rt: dials(pipe(func(c net.Conn) { _ = c.Close() })), want: requestUnsent},
		{name: "a certificate that is not trusted", rt: fails(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), want: requestRefused, text: "certificate signed by unknown authority"},
		{name: "a proxy that requires authentication", rt: fails(&proxyError{407}), want: requestRefused, text: "check the user and password in HTTPS_PROXY"},
		{name: "a proxy that fails", rt: proxied(t, 502), want: requestUnsent, text: "the proxy refused the connection with status 502 Bad Gateway"},
		{name: "a refused HTTP/2 stream", rt: fails(errors.New("stream error: stream ID 1; REFUSED_STREAM; received from peer")), want: requestUnsent},
		{name: "an HTTP/2 GOAWAY before the request", rt: fails(errors.New("http2: Transport received Server's graceful shutdown GOAWAY")), want: requestUnsent},
		{name: "an HTTP/2 GOAWAY after the request", rt: fails(errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1")), want: requestSent},
		{name: "an unknown text", rt: fails(errors.New("http2: something new")), want: requestSent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := get(t.Context(), newTestClient(t, tt.rt, once, WithBaseURL("https://api.example.com")))
			assert.Equal(t, tt.want, requestState(err), "%v", err)
			assert.ErrorContains(t, err, tt.text)
			assert.NotContains(t, err.Error(), "proxyError")
		})
	}
}

// proxied returns the default transport behind a proxy that responds to CONNECT with
// status.
func proxied(t *testing.T, status int) *http.Transport {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		assert.Equal(t, http.MethodConnect, req.Method)
		w.WriteHeader(status)
	}))
	t.Cleanup(proxy.Close)
	transport := newTransport()
	transport.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	return transport
}

func TestProxyThatRequiresAuthenticationIsTriedOnce(t *testing.T) {
	client := newTestClient(t, proxied(t, 407), WithBaseURL("https://api.example.com"))
	_, _, err := client.Secrets.Create(t.Context(), "store", SecretCreate{Name: "A", Scopes: []Scope{"workers"}, Value: NewSecretValue("v")})
	var reqErr *RequestError
	require.ErrorAs(t, err, &reqErr)
	assert.Equal(t, 1, reqErr.Attempts)
	assert.NotErrorIs(t, err, ErrOutcomeUnknown)
	_, ok := Retryable(err)
	assert.False(t, ok)
}

// A write that is canceled before there is a connection was not applied.
func TestCanceledBeforeTheConnection(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := patch(ctx, newTestClient(t, &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}}))
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotErrorIs(t, err, ErrOutcomeUnknown)
}

// net/http quotes a malformed response in its errors. Servers can repeat credentials.
func TestErrorsDoNotQuoteTheResponse(t *testing.T) {
	const value = "s3cr3t-value"
	for _, tt := range []struct{ name, response, text string }{
		{"status", "HTTP/1.1 %s OK\r\n\r\n", "malformed HTTP status code"},
		{"protocol", "%s 200 OK\r\n\r\n", "malformed HTTP version"},
		{"status line", "%s\r\n\r\n", "malformed HTTP response"},
		{"header line", "HTTP/1.1 200 OK\r\nno colon %s\r\n\r\n", "malformed MIME header: missing colon"},
		{"content length", "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n", "bad Content-Length"},
		{"transfer encoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n", "unsupported transfer encoding"},
		{"chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n", "truncated body: invalid byte in chunk length"},
		{"time", "HTTP/1.1 200 OK\r\n\r\n" + `{"success":true,"result":{"created":"%s"}}`, "a secret has no id"},
		{"JSON", "HTTP/1.1 200 OK\r\n\r\n" + `{"success":true,"result":%s}`, "invalid JSON at byte"},
		{"reason phrase", "HTTP/1.1 400 %s\r\n\r\n", "400 Bad Request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var buffer logBuffer
			transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				conn, server := net.Pipe()
				go func() {
					defer server.Close()
					req, err := http.ReadRequest(bufio.NewReader(server))
					if err == nil {
						_, _ = io.Copy(io.Discard, req.Body)
						_, _ = fmt.Fprintf(server, tt.response, value+strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
					}
				}()
				return conn, nil
			}}
			client := newTestClient(t, transport, once, WithBaseURL("http://localhost"), WithLogger(buffer.logger(slog.LevelDebug)))
			_, _, err := client.Secrets.Patch(t.Context(), "store", "secret", SecretPatch{Value: NewSecretValue(value)})
			assert.ErrorContains(t, err, tt.text)
			for _, secret := range []string{value, fixedToken.secret, "Bearer"} {
				assert.NotContains(t, fmt.Sprintf("%v %+v", err, err)+buffer.String(), secret)
			}
		})
	}
}

// The text of an error that holds a secret is replaced. The error is still what it was.
func TestTransportErrorsAreRedacted(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		text string
	}{
		{"a secret", &net.OpError{Op: "read", Err: fmt.Errorf("%w: token-abcdef", io.ErrUnexpectedEOF)}, "secret: [REDACTED]"},
		{"an escaped secret", &net.OpError{Op: "read", Err: fmt.Errorf("%w: token%%2Dabcdef", io.ErrUnexpectedEOF)}, "secret: [REDACTED]"},
		{"a secret with a quote", &net.OpError{Op: "read", Err: fmt.Errorf(`%w: half"other-half`, io.ErrUnexpectedEOF)}, "secret: [REDACTED]"},
		{"several lines", &net.OpError{Op: "read", Err: fmt.Errorf("%w\nlevel=ERROR \u202e", io.ErrUnexpectedEOF)}, "secret: read: unexpected EOF level=ERROR  "},
	} {
		err := get(t.Context(), newTestClient(t, roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, tt.err }), once, WithHeader("X-Gateway", `half"other-half`)))
		assert.True(t, strings.HasSuffix(err.Error(), tt.text), "%s: %v", tt.name, err)
		assert.NotContains(t, fmt.Sprintf("%+v %#v", err, err), fixedToken.secret)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		var opErr *net.OpError
		require.ErrorAs(t, err, &opErr)
		assert.Equal(t, "read", opErr.Op)
	}
}

func TestRayIDAndLimitNames(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"ray id", "8f00c0ffee-AMS", "8f00c0ffee-AMS"},
		{"64 characters", strings.Repeat("a", 64), strings.Repeat("a", 64)},
		{"65 characters", strings.Repeat("a", 65), ""},
		{"200 KB", strings.Repeat("a", 200_000), ""},
		{"other characters", "a b", ""},
		{"escape sequence", "a\x1b[31m", ""},
		{"secret", fixedToken.secret, ""},
		{"contains a secret", "x" + fixedToken.secret + "x", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := newTestClient(t, roundTripFunc(func(*http.Request) (*http.Response, error) {
				return httpResponse(400, "", http.Header{"Cf-Ray": {tt.value}, "Ratelimit": {`"` + tt.value + `";r=1;t=5, "loose";r=2;t=3`}}), nil
			}))
			_, resp, err := client.Secrets.Get(t.Context(), "store", "secret")
			var apiErr *APIError
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, tt.want, apiErr.RayID)
			assert.Equal(t, tt.want, resp.RayID)
			assert.Equal(t, &RateLimit{Name: tt.want, Remaining: 1, Reset: 5 * time.Second}, apiErr.RateLimit)
			assert.Equal(t, apiErr.RateLimit, resp.RateLimit)
			assert.Less(t, len(err.Error()), 200)
		})
	}
}

func TestBodiesAreDecompressedUpToTheLimit(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		defer zip.Close()
		_, _ = io.WriteString(zip, secretBody)
		if r.Method == http.MethodPatch {
			_, _ = zip.Write(make([]byte, maxResponse))
		}
	}))
	defer srv.Close()
	client := newTestClient(t, newTransport(), WithBaseURL(srv.URL))
	assert.NoError(t, get(t.Context(), client))
	assert.ErrorIs(t, patch(t.Context(), client), ErrResponseTooLarge)
}

// Bodies are read up to EOF, so that the connection can be used again.
func TestConnectionsAreReused(t *testing.T) {
	for name, body := range map[string]string{
		"a success": secretBody, "a page": strings.Repeat("<html>", 10_000), "a little more than the limit": strings.Repeat("x", maxResponse+1000),
	} {
		var connections atomic.Int32
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
		srv.Start()
		client := newTestClient(t, newTransport(), once, WithBaseURL(srv.URL))
		for range 3 {
			_ = get(t.Context(), client)
		}
		srv.Close()
		assert.EqualValues(t, 1, connections.Load(), name)
	}
}
