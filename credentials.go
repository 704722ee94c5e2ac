package secretsstore

import (
	"context"
	"fmt"
	"net/http"
	"os"
)

// The environment variables that Cloudflare's own SDKs read.
const (
	envAPIToken  = "CLOUDFLARE_API_TOKEN"
	envEmail     = "CLOUDFLARE_EMAIL"
	envAPIKey    = "CLOUDFLARE_API_KEY"
	envAccountID = "CLOUDFLARE_ACCOUNT_ID"
	envBaseURL   = "CLOUDFLARE_BASE_URL"
)

// TokenSource gives the API token for the next attempt. It is asked by several
// goroutines at once where calls are made so. An error of it ends the call, and
// an empty token is [ErrNoCredentials].
type TokenSource interface {
	Token(ctx context.Context) (string, error)
}

// credentials sign requests: with a token, with email and key, or with the token
// that the source gives. They are in a Client behind a pointer that fmt does not
// follow, and print as [REDACTED] where they are printed themselves.
type credentials struct {
	source TokenSource
	token  *SecretValue
	key    *SecretValue

	// The headers' values, made once: every request shares them.
	authorization, email, apiKey []string
}

// Format writes [REDACTED], whatever the verb.
func (*credentials) Format(f fmt.State, verb rune) { SecretValue{}.Format(f, verb) }

func tokenCredentials(what, token string) (*credentials, error) {
	if token == "" {
		return nil, fmt.Errorf("secretsstore: %s is empty: %w", what, ErrNoCredentials)
	}
	if err := checkCredential(what, token); err != nil {
		return nil, err
	}
	return &credentials{token: NewSecretValue(token), authorization: []string{"Bearer " + token}}, nil
}

func keyCredentials(whatEmail, email, whatKey, key string) (*credentials, error) {
	if email == "" {
		return nil, fmt.Errorf("secretsstore: %s is empty: %w", whatEmail, ErrNoCredentials)
	}
	if key == "" {
		return nil, fmt.Errorf("secretsstore: %s is empty: %w", whatKey, ErrNoCredentials)
	}
	if err := checkCredential(whatEmail, email); err != nil {
		return nil, err
	}
	if err := checkCredential(whatKey, key); err != nil {
		return nil, err
	}
	return &credentials{key: NewSecretValue(key), email: []string{email}, apiKey: []string{key}}, nil
}

// environmentCredentials reads what Cloudflare's own SDKs read: a token, or else
// email and key. A token wins because it is the one that can be limited.
func environmentCredentials() (*credentials, error) {
	if token := os.Getenv(envAPIToken); token != "" {
		return tokenCredentials(envAPIToken, token)
	}
	email, key := os.Getenv(envEmail), os.Getenv(envAPIKey)
	if email == "" || key == "" {
		return nil, fmt.Errorf("secretsstore: no option gives credentials, and neither %s nor %s with %s is set: %w",
			envAPIToken, envEmail, envAPIKey, ErrNoCredentials)
	}
	return keyCredentials(envEmail, email, envAPIKey, key)
}

// sign puts the credentials into h and returns the secret it put there, so that
// it can be kept out of what is printed later.
func (c *credentials) sign(ctx context.Context, h http.Header) (*SecretValue, error) {
	if c.source != nil {
		token, err := c.source.Token(ctx)
		if err != nil {
			return nil, fmt.Errorf("secretsstore: asking the token source: %w", err)
		}
		given, err := tokenCredentials("token of the token source", token)
		if err != nil {
			return nil, err
		}
		c = given
	}
	if c.token != nil {
		h["Authorization"] = c.authorization
		return c.token, nil
	}
	h["X-Auth-Email"], h["X-Auth-Key"] = c.email, c.apiKey
	return c.key, nil
}

// checkCredential refuses what a header can't hold, without printing it. A
// credential that was read from a file often ends in a line break.
func checkCredential(what, s string) error {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return invalid("%s has a space or control character at byte %d of %d, which no credential has", what, i+1, len(s))
		}
	}
	return nil
}

// checkHeaderText refuses what would end a header or change it on the way.
func checkHeaderText(what, s string) error {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return invalid("%s has a control character at byte %d", what, i+1)
		}
	}
	if s != "" && (isSpace(s[0]) || isSpace(s[len(s)-1])) {
		return invalid("%s starts or ends with a space", what)
	}
	return nil
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' }

// validHeaderName says whether s is a token as RFC 9110 defines it.
func validHeaderName(s string) bool {
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		case b > ' ' && b < 0x7f && !isDelimiter(b):
		default:
			return false
		}
	}
	return s != ""
}

func isDelimiter(b byte) bool {
	switch b {
	case '"', '(', ')', ',', '/', ':', ';', '<', '=', '>', '?', '@', '[', '\\', ']', '{', '}':
		return true
	}
	return false
}
