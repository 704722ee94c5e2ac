package secretsstoretest_test

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

var stress = flag.Duration("stress", 200*time.Millisecond, "how long TestManyClients runs")

type failedTest struct{ text string }

func (f *failedTest) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

// A failing assertion dumps the struct that a test compares, which can hold the server.
func TestDumpsHoldNoValue(t *testing.T) {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	srv.AddSecret(srv.AddStore("s").ID, secretsstore.SecretCreate{Name: "A", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("plain-text")})
	var failed failedTest
	assert.Nil(&failed, srv)
	assert.Equal(&failed, nil, srv)
	assert.Contains(t, failed.text, "AccountID")
	assert.NotContains(t, failed.text, "plain-text")
}

func TestNewServerPanicsOnInvalidOptions(t *testing.T) {
	tests := []struct {
		name   string
		option secretsstoretest.ServerOption
		want   string
	}{
		{name: "account id", option: secretsstoretest.WithAccountID("a/b"), want: `WithAccountID: invalid account id "a/b"`},
		{name: "token", option: secretsstoretest.WithAPIToken("a b"), want: "WithAPIToken: invalid token"},
		{name: "global key as token", option: secretsstoretest.WithAPIToken("cfk_x"), want: "WithAPIToken: invalid token"},
		{name: "key", option: secretsstoretest.WithAPIKey("user", "k"), want: "WithAPIKey: invalid email address or key"},
		{name: "rate limit", option: secretsstoretest.WithRateLimit(0, time.Second), want: "WithRateLimit: the number of requests and the window must be positive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.PanicsWithValue(t, "secretsstoretest: NewServer: "+tt.want, func() { secretsstoretest.NewServer(tt.option) })
		})
	}
	secretsstoretest.NewServer(nil, secretsstoretest.WithoutListener())
}

func TestIDsAreDeterministic(t *testing.T) {
	a, b := newEmulator(t), newEmulator(t)
	assert.Regexp(t, "^[0-9a-f]{32}$", a.store)
	assert.Equal(t, []string{a.store, a.secret}, []string{b.store, b.secret})
	assert.NotEqual(t, a.store, a.secret)
}

func TestCloseEndsRequestsInFlight(t *testing.T) {
	e := newListening(t)
	arrived := make(chan struct{})
	e.Inject(secretsstoretest.Fault{Latency: time.Hour, Match: func(*http.Request) bool { close(arrived); return true }})
	done := make(chan error)
	go func() {
		_, err := e.try(e.request(t, patch, patched))
		done <- err
	}()
	<-arrived
	e.Close()
	e.Close()
	assert.Error(t, <-done)
	assert.Len(t, e.Secrets(e.store), 1, "data remains")
}

func TestHostileBodiesAllocateLittle(t *testing.T) {
	e := newEmulator(t)
	objects := func(n int) string { return "[" + strings.Repeat("{},", n/3) + "{}]" }
	tests := []struct {
		name    string
		body    string
		headers string
		maxMiB  uint64
	}{
		{name: "16 MiB without credentials", body: objects(16 << 20), headers: "none", maxMiB: 1},
		{name: "16 MiB", body: objects(16 << 20), headers: "Authorization: Bearer " + token, maxMiB: 128},
		{name: "8 MiB", body: objects(8<<20 - 10), headers: "Authorization: Bearer " + token, maxMiB: 128},
		{name: "100,000 objects", body: objects(300_000), headers: "Authorization: Bearer " + token, maxMiB: 128},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := e.request(t, create, "", tt.headers)
			r.Body = io.NopCloser(strings.NewReader(tt.body))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := e.try(r)
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			assert.Equal(t, 400, got.status)
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 10
			t.Logf("%d KiB allocated", allocated)
			assert.Less(t, allocated, tt.maxMiB<<10)
		})
	}
}

func TestCommasInStringsAreNotItems(t *testing.T) {
	e := newEmulator(t)
	got := e.send(t, patch, `{"comment":"`+strings.Repeat(`\",`, 300_000)+`"}`)
	assert.Equal(t, 200, got.status)
}

func TestARefusedRequestWithALargeBodyReceivesItsResponse(t *testing.T) {
	e := newListening(t)
	got := e.send(t, create, strings.Repeat("v", 6<<20), "Authorization: Bearer x")
	assert.Equal(t, failure(10000, "Authentication error"), got.body)
}

func TestBulkCreateOfTheLargestValues(t *testing.T) {
	e := newEmulator(t, secretsstoretest.WithMaxSecrets(101))
	var items []string
	for i := range 100 {
		items = append(items, fmt.Sprintf(`{"name":"N%d","value":"%s","scopes":["dex"]}`, i, strings.Repeat(",", 65_536)))
	}
	got := e.send(t, create, "["+strings.Join(items, ",")+"]")
	assert.Equal(t, 200, got.status)
	assert.Len(t, e.Secrets(e.store), 101)
}

// TestManyClients sends requests from 1,000 goroutines. To run it for longer, use
// go test -race -run ManyClients ./secretsstoretest -stress 10s.
func TestManyClients(t *testing.T) {
	var requests atomic.Int64
	e := newEmulator(t, secretsstoretest.WithMaxSecrets(0), secretsstoretest.WithDeletedListedFor(time.Millisecond),
		secretsstoretest.WithRateLimit(1_000_000, time.Minute),
		secretsstoretest.WithRequestHook(func(secretsstoretest.Request) { requests.Add(1) }))
	removeStatus := e.Inject(secretsstoretest.Fault{Probability: 0.1, Status: 503})
	removeDrop := e.Inject(secretsstoretest.Fault{Probability: 0.1, Drop: secretsstoretest.DropAfterRequest})
	start := time.Now()
	var wg sync.WaitGroup
	for worker := range 1000 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 0))
			for time.Since(start) < *stress {
				e.randomRequest(t, random, fmt.Sprintf("W%d_%d", worker, random.IntN(3)))
			}
		})
	}
	wg.Wait()
	removeStatus()
	removeDrop()
	live := 0
	for _, secret := range e.Secrets(e.store) {
		if secret.Status != "deleted" {
			live++
		}
	}
	got := e.send(t, "GET /quota", "", "X-Auth-Email: "+email, "X-Auth-Key: "+apiKey)
	assert.Contains(t, got.body, fmt.Sprintf(`"usage":%d}`, live))
	t.Logf("%d requests, %d secrets", requests.Load(), live)
}

func (e *emulator) randomRequest(t *testing.T, random *rand.Rand, name string) {
	id := e.secret
	if random.IntN(2) == 0 {
		id = unknownID
	}
	requests := []struct{ request, body string }{
		{request: list + "?search=W&per_page=5"}, {request: "GET /quota"}, {request: "GET /stores"}, {request: "GET /stores/STORE/secrets/" + id},
		{request: create, body: `[{"name":"` + name + `","value":"v","scopes":["dex"]}]`},
		{request: "PATCH /stores/STORE/secrets/" + id, body: `{"value":"v","comment":"c"}`},
		{request: double, body: `{"name":"` + name + `","scopes":["dex"]}`},
		{request: bulk, body: `{"ids":["` + unknownID + `"]}`},
	}
	switch n := random.IntN(len(requests) + 3); {
	case n < len(requests):
		if got, err := e.try(e.request(t, requests[n].request, requests[n].body)); err == nil {
			assert.Contains(t, []int{200, 202, 400, 404, 429, 500, 503}, got.status)
		}
	case n == len(requests):
		e.AddToken(name, secretsstoretest.PermissionRead)
		e.RevokeToken(name)
	case n == len(requests)+1:
		e.Inject(secretsstoretest.Fault{Status: 500, Count: 1})()
	default:
		e.UseRequests(1)
		for _, secret := range e.Secrets(e.store) {
			if strings.HasPrefix(secret.Name, "W") {
				_, _ = e.try(e.request(t, "DELETE /stores/STORE/secrets/"+secret.ID, ""))
				return
			}
		}
	}
}
