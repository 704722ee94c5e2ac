package redislimit

import "log/slog"

// Option is a setting of [New]. nil is no setting.
type Option func(*Limiter) error

// WithFallback goes on while Redis can't be asked, with a share of the limit for
// this process: limit divided by the number of processes that use it, rounded
// down. In its share count the calls that Redis had granted it before, and Redis
// is told of those made without it as soon as it is back. One question a second
// finds out whether it is.
//
// With it the limit is not sure any more: it holds if no process had more than its
// share before, and if Redis is down for all of them. See the package's doc.
//
// The default is that Wait fails while Redis can't be asked.
func WithFallback(processes int) Option {
	return func(l *Limiter) error {
		switch {
		case processes < 1:
			return invalid("fallback: processes is %d: it can't be below 1", processes)
		case processes > l.limit:
			return invalid("fallback: a limit of %d has no share for each of %d processes", l.limit, processes)
		}
		l.share = &share{limit: l.limit / processes, window: l.window}
		return nil
	}
}

// WithFreshStart takes a Redis without a record of the limit to mean that nothing
// of it was used: at the very first use of a key, and in tests. The default is that
// all of it was used, since a Redis that has lost its data looks the same; the first
// call is then granted after one window.
//
// A process that was granted a call within the last window knows better, and has
// the window start full all the same.
func WithFreshStart() Option {
	return func(l *Limiter) error {
		l.fresh = true
		return nil
	}
}

// WithLogger says where it is written, once each time, that Redis can't be asked
// (at level Warn), is back (Info), and has lost what was used of the limit (Warn).
// The default is [slog.Default] as it is when New is called; nil means nowhere.
func WithLogger(logger *slog.Logger) Option {
	return func(l *Limiter) error {
		l.logger = logger
		return nil
	}
}
