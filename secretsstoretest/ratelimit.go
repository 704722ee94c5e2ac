package secretsstoretest

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// rateLimit allows each principal n requests per window. It is safe for concurrent use.
type rateLimit struct {
	n      int // 0: no limit
	window time.Duration
	mu     sync.Mutex
}

// window is the current window of a principal, guarded by rateLimit.mu.
type window struct {
	start time.Time // zero: none has started
	used  int
}

// The limit that is announced where there is none. No client ever waits for it.
const (
	unlimitedQuota  = 1_000_000_000
	unlimitedWindow = 300 * time.Second
)

// take counts a request, and returns the headers that describe the limit. A request
// without a principal is not counted.
func (l *rateLimit) take(p *principal) (h http.Header, limited bool) {
	if l.n == 0 {
		return rateLimitHeader(unlimitedQuota, unlimitedQuota, unlimitedWindow, unlimitedWindow), false
	}
	if p == nil {
		return rateLimitHeader(l.n, l.n, l.window, l.window), false
	}
	remaining, reset, limited := l.use(p, 1)
	h = rateLimitHeader(remaining, l.n, reset, l.window)
	if limited {
		h.Set("Retry-After", strconv.Itoa(seconds(reset)))
	}
	return h, limited
}

// use takes n requests out of p's window. It reports whether fewer remained.
func (l *rateLimit) use(p *principal, n int) (remaining int, reset time.Duration, limited bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	elapsed := now.Sub(p.window.start)
	// The clock goes back when a server is used inside a synctest bubble later on.
	if p.window.start.IsZero() || elapsed >= l.window || elapsed < 0 {
		p.window, elapsed = window{start: now}, 0
	}
	limited = n > l.n-p.window.used
	p.window.used = min(p.window.used+n, l.n)
	return l.n - p.window.used, l.window - elapsed, limited
}

// UseRequests counts n requests against the rate limit of [Server.APIToken], as if other
// programs with the same token had sent them. Without [WithRateLimit] it does nothing.
func (s *Server) UseRequests(n int) {
	if l := s.service.rate; l.n > 0 && n > 0 {
		l.use(s.token, n)
	}
}

func rateLimitHeader(remaining, quota int, reset, window time.Duration) http.Header {
	return http.Header{
		"Ratelimit":        {fmt.Sprintf(`"default";r=%d;t=%d`, remaining, seconds(reset))},
		"Ratelimit-Policy": {fmt.Sprintf(`"default";q=%d;w=%d`, quota, seconds(window))},
	}
}

// seconds rounds up, so that a client that waits this long is never early.
func seconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}
