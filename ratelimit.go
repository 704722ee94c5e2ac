package secretsstore

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RateLimit is what an answer's headers say of a rate limit.
//
// API reference: https://developers.cloudflare.com/fundamentals/api/reference/limits/
type RateLimit struct {
	Name      string
	Remaining int           // calls left in the window
	Quota     int           // calls in a window; 0 where the API did not say
	Reset     time.Duration // until the window ends, in whole seconds
	Window    time.Duration // the window's length; 0 where the API did not say
}

// Limiter is asked before every attempt. *rate.Limiter of golang.org/x/time/rate
// is one. An error of it ends the call, and nothing is sent.
type Limiter interface {
	Wait(ctx context.Context) error
}

// WaitError is a wait for the API's rate limit that was not begun, because it is
// longer than [RetryPolicy].MaxRetryAfter or than the context allows. Nothing was
// sent. It matches [ErrRateLimited], and not [context.DeadlineExceeded].
type WaitError struct {
	Wait time.Duration // what the wait would have been, by what is known now
}

// Error says how long the wait would have been.
func (e *WaitError) Error() string {
	return fmt.Sprintf("the rate limit leaves no room for %v, which is longer than this call may wait", e.Wait.Round(time.Millisecond))
}

// Is says that a WaitError is an ErrRateLimited.
func (e *WaitError) Is(target error) bool { return target == ErrRateLimited }

// maxLimits is how many limits of an answer count; the API names two.
const maxLimits = 4

// rateLimits are the limits that an answer names, without a pointer to it.
type rateLimits struct {
	items [maxLimits]RateLimit
	n     int
}

// tightest is the limit that leaves the fewest calls, for the longest time; nil
// where there is none.
func (l *rateLimits) tightest() *RateLimit {
	if l.n == 0 {
		return nil
	}
	t := l.items[0]
	for _, item := range l.items[1:l.n] {
		if item.Remaining < t.Remaining || item.Remaining == t.Remaining && item.Reset > t.Reset {
			t = item
		}
	}
	return &t
}

// has says whether there is a limit of that name.
func (l *rateLimits) has(name string) bool {
	for i := range l.items[:l.n] {
		if l.items[i].Name == name {
			return true
		}
	}
	return false
}

// parseRateLimits reads the headers Ratelimit and Ratelimit-Policy, which name
// limits by items such as "default";r=50;t=30 and "default";q=100;w=60. What makes
// no sense is passed over.
func parseRateLimits(h http.Header) (limits rateLimits) {
	for item := range headerItems(h["Ratelimit"]) {
		name, r, t, ok := parseItem(item, "r", "t")
		if !ok || limits.n == maxLimits {
			continue
		}
		limits.items[limits.n] = RateLimit{Name: name, Remaining: r, Reset: time.Duration(t) * time.Second}
		limits.n++
	}
	policies := 0
	var name string
	var q, w int
	for item := range headerItems(h["Ratelimit-Policy"]) {
		var ok bool
		if name, q, w, ok = parseItem(item, "q", "w"); !ok {
			continue
		}
		policies++
		for i := range limits.items[:limits.n] {
			if l := &limits.items[i]; l.Name == name {
				l.Quota, l.Window = q, time.Duration(w)*time.Second
			}
		}
	}
	// One limit and one policy belong together, whatever they are called.
	if l := &limits.items[0]; limits.n == 1 && policies == 1 && l.Quota == 0 {
		l.Quota, l.Window = q, time.Duration(w)*time.Second
	}
	return limits
}

// headerItems yields what commas part, in all lines of a header.
func headerItems(lines []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for item := range strings.SplitSeq(line, ",") {
				if !yield(item) {
					return
				}
			}
		}
	}
}

// The most that a header's numbers can say and still make sense: calls, and
// seconds of a window. The API's own are 1,200 and 300.
const (
	mostCalls   = 1_000_000_000
	mostSeconds = 3600
)

// parseItem reads one item: its name, its number of calls and its seconds.
func parseItem(item, callsKey, secondsKey string) (name string, calls, seconds int, ok bool) {
	name, params, found := strings.Cut(item, ";")
	name = strings.Trim(strings.TrimSpace(name), `"`)
	if !found || name == "" {
		return "", 0, 0, false
	}
	calls, seconds = -1, -1
	for param := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		number := -1
		if n, err := strconv.ParseUint(value, 10, 32); err == nil {
			number = int(n)
		}
		switch key {
		case callsKey:
			calls = number
		case secondsKey:
			seconds = number
		}
	}
	ok = 0 <= calls && calls <= mostCalls && 0 <= seconds && seconds <= mostSeconds
	return name, calls, seconds, ok
}
