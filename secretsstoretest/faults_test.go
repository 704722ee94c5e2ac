package secretsstoretest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const (
	secretPath = account + "/stores/id-1/secrets/id-2"
	patched    = `{"comment":"patched"}`
)

// withSecret runs a test both ways on a server with the secret id-2 in the store id-1.
func withSecret(t *testing.T, test func(t *testing.T, srv *secretsstoretest.Server, send sender)) {
	t.Helper()
	opts := []secretsstoretest.ServerOption{
		secretsstoretest.WithAccountID(accountID), secretsstoretest.WithAPIToken(token), secretsstoretest.WithMaxSecrets(0),
	}
	n := 0
	ids := secretsstoretest.WithIDSource(func() string { n++; return fmt.Sprintf("id-%d", n) })
	bothWays(t, append(opts, ids), func(t *testing.T, srv *secretsstoretest.Server, send sender) {
		n = 0
		srv.AddStore("s")
		srv.AddSecret("id-1", create("A"))
		test(t, srv, send)
	})
}

func TestFaultsThatAnswer(t *testing.T) {
	throttled := secretsstoretest.ErrorBody(971, "Please wait and consider throttling your request speed")
	tests := []struct {
		name        string
		fault       secretsstoretest.Fault
		status      int
		body        string
		contentType string
		header      http.Header // what is to be in the answer; nil: is not
		applied     bool
	}{
		{"a status alone", secretsstoretest.Fault{Status: 503}, 503, "", "", nil, false},
		{"the envelope of an error", secretsstoretest.Fault{Status: 429, Body: throttled, Header: http.Header{"retry-after": {"7"}}},
			429, failure(971, "Please wait and consider throttling your request speed"), "application/json", http.Header{"Retry-After": {"7"}}, false},
		{"a page of the edge", secretsstoretest.Fault{Status: 522, Body: "<html>no</html>"},
			522, "<html>no</html>", "text/html; charset=UTF-8", nil, false},
		{"a line of the edge", secretsstoretest.Fault{Status: 502, Body: "error code: 502"},
			502, "error code: 502", "text/plain; charset=UTF-8", nil, false},
		{"a success that is none", secretsstoretest.Fault{Status: 200, Body: secretsstoretest.ErrorBody(1000, "x")},
			200, failure(1000, "x"), "application/json", nil, false},
		{"a type of its own", secretsstoretest.Fault{Status: 200, Body: "{", Header: http.Header{"Content-Type": {"text/x"}}},
			200, "{", "text/x", nil, false},
		{"no headers", secretsstoretest.Fault{Status: 200, Body: "{}", Header: http.Header{"Cf-Ray": nil, "Ratelimit": nil, "ratelimit-policy": nil}},
			200, "{}", "application/json", http.Header{"Cf-Ray": nil, "Ratelimit": nil, "Ratelimit-Policy": nil}, false},
		{"no content", secretsstoretest.Fault{Status: 204, Body: "dropped"}, 204, "", "text/plain; charset=UTF-8", nil, false},
		{"a redirect", secretsstoretest.Fault{RedirectTo: "https://elsewhere.example/"},
			307, "", "", http.Header{"Location": {"https://elsewhere.example/"}}, false},
		{"a redirect with a status", secretsstoretest.Fault{RedirectTo: "/x", Status: 301},
			301, "", "", http.Header{"Location": {"/x"}}, false},
		{"done, and then failed", secretsstoretest.Fault{Status: 502, Body: "<html>", Apply: true},
			502, "<html>", "text/html; charset=UTF-8", nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			withSecret(t, func(t *testing.T, srv *secretsstoretest.Server, send sender) {
				tt.fault.Count = 1
				injection := srv.Inject(tt.fault)
				got := send.do(t, "PATCH", secretPath, patched)
				assert.Equal(t, tt.status, got.status)
				assert.Equal(t, tt.body, got.body)
				assert.Equal(t, tt.contentType, got.header.Get("Content-Type"))
				for name, want := range tt.header {
					assert.Equal(t, want, got.header[name], name)
				}
				if _, dropped := tt.header["Cf-Ray"]; !dropped {
					assert.NotEmpty(t, got.header.Get("CF-Ray"))
					assert.NotEmpty(t, got.header.Get("Ratelimit"))
				}
				assert.Equal(t, tt.applied, srv.Secrets("id-1")[0].Comment == "patched")
				assert.Equal(t, 1, injection.Hits())
				log := srv.Requests()
				assert.True(t, log[0].Injected)
				assert.Equal(t, tt.status, log[0].Status)

				assert.Equal(t, 200, send.do(t, "PATCH", secretPath, patched).status, "only one request was to fail")
				assert.False(t, srv.Requests()[1].Injected)
			})
		})
	}
}

func TestFaultsThatCut(t *testing.T) {
	whole := len(`{"success":true,"errors":[],"messages":[],"result":`)
	tests := []struct {
		name    string
		fault   secretsstoretest.Fault
		err     error // of the request
		bodyErr error // of reading the answer
		body    string
		applied bool
	}{
		{"before the request was taken", secretsstoretest.Fault{Cut: secretsstoretest.CutBeforeRequest}, syscall.ECONNRESET, nil, "", false},
		{"after the request was taken", secretsstoretest.Fault{Cut: secretsstoretest.CutAfterRequest}, syscall.ECONNRESET, nil, "", true},
		{"before the answer's body", secretsstoretest.Fault{Cut: secretsstoretest.CutAnswer}, nil, io.ErrUnexpectedEOF, "", true},
		{"in the answer", secretsstoretest.Fault{Cut: secretsstoretest.CutAnswer, CutAt: whole}, nil, io.ErrUnexpectedEOF,
			`{"success":true,"errors":[],"messages":[],"result":`, true},
		{"in an answer of the fault", secretsstoretest.Fault{Cut: secretsstoretest.CutAnswer, CutAt: 2, Status: 500, Body: "abcd"}, nil, io.ErrUnexpectedEOF, "ab", false},
		{"past the end of the answer", secretsstoretest.Fault{Cut: secretsstoretest.CutAnswer, CutAt: 4, Status: 500, Body: "abcd"}, nil, nil, "abcd", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			withSecret(t, func(t *testing.T, srv *secretsstoretest.Server, send sender) {
				tt.fault.Count = 1
				srv.Inject(tt.fault)
				got, err := send.try(t.Context(), "PATCH", secretPath, patched)
				if tt.err != nil {
					require.ErrorIs(t, err, tt.err)
					var op *net.OpError
					require.ErrorAs(t, err, &op)
					assert.Zero(t, srv.Requests()[0].Status, "nothing was answered")
				} else {
					require.NoError(t, err)
					assert.Equal(t, tt.bodyErr, got.bodyErr)
					assert.Equal(t, tt.body, got.body)
				}
				assert.Equal(t, tt.applied, srv.Secrets("id-1")[0].Comment == "patched")
				assert.Equal(t, 200, send.do(t, "PATCH", secretPath, patched).status)
			})
		})
	}
}

func TestFaultsAreForChosenRequests(t *testing.T) {
	withSecret(t, func(t *testing.T, srv *secretsstoretest.Server, send sender) {
		statuses := func() (patch, get, nowhere int) {
			return send.do(t, "PATCH", secretPath, patched).status, send.do(t, "GET", secretPath, "").status, send.do(t, "GET", "/x", "").status
		}
		check := func(rule string, wantPatch, wantGet, wantNowhere int) {
			t.Helper()
			patch, get, nowhere := statuses()
			assert.Equal(t, []int{wantPatch, wantGet, wantNowhere}, []int{patch, get, nowhere}, rule)
		}

		all := srv.Inject(secretsstoretest.Fault{Status: 500})
		check("without an operation it is for all", 500, 500, 500)
		check("without a count it stays", 500, 500, 500)
		all.Remove()
		all.Remove()
		assert.Equal(t, 6, all.Hits())
		check("it can be removed", 200, 200, 404)

		srv.Inject(secretsstoretest.Fault{Operation: "PATCH /stores/{store_id}/secrets/{secret_id}", Status: 501})
		srv.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpGetSecret, Count: 1, Status: 502})
		srv.Inject(secretsstoretest.Fault{Status: 503})
		check("the first that fits is used", 501, 502, 503)
		check("one that is used up is no more", 501, 503, 503)
		srv.ClearFaults()
		check("all can be removed", 200, 200, 404)

		srv.Inject(secretsstoretest.Fault{Status: 504, When: func(r *http.Request) bool {
			body, err := io.ReadAll(r.Body)
			return err == nil && bytes.Contains(body, []byte(`"poison"`)) && r.Header.Get("Authorization") != "" && r.URL.Path == secretPath
		}})
		check("a function can choose", 200, 200, 404)
		assert.Equal(t, 504, send.do(t, "PATCH", secretPath, `{"comment":"poison"}`).status)
		assert.Equal(t, "patched", srv.Secrets("id-1")[0].Comment)
	})
}

func TestLatency(t *testing.T) {
	tests := []struct {
		name    string
		fault   secretsstoretest.Fault
		applied bool // although the caller gave up
	}{
		{"before the request is taken", secretsstoretest.Fault{Latency: time.Hour}, false},
		{"before it is answered", secretsstoretest.Fault{AnswerLatency: time.Hour}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name+" is waited", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := limited(100, time.Minute)
				srv.Inject(tt.fault)
				start := time.Now()
				assert.Equal(t, 200, over(srv).do(t, "PATCH", secretPath, patched).status)
				assert.Equal(t, time.Hour, time.Since(start))
			})
		})
		t.Run(tt.name+" ends with the deadline", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := limited(100, time.Minute)
				srv.Inject(tt.fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				_, err := over(srv).try(ctx, "PATCH", secretPath, patched)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Second, time.Since(start))
				assert.Equal(t, tt.applied, srv.Secrets("id-1")[0].Comment == "patched")
				assert.Zero(t, srv.Requests()[0].Status)
			})
		})
		t.Run(tt.name+" ends when the caller gives up", func(t *testing.T) {
			withSecret(t, func(t *testing.T, srv *secretsstoretest.Server, send sender) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				fault := tt.fault
				fault.When = func(*http.Request) bool { time.AfterFunc(0, cancel); return true }
				srv.Inject(fault)
				_, err := send.try(ctx, "PATCH", secretPath, patched)
				assert.ErrorIs(t, err, context.Canceled)
				srv.Close() // waits for what a socket still serves
				if !tt.applied {
					assert.Empty(t, srv.Secrets("id-1")[0].Comment)
				}
			})
		})
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	srv := secretsstoretest.NewServer()
	arrived := make(chan struct{})
	srv.Inject(secretsstoretest.Fault{Latency: time.Hour, When: func(*http.Request) bool { close(arrived); return true }})
	done := make(chan error)
	go func() {
		_, err := sender{srv.URL, &http.Transport{}}.try(context.Background(), "GET", "/", "")
		done <- err
	}()
	<-arrived
	srv.Close()
	assert.Error(t, <-done)
}

func TestInjectPanicsOnMistakes(t *testing.T) {
	srv := newServer(t)
	tests := []struct {
		name  string
		fault secretsstoretest.Fault
		want  string
	}{
		{"nothing", secretsstoretest.Fault{}, "secretsstoretest: Inject: the fault changes nothing"},
		{"an unknown operation", secretsstoretest.Fault{Operation: "PUT /stores", Status: 500}, `secretsstoretest: Inject: there is no operation "PUT /stores"`},
		{"a number below 0", secretsstoretest.Fault{Latency: -1}, "secretsstoretest: Inject: a number is below 0"},
		{"no status", secretsstoretest.Fault{Status: 100}, "secretsstoretest: Inject: 100 is no status that an answer can end with"},
		{"a body alone", secretsstoretest.Fault{Body: "x"}, "secretsstoretest: Inject: a fault with Body or Apply needs a Status"},
		{"an unknown cut", secretsstoretest.Fault{Cut: 9}, "secretsstoretest: Inject: 9 is no Cut"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.PanicsWithValue(t, tt.want, func() { srv.Inject(tt.fault) })
		})
	}
}

func TestInjectCopiesItsHeader(t *testing.T) {
	srv := newServer(t)
	header := http.Header{"X-Fault": {"a"}}
	srv.Inject(secretsstoretest.Fault{Header: header, RedirectTo: "/x"})
	header.Set("X-Fault", "b")
	assert.NotContains(t, header, "Location")
	got := over(srv).do(t, "GET", account+"/stores", "")
	got.header["X-Fault"][0] = "c"
	assert.Equal(t, "a", over(srv).do(t, "GET", account+"/stores", "").header.Get("X-Fault"))
}

func TestFaultsUnderConcurrentUse(t *testing.T) {
	withSecret(t, func(t *testing.T, srv *secretsstoretest.Server, send sender) {
		random := rand.New(rand.NewPCG(1, 2)) // needs no lock: When is never called twice at once
		counted := srv.Inject(secretsstoretest.Fault{Status: 418, Count: 50})
		some := srv.Inject(secretsstoretest.Fault{Status: 503, When: func(*http.Request) bool { return random.IntN(4) == 0 }})
		cut := srv.Inject(secretsstoretest.Fault{Cut: secretsstoretest.CutBeforeRequest, When: func(*http.Request) bool { return random.IntN(4) == 0 }})
		var teapots, unavailable, errs, ok atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 50 {
					got, err := send.try(t.Context(), "PATCH", secretPath, patched)
					switch {
					case errors.Is(err, syscall.ECONNRESET):
						errs.Add(1)
					case !assert.NoError(t, err):
					case got.status == 418:
						teapots.Add(1)
					case got.status == 503:
						unavailable.Add(1)
					default:
						ok.Add(1)
					}
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, 50, teapots.Load(), "a count is exact")
		assert.EqualValues(t, 50, counted.Hits())
		assert.EqualValues(t, some.Hits(), unavailable.Load())
		assert.EqualValues(t, cut.Hits(), errs.Load())
		assert.EqualValues(t, 400, teapots.Load()+unavailable.Load()+errs.Load()+ok.Load())
		assert.Len(t, srv.Requests(), 400)
	})
}

func TestResetsOverHTTP2(t *testing.T) {
	srv := seeded(t)
	tls := httptest.NewUnstartedServer(srv.Handler())
	tls.EnableHTTP2 = true
	tls.StartTLS()
	defer tls.Close()
	send := sender{tls.URL, tls.Client().Transport}

	srv.Inject(secretsstoretest.Fault{Count: 1, Cut: secretsstoretest.CutAfterRequest})
	_, err := send.try(t.Context(), "PATCH", secretPath, patched)
	require.Error(t, err, "a stream that can't be hijacked is reset")
	assert.Equal(t, "patched", srv.Secrets("id-1")[0].Comment)

	srv.Inject(secretsstoretest.Fault{Count: 1, Cut: secretsstoretest.CutAnswer, CutAt: 10})
	got, err := send.try(t.Context(), "GET", secretPath, "")
	require.NoError(t, err)
	assert.Error(t, got.bodyErr)
	assert.Len(t, got.body, 10)
	assert.Equal(t, 200, send.do(t, "GET", secretPath, "").status)
}
