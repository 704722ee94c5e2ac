package secretsstore

import (
	"context"
	"log/slog"
	"time"
)

// logAttempt writes the record of one attempt. It names what was asked and what
// came of it, and never a header or a body.
func (c *core) logAttempt(ctx context.Context, r *request, n int, o *outcome, started time.Time) {
	if c.logger == nil || !c.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", r.op.method),
		slog.String("path", r.path),
		slog.Int("status", o.status),
		slog.Int("attempt", n),
		slog.Duration("duration", time.Since(started)),
		slog.String("ray_id", oneLine(r.scrub(o.header.Get("Cf-Ray")))),
	}
	if err := o.failure(); err != nil {
		attrs = append(attrs, slog.String("error", oneLine(err.Error())))
	}
	c.logger.LogAttrs(ctx, slog.LevelDebug, "secretsstore: attempt", attrs...)
}

// logWait writes the record of a wait before it begins: after attempt n for a
// retry, before it for the rate limit.
func (c *core) logWait(ctx context.Context, r *request, n int, message string, wait time.Duration, reason string) {
	if c.logger == nil {
		return
	}
	c.logger.LogAttrs(ctx, slog.LevelWarn, message,
		slog.String("method", r.op.method),
		slog.String("path", r.path),
		slog.Int("attempt", n),
		slog.Duration("wait", wait),
		slog.String("reason", oneLine(reason)),
	)
}
