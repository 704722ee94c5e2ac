package secretsstore

import (
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/internal/grammar"
	"github.com/seed-57d84f87/secretsstore-go/internal/ratelimit"
)

// An Option configures a [Client]. A nil Option is skipped. Of several options for the
// same setting the last one wins, unless the option's documentation says otherwise.
// Options can be compared with ==, except [WithHooks], [OnResponse] and options that hold a
// value of an uncomparable type, such as a [TokenSourceFunc].
type Option interface{ applyClient(*config) error }

// A RequestOption configures one call. Passed to [NewClient] or [Client.With], it is the
// default for every call. An option of a call replaces the default: WithHeader per key,
// WithRetryPolicy per non-zero field. OnResponse functions are added. A nil RequestOption
// is skipped.
type RequestOption interface {
	Option
	applyCall(*callOptions) error
}

// config is what Options set.
type config struct {
	baseURL       *url.URL
	credential    *credential
	transport     http.RoundTripper
	timeout       time.Duration // of the user's http.Client; 0: none
	products      []string
	limiter       Limiter
	gate          *ratelimit.Gate
	noPacing      bool
	noEnvironment bool
	logger        *slog.Logger
	hooks         []Hooks
	defaults      callOptions
}

// callOptions are what RequestOptions set. A copy shares its header and its functions,
// so both are replaced and never changed.
type callOptions struct {
	accountID      string
	header         http.Header
	retry          RetryPolicy
	attemptTimeout time.Duration
	onResponse     []func(*Response)

	unlimitedWait bool  // waits are bounded by the context only, unless retry.MaxWait is set
	err           error // of an invalid option of Client.With
}

// apply applies opts in order.
func (o *callOptions) apply(opts []RequestOption) error {
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt.applyCall(o); err != nil {
			return err
		}
	}
	return nil
}

func (o callOptions) with(opts []RequestOption) callOptions {
	if err := o.apply(opts); err != nil && o.err == nil {
		o.err = err
	}
	return o
}

type apiTokenOption struct{ token SecretValue }

// WithAPIToken authenticates with an API token, which needs the permission Secrets Store
// Read or Secrets Store Write. An empty token causes [ErrNoCredentials]. Of several options
// with credentials the last one wins.
//
// API reference: https://developers.cloudflare.com/fundamentals/api/get-started/create-token/
func WithAPIToken(token string) Option { return apiTokenOption{NewSecretValue(token)} }

func (o apiTokenOption) applyClient(c *config) (err error) {
	c.credential, err = newTokenCredential("api_token", o.token.Reveal())
	return err
}

type apiKeyOption struct {
	email string
	key   SecretValue
}

// WithAPIKey authenticates with the email of a user and that user's global API key. The
// key has all permissions of the user; prefer [WithAPIToken]. An empty email or key causes
// [ErrNoCredentials].
//
// API reference: https://developers.cloudflare.com/fundamentals/api/get-started/keys/
func WithAPIKey(email, key string) Option { return apiKeyOption{email, NewSecretValue(key)} }

func (o apiKeyOption) applyClient(c *config) (err error) {
	c.credential, err = newKeyCredential("email", o.email, "api_key", o.key.Reveal())
	return err
}

type tokenSourceOption struct{ source TokenSource }

// WithTokenSource authenticates with the API tokens that src returns. The client calls
// src.Token before every attempt, and again after an attempt that failed with
// [ErrUnauthorized]; see [TokenSource]. A nil src causes [ErrNoCredentials].
func WithTokenSource(src TokenSource) Option { return tokenSourceOption{src} }

func (o tokenSourceOption) applyClient(c *config) error {
	if o.source == nil {
		return noCredentials("token source is nil, pass one")
	}
	c.credential = &credential{source: o.source}
	return nil
}

type withoutEnvironmentOption struct{}

// WithoutEnvironment makes [NewClient] ignore the environment variables that it reads. Use
// it in programs that act for several tenants. It does not affect the proxy variables that
// net/http reads.
func WithoutEnvironment() Option { return withoutEnvironmentOption{} }

func (withoutEnvironmentOption) applyClient(c *config) error { c.noEnvironment = true; return nil }

type baseURLOption struct{ rawURL SecretValue } // it can hold a password, which is invalid

// WithBaseURL sets the base URL of the API, [DefaultBaseURL] by default. It must use https,
// or http with a loopback host, and have no user, query or fragment. A trailing slash is
// ignored.
func WithBaseURL(rawURL string) Option { return baseURLOption{NewSecretValue(rawURL)} }

func (o baseURLOption) applyClient(c *config) (err error) {
	c.baseURL, err = parseBaseURL("base_url", o.rawURL.Reveal())
	return err
}

// parseBaseURL returns errors that do not repeat the URL, which may hold a password.
func parseBaseURL(argument, rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, invalid(argument, "not a URL")
	}
	if reason := grammar.BaseURL(u); reason != "" {
		return nil, invalid(argument, reason)
	}
	u.Host = strings.ToLower(u.Host) // net/http would send requests for LOCALHOST to a proxy
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

type httpClientOption struct{ client *http.Client }

// WithHTTPClient sends requests through hc.Transport, or [http.DefaultTransport] if that is
// nil. If hc.Timeout is positive and shorter than the attempt timeout, it limits each
// attempt instead. Jar and CheckRedirect are ignored: the client stores no cookies and
// follows no redirects. A nil hc and a negative Timeout are invalid. Without this option,
// the client has a transport of its own.
func WithHTTPClient(hc *http.Client) Option { return httpClientOption{hc} }

func (o httpClientOption) applyClient(c *config) error {
	if o.client == nil {
		return invalid("http_client", "must not be nil")
	}
	if o.client.Timeout < 0 {
		return invalid("http_client", "has a negative timeout")
	}
	c.transport, c.timeout = o.client.Transport, o.client.Timeout
	if c.transport == nil {
		c.transport = http.DefaultTransport
	}
	return nil
}

type userAgentOption struct{ product string }

// WithUserAgent puts product, such as "deployer/1.4", in front of the library's own,
// "secretsstore-go/" and its version, in the User-Agent header. It may be repeated; products
// keep their order. An empty product is skipped.
func WithUserAgent(product string) Option { return userAgentOption{product} }

func (o userAgentOption) applyClient(c *config) error {
	if reason := grammar.HeaderValue(o.product); reason != "" {
		return invalid("user_agent", reason)
	}
	if o.product != "" {
		c.products = append(c.products, o.product)
	}
	return nil
}

func (c *config) userAgent() string {
	return strings.Join(append(slices.Clip(c.products), "secretsstore-go/"+version), " ")
}

type limiterOption struct{ limiter Limiter }

// WithLimiter calls l.Wait before every attempt, in addition to pacing by the API's
// rate-limit headers. Use it for a limit that several processes share. If l is nil, there is
// no limiter.
func WithLimiter(l Limiter) Option { return limiterOption{l} }

func (o limiterOption) applyClient(c *config) error { c.limiter = o.limiter; return nil }

type withoutPacingOption struct{}

// WithoutPacing disables pacing by the API's rate-limit headers and by 429 responses. Use
// it with gateways whose Ratelimit headers are not the API's.
func WithoutPacing() Option { return withoutPacingOption{} }

func (withoutPacingOption) applyClient(c *config) error { c.noPacing = true; return nil }

type loggerOption struct{ logger *slog.Logger }

// WithLogger logs each attempt at Debug, with the message "secretsstore: attempt" and the
// attributes method, path, attempt, status, duration, ray_id and error. It logs each wait
// for a retry or the rate limit, before it starts, at Warn, with the message "secretsstore:
// waiting" and the attributes method, path, attempt, wait and reason. A wait for requests in
// flight is logged as 0. The path contains ids; records contain no other header than the
// ray id, and no body. If l is nil, nothing is logged.
func WithLogger(l *slog.Logger) Option { return loggerOption{l} }

func (o loggerOption) applyClient(c *config) error { c.logger = o.logger; return nil }

type hooksOption struct{ hooks Hooks }

// WithHooks adds h to the client's hooks. It may be repeated.
func WithHooks(h Hooks) Option { return hooksOption{h} }

func (o hooksOption) applyClient(c *config) error { c.hooks = append(c.hooks, o.hooks); return nil }

type accountIDOption struct{ id string }

// WithAccountID sets the id of the account: 1 to 128 letters, digits, "-" and "_". An empty
// id returns [ErrInvalidArgument]; it does not mean the default account.
func WithAccountID(id string) RequestOption { return accountIDOption{id} }

func (o accountIDOption) applyClient(c *config) error { return o.applyCall(&c.defaults) }

func (o accountIDOption) applyCall(call *callOptions) error {
	call.accountID = o.id
	return checkID("account_id", o.id)
}

type headerOption struct {
	key   string
	value SecretValue
}

// WithHeader sets a header of the requests, such as the authorization of a gateway. It
// replaces an earlier value, including the client's own User-Agent, Accept or Content-Type.
// The value is redacted like a credential. Headers that authenticate or frame a request
// (Authorization, X-Auth-*, Host, Content-Length and similar) return [ErrInvalidArgument].
func WithHeader(key, value string) RequestOption { return headerOption{key, NewSecretValue(value)} }

func (o headerOption) applyClient(c *config) error { return o.applyCall(&c.defaults) }

func (o headerOption) applyCall(call *callOptions) error {
	if reason := grammar.HeaderName(o.key); reason != "" {
		return invalid("header name", reason)
	}
	name, value := http.CanonicalHeaderKey(o.key), o.value.Reveal()
	if grammar.IsReserved(name) {
		return invalid("header "+name, "reserved, the client sets it")
	}
	if reason := grammar.HeaderValue(value); reason != "" {
		return invalid("header "+name, reason)
	}
	header := maps.Clone(call.header)
	if header == nil {
		header = make(http.Header)
	}
	header[name] = []string{value}
	call.header = header
	return nil
}

type retryPolicyOption struct{ policy RetryPolicy }

// WithRetryPolicy sets the non-zero fields of p. A call is not retried with
// RetryPolicy{MaxAttempts: 1}.
func WithRetryPolicy(p RetryPolicy) RequestOption { return retryPolicyOption{p} }

func (o retryPolicyOption) applyClient(c *config) error { return o.applyCall(&c.defaults) }

func (o retryPolicyOption) applyCall(call *callOptions) error {
	call.retry = o.policy.or(call.retry)
	return o.policy.check()
}

type attemptTimeoutOption struct{ timeout time.Duration }

// WithAttemptTimeout limits each attempt, from connecting to reading the whole response. An
// attempt that exceeds it fails with [ErrAttemptTimeout] and may be retried; the context
// limits the call. 0 selects the default of 30 s, even if the client has another value. A
// negative d returns [ErrInvalidArgument].
func WithAttemptTimeout(d time.Duration) RequestOption { return attemptTimeoutOption{d} }

func (o attemptTimeoutOption) applyClient(c *config) error { return o.applyCall(&c.defaults) }

func (o attemptTimeoutOption) applyCall(call *callOptions) error {
	if o.timeout < 0 {
		return invalid("attempt_timeout", "must not be negative")
	}
	call.attemptTimeout = o.timeout
	return nil
}

type onResponseOption struct{ f func(*Response) }

// OnResponse calls f with every response, also of attempts that fail or are retried, and
// within All, Upsert or PatchEach. It may be repeated: all functions run, the client's
// first. f runs in the goroutine of the call, so PatchEach calls it concurrently. f must not
// change the Response. A nil f is skipped.
func OnResponse(f func(*Response)) RequestOption { return onResponseOption{f} }

func (o onResponseOption) applyClient(c *config) error { return o.applyCall(&c.defaults) }

func (o onResponseOption) applyCall(call *callOptions) error {
	if o.f != nil {
		call.onResponse = append(slices.Clip(call.onResponse), o.f)
	}
	return nil
}

// unlimitedWait makes the context the only bound of the waits for the rate limit and for
// Retry-After, unless another option sets MaxWait.
type unlimitedWait struct{}

func (o unlimitedWait) applyClient(c *config) error { return o.applyCall(&c.defaults) }

func (unlimitedWait) applyCall(call *callOptions) error { call.unlimitedWait = true; return nil }
