package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/measure"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/peers"
)

const chartName = "performance.svg"

// results are what a run of the report found, and where.
type results struct {
	date                              time.Time
	goVersion, platform, cloudflareGo string
	cpus                              int
	calls                             calls
	builds                            []map[string]built
}

// document is the page, in Markdown.
func document(r results, lines []line) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("<!-- Written by `go run ./report` in conformance/. What is changed here is lost in its next run. -->\n")
	p("# Performance\n")
	if all := missed(lines); len(all) > 0 {
		p("**%d of the %d bounds below were missed in this run:**\n", len(all), bounds(lines))
		for _, m := range all {
			p("- %s", m)
		}
		p("")
	} else {
		p("All %d bounds below held in this run.\n", bounds(lines))
	}
	p("![Bar chart: what the client costs as a ratio to hand-written code and to cloudflare-go](%s)\n", chartName)
	p("Measured on %s with %s on %s with %s, against cloudflare-go %s. %s\n",
		r.date.Format(time.DateOnly), r.goVersion, r.platform, count(r.cpus, "CPU"), r.cloudflareGo, howOften(r))
	p(compared)
	p("## Ratios\n")
	p("Each is this client's cost divided by that of what it is measured against: less than 1 is cheaper. " +
		"It is the median of the runs, with the lowest and the highest behind it where they differ. " +
		"A bound is what the project sets itself; it is compared with the ratio as it is shown.\n")
	p("| What | Against | `encoding/json` | Bound | | `jsonv2` | Bound | |")
	p("|---|---|--:|--:|---|--:|--:|---|")
	for _, l := range lines {
		if l.measured() {
			p("| %s | %s | %s | %s |", l.what, l.against, l.today.cells(), l.next.cells())
		}
	}
	p("\n## Allocations\n")
	p("For each call, and the memory in them; counted over many calls, so that pools and connections are warm.\n")
	head := append(append([]string(nil), peers.Names...), measure.HandWrittenTuned)
	p("| What | JSON | %s |", strings.Join(head, " | "))
	p("|---|---|%s", strings.Repeat("--:|", len(head)))
	for _, scenario := range []string{
		measure.PatchFromMemory, measure.PatchLoopback, measure.PatchConcurrently, measure.ListFewFromMemory, measure.ListFromMemory,
	} {
		p("| %s | `encoding/json` | %s |", scenario, allocationCells(r.calls.today, scenario, head))
		p("| %s | `jsonv2` | %s |", scenario, allocationCells(r.calls.next, scenario, head))
	}
	p("\nFor each listed secret:\n")
	p("| What | JSON | %s |", strings.Join(peers.Names, " | "))
	p("|---|---|%s", strings.Repeat("--:|", len(peers.Names)))
	for _, list := range []struct {
		scenario string
		secrets  float64
	}{{measure.ListFewFromMemory, measure.ListedFew}, {measure.ListFromMemory, measure.Listed}} {
		p("| %s | `encoding/json` | %s |", list.scenario, perSecretCells(r.calls.today, list.scenario, list.secrets))
		p("| %s | `jsonv2` | %s |", list.scenario, perSecretCells(r.calls.next, list.scenario, list.secrets))
	}
	p("\n## Minimal programs\n")
	if len(r.builds) == 0 {
		p("Their builds were left out of this run.\n")
	} else {
		p("Each patches one secret. They are built with nothing compiled before, the standard library included, " +
			"without cgo, with `-trimpath -ldflags='-s -w'`. Time is that of the wall; memory is that of the largest process of the build; " +
			"ratios are to the first program.\n")
		p("| Program | Build time | CPU time | Memory | | Size | |")
		p("|---|--:|--:|--:|--:|--:|--:|")
		for _, row := range []struct{ program, name string }{
			{bare, "net/http and encoding/json alone"},
			{ours, "secretsstore-go"},
			{cloudflarePackage, "cloudflare-go, its package secrets_store alone"},
			{cloudflareAll, "cloudflare-go, as its README shows it"},
		} {
			p("| %s | %s |", row.name, buildCells(r.builds, row.program))
		}
		p("")
	}
	p(howToRun)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

const compared = `## What is compared

- **secretsstore-go** is this client as ` + "`NewClient`" + ` makes it: retries, pacing and logging at their defaults.
- **cloudflare-go** is Cloudflare's own SDK, through its package ` + "`secrets_store`" + `.
- **hand-written** is what a careful engineer writes who needs two calls and wants no library: net/http and encoding/json, with a timeout, a bound on the answer, and a check of status and envelope (` + "`conformance/internal/handwritten`" + `). It does not retry and keeps to no limit. With a tuned transport it keeps as many idle connections as there are callers; net/http's own keeps two.

A patch sends a comment and two scopes, and reads the secret that comes back. *From memory* means that a transport answers without a socket: what is left is the client's own work. *Over loopback* a server answers in a process of its own. A list is read to its end, 100 secrets a page.

` + "`jsonv2`" + ` is the next encoding/json, which all three get when they are built with ` + "`GOEXPERIMENT=jsonv2`" + `.
`

const howToRun = `## How to run it

` + "```sh" + `
cd conformance && go run ./report
` + "```" + `

It takes some minutes on a machine that should have nothing else to do, and writes this page. ` + "`-skip-builds`" + ` leaves out the minimal programs, ` + "`-skip-slow`" + ` the one that imports all of cloudflare-go; ` + "`-runs`, `-batches` and `-builds`" + ` say how often. In a run the clients take turns in short batches, and the builds take turns too, so that what disturbs the machine disturbs all of them; a ratio is of figures from the same run. Bare times are not shown: they say more about the machine than about the code.
`

func howOften(r results) string {
	s := fmt.Sprintf("The calls were measured in %s", count(len(r.calls.today), "run"))
	if len(r.builds) == 0 {
		return s + "."
	}
	s += fmt.Sprintf("; the minimal programs with secretsstore-go and without a library were built %s", times(len(r.builds)))
	if len(r.builds) > 1 {
		s += ", those with cloudflare-go once"
	}
	if _, ok := r.builds[len(r.builds)-1][cloudflareAll]; !ok {
		s += "; the one that imports all of cloudflare-go was left out"
	}
	return s + "."
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// none is the cell of what has no value.
const none = "–"

// cells are the ratio, its bound, and whether it held.
func (f figure) cells() string {
	switch {
	case f.runs == 0:
		return none + " | |"
	case f.bound == 0:
		return f.spread.String() + " | |"
	case f.misses():
		return fmt.Sprintf("%s | ≤ %.2f | **missed**", f.spread, f.bound)
	}
	return fmt.Sprintf("%s | ≤ %.2f | held", f.spread, f.bound)
}

func (s spread) String() string {
	low, high := fmt.Sprintf("%.2f", s.low), fmt.Sprintf("%.2f", s.high)
	if low == high {
		return low
	}
	return fmt.Sprintf("%.2f (%s–%s)", s.median, low, high)
}

// over is the spread of one peer's figure over the runs.
func over(runs [][]measure.Figure, s side) spread {
	var values []float64
	for _, run := range runs {
		values = append(values, s.in(run))
	}
	return spreadOf(values)
}

func allocationCells(runs [][]measure.Figure, scenario string, names []string) string {
	var cells []string
	for _, name := range names {
		n := over(runs, side{scenario, name, allocations})
		bytes := over(runs, side{scenario, name, func(f measure.Figure) float64 { return f.Bytes }})
		if n.runs == 0 {
			cells = append(cells, none)
			continue
		}
		cells = append(cells, fmt.Sprintf("%s (%s)", whole(n.median), bytesCell(bytes.median)))
	}
	return strings.Join(cells, " | ")
}

func perSecretCells(runs [][]measure.Figure, scenario string, secrets float64) string {
	var cells []string
	for _, name := range peers.Names {
		cells = append(cells, fmt.Sprintf("%.2f", over(runs, side{scenario, name, perSecret(secrets)}).median))
	}
	return strings.Join(cells, " | ")
}

// buildCells are ratios to the bare program, and what a reader can imagine.
func buildCells(builds []map[string]built, program string) string {
	ratio := func(p part) string { return buildRatio(builds, p, program, bare).String() + " ×" }
	amount := func(p part) float64 {
		var values []float64
		for _, round := range builds {
			if b, ok := round[program]; ok {
				values = append(values, p.of(b))
			}
		}
		return spreadOf(values).median
	}
	if amount(size) == 0 {
		return strings.TrimSuffix(strings.Repeat(none+" | ", 6), " | ")
	}
	mb, resident := none, none
	if bytes := amount(memory); bytes > 0 {
		mb, resident = bytesCell(bytes), ratio(memory)
	}
	return strings.Join([]string{ratio(wall), ratio(cpu), mb, resident, bytesCell(amount(size)), ratio(size)}, " | ")
}

func bytesCell(n float64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f kB", n/1e3)
	}
	return fmt.Sprintf("%.1f MB", n/1e6)
}

// whole writes a number as people do, with a comma before each three digits.
func whole(n float64) string {
	s := fmt.Sprintf("%.0f", n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
