package secretsstoretest

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limit is the policy: n requests in every window, for each who signs in.
type limit struct {
	n      int // 0: no limit
	window time.Duration
	clock  func() time.Time
	mu     sync.Mutex
}

// window is the state of one who signs in; limit.mu guards it.
type window struct {
	start time.Time // zero: none was begun
	used  int
}

// Where there is no limit, the headers promise so much that no client slows down.
const (
	unlimitedQuota  = 1_000_000_000
	unlimitedWindow = 300 // seconds
)

// take counts one request of p and says whether it is within the limit. The headers
// that tell so are set either way. A nil p has not signed in: there is nobody to
// count for, so the answer shows a window that nothing was taken from.
func (l *limit) take(p *principal, h http.Header) bool {
	return l.headers(p, h, true)
}

// show sets the headers without counting.
func (l *limit) show(p *principal, h http.Header) {
	l.headers(p, h, false)
}

func (l *limit) headers(p *principal, h http.Header, count bool) (within bool) {
	if l.n == 0 {
		setRateLimit(h, unlimitedQuota, unlimitedQuota, unlimitedWindow, unlimitedWindow)
		return true
	}
	remaining, reset, within := l.n, l.window, true
	if p != nil {
		l.mu.Lock()
		now, w := l.clock(), p.window
		elapsed := now.Sub(w.start)
		// A clock that went back, as on entering a synctest bubble, begins anew too.
		if w.start.IsZero() || elapsed >= l.window || elapsed < 0 {
			elapsed, w = 0, window{start: now}
		}
		if count {
			if within = w.used < l.n; within {
				w.used++
			}
			p.window = w
		}
		remaining, reset = l.n-w.used, l.window-elapsed
		l.mu.Unlock()
	}
	setRateLimit(h, remaining, l.n, seconds(reset), seconds(l.window))
	if !within {
		h.Set("Retry-After", strconv.Itoa(seconds(reset)))
	}
	return within
}

func setRateLimit(h http.Header, remaining, quota, reset, window int) {
	h.Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%d`, remaining, reset))
	h.Set("Ratelimit-Policy", fmt.Sprintf(`"default";q=%d;w=%d`, quota, window))
}

// seconds rounds up, so that who waits this long never comes too early.
func seconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}
