package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/measure"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/peers"
)

func TestSpread(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   spread
	}{
		"the middle one of three":          {[]float64{3, 1, 2}, spread{2, 1, 3, 3}},
		"between the middle two of four":   {[]float64{4, 1, 2, 3}, spread{2.5, 1, 4, 4}},
		"one is its own median":            {[]float64{7}, spread{7, 7, 7, 1}},
		"none is not measured":             {nil, spread{}},
		"what was not measured is no zero": {[]float64{math.NaN(), 5}, spread{5, 5, 5, 1}},
		"a ratio to nothing is no ratio":   {[]float64{math.Inf(1)}, spread{}},
	} {
		t.Run(name, func(t *testing.T) {
			given := append([]float64(nil), c.values...)
			assert.Equal(t, c.want, spreadOf(c.values))
			assert.Equal(t, len(given), len(c.values))
			if len(given) > 0 && !math.IsNaN(given[0]) {
				assert.Equal(t, given, c.values, "the values are left in their order")
			}
		})
	}
}

func TestBounds(t *testing.T) {
	for name, c := range map[string]struct {
		median, bound float64
		misses        bool
	}{
		"below holds":                      {0.9, 1, false},
		"the bound itself holds":           {1.1, 1.1, false},
		"what is shown as the bound holds": {1.004, 1, false},
		"a hundredth above misses":         {1.01, 1, true},
		"without a bound nothing misses":   {9, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.misses, figure{spread{median: c.median, runs: 1}, c.bound}.misses())
		})
	}
	assert.False(t, figure{bound: 1}.misses(), "what was not measured misses nothing")
}

// run makes the figures of a run in which ours costs that much of the others.
func run(ratio float64) []measure.Figure {
	var figures []measure.Figure
	for _, scenario := range []string{
		measure.PatchFromMemory, measure.PatchLoopback, measure.PatchConcurrently, measure.ListFewFromMemory, measure.ListFromMemory,
	} {
		for _, peer := range append([]string{measure.HandWrittenTuned}, peers.Names...) {
			f := measure.Figure{Scenario: scenario, Peer: peer, Nanoseconds: 1000, Allocations: 2000, Bytes: 3e6}
			if peer == peers.Ours {
				f.Nanoseconds, f.Allocations = ratio*1000, ratio*2000
			}
			if scenario == measure.ListFewFromMemory {
				f.Allocations /= measure.Listed / measure.ListedFew // the same for each secret
			}
			figures = append(figures, f)
		}
	}
	return figures
}

func sample(ratio float64) results {
	runs := [][]measure.Figure{run(ratio), run(ratio), run(100 * ratio)}
	program := func(n int64) built {
		return built{time.Duration(n) * time.Second, time.Duration(n) * time.Minute, n << 20, n * 1e6}
	}
	return results{
		date: time.Date(2025, 9, 21, 1, 2, 3, 0, time.UTC), goVersion: "go1.99", platform: "plan10/z80", cpus: 3, cloudflareGo: "v7.7.7",
		calls: calls{today: runs, next: runs},
		builds: []map[string]built{
			{bare: program(10), ours: program(11)},
			{bare: program(10), ours: program(11), cloudflarePackage: program(20), cloudflareAll: program(110)},
		},
	}
}

func TestDocument(t *testing.T) {
	t.Run("says that all bounds held", func(t *testing.T) {
		r := sample(0.25)
		got := document(r, compare(r.calls, r.builds))
		assert.Contains(t, got, "All 13 bounds below held in this run.")
		assert.NotContains(t, got, "missed")
		assert.Contains(t, got, "Measured on 2025-09-21 with go1.99 on plan10/z80 with 3 CPUs, against cloudflare-go v7.7.7. "+
			"The calls were measured in 3 runs; the minimal programs with secretsstore-go and without a library were built 2 times, those with cloudflare-go once.")
		assert.Contains(t, got, "| a patch, answer from memory: time | cloudflare-go | 0.25 (0.25–25.00) | ≤ 0.35 | held | 0.25 (0.25–25.00) | ≤ 0.30 | held |")
		assert.Contains(t, got, "| cold build of a minimal program: time | cloudflare-go, as its README shows it | 0.10 | | | – | | |")
		assert.Contains(t, got, "| secretsstore-go | 1.10 × | 1.10 × | 11.5 MB | 1.10 × | 11.0 MB | 1.10 × |")
		assert.Contains(t, got, "| list 10,000 secrets, answers from memory | `encoding/json` | 500 (3.0 MB) | 2,000 (3.0 MB) | 2,000 (3.0 MB) | 2,000 (3.0 MB) |")
	})
	t.Run("names each bound that was missed", func(t *testing.T) {
		r := sample(1.2)
		lines := compare(r.calls, r.builds)
		got := document(r, lines)
		assert.Contains(t, got, "**9 of the 13 bounds below were missed in this run:**")
		assert.Contains(t, got, "- a patch, answer from memory: time (jsonv2): 1.20 × cloudflare-go, bound 0.30 ×\n")
		assert.Equal(t, 9, strings.Count(got, "| **missed** |"))
	})
	t.Run("says what was left out", func(t *testing.T) {
		r := sample(0.25)
		r.builds = nil
		got := document(r, compare(r.calls, nil))
		assert.Contains(t, got, "Their builds were left out of this run.")
		assert.NotContains(t, got, "cold build")
	})
	t.Run("has tables whose rows are as long as their heads", func(t *testing.T) {
		r := sample(1.2)
		delete(r.builds[1], cloudflareAll)
		columns := 0
		for row := range strings.Lines(document(r, compare(r.calls, r.builds))) {
			if !strings.HasPrefix(row, "|") {
				columns = 0
				continue
			}
			if columns == 0 {
				columns = strings.Count(row, "|")
			}
			require.Equal(t, columns, strings.Count(row, "|"), row)
		}
	})
}

func TestWhole(t *testing.T) {
	for n, want := range map[float64]string{7: "7", 999.4: "999", 1000: "1,000", 291122: "291,122", 1e6: "1,000,000"} {
		assert.Equal(t, want, whole(n))
	}
}

func TestChart(t *testing.T) {
	r := sample(0.25)
	svg, err := drawChart(compare(r.calls, r.builds))
	require.NoError(t, err)
	for _, want := range []string{"10,000 secrets listed: allocations", "÷ cloudflare-go, both with jsonv2", "0.55", "sans-serif"} {
		assert.Contains(t, string(svg), want)
	}
}
