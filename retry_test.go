package secretsstore

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRetrySucceedsAfterServerError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &fakeNext{attempts: []attempt{respond(500, nil), success}}
		c := newTestCall(patchOp)

		resp, err := retry(new(budget), fixedToken)(next.handle)(t.Context(), c)

		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, 2, c.attempt)
	})
}

// What is needed to retry an operation, and what an attempt provides.
const (
	never = iota
	ifIdempotent
	ifNotApplied503 // also the POSTs of the services
	ifNotApplied    // also POST and PATCH of Do
)

func TestRetryRules(t *testing.T) {
	type rule struct {
		name    string
		attempt attempt
		retried int
		unknown bool // a write may have been applied
	}
	rules := []rule{
		{"2xx success:false", respond(200, word("secret_value_too_long")), never, false},
		{"2xx success:false, rate limited", respond(200, code(10429)), ifNotApplied, false},
		{"2xx undecodable", undecodable(ErrInvalidResponse), never, true},
		{"2xx too large", undecodable(ErrResponseTooLarge), never, true},
		{"2xx truncated", truncated, ifIdempotent, true},
		{"400 rate limited", respond(400, code(971)), ifNotApplied, false},
		{"403 rate limited", respond(403, code(10300)), ifNotApplied, false},
		{"408 rate limited", respond(408, code(10100)), ifNotApplied, false},
		{"500 rate limited", respond(500, code(10429)), ifIdempotent, true},
		{"no response, sent", lost, ifIdempotent, true},
		{"no response, attempt timeout", noResponse(requestSent, ErrAttemptTimeout), ifIdempotent, true},
		{"no response, unsent", unsent, ifNotApplied, false},
		{"no response, refused", noResponse(requestRefused, x509.UnknownAuthorityError{}), never, false},
		{"ended by a layer", noResponse(requestEnded, ErrRateLimited), never, false},
		{"408", respond(408, nil), ifIdempotent, true},
		{"429", respond(429, nil), ifNotApplied, false},
		{"501", respond(501, nil), never, true},
		{"503", respond(503, nil), ifNotApplied503, false},
	}
	for _, status := range []int{301, 307, 400, 401, 403, 404, 407, 409, 413, 425} {
		rules = append(rules, rule{fmt.Sprint(status), respond(status, nil), never, false})
	}
	for _, status := range []int{500, 502, 504, 505, 520, 521, 522, 523, 524, 525, 526, 527, 530} {
		rules = append(rules, rule{fmt.Sprint(status), respond(status, nil), ifIdempotent, true})
	}
	for _, op := range []struct {
		name  string
		op    operation
		needs int
	}{
		{"Get", getOp, ifIdempotent},
		{"Patch", patchOp, ifIdempotent},
		{"Delete", deleteOp, ifIdempotent},
		{"BulkDelete", bulkDeleteOp, ifIdempotent},
		{"Do PUT", doPutOp, ifIdempotent},
		{"Create", createOp, ifNotApplied503},
		{"Do PATCH", doPatchOp, ifNotApplied},
		{"Do POST", doPostOp, ifNotApplied},
	} {
		for _, rule := range rules {
			t.Run(op.name+"/"+rule.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					next := &fakeNext{attempts: []attempt{rule.attempt}}
					resp, err := retry(new(budget), fixedToken)(next.handle)(t.Context(), newTestCall(op.op))
					want := 1
					if rule.retried >= op.needs {
						want = 4
					}
					assert.Len(t, next.at, want, "attempts")
					assert.ErrorIs(t, err, rule.attempt.err)
					assert.Same(t, rule.attempt.resp, resp)
					assert.Equal(t, rule.unknown && op.op.method != http.MethodGet, errors.Is(err, ErrOutcomeUnknown), "outcome unknown: %v", err)
				})
			})
		}
	}
}

func TestRetryStories(t *testing.T) {
	unavailable, busy, failed := respond(503, nil), respond(429, nil), respond(500, nil)
	noSecret, noStore := respond(404, word("secret_not_found")), respond(404, word("store_not_found"))
	nameTaken, overQuota := respond(409, word("secret_name_already_exists: A")), respond(400, word("maximum_secrets_exceeded: max 100"))
	for _, tt := range []struct {
		name        string
		op          operation
		attempts    []attempt
		maxAttempts int
		sent        int
		ok          bool
		status      int // of the Response
		is, isNot   []error
	}{
		{name: "a repeated delete that finds nothing succeeds", op: deleteOp, attempts: []attempt{lost, noSecret}, sent: 2, ok: true, status: 404},
		{name: "also after other attempts in between", op: deleteOp, attempts: []attempt{failed, busy, unsent, noSecret}, sent: 4, ok: true, status: 404},
		{name: "a first delete that finds nothing fails", op: deleteOp, attempts: []attempt{noSecret}, sent: 1, status: 404,
			is: []error{ErrSecretNotFound}, isNot: []error{ErrOutcomeUnknown}},
		{name: "a delete that was not applied and then finds nothing fails", op: deleteOp, attempts: []attempt{busy, unavailable, unsent, noSecret}, sent: 4, status: 404,
			is: []error{ErrSecretNotFound}, isNot: []error{ErrOutcomeUnknown}},
		{name: "a repeated delete that finds no store fails", op: deleteOp, attempts: []attempt{failed, noStore}, sent: 2, status: 404,
			is: []error{ErrStoreNotFound, ErrOutcomeUnknown}},
		{name: "a repeated delete with an invalid route fails", op: deleteOp, attempts: []attempt{failed, respond(404, code(7003))}, sent: 2, status: 404,
			is: []error{ErrInvalidRequest, ErrOutcomeUnknown}, isNot: []error{ErrNotFound}},
		{name: "a repeated bulk delete that finds nothing fails", op: bulkDeleteOp, attempts: []attempt{lost, noSecret}, sent: 2, status: 404,
			is: []error{ErrSecretNotFound, ErrOutcomeUnknown}},
		{name: "a repeated patch that finds nothing fails", op: patchOp, attempts: []attempt{lost, noSecret}, sent: 2, status: 404,
			is: []error{ErrSecretNotFound, ErrOutcomeUnknown}},
		{name: "an attempt that may have been applied makes the outcome unknown to the end", op: patchOp, attempts: []attempt{lost, busy, unsent}, sent: 4, status: 429,
			is: []error{ErrOutcomeUnknown, ErrRateLimited, io.ErrClosedPipe}},
		{name: "a read never has an unknown outcome", op: getOp, attempts: []attempt{failed, lost, truncated, failed}, sent: 4, status: 500,
			is: []error{ErrServer}, isNot: []error{ErrOutcomeUnknown}},
		{name: "a create after 503 that finds the name taken is unknown", op: createOp, attempts: []attempt{unavailable, nameTaken}, sent: 2, status: 409,
			is: []error{ErrOutcomeUnknown, ErrAlreadyExists}},
		{name: "so is one that finds the quota used up", op: createOp, attempts: []attempt{unavailable, busy, unsent, overQuota}, sent: 4, status: 400,
			is: []error{ErrOutcomeUnknown, ErrQuotaExceeded}},
		{name: "a create after 503 with another error is not", op: createOp, attempts: []attempt{unavailable, respond(400, word("secret_scope_invalid"))}, sent: 2, status: 400,
			is: []error{ErrInvalidRequest}, isNot: []error{ErrOutcomeUnknown}},
		{name: "a create after 429 that finds the name taken was not applied", op: createOp, attempts: []attempt{busy, unsent, nameTaken}, sent: 3, status: 409,
			is: []error{ErrAlreadyExists}, isNot: []error{ErrOutcomeUnknown}},
		{name: "a create that is lost after 503 is not sent a third time", op: createOp, attempts: []attempt{unavailable, lost}, sent: 2, status: 503,
			is: []error{ErrOutcomeUnknown, io.ErrUnexpectedEOF, ErrServer}},
		{name: "the Response is the last one received", op: getOp, attempts: []attempt{failed, busy, lost}, sent: 4, status: 429,
			is: []error{io.ErrUnexpectedEOF, ErrRateLimited}, isNot: []error{ErrServer}},
		{name: "the last error of the API is found behind a truncated response", op: getOp, attempts: []attempt{unavailable, truncated}, maxAttempts: 2, sent: 2, status: 200,
			is: []error{ErrInvalidResponse, io.ErrUnexpectedEOF, ErrServer}},
		{name: "MaxAttempts 1 disables retries", op: getOp, attempts: []attempt{busy}, maxAttempts: 1, sent: 1, status: 429, is: []error{ErrRateLimited}},
		{name: "MaxAttempts includes the first attempt", op: getOp, attempts: []attempt{busy}, maxAttempts: 6, sent: 6, status: 429, is: []error{ErrRateLimited}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := &fakeNext{attempts: tt.attempts}
				c := newTestCall(tt.op)
				c.options.retry.MaxAttempts = tt.maxAttempts
				resp, err := retry(new(budget), fixedToken)(next.handle)(t.Context(), c)
				assert.Equal(t, tt.ok, err == nil, "%v", err)
				assert.Len(t, next.at, tt.sent)
				assert.Equal(t, tt.status, resp.StatusCode)
				for _, target := range tt.is {
					assert.ErrorIs(t, err, target)
				}
				for _, target := range tt.isNot {
					assert.NotErrorIs(t, err, target)
				}
			})
		})
	}
}

// The clock of a synctest bubble starts at 2000-01-01 00:00:00 UTC.
func TestRetryAfterDecidesTheDelay(t *testing.T) {
	for _, tt := range []struct {
		name      string
		status    int // 0: 429
		headers   []string
		maxWait   time.Duration
		unlimited bool
		deadline  time.Duration // 0: none
		want      time.Duration // 0: no retry
	}{
		{name: "seconds", headers: []string{"Retry-After: 7"}, want: 7 * time.Second},
		{name: "seconds of another status", status: 503, headers: []string{"Retry-After: 7"}, want: 7 * time.Second},
		{name: "a date", headers: []string{"Retry-After: Sat, 01 Jan 2000 00:00:20 GMT"}, want: 20 * time.Second},
		{name: "a date by the server's clock", headers: []string{"Retry-After: Sun, 22 Nov 2026 10:00:30 GMT", "Date: Sun, 22 Nov 2026 10:00:00 GMT"}, want: 30 * time.Second},
		{name: "as long as the default MaxWait", headers: []string{"Retry-After: 60"}, want: time.Minute},
		{name: "longer", headers: []string{"Retry-After: 61"}},
		{name: "longer, 503", status: 503, headers: []string{"Retry-After: 61"}},
		{name: "a date that is longer", headers: []string{"Retry-After: Sat, 01 Jan 2000 01:00:00 GMT"}},
		{name: "within MaxWait", headers: []string{"Retry-After: 300"}, maxWait: 5 * time.Minute, want: 5 * time.Minute},
		{name: "longer than MaxWait", headers: []string{"Retry-After: 3"}, maxWait: 2 * time.Second},
		{name: "negative MaxWait", headers: []string{"Retry-After: 1"}, maxWait: -1},
		{name: "only the context bounds it", headers: []string{"Retry-After: 3600"}, unlimited: true, want: time.Hour},
		{name: "MaxWait beats that", headers: []string{"Retry-After: 3600"}, unlimited: true, maxWait: time.Minute},
		{name: "before the deadline", headers: []string{"Retry-After: 5"}, deadline: 5*time.Second + 1, want: 5 * time.Second},
		{name: "at the deadline", headers: []string{"Retry-After: 5"}, deadline: 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				first := respond(max(tt.status, 429), nil, tt.headers...)
				next := &fakeNext{attempts: []attempt{first, success}}
				c := newTestCall(getOp)
				c.options.retry.MaxWait, c.options.unlimitedWait = tt.maxWait, tt.unlimited
				b := new(budget)
				started := time.Now()
				resp, err := retry(b, fixedToken)(next.handle)(ctx, c)
				assert.Equal(t, tt.want, time.Since(started))
				if tt.want > 0 {
					require.NoError(t, err)
					assert.Equal(t, tt.want, c.waited)
					return
				}
				assert.Same(t, first.err, err, "the error of the last attempt")
				assert.Same(t, first.resp, resp)
				assert.NotErrorIs(t, err, context.DeadlineExceeded)
				assert.Zero(t, b.spent.Load(), "a retry that is not made costs no budget")
			})
		})
	}
}

// Retry-After: 0 does not mean four requests at once.
func TestRetryAfterZeroIsBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, value := range []string{"0", "-5", "1.5", "soon", "", "Fri, 31 Dec 1999 23:00:00 GMT"} {
			next := &fakeNext{attempts: []attempt{respond(429, nil, "Retry-After: "+value)}}
			started := time.Now()
			_, err := retry(new(budget), fixedToken)(next.handle)(t.Context(), newTestCall(createOp))
			require.ErrorIs(t, err, ErrRateLimited)
			assert.Len(t, next.at, 4)
			waited := time.Since(started)
			assert.Positive(t, waited, value)
			assert.LessOrEqual(t, waited, (500+1000+2000)*time.Millisecond, value)
		}
	})
}

func TestBackoffIsExponentialWithFullJitter(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy RetryPolicy
		n      int
		bound  time.Duration
	}{
		{"first", RetryPolicy{}, 0, 500 * time.Millisecond},
		{"second", RetryPolicy{}, 1, time.Second},
		{"sixth", RetryPolicy{}, 5, 16 * time.Second},
		{"MaxBackoff", RetryPolicy{}, 6, 20 * time.Second},
		{"many", RetryPolicy{}, 1 << 30, 20 * time.Second},
		{"short base", RetryPolicy{BaseBackoff: 1, MaxBackoff: 1 << 40}, 31, 1 << 31},
		{"long base", RetryPolicy{BaseBackoff: time.Hour}, 0, 20 * time.Second},
		{"short maximum", RetryPolicy{MaxBackoff: time.Millisecond}, 0, time.Millisecond},
		{"custom", RetryPolicy{BaseBackoff: time.Second, MaxBackoff: 5 * time.Second}, 2, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const draws = 10_000
			var tenths [10]int
			for range draws {
				delay := tt.policy.backoff(tt.n)
				if delay < 0 || delay > tt.bound {
					t.Fatalf("%v is not between 0 and %v", delay, tt.bound)
				}
				tenths[min(9, delay*10/tt.bound)]++
			}
			for i, n := range tenths {
				assert.InDelta(t, draws/10, n, 300, "delays in tenth %d", i) // ten standard deviations
			}
		})
	}
}

func TestLongestBackoff(t *testing.T) {
	longest := RetryPolicy{BaseBackoff: math.MaxInt64, MaxBackoff: math.MaxInt64}
	assert.GreaterOrEqual(t, longest.backoff(3), time.Duration(0))
}

func TestBackoffIsBoundedByTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		next := &fakeNext{attempts: []attempt{lost, success}}
		c := newTestCall(getOp)
		c.options.retry = RetryPolicy{BaseBackoff: time.Hour, MaxBackoff: time.Hour}
		_, err := retry(new(budget), fixedToken)(next.handle)(ctx, c)
		assert.Same(t, lost.err, err)
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(budget)
		call := func(op operation, attempts ...attempt) (sent int) {
			next := &fakeNext{attempts: attempts}
			_, _ = retry(b, fixedToken)(next.handle)(t.Context(), newTestCall(op))
			return len(next.at)
		}
		failing := respond(502, nil)
		for range 1000 {
			call(getOp, success) // a full budget stays full
		}
		for range 33 {
			require.Equal(t, 4, call(getOp, failing))
		}
		assert.Equal(t, 2, call(getOp, failing), "500 tokens are 100 retries")
		assert.Equal(t, 1, call(getOp, failing), "an empty budget means no retries")
		for range 4 {
			call(getOp, success)
		}
		assert.Equal(t, 1, call(getOp, failing), "four successes do not pay for a retry")
		call(getOp, success)
		assert.Equal(t, 2, call(getOp, failing), "five do")
		for range 5 {
			call(getOp, success)
		}
		call(deleteOp, lost, respond(404, word("secret_not_found")))
		assert.EqualValues(t, 499, b.spent.Load(), "a delete that succeeds on its retry returns a token")
	})
}

func TestContextEndsACall(t *testing.T) {
	cause := errors.New("the user pressed ctrl-c")
	for _, tt := range []struct {
		name     string
		op       operation
		attempts []attempt
		cancel   time.Duration // -1: before the call
		deadline time.Duration
		sent     int
		waits    int // retries whose wait was started
		waited   time.Duration
		unknown  bool
		status   int // 0: no response
	}{
		{name: "before it", op: patchOp, cancel: -1},
		{name: "during a wait", op: patchOp, attempts: []attempt{respond(429, nil, "Retry-After: 10")}, cancel: 3 * time.Second, sent: 1, waits: 1, waited: 3 * time.Second, status: 429},
		{name: "during a wait after a lost attempt", op: patchOp, attempts: []attempt{lost, respond(503, nil, "Retry-After: 10")}, cancel: 3 * time.Second, sent: 2, waits: 2, unknown: true, status: 503},
		{name: "in flight, on the second attempt", op: patchOp, attempts: []attempt{respond(429, nil, "Retry-After: 1"), {err: lost.err, takes: time.Minute}}, cancel: 3 * time.Second, sent: 2, waits: 1, unknown: true, status: 429},
		{name: "while a failing response is received", op: getOp, attempts: []attempt{{resp: respond(502, nil).resp, err: respond(502, nil).err, takes: 2 * time.Second}}, cancel: time.Second, sent: 1, status: 502},
		{name: "by its deadline, while a failing response is received", op: getOp, attempts: []attempt{{resp: respond(502, nil).resp, err: respond(502, nil).err, takes: 2 * time.Second}}, deadline: time.Second, sent: 1, status: 502},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				want, wantCause := context.Canceled, cause
				switch {
				case tt.deadline > 0:
					var stop context.CancelFunc
					ctx, stop = context.WithTimeoutCause(ctx, tt.deadline, cause)
					defer stop()
					want = context.DeadlineExceeded
				case tt.cancel < 0:
					cancel(cause)
				default:
					time.AfterFunc(tt.cancel, func() { cancel(cause) })
				}
				var records bytes.Buffer
				next, c, b := &fakeNext{attempts: tt.attempts}, newTestCall(tt.op), new(budget)
				c.log = slog.New(slog.NewTextHandler(&records, nil))
				resp, err := retry(b, fixedToken)(next.handle)(ctx, c)
				assert.ErrorIs(t, err, want)
				assert.ErrorIs(t, err, wantCause)
				assert.Len(t, next.at, tt.sent)
				assert.Equal(t, tt.unknown, errors.Is(err, ErrOutcomeUnknown), "%v", err)
				assert.Equal(t, tt.status != 0, resp != nil)
				var apiErr *APIError
				if assert.Equal(t, tt.status != 0, errors.As(err, &apiErr)) && apiErr != nil {
					assert.Equal(t, tt.status, apiErr.StatusCode)
				}
				var reqErr *RequestError
				require.ErrorAs(t, err, &reqErr)
				assert.Equal(t, tt.sent, c.made)
				assert.Equal(t, tt.waits, bytes.Count(records.Bytes(), []byte("secretsstore: waiting")), "logged waits")
				assert.EqualValues(t, tt.waits*retryTokens, b.spent.Load(), "budget")
				if tt.waited > 0 {
					assert.Equal(t, tt.waited, c.waited)
				}
			})
		})
	}
}

func TestTokenRenewal(t *testing.T) {
	errSource := errors.New("vault is sealed")
	refused := respond(401, code(10000))
	for _, tt := range []struct {
		name        string
		op          operation
		tokens      []string // what the source returns; "": an error
		attempts    []attempt
		maxAttempts int
		sent        []string
		asked       int
		is          []error // nil: success
		spent       int64
		delayed     bool
	}{
		{name: "a new token is used at once", op: getOp, tokens: []string{"old", "new"}, attempts: []attempt{refused, success}, sent: []string{"old", "new"}, asked: 2},
		{name: "for any method", op: doPostOp, tokens: []string{"old", "new"}, attempts: []attempt{refused, success}, sent: []string{"old", "new"}, asked: 2},
		{name: "after any response that means so", op: createOp, tokens: []string{"old", "new"}, attempts: []attempt{respond(400, code(9106)), success}, sent: []string{"old", "new"}, asked: 2},
		{name: "an unchanged token is not", op: getOp, tokens: []string{"old", "old"}, attempts: []attempt{refused}, sent: []string{"old"}, asked: 2, is: []error{ErrUnauthorized}},
		{name: "the source is asked again once", op: getOp, tokens: []string{"a", "b", "c"}, attempts: []attempt{refused}, sent: []string{"a", "b"}, asked: 2, is: []error{ErrUnauthorized}},
		{name: "it counts toward MaxAttempts", op: getOp, tokens: []string{"a", "b", "c"}, attempts: []attempt{respond(500, nil), refused}, maxAttempts: 2, sent: []string{"a", "b"}, asked: 2, is: []error{ErrUnauthorized}, spent: 5, delayed: true},
		{name: "not with one attempt", op: getOp, tokens: []string{"old", "new"}, attempts: []attempt{refused}, maxAttempts: 1, sent: []string{"old"}, asked: 1, is: []error{ErrUnauthorized}},
		{name: "not after a 403", op: getOp, tokens: []string{"old", "new"}, attempts: []attempt{respond(403, code(10000))}, sent: []string{"old"}, asked: 1, is: []error{ErrForbidden}},
		{name: "the source fails", op: patchOp, tokens: []string{"old", ""}, attempts: []attempt{refused}, sent: []string{"old"}, asked: 2, is: []error{errSource, ErrUnauthorized}},
		{name: "a later attempt asks as usual", op: getOp, tokens: []string{"a", "b", "c"}, attempts: []attempt{refused, respond(500, nil), success}, sent: []string{"a", "b", "c"}, asked: 3, spent: 5, delayed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				cred := &credential{source: TokenSourceFunc(func(context.Context) (string, error) {
					asked++
					if token := tt.tokens[asked-1]; token != "" {
						return token, nil
					}
					return "", errSource
				})}
				next, b, c := &fakeNext{attempts: tt.attempts}, new(budget), newTestCall(tt.op)
				c.options.retry.MaxAttempts = tt.maxAttempts
				started := time.Now()
				_, err := chain(next.handle, retry(b, cred), credentials(cred))(t.Context(), c)
				assert.Equal(t, tt.is == nil, err == nil, "%v", err)
				for _, target := range tt.is {
					assert.ErrorIs(t, err, target)
				}
				assert.NotErrorIs(t, err, ErrOutcomeUnknown)
				if slices.Contains(tt.is, errSource) {
					assert.ErrorAs(t, err, new(*RequestError))
				}
				assert.Equal(t, tt.sent, next.tokens)
				assert.Equal(t, tt.asked, asked)
				assert.Equal(t, len(tt.sent), c.made)
				assert.Equal(t, tt.delayed, time.Since(started) > 0)
				assert.Equal(t, max(0, tt.spent-map[bool]int64{true: successTokens}[err == nil]), b.spent.Load())
			})
		})
	}
}

// A key or a fixed token cannot be renewed.
func TestFixedCredentialIsNotRenewed(t *testing.T) {
	next := &fakeNext{attempts: []attempt{respond(401, nil)}}
	_, err := chain(next.handle, retry(new(budget), fixedToken), credentials(fixedToken))(t.Context(), newTestCall(getOp))
	assert.ErrorIs(t, err, ErrUnauthorized)
	assert.Len(t, next.at, 1)
}

func TestRetryPolicy(t *testing.T) {
	client := RetryPolicy{MaxAttempts: 2, BaseBackoff: 3, MaxBackoff: 4, MaxWait: 5}
	assert.Equal(t, client, RetryPolicy{}.or(client))
	assert.Equal(t, RetryPolicy{MaxAttempts: 1, BaseBackoff: 3, MaxBackoff: 4, MaxWait: -1}, RetryPolicy{MaxAttempts: 1, MaxWait: -1}.or(client))
	assert.NoError(t, RetryPolicy{MaxWait: -1}.check())
	for _, policy := range []RetryPolicy{{MaxAttempts: -1}, {BaseBackoff: -1}, {MaxBackoff: -1}} {
		assert.ErrorIs(t, policy.check(), ErrInvalidArgument, "%+v", policy)
	}
}
