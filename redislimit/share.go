package redislimit

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

// share is what one process keeps to by itself while Redis can't be asked. A nil
// share is none, and all it is told is lost on it.
type share struct {
	limit  int
	window time.Duration

	mu    sync.Mutex
	calls []localCall // in the order of their time, that of the last window and to come
	local []localCall // those that Redis was not told of yet, in the order they were made
	told  int         // of all that were ever in local, how many Redis was told of
}

// localCall is a call that was granted, or will be.
type localCall struct {
	ticket string
	at     time.Time
}

// wait waits for a call without Redis. again says that Redis is back, and to be
// asked instead.
func (s *share) wait(ctx context.Context, ticket string, isOver func() bool) (again bool, err error) {
	at := s.reserve(ticket)
	wait := time.Until(at)
	if tooLong(ctx, max(0, wait)) {
		s.giveBack(ticket)
		return false, &secretsstore.WaitError{Wait: wait}
	}
	if err := sleep(ctx, wait); err != nil {
		s.giveBack(ticket)
		return false, err
	}
	if isOver() {
		s.giveBack(ticket)
		return true, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.local = append(s.local, localCall{ticket, time.Now()})
	return false, nil
}

// reserve takes the first time at which the limit allows one more call, behind all
// that were taken before.
func (s *share) reserve(ticket string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.Now()
	s.forget(at)
	if n := len(s.calls); n > 0 && s.calls[n-1].at.After(at) {
		at = s.calls[n-1].at
	}
	if n := len(s.calls) - s.limit; n >= 0 {
		if free := s.calls[n].at.Add(s.window); free.After(at) {
			at = free
		}
	}
	s.add(localCall{ticket, at})
	return at
}

// granted takes in a call that Redis has granted. It is part of the share too, so
// that this process has no second one when Redis fails.
func (s *share) granted(ticket string, now time.Time) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	s.add(localCall{ticket, now})
}

func (s *share) add(c localCall) {
	i := len(s.calls)
	for i > 0 && s.calls[i-1].at.After(c.at) {
		i--
	}
	s.calls = slices.Insert(s.calls, i, c)
}

// forget drops the calls that are of no window any more.
func (s *share) forget(now time.Time) {
	old := now.Add(-s.window)
	n := 0
	for n < len(s.calls) && !s.calls[n].at.After(old) {
		n++
	}
	s.calls = slices.Delete(s.calls, 0, n)
}

// giveBack takes the call out again that ticket had, if it had one.
func (s *share) giveBack(ticket string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = slices.DeleteFunc(s.calls, func(c localCall) bool { return c.ticket == ticket })
}

// unreported returns the calls after the time given that Redis is to be told of,
// and what to say to reported when that is done.
func (s *share) unreported(after time.Time) (calls []localCall, told int) {
	if s == nil {
		return nil, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.local) && !s.local[n].at.After(after) {
		n++
	}
	s.local = slices.Delete(s.local, 0, n)
	s.told += n
	return slices.Clone(s.local), s.told + len(s.local)
}

// reported takes in that Redis knows of the first so many calls.
func (s *share) reported(told int) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := told - s.told; n > 0 {
		s.local = slices.Delete(s.local, 0, n)
		s.told = told
	}
}
