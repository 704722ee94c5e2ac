package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/measure"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/peers"
)

// spread is a ratio as the runs gave it.
type spread struct {
	median, low, high float64
	runs              int // 0 says that it was not measured
}

// spreadOf returns the middle and the ends of values, without those that are not
// numbers: a ratio to what was not measured.
func spreadOf(values []float64) spread {
	known := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	if len(known) == 0 {
		return spread{}
	}
	slices.Sort(known)
	n := len(known)
	return spread{(known[(n-1)/2] + known[n/2]) / 2, known[0], known[n-1], n}
}

// figure is a ratio and the bound that the project sets itself; 0 is none.
type figure struct {
	spread
	bound float64
}

// misses compares what the report shows: a hundredth is less than two runs differ by.
func (f figure) misses() bool {
	return f.runs > 0 && f.bound > 0 && math.Round(f.median*100)/100 > f.bound
}

// line is a ratio of ours to another, with both ways to read JSON.
type line struct {
	what, against string
	today, next   figure
	charted       bool
}

func (l line) measured() bool { return l.today.runs > 0 || l.next.runs > 0 }

// side is one side of a ratio of calls.
type side struct {
	scenario, peer string
	of             func(measure.Figure) float64
}

func (s side) in(run []measure.Figure) float64 {
	i := slices.IndexFunc(run, func(f measure.Figure) bool { return f.Scenario == s.scenario && f.Peer == s.peer })
	if i < 0 {
		return math.NaN()
	}
	return s.of(run[i])
}

func duration(f measure.Figure) float64    { return f.Nanoseconds }
func allocations(f measure.Figure) float64 { return f.Allocations }

// What the lines are measured against, where it isn't a peer.
const (
	againstSmallList = "the same, of 100"
	againstPackage   = "cloudflare-go, its package alone"
	againstAll       = "cloudflare-go, as its README shows it"
	againstBare      = "net/http + encoding/json"
)

// compare returns all ratios that the report shows, with the bounds.
func compare(c calls, builds []map[string]built) []line {
	var lines []line
	add := func(what, against string, a, b side, bound, boundNext float64, charted bool) {
		ratios := func(runs [][]measure.Figure) spread {
			var values []float64
			for _, run := range runs {
				values = append(values, a.in(run)/b.in(run))
			}
			return spreadOf(values)
		}
		lines = append(lines, line{what, against, figure{ratios(c.today), bound}, figure{ratios(c.next), boundNext}, charted})
	}
	calls := func(what, scenario, against string, of func(measure.Figure) float64, bound, boundNext float64, charted bool) {
		add(what, against, side{scenario, peers.Ours, of}, side{scenario, against, of}, bound, boundNext, charted)
	}
	calls("a patch, answer from memory: time", measure.PatchFromMemory, peers.HandWritten, duration, 1.1, 0, true)
	calls("a patch, answer from memory: time", measure.PatchFromMemory, peers.CloudflareGo, duration, 0.35, 0.3, true)
	calls("a patch, answer from memory: allocations", measure.PatchFromMemory, peers.HandWritten, allocations, 1, 0, true)
	calls("a patch, answer from memory: allocations", measure.PatchFromMemory, peers.CloudflareGo, allocations, 0.35, 0.3, true)
	calls("a patch over loopback: time", measure.PatchLoopback, peers.HandWritten, duration, 1.05, 0, true)
	calls("a patch over loopback: time", measure.PatchLoopback, peers.CloudflareGo, duration, 0, 0, true)
	calls("64 at once over loopback: time", measure.PatchConcurrently, measure.HandWrittenTuned, duration, 1.05, 0, true)
	calls("64 at once over loopback: time", measure.PatchConcurrently, peers.HandWritten, duration, 0, 0, false)
	calls("64 at once over loopback: time", measure.PatchConcurrently, peers.CloudflareGo, duration, 0.5, 0, true)
	calls("10,000 secrets listed: time", measure.ListFromMemory, peers.HandWritten, duration, 0, 0, true)
	calls("10,000 secrets listed: time", measure.ListFromMemory, peers.CloudflareGo, duration, 0, 0, true)
	calls("10,000 secrets listed: allocations", measure.ListFromMemory, peers.HandWritten, allocations, 0, 0, true)
	calls("10,000 secrets listed: allocations", measure.ListFromMemory, peers.CloudflareGo, allocations, 0, 0, true)
	add("allocations per secret, 10,000 listed", againstSmallList,
		side{measure.ListFromMemory, peers.Ours, perSecret(measure.Listed)},
		side{measure.ListFewFromMemory, peers.Ours, perSecret(measure.ListedFew)}, 1.02, 1.02, false)
	return append(lines, compareBuilds(builds)...)
}

func perSecret(secrets float64) func(measure.Figure) float64 {
	return func(f measure.Figure) float64 { return f.Allocations / secrets }
}

// part is something that a build is measured by.
type part struct {
	name string
	of   func(built) float64
}

var (
	wall   = part{"cold build of a minimal program: time", func(b built) float64 { return b.wall.Seconds() }}
	cpu    = part{"cold build: CPU time", func(b built) float64 { return b.cpu.Seconds() }}
	memory = part{"cold build: memory of the largest process", func(b built) float64 { return float64(b.memory) }}
	size   = part{"minimal program: stripped size", func(b built) float64 { return float64(b.size) }}
)

func compareBuilds(builds []map[string]built) []line {
	var lines []line
	for _, p := range []struct {
		part
		bound float64
	}{{wall, 1.15}, {memory, 0}, {size, 1.1}} {
		for _, other := range []struct{ program, against string }{
			{bare, againstBare}, {cloudflarePackage, againstPackage}, {cloudflareAll, againstAll},
		} {
			l := line{what: p.name, against: other.against, charted: true}
			l.today.spread = buildRatio(builds, p.part, ours, other.program)
			if other.program == bare {
				l.today.bound = p.bound
			}
			lines = append(lines, l)
		}
	}
	return lines
}

// buildRatio compares two programs in the rounds in which both were built.
func buildRatio(builds []map[string]built, p part, program, other string) spread {
	var values []float64
	for _, round := range builds {
		a, ok := round[program]
		b, both := round[other]
		if ok && both {
			values = append(values, p.of(a)/p.of(b))
		}
	}
	return spreadOf(values)
}

// missed says which bounds did not hold.
func missed(lines []line) []string {
	var all []string
	for _, l := range lines {
		for _, f := range []struct {
			figure
			how string
		}{{l.today, ""}, {l.next, " (jsonv2)"}} {
			if f.misses() {
				all = append(all, fmt.Sprintf("%s%s: %.2f × %s, bound %.2f ×", l.what, f.how, f.median, l.against, f.bound))
			}
		}
	}
	return all
}

// bounds counts the bounds of which it is known whether they hold.
func bounds(lines []line) (n int) {
	for _, l := range lines {
		for _, f := range []figure{l.today, l.next} {
			if f.runs > 0 && f.bound > 0 {
				n++
			}
		}
	}
	return n
}
