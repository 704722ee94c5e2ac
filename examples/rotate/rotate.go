package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

// rotation is what is to be done to a secret.
type rotation struct {
	store, secret      string
	oldValue, newValue source
	check              check

	// timeout is for becoming active, and for each command.
	timeout         time.Duration
	rollbackTimeout time.Duration
}

// check says whether the new value is good.
type check func(ctx context.Context, con *console, newValue secretsstore.SecretValue) error

// How long it waits between two looks at a secret that is pending.
const (
	firstWait   = 500 * time.Millisecond
	longestWait = 10 * time.Second
)

// rollbackAttempts are more than a call usually has, as what follows from the
// failure of a roll back is worse. The waits between them end with rollbackTimeout.
const rollbackAttempts = 10

// state is which value the secret has when the program ends.
type state string

const (
	untouched  state = "nothing was changed: the secret has the old value"
	rolledBack state = "rolled back: the secret has the old value"
	hasNew     state = "the secret has the new value"
	eitherOne  state = "it is not known whether the secret has the old or the new value"
	gone       state = "the secret is not there any more"
)

// failure is the error of a rotation that did not end with the new value in use.
type failure struct {
	stage    string
	err      error
	rollback error // why rolling back failed, if it was tried and did
	state    state
}

// Error says where it failed, why, and which value the secret has now.
func (f *failure) Error() string {
	s := fmt.Sprintf("%s: %v; ", f.stage, f.err)
	if f.rollback != nil {
		s += fmt.Sprintf("rolling back: %v; ", f.rollback)
	}
	return s + string(f.state)
}

// Unwrap returns the errors of the stage and of rolling back.
func (f *failure) Unwrap() []error {
	if f.rollback == nil {
		return []error{f.err}
	}
	return []error{f.err, f.rollback}
}

// run rotates the secret. Its error is a *failure.
func (r *rotation) run(ctx context.Context, client *secretsstore.Client, con *console) error {
	// A wrong id is found before a command is run that may make something.
	secret, _, err := client.Secrets.Get(ctx, r.store, r.secret)
	if err != nil {
		return &failure{stage: "looking at the secret", err: err, state: untouched}
	}
	oldValue, err := r.oldValue(ctx, con)
	if err != nil {
		return &failure{stage: "getting the old value", err: err, state: untouched}
	}
	newValue, err := r.newValue(ctx, con)
	if err != nil {
		return &failure{stage: "getting the new value", err: err, state: untouched}
	}
	if newValue.Reveal() == oldValue.Reveal() {
		return &failure{stage: "getting the new value", err: errors.New("it is the old value"), state: untouched}
	}

	con.say("Patching %s with the new value.", secret.Name)
	patched, done, err := r.patch(ctx, client, newValue)
	switch {
	case err != nil && done == doneNever:
		return &failure{stage: "patching the new value", err: err, state: untouched}
	case err != nil:
		return r.rollBack(ctx, client, con, oldValue, &failure{stage: "patching the new value", err: err, state: eitherOne})
	}
	if err := r.waitActive(ctx, client, con, patched.Status); err != nil {
		return r.rollBack(ctx, client, con, oldValue, &failure{stage: "waiting until the secret is active", err: err, state: hasNew})
	}
	con.say("Active. Checking the new value.")
	if err := r.check(ctx, con, newValue); err != nil {
		return r.rollBack(ctx, client, con, oldValue, &failure{stage: "checking the new value", err: err, state: hasNew})
	}
	con.say("Rotated: %s.", hasNew)
	return nil
}

// rollBack patches the old value after what f tells, and returns f with how that
// ended. Where the user gave up, ctx has ended, and the roll back must go on.
//
// An attempt of the new value that got no answer can in theory be done by the API
// after this. It has no way to patch on a condition that would prevent that.
func (r *rotation) rollBack(ctx context.Context, client *secretsstore.Client, con *console, oldValue secretsstore.SecretValue, f *failure) error {
	con.say("Failed %s. Rolling back, within %v.", f.stage, r.rollbackTimeout)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.rollbackTimeout)
	defer cancel()
	_, done, err := r.patch(ctx, client, oldValue, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: rollbackAttempts}))
	switch {
	case err == nil:
		f.state = rolledBack
		return f
	case errors.Is(err, secretsstore.ErrNotFound):
		f.state = gone
	case done == donePerhaps:
		f.state = eitherOne
	}
	f.rollback = err
	return f
}

// done is whether a patch that failed can have been done all the same.
type done bool

const (
	donePerhaps done = true
	doneNever   done = false
)

// patch patches the value. Where that fails it says whether the value can be there
// all the same: not if nothing was sent, or the API has refused each attempt. An
// attempt that was not answered, or answered by a server in trouble, can have been
// done, whatever the answer to the next one.
func (r *rotation) patch(ctx context.Context, client *secretsstore.Client, value secretsstore.SecretValue, opts ...secretsstore.RequestOption) (*secretsstore.Secret, done, error) {
	refused := 0
	opts = append(opts, secretsstore.OnResponse(func(resp *secretsstore.Response) {
		if resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusRequestTimeout {
			refused++
		}
	}))
	secret, _, err := client.Secrets.Patch(ctx, r.store, r.secret, secretsstore.SecretPatch{Value: value}, opts...)
	if err == nil {
		return secret, donePerhaps, nil
	}
	sent, known := attempts(err)
	return nil, done(!known || sent > refused), err
}

// attempts is how often the call was sent that ended with err.
func attempts(err error) (n int, known bool) {
	var requestErr *secretsstore.RequestError
	var apiErr *secretsstore.APIError
	switch {
	case errors.As(err, &requestErr): // first: it can hold the APIError of the attempt before
		return requestErr.Attempts, true
	case errors.As(err, &apiErr):
		return apiErr.Attempts, true
	}
	return 0, errors.Is(err, secretsstore.ErrInvalidArgument)
}

// waitActive looks at the secret until it is active. A look that fails is no reason
// to roll back, as long as there is time for another that may not.
func (r *rotation) waitActive(ctx context.Context, client *secretsstore.Client, con *console, status secretsstore.SecretStatus) error {
	tooLong := fmt.Errorf("not active after %v", r.timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, tooLong)
	defer cancel()
	var last error
	for wait := time.Duration(0); status != secretsstore.SecretStatusActive; wait = min(max(firstWait, wait*3/2), longestWait) {
		if wait > 0 {
			con.say("Not active yet; looking again in %v.", wait)
		}
		if err := sleep(ctx, wait); err != nil {
			if last != nil {
				err = fmt.Errorf("%w; the last look: %w", err, last)
			}
			return err
		}
		secret, _, err := client.Secrets.Get(ctx, r.store, r.secret)
		switch {
		case ctx.Err() != nil && err != nil:
			return context.Cause(ctx)
		case err != nil && isFinal(err):
			return err
		case err != nil:
			last = err
		case secret.Status == secretsstore.SecretStatusDeleted:
			return errors.New("the secret is deleted")
		default:
			status, last = secret.Status, nil
		}
	}
	return nil
}

// isFinal says whether another look would end as this one did.
func isFinal(err error) bool {
	for _, target := range []error{
		secretsstore.ErrNotFound, secretsstore.ErrUnauthorized, secretsstore.ErrForbidden,
		secretsstore.ErrInvalidRequest, secretsstore.ErrInvalidArgument, secretsstore.ErrNoCredentials,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// sleep waits, and returns why it could not.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return context.Cause(ctx) // nil if ctx goes on; both can be ready
}
