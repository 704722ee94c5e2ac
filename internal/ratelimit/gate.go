package ratelimit

import (
	"cmp"
	"math"
	"strings"
	"sync"
	"time"
)

// MaxBlock bounds the block after a 429, and a reset without a policy.
const MaxBlock = 5 * time.Minute

const never time.Duration = math.MaxInt64

// A Gate tracks how many requests the API still allows. For each limit it keeps the lowest
// remaining count that a response of the current window reported, which may or may not
// include the requests in flight. A client that is the only user of its limits never exceeds
// them. The zero Gate has no limits. A Gate is safe for concurrent use.
type Gate struct {
	mu       sync.Mutex
	inFlight int
	blocked  time.Time // end of the block that a 429 caused
	windows  [Max]window
	n        int           // windows in use
	changed  chan struct{} // closed when a request ends; nil if no caller waits for it
}

// A window is the current window of one limit.
type window struct {
	name      string
	quota     int
	length    time.Duration
	remaining int       // the lowest count reported in this window
	reset     time.Time // the latest one reported in this window
}

// Enter counts a request and returns 0, nil if it may be sent now. Otherwise it returns how
// long to wait. If a request in flight may end earlier, so that another may be sent, it also
// returns a channel that is closed when one ends.
func (g *Gate) Enter(now time.Time) (wait time.Duration, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	wait = max(0, g.blocked.Sub(now))
	reset := never // the earliest, of the windows whose remaining requests are in flight
	for i := range g.windows[:g.n] {
		w := &g.windows[i]
		w.roll(now)
		switch until := w.reset.Sub(now); {
		case w.remaining > g.inFlight:
		case w.remaining == 0:
			wait = max(wait, until)
		default:
			reset = min(reset, cmp.Or(until, MaxBlock)) // 0 if no reset is known
		}
	}
	switch {
	case wait > 0:
		return wait, nil
	case reset < never:
		if g.changed == nil {
			g.changed = make(chan struct{})
		}
		return reset, g.changed
	}
	g.inFlight++
	return 0, nil
}

// Leave ends a request that Enter counted. limits are those that its response announced, if
// there was one. block is how long the response asks to wait if it is a 429, otherwise 0.
func (g *Gate) Leave(now time.Time, limits []Limit, block time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
	for _, l := range limits {
		if w := g.window(l.Name); w != nil {
			w.learn(l, now)
		}
	}
	if until := now.Add(min(block, MaxBlock)); until.After(g.blocked) {
		g.blocked = until
	}
}

// window returns the window of a limit, nil if there are too many.
func (g *Gate) window(name string) *window {
	for i := range g.windows[:g.n] {
		if g.windows[i].name == name {
			return &g.windows[i]
		}
	}
	if g.n == len(g.windows) {
		return nil
	}
	g.n++
	g.windows[g.n-1].name = strings.Clone(name) // of a header that can be long
	return &g.windows[g.n-1]
}

// roll begins the next window if this one is over. The API may begin a window when the
// previous one ends or with its first request, so the reset is the earliest possible. The
// first response may report a later one.
func (w *window) roll(now time.Time) {
	if now.Before(w.reset) {
		return
	}
	w.remaining = w.quota
	if w.length == 0 {
		w.reset = now
	} else {
		w.reset = now.Add(w.length - now.Sub(w.reset)%w.length)
	}
}

// learn records what a response reported.
func (w *window) learn(l Limit, now time.Time) {
	reset := min(l.Reset, cmp.Or(l.Window, MaxBlock))
	// Without a policy, the highest count and the longest reset seen stand in for it.
	w.quota = cmp.Or(l.Quota, max(w.quota, l.Remaining+1))
	w.length = cmp.Or(l.Window, max(w.length, reset))
	at, tolerance := now.Add(reset), max(w.length/2, time.Second)
	switch {
	case w.reset.IsZero(), at.Sub(w.reset) > tolerance: // the first response of a window
		w.remaining, w.reset = l.Remaining, at
	case w.reset.Sub(at) > tolerance: // a late response of the previous window
	default:
		w.remaining = min(w.remaining, l.Remaining)
		if at.After(w.reset) {
			w.reset = at
		}
	}
}
