package secretsstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"
)

// DefaultBaseURL is where the API is.
const DefaultBaseURL = "https://api.cloudflare.com/client/v4"

// version is the library's, for the User-Agent.
const version = "0.1.0"

// Client calls the Secrets Store API for one set of credentials. It is immutable
// and safe for concurrent use; make one with [NewClient] and share it, since it
// also holds the connections, the pace and the retry budget.
type Client struct {
	Secrets *SecretsService
	Stores  *StoresService
	Quota   *QuotaService

	c *core
}

// core is the state of a Client. It is behind one pointer, which the services
// share, so that a client that is copied or printed shows nothing of it.
type core struct {
	baseURL        *url.URL
	accountID      string
	credentials    *credentials
	transport      http.RoundTripper
	jar            http.CookieJar
	attemptTimeout time.Duration
	retry          RetryPolicy
	limiter        Limiter
	logger         *slog.Logger
	hook           CallHook
	pacer          *pacer
	budget         budget

	// The values of the headers that all requests have.
	userAgent, mediaType []string
}

// NewClient makes a client. What no option says comes from the environment, as
// with Cloudflare's own SDKs: CLOUDFLARE_API_TOKEN, or else CLOUDFLARE_EMAIL with
// CLOUDFLARE_API_KEY; CLOUDFLARE_ACCOUNT_ID; CLOUDFLARE_BASE_URL. Without
// credentials the error is [ErrNoCredentials]; an option or variable that can't be
// right is [ErrInvalidArgument]. An account is not needed here, but then each call
// names one with [ForAccount].
func NewClient(opts ...Option) (*Client, error) {
	var s settings
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(&s); err != nil {
			return nil, err
		}
	}
	if err := s.fill(); err != nil {
		return nil, err
	}
	agent := "secretsstore-go/" + version
	if s.product != "" {
		agent = s.product + " " + agent
	}
	c := &core{
		baseURL:        s.baseURL,
		accountID:      s.accountID,
		credentials:    s.credentials,
		attemptTimeout: cmp.Or(s.attemptTimeout, 30*time.Second),
		retry:          s.retry.withDefaults(),
		limiter:        s.limiter,
		logger:         s.logger,
		hook:           s.hook,
		pacer:          newPacer(),
		userAgent:      []string{agent},
		mediaType:      []string{"application/json"},
	}
	if hc := s.httpClient; hc != nil {
		c.transport, c.jar = hc.Transport, hc.Jar
		if c.transport == nil {
			c.transport = http.DefaultTransport
		}
		if hc.Timeout > 0 {
			c.attemptTimeout = min(c.attemptTimeout, hc.Timeout)
		}
	} else {
		c.transport = newTransport()
	}
	return &Client{
		Secrets: &SecretsService{c: c},
		Stores:  &StoresService{c: c},
		Quota:   &QuotaService{c: c},
		c:       c,
	}, nil
}

// CloseIdleConnections closes the connections that no call uses at the moment, for
// programs that are done with a Client and don't want to wait until its transport
// does so, after 90 seconds. It does nothing where the transport of
// [WithHTTPClient] has no such method. Calls can be made afterwards.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// fill takes from the environment what the options did not say.
func (s *settings) fill() (err error) {
	if s.credentials == nil {
		if s.credentials, err = environmentCredentials(); err != nil {
			return err
		}
	}
	if s.accountID == "" {
		if s.accountID = os.Getenv(envAccountID); s.accountID != "" {
			if err := checkID(envAccountID, s.accountID); err != nil {
				return err
			}
		}
	}
	if s.baseURL == nil {
		what, rawURL := "base URL", DefaultBaseURL
		if set := os.Getenv(envBaseURL); set != "" {
			what, rawURL = envBaseURL, set
		}
		s.baseURL, err = parseBaseURL(what, rawURL)
	}
	return err
}

// call is the one way from a method to the wire: it checks and builds the
// request, sends it until it is done, and returns the result. The error of an
// answer that is not a success is an *APIError, and the Response is there with it.
func call[T any, P interface {
	*T
	result
}](ctx context.Context, c *core, op operation, opts []RequestOption) (P, *Response, error) {
	into := P(new(T))
	resp, err := c.do(ctx, op, into, opts)
	if err != nil {
		return nil, resp, err
	}
	return into, resp, nil
}

// callList is call for a result of several.
func callList[E result](ctx context.Context, c *core, op operation, opts []RequestOption) ([]E, *Response, error) {
	items, resp, err := call[list[E]](ctx, c, op, opts)
	if err != nil {
		return nil, resp, err
	}
	return *items, resp, nil
}

// callNone is call where no result is promised.
func callNone(ctx context.Context, c *core, op operation, opts []RequestOption) (*Response, error) {
	_, resp, err := call[none](ctx, c, op, opts)
	return resp, err
}

// do checks and builds a call's request, and sends it between the two halves of
// the user's hook.
func (c *core) do(ctx context.Context, op operation, into result, opts []RequestOption) (*Response, error) {
	if ctx == nil {
		return nil, invalid("context is nil")
	}
	r, err := c.newRequest(op, opts)
	if err != nil {
		return nil, err
	}
	if c.hook == nil {
		return c.sendUntilDone(ctx, r, into)
	}
	hooked, done := c.hook(ctx, Call{Method: op.method, Route: op.name()})
	if hooked == nil {
		hooked = ctx
	}
	resp, err := c.sendUntilDone(hooked, r, into)
	if done != nil {
		done(resp, err)
	}
	return resp, err
}

// sendUntilDone sends a request until it is done, may not be tried again, or can't
// wait.
func (c *core) sendUntilDone(ctx context.Context, r *request, into result) (*Response, error) {
	op := &r.op
	var resp *Response // the last answer
	var last error     // why the last attempt was no success
	var o outcome
	unavailable := false
	for n := 1; ; n++ {
		if err := c.attempt(ctx, r, n, &o); err != nil {
			return resp, r.notSent(err, last, n)
		}
		if o.answered() {
			resp, last = c.judge(r, &o, n, into)
			r.onResponse(resp)
		} else {
			last = &RequestError{Method: op.method, Path: r.path, Attempts: n, Err: o.err}
		}
		if last == nil {
			c.budget.succeeded()
			return resp, nil
		}
		if n > 1 && op.gone != nil && errors.Is(last, op.gone) {
			c.budget.succeeded()
			return resp, nil
		}
		wait, again := c.next(ctx, r, &o, n)
		if !again {
			if !op.repeatable && (o.isUnknown(last) || unavailable && errors.Is(last, ErrAlreadyExists)) {
				last = &outcomeError{err: last, findOut: op.findOut}
			}
			return resp, last
		}
		unavailable = unavailable || o.status == http.StatusServiceUnavailable
		c.logWait(ctx, r, n, "secretsstore: trying again", wait, o.reason())
		if err := sleep(r.waiting(ctx), wait); err != nil {
			return resp, r.notSent(err, last, n+1)
		}
	}
}

// next decides whether to try again, and after which wait.
func (c *core) next(ctx context.Context, r *request, o *outcome, n int) (wait time.Duration, again bool) {
	maxAttempts := c.retry.MaxAttempts
	if r.settings != nil && r.settings.maxAttempts > 0 {
		maxAttempts = r.settings.maxAttempts
	}
	if n >= maxAttempts || ctx.Err() != nil || !o.mayRepeat(r.op.repeatable) {
		return 0, false
	}
	wait, asked := retryAfter(o.header, time.Now())
	if !asked {
		wait = c.retry.backoff(n - 1)
	} else if wait > c.retry.MaxRetryAfter {
		return 0, false
	}
	return wait, fits(ctx, wait) && c.budget.pay()
}

// attempt sends the request once: it waits for the pace, signs, sends and reads.
// The error is why nothing was sent; what came of what was sent is in o.
func (c *core) attempt(ctx context.Context, r *request, n int, o *outcome) error {
	waiting := r.waiting(ctx)
	if err := waiting.Err(); err != nil {
		return err
	}
	if c.limiter != nil {
		if err := c.limiter.Wait(waiting); err != nil {
			return fmt.Errorf("waiting for the limiter: %w", err)
		}
	}
	pass, err := c.pacer.admit(waiting, c.retry.MaxRetryAfter, func(wait time.Duration) {
		c.logWait(ctx, r, n, "secretsstore: waiting", wait, "rate limit")
	})
	if err != nil {
		return err
	}
	*o = outcome{unsent: true}
	defer func() { c.pacer.settle(pass, o) }() // also where what the user gave us panics
	header := c.header(r)
	signed, err := c.credentials.sign(waiting, header)
	if err != nil {
		return err
	}
	r.isSignedWith(signed)
	if err := waiting.Err(); err != nil {
		return err
	}
	pass.sent = time.Now()
	o.unsent = false
	c.exchange(ctx, r, header, o)
	c.logAttempt(ctx, r, n, o, pass.sent)
	return nil
}

// judge makes a Response of an answer, and the error of one that is no success.
func (c *core) judge(r *request, o *outcome, n int, into result) (*Response, error) {
	resp := &Response{
		StatusCode: o.status,
		Header:     o.header,
		RateLimit:  o.limits.tightest(),
		RayID:      o.header.Get("Cf-Ray"),
		Attempts:   n,
	}
	var err error
	switch {
	case o.status/100 != 2:
		// Nothing of it may be left in into when a later attempt is decoded there.
		err = decode(resp, o.body, new(none))
	case o.bodyErr == nil:
		err = decode(resp, o.body, into)
	case errors.Is(o.bodyErr, ErrResponseTooLarge):
		err = o.bodyErr
	default:
		err = fmt.Errorf("%w: %w", ErrInvalidResponse, o.bodyErr)
	}
	if err == nil {
		return resp, nil
	}
	apiErr, ok := err.(*APIError)
	if !ok {
		return resp, &ResponseError{
			StatusCode: o.status, Method: r.op.method, Path: r.path, ContentType: r.scrub(o.header.Get("Content-Type")),
			RayID: r.scrub(resp.RayID), Attempts: n, Body: r.scrubStart(string(o.body), maxBodyShown), Err: r.scrubError(err),
		}
	}
	apiErr.Method, apiErr.Path, apiErr.RayID, apiErr.Attempts = r.op.method, r.path, r.scrub(resp.RayID), n
	if limit := resp.RateLimit; limit != nil {
		scrubbed := *limit
		scrubbed.Name = r.scrub(limit.Name)
		apiErr.RateLimit = &scrubbed
	}
	apiErr.RetryAfter, _ = retryAfter(o.header, time.Now())
	apiErr.Body = r.scrubStart(apiErr.Body, maxBodyShown)
	r.scrubErrors(apiErr.Errors)
	r.scrubMessages(apiErr.Messages)
	return resp, apiErr
}
