package secretsstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// WaitActive polls a secret until it is no longer pending: at once, then after 1 s,
// doubling to 10 s. Pass a context with a deadline: only ctx limits how long WaitActive
// polls, and also its waits for the rate limit unless an option sets MaxWait. Such an option,
// a deadline that comes too soon, and an error other than [ErrRateLimited] end it. WaitActive
// returns the last secret that it received, even with an error. The
// status deleted returns [ErrSecretNotFound]; any other status but pending ends the wait
// without an error.
func (s *SecretsService) WaitActive(ctx context.Context, storeID, secretID string, opts ...RequestOption) (*Secret, error) {
	opts = append([]RequestOption{unlimitedWait{}}, opts...)
	options := s.core.defaults().with(opts)
	var last *Secret
	for delay := time.Duration(0); ; {
		secret, _, err := s.Get(ctx, storeID, secretID, opts...)
		if err == nil {
			last = secret
		}
		var wait *WaitError
		switch {
		case errors.As(err, &wait) && (wait.Wait > options.maxWait() || !endsBefore(ctx, wait.Wait)):
			return last, err
		case errors.Is(err, ErrRateLimited): // after all attempts of this poll
		case err != nil:
			return last, err
		case secret.Status == SecretStatusDeleted:
			return last, fmt.Errorf("secretsstore: %w: secret %s has status deleted", ErrSecretNotFound, secretID)
		case secret.Status != SecretStatusPending:
			return last, nil
		}
		delay = nextDelay(delay)
		pause := delay
		if wait != nil {
			pause = max(delay, wait.Wait)
		}
		ended := sleep(ctx, pause, nil)
		switch {
		case ended == nil:
		case err != nil:
			return last, &afterError{fmt.Errorf("secretsstore: waiting for secret %s: %w", secretID, ended), err}
		default:
			return last, fmt.Errorf("secretsstore: secret %s is still pending: %w", secretID, ended)
		}
	}
}
