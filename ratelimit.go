package secretsstore

import (
	"fmt"
	"time"
)

// A RateLimit is the state of a rate limit, as the headers of a response announce it.
//
// API reference: https://developers.cloudflare.com/fundamentals/api/reference/limits/
type RateLimit struct {
	Name      string        // "" if it is not 1 to 64 letters, digits, "-" or "_"
	Remaining int           // requests remaining in the window
	Quota     int           // requests per window; 0 if unknown
	Reset     time.Duration // from the response to the end of the window, a multiple of 1 s
	Window    time.Duration // 0 if unknown
}

// A WaitError reports that the rate limit does not allow the request in time: the wait
// would exceed MaxWait of [RetryPolicy] or the context's deadline, or all remaining requests
// were in flight for as long as MaxWait. The request was not sent. A WaitError matches [ErrRateLimited] but
// not [context.DeadlineExceeded].
type WaitError struct {
	Wait time.Duration // until the next request is allowed; 0 if that depends on requests in flight

	limit string
}

// Error says when the next request is allowed.
func (e *WaitError) Error() string {
	if e.Wait == 0 {
		return "rate limited: all remaining requests are in flight" + e.limit
	}
	return fmt.Sprintf("rate limited: next request allowed in %v%s", e.Wait.Round(time.Millisecond), e.limit)
}

// Is reports whether target is ErrRateLimited.
func (e *WaitError) Is(target error) bool { return target == ErrRateLimited }
