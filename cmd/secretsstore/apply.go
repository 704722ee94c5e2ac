package main

import (
	"context"
	"errors"
	"iter"
	"math"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

// maxAge is how old the state of a secret may be when a patch is derived from it.
const maxAge = time.Minute

// A patcher applies patches to the secrets of a store.
type patcher struct {
	client   *secretsstore.Client
	store    string
	read     time.Time // when the secrets were read
	maxAge   time.Duration
	progress *progress
}

// apply applies patches until the end of intake, and returns when none is in flight. It
// returns why it did not reach all of them, if there is a reason.
func (p *patcher) apply(ctx, intake context.Context, changes []*change) error {
	p.client = patient(p.client)
	intake, stop := context.WithCancelCause(intake)
	defer stop(nil)
	byID := make(map[string]*change, len(changes))
	for _, c := range changes {
		byID[c.ID] = c
	}
	for r := range p.client.Secrets.PatchEach(ctx, p.items(ctx, intake, changes), nil) {
		if r.Index < 0 {
			return r.Err
		}
		if errors.As(r.Err, new(*secretsstore.WaitError)) { // the others would have to wait too
			stop(r.Err)
		}
		if isUnsent(ctx, r.Err) {
			continue
		}
		byID[r.Item.SecretID].finish(r.Err)
		p.progress.step()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return context.Cause(intake)
}

// patient returns a client whose calls wait for the rate limit until the context ends, as
// those of PatchEach do.
func patient(client *secretsstore.Client) *secretsstore.Client {
	return client.With(secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxWait: math.MaxInt64}))
}

// isUnsent reports whether err is that of a patch that was not sent because ctx has ended
// or ends before the rate limit would allow it.
func isUnsent(ctx context.Context, err error) bool {
	if err == nil || errors.Is(err, secretsstore.ErrOutcomeUnknown) {
		return false
	}
	return errors.As(err, new(*secretsstore.WaitError)) || ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// items returns the patches that are still necessary, until intake ends.
func (p *patcher) items(ctx, intake context.Context, changes []*change) iter.Seq[secretsstore.PatchItem] {
	return func(yield func(secretsstore.PatchItem) bool) {
		for _, c := range changes {
			if intake.Err() != nil {
				return
			}
			if c.plan != nil && time.Since(p.read) >= p.maxAge && !p.refresh(ctx, c) {
				p.progress.step()
				continue
			}
			if !yield(secretsstore.PatchItem{StoreID: p.store, SecretID: c.ID, Patch: c.patch}) {
				return
			}
		}
	}
}

// refresh derives a patch from the present state of its secret, so that it does not undo
// what others changed since the plan was made. It reports whether to send the patch.
func (p *patcher) refresh(ctx context.Context, c *change) bool {
	secret, _, err := p.client.Secrets.Get(ctx, p.store, c.ID)
	if isUnsent(ctx, err) {
		return false
	}
	if err == nil {
		c.patch, err = c.plan(secret)
	}
	if err != nil || isPatchEmpty(c.patch) {
		c.finish(err)
		return false
	}
	return true
}
