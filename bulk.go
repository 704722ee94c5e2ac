package secretsstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// PatchRequest is one patch of many; see [SecretsService.PatchAll].
type PatchRequest struct {
	// AccountID is the account of the store; "" is the client's, or that of [ForAccount].
	AccountID string
	StoreID   string
	SecretID  string
	Patch     SecretPatch
}

// PatchResult is what became of one patch of many.
type PatchResult struct {
	Request PatchRequest
	Secret  *Secret // nil where Err is not
	Err     error   // of this patch alone; ErrNotTried where it was not sent
}

// BulkOptions say how PatchAll works.
type BulkOptions struct {
	// Concurrency is how many patches are in flight at most; 0 means 8.
	Concurrency int
}

const (
	defaultConcurrency = 8
	maxWaitingResults  = 256 // done and not yet yielded, without holding up a worker
)

// PatchAll patches many secrets. It takes the patches one by one as it goes, from a
// goroutine of its own, has at most Concurrency of them in flight, and yields a
// result for each that it took, in the order in which they are done. It holds no
// more than what is in flight.
//
// A patch that fails does not stop the others; its error is in its result. Where an
// answer shows that none can succeed, since the credentials are refused, PatchAll
// takes no more patches, and those that were taken and not sent yield
// [ErrNotTried].
//
// Breaking off the loop stops the taking and cancels what is in flight: those
// patches may or may not be done. The end of ctx does the same, but what was taken
// still yields its result. No goroutine is left when the loop ends; so a source of
// patches that blocks holds up the end until it gives a patch or returns.
//
// opts hold for each patch. A nil patches, or a Concurrency below 0, is yielded
// once as [ErrInvalidArgument].
func (s *SecretsService) PatchAll(ctx context.Context, patches iter.Seq[PatchRequest], bulk BulkOptions, opts ...RequestOption) iter.Seq[PatchResult] {
	return func(yield func(PatchResult) bool) {
		switch {
		case ctx == nil:
			yield(PatchResult{Err: invalid("context is nil")})
			return
		case patches == nil:
			yield(PatchResult{Err: invalid("patches is nil")})
			return
		case bulk.Concurrency < 0:
			yield(PatchResult{Err: invalid("concurrency is %d: it can't be below 0", bulk.Concurrency)})
			return
		}
		concurrency := cmp.Or(bulk.Concurrency, defaultConcurrency)
		run := &bulkRun{
			secrets:  s,
			slots:    make(chan struct{}, concurrency),
			requests: make(chan PatchRequest),
			results:  make(chan PatchResult, min(concurrency, maxWaitingResults)),
		}
		var cancel context.CancelFunc
		run.ctx, cancel = context.WithCancel(ctx)
		run.taking, run.stopTaking = context.WithCancel(run.ctx)
		run.opts = append(slices.Clone(opts), waitWithin(run.taking))
		defer run.end(cancel)
		go run.take(patches)
		for result := range run.results {
			if !yield(result) {
				return
			}
			<-run.slots
		}
	}
}

// bulkRun is one loop over PatchAll.
type bulkRun struct {
	secrets *SecretsService
	opts    []RequestOption

	ctx        context.Context // of the patches in flight
	taking     context.Context // of the taking, and of the waits before a patch is sent
	stopTaking context.CancelFunc

	slots    chan struct{}     // one is held from the taking of a patch until its result was yielded
	requests chan PatchRequest // to the workers that are free
	results  chan PatchResult
	panic    any // what the source of the patches panicked with
}

// take takes patches while there are free slots, and closes results when all that
// were taken are done. Workers are started as they are needed, and kept: a goroutine
// for each patch would grow its stack each time.
func (r *bulkRun) take(patches iter.Seq[PatchRequest]) {
	var workers sync.WaitGroup
	defer func() {
		r.panic = recover()
		close(r.requests)
		workers.Wait()
		close(r.results)
	}()
	if !r.freeSlot() {
		return
	}
	started := 0
	for request := range patches {
		if started < cap(r.slots) {
			select {
			case r.requests <- request:
			default:
				started++
				workers.Go(func() { r.work(request) })
			}
		} else {
			// With as many workers as slots, one of which this patch holds, one of them
			// is free, or about to be.
			r.requests <- request
		}
		if !r.freeSlot() {
			return
		}
	}
}

func (r *bulkRun) work(request PatchRequest) {
	for more := true; more; request, more = <-r.requests {
		r.results <- r.patch(request)
	}
}

// freeSlot waits for a slot; it says false where no more are to be taken.
func (r *bulkRun) freeSlot() bool {
	select {
	case r.slots <- struct{}{}:
		// Of contexts that end together the outer one ends first, and what is in flight
		// may free its slot before taking ends.
		return r.ctx.Err() == nil && r.taking.Err() == nil
	case <-r.taking.Done():
		return false
	}
}

func (r *bulkRun) patch(request PatchRequest) PatchResult {
	opts := r.opts
	if request.AccountID != "" {
		opts = append(slices.Clip(opts), ForAccount(request.AccountID))
	}
	secret, _, err := r.secrets.Patch(r.ctx, request.StoreID, request.SecretID, request.Patch, opts...)
	switch {
	case isRefused(err):
		r.stopTaking()
	case err != nil && r.taking.Err() != nil && r.ctx.Err() == nil && isUntried(err):
		err = fmt.Errorf("secretsstore: store %s, secret %s: %w: the credentials are refused", request.StoreID, request.SecretID, ErrNotTried)
	}
	return PatchResult{Request: request, Secret: secret, Err: err}
}

// isRefused is about answers that every other patch would get too.
func isRefused(err error) bool {
	if errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrNoCredentials) {
		return true
	}
	var apiErr *APIError
	return errors.As(err, &apiErr) && slices.ContainsFunc(apiErr.Errors, func(d ErrorDetail) bool { return d.Message == "Invalid access token" })
}

// isUntried says whether a call was cancelled before its first attempt.
func isUntried(err error) bool {
	var requestErr *RequestError
	return errors.As(err, &requestErr) && requestErr.Attempts == 0 && errors.Is(err, context.Canceled)
}

// end ends what is in flight, and returns when no goroutine is left.
func (r *bulkRun) end(cancel context.CancelFunc) {
	cancel()
	for range r.results {
		// Nobody waits for these any more.
	}
	if r.panic != nil {
		panic(r.panic)
	}
}
