// Package ratelimit reads the headers with which the API announces its rate limits.
package ratelimit

import (
	"cmp"
	"iter"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Limit is the state of one rate limit.
type Limit struct {
	Name      string // of any characters, at most maxName bytes
	Remaining int
	Quota     int           // 0: unknown
	Reset     time.Duration // until the window ends
	Window    time.Duration // 0: unknown
}

// Max is the number of limits that are read from a response. The API has two.
const Max = 4

// A larger number of requests is invalid, and more seconds count as a day. The API's own
// numbers are 1,200 requests and 300 seconds.
const (
	maxRequests = 1_000_000_000
	maxSeconds  = 24 * 60 * 60
	maxName     = 65 // bytes; a name of more than 64 is not shown
)

const missing = -1

// Parse reads Ratelimit and Ratelimit-Policy, lists of items such as
// "default";r=50;t=30 and "default";q=100;w=60. Invalid items are skipped, and so are
// limits that do not count requests. A limit without a reset (t) is reset at the end of
// its policy's window (w).
func Parse(h http.Header) []Limit {
	var limits []Limit
	for it := range items(h["Ratelimit"]) {
		if it.remaining >= 0 && len(limits) < Max {
			if limits == nil {
				limits = make([]Limit, 0, 2)
			}
			limits = append(limits, Limit{Name: it.name, Remaining: it.remaining, Reset: it.reset})
		}
	}
	if limits == nil {
		return nil
	}
	policies := 0
	var last item
	for last = range items(h["Ratelimit-Policy"]) {
		policies++
		for i := range limits {
			if limits[i].Name == last.name {
				limits[i].apply(&last)
			}
		}
	}
	// One limit and one policy belong together, whatever their names are.
	if len(limits) == 1 && policies == 1 {
		limits[0].apply(&last)
	}
	return slices.DeleteFunc(limits, func(l Limit) bool { return l.Reset < 0 })
}

// apply adds what a policy says to l.
func (l *Limit) apply(policy *item) {
	if policy.otherUnit {
		l.Reset = missing
		return
	}
	l.Quota, l.Window = max(0, policy.quota), max(0, policy.window)
	if l.Reset < 0 && l.Window > 0 {
		l.Reset = l.Window
	}
}

// Tightest returns the limit with the fewest requests remaining or, of several, the one
// that is reset last. limits must not be empty.
func Tightest(limits []Limit) Limit {
	return slices.MinFunc(limits, func(a, b Limit) int {
		return cmp.Or(cmp.Compare(a.Remaining, b.Remaining), cmp.Compare(b.Reset, a.Reset))
	})
}

// An item is an element of either header. Numbers that are missing are negative.
type item struct {
	name             string
	remaining, quota int           // r, q
	reset, window    time.Duration // t, w
	otherUnit        bool          // qu is not requests
}

func items(lines []string) iter.Seq[item] {
	return func(yield func(item) bool) {
		for _, line := range lines {
			for text := range strings.SplitSeq(line, ",") {
				if it, ok := parseItem(text); ok && !yield(it) {
					return
				}
			}
		}
	}
}

func parseItem(text string) (it item, ok bool) {
	name, params, _ := strings.Cut(text, ";")
	it = item{name: unquote(name), remaining: missing, quota: missing, reset: missing, window: missing}
	if it.name == "" {
		return it, false
	}
	it.name = it.name[:min(len(it.name), maxName)] // a Gate keeps it
	for param := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		switch key {
		case "r":
			it.remaining = number(value, maxRequests)
		case "q":
			it.quota = number(value, maxRequests)
		case "t":
			it.reset = seconds(value)
		case "w":
			it.window = seconds(value)
		case "qu":
			it.otherUnit = unquote(value) != "requests"
		}
	}
	return it, true
}

func unquote(s string) string { return strings.Trim(strings.TrimSpace(s), `"`) }

func number(s string, limit uint64) int {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > limit {
		return missing
	}
	return int(n)
}

func seconds(s string) time.Duration {
	n := number(s, math.MaxInt32)
	if n < 0 {
		return missing
	}
	return time.Duration(min(n, maxSeconds)) * time.Second
}

// RetryAfter reads Retry-After, in seconds or as a date, which is relative to the
// response's own Date if it has one. It returns 0 if there is nothing to wait for, and
// at most a day.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	const limit = 24 * time.Hour
	s := strings.TrimSpace(h.Get("Retry-After"))
	if s != "" && strings.Trim(s, "0123456789") == "" {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return limit
		}
		return min(time.Duration(n)*time.Second, limit)
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(0, at.Sub(now)), limit)
}
