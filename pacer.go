package secretsstore

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// pacer spreads the calls of a client over the windows of the API's rate limits,
// so that a limit is met by slowing down and not by being blocked. It learns of
// the limits from the answers; before the first one, and without headers, calls
// are free. They wait in the order in which they came.
type pacer struct {
	turn    chan struct{} // held by the one that waits for its time; the others queue for it
	changed chan struct{} // wakes the holder of the turn when something has changed

	mu       sync.Mutex
	windows  []*window
	sends    uint64    // how many calls were let go
	last     time.Time // when the last of them was
	inFlight int       // sent and not answered: an answer may or may not have counted them
	queued   int
}

// pass is a call that was let go. It is given back with settle.
type pass struct {
	number uint64
	sent   time.Time
}

func newPacer() *pacer {
	return &pacer{turn: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
}

// admit waits until the next call may be sent, and not at all where the wait would
// be longer than longest or than ctx allows. onWait is told of a wait before it
// begins.
func (p *pacer) admit(ctx context.Context, longest time.Duration, onWait func(time.Duration)) (pass, error) {
	p.mu.Lock()
	wait := p.wait(p.queued)
	if wait == 0 && p.queued == 0 {
		sent := p.send()
		p.mu.Unlock()
		return sent, nil
	}
	if wait > longest || !fits(ctx, wait) {
		p.mu.Unlock()
		return pass{}, &WaitError{Wait: wait}
	}
	p.queued++
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.queued--
		p.mu.Unlock()
	}()

	told := false
	if wait > 0 {
		onWait(wait)
		told = true
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return pass{}, ctx.Err()
	}
	defer func() { <-p.turn }()
	for {
		if err := ctx.Err(); err != nil {
			return pass{}, err
		}
		p.mu.Lock()
		if wait = p.wait(0); wait == 0 {
			sent := p.send()
			p.mu.Unlock()
			return sent, nil
		}
		p.mu.Unlock()
		if wait > longest || !fits(ctx, wait) {
			return pass{}, &WaitError{Wait: wait}
		}
		if !told {
			onWait(wait)
			told = true
		}
		p.pause(ctx, wait)
	}
}

// pause sleeps until the time is there, something has changed, or ctx ends.
func (p *pacer) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.changed:
	case <-ctx.Done():
	}
}

// wait is how long the call has to wait that ahead others are before.
func (p *pacer) wait(ahead int) time.Duration {
	if len(p.windows) == 0 {
		return 0
	}
	now := time.Now()
	var longest time.Duration
	for _, w := range p.windows {
		w.roll(now, p.sends, p.inFlight)
		longest = max(longest, w.wait(now, p.last, p.inFlight, ahead))
	}
	return longest
}

func (p *pacer) send() pass {
	p.inFlight++
	p.sends++
	p.last = time.Now()
	return pass{number: p.sends, sent: p.last}
}

// settle takes in what became of a call that was let go.
func (p *pacer) settle(sent pass, o *outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	if o.limits.n == 0 && len(p.windows) == 0 {
		return
	}
	// What did not leave was not counted.
	if !o.unsent {
		p.learn(sent, o)
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *pacer) learn(sent pass, o *outcome) {
	now, limits := time.Now(), &o.limits
	p.windows = slices.DeleteFunc(p.windows, func(w *window) bool {
		if limits.has(w.name) {
			return false
		}
		if o.status != 0 && w.isAssumed() && !sent.sent.Before(w.began) {
			return true // the API speaks of this limit no more
		}
		w.counted(p.sends)
		return false
	})
	for i := range limits.items[:limits.n] {
		l := &limits.items[i]
		if w := p.window(l.Name); w != nil {
			w.observe(l, sent, now, p.sends, o.status == http.StatusTooManyRequests)
		}
	}
}

// window returns the window of that name; nil where there are too many to keep.
func (p *pacer) window(name string) *window {
	for _, w := range p.windows {
		if w.name == name {
			return w
		}
	}
	if len(p.windows) == maxLimits {
		return nil
	}
	w := &window{name: strings.Clone(name)}
	p.windows = append(p.windows, w)
	return w
}

// window is what is known of the present window of one limit. A number of calls
// that were sent is a time, too: it says which answers can know of which calls.
type window struct {
	name   string
	quota  int           // calls in a window, as the API said or as the most that were left once
	length time.Duration // 0 where the API did not say
	left   int           // calls left by what is known; some of those in flight may be in it or not
	told   uint64        // the calls sent when that was learnt

	// The header counts whole seconds, rounded up unless it shows otherwise, so a
	// window's end is known only to lie between these; each answer narrows it.
	earliest, end time.Time

	// A window that no answer has told of yet is taken to have begun then, after
	// the one before it had come to its end. began is zero where an answer has.
	began, before time.Time
	roundsDown    bool // the end was later than the header's seconds said

	// Of the last calls that were taken from the limit, so many were ours; the older
	// a call, the less it counts.
	taken, ours float64
}

func (w *window) isAssumed() bool { return !w.began.IsZero() }

// observe takes in what the answer to a call says.
func (w *window) observe(l *RateLimit, call pass, now time.Time, sends uint64, refused bool) {
	if w.quota = max(w.quota, l.Remaining+1); l.Quota > 0 {
		w.quota = l.Quota
	}
	if w.length = max(w.length, l.Reset); l.Window > 0 {
		w.length = l.Window
	}
	earliest, end := call.sent.Add(l.Reset-time.Second), now.Add(l.Reset)
	switch {
	case w.end.IsZero():
	case w.isAssumed() && earliest.After(w.before):
	case w.isAssumed() && call.sent.Before(w.began):
		w.counted(sends) // in the window before, or in this one
		return
	case w.isAssumed():
		w.roundsDown = w.roundsDown || refused // the window before is not over
	case earliest.After(w.end):
	case end.Before(w.earliest):
		return // a late answer of the window before
	default:
		w.narrow(l.Remaining, call, earliest, end, sends)
		return
	}
	w.left, w.told, w.earliest, w.end, w.began = l.Remaining, sends, earliest, end, time.Time{}
}

// narrow takes in one more answer of the present window.
func (w *window) narrow(remaining int, call pass, earliest, end time.Time, sends uint64) {
	before := w.left
	// An answer to a call that was sent after all that is known knows of that, too,
	// and better. Of answers that crossed, the lowest counts.
	if call.number > w.told || remaining < w.left {
		w.left = remaining
	}
	w.told = sends
	w.share(before - w.left)
	if end.Before(w.end) {
		w.end = end
	}
	if earliest.After(w.earliest) {
		w.earliest = earliest
	}
}

// counted takes it that the API has counted a call, where no answer says so.
func (w *window) counted(sends uint64) {
	w.left--
	w.told = sends
	w.share(1)
}

// share counts one call of ours, since which so many have been taken.
func (w *window) share(taken int) {
	const fades = 15. / 16
	w.taken, w.ours = w.taken*fades+float64(taken), w.ours*fades+1
}

// isShared says whether somebody else takes from this limit.
func (w *window) isShared() bool { return w.ours < w.taken*0.9 }

// wait is how long a call has to wait with so many in flight and so many waiting
// ahead of it, when the last call was sent then.
func (w *window) wait(now, last time.Time, inFlight, ahead int) time.Duration {
	left := w.left - inFlight - w.reserve()
	free := w.free(left)
	if left > free && w.isShared() {
		left = free + int(math.Ceil(float64(left-free)*w.ours/w.taken))
	}
	switch {
	case ahead < free:
		return 0
	case ahead < left:
		// The slots lie evenly between the last call and the window's end, each of
		// our calls left has one, and this call is so many slots on.
		slot := w.earliest.Sub(last) / time.Duration(left-free+1)
		return max(0, last.Add(slot*time.Duration(ahead-free+1)).Sub(now))
	}
	// The windows that have to go by first; within the last one, the spread.
	later := ahead - max(0, left)
	wait := w.over().Sub(now) + time.Duration(later/w.quota)*w.length
	if slot := later%w.quota - w.free(w.quota); slot >= 0 {
		wait += w.length / time.Duration(w.spread()+1) * time.Duration(slot+1)
	}
	return max(wait, time.Nanosecond)
}

// free is how many calls of those left go without a wait; the rest, two fifths of
// the window, are spread over the time that is left.
func (w *window) free(left int) int { return max(0, left-w.spread()) }

func (w *window) spread() int { return w.quota * 2 / 5 }

// reserve is what stays unused where others take from the same limit: what they
// take after an answer is not known until the next.
func (w *window) reserve() int {
	if !w.isShared() {
		return 0
	}
	return max(2, w.quota/100)
}

// over is when the window is taken to be over.
func (w *window) over() time.Time {
	if w.roundsDown {
		return w.end.Add(time.Second)
	}
	return w.end
}

// roll begins the next window when this one is over. Where this one was used up,
// and calls wait, one of them goes ahead, and the others wait for what it finds.
func (w *window) roll(now time.Time, sends uint64, inFlight int) {
	if now.Before(w.over()) {
		return
	}
	if !w.isAssumed() {
		w.before = w.end
	}
	usedUp := w.left-inFlight <= w.reserve()
	w.began, w.told = now, sends
	if usedUp {
		w.left, w.earliest, w.end = 1+inFlight+w.reserve(), now, now.Add(time.Second)
	} else {
		w.left, w.earliest, w.end = w.quota, now.Add(w.length), now.Add(w.length)
	}
}
