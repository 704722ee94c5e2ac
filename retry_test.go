package secretsstore_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// step is what comes of one attempt in a story: an answer, or an error.
type step struct {
	status int
	header map[string]string
	body   string
	cut    error         // ends the body after half of it
	err    error         // comes instead of an answer
	silent bool          // nothing comes, until the attempt is given up
	stalls bool          // the body stops after half of it, until the attempt is given up
	takes  time.Duration // until the answer
}

const (
	aSecret   = `{"id":"` + secretID + `","store_id":"` + storeID + `","name":"A","status":"active","scopes":["workers"],"created":"2023-09-21T18:56:32.624632Z","modified":"2023-09-21T18:56:32.624632Z"}`
	oneSecret = `{"success":true,"errors":[],"messages":[],"result":` + aSecret + `}`
	gone      = `{"success":false,"errors":[{"code":1001,"message":"secret_not_found"}],"messages":[],"result":null}`
	nameTaken = `{"success":false,"errors":[{"code":1003,"message":"secret_name_already_exists"}],"messages":[],"result":null}`
	failed    = `{"success":false,"errors":[{"code":1000,"message":"something"}],"messages":[],"result":null}`
)

// story is a transport that goes through its steps; the last one is repeated.
type story struct {
	steps []step
	sent  []time.Time
}

func (s *story) RoundTrip(req *http.Request) (*http.Response, error) {
	next := s.steps[min(len(s.sent), len(s.steps)-1)]
	s.sent = append(s.sent, time.Now())
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	if next.takes > 0 {
		time.Sleep(next.takes)
	}
	if next.silent {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if next.err != nil {
		return nil, next.err
	}
	text := next.body
	if text == "" && next.status/100 == 2 {
		text = oneSecret
		if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/secrets") {
			text = strings.Replace(oneSecret, aSecret, "["+aSecret+"]", 1)
		}
	}
	resp := response(next.status, text)
	for name, value := range next.header {
		resp.Header.Set(name, value)
	}
	half := strings.NewReader(text[:len(text)/2])
	switch {
	case next.cut != nil:
		resp.Body = io.NopCloser(io.MultiReader(half, failingReader(func() error { return next.cut })))
	case next.stalls:
		resp.Body = io.NopCloser(io.MultiReader(half, failingReader(func() error {
			<-req.Context().Done()
			return req.Context().Err()
		})))
	}
	return resp, nil
}

type failingReader func() error

func (f failingReader) Read([]byte) (int, error) { return 0, f() }

// calls are the calls whose repeats are looked at. making ones are not repeated
// where they may have been done.
var calls = []struct {
	name   string
	making bool
	do     func(context.Context, *secretsstore.Client, ...secretsstore.RequestOption) (*secretsstore.Response, error)
}{
	{"Get", false, func(ctx context.Context, c *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
		_, resp, err := c.Secrets.Get(ctx, storeID, secretID, opts...)
		return resp, err
	}},
	{"Patch", false, func(ctx context.Context, c *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
		_, resp, err := c.Secrets.Patch(ctx, storeID, secretID, secretsstore.SecretPatch{Comment: secretsstore.Ptr("x")}, opts...)
		return resp, err
	}},
	{"Delete", false, func(ctx context.Context, c *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
		return c.Secrets.Delete(ctx, storeID, secretID, opts...)
	}},
	{"BulkDelete", false, func(ctx context.Context, c *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
		return c.Secrets.BulkDelete(ctx, storeID, []string{secretID}, opts...)
	}},
	{"Do PUT", false, func(ctx context.Context, c *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
		return c.Do(ctx, http.MethodPut, "/x", map[string]string{"a": "b"}, nil, opts...)
	}},
	{"Create", true, create},
	{"Duplicate", true, func(ctx context.Context, c *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
		_, resp, err := c.Secrets.Duplicate(ctx, storeID, secretID, secretsstore.SecretDuplicate{Name: "B", Scopes: []secretsstore.Scope{"workers"}}, opts...)
		return resp, err
	}},
	{"Do PATCH", true, func(ctx context.Context, c *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
		return c.Do(ctx, http.MethodPatch, "/x", map[string]string{"a": "b"}, nil, opts...)
	}},
	{"Do POST", true, func(ctx context.Context, c *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
		return c.Do(ctx, http.MethodPost, "/x", nil, nil, opts...)
	}},
}

func create(ctx context.Context, c *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
	_, resp, err := c.Secrets.Create(ctx, storeID, []secretsstore.SecretCreate{{Name: "A", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")}}, opts...)
	return resp, err
}

func get(ctx context.Context, c *secretsstore.Client, opts ...secretsstore.RequestOption) (*secretsstore.Response, error) {
	_, resp, err := c.Secrets.Get(ctx, storeID, secretID, opts...)
	return resp, err
}

var (
	refused  = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	noHost   = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "api.example.com", IsNotFound: true}}
	reset    = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	badProxy = &net.OpError{Op: "proxyconnect", Net: "tcp", Err: errors.New("407")}
	badCert  = &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
)

func TestRetryTable(t *testing.T) {
	// What a call is that failed so: repeated if doing it twice is doing it once,
	// repeated if it makes something, and, if that is not so, unknown in its outcome.
	type rule struct {
		name         string
		step         step
		safe, making bool
		unknown      bool
		is           error
	}
	var rules []rule
	add := func(safe, making, unknown bool, is error, statuses ...int) {
		for _, status := range statuses {
			rules = append(rules, rule{fmt.Sprint(status), step{status: status, body: failed}, safe, making, unknown, is})
		}
	}
	add(false, false, false, nil, 301, 302, 303, 307, 308)
	add(false, false, false, secretsstore.ErrInvalidRequest, 400, 405, 413, 422, 425)
	add(false, false, false, secretsstore.ErrUnauthorized, 401)
	add(false, false, false, secretsstore.ErrForbidden, 403)
	add(false, false, false, secretsstore.ErrNotFound, 404, 410)
	add(false, false, false, secretsstore.ErrConflict, 409)
	add(true, false, false, nil, 408)
	add(true, true, false, secretsstore.ErrRateLimited, 429)
	add(true, false, true, secretsstore.ErrServer, 500, 502, 504, 520, 521, 522, 523, 524, 525, 526, 527)
	add(true, true, false, secretsstore.ErrServer, 503)
	add(false, false, false, secretsstore.ErrServer, 501, 505, 519, 528, 530, 599)
	rules = append(rules,
		rule{"502 of the edge", step{status: 502, body: "<html>bad gateway</html>"}, true, false, true, secretsstore.ErrServer},
		rule{"500 that is cut", step{status: 500, body: failed, cut: io.ErrUnexpectedEOF}, true, false, true, secretsstore.ErrServer},
		rule{"404 that is cut", step{status: 404, body: failed, cut: io.ErrUnexpectedEOF}, false, false, false, secretsstore.ErrNotFound},
		rule{"200 without success", step{status: 200, body: failed}, false, false, false, nil},
		rule{"200 that is no JSON", step{status: 200, body: "<html>"}, false, false, true, secretsstore.ErrInvalidResponse},
		rule{"200 that is cut", step{status: 200, cut: io.ErrUnexpectedEOF}, true, false, true, secretsstore.ErrInvalidResponse},
		rule{"200 that is cut, and its cause", step{status: 200, cut: io.ErrUnexpectedEOF}, true, false, true, io.ErrUnexpectedEOF},
		rule{"200 that stalls", step{status: 200, stalls: true}, true, false, true, secretsstore.ErrAttemptTimeout},
		rule{"no host", step{err: noHost}, true, true, false, noHost},
		rule{"no connection", step{err: refused}, true, true, false, syscall.ECONNREFUSED},
		rule{"no connection through the proxy", step{err: badProxy}, true, true, false, badProxy},
		rule{"a certificate that is not trusted", step{err: badCert}, false, false, false, badCert},
		rule{"a reset in flight", step{err: reset}, true, false, true, syscall.ECONNRESET},
		rule{"an end in flight", step{err: io.EOF}, true, false, true, io.EOF},
		rule{"a timeout in flight", step{silent: true}, true, false, true, secretsstore.ErrAttemptTimeout},
	)
	for _, call := range calls {
		for _, rule := range rules {
			t.Run(call.name+", "+rule.name, func(t *testing.T) {
				again := rule.safe && !call.making || rule.making
				for attempts := 1; attempts <= 4; attempts++ {
					synctest.Test(t, func(t *testing.T) {
						api := &story{steps: []step{rule.step}}
						c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: attempts}))
						resp, err := call.do(t.Context(), c)
						require.Error(t, err)
						want := 1
						if again {
							want = attempts
						}
						assert.Len(t, api.sent, want, "attempts")
						assert.Equal(t, call.making && rule.unknown, errors.Is(err, secretsstore.ErrOutcomeUnknown), "outcome unknown: %v", err)
						if rule.is != nil {
							assert.ErrorIs(t, err, rule.is)
						}
						assert.NotErrorIs(t, err, context.DeadlineExceeded)
						assert.NotErrorIs(t, err, context.Canceled)
						answered := rule.step.err == nil && !rule.step.silent
						require.Equal(t, answered, resp != nil, "there is a Response where an answer came")
						if answered {
							assert.Equal(t, rule.step.status, resp.StatusCode)
							assert.Equal(t, want, resp.Attempts)
						}
						assert.Equal(t, want, attemptsOf(t, err))
					})
				}
				// The attempt after works, if there is one.
				synctest.Test(t, func(t *testing.T) {
					api := &story{steps: []step{rule.step, rule.step, {status: 200}}}
					c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
					resp, err := call.do(t.Context(), c)
					if !again {
						assert.Error(t, err)
						assert.Len(t, api.sent, 1)
						return
					}
					require.NoError(t, err)
					assert.Equal(t, 3, resp.Attempts)
				})
			})
		}
	}
}

// attemptsOf is how many attempts an error says there were.
func attemptsOf(t *testing.T, err error) int {
	var api *secretsstore.APIError
	var answer *secretsstore.ResponseError
	var request *secretsstore.RequestError
	switch {
	case errors.As(err, &api):
		return api.Attempts
	case errors.As(err, &answer):
		return answer.Attempts
	case errors.As(err, &request):
		return request.Attempts
	}
	t.Fatalf("%v is none of the package's errors", err)
	return 0
}

func TestRetryStories(t *testing.T) {
	busy := step{status: 429, body: failed}
	for _, s := range []struct {
		name     string
		call     string
		policy   secretsstore.RetryPolicy
		opts     []secretsstore.RequestOption
		steps    []step
		attempts int
		is       []error // nil: it works
		isNot    []error
		status   int
	}{
		{name: "a delete that is repeated and then finds nothing is done", call: "Delete",
			steps: []step{{err: reset}, {status: 404, body: gone}}, attempts: 2, status: 404},
		{name: "a delete that finds nothing at first is not", call: "Delete",
			steps: []step{{status: 404, body: gone}}, attempts: 1, status: 404, is: []error{secretsstore.ErrSecretNotFound}},
		{name: "a delete that is repeated and then finds no store is not", call: "Delete",
			steps: []step{{status: 500, body: failed}, {status: 404, body: strings.Replace(gone, "secret", "store", 1)}}, attempts: 2, status: 404,
			is: []error{secretsstore.ErrStoreNotFound}, isNot: []error{secretsstore.ErrSecretNotFound}},
		{name: "a repeated delete whose 404 does not name the secret is not", call: "Delete",
			steps: []step{{status: 500, body: failed}, {status: 404, body: "<html>"}}, attempts: 2, status: 404, is: []error{secretsstore.ErrNotFound}},
		{name: "a bulk delete that is repeated and then finds nothing is not done", call: "BulkDelete",
			steps: []step{{err: reset}, {status: 404, body: gone}}, attempts: 2, status: 404, is: []error{secretsstore.ErrSecretNotFound}},
		{name: "a patch that is repeated and then finds nothing is not done", call: "Patch",
			steps: []step{{err: reset}, {status: 404, body: gone}}, attempts: 2, status: 404, is: []error{secretsstore.ErrSecretNotFound}},
		{name: "a creation after 503 that finds the name taken may have been done", call: "Create",
			steps: []step{{status: 503, body: failed}, {status: 409, body: nameTaken}}, attempts: 2, status: 409,
			is: []error{secretsstore.ErrOutcomeUnknown, secretsstore.ErrAlreadyExists}},
		{name: "also with other answers in between", call: "Create",
			steps: []step{{status: 503, body: failed}, busy, {err: refused}, {status: 400, body: nameTaken}}, attempts: 4, status: 400,
			is: []error{secretsstore.ErrOutcomeUnknown, secretsstore.ErrAlreadyExists}},
		{name: "a creation after 429 that finds the name taken was not done", call: "Create",
			steps: []step{busy, {status: 409, body: nameTaken}}, attempts: 2, status: 409,
			is: []error{secretsstore.ErrAlreadyExists}, isNot: []error{secretsstore.ErrOutcomeUnknown}},
		{name: "a creation that finds the name taken was not done", call: "Create",
			steps: []step{{status: 409, body: nameTaken}}, attempts: 1, status: 409,
			is: []error{secretsstore.ErrAlreadyExists}, isNot: []error{secretsstore.ErrOutcomeUnknown}},
		{name: "a creation after 503 that is cut is not tried a third time", call: "Create",
			steps: []step{{status: 503, body: failed}, {err: reset}, {status: 200}}, attempts: 2, status: 503,
			is: []error{secretsstore.ErrOutcomeUnknown, syscall.ECONNRESET}},
		{name: "a creation that makes less than was asked may have been done", call: "Create",
			steps: []step{{status: 200, body: strings.Replace(oneSecret, aSecret, "[]", 1)}}, attempts: 1, status: 200,
			is: []error{secretsstore.ErrOutcomeUnknown, secretsstore.ErrInvalidResponse}},
		{name: "the last answer stays when the last attempt has none", call: "Get",
			steps: []step{{status: 500, body: failed}, {err: reset}}, attempts: 4, status: 500, is: []error{syscall.ECONNRESET}},
		{name: "a call can have its own number of attempts", call: "Get", opts: []secretsstore.RequestOption{secretsstore.WithMaxAttempts(2)},
			steps: []step{busy}, attempts: 2, status: 429, is: []error{secretsstore.ErrRateLimited}},
		{name: "also more than the client's", call: "Get", policy: secretsstore.RetryPolicy{MaxAttempts: 1}, opts: []secretsstore.RequestOption{secretsstore.WithMaxAttempts(6)},
			steps: []step{busy}, attempts: 6, status: 429, is: []error{secretsstore.ErrRateLimited}},
	} {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &story{steps: s.steps}
				c := newClient(t, api, secretsstore.WithRetryPolicy(s.policy))
				for _, call := range calls {
					if call.name != s.call {
						continue
					}
					resp, err := call.do(t.Context(), c, s.opts...)
					if s.is == nil {
						require.NoError(t, err)
					}
					for _, is := range s.is {
						assert.ErrorIs(t, err, is)
					}
					for _, isNot := range s.isNot {
						assert.NotErrorIs(t, err, isNot)
					}
					require.NotNil(t, resp)
					assert.Equal(t, s.status, resp.StatusCode)
				}
				assert.Len(t, api.sent, s.attempts)
			})
		})
	}
}

func TestRetryWaits(t *testing.T) {
	const atOnce, backoff = -1, -2
	for _, s := range []struct {
		name       string
		status     int
		retryAfter string
		date       string
		longest    time.Duration
		deadline   time.Duration
		wait       time.Duration // or atOnce: the error comes at once; or backoff
		said       time.Duration // RetryAfter of that error
	}{
		{name: "seconds", retryAfter: "7", wait: 7 * time.Second},
		{name: "seconds with zeros and spaces", retryAfter: " 007 ", wait: 7 * time.Second},
		{name: "no seconds", retryAfter: "0", wait: 0},
		{name: "of a server's fault", status: 503, retryAfter: "3", wait: 3 * time.Second},
		{name: "a date, by our clock", retryAfter: "Sat, 01 Jan 2000 00:00:20 GMT", wait: 20 * time.Second},
		{name: "a date, by the server's clock", retryAfter: "Sun, 22 Nov 2026 10:00:30 GMT", date: "Sun, 22 Nov 2026 10:00:00 GMT", wait: 30 * time.Second},
		{name: "a date, by a server's clock that is behind", retryAfter: "Sun, 06 Nov 1994 08:49:40 GMT", date: "Sun, 06 Nov 1994 08:49:37 GMT", wait: 3 * time.Second},
		{name: "a date in RFC 850's form", retryAfter: "Saturday, 01-Jan-00 00:00:05 GMT", wait: 5 * time.Second},
		{name: "a date that is over", retryAfter: "Fri, 31 Dec 1999 23:00:00 GMT", wait: 0},
		{name: "the most", retryAfter: "60", wait: 60 * time.Second},
		{name: "past the most", retryAfter: "61", wait: atOnce, said: 61 * time.Second},
		{name: "the API's block", retryAfter: "300", wait: atOnce, said: 5 * time.Minute},
		{name: "the API's block, sat out", retryAfter: "300", longest: 5 * time.Minute, wait: 5 * time.Minute},
		{name: "a date past the most", retryAfter: "Sat, 01 Jan 2000 01:00:00 GMT", wait: atOnce, said: time.Hour},
		{name: "more than a day", retryAfter: "99999999999999999999", wait: atOnce, said: 24 * time.Hour},
		{name: "a date in another age", retryAfter: "Fri, 31 Dec 9999 23:59:59 GMT", wait: atOnce, said: 24 * time.Hour},
		{name: "before the deadline", retryAfter: "5", deadline: 5*time.Second + 1, wait: 5 * time.Second},
		{name: "at the deadline", retryAfter: "5", deadline: 5 * time.Second, wait: atOnce, said: 5 * time.Second},
		{name: "past the deadline", retryAfter: "5", deadline: time.Second, wait: atOnce, said: 5 * time.Second},
		{name: "none", wait: backoff},
		{name: "less than nothing", retryAfter: "-5", wait: backoff},
		{name: "a fraction", retryAfter: "1.5", wait: backoff},
		{name: "a word", retryAfter: "soon", wait: backoff},
		{name: "other digits", retryAfter: "٧", wait: backoff},
	} {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refusal := step{status: s.status, body: failed, header: map[string]string{"Retry-After": s.retryAfter, "Date": s.date}}
				if s.status == 0 {
					refusal.status = 429
				}
				api := &story{steps: []step{refusal, {status: 200}}}
				c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxRetryAfter: s.longest}))
				ctx := t.Context()
				if s.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, s.deadline)
					defer cancel()
				}
				began := time.Now()
				resp, err := get(ctx, c)
				waited := time.Since(began)
				if s.wait == atOnce {
					var apiErr *secretsstore.APIError
					require.ErrorAs(t, err, &apiErr)
					assert.Equal(t, s.said, apiErr.RetryAfter)
					assert.NotErrorIs(t, err, context.DeadlineExceeded)
					assert.Equal(t, refusal.status, resp.StatusCode)
					assert.Zero(t, waited)
					assert.Len(t, api.sent, 1)
					return
				}
				require.NoError(t, err)
				if s.wait == backoff {
					assert.LessOrEqual(t, waited, 500*time.Millisecond)
					return
				}
				assert.Equal(t, s.wait, waited)
			})
		})
	}
}

func TestBackoffGrowsUpToItsMost(t *testing.T) {
	most := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}
	longest := make([]time.Duration, len(most))
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			api := &story{steps: []step{{err: refused}}}
			c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 6, MinBackoff: time.Second, MaxBackoff: 5 * time.Second}))
			_, err := get(t.Context(), c)
			require.Error(t, err)
			require.Len(t, api.sent, 6)
			for i := range most {
				wait := api.sent[i+1].Sub(api.sent[i])
				assert.LessOrEqual(t, wait, most[i])
				longest[i] = max(longest[i], wait)
			}
		})
	}
	for i := range most {
		assert.Greater(t, longest[i], most[i]/2, "of 300 draws, one is in the upper half")
	}
}

func TestCancelEndsAWaitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &story{steps: []step{{status: 429, body: failed, header: map[string]string{"Retry-After": "10"}}}}
		c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		began := time.Now()
		resp, err := get(ctx, c)
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, secretsstore.ErrRateLimited)
		var apiErr *secretsstore.APIError
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, 10*time.Second, apiErr.RetryAfter)
		require.NotNil(t, resp)
		assert.Equal(t, 429, resp.StatusCode)
		assert.Len(t, api.sent, 1)
	})
}

func TestTimeoutsOfAttemptAndContext(t *testing.T) {
	for _, s := range []struct {
		name      string
		step      step
		timeout   time.Duration // of the call
		cancel    time.Duration
		is, isNot error
		attempts  int
	}{
		{"an attempt without an answer", step{silent: true}, 0, 0, secretsstore.ErrAttemptTimeout, context.DeadlineExceeded, 4},
		{"an attempt whose answer stalls", step{status: 200, stalls: true}, 0, 0, secretsstore.ErrAttemptTimeout, context.DeadlineExceeded, 4},
		{"a call without an answer", step{silent: true}, time.Second, 0, context.DeadlineExceeded, secretsstore.ErrAttemptTimeout, 1},
		{"a call whose answer stalls", step{status: 200, stalls: true}, time.Second, 0, context.DeadlineExceeded, secretsstore.ErrAttemptTimeout, 1},
		{"a call that is cancelled", step{silent: true}, 0, time.Second, context.Canceled, secretsstore.ErrAttemptTimeout, 1},
		{"a call as long as an attempt", step{silent: true}, 2 * time.Second, 0, context.DeadlineExceeded, secretsstore.ErrAttemptTimeout, 1},
	} {
		for _, call := range calls {
			t.Run(s.name+", "+call.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := &story{steps: []step{s.step}}
					c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}), secretsstore.WithAttemptTimeout(2*time.Second))
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if s.timeout > 0 {
						var stop context.CancelFunc
						ctx, stop = context.WithTimeout(ctx, s.timeout)
						defer stop()
					}
					if s.cancel > 0 {
						time.AfterFunc(s.cancel, cancel)
					}
					_, err := call.do(ctx, c)
					assert.ErrorIs(t, err, s.is)
					assert.NotErrorIs(t, err, s.isNot)
					attempts := s.attempts
					if call.making {
						attempts = 1
					}
					assert.Len(t, api.sent, attempts)
					assert.Equal(t, call.making, errors.Is(err, secretsstore.ErrOutcomeUnknown), "%v", err)
				})
			})
		}
	}
}

func TestNothingIsSentWithAContextThatHasEnded(t *testing.T) {
	for _, call := range calls {
		for name, option := range map[string]func(end func()) secretsstore.Option{
			"before": func(end func()) secretsstore.Option { end(); return nil },
			"while the limiter is asked": func(end func()) secretsstore.Option {
				return secretsstore.WithLimiter(limiterFunc(func(context.Context) error { end(); return nil }))
			},
			"while the token source is asked": func(end func()) secretsstore.Option {
				return secretsstore.WithTokenSource(tokenFunc(func(context.Context) (string, error) { end(); return apiToken, nil }))
			},
		} {
			t.Run(call.name+", "+name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				api := &story{steps: []step{{status: 200}}}
				resp, err := call.do(ctx, newClient(t, api, option(cancel)))
				assert.ErrorIs(t, err, context.Canceled)
				assert.NotErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
				assert.Nil(t, resp)
				assert.Empty(t, api.sent)
			})
		}
	}
}

type tokenFunc func(context.Context) (string, error)

func (f tokenFunc) Token(ctx context.Context) (string, error) { return f(ctx) }

func TestRetryBudget(t *testing.T) {
	fails, works := step{status: 503, body: failed}, step{status: 200}
	for _, s := range []struct {
		name  string
		calls []step // each call meets one of these for all its attempts
		times []int
		// attempts are those of the last call.
		attempts int
	}{
		{"one call makes all its attempts", []step{fails}, []int{1}, 4},
		{"thirty-three calls make all their attempts", []step{fails}, []int{33}, 4},
		{"the next has a retry left", []step{fails}, []int{34}, 2},
		{"then there is none", []step{fails}, []int{35}, 1},
		{"four successes don't pay for one", []step{fails, works, fails}, []int{40, 4, 1}, 1},
		{"five successes pay for one", []step{fails, works, fails}, []int{40, 5, 1}, 2},
		{"it is never more than full", []step{works, fails}, []int{1000, 35}, 1},
		{"a call that works at last gives one back", []step{works, fails}, []int{5, 34}, 2},
	} {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &story{}
				c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
				var attempts int
				for i, meets := range s.calls {
					for range s.times[i] {
						api.steps, api.sent = []step{meets}, nil
						_, err := get(t.Context(), c)
						require.Equal(t, meets.status != 200, err != nil)
						attempts = len(api.sent)
					}
				}
				assert.Equal(t, s.attempts, attempts)
			})
		})
	}
}

func TestADeleteThatIsDoneAtLastGivesOneBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &story{}
		c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
		for range 5 {
			api.steps, api.sent = []step{{err: reset}, {status: 404, body: gone}}, nil
			_, err := c.Secrets.Delete(t.Context(), storeID, secretID)
			require.NoError(t, err)
		}
		api.steps, api.sent = []step{{err: reset}}, nil
		for range 40 {
			_, err := get(t.Context(), c)
			require.Error(t, err)
		}
		assert.Len(t, api.sent, 40+(500-5*5+5)/5)
	})
}

func TestAFailingAPIIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &story{steps: []step{{status: 503, body: failed}}}
		c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
		for range 1000 {
			_, err := get(t.Context(), c)
			require.ErrorIs(t, err, secretsstore.ErrServer)
		}
		assert.Len(t, api.sent, 1100, "1,000 first attempts, and a budget of 500 at 5 for each retry")
	})
}

type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

// rateLimiter has the methods of *rate.Limiter of golang.org/x/time/rate that
// matter here, as they are declared there.
type rateLimiter interface {
	Allow() bool
	Wait(ctx context.Context) (err error)
	WaitN(ctx context.Context, n int) (err error)
}

var _ secretsstore.Limiter = rateLimiter(nil)

func TestLimiterIsAskedBeforeEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &story{steps: []step{{status: 503, body: failed}, {err: reset}, {status: 429, body: failed}, {status: 200}}}
		asked := 0
		c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}), secretsstore.WithLimiter(limiterFunc(func(context.Context) error {
			assert.Len(t, api.sent, asked)
			asked++
			return nil
		})))
		_, err := get(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, 4, asked)
	})
	t.Run("its error ends the call", func(t *testing.T) {
		api := &story{steps: []step{{status: 200}}}
		errFull := errors.New("rate: Wait(n=1) would exceed context deadline")
		c := newClient(t, api, secretsstore.WithLimiter(limiterFunc(func(context.Context) error { return errFull })))
		resp, err := create(t.Context(), c)
		assert.ErrorIs(t, err, errFull)
		assert.NotErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
		assert.Nil(t, resp)
		assert.Empty(t, api.sent)
	})
	t.Run("its error between two attempts keeps the answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			api := &story{steps: []step{{status: 503, body: failed}}}
			errFull := errors.New("full")
			c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}), secretsstore.WithLimiter(limiterFunc(func(context.Context) error {
				if len(api.sent) > 0 {
					return errFull
				}
				return nil
			})))
			resp, err := get(t.Context(), c)
			assert.ErrorIs(t, err, errFull)
			assert.ErrorIs(t, err, secretsstore.ErrServer)
			require.NotNil(t, resp)
			assert.Equal(t, 503, resp.StatusCode)
		})
	})
}

// A POST is known to be unsent only by what net/http tells, so here it is that
// which sends.
func TestCreationWithoutAConnectionIsTriedAgain(t *testing.T) {
	for _, s := range []struct {
		name    string
		scheme  string
		unknown bool
	}{
		{"the TLS handshake is cut", "https", false},
		{"the connection is cut in flight", "http", true},
	} {
		t.Run(s.name, func(t *testing.T) {
			// A listener that ends each connection when something has come over it.
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer ln.Close()
			accepted := make(chan struct{}, 16)
			go func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					accepted <- struct{}{}
					_, _ = conn.Read(make([]byte, 1))
					_ = conn.Close()
				}
			}()
			c, err := secretsstore.NewClient(secretsstore.WithAPIToken(apiToken), secretsstore.WithAccountID(accountID),
				secretsstore.WithBaseURL(s.scheme+"://"+ln.Addr().String()),
				secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 3, MinBackoff: 1, MaxBackoff: 1}))
			require.NoError(t, err)
			_, err = create(t.Context(), c)
			require.Error(t, err)
			assert.Equal(t, s.unknown, errors.Is(err, secretsstore.ErrOutcomeUnknown), "%v", err)
			attempts := 3
			if s.unknown {
				attempts = 1
			}
			assert.Len(t, accepted, attempts)
		})
	}
}

func TestCreationThatIsCancelledBeforeThereIsAConnection(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hc := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}}}
	c, err := secretsstore.NewClient(secretsstore.WithAPIToken(apiToken), secretsstore.WithAccountID(accountID), secretsstore.WithHTTPClient(hc))
	require.NoError(t, err)
	_, err = create(ctx, c)
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
}

func TestCreationOverHTTP2ThatIsCutMayHaveBeenDone(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	c, err := secretsstore.NewClient(secretsstore.WithAPIToken(apiToken), secretsstore.WithAccountID(accountID),
		secretsstore.WithBaseURL(srv.URL), secretsstore.WithHTTPClient(srv.Client()))
	require.NoError(t, err)
	for range 2 { // on a new connection, and on one that is there
		_, err = create(t.Context(), c)
		assert.ErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
	}
}
