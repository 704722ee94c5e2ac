package secretsstore

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// A PatchItem is one of the patches of [SecretsService.PatchEach].
type PatchItem struct {
	AccountID string // "" means the client's account
	StoreID   string
	SecretID  string
	Patch     SecretPatch
}

// A PatchResult is the result of a [PatchItem].
type PatchResult struct {
	Index    int // the position of Item in patches; -1 if an argument of PatchEach is invalid
	Item     PatchItem
	Secret   *Secret   // nil if Err is non-nil
	Response *Response // nil if no response was received
	Err      error
}

// PatchEachOptions are the options of [SecretsService.PatchEach].
type PatchEachOptions struct {
	Concurrency int // the maximum number of patches in flight; 0 means 8
}

const defaultConcurrency = 8

// PatchEach patches many secrets. It reads patches lazily, keeps at most Concurrency in
// flight, and yields results in completion order. Two patches of one secret run in any
// order. If each is nil, Concurrency is 8. Only ctx bounds the waits for the rate limit and
// for Retry-After, unless an option sets MaxWait.
//
// The error of a patch does not affect the others. After two results that match
// [ErrUnauthorized] without a success in between, and after ctx has ended, PatchEach reads
// no more patches. Patches in flight still yield their results.
//
// To stop gracefully, end the sequence. To abort, cancel ctx: the errors of patches in flight
// match [ErrOutcomeUnknown] if they may have been applied. Breaking out of the loop cancels
// the patches in flight and waits for them, and for the sequence if it is blocked. The
// sequence runs in a different goroutine from the loop. A panic in it, or in other code of
// the caller, propagates to the caller's goroutine.
//
// An invalid argument of PatchEach itself yields one result, with Index -1.
func (s *SecretsService) PatchEach(ctx context.Context, patches iter.Seq[PatchItem], each *PatchEachOptions, opts ...RequestOption) iter.Seq[PatchResult] {
	return func(yield func(PatchResult) bool) {
		concurrency, err := s.checkPatchEach(ctx, patches, each, opts)
		if err != nil {
			yield(PatchResult{Index: -1, Err: err})
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		p := &patcher{
			secrets: s, ctx: ctx, cancel: cancel,
			opts:    append([]RequestOption{unlimitedWait{}}, opts...),
			idle:    concurrency,
			lock:    make(chan struct{}, 1),
			results: make(chan PatchResult),
		}
		defer p.end()
		go func() { // the caller's goroutine can be locked to its thread, which iter.Pull does not allow
			defer close(p.results)
			p.run(func() {
				next, stop := iter.Pull(patches)
				defer stop()
				p.next = next
				p.startWorker()
				p.workers.Wait()
			})
		}()
		for result := range p.results {
			if !yield(result) {
				return
			}
		}
	}
}

func (s *SecretsService) checkPatchEach(ctx context.Context, patches iter.Seq[PatchItem], each *PatchEachOptions, opts []RequestOption) (concurrency int, err error) {
	if each != nil {
		concurrency = each.Concurrency
	}
	switch {
	case ctx == nil:
		return 0, invalid("context", "must not be nil")
	case patches == nil:
		return 0, invalid("patches", "must not be nil")
	case concurrency < 0:
		return 0, invalid("concurrency", "must not be negative")
	}
	options := s.core.defaults().with(opts)
	return cmp.Or(concurrency, defaultConcurrency), options.err
}

// A patcher is the state of one iteration of PatchEach. Its workers read the sequence themselves, one at a
// time, so that nothing is read before it can be sent.
type patcher struct {
	secrets *SecretsService
	ctx     context.Context
	cancel  context.CancelFunc
	opts    []RequestOption
	results chan PatchResult
	workers sync.WaitGroup
	refused atomic.Int32               // results that match ErrUnauthorized since the last success
	escaped atomic.Pointer[workerExit] // the first early exit of a worker

	lock  chan struct{} // held to use the fields below; a channel, so that synctest knows that it blocks
	next  func() (PatchItem, bool)
	index int
	idle  int // workers that can be started
}

// A workerExit records how user code ended a worker: with a panic or, if value is nil, with
// runtime.Goexit.
type workerExit struct{ value any }

const maxRefused = 2

// startWorker starts a worker. The caller holds the lock, or no worker runs yet.
func (p *patcher) startWorker() {
	p.idle--
	p.workers.Add(1)
	go p.work()
}

func (p *patcher) work() {
	defer p.workers.Done()
	p.run(func() {
		for result, ok := p.take(); ok; result, ok = p.take() {
			p.patch(&result)
			p.results <- result
		}
	})
}

// run calls f, and records how user code ended it early.
func (p *patcher) run(f func()) {
	returned := false
	defer func() {
		if !returned {
			p.escaped.CompareAndSwap(nil, &workerExit{recover()})
			p.cancel()
		}
	}()
	f()
	returned = true
}

// take reads the next patch. It reports false if there is none or no more are to be read.
func (p *patcher) take() (result PatchResult, ok bool) {
	p.lock <- struct{}{}
	defer func() { <-p.lock }()
	if p.ctx.Err() != nil || p.refused.Load() >= maxRefused {
		return result, false
	}
	item, ok := p.next()
	if !ok {
		return result, false
	}
	if item.Patch.Comment != nil {
		item.Patch.Comment = Ptr(*item.Patch.Comment)
	}
	item.Patch.Scopes = slices.Clone(item.Patch.Scopes)
	result.Index, result.Item = p.index, item
	p.index++
	if p.idle > 0 {
		p.startWorker()
	}
	return result, true
}

// patch makes the call for a result.
func (p *patcher) patch(result *PatchResult) {
	item, opts := &result.Item, p.opts
	if item.AccountID != "" {
		opts = append(slices.Clip(opts), WithAccountID(item.AccountID))
	}
	result.Secret, result.Response, result.Err = p.secrets.Patch(p.ctx, item.StoreID, item.SecretID, item.Patch, opts...)
	if result.Err == nil {
		p.refused.CompareAndSwap(maxRefused-1, 0) // once it is maxRefused, it remains
	} else if errors.Is(result.Err, ErrUnauthorized) {
		p.refused.Add(1)
	}
}

// end cancels the patches in flight, waits for all workers, and repeats the panic or Goexit
// that ended one of them.
func (p *patcher) end() {
	p.cancel()
	for range p.results { // nobody reads these anymore
	}
	if exit := p.escaped.Load(); exit != nil {
		if exit.value == nil {
			runtime.Goexit()
		}
		panic(exit.value)
	}
}
