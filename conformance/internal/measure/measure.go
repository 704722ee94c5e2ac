// Package measure times the peers side by side. All peers of a scenario take
// turns in short batches, so that what disturbs the machine disturbs all of them,
// and the ratios of their medians hold where bare times do not.
package measure

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/canned"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/peers"
)

// HandWrittenTuned is the hand-written client with as many idle connections as
// there are callers.
const HandWrittenTuned = "hand-written, tuned transport"

// The names of the scenarios.
const (
	PatchFromMemory   = "patch, answer from memory"
	PatchLoopback     = "patch over loopback"
	PatchConcurrently = "patch over loopback, 64 at once"
	ListFewFromMemory = "list 100 secrets, answers from memory"
	ListFromMemory    = "list 10,000 secrets, answers from memory"
)

// Callers is how many goroutines PatchConcurrently has.
const Callers = 64

// How many secrets ListFewFromMemory and ListFromMemory have.
const (
	ListedFew = 100
	Listed    = 10_000
)

const comment = "rotated by the nightly job"

// Figure is what one peer costs in one scenario, per call.
type Figure struct {
	Scenario    string
	Peer        string
	Nanoseconds float64 // the median of the batches
	Allocations float64
	Bytes       float64
}

// scenario is one thing that several peers do.
type scenario struct {
	name  string
	peers []string
	start func(peer string) func() error // returns one step
	calls int                            // in a step
	batch time.Duration                  // how long a batch takes at least; 0: a step, in a tenth of the rounds
}

// scenarios are all of them; baseURL is where canned answers are served.
func scenarios(baseURL string) []scenario {
	ctx := context.Background()
	few := canned.New(0)
	patch := func(p peers.Peer) func() error {
		return func() error { return p.Patch(ctx, comment) }
	}
	list := func(secrets int) func(string) func() error {
		answers := canned.New(secrets)
		return func(name string) func() error {
			p := peers.New(name, canned.BaseURL, answers)
			return func() error {
				n, err := p.List(ctx)
				if err == nil && n != secrets {
					err = fmt.Errorf("%s listed %d secrets", name, n)
				}
				return err
			}
		}
	}
	return []scenario{
		{PatchFromMemory, peers.Names, func(name string) func() error { return patch(peers.New(name, canned.BaseURL, few)) }, 1, 2 * time.Millisecond},
		{PatchLoopback, peers.Names, func(name string) func() error { return patch(overLoopback(name, baseURL)) }, 1, 10 * time.Millisecond},
		{PatchConcurrently, append(slices.Clone(peers.Names), HandWrittenTuned), func(name string) func() error {
			return concurrently(overLoopback(name, baseURL))
		}, Callers * callsEach, 1},
		{ListFewFromMemory, peers.Names, list(ListedFew), 1, 10 * time.Millisecond},
		{ListFromMemory, peers.Names, list(Listed), 1, 0},
	}
}

// overLoopback makes a peer with a transport of its own, so that no two share
// connections: ours with its default, the others with what net/http gives them.
func overLoopback(name, baseURL string) peers.Peer {
	switch name {
	case peers.Ours:
		return peers.New(name, baseURL, nil)
	case HandWrittenTuned:
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 2*Callers, 2*Callers
		return peers.New(peers.HandWritten, baseURL, t)
	}
	return peers.New(name, baseURL, http.DefaultTransport.(*http.Transport).Clone())
}

// callsEach is how many calls each goroutine makes in a step.
const callsEach = 8

func concurrently(p peers.Peer) func() error {
	return func() error {
		var wg sync.WaitGroup
		errs := make([]error, Callers)
		for i := range Callers {
			wg.Go(func() {
				for range callsEach {
					if err := p.Patch(context.Background(), comment); err != nil {
						errs[i] = err
						return
					}
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// Run measures all scenarios, in so many rounds. baseURL is where canned answers
// are served by another process: its work must not count as the clients'.
func Run(baseURL string, rounds int) ([]Figure, error) {
	var figures []Figure
	for _, s := range scenarios(baseURL) {
		more, err := s.run(rounds)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

func (s scenario) run(rounds int) ([]Figure, error) {
	type runner struct {
		step    func() error
		steps   int
		samples []float64
	}
	runners := make([]*runner, len(s.peers))
	for i, name := range s.peers {
		r := &runner{step: s.start(name)}
		for range 3 { // to warm up
			if err := r.step(); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		began := time.Now()
		for r.steps == 0 || time.Since(began) < s.batch {
			if err := r.step(); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			r.steps++
		}
		runners[i] = r
	}
	if s.batch == 0 {
		rounds = max(7, rounds/10)
	}
	for round := range rounds {
		for i := range runners {
			r := runners[(i+round)%len(runners)]
			began := time.Now()
			for range r.steps {
				if err := r.step(); err != nil {
					return nil, err
				}
			}
			r.samples = append(r.samples, float64(time.Since(began).Nanoseconds())/float64(r.steps*s.calls))
		}
	}
	counted := 5
	if s.batch > 0 && s.calls == 1 {
		counted = 500 // short steps: what the runtime allocates by itself must not show
	}
	figures := make([]Figure, len(runners))
	for i, r := range runners {
		allocations, bytes, err := allocated(r.step, counted)
		if err != nil {
			return nil, err
		}
		slices.Sort(r.samples)
		figures[i] = Figure{
			Scenario: s.name, Peer: s.peers[i], Nanoseconds: r.samples[len(r.samples)/2],
			Allocations: allocations / float64(s.calls), Bytes: bytes / float64(s.calls),
		}
	}
	return figures, nil
}

// allocated counts what a step allocates.
func allocated(step func() error, steps int) (allocations, bytes float64, err error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range steps {
		if err := step(); err != nil {
			return 0, 0, err
		}
	}
	runtime.ReadMemStats(&after)
	n := float64(steps)
	return float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n, nil
}
