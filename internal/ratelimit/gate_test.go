package ratelimit

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// enter enters a gate until it holds a request back, at most limit times.
func enter(g *Gate, now time.Time, limit int) (entered int, wait time.Duration, changed <-chan struct{}) {
	for entered < limit {
		if wait, changed = g.Enter(now); wait > 0 || changed != nil {
			break
		}
		entered++
	}
	return entered, wait, changed
}

func TestGateWithoutLimitsIsOpen(t *testing.T) {
	entered, _, _ := enter(new(Gate), start, 10_000)
	assert.Equal(t, 10_000, entered)
}

func TestGateWaitsForRequestsInFlight(t *testing.T) {
	var g Gate
	g.Enter(start)
	g.Leave(start, []Limit{{Name: "a", Remaining: 3, Quota: 10, Reset: 30 * time.Second, Window: time.Minute}}, 0)

	entered, wait, changed := enter(&g, start, 10)
	assert.Equal(t, 3, entered, "the count may not include the requests in flight")
	assert.Equal(t, 30*time.Second, wait, "at most until the reset")
	require.NotNil(t, changed)
	select {
	case <-changed:
		t.Fatal("no request has ended")
	default:
	}
	_, again := g.Enter(start)
	assert.Equal(t, changed, again)

	g.Leave(start, nil, 0)
	<-changed
	entered, _, changed = enter(&g, start, 10)
	assert.Equal(t, 1, entered, "one ended, without a response")
	g.Leave(start, []Limit{{Name: "a", Remaining: 2, Quota: 10, Reset: 30 * time.Second, Window: time.Minute}}, 0)
	<-changed
	_, changed = g.Enter(start)
	assert.NotNil(t, changed, "two in flight, two remaining")
}

func TestGateWaitsForTheEarliestReset(t *testing.T) {
	var g Gate
	g.Enter(start)
	g.Leave(start, []Limit{
		{Name: "a", Remaining: 1, Quota: 10, Reset: 30 * time.Second, Window: time.Minute},
		{Name: "b", Remaining: 1, Quota: 10, Reset: 20 * time.Second, Window: time.Minute},
	}, 0)
	_, wait, _ := enter(&g, start, 10)
	assert.Equal(t, 20*time.Second, wait)
}

func TestGateBlock(t *testing.T) {
	for _, tt := range []struct {
		name   string
		blocks []time.Duration // one second apart
		want   time.Duration   // after the last one
	}{
		{name: "as long as the response asks", blocks: []time.Duration{30 * time.Second}, want: 30 * time.Second},
		{name: "a later response does not shorten it", blocks: []time.Duration{30 * time.Second, time.Second, 0}, want: 28 * time.Second},
		{name: "a later response extends it", blocks: []time.Duration{time.Second, 30 * time.Second}, want: 30 * time.Second},
		{name: "at most 5 minutes", blocks: []time.Duration{24 * time.Hour}, want: 5 * time.Minute},
		{name: "none", blocks: []time.Duration{0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var g Gate
			for range tt.blocks {
				g.Enter(start)
			}
			var now time.Time
			for i, block := range tt.blocks {
				now = start.Add(time.Duration(i) * time.Second)
				g.Leave(now, nil, block)
			}
			wait, _ := g.Enter(now)
			assert.Equal(t, tt.want, wait)
			if tt.want > 0 {
				wait, _ = g.Enter(now.Add(tt.want - 1))
				assert.Equal(t, time.Duration(1), wait)
				wait, changed := g.Enter(now.Add(tt.want))
				assert.Zero(t, wait)
				assert.Nil(t, changed)
			}
		})
	}
}

func TestWindows(t *testing.T) {
	const s = time.Second
	type response struct {
		at     time.Duration
		limits []Limit
	}
	one := func(at time.Duration, l Limit) response { return response{at, []Limit{l}} }
	for _, tt := range []struct {
		name      string
		responses []response
		rolled    time.Duration // when a request is sent that gets no response; 0: never
		late      []response    // after rolled
		at        time.Duration
		want      int           // requests allowed at once
		wait      time.Duration // if want is 0
	}{
		{name: "all that remain are sent", responses: []response{one(0, Limit{Remaining: 7, Quota: 10, Reset: 30 * s, Window: 60 * s})}, at: s, want: 7},
		{name: "no requests remain", responses: []response{one(0, Limit{Quota: 10, Reset: 30 * s, Window: 60 * s})}, at: s, wait: 29 * s},
		{name: "the lowest count of a window, whatever the order", responses: []response{
			one(0, Limit{Remaining: 5, Quota: 10, Reset: 30 * s, Window: 60 * s}), one(s, Limit{Remaining: 8, Quota: 10, Reset: 30 * s, Window: 60 * s}),
		}, at: s, want: 5},
		{name: "the latest reset of a window", responses: []response{
			one(0, Limit{Remaining: 1, Quota: 10, Reset: 30 * s, Window: 60 * s}), one(900*time.Millisecond, Limit{Quota: 10, Reset: 30 * s, Window: 60 * s}),
			one(1200*time.Millisecond, Limit{Quota: 10, Reset: 29 * s, Window: 60 * s}),
		}, at: 30 * s, wait: 900 * time.Millisecond},
		{name: "the policy's quota after the reset", responses: []response{one(0, Limit{Quota: 10, Reset: 30 * s, Window: 60 * s})}, at: 30 * s, want: 10},
		{name: "the highest count and one more after the reset, without a policy", responses: []response{
			one(0, Limit{Remaining: 6, Reset: 30 * s}), one(s, Limit{Reset: 29 * s}),
		}, at: 30 * s, want: 7},
		{name: "one request after the reset if no count was higher", responses: []response{one(0, Limit{Reset: 0})}, want: 1},
		{name: "the policy's quota is that of the last response", responses: []response{
			one(0, Limit{Quota: 10, Reset: 30 * s, Window: 60 * s}), one(s, Limit{Quota: 20, Reset: 29 * s, Window: 60 * s}),
		}, at: 30 * s, want: 20},
		{name: "a reset that is later by more than half a window begins a window", responses: []response{
			one(0, Limit{Quota: 10, Reset: 5 * s, Window: 60 * s}), one(4*s, Limit{Remaining: 9, Quota: 10, Reset: 60 * s, Window: 60 * s}),
		}, at: 4 * s, want: 9},
		{name: "a reset that is earlier by more than half a window is of the previous one", responses: []response{
			one(0, Limit{Quota: 10, Reset: 2 * s, Window: 60 * s}), one(3*s, Limit{Remaining: 8, Quota: 10, Reset: 59 * s, Window: 60 * s}),
			one(3100*time.Millisecond, Limit{Quota: 10, Reset: s, Window: 60 * s}),
		}, at: 4 * s, want: 8},
		{name: "also if nothing of the present one has arrived", responses: []response{one(0, Limit{Quota: 10, Reset: 2 * s, Window: 60 * s})},
			rolled: 3 * s, late: []response{one(4*s, Limit{Quota: 10, Reset: s, Window: 60 * s})}, at: 4 * s, want: 10},
		{name: "an idle client sees only the end of an aligned window", responses: []response{one(0, Limit{Remaining: 9, Quota: 10, Reset: 60 * s, Window: 60 * s})},
			rolled: 110 * s, late: []response{one(110*s, Limit{Remaining: 4, Quota: 10, Reset: 10 * s, Window: 60 * s})}, at: 110 * s, want: 4},
		{name: "an idle client begins a window", responses: []response{one(0, Limit{Remaining: 9, Quota: 10, Reset: 60 * s, Window: 60 * s})},
			rolled: 110 * s, late: []response{one(110*s, Limit{Remaining: 4, Quota: 10, Reset: 60 * s, Window: 60 * s})}, at: 121 * s, want: 4},
		{name: "a reset is at most the policy's window away", responses: []response{one(0, Limit{Quota: 10, Reset: 24 * time.Hour, Window: 60 * s})}, wait: 60 * s},
		{name: "and at most 5 minutes without a policy", responses: []response{one(0, Limit{Reset: 24 * time.Hour})}, wait: 5 * time.Minute},
		{name: "the tightest of several limits", responses: []response{
			{limits: []Limit{{Name: "a", Remaining: 5, Quota: 9, Reset: 30 * s, Window: 60 * s}, {Name: "b", Remaining: 3, Quota: 9, Reset: s, Window: s}}},
		}, want: 3},
		{name: "the longest wait of several limits", responses: []response{
			{limits: []Limit{{Name: "a", Quota: 9, Reset: 30 * s, Window: 60 * s}, {Name: "b", Quota: 9, Reset: s, Window: s}}},
		}, wait: 30 * s},
		{name: "a limit that a response does not name keeps its count", responses: []response{
			one(0, Limit{Name: "a", Remaining: 2, Quota: 9, Reset: 30 * s, Window: 60 * s}), one(s, Limit{Name: "b", Remaining: 5, Quota: 9, Reset: 30 * s, Window: 60 * s}),
		}, at: s, want: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var g Gate
			for range len(tt.responses) + len(tt.late) {
				g.Enter(start)
			}
			for _, r := range tt.responses {
				g.Leave(start.Add(r.at), r.limits, 0)
			}
			if tt.rolled > 0 {
				_, changed := g.Enter(start.Add(tt.rolled))
				require.Nil(t, changed)
				g.Leave(start.Add(tt.rolled), nil, 0)
			}
			for _, r := range tt.late {
				g.Leave(start.Add(r.at), r.limits, 0)
			}
			entered, wait, changed := enter(&g, start.Add(tt.at), 100)
			assert.Equal(t, tt.want, entered)
			if tt.want > 0 {
				assert.NotNil(t, changed, "a wait for requests in flight")
			} else {
				assert.Nil(t, changed)
				assert.Equal(t, tt.wait, wait)
			}
		})
	}
}

func TestGateKeepsAFewLimits(t *testing.T) {
	var g Gate
	for i := range 100 {
		g.Enter(start)
		g.Leave(start, []Limit{{Name: strconv.Itoa(i), Remaining: 5, Quota: 10, Reset: time.Minute, Window: time.Minute}}, 0)
	}
	assert.Equal(t, Max, g.n)
	entered, _, _ := enter(&g, start, 100)
	assert.Equal(t, 5, entered)
}
