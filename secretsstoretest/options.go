package secretsstoretest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// A ServerOption configures a [Server]. A nil option is skipped.
type ServerOption func(*config) error

type config struct {
	accountID, token, email, key string
	listen                       bool
	rate                         int // 0: no limit
	window                       time.Duration
	limits                       limits
	hook                         func(Request)
}

func defaultConfig() config {
	return config{
		accountID: randomHex(16), token: randomHex(20),
		email: "user-" + randomHex(4) + "@example.com", key: randomHex(16),
		listen: true, limits: limits{stores: 1, secrets: 100},
	}
}

// randomHex returns n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// WithoutListener makes [NewServer] open no port, for use with [Server.Transport] or
// [Server.Handler]. [Server.URL] then names a host that does not exist.
func WithoutListener() ServerOption {
	return func(c *config) error { c.listen = false; return nil }
}

// WithAccountID sets [Server.AccountID]: 1 to 36 letters, digits, "_" and "-". By default
// it is random.
func WithAccountID(id string) ServerOption {
	return func(c *config) error {
		c.accountID = id
		if !validID(id) {
			return fmt.Errorf("WithAccountID: invalid account id %q", id)
		}
		return nil
	}
}

// WithAPIToken sets [Server.APIToken]. By default it is random.
func WithAPIToken(token string) ServerOption {
	return func(c *config) error {
		c.token = token
		if !validToken(token) {
			return errors.New("WithAPIToken: invalid token")
		}
		return nil
	}
}

// WithAPIKey sets [Server.Email] and [Server.APIKey]. By default they are random.
func WithAPIKey(email, key string) ServerOption {
	return func(c *config) error {
		c.email, c.key = email, key
		if !validEmail(email) || !validKey(key) {
			return errors.New("WithAPIKey: invalid email address or key")
		}
		return nil
	}
}

// WithMaxStores limits the number of stores in an account. The default is 1, as during
// the API's beta. If n is not positive, there is no limit.
func WithMaxStores(n int) ServerOption {
	return func(c *config) error { c.limits.stores = n; return nil }
}

// WithMaxSecrets limits the number of secrets in an account. The default is 100, as during
// the API's beta. If n is not positive, there is no limit, and the quota is reported as
// 2,147,483,647.
func WithMaxSecrets(n int) ServerOption {
	return func(c *config) error { c.limits.secrets = n; return nil }
}

// WithRateLimit allows each token, and each user with a key, n requests per window. A
// window starts with the first request after the previous one ended. Requests beyond the
// limit are not applied and receive status 429 with Retry-After. Cloudflare's own limit
// is 1,200 requests in 5 minutes.
//
// By default there is no limit, and the Ratelimit header always reports that 1,000,000,000
// requests remain.
func WithRateLimit(n int, window time.Duration) ServerOption {
	return func(c *config) error {
		c.rate, c.window = n, window
		if n < 1 || window <= 0 {
			return errors.New("WithRateLimit: the number of requests and the window must be positive")
		}
		return nil
	}
}

// WithPendingFor sets how long a secret stays pending after it was created, duplicated or
// patched with a value. The default is 0: the response to the write reports pending, and
// the secret is active afterwards.
func WithPendingFor(d time.Duration) ServerOption {
	return func(c *config) error { c.limits.pendingFor = d; return nil }
}

// WithNameHeldFor sets how long the name of a deleted secret stays taken. The default is
// 0. On the real service, others have observed about 30 seconds.
func WithNameHeldFor(d time.Duration) ServerOption {
	return func(c *config) error { c.limits.nameHeldFor = d; return nil }
}

// WithDeletedListedFor sets how long a deleted secret is still listed and returned by get,
// with status deleted. The default is 0. A newer secret may have the same name.
func WithDeletedListedFor(d time.Duration) ServerOption {
	return func(c *config) error { c.limits.deletedListedFor = d; return nil }
}

// WithFilteredTotalCount makes total_count and total_pages count only the secrets that
// match the search and scopes of a list. By default they count all secrets of the store.
func WithFilteredTotalCount() ServerOption {
	return func(c *config) error { c.limits.filteredTotal = true; return nil }
}

// WithRequestHook calls f with each request after it was handled and before its response is
// sent. f is called concurrently. A nil f is not called.
func WithRequestHook(f func(Request)) ServerOption {
	return func(c *config) error { c.hook = f; return nil }
}
