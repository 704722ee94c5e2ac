package secretsstoretest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ServerOption is a setting of [NewServer]. nil is no setting.
type ServerOption func(*config) error

type config struct {
	accountID, token, email, key string
	maxStores, maxSecrets        int // 0: any number
	rate                         int // 0: no limit
	rateWindow                   time.Duration
	clock                        func() time.Time
	newID                        func() string
	pendingFor                   time.Duration
	logSize                      int
	hook                         func(Request)
	listen                       bool
}

func defaults() config {
	return config{
		accountID: randomHex(16), token: randomHex(20),
		email: "user-" + randomHex(4) + "@example.com", key: randomHex(16),
		maxStores: 1, maxSecrets: 100,
		clock: time.Now, newID: func() string { return randomHex(16) },
		logSize: 10_000, listen: true,
	}
}

// randomHex returns 2n hexadecimal digits.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// WithAccountID sets [Server.AccountID]: 1 to 32 letters, digits, "_" and "-".
func WithAccountID(id string) ServerOption {
	return func(c *config) error {
		c.accountID = id
		if !validID(id) {
			return fmt.Errorf("WithAccountID: %q can't be an account id", id)
		}
		return nil
	}
}

// WithAPIToken sets [Server.APIToken]: letters, digits and any of "-._~+/=".
func WithAPIToken(token string) ServerOption {
	return func(c *config) error {
		c.token = token
		if !validToken(token) {
			return errors.New("WithAPIToken: a token is letters, digits and any of -._~+/=")
		}
		return nil
	}
}

// WithAPIKey sets [Server.Email] and [Server.APIKey].
func WithAPIKey(email, key string) ServerOption {
	return func(c *config) error {
		c.email, c.key = email, key
		if !validEmail(email) || !validToken(key) {
			return errors.New("WithAPIKey: wants an email address, and a key of letters, digits and any of -._~+/=")
		}
		return nil
	}
}

// WithMaxStores sets how many stores an account may have. The default is 1, as during
// the API's beta; 0 or less is any number.
func WithMaxStores(n int) ServerOption {
	return func(c *config) error { c.maxStores = max(0, n); return nil }
}

// WithMaxSecrets sets how many secrets an account may have, in all its stores
// together. The default is 100, as during the API's beta; 0 or less is any number, and
// the quota then says 2,147,483,647.
func WithMaxSecrets(n int) ServerOption {
	return func(c *config) error { c.maxSecrets = max(0, n); return nil }
}

// WithRateLimit lets each token, and each user, make n requests in a window, which
// begins with the first request after the one before is over. What is past it is
// answered with 429 and has no effect, like requests that a [Fault] answers without
// asking the service, which don't count either. The API's own limit is
// 1,200 in 5 minutes.
//
// By default there is no limit, and the headers announce one that can't be reached,
// so that no client slows down by itself.
func WithRateLimit(n int, window time.Duration) ServerOption {
	return func(c *config) error {
		c.rate, c.rateWindow = n, window
		if n < 1 || window <= 0 {
			return errors.New("WithRateLimit: wants at least one request, and a window longer than 0")
		}
		return nil
	}
}

// WithClock sets where the time comes from: of the secrets, of the rate limit and of
// the log. The default is [time.Now]. The latency of a [Fault] is always real time,
// or that of the synctest bubble. clock may be called from several goroutines at once.
func WithClock(clock func() time.Time) ServerOption {
	return func(c *config) error {
		c.clock = clock
		if clock == nil {
			return errors.New("WithClock: the clock is nil")
		}
		return nil
	}
}

// WithIDSource sets where the ids of stores and secrets come from. The default makes
// 32 random hexadecimal digits. source is never called twice at once, and may not call
// the server. An id that is taken, or is not 1 to 32 letters, digits, "_" and "-", is
// left, and after ten of them a random one is used.
func WithIDSource(source func() string) ServerOption {
	return func(c *config) error {
		c.newID = source
		if source == nil {
			return errors.New("WithIDSource: the source is nil")
		}
		return nil
	}
}

// WithPendingFor sets how long a secret is pending after it was made, or patched with
// a value. The default is 0: the answer to the write says pending, and the next look
// says active. Less than 0 is never pending.
func WithPendingFor(d time.Duration) ServerOption {
	return func(c *config) error { c.pendingFor = d; return nil }
}

// WithRequestLog sets how many requests [Server.Requests] remembers. The default is
// 10,000; 0 or less is none, which is faster.
func WithRequestLog(n int) ServerOption {
	return func(c *config) error { c.logSize = max(0, n); return nil }
}

// WithRequestHook has f see each request when its answer is known and before it is
// sent. f is called in the goroutine of the request, so from several at once.
func WithRequestHook(f func(Request)) ServerOption {
	return func(c *config) error { c.hook = f; return nil }
}

// WithoutListener has the server open no port: for [Server.Transport], and for
// programs that serve [Server.Handler] on a listener of their own. URL is then made
// up, at a host that does not exist, so that nothing is sent to anybody who forgets
// the transport.
func WithoutListener() ServerOption {
	return func(c *config) error { c.listen = false; return nil }
}
