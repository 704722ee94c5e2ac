package secretsstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A logBuffer holds JSON records.
type logBuffer struct{ bytes.Buffer }

func (b *logBuffer) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: level}))
}

func (b *logBuffer) records(t *testing.T) (records []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.String()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		delete(record, "time")
		records = append(records, record)
	}
	return records
}

func TestLogRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := respond(429, nil, "Retry-After: 2")
		busy.resp.RayID, busy.takes, busy.err = "8f00c0ffee-AMS", time.Second, nil // the error is that of decode
		var buffer logBuffer
		l := buffer.logger(slog.LevelDebug)
		c := newTestCall(patchOp)
		c.log = l
		c.options.retry.BaseBackoff = 1
		next := &fakeNext{attempts: []attempt{busy, {err: lost.err, takes: time.Second}, success}}
		_, err := chain(next.handle, retry(new(budget), fixedToken), decode, logAttempts(l))(t.Context(), c)
		require.NoError(t, err)

		ns := func(d time.Duration) float64 { return float64(d) }
		records := buffer.records(t)
		require.Len(t, records, 5)
		assert.LessOrEqual(t, records[3]["wait"], 2.0)
		delete(records[3], "wait")
		assert.Equal(t, []map[string]any{
			{"level": "DEBUG", "msg": "secretsstore: attempt", "method": "PATCH", "path": "/path", "attempt": 1., "status": 429., "duration": ns(time.Second), "ray_id": "8f00c0ffee-AMS"},
			{"level": "WARN", "msg": "secretsstore: waiting", "method": "PATCH", "path": "/path", "attempt": 2., "wait": ns(2 * time.Second), "reason": "429 Too Many Requests"},
			{"level": "DEBUG", "msg": "secretsstore: attempt", "method": "PATCH", "path": "/path", "attempt": 2., "duration": ns(time.Second), "error": "secretsstore:  : unexpected EOF"},
			{"level": "WARN", "msg": "secretsstore: waiting", "method": "PATCH", "path": "/path", "attempt": 3., "reason": "no response"},
			{"level": "DEBUG", "msg": "secretsstore: attempt", "method": "PATCH", "path": "/path", "attempt": 3., "status": 200., "duration": 0., "ray_id": ""},
		}, records)
	})
}

func TestLogLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name     string
			level    slog.Level
			attempts []attempt
			records  int
		}{
			{name: "a success is below Info", level: slog.LevelInfo, attempts: []attempt{success}},
			{name: "so is an error", level: slog.LevelInfo, attempts: []attempt{respond(404, nil)}},
			{name: "a wait is above it", level: slog.LevelInfo, attempts: []attempt{lost, success}, records: 1},
			{name: "a wait that is not started is not logged", level: slog.LevelInfo, attempts: []attempt{respond(429, nil, "Retry-After: 300")}},
		} {
			var buffer logBuffer
			c := newTestCall(getOp)
			c.log = buffer.logger(tt.level)
			next := &fakeNext{attempts: tt.attempts}
			_, _ = chain(next.handle, retry(new(budget), fixedToken), logAttempts(c.log))(t.Context(), c)
			assert.Len(t, buffer.records(t), tt.records, tt.name)
		}
	})
}

// Records hold neither headers nor bodies, and server text in them is redacted and on one line.
func TestLogHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const value, gateway = "s3cr3t-value", "gateway-secret"
		var buffer logBuffer
		var failure error
		client := newTestClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if failure != nil {
				return nil, failure
			}
			h := header("Cf-Ray: "+value, "X-Echo: "+req.Header.Get("Authorization"), "Content-Type: "+gateway)
			return httpResponse(503, `{"success":false,"errors":[{"code":1,"message":"`+value+" "+req.Header.Get("Authorization")+`"}]}`, h), nil
		}), WithLogger(buffer.logger(slog.LevelDebug)), WithHeader("X-Gateway", gateway))
		patch := SecretPatch{Value: NewSecretValue(value)}
		_, _, err := client.Secrets.Patch(t.Context(), "store", "secret", patch)
		require.ErrorIs(t, err, ErrServer)
		failure = errors.New("from " + value + ":\nlevel=ERROR\x1b[2J")
		_, _, err = client.Secrets.Patch(t.Context(), "store", "secret", patch)
		require.ErrorIs(t, err, failure)
		failure = errors.New("reset:\nlevel=ERROR\x1b[2J")
		_, _, err = client.Secrets.Patch(t.Context(), "store", "secret", patch)
		require.ErrorIs(t, err, failure)

		assert.Len(t, buffer.records(t), 3*(4+3))
		for _, secret := range []string{value, gateway, fixedToken.secret, "Bearer", `\n`, `\u001b`} {
			assert.NotContains(t, buffer.String(), secret)
		}
		assert.Contains(t, buffer.String(), `"error":"secretsstore: PATCH /accounts/account/secrets_store/stores/store/secrets/secret: reset: level=ERROR [2J"`)
	})
}
