package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

// application is the carrying out of a plan.
type application struct {
	plan        *plan
	client      *secretsstore.Client
	journal     *journal // nil: none
	concurrency int
	maxAge      time.Duration // how old what the scopes are worked out from may be

	items map[string]item // by id

	// What follows is reached from where patches are taken, where their results come,
	// and where interrupts are waited for.
	mu         sync.Mutex
	progress   progress
	stopped    bool // no more patches are taken
	fatal      error
	patched    int
	kept       int // as they should be when they were looked at again
	recomputed int // patched otherwise than planned
	failed     []problem
	took       time.Duration
}

func newApplication(p *plan, client *secretsstore.Client, j *journal) *application {
	a := &application{plan: p, client: client, journal: j, items: make(map[string]item, len(p.items))}
	for _, it := range p.items {
		a.items[it.ID] = it
	}
	return a
}

// run patches what is planned. An error says that something of it is not done.
func (a *application) run(ctx context.Context, con console) error {
	a.progress = newProgress(con, len(a.plan.items))
	for _, same := range a.plan.unchanged {
		a.note(a.journal.done(same.ID, true))
	}
	for _, bad := range a.plan.impossible {
		a.failed = append(a.failed, bad)
		a.note(a.journal.failed(bad.ID, bad.err))
	}

	began := time.Now()
	if len(a.plan.items) > 0 {
		a.patchAll(ctx, con)
	}
	a.took = time.Since(began)
	a.progress.end()
	a.note(a.journal.close())

	left := a.left()
	switch {
	case a.fatal != nil:
		return a.fatal
	case left > 0 && len(a.failed) > 0:
		return fmt.Errorf("%d failed, %d not reached", len(a.failed), left)
	case left > 0:
		return fmt.Errorf("%d not reached", left)
	case len(a.failed) > 0:
		return fmt.Errorf("%d failed", len(a.failed))
	}
	return nil
}

func (a *application) patchAll(ctx context.Context, con console) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	caught, release := con.interrupts()
	ended := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer release()
		select {
		case <-caught:
			a.stop()
			a.say("Stopping: waiting for the patches in flight; once more cancels them.")
		case <-ended:
			return
		}
		select {
		case <-caught:
			cancel()
		case <-ended:
		}
	})
	defer waiting.Wait()
	defer close(ended)

	patches := func(yield func(secretsstore.PatchItem) bool) { a.take(ctx, yield) }
	for result := range a.client.Secrets.PatchEach(ctx, patches, &secretsstore.PatchEachOptions{Concurrency: a.concurrency}) {
		a.settle(ctx, result)
	}
}

// take yields the patches until there are none, or the run is stopped.
func (a *application) take(ctx context.Context, yield func(secretsstore.PatchItem) bool) {
	for _, it := range a.plan.items {
		if a.isStopped() {
			return
		}
		patch, ok := a.current(ctx, it)
		if !ok {
			continue
		}
		if a.isStopped() || !yield(secretsstore.PatchItem{StoreID: a.plan.job.Store, SecretID: it.ID, Patch: patch}) {
			return
		}
	}
}

// current returns the patch of a secret, worked out from how the secret is now
// where the plan is too old for that. ok is false if there is nothing to send.
func (a *application) current(ctx context.Context, it item) (patch secretsstore.SecretPatch, ok bool) {
	if !a.plan.job.Change.relative() || time.Since(a.plan.read) < a.maxAge {
		return it.patch, true
	}
	now, _, err := a.client.Secrets.Get(ctx, a.plan.job.Store, it.ID)
	if err == nil {
		patch, ok, err = a.plan.job.Change.patch(now)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case ctx.Err() != nil && err != nil:
		return patch, false
	case err != nil:
		// Credentials that are refused once are refused always; PatchEach does not see
		// this answer.
		a.stopped = a.stopped || errors.Is(err, secretsstore.ErrUnauthorized) || errors.Is(err, secretsstore.ErrNoCredentials)
		a.failedLocked(problem{it.planned, err})
		return patch, false
	case !ok:
		a.kept++
		a.progress.step(false)
		a.noteLocked(a.journal.done(it.ID, true))
		return patch, false
	}
	if !samePatch(patch, it.patch) {
		a.recomputed++
	}
	return patch, true
}

// settle takes the result of a patch.
func (a *application) settle(ctx context.Context, result secretsstore.PatchResult) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch err := result.Err; {
	case err == nil:
		a.patched++
		a.progress.step(false)
		a.noteLocked(a.journal.done(result.Item.SecretID, false))
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		// It is left, and the journal has it so.
	default:
		a.failedLocked(problem{a.items[result.Item.SecretID].planned, err})
	}
}

func (a *application) failedLocked(bad problem) {
	a.failed = append(a.failed, bad)
	a.progress.step(true)
	a.noteLocked(a.journal.failed(bad.ID, bad.err))
}

// noteLocked ends the taking where the journal can't be written: what is patched
// from then on would be patched again.
func (a *application) noteLocked(err error) {
	if err != nil && a.fatal == nil {
		a.fatal, a.stopped = err, true
	}
}

func (a *application) note(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.noteLocked(err)
}

func (a *application) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
}

func (a *application) isStopped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopped
}

func (a *application) say(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress.say(line)
}

// left is how many secrets nothing is known of.
func (a *application) left() int {
	return len(a.plan.items) + len(a.plan.impossible) - a.patched - a.kept - len(a.failed)
}

// listed is how many failures are shown; a journal has them all.
const listed = 50

func (a *application) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "Patched:\t%d in %v", a.patched, a.took.Round(10*time.Millisecond))
	if a.recomputed > 0 {
		fmt.Fprintf(w, ", %d otherwise than planned, since they had changed", a.recomputed)
	}
	fmt.Fprintf(w, "\nUnchanged:\t%d\nFailed:\t%d\nNot reached:\t%d\n", len(a.plan.unchanged)+a.kept, len(a.failed), a.left())
	w.Flush()
	if len(a.failed) == 0 {
		return
	}
	fmt.Fprintln(out, "\nFailed:")
	most := listed
	if a.journal == nil {
		most = len(a.failed)
	}
	printProblems(w, a.failed, most)
	w.Flush()
}

func samePatch(a, b secretsstore.SecretPatch) bool {
	return slices.Equal(a.Scopes, b.Scopes) && (a.Comment == nil) == (b.Comment == nil)
}
