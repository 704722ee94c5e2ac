package secretsstore_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

var valuePatch = secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(hidden)}

// serve is a server on loopback with that handler, and a client of it that uses
// the library's own transport.
func serve(t *testing.T, h http.HandlerFunc, opts ...secretsstore.Option) *secretsstore.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := secretsstore.NewClient(append([]secretsstore.Option{
		secretsstore.WithAPIToken(apiToken),
		secretsstore.WithAccountID(accountID),
		secretsstore.WithBaseURL(srv.URL),
		secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}),
	}, opts...)...)
	require.NoError(t, err)
	return c
}

// No redirect is followed, with the library's client or the user's, whatever the
// user's says; the other host sees not even a connection.
func TestRedirectsAreNotFollowed(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close() })
	var reached atomic.Int32
	go func() {
		for {
			conn, err := other.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			_ = conn.Close()
		}
	}()
	follow := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	for _, location := range []string{"http://" + other.Addr().String() + "/x", "//" + other.Addr().String(), "/elsewhere", "::no url", ""} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			for name, opts := range map[string][]secretsstore.Option{
				"the library's client": nil,
				"the user's client":    {secretsstore.WithHTTPClient(follow)},
			} {
				t.Run(strconv.Itoa(status)+" to "+location+" with "+name, func(t *testing.T) {
					var requests atomic.Int32
					c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
						requests.Add(1)
						if location != "" {
							w.Header().Set("Location", location)
						}
						w.WriteHeader(status)
					}, opts...)
					secret, resp, err := c.Secrets.Patch(t.Context(), storeID, secretID, valuePatch)
					var apiErr *secretsstore.APIError
					require.ErrorAs(t, err, &apiErr)
					assert.Equal(t, status, apiErr.StatusCode)
					assert.Empty(t, matches(err))
					assert.Nil(t, secret)
					require.NotNil(t, resp)
					assert.Equal(t, location, resp.Header.Get("Location"))
					assert.EqualValues(t, 1, requests.Load())
				})
			}
		}
	}
	assert.Zero(t, reached.Load())
}

// allocated is how much f allocates, in bytes, all told.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAnswersAreReadUpToALimit(t *testing.T) {
	const limit = 64 << 20
	block := []byte(strings.Repeat("a", 1<<20))
	for name, tc := range map[string]struct {
		status  int
		handler http.HandlerFunc
	}{
		"400 MB": {200, func(w http.ResponseWriter, _ *http.Request) {
			for range 400 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}},
		"400 MB that say so": {200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(400<<20))
			for range 400 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}},
		"400 MB of an error": {500, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			for range 400 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}},
		"a gzip bomb": {200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			for range 400 {
				if _, err := zip.Write(block); err != nil {
					return
				}
			}
			_ = zip.Close()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, tc.handler)
			var err error
			assert.Less(t, allocated(func() { _, _, err = c.Secrets.Get(t.Context(), storeID, secretID) }), uint64(limit))
			if tc.status == 200 {
				assert.Equal(t, []string{"ErrResponseTooLarge"}, matches(err))
				assert.ErrorContains(t, err, "aaaa")
				return
			}
			var apiErr *secretsstore.APIError
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, tc.status, apiErr.StatusCode)
			assert.Equal(t, strings.Repeat("a", 2048)+"…", apiErr.Body)
		})
	}
	t.Run("8 MiB are read", func(t *testing.T) {
		head, tail := `{"success":true,"result":{"id":"x"},"pad":"`, `"}`
		body := head + strings.Repeat("a", 8<<20-len(head)-len(tail)) + tail
		_, _, err := newClient(t, answering(200, body)).Secrets.Get(t.Context(), storeID, secretID)
		require.NoError(t, err)
		_, _, err = newClient(t, answering(200, body+" ")).Secrets.Get(t.Context(), storeID, secretID)
		require.ErrorIs(t, err, secretsstore.ErrResponseTooLarge)
	})
	t.Run("a header without end", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
		_, resp, err := c.Secrets.Get(t.Context(), storeID, secretID)
		var requestErr *secretsstore.RequestError
		require.ErrorAs(t, err, &requestErr)
		assert.Nil(t, resp)
	})
}

// endless is a body that gives one byte a second.
type endless struct {
	ctx    context.Context
	read   int
	closed bool
}

func (e *endless) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		e.read++
		return 1, nil
	case <-e.ctx.Done():
		return 0, e.ctx.Err()
	}
}

func (e *endless) Close() error { e.closed = true; return nil }

func TestSlowAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		status  int
		ctx     time.Duration // 0: none
		opts    []secretsstore.Option
		matches []string
		isCtx   bool
		took    time.Duration
	}{
		"end with the attempt's 30 seconds":       {200, 0, nil, []string{"ErrInvalidResponse", "ErrAttemptTimeout"}, false, 30 * time.Second},
		"end with the attempt's time":             {200, 0, []secretsstore.Option{secretsstore.WithAttemptTimeout(4500 * time.Millisecond)}, []string{"ErrInvalidResponse", "ErrAttemptTimeout"}, false, 4500 * time.Millisecond},
		"end with the context":                    {200, 10 * time.Second, nil, []string{"ErrInvalidResponse"}, true, 10 * time.Second},
		"of an error are an error all the same":   {404, 0, nil, []string{"ErrNotFound"}, false, 30 * time.Second},
		"of a failing server are its error still": {502, 0, nil, []string{"ErrServer"}, false, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var body *endless
				w := &wire{answer: func(req *http.Request) (*http.Response, error) {
					body = &endless{ctx: req.Context()}
					return &http.Response{StatusCode: tc.status, Header: http.Header{}, Body: body, ContentLength: -1}, nil
				}}
				ctx := t.Context()
				if tc.ctx > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.ctx)
					defer cancel()
				}
				started := time.Now()
				_, resp, err := newClient(t, w, tc.opts...).Secrets.Get(ctx, storeID, secretID)
				assert.ElementsMatch(t, tc.matches, matches(err))
				assert.Equal(t, tc.isCtx, errors.Is(err, context.DeadlineExceeded))
				assert.Equal(t, tc.took, time.Since(started))
				require.NotNil(t, resp)
				assert.Equal(t, tc.status, resp.StatusCode)
				assert.True(t, body.closed)
			})
		})
	}
}

// silent is a transport that answers when the request's context ends, or never.
func silent(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, context.Cause(req.Context())
}

func TestAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, &wire{answer: silent})
		started := time.Now()
		_, resp, err := c.Secrets.Get(t.Context(), storeID, secretID)
		assert.Equal(t, []string{"ErrAttemptTimeout"}, matches(err))
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		assert.Nil(t, resp)
		assert.Equal(t, 30*time.Second, time.Since(started))
	})
	t.Run("the user's client has a shorter one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, nil, secretsstore.WithHTTPClient(&http.Client{Transport: &wire{answer: silent}, Timeout: 3 * time.Second}))
			started := time.Now()
			_, _, err := c.Secrets.Get(t.Context(), storeID, secretID)
			assert.Equal(t, []string{"ErrAttemptTimeout"}, matches(err))
			assert.Equal(t, 3*time.Second, time.Since(started))
		})
	})
	t.Run("a timeout of the connection is one of the attempt", func(t *testing.T) {
		w := &wire{answer: func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
		}}
		_, _, err := newClient(t, w).Secrets.Get(t.Context(), storeID, secretID)
		assert.Equal(t, []string{"ErrAttemptTimeout"}, matches(err))
		require.NotErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("the context's end is not one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, _, err := newClient(t, &wire{answer: silent}).Secrets.Get(ctx, storeID, secretID)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Empty(t, matches(err))
		})
	})
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
	}{
		"after an answer":                 {200, secretAnswer},
		"after an error":                  {404, failure(1001, "secret_not_found")},
		"after a page":                    {502, strings.Repeat("<html>", 10_000)},
		"after a little over the limit":   {200, strings.Repeat("x", 8<<20+1000)},
		"after an answer that is no JSON": {200, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			var connections atomic.Int32
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					connections.Add(1)
				}
			}
			srv.Start()
			defer srv.Close()
			c, err := secretsstore.NewClient(secretsstore.WithAPIToken("T"), secretsstore.WithAccountID(accountID), secretsstore.WithBaseURL(srv.URL),
				secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}))
			require.NoError(t, err)
			for range 5 {
				_, _, _ = c.Secrets.Get(t.Context(), storeID, secretID)
			}
			assert.EqualValues(t, 1, connections.Load())
		})
	}
}

func TestCloseIdleConnections(t *testing.T) {
	closed := make(chan struct{}, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, secretAnswer) }))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	srv.Start()
	defer srv.Close()
	c, err := secretsstore.NewClient(secretsstore.WithAPIToken("T"), secretsstore.WithAccountID(accountID), secretsstore.WithBaseURL(srv.URL))
	require.NoError(t, err)
	for range 2 {
		_, _, err = c.Secrets.Get(t.Context(), storeID, secretID)
		require.NoError(t, err)
		c.CloseIdleConnections()
		<-closed
	}
	newClient(t, answering(200, secretAnswer)).CloseIdleConnections()
}

func TestAnswersAreUncompressed(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		_, _ = io.WriteString(zip, secretAnswer)
		_ = zip.Close()
	})
	secret, _, err := c.Secrets.Get(t.Context(), storeID, secretID)
	require.NoError(t, err)
	assert.Equal(t, secretID, secret.ID)
}

// A transport that breaks net/http's rules is an error and no panic.
func TestTransportsThatBreakTheRules(t *testing.T) {
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"neither answer nor error": func(*http.Request) (*http.Response, error) { return nil, nil },
		"both":                     func(*http.Request) (*http.Response, error) { return response(200, secretAnswer), io.ErrUnexpectedEOF },
		"no body":                  func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil },
		"no header": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 404, Body: http.NoBody}, nil
		},
		"a length that is wrong": func(*http.Request) (*http.Response, error) {
			r := response(200, secretAnswer)
			r.ContentLength = 3
			return r, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			secret, _, err := newClient(t, &wire{answer: answer}).Secrets.Get(t.Context(), storeID, secretID)
			assert.NotEqual(t, secret == nil, err == nil)
		})
	}
}

// A POST has no way to be sent twice by the transport; what is safe to repeat has.
func TestOnlySafeRequestsCanBeReplayed(t *testing.T) {
	replayable := map[string]bool{}
	w := &wire{answer: func(req *http.Request) (*http.Response, error) {
		replayable[req.Method] = req.GetBody != nil
		if req.GetBody != nil {
			again, err := req.GetBody()
			require.NoError(t, err)
			assert.NotEmpty(t, read(t, again))
		}
		return response(404, ""), nil
	}}
	c := newClient(t, w)
	_, _, _ = c.Secrets.Patch(t.Context(), storeID, secretID, valuePatch)
	_, _, _ = c.Stores.Create(t.Context(), "n")
	assert.Equal(t, map[string]bool{"PATCH": true, "POST": false}, replayable)
	_, _ = c.Do(t.Context(), "PATCH", "x", map[string]string{}, nil)
	assert.False(t, replayable["PATCH"])
}

// Plain http is for this machine, and a proxy would take what is sent off it. The
// environment's proxy is read once in a process, so this needs one of its own.
func TestPlainHTTPTakesNoProxy(t *testing.T) {
	const names = "SECRETSSTORE_TEST_HOSTS"
	if hosts := os.Getenv(names); hosts != "" {
		for _, host := range strings.Fields(hosts) {
			c, err := secretsstore.NewClient(secretsstore.WithAPIToken(apiToken), secretsstore.WithAccountID(accountID),
				secretsstore.WithBaseURL("http://"+host), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}))
			require.NoError(t, err)
			_, _, err = c.Secrets.Patch(t.Context(), storeID, secretID, valuePatch)
			require.ErrorIs(t, err, syscall.ECONNREFUSED, host)
		}
		return
	}
	asked := make(chan string, 100)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Host }))
	defer proxy.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(closed.Addr().String())
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPlainHTTPTakesNoProxy$")
	child.Env = append(os.Environ(), "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=", "REQUEST_METHOD=",
		names+"=localhost:"+port+" LOCALHOST:"+port+" LocalHost:"+port+" 127.0.0.1:"+port+" [::ffff:127.0.0.1]:"+port)
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Empty(t, asked)
}

// A header makes net/http take a request without a body for one that it may repeat.
func TestRequestsWithoutBodyAreNotReplayed(t *testing.T) {
	var posts atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			posts.Add(1)
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{"success":true,"result":{}}`)
	})
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		posts.Store(0)
		_, err := c.Do(t.Context(), "GET", "/x", nil, nil) // a connection that is used a second time
		require.NoError(t, err)
		_, err = c.Do(t.Context(), "POST", "/x", nil, nil, secretsstore.WithHeader(name, "k"))
		require.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
		assert.EqualValues(t, 1, posts.Load())
	}
}
