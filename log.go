package secretsstore

import (
	"context"
	"log/slog"
	"time"
)

// logAttempts logs each attempt, without any header or body.
func logAttempts(l *slog.Logger) layer {
	if l == nil {
		return nil
	}
	return func(next handler) handler {
		return func(ctx context.Context, c *call) (*Response, error) {
			if !l.Enabled(ctx, slog.LevelDebug) {
				return next(ctx, c)
			}
			started := time.Now()
			resp, err := next(ctx, c)
			attrs := []slog.Attr{
				slog.String("method", c.op.method),
				slog.String("path", c.path),
				slog.Int("attempt", c.attempt),
				slog.Duration("duration", time.Since(started)),
			}
			if resp != nil {
				attrs = append(attrs, slog.Int("status", resp.StatusCode), slog.String("ray_id", resp.RayID))
			}
			if err != nil {
				attrs = append(attrs, slog.String("error", err.Error()))
			}
			l.LogAttrs(ctx, slog.LevelDebug, "secretsstore: attempt", attrs...)
			return resp, err
		}
	}
}

// logWait logs a wait before it starts.
func (c *call) logWait(ctx context.Context, wait time.Duration, reason string) {
	c.log.LogAttrs(ctx, slog.LevelWarn, "secretsstore: waiting",
		slog.String("method", c.op.method),
		slog.String("path", c.path),
		slog.Int("attempt", c.attempt),
		slog.Duration("wait", wait),
		slog.String("reason", reason),
	)
}
