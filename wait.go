package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// wait is the wait of a call before an attempt. It ends after d, when ready is closed, or
// with an error when ctx ends. It is logged first unless reason is empty.
func (c *call) wait(ctx context.Context, d time.Duration, ready <-chan struct{}, reason string) error {
	if c.log != nil && reason != "" {
		logged := d
		if ready != nil { // d is only a bound, which can be centuries
			logged = 0
		}
		c.logWait(ctx, logged, reason)
	}
	started := time.Now()
	defer func() { c.waited += time.Since(started) }()
	return sleep(ctx, d, ready)
}

func sleep(ctx context.Context, d time.Duration, ready <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ready:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// endsBefore reports whether a wait ends before the deadline of ctx.
func endsBefore(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || wait < time.Until(deadline)
}

// contextError returns nil while ctx has not ended, and then an error that matches both
// its error and its cause.
func contextError(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	return &endedError{err, context.Cause(ctx)}
}

// An endedError is that of a context. errors.As does not search its cause, which can be an
// error of this package and says nothing about the call.
type endedError struct{ err, cause error }

func (e *endedError) Error() string {
	if errors.Is(e.cause, e.err) {
		return e.cause.Error()
	}
	return fmt.Sprintf("%v: %v", e.err, e.cause)
}
func (e *endedError) Unwrap() error        { return e.err }
func (e *endedError) Is(target error) bool { return errors.Is(e.cause, target) }

// withContext returns err, the error of user code that was given ctx. If ctx has ended, it
// also matches the error of ctx and its cause, which user code need not return.
func withContext(ctx context.Context, err error) error {
	ended := contextError(ctx)
	if ended == nil || errors.Is(err, ctx.Err()) && errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fmt.Errorf("%w: %w", ended, err)
}
