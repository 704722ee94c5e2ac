package secretsstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// RetryPolicy says how often a call is tried, and how long it waits in between.
// A field that is 0 means its default; one below 0 is [ErrInvalidArgument].
//
// A call is tried again after a connection error, an attempt that timed out, and
// the statuses 408, 429, 500, 502, 503, 504 and 520 to 527, if it is safe to
// repeat: reading, patching and deleting set a state, and doing them twice is
// doing them once. A call that makes something is tried again only where it
// surely was not done: no connection, 429 and 503.
//
// The wait is the one that the answer's Retry-After asks for, else a random time
// from 0 to min(MaxBackoff, MinBackoff·2ⁿ) before retry n, counted from 0. A wait
// that the context's deadline would cut is not begun: the error comes at once.
//
// Over all its calls a Client spends at most a budget on retries: 500, of which a
// retry costs 5 and a call that succeeds gives 1 back. While a retry can't be
// paid, calls are tried once.
type RetryPolicy struct {
	// MaxAttempts counts the first attempt too; the default is 4, and 1 switches
	// retries off.
	MaxAttempts int
	// MinBackoff is the most that the first wait can be; the default is 500 ms.
	MinBackoff time.Duration
	// MaxBackoff is the most that any wait can be that the API does not ask for; the
	// default is 20 s, or MinBackoff where that is more.
	MaxBackoff time.Duration
	// MaxRetryAfter is the longest wait that is begun because the API asks for it,
	// by Retry-After or by its rate limit; the default is 60 s. The API can block for
	// 5 minutes, and only the caller knows whether to sit that out: past
	// MaxRetryAfter the error comes at once, with the wait in it.
	MaxRetryAfter time.Duration
}

func (p RetryPolicy) check() error {
	switch {
	case p.MaxAttempts < 0:
		return invalid("retry policy: MaxAttempts is %d: it can't be below 0", p.MaxAttempts)
	case p.MinBackoff < 0:
		return invalid("retry policy: MinBackoff is %v: it can't be below 0", p.MinBackoff)
	case p.MaxBackoff < 0:
		return invalid("retry policy: MaxBackoff is %v: it can't be below 0", p.MaxBackoff)
	case p.MaxRetryAfter < 0:
		return invalid("retry policy: MaxRetryAfter is %v: it can't be below 0", p.MaxRetryAfter)
	case p.MaxBackoff > 0 && p.MinBackoff > p.MaxBackoff:
		return invalid("retry policy: MinBackoff %v is more than MaxBackoff %v", p.MinBackoff, p.MaxBackoff)
	}
	return nil
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 4
	}
	if p.MinBackoff == 0 {
		p.MinBackoff = 500 * time.Millisecond
		if p.MaxBackoff > 0 {
			p.MinBackoff = min(p.MinBackoff, p.MaxBackoff)
		}
	}
	if p.MaxBackoff == 0 {
		p.MaxBackoff = max(20*time.Second, p.MinBackoff)
	}
	if p.MaxRetryAfter == 0 {
		p.MaxRetryAfter = 60 * time.Second
	}
	return p
}

// backoff draws the wait before retry n, counted from 0.
func (p RetryPolicy) backoff(n int) time.Duration {
	most := p.MaxBackoff
	if n < 32 && p.MinBackoff < p.MaxBackoff>>n {
		most = p.MinBackoff << n
	}
	return rand.N(most + 1)
}

// outcome is what is known after an attempt: an answer, or why there is none.
type outcome struct {
	status  int // 0: no answer came
	header  http.Header
	body    []byte
	bodyErr error // why the answer's body could not be read to its end
	limits  rateLimits

	err    error // why no answer came
	unsent bool  // the request surely did not leave
}

func (o *outcome) answered() bool { return o.err == nil }

// failure is what went wrong on the way, if anything did.
func (o *outcome) failure() error { return cmp.Or(o.err, o.bodyErr) }

// reason says in a log why a call is tried again.
func (o *outcome) reason() string {
	if err := o.failure(); err != nil {
		return err.Error()
	}
	return "status " + strconv.Itoa(o.status)
}

// mayRepeat says whether a call can be tried again after this outcome.
func (o *outcome) mayRepeat(repeatable bool) bool {
	switch {
	case !o.answered():
		return (repeatable || o.unsent) && !isPermanent(o.err)
	case o.status == http.StatusTooManyRequests, o.status == http.StatusServiceUnavailable:
		return true
	case o.status/100 == 2:
		return repeatable && o.bodyErr != nil && !errors.Is(o.bodyErr, ErrResponseTooLarge)
	}
	return repeatable && (o.status == http.StatusRequestTimeout || isServerFault(o.status))
}

// isUnknown says whether a call that makes something may have been done although
// it failed so.
func (o *outcome) isUnknown(failed error) bool {
	if !o.answered() {
		return !o.unsent
	}
	var unreadable *ResponseError
	return errors.As(failed, &unreadable) || isServerFault(o.status)
}

// isServerFault is about the statuses with which the API or its edge says that
// something broke while a request was under way.
func isServerFault(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return 520 <= status && status <= 527
}

// isUnsent says whether err shows that there was no connection to send on.
func isUnsent(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	return isPermanent(err)
}

// connection is what a transport tells about the connection for a request, where
// it tells anything: net/http's does.
type connection struct {
	wanted, got atomic.Bool
}

func (c *connection) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { c.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.got.Store(true) },
	})
}

// isMissing says that there surely was no connection that a request could have
// left on: what failed was the lookup of the host, the dial or the TLS handshake.
func (c *connection) isMissing() bool { return c != nil && c.wanted.Load() && !c.got.Load() }

// isPermanent is about a certificate that is not trusted: that does not pass with
// time, and nothing was sent.
func isPermanent(err error) bool {
	var cert *tls.CertificateVerificationError
	return errors.As(err, &cert)
}

// Longer waits than this make no sense for this API, and are read as this.
const longestRetryAfter = 24 * time.Hour

// retryAfter reads the Retry-After of an answer, in seconds or as a date. A date
// is compared with the answer's own, so that a clock that is off does no harm.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if s == "" {
		return 0, false
	}
	if strings.Trim(s, "0123456789") == "" {
		seconds, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return longestRetryAfter, true // more digits than any wait has
		}
		return min(time.Duration(seconds)*time.Second, longestRetryAfter), true
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, min(at.Sub(now), longestRetryAfter)), true
}

// The retry budget of a client, as AWS's SDKs have it in their standard mode.
const (
	budgetFull    = 500
	budgetRetry   = 5
	budgetSuccess = 1
)

// budget is what a client can still spend on retries. The zero budget is full.
type budget struct {
	mu    sync.Mutex
	spent int
}

// pay takes a retry's price, if it is there.
func (b *budget) pay() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent+budgetRetry > budgetFull {
		return false
	}
	b.spent += budgetRetry
	return true
}

func (b *budget) succeeded() {
	b.mu.Lock()
	b.spent = max(0, b.spent-budgetSuccess)
	b.mu.Unlock()
}

// fits says whether a wait ends before the context's deadline.
func fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || wait < time.Until(deadline)
}

// ended is the error of a context that has ended. A context can be past its
// deadline a moment before it says so, when a connection's deadline was the same.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// sleep waits, or returns the context's error as soon as it ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
