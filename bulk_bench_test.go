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

// BenchmarkPatchAll compares PatchAll with 64 in flight to a loop of 64 goroutines
// that share a channel, over loopback and in turns. It reports the throughput of
// PatchAll as a part of the loop's.
func BenchmarkPatchAll(b *testing.B) {
	const inFlight, patches = 64, 2000
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, secretAnswer)
	}))
	defer srv.Close()
	c, err := secretsstore.NewClient(secretsstore.WithAPIToken("T"), secretsstore.WithAccountID(accountID), secretsstore.WithBaseURL(srv.URL))
	require.NoError(b, err)
	patchAll := func() {
		for result := range c.Secrets.PatchAll(b.Context(), numbered(patches, nil), secretsstore.BulkOptions{Concurrency: inFlight}) {
			if result.Err != nil {
				b.Fatal(result.Err)
			}
		}
	}
	loop := func() {
		requests := make(chan secretsstore.PatchRequest)
		var wg sync.WaitGroup
		for range inFlight {
			wg.Go(func() {
				for r := range requests {
					if _, _, err := c.Secrets.Patch(b.Context(), r.StoreID, r.SecretID, r.Patch); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for r := range numbered(patches, nil) {
			requests <- r
		}
		close(requests)
		wg.Wait()
	}
	took := func(f func()) time.Duration {
		started := time.Now()
		f()
		return time.Since(started)
	}
	patchAll()
	loop()
	var ratios []float64
	for b.Loop() {
		ratios = append(ratios, float64(took(loop))/float64(took(patchAll)))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "of-the-loop's-throughput")
}
