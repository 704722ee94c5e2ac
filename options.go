package secretsstore

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Option is a setting of [NewClient]. A nil Option is passed over.
type Option func(*settings) error

// settings is what the options of NewClient say, before the environment and the
// defaults fill the rest.
type settings struct {
	credentials    *credentials
	accountID      string
	baseURL        *url.URL
	httpClient     *http.Client
	product        string
	retry          RetryPolicy
	limiter        Limiter
	logger         *slog.Logger
	hook           CallHook
	attemptTimeout time.Duration
}

// WithAPIToken signs each request with an API token, as "Authorization: Bearer".
// It is what Cloudflare recommends: a token can be limited to the permission
// Secrets Store Read or Write. An empty token is [ErrNoCredentials]. Of several
// options with credentials the last wins.
//
// API reference: https://developers.cloudflare.com/fundamentals/api/get-started/create-token/
func WithAPIToken(token string) Option {
	return func(s *settings) (err error) {
		s.credentials, err = tokenCredentials("API token", token)
		return err
	}
}

// WithAPIKey signs each request with an account's email and its global API key,
// as "X-Auth-Email" and "X-Auth-Key". The key can do everything that the user
// can: prefer [WithAPIToken]. An empty email or key is [ErrNoCredentials].
//
// API reference: https://developers.cloudflare.com/fundamentals/api/get-started/keys/
func WithAPIKey(email, key string) Option {
	return func(s *settings) (err error) {
		s.credentials, err = keyCredentials("email", email, "API key", key)
		return err
	}
}

// WithTokenSource asks src for the API token before every attempt, for tokens
// that rotate. A nil source is [ErrNoCredentials].
func WithTokenSource(src TokenSource) Option {
	return func(s *settings) error {
		if src == nil {
			return fmt.Errorf("secretsstore: token source is nil: %w", ErrNoCredentials)
		}
		s.credentials = &credentials{source: src}
		return nil
	}
}

// WithAccountID sets the account that calls are for, unless [ForAccount] names
// another. Without it CLOUDFLARE_ACCOUNT_ID is used. An id is 1 to 32 letters,
// digits, "-" and "_"; anything else, also "", is [ErrInvalidArgument].
func WithAccountID(id string) Option {
	return func(s *settings) error {
		s.accountID = id
		return checkID("account_id", id)
	}
}

// WithBaseURL sends the calls to another address than [DefaultBaseURL], for a
// gateway or a test. It is https, or http to this machine (localhost, 127.0.0.0/8,
// ::1); it has no user, query or fragment. A slash at its end makes no difference.
// Without it CLOUDFLARE_BASE_URL is used.
func WithBaseURL(rawURL string) Option {
	return func(s *settings) (err error) {
		s.baseURL, err = parseBaseURL("base URL", rawURL)
		return err
	}
}

// WithHTTPClient sends the requests through hc: its Transport, its Jar, and its
// Timeout where that is shorter than [WithAttemptTimeout]. hc is copied, never
// changed. No redirect is followed, whatever its CheckRedirect says. A nil
// Transport means [http.DefaultTransport], as it does in net/http.
func WithHTTPClient(hc *http.Client) Option {
	return func(s *settings) error {
		if hc == nil {
			return invalid("HTTP client is nil")
		}
		own := *hc
		s.httpClient = &own
		return nil
	}
}

// WithUserAgent puts product, such as "deployer/1.4", in front of the library's
// own User-Agent. "" puts nothing there.
func WithUserAgent(product string) Option {
	return func(s *settings) error {
		s.product = product
		return checkHeaderText("user agent", product)
	}
}

// WithRetryPolicy says how often a call is tried and how long it waits in
// between; see [RetryPolicy]. WithRetryPolicy(RetryPolicy{MaxAttempts: 1})
// switches retries off.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(s *settings) error {
		s.retry = p
		return p.check()
	}
}

// WithLimiter asks l before every attempt, in addition to the pacing by the
// API's own rate-limit headers: for a limit that several clients share, or one
// below the API's. nil means none.
func WithLimiter(l Limiter) Option {
	return func(s *settings) error {
		s.limiter = l
		return nil
	}
}

// WithLogger writes a record to l for each attempt, at level Debug, and for each
// retry and each wait, at level Warn. No record holds a header or a body. nil
// means no records.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) error {
		s.logger = l
		return nil
	}
}

// Call is what a [CallHook] learns of a call.
type Call struct {
	// Method is the HTTP method.
	Method string
	// Route is the path with its parameters in braces, relative to the base URL, such
	// as "/accounts/{account_id}/secrets_store/stores/{store_id}/secrets/{secret_id}".
	// It never holds an id. "" for [Client.Do], whose path is the user's.
	Route string
}

// CallHook is told of each call to the API: before it begins, and, by the function
// that it returns, after it has ended. The context that it returns is that of the
// call's attempts, so that the spans of a transport that traces them lie in one
// that the hook began. A nil context or function is passed over. It runs in the
// call's goroutine, several at once where calls are made so. A call with arguments
// that can't be right is not told of.
type CallHook func(ctx context.Context, call Call) (context.Context, func(*Response, error))

// WithCallHook tells hook of each call, for traces and metrics. The iterators, and
// the methods that combine several calls, tell of each call they make. Of several
// hooks the last wins.
func WithCallHook(hook CallHook) Option {
	return func(s *settings) error {
		s.hook = hook
		return nil
	}
}

// WithAttemptTimeout bounds each attempt, from the request to the last byte of
// the answer; the default is 30 seconds. What it ends is [ErrAttemptTimeout] and
// may be tried again; the call as a whole is bounded by its context. d must be
// more than 0.
func WithAttemptTimeout(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return invalid("attempt timeout is %v: it must be more than 0", d)
		}
		s.attemptTimeout = d
		return nil
	}
}

// RequestOption is a setting of one call. A nil RequestOption is passed over.
type RequestOption func(*requestSettings) error

type requestSettings struct {
	accountID   string
	header      http.Header
	maxAttempts int
	onResponse  func(*Response)
	waiting     context.Context // bounds what comes before an attempt is sent; nil: the call's
}

func newRequestSettings(opts []RequestOption) (*requestSettings, error) {
	rs := new(requestSettings)
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(rs); err != nil {
			return nil, err
		}
	}
	return rs, nil
}

// ForAccount makes the call for another account than the client's. "" is
// [ErrInvalidArgument], never the client's account.
func ForAccount(id string) RequestOption {
	return func(rs *requestSettings) error {
		rs.accountID = id
		return checkID("account_id", id)
	}
}

// WithHeader sets a header of the call's requests. The headers that the client
// owns (Authorization, X-Auth-*, Host, Content-Length and those of the
// connection) are [ErrInvalidArgument].
func WithHeader(key, value string) RequestOption {
	return func(rs *requestSettings) error {
		if !validHeaderName(key) {
			return invalid("header name %q is not one", key)
		}
		name := http.CanonicalHeaderKey(key)
		if reservedHeader(name) {
			return invalid("header %s is the client's to set", name)
		}
		if err := checkHeaderText("value of header "+name, value); err != nil {
			return err
		}
		if rs.header == nil {
			rs.header = make(http.Header)
		}
		rs.header.Set(name, value)
		return nil
	}
}

// reservedHeader says whether the client alone may set the header of that
// canonical name: what signs a request, and what frames it.
func reservedHeader(name string) bool {
	switch name {
	case "Authorization", "Proxy-Authorization", "Host", "Content-Length", "Transfer-Encoding", "Accept-Encoding", "Expect",
		"Connection", "Proxy-Connection", "Keep-Alive", "Http2-Settings", "Trailer", "Te", "Upgrade":
		return true
	}
	// Some gateways take one sign for the other.
	return strings.HasPrefix(strings.ToUpper(strings.ReplaceAll(name, "_", "-")), "X-AUTH-")
}

// WithMaxAttempts says how often the call is tried at most; 1 means no retry. It
// stands in for [RetryPolicy].MaxAttempts, for this call. Less than 1 is
// [ErrInvalidArgument].
func WithMaxAttempts(n int) RequestOption {
	return func(rs *requestSettings) error {
		if n < 1 {
			return invalid("max attempts is %d: it must be 1 or more", n)
		}
		rs.maxAttempts = n
		return nil
	}
}

// OnResponse calls f with every answer of the call, also with those that are
// errors, that are tried again, or that come in the course of All, Upsert and
// PatchAll. f runs before the call goes on; PatchAll calls it from several
// goroutines. Of several OnResponse each is called. A nil f is passed over.
func OnResponse(f func(*Response)) RequestOption {
	return func(rs *requestSettings) error {
		before := rs.onResponse
		switch {
		case f == nil:
		case before == nil:
			rs.onResponse = f
		default:
			rs.onResponse = func(r *Response) { before(r); f(r) }
		}
		return nil
	}
}

// waitWithin ends the call's waits, and what else comes before an attempt is sent,
// with ctx, while what was sent goes on.
func waitWithin(ctx context.Context) RequestOption {
	return func(rs *requestSettings) error {
		rs.waiting = ctx
		return nil
	}
}
