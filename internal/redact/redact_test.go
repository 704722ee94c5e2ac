package redact

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestText(t *testing.T) {
	const secret = `p/ss "wörd"`
	for _, tt := range []struct {
		name, text, want string
	}{
		{"no secret", "secret_not_found", "secret_not_found"},
		{"literal", "got " + secret, Placeholder},
		{"JSON escapes", `got p\/ss \"w\u00f6rd\"`, Placeholder},
		{"JSON escapes in JSON", `got p\\/ss \\\"w\\u00f6rd\\\"`, Placeholder},
		{"percent escapes", "got p%2Fss%20%22w%C3%B6rd%22", Placeholder},
		{"percent escapes twice", "got p%252fss%2520%2522w%25c3%25b6rd%2522", Placeholder},
		{"JSON escapes in percent escapes", `got p%2Fss%20%5C%22w%5Cu00f6rd%22`, Placeholder},
		{"invalid escapes stay", `100% of \x and \u12 and \`, `100% of \x and \u12 and \`},
		{"control and format characters", "a\nb\x1b[31m\u202ec\u2028d", "a b [31m c d"},
		{"truncated", strings.Repeat("ä", 40), strings.Repeat("ä", 25) + "…"},
		{"truncated between characters", "x" + strings.Repeat("ä", 40), "x" + strings.Repeat("ä", 24) + "…"},
		{"upper-case escapes", `got p\u002Fss%20%22w%C3%B6rd%22`, Placeholder},
		{"escapes before the limit", strings.Repeat("x", 49) + `\u005cu0070\\/ss \\\"w\\u00f6rd\\\"`, Placeholder},
		{"a part of the secret", "got p/ss", "got p/ss"},
		{"the secret starts before the limit and ends after it", strings.Repeat("x", 45) + secret, Placeholder},
		{"the secret starts after the limit", strings.Repeat("x", 500) + secret, strings.Repeat("x", 50) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, Text(tt.text, 50, []string{"abc", secret}))
		})
	}
}

func TestShortSecretsAreNotSearchedFor(t *testing.T) {
	assert.Equal(t, "abc", Text("abc", 50, []string{"abc", ""}))
}

func TestEscapesAreDecodedTwice(t *testing.T) {
	assert.Equal(t, Placeholder, Text("a%252Fbc", 50, []string{"a/bc"}))
	assert.Equal(t, "a%25252Fbc", Text("a%25252Fbc", 50, []string{"a/bc"}))
}

// A secret, such as the URL of a database, can contain escapes of its own.
func TestSecretsWithEscapes(t *testing.T) {
	for text, secret := range map[string]string{
		`bad value postgres:\/\/u:p%40ss@host`: "postgres://u:p%40ss@host",
		`bad value abc%20def\u0026ghi`:         "abc%20def&ghi",
		`bad value C:\\users%41x`:              `C:\users%41x`,
		`bad value key\u002541`:                "key%41",
		`bad value p%2540ss%26`:                "p%40ss&",
	} {
		assert.Equal(t, Placeholder, Text(text, 50, []string{secret}), text)
	}
}

func TestInvalidUTF8IsTruncated(t *testing.T) {
	assert.LessOrEqual(t, len(Text(strings.Repeat("\xff", 100), 50, nil)), 50+2*len("…"))
}

func TestEscapesAtTheEnd(t *testing.T) {
	for text, secret := range map[string]string{
		`\uD83D\ude00 key`: "😀 key",
		`key \uD83D\ude00`: "key 😀",
		`key\u0041`:        "keyA",
		`key%41`:           "keyA",
		`key\/`:            "key/",
	} {
		assert.Equal(t, Placeholder, Text(text, 50, []string{secret}), text)
	}
}

func TestTruncate(t *testing.T) {
	assert.Equal(t, "äb", Truncate("äb", 3))
	assert.Equal(t, "ä…", Truncate("äbc", 2))
	assert.Equal(t, "…", Truncate("äbc", 1))
	assert.Equal(t, "…", Truncate("\x80\x80", 1), "invalid UTF-8")
}

// Escaping a text as JSON does or as URLs do never hides a secret in it.
func FuzzText(f *testing.F) {
	f.Add("a text", "a secret")
	f.Add(`\u0041%41`, "AAAA")
	f.Fuzz(func(t *testing.T, text, secret string) {
		quote := func(s string) string {
			b, _ := json.Marshal(s)
			return string(b[1 : len(b)-1])
		}
		percent := url.QueryEscape
		if !utf8.ValidString(secret) || strings.Contains(secret, " ") { // " " becomes "+"
			quote, percent = strings.Clone, strings.Clone
		}
		for _, escaped := range []string{secret, quote(secret), percent(secret), quote(quote(secret)), percent(percent(secret)), quote(percent(secret)), percent(quote(secret))} {
			got := Text(text+" "+escaped, 1<<20, []string{secret})
			if len(secret) >= minSecret && got != Placeholder {
				t.Errorf("%q contains %q", got, secret)
			}
			if strings.ContainsAny(got, "\n\r\x1b") {
				t.Errorf("%q has control characters", got)
			}
		}
	})
}
