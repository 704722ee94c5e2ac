package secretsstore

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/seed-57d84f87/secretsstore-go/internal/grammar"
)

// A TokenSource supplies API tokens that can change. The client calls Token before every
// attempt. It calls it again, once per call, after an attempt that failed with
// [ErrUnauthorized]: if Token then returns another token, the client makes one further
// attempt at once, for any method. That attempt counts toward MaxAttempts of [RetryPolicy].
// An error of Token ends the call, and an empty token causes [ErrNoCredentials]. Token must
// be safe for concurrent use; implementations should cache tokens.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
}

// A TokenSourceFunc is a function that implements [TokenSource].
type TokenSourceFunc func(ctx context.Context) (string, error)

// Token calls f. If f is nil, it returns no token.
func (f TokenSourceFunc) Token(ctx context.Context) (string, error) {
	if f == nil {
		return "", nil
	}
	return f(ctx)
}

// A credential authenticates requests: an API token, an email with a global API key, or
// the source of tokens.
type credential struct {
	source                TokenSource
	secret                string
	bearer, email, apiKey []string // header values, shared by all requests
}

func newTokenCredential(argument, token string) (*credential, error) {
	if token == "" {
		return nil, noCredentials(argument + " is empty")
	}
	if reason := grammar.Credential(token); reason != "" {
		return nil, invalid(argument, reason)
	}
	return &credential{secret: token, bearer: []string{"Bearer " + token}}, nil
}

func newKeyCredential(emailArgument, email, keyArgument, key string) (*credential, error) {
	if email == "" {
		return nil, noCredentials(emailArgument + " is empty")
	}
	if key == "" {
		return nil, noCredentials(keyArgument + " is empty")
	}
	if reason := grammar.Email(email); reason != "" {
		return nil, invalid(emailArgument, reason)
	}
	if reason := grammar.Credential(key); reason != "" {
		return nil, invalid(keyArgument, reason)
	}
	return &credential{secret: key, email: []string{email}, apiKey: []string{key}}, nil
}

func noCredentials(reason string) error {
	return fmt.Errorf("secretsstore: %w: %s", ErrNoCredentials, reason)
}

// current returns the credential for the next attempt.
func (cred *credential) current(ctx context.Context) (*credential, error) {
	if cred.source == nil {
		return cred, nil
	}
	token, err := cred.source.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("token source: %w", withContext(ctx, err))
	}
	return newTokenCredential("token of the token source", token)
}

func (cred *credential) sign(h http.Header) {
	if cred.bearer != nil {
		h["Authorization"] = cred.bearer
		return
	}
	h["X-Auth-Email"], h["X-Auth-Key"] = cred.email, cred.apiKey
}

// credentials selects the credential of each attempt.
func credentials(cred *credential) layer {
	return func(next handler) handler {
		return func(ctx context.Context, c *call) (*Response, error) {
			if !c.renewed { // otherwise renew has selected it
				current, err := cred.current(ctx)
				if err != nil {
					return nil, c.ended(err)
				}
				c.use(current)
			}
			c.renewed = false
			return next(ctx, c)
		}
	}
}

// renew asks the token source again after the credential was refused. It reports whether
// the token has changed.
func (c *call) renew(ctx context.Context, cred *credential) (bool, error) {
	if cred.source == nil {
		return false, nil
	}
	current, err := cred.current(ctx)
	if err != nil {
		return false, err
	}
	c.renewed = current.secret != c.credential.secret
	c.use(current)
	return c.renewed, nil
}

// use sets the credential of the next attempt. Those of earlier attempts remain secret.
func (c *call) use(cred *credential) {
	c.credential = cred
	if !slices.Contains(c.secrets, cred.secret) {
		c.secrets = append(c.secrets, cred.secret)
	}
}
