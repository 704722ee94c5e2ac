package secretsstore

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
)

// DefaultBaseURL is the base URL of the Cloudflare API.
const DefaultBaseURL = "https://api.cloudflare.com/client/v4"

const version = "0.1.0"

// A Client calls the Secrets Store API. Create one with [NewClient] for each set of
// credentials and share it: it holds the connections, the rate-limit state and the
// retry budget. A Client is immutable and safe for concurrent use. The zero Client is
// not usable.
type Client struct {
	Secrets *SecretsService // the secrets of a store
	Stores  *StoresService  // the stores of an account
	Quota   *QuotaService   // the quota of an account

	core *core
}

// core is the state of a Client. Credentials, default headers and the transport, whose
// buffers hold requests, are in closures, which fmt and other dumpers do not print.
type core struct {
	baseURL   *url.URL
	defaults  func() callOptions
	closeIdle func()
	log       *slog.Logger
	handle    handler
}

// A handler makes one call, or one attempt of it. The Response is non-nil whenever a
// response was received, even if the error is non-nil.
type handler func(ctx context.Context, c *call) (*Response, error)

// A layer adds one concern to the next handler.
type layer func(next handler) handler

// chain wraps last in layers, the first of which is the outermost. Nil layers are
// skipped.
func chain(last handler, layers ...layer) handler {
	for i := len(layers) - 1; i >= 0; i-- {
		if layers[i] != nil {
			last = layers[i](last)
		}
	}
	return last
}

// NewClient returns a Client with the given options. It reads settings that no option sets
// from the environment: CLOUDFLARE_API_TOKEN, or else CLOUDFLARE_EMAIL and
// CLOUDFLARE_API_KEY; CLOUDFLARE_ACCOUNT_ID; CLOUDFLARE_BASE_URL. The names are those of
// Cloudflare's own tools. An empty variable counts as unset, and surrounding white space is ignored.
// [WithoutEnvironment] disables this.
//
// The error matches [ErrNoCredentials] if there are no credentials, and
// [ErrInvalidArgument] if an option or a variable is invalid. A client without an account
// is valid; its calls must pass [WithAccountID].
func NewClient(opts ...Option) (*Client, error) {
	var cfg config
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt.applyClient(&cfg); err != nil {
			return nil, err
		}
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	handle := chain(send(cfg.transport, cfg.timeout, cfg.userAgent()),
		callHooks(cfg.hooks),
		retry(new(budget), cfg.credential),
		decode,
		pacing(cfg.gate),
		limiter(cfg.limiter),
		credentials(cfg.credential),
		attemptHooks(cfg.hooks),
		logAttempts(cfg.logger),
	)
	return newClient(&core{
		baseURL:   cfg.baseURL,
		defaults:  func() callOptions { return cfg.defaults },
		closeIdle: func() { closeIdleConnections(cfg.transport) },
		log:       cfg.logger,
		handle:    handle,
	}), nil
}

func newClient(c *core) *Client {
	return &Client{Secrets: &SecretsService{core: c}, Stores: &StoresService{core: c}, Quota: &QuotaService{core: c}, core: c}
}

// With returns a client with further defaults, such as another account or a header. It
// shares c's credentials, connections, rate-limit state and retry budget. If an option is
// invalid, every call of the returned client fails with its error.
func (c *Client) With(opts ...RequestOption) *Client {
	core := *c.core
	defaults := core.defaults().with(opts)
	core.defaults = func() callOptions { return defaults }
	return newClient(&core)
}

// CloseIdleConnections closes connections that are not in use, as
// [http.Client.CloseIdleConnections] does. The client remains usable. Other users of the
// same transport are affected too, such as the clients that With returned.
func (c *Client) CloseIdleConnections() { c.core.closeIdle() }

func closeIdleConnections(rt http.RoundTripper) {
	if t, ok := rt.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// do makes a call whose result is a T.
func do[T any](ctx context.Context, c *core, op operation, opts []RequestOption) (*T, *Response, error) {
	env := new(envelope[T])
	resp, err := c.do(ctx, op, env, opts)
	if err != nil {
		return nil, resp, err
	}
	return env.Result, resp, nil
}

// doList makes a call whose result is a list of Ts.
func doList[T any](ctx context.Context, c *core, op operation, opts []RequestOption) ([]*T, *Response, error) {
	env := new(listEnvelope[T])
	resp, err := c.do(ctx, op, env, opts)
	if err != nil {
		return nil, resp, err
	}
	return env.items(), resp, nil
}

// do makes a call and decodes the response into result.
func (c *core) do(ctx context.Context, op operation, result payload, opts []RequestOption) (*Response, error) {
	if ctx == nil {
		return nil, invalid("context", "must not be nil")
	}
	call, err := c.newCall(op, result, opts)
	if err != nil {
		return nil, err
	}
	return c.handle(ctx, call)
}
