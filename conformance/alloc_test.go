package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/canned"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/peers"
)

func skipUnderRace(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("the race detector allocates by itself")
	}
}

// A patch costs what it costs by hand, and a fraction of what it costs with the SDK.
// What retries, pacing and logging need by default is in it.
func TestAllocationsPerPatch(t *testing.T) {
	skipUnderRace(t)
	allocations := map[string]float64{}
	for _, name := range peers.Names {
		peer := peers.New(name, canned.BaseURL, canned.New(0))
		allocations[name] = testing.AllocsPerRun(200, func() {
			if err := peer.Patch(context.Background(), "rotated by the nightly job"); err != nil {
				panic(err)
			}
		})
	}
	t.Log(allocations)
	assert.LessOrEqual(t, allocations[peers.Ours], allocations[peers.HandWritten])
	assert.LessOrEqual(t, allocations[peers.Ours], ofCloudflareGo*allocations[peers.CloudflareGo])
}

// onePage is how many secrets ours lists with one request: it asks for 100, and a page
// that is full does not end a list.
const onePage = 99

// Listing costs the same for each secret, however many there are.
func TestAllocationsPerListedSecret(t *testing.T) {
	skipUnderRace(t)
	each := map[int]float64{}
	for _, n := range []int{onePage, 1_000, 10_000} {
		peer := peers.New(peers.Ours, canned.BaseURL, canned.New(n))
		each[n] = testing.AllocsPerRun(5, func() {
			if listed, err := peer.List(context.Background()); err != nil || listed != n {
				panic(fmt.Sprintf("%d of %d secrets: %v", listed, n, err))
			}
		}) / float64(n)
	}
	t.Log(each)
	for n, allocations := range each {
		assert.InEpsilon(t, each[onePage], allocations, 0.02, n)
	}
}

// A page costs what it costs by hand.
func TestAllocationsPerPage(t *testing.T) {
	skipUnderRace(t)
	allocations := map[string]float64{}
	for _, name := range peers.Names {
		peer := peers.New(name, canned.BaseURL, canned.New(onePage))
		allocations[name] = testing.AllocsPerRun(50, func() {
			if listed, err := peer.List(context.Background()); err != nil || listed != onePage {
				panic(fmt.Sprintf("%d of %d secrets: %v", listed, onePage, err))
			}
		})
	}
	t.Log(allocations)
	assert.LessOrEqual(t, allocations[peers.Ours], 1.02*allocations[peers.HandWritten])
}

// A list is held page by page, with the ids of the pages before: what is in memory
// grows by them, and by nothing else.
func TestMemoryOfAListIsThatOfAPage(t *testing.T) {
	skipUnderRace(t)
	const secrets, page = 10_000, 100
	client, err := secretsstore.NewClient(secretsstore.WithBaseURL(canned.BaseURL), secretsstore.WithAPIToken(canned.Token),
		secretsstore.WithAccountID(canned.AccountID), secretsstore.WithHTTPClient(&http.Client{Transport: canned.New(secrets)}))
	require.NoError(t, err)
	var live []uint64 // at some secret in the middle of every tenth page
	n := 0
	for _, err := range client.Secrets.All(context.Background(), canned.StoreID, nil) {
		require.NoError(t, err)
		if n++; n%(10*page) == page/2 {
			var stats runtime.MemStats
			runtime.GC()
			runtime.GC() // what a sync.Pool holds survives the first
			runtime.ReadMemStats(&stats)
			live = append(live, stats.HeapAlloc)
		}
	}
	require.Equal(t, secrets, n)
	require.Len(t, live, 10)
	t.Log(live)
	// The first page is compared with all that come after the second: one has seen
	// none before it.
	const perID = 128 // bytes of an id and its place in a map; a secret has more than twice as many
	for i, heap := range live[1:] {
		assert.Less(t, heap, live[0]+64<<10+uint64(perID*10*page*(i+1)))
	}
}

// countingConn counts how often it is written to, which is what a packet is where
// it is small.
type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// net/http sends a body that it doesn't know to be in memory in a packet of its own,
// and the server waits for it.
func TestRequestIsOneWrite(t *testing.T) {
	srv := httptest.NewServer(canned.New(1))
	defer srv.Close()
	var writes, connections atomic.Int64
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		connections.Add(1)
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return countingConn{conn, &writes}, err
	}}
	defer transport.CloseIdleConnections()
	client, err := secretsstore.NewClient(secretsstore.WithBaseURL(srv.URL), secretsstore.WithAPIToken(canned.Token),
		secretsstore.WithAccountID(canned.AccountID), secretsstore.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	scopes := []secretsstore.Scope{secretsstore.ScopeWorkers}
	written := func(t *testing.T, call func() error) int64 {
		require.NoError(t, call()) // it may have to connect
		before := writes.Load()
		for range 10 {
			require.NoError(t, call())
		}
		return writes.Load() - before
	}
	for name, call := range map[string]func() error{
		"a patch": func() error {
			_, _, err := client.Secrets.Patch(t.Context(), canned.StoreID, canned.SecretID, secretsstore.SecretPatch{
				Comment: secretsstore.Ptr("c"), Scopes: scopes, Value: secretsstore.NewSecretValue("v"),
			})
			return err
		},
		"a copy": func() error {
			_, _, err := client.Secrets.Duplicate(t.Context(), canned.StoreID, canned.SecretID, secretsstore.SecretDuplicate{Name: "N", Scopes: scopes})
			return err
		},
		"a bulk delete": func() error {
			_, err := client.Secrets.BulkDelete(t.Context(), canned.StoreID, []string{canned.SecretID})
			return err
		},
		"a list": func() error {
			_, _, err := client.Secrets.List(t.Context(), canned.StoreID, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, int64(10), written(t, call))
		})
	}
	t.Run("a reader that net/http does not know takes two", func(t *testing.T) {
		assert.Equal(t, int64(20), written(t, func() error {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, srv.URL, io.MultiReader(strings.NewReader("{}")))
			require.NoError(t, err)
			r.ContentLength = 2
			resp, err := transport.RoundTrip(r)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			return errors.Join(err, resp.Body.Close())
		}))
	})
	assert.Equal(t, int64(1), connections.Load(), "connections are used again")
}
