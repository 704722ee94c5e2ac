package redislimit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// probeEvery is how often one caller finds out whether Redis is back, where the
// others go on without it.
const probeEvery = time.Second

// outage is a time in which Redis can't be asked. That it begins and that it is
// over is logged once.
type outage struct {
	mu    sync.Mutex
	began time.Time // zero: there is none
	probe time.Time // when the next caller may ask
	good  time.Time // when the last question was asked that was answered
}

// mayAsk says whether to ask Redis. During an outage that is one caller's turn at
// a time.
func (o *outage) mayAsk() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		return true
	}
	now := time.Now()
	if now.Before(o.probe) {
		return false
	}
	o.probe = now.Add(probeEvery)
	return true
}

func (o *outage) isOver() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.began.IsZero()
}

// failed takes in that a question was not answered. One that was asked before one
// that was answered says nothing new.
func (o *outage) failed(ctx context.Context, logger *slog.Logger, asked time.Time, err error, goesOn bool) {
	o.mu.Lock()
	if asked.Before(o.good) {
		o.mu.Unlock()
		return
	}
	begins := o.began.IsZero()
	now := time.Now()
	if begins {
		o.began = now
	}
	o.probe = now.Add(probeEvery)
	o.mu.Unlock()
	if !begins || logger == nil {
		return
	}
	message := "redislimit: Redis can't be asked; calls fail until it is back"
	if goesOn {
		message = "redislimit: Redis can't be asked; going on with this process' share of the limit until it is back"
	}
	logger.LogAttrs(ctx, slog.LevelWarn, message, slog.String("error", err.Error()))
}

// answered takes in that a question was answered. One that was asked before the
// outage began does not end it.
func (o *outage) answered(ctx context.Context, logger *slog.Logger, asked time.Time) {
	o.mu.Lock()
	if asked.After(o.good) {
		o.good = asked
	}
	ends := !o.began.IsZero() && asked.After(o.began)
	lasted := time.Since(o.began)
	if ends {
		o.began = time.Time{}
	}
	o.mu.Unlock()
	if ends && logger != nil {
		logger.LogAttrs(ctx, slog.LevelInfo, "redislimit: Redis is back", slog.Duration("after", lasted))
	}
}
