package secretsstore

import (
	"os"
	"strings"

	"github.com/seed-57d84f87/secretsstore-go/internal/ratelimit"
)

// The environment variables, with the names that Cloudflare's own tools use.
const (
	envAPIToken  = "CLOUDFLARE_API_TOKEN"
	envEmail     = "CLOUDFLARE_EMAIL"
	envAPIKey    = "CLOUDFLARE_API_KEY"
	envAccountID = "CLOUDFLARE_ACCOUNT_ID"
	envBaseURL   = "CLOUDFLARE_BASE_URL"
)

// complete adds what no option set: the environment, then the defaults.
func (c *config) complete() (err error) {
	env := func(name string) string {
		if c.noEnvironment {
			return ""
		}
		return strings.TrimSpace(os.Getenv(name))
	}
	if c.credential == nil {
		token, email, key := env(envAPIToken), env(envEmail), env(envAPIKey)
		switch {
		case token != "":
			c.credential, err = newTokenCredential(envAPIToken, token)
		case email != "" && key != "":
			c.credential, err = newKeyCredential(envEmail, email, envAPIKey, key)
		case c.noEnvironment:
			err = noCredentials("an API token, or an email and a global API key, is required")
		default:
			err = noCredentials("set " + envAPIToken + ", or " + envEmail + " and " + envAPIKey)
		}
		if err != nil {
			return err
		}
	}
	if id := env(envAccountID); c.defaults.accountID == "" && id != "" {
		if err := checkID(envAccountID, id); err != nil {
			return err
		}
		c.defaults.accountID = id
	}
	if c.baseURL == nil {
		rawURL := env(envBaseURL)
		if rawURL == "" {
			rawURL = DefaultBaseURL
		}
		if c.baseURL, err = parseBaseURL(envBaseURL, rawURL); err != nil {
			return err
		}
	}
	if c.transport == nil {
		c.transport = newTransport()
	}
	if !c.noPacing {
		c.gate = new(ratelimit.Gate)
	}
	return nil
}
