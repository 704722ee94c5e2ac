package grammar

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestID(t *testing.T) {
	for _, tt := range []struct{ name, id, want string }{
		{name: "hexadecimal digits", id: "023e105f4ecef8ad9ca31a8372d0c353"},
		{name: "a UUID", id: "9e1b1b7a-8f0e-4b3f-9a46-2f6d2f1a0c11"},
		{name: "another length", id: "azAZ09-_"},
		{name: "128 characters", id: strings.Repeat("a", 128)},
		{name: "129 characters", id: strings.Repeat("a", 129), want: "has 129 characters, maximum is 128"},
		{name: "empty", want: "must not be empty"},
		{name: "a path", id: "../../STORE?force=true", want: `contains '.', only letters, digits, "-" and "_" are allowed`},
		{name: "an escape", id: "a%2e", want: `contains '%', only letters, digits, "-" and "_" are allowed`},
		{name: "a space", id: "a ", want: `contains ' ', only letters, digits, "-" and "_" are allowed`},
		{name: "a control character", id: "a\n", want: `contains '\n', only letters, digits, "-" and "_" are allowed`},
		{name: "a letter that is not ASCII", id: "ä", want: `contains 'ä', only letters, digits, "-" and "_" are allowed`},
	} {
		assert.Equal(t, tt.want, ID(tt.id), tt.name)
	}
}

func TestIsName(t *testing.T) {
	assert.True(t, IsName("8f00c0ffee-AMS"))
	assert.True(t, IsName(strings.Repeat("a", 64)))
	for _, s := range []string{"", strings.Repeat("a", 65), "a b", "a\x1b", "ä"} {
		assert.False(t, IsName(s), "%q", s)
	}
}

// Credentials are rejected by position, without being shown.
func TestCredential(t *testing.T) {
	for _, tt := range []struct{ name, s, want string }{
		{name: "a token", s: "cfut_0123456789-ABC_xyz.~+/="},
		{name: "a byte-order mark", s: "\ufeffabc", want: "has an invalid character at byte 1 of 6, only visible ASCII without quotes is allowed"},
		{name: "a no-break space", s: "abc\u00a0", want: "has an invalid character at byte 4 of 5, only visible ASCII without quotes is allowed"},
		{name: "an ellipsis", s: "abc…", want: "has an invalid character at byte 4 of 6, only visible ASCII without quotes is allowed"},
		{name: "double quotes", s: `"abc"`, want: "has an invalid character at byte 1 of 5, only visible ASCII without quotes is allowed"},
		{name: "single quotes", s: `abc'`, want: "has an invalid character at byte 4 of 4, only visible ASCII without quotes is allowed"},
		{name: "typographic quotes", s: "abc”", want: "has an invalid character at byte 4 of 6, only visible ASCII without quotes is allowed"},
		{name: "a space", s: "a bc", want: "has an invalid character at byte 2 of 4, only visible ASCII without quotes is allowed"},
		{name: "a line break", s: "abc\r\n", want: "has an invalid character at byte 4 of 5, only visible ASCII without quotes is allowed"},
		{name: "DEL", s: "\x7fabc", want: "has an invalid character at byte 1 of 4, only visible ASCII without quotes is allowed"},
	} {
		assert.Equal(t, tt.want, Credential(tt.s), tt.name)
	}
}

func TestEmail(t *testing.T) {
	for _, tt := range []struct{ name, s, want string }{
		{name: "an email", s: "o'brien+x@example.com"},
		{name: "in quotes", s: "'a@example.com'", want: "has an invalid character at byte 1 of 15, only visible ASCII without quotes is allowed"},
		{name: "in double quotes", s: `"a@example.com"`, want: "has an invalid character at byte 1 of 15, only visible ASCII without quotes is allowed"},
		{name: "a space", s: "a@example.com ", want: "has an invalid character at byte 14 of 14, only visible ASCII without quotes is allowed"},
	} {
		assert.Equal(t, tt.want, Email(tt.s), tt.name)
	}
}

func TestHeaderNames(t *testing.T) {
	for _, name := range []string{"X-Gateway", "cf-access-client-id", "X_Trace", "Accept", "User-Agent", "!#$%&'*+-.^`|~"} {
		assert.Empty(t, HeaderName(name), name)
		assert.False(t, IsReserved(name), name)
	}
	assert.Equal(t, "must not be empty", HeaderName(""))
	for _, name := range []string{"a b", "a:", "a\n", "a\x00", "ä", "a(b)", `a"`, "a/b", "a[0]", "\x7f"} {
		assert.Equal(t, "has a character that is not allowed in a header name", HeaderName(name), "%q", name)
	}
	for _, name := range []string{
		"Authorization", "AUTHORIZATION", "Proxy-Authorization", "proxy_authorization", "X-Auth-Key", "x-auth-email", "X_Auth_Key", "x-auth_Anything", "Host", "Content-Length",
		"content_length", "Transfer-Encoding", "Transfer_Encoding", "Content-Encoding", "Accept-Encoding", "Expect", "Connection", "Proxy-Connection", "Keep-Alive",
		"HTTP2-Settings", "Trailer", "TE", "Upgrade",
	} {
		assert.True(t, IsReserved(name), name)
	}
}

func TestHeaderValue(t *testing.T) {
	for _, tt := range []struct{ name, s, want string }{
		{name: "empty"},
		{name: "text", s: "Bearer a\tb ä"},
		{name: "a line break", s: "a\r\nX: y", want: "has a control character at byte 2"},
		{name: "NUL", s: "a\x00", want: "has a control character at byte 2"},
		{name: "DEL", s: "\x7f", want: "has a control character at byte 1"},
		{name: "a space in front", s: " a", want: "starts or ends with a space or tab"},
		{name: "a tab at the end", s: "a\t", want: "starts or ends with a space or tab"},
	} {
		assert.Equal(t, tt.want, HeaderValue(tt.s), tt.name)
	}
}

func TestPath(t *testing.T) {
	for _, path := range []string{"/user/tokens/verify", "/a.b/..c/...", "/a;b=1", "/a%20b", "/100%25", "/%c3%a4", "/", "", "/a/"} {
		assert.Empty(t, Path(path), path)
	}
	for _, path := range []string{
		"/..", "/../a", "/a/..", "/./a", "/a/.", "/%2e%2e/a", "/.%2E/a", "/%252e%252e/a", "/%2e%252e", "/..;/a", "/..;x=1/a", "/%2e%2e;a", "/%252e%252e%253ba", "/.;/a",
		"/a%2f..%2fb", "/a%252f..%252fb", `/a%5c..%5cb`, "/..%5cb",
	} {
		assert.Equal(t, "has a dot segment", Path(path), path)
	}
	for _, tt := range []struct{ name, path, want string }{
		{name: "an empty segment", path: "/a//b", want: "has an empty segment"},
		{name: "an invalid escape", path: "/a%zz", want: "has an invalid escape"},
		{name: "half an escape", path: "/a%2", want: "has an invalid escape"},
		{name: "a backslash", path: `/a\b`, want: "has a control character or a backslash"},
		{name: "an escaped backslash", path: "/a%5cb", want: "has a control character or a backslash"},
		{name: "a control character", path: "/a%0ab", want: "has a control character or a backslash"},
		{name: "a control character, escaped twice", path: "/a%2500", want: "has a control character or a backslash"},
		{name: "DEL", path: "/%7f", want: "has a control character or a backslash"},
	} {
		assert.Equal(t, tt.want, Path(tt.path), tt.name)
	}
}

func TestBaseURL(t *testing.T) {
	for _, rawURL := range []string{
		"https://api.cloudflare.com/client/v4", "https://gateway.example.com:8443/a/b/", "https://[2001:db8::1]/", "HTTPS://example.com", "http://localhost:8080/client/v4",
		"http://LOCALHOST", "http://127.0.0.2:80", "http://[::1]:8080",
	} {
		u, err := url.Parse(rawURL)
		require.NoError(t, err)
		assert.Empty(t, BaseURL(u), rawURL)
	}
	for _, tt := range []struct{ rawURL, want string }{
		{"http://api.cloudflare.com", "must start with https://, plain http is allowed for loopback addresses only"},
		{"http://localho\u017ft", "must start with https://, plain http is allowed for loopback addresses only"},
		{"http://localhost.example.com", "must start with https://, plain http is allowed for loopback addresses only"},
		{"http://[::1%25eth0]", "must start with https://, plain http is allowed for loopback addresses only"},
		{"ftp://example.com", "must start with https://"},
		{"api.cloudflare.com/client/v4", "must start with https://"},
		{"", "must start with https://"},
		{"https://", "has no host"},
		{"https://:443", "has no host"},
		{"https:example.com", "has no host"},
		{"https://user:password@example.com", "must not contain a user or password"},
		{"https://@example.com", "must not contain a user or password"},
		{"https://example.com?a=b", "must not have a query or fragment"},
		{"https://example.com?", "must not have a query or fragment"},
		{"https://example.com#a", "must not have a query or fragment"},
		{"https://example.com/a/../b", "path has a dot segment"},
		{"https://example.com/%252e%252e", "path has a dot segment"},
		{"https://example.com//a", "path has an empty segment"},
	} {
		u, err := url.Parse(tt.rawURL)
		require.NoError(t, err)
		assert.Equal(t, tt.want, BaseURL(u), tt.rawURL)
	}
}

func TestIsLoopback(t *testing.T) {
	for _, host := range []string{"localhost", "LOCALHOST", "LocalHost", "127.0.0.1", "127.0.0.2", "127.255.255.255", "::1", "::ffff:127.0.0.1"} {
		assert.True(t, IsLoopback(host), host)
	}
	for _, host := range []string{
		"", "localho\u017ft", "\uff4cocalhost", "localhost.", "localhost.example.com", "127.0.0.1.example.com", "127.1", "0177.0.0.1", "2130706433", "0.0.0.0", "::",
		"::1%eth0", "::ffff:10.0.0.1", "10.0.0.1", "128.0.0.1", "example.com",
	} {
		assert.False(t, IsLoopback(host), host)
	}
}
