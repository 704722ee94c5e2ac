package secretsstoretest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const patched = `{"comment":"patched"}`

func TestFaultReplacesTheResponse(t *testing.T) {
	tests := []struct {
		name        string
		fault       secretsstoretest.Fault
		status      int
		body        string
		contentType string
		header      http.Header
		applied     bool
	}{
		{name: "status alone", fault: secretsstoretest.Fault{Status: 503}, status: 503},
		{name: "JSON body", fault: secretsstoretest.Fault{Status: 400, Body: secretsstoretest.ErrorBody(1001, `Missing "Authorization" header`)},
			status: 400, body: failure(1001, `Missing "Authorization" header`), contentType: "application/json"},
		{name: "success false with status 200", fault: secretsstoretest.Fault{Status: 200, Body: failure(1001, "secret_not_found")},
			status: 200, body: failure(1001, "secret_not_found"), contentType: "application/json"},
		{name: "header with a status", fault: secretsstoretest.Fault{Status: 429, Header: http.Header{"retry-after": {"7"}}},
			status: 429, header: http.Header{"Retry-After": {"7"}}},
		{name: "redirect", fault: secretsstoretest.Fault{Status: 307, Header: http.Header{"Location": {"https://other.example/"}}},
			status: 307, header: http.Header{"Location": {"https://other.example/"}}},
		{name: "content type of its own", fault: secretsstoretest.Fault{Status: 200, Body: "<x>", Header: http.Header{"Content-Type": {"text/x"}}},
			status: 200, body: "<x>", contentType: "text/x"},
		{name: "applied before an HTML page", fault: secretsstoretest.Fault{Status: 502, Body: "<html>", Apply: true},
			status: 502, body: "<html>", contentType: "text/html; charset=UTF-8", applied: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, e *emulator) {
				tt.fault.Count = 1
				e.Inject(tt.fault)
				got := e.send(t, patch, patched)
				assert.Equal(t, tt.status, got.status)
				assert.Equal(t, tt.body, got.body)
				assert.Equal(t, tt.contentType, got.header.Get("Content-Type"))
				assert.NotEmpty(t, got.header.Get("CF-Ray"))
				for name, want := range tt.header {
					assert.Equal(t, want, got.header[name], name)
				}
				assert.Equal(t, tt.applied, e.comment() == "patched")
				log := e.Requests()[0]
				assert.Equal(t, []any{true, tt.status, patched}, []any{log.Injected, log.Status, log.Body})

				assert.Equal(t, 200, e.send(t, patch, patched).status, "the fault was for one request")
				assert.False(t, e.Requests()[1].Injected)
			})
		})
	}
}

func TestFaultChangesHeadersOfTheService(t *testing.T) {
	e := newEmulator(t)
	header := http.Header{"X-Fault": {"a"}, "Ratelimit": {}}
	e.Inject(secretsstoretest.Fault{Header: header})
	header.Set("X-Fault", "changed by the caller")
	got := e.send(t, get, "")
	assert.Equal(t, 200, got.status)
	assert.Equal(t, "a", got.header.Get("X-Fault"))
	assert.Empty(t, got.header.Get("Ratelimit"))
}

func TestDeleteResponses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
	}{
		{name: "204", status: 204}, {name: "200 without a body", status: 200}, {name: "202 without a body", status: 202},
		{name: "200 null", status: 200, body: "null"}, {name: "202 null", status: 202, body: "null"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, e *emulator) {
				e.Inject(secretsstoretest.Fault{Operation: secretsstoretest.OpDeleteSecret, Status: tt.status, Body: tt.body, Apply: true})
				got := e.send(t, remove, "")
				assert.Equal(t, tt.status, got.status)
				assert.Equal(t, tt.body, got.body)
				assert.NotEmpty(t, got.header.Get("Ratelimit"))
				assert.Empty(t, e.Secrets(e.store))
				got = e.send(t, remove, "")
				assert.Equal(t, failure(1001, "secret_not_found"), got.body, "a refused request keeps its response")
			})
		})
	}
}

func TestFaultDropsTheConnection(t *testing.T) {
	const start = `{"success":true,`
	tests := []struct {
		name    string
		fault   secretsstoretest.Fault
		err     error // of the request
		bodyErr error
		body    string
		applied bool
	}{
		{name: "before the request", fault: secretsstoretest.Fault{Drop: secretsstoretest.DropBeforeRequest}, err: io.EOF},
		{name: "after the request", fault: secretsstoretest.Fault{Drop: secretsstoretest.DropAfterRequest}, err: io.EOF, applied: true},
		{name: "before the body", fault: secretsstoretest.Fault{Drop: secretsstoretest.DropInBody}, bodyErr: io.ErrUnexpectedEOF, applied: true},
		{name: "in the body", fault: secretsstoretest.Fault{Drop: secretsstoretest.DropInBody, BodyBytes: len(start)}, bodyErr: io.ErrUnexpectedEOF, body: start, applied: true},
		{name: "in a replaced body", fault: secretsstoretest.Fault{Drop: secretsstoretest.DropInBody, BodyBytes: 2, Status: 500, Body: "abcd"}, bodyErr: io.ErrUnexpectedEOF, body: "ab"},
		{name: "after the body", fault: secretsstoretest.Fault{Drop: secretsstoretest.DropInBody, BodyBytes: 4, Status: 500, Body: "abcd"}, body: "abcd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, e *emulator) {
				tt.fault.Count = 1
				e.Inject(tt.fault)
				got, err := e.try(e.request(t, patch, patched))
				require.ErrorIs(t, err, tt.err)
				if tt.err != nil {
					assert.Zero(t, e.Requests()[0].Status)
				} else {
					assert.Equal(t, tt.bodyErr, got.bodyErr)
					assert.Equal(t, tt.body, got.body)
				}
				assert.Equal(t, tt.applied, e.comment() == "patched")
			})
		})
	}
}

func TestFaultSelectsRequests(t *testing.T) {
	statuses := func(t *testing.T, e *emulator, request string, n int) (got []int) {
		for range n {
			got = append(got, e.send(t, request, "").status)
		}
		return got
	}
	tests := []struct {
		name  string
		fault secretsstoretest.Fault
		want  []int // of five requests to get a secret
		other int   // of a request to an unknown path
	}{
		{name: "all", fault: secretsstoretest.Fault{Status: 500}, want: []int{500, 500, 500, 500, 500}, other: 500},
		{name: "one operation", fault: secretsstoretest.Fault{Operation: "GET /stores/{store_id}/secrets/{secret_id}", Status: 500}, want: []int{500, 500, 500, 500, 500}, other: 404},
		{name: "another operation", fault: secretsstoretest.Fault{Operation: secretsstoretest.OpPatchSecret, Status: 500}, want: []int{200, 200, 200, 200, 200}, other: 404},
		{name: "the third and fourth", fault: secretsstoretest.Fault{Operation: secretsstoretest.OpGetSecret, Skip: 2, Count: 2, Status: 500}, want: []int{200, 200, 500, 500, 200}, other: 404},
		{name: "some", fault: secretsstoretest.Fault{Operation: secretsstoretest.OpGetSecret, Probability: 0.5, Seed: 7, Status: 500}, want: []int{200, 200, 500, 500, 500}, other: 404},
		{name: "by path", fault: secretsstoretest.Fault{Status: 500, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/nowhere") }}, want: []int{200, 200, 200, 200, 200}, other: 500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEmulator(t)
			remove := e.Inject(tt.fault)
			assert.Equal(t, tt.want, statuses(t, e, get, 5))
			assert.Equal(t, tt.other, e.send(t, "GET /nowhere", "").status)
			remove()
			remove()
			assert.Equal(t, []int{200}, statuses(t, e, get, 1))
		})
	}
	t.Run("without seeing the body", func(t *testing.T) {
		e := newEmulator(t)
		var seen []byte
		e.Inject(secretsstoretest.Fault{Match: func(r *http.Request) bool { seen, _ = io.ReadAll(r.Body); return true }})
		assert.Equal(t, 200, e.send(t, patch, patched).status)
		assert.Empty(t, seen)
	})
	t.Run("the first of several", func(t *testing.T) {
		e := newEmulator(t)
		e.Inject(secretsstoretest.Fault{Status: 501, Count: 1})
		e.Inject(secretsstoretest.Fault{Status: 502})
		assert.Equal(t, []int{501, 502}, statuses(t, e, get, 2))
	})
}

func TestLatency(t *testing.T) {
	tests := []struct {
		name    string
		fault   secretsstoretest.Fault
		applied bool // although the caller gave up
	}{
		{name: "before the request", fault: secretsstoretest.Fault{Latency: time.Hour}},
		{name: "before the response", fault: secretsstoretest.Fault{ResponseLatency: time.Hour}, applied: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, e *emulator) {
				e.Inject(tt.fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				_, err := e.try(e.request(t, patch, patched).WithContext(ctx))
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Minute, time.Since(start))
				assert.Equal(t, tt.applied, e.comment() == "patched")
				assert.Zero(t, e.Requests()[0].Status)

				start = time.Now()
				assert.Equal(t, 200, e.send(t, patch, patched).status)
				assert.Equal(t, time.Hour, time.Since(start))
			})
		})
	}
}

// Over a connection, too, a request whose client gives up during the latency is not applied.
func TestLatencyOverAConnection(t *testing.T) {
	handled := make(chan secretsstoretest.Request, 1)
	srv := secretsstoretest.NewServer(secretsstoretest.WithRequestHook(func(r secretsstoretest.Request) { handled <- r }))
	defer srv.Close()
	store := srv.AddStore("s")
	srv.Inject(secretsstoretest.Fault{Latency: 500 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := srv.Client().Secrets.Create(ctx, store.ID, secretsstore.SecretCreate{Name: "A", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Zero(t, (<-handled).Status)
	assert.Empty(t, srv.Secrets(store.ID))
}

func TestEdgeErrors(t *testing.T) {
	tests := []struct {
		name        string
		fault       secretsstoretest.Fault
		status      int
		contentType string
		retryAfter  string
		has         string
	}{
		{name: "JSON", fault: secretsstoretest.EdgeJSON(530, 1016), status: 530, contentType: "application/json", has: `{"error_code":1016,"error_name":`},
		{name: "JSON with Retry-After", fault: secretsstoretest.EdgeJSON(429, 1015), status: 429, contentType: "application/json", retryAfter: "30", has: `"retryable":true`},
		{name: "HTML 502", fault: secretsstoretest.EdgeHTML(502), status: 502, contentType: "text/html; charset=UTF-8", has: "<title>api.cloudflare.com | 502: Bad Gateway"},
		{name: "HTML 520", fault: secretsstoretest.EdgeHTML(520), status: 520, contentType: "text/html; charset=UTF-8", has: "<h1>Error 520"},
		{name: "text", fault: secretsstoretest.EdgeText(502), status: 502, contentType: "text/plain; charset=UTF-8", has: "error code: 502"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, e *emulator) {
				e.Inject(tt.fault)
				got := e.send(t, get, "")
				assert.Equal(t, tt.status, got.status)
				assert.Equal(t, tt.contentType, got.header.Get("Content-Type"))
				assert.Equal(t, tt.retryAfter, got.header.Get("Retry-After"))
				assert.Contains(t, got.body, tt.has)
				assert.Equal(t, tt.contentType == "application/json", json.Valid([]byte(got.body)))
				assert.Empty(t, got.header.Get("Ratelimit"))
			})
		})
	}
}

func TestPropagatingToken(t *testing.T) {
	e := newEmulator(t)
	e.AddToken("new-token", secretsstoretest.PermissionRead)
	remove := e.Inject(secretsstoretest.PropagatingToken("new-token"))
	refused := 0
	for range 100 {
		switch got := e.send(t, get, "", "Authorization: Bearer new-token"); got.status {
		case 401:
			assert.Equal(t, failure(10001, "Unable to authenticate request"), got.body)
			refused++
		default:
			assert.Equal(t, 200, got.status)
		}
		assert.Equal(t, 200, e.send(t, get, "").status, "other tokens are not affected")
	}
	assert.InDelta(t, 50, refused, 20)
	remove()
	for range 20 {
		assert.Equal(t, 200, e.send(t, get, "", "Authorization: Bearer new-token").status)
	}
}

func TestInjectPanicsOnInvalidFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault secretsstoretest.Fault
		want  string
	}{
		{name: "unknown operation", fault: secretsstoretest.Fault{Operation: "PUT /stores", Status: 500}, want: `unknown operation "PUT /stores"`},
		{name: "negative number", fault: secretsstoretest.Fault{Latency: -1}, want: "negative number"},
		{name: "probability", fault: secretsstoretest.Fault{Probability: 1.5}, want: "probability must be from 0 to 1"},
		{name: "status", fault: secretsstoretest.Fault{Status: 100}, want: "invalid status 100"},
		{name: "body alone", fault: secretsstoretest.Fault{Body: "x"}, want: "status missing: Body and Apply need one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.PanicsWithValue(t, "secretsstoretest: Inject: "+tt.want, func() { newEmulator(t).Inject(tt.fault) })
		})
	}
}

func TestFaultCountIsExactUnderConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEmulator(t)
		e.Inject(secretsstoretest.Fault{Status: 418, Count: 50, Latency: time.Second})
		var failed atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					if e.send(t, get, "").status == 418 {
						failed.Add(1)
					}
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, 50, failed.Load())
	})
}
