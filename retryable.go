package secretsstore

import (
	"errors"
	"net/http"
	"time"
)

// Retryable reports whether repeating a call later may succeed, and how long to wait at
// least, 0 if unknown. It is meant for queues and controllers, which repeat calls after the
// client has given up. It is false for a create, a duplicate, and a POST or PATCH of Do
// whose outcome is unknown: callers must first check whether it was applied. It is also
// false for nil and for errors of other packages. It is true if the context ended the call.
func Retryable(err error) (after time.Duration, ok bool) {
	var outcome *outcomeError
	if errors.As(err, &outcome) && !outcome.idempotent {
		return 0, false
	}
	var wait *WaitError
	if errors.As(err, &wait) {
		return wait.Wait, true
	}
	var apiErr *APIError // the last one, which another error can follow
	if errors.As(err, &apiErr) {
		after = apiErr.RetryAfter
	}
	var respErr *ResponseError
	var reqErr *RequestError
	switch {
	case errors.As(err, new(*endedError)):
		return after, true
	case errors.Is(err, ErrInvalidArgument), errors.Is(err, ErrNoCredentials):
		return 0, false
	case errors.As(err, &respErr):
		return after, !errors.Is(err, ErrResponseTooLarge)
	case errors.As(err, &reqErr):
		return after, reqErr.state != requestRefused
	case apiErr != nil:
		status := apiErr.StatusCode
		return after, apiErr.Is(ErrRateLimited) || status == http.StatusRequestTimeout ||
			status >= 500 && status != http.StatusNotImplemented
	}
	return 0, errors.Is(err, ErrRateLimited)
}
