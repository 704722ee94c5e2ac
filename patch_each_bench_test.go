package secretsstore_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// BenchmarkPatchEach compares PatchEach to 64 goroutines that share a channel, over
// loopback and in turns. It reports the throughput of PatchEach as a part of theirs.
func BenchmarkPatchEach(b *testing.B) {
	const inFlight, patches = 64, 2000
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, secretBody)
	}))
	defer srv.Close()
	client, err := secretsstore.NewClient(secretsstore.WithoutEnvironment(), secretsstore.WithAPIToken(apiToken),
		secretsstore.WithAccountID(accountID), secretsstore.WithBaseURL(srv.URL))
	require.NoError(b, err)
	patchEach := func() {
		for result := range client.Secrets.PatchEach(b.Context(), patchesOf(patches), &secretsstore.PatchEachOptions{Concurrency: inFlight}) {
			require.NoError(b, result.Err)
		}
	}
	goroutines := func() {
		items := make(chan secretsstore.PatchItem)
		var workers sync.WaitGroup
		for range inFlight {
			workers.Go(func() {
				for item := range items {
					if _, _, err := client.Secrets.Patch(b.Context(), item.StoreID, item.SecretID, item.Patch); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for item := range patchesOf(patches) {
			items <- item
		}
		close(items)
		workers.Wait()
	}
	duration := func(f func()) float64 {
		started := time.Now()
		f()
		return float64(time.Since(started))
	}
	patchEach()
	goroutines()
	var ratios []float64
	for b.Loop() {
		ratios = append(ratios, duration(goroutines)/duration(patchEach))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "of-their-throughput")
}
