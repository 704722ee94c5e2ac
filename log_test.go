package secretsstore_test

import (
	"bytes"
	"context"
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

	"github.com/seed-57d84f87/secretsstore-go"
)

// record is what a log's line holds.
type record struct {
	Level, Msg, Method, Path, Reason, Error string
	RayID                                   string `json:"ray_id"`
	Attempt, Status                         int
	Wait                                    time.Duration
}

// logged makes a logger of that level, and a function that reads what it wrote.
func logged(t *testing.T, level slog.Level) (*slog.Logger, *bytes.Buffer, func() []record) {
	var text bytes.Buffer
	return slog.New(slog.NewJSONHandler(&text, &slog.HandlerOptions{Level: level})), &text, func() []record {
		var records []record
		for line := range strings.Lines(text.String()) {
			var r record
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			records = append(records, r)
		}
		return records
	}
}

func TestLogOfRetries(t *testing.T) {
	steps := []step{
		{status: 503, body: failed, header: map[string]string{"Retry-After": "2"}},
		{err: refused},
		{status: 200},
	}
	const path = "/accounts/" + accountID + "/secrets_store/stores/" + storeID + "/secrets/" + secretID
	t.Run("each retry is one Warn record", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			logger, _, records := logged(t, slog.LevelInfo)
			c := newClient(t, &story{steps: steps}, secretsstore.WithLogger(logger), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
			_, err := get(t.Context(), c)
			require.NoError(t, err)
			got := records()
			require.Len(t, got, 2)
			assert.Equal(t, record{Level: "WARN", Msg: "secretsstore: trying again", Method: "GET", Path: path, Attempt: 1, Wait: 2 * time.Second, Reason: "status 503"}, got[0])
			assert.Equal(t, 2, got[1].Attempt)
			assert.Equal(t, refused.Error(), got[1].Reason)
		})
	})
	t.Run("each attempt is one Debug record", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			logger, _, records := logged(t, slog.LevelDebug)
			c := newClient(t, &story{steps: steps}, secretsstore.WithLogger(logger), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
			_, err := get(t.Context(), c)
			require.NoError(t, err)
			var levels []string
			for _, r := range records() {
				levels = append(levels, r.Level)
			}
			assert.Equal(t, []string{"DEBUG", "WARN", "DEBUG", "WARN", "DEBUG"}, levels)
		})
	})
	t.Run("a call that works, and one that is not repeated, write nothing above Debug", func(t *testing.T) {
		for _, only := range []step{{status: 200}, {status: 404, body: gone}} {
			logger, text, _ := logged(t, slog.LevelInfo)
			_, _ = get(t.Context(), newClient(t, &story{steps: []step{only}}, secretsstore.WithLogger(logger)))
			assert.Empty(t, text.String())
		}
	})
	t.Run("a wait that is not begun is not logged", func(t *testing.T) {
		logger, text, _ := logged(t, slog.LevelInfo)
		c := newClient(t, &story{steps: []step{{status: 429, body: failed, header: map[string]string{"Retry-After": "300"}}}},
			secretsstore.WithLogger(logger), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
		_, err := get(t.Context(), c)
		require.ErrorIs(t, err, secretsstore.ErrRateLimited)
		assert.Empty(t, text.String())
	})
}

func TestLogOfWaitsForTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, _, records := logged(t, slog.LevelInfo)
		c := newClient(t, &story{steps: []step{{status: 200, header: map[string]string{"Ratelimit": `"default";r=0;t=30`}}, {status: 200}}},
			secretsstore.WithLogger(logger))
		for range 3 {
			_, err := get(t.Context(), c)
			require.NoError(t, err)
		}
		got := records()
		require.Len(t, got, 1, "one call waits, and then there is no header and no wait")
		assert.Equal(t, "WARN", got[0].Level)
		assert.Equal(t, "secretsstore: waiting", got[0].Msg)
		assert.Equal(t, "rate limit", got[0].Reason)
		assert.Equal(t, 1, got[0].Attempt)
		assert.Equal(t, 30*time.Second, got[0].Wait)
	})
}

func TestLogHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const value = "s3cr3t-value"
		logger, text, records := logged(t, slog.LevelDebug)
		echo := &wire{answer: func(req *http.Request) (*http.Response, error) {
			resp := response(503, `{"success":false,"errors":[{"code":1,"message":"`+value+` `+apiToken+`"}]}`)
			resp.Header.Set("Cf-Ray", "a\nb "+apiToken)
			resp.Header.Set("X-Echo", value+" "+req.Header.Get("Authorization"))
			return resp, nil
		}}
		c := newClient(t, echo, secretsstore.WithLogger(logger), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
		_, _, err := c.Secrets.Patch(t.Context(), storeID, secretID, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(value)})
		require.Error(t, err)
		_, _, err = c.Secrets.Create(t.Context(), storeID, []secretsstore.SecretCreate{{Name: "A", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue(value)}})
		require.Error(t, err)
		assert.Len(t, records(), 14, "4 attempts and 3 retries, twice over")
		logger.Error("failed", "error", err, "client", c)
		assert.NotContains(t, text.String(), value)
		assert.NotContains(t, text.String(), apiToken)
		assert.NotContains(t, text.String(), "Bearer")
	})
}

// A handler that escapes nothing writes what it gets.
func TestLogRecordsAreOneLineEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, _, records := logged(t, slog.LevelDebug)
		api := &story{steps: []step{{err: errors.New("from the net:\nlevel=ERROR\x1b[2J")}, {status: 503, body: failed, header: map[string]string{"Cf-Ray": "r\nlevel=ERROR\x1b[2J"}}}}
		_, err := get(t.Context(), newClient(t, api, secretsstore.WithLogger(logger), secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 2})))
		require.Error(t, err)
		got := records()
		require.Len(t, got, 3)
		assert.Equal(t, "from the net: level=ERROR [2J", got[0].Error)
		assert.Equal(t, "from the net: level=ERROR [2J", got[1].Reason)
		assert.Equal(t, "r level=ERROR [2J", got[2].RayID)
	})
}

func TestLoggerThatPanicsLeavesThePaceAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := map[string]string{"Ratelimit": `"default";r=0;t=30`}
		c := newClient(t, &story{steps: []step{{status: 200, header: limited}, {status: 200}}}, secretsstore.WithLogger(slog.New(panicking{})))
		_, err := get(t.Context(), c)
		require.NoError(t, err)
		assert.Panics(t, func() { _, _ = get(t.Context(), c) })
		time.Sleep(30 * time.Second)
		began := time.Now()
		_, err = get(t.Context(), c)
		require.NoError(t, err)
		assert.Zero(t, time.Since(began))
	})
}

type panicking struct{ slog.Handler }

func (panicking) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (panicking) Handle(context.Context, slog.Record) error        { panic("no room") }
