// Package redact keeps secrets and control characters out of text that a server sent.
package redact

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Placeholder replaces a text that contains a secret.
const Placeholder = "[REDACTED]"

const (
	minSecret = 4  // bytes; shorter secrets occur in too many words
	rounds    = 2  // of decoding
	expansion = 36 // bytes that two rounds of escaping make of one
)

// Text returns s on one line and truncated to limit bytes, or [Placeholder] if one of
// secrets begins within these bytes: literally, or after decoding JSON and percent escapes
// up to twice.
func Text(s string, limit int, secrets []string) string {
	longest := 0
	for _, secret := range secrets {
		longest = max(longest, len(secret))
	}
	// A secret that begins before the limit ends within this window.
	if Contains(s[:min(len(s), limit+expansion*longest)], secrets) {
		return Placeholder
	}
	return Truncate(OneLine(Truncate(s, limit)), limit+len("…")) // invalid UTF-8 grows
}

// Contains reports whether s contains one of secrets: literally, or after decoding JSON and
// percent escapes up to twice.
func Contains(s string, secrets []string) bool { return contains(s, secrets, rounds) }

func contains(s string, secrets []string, rounds int) bool {
	for _, secret := range secrets {
		if len(secret) >= minSecret && strings.Contains(s, secret) {
			return true
		}
	}
	if rounds == 0 {
		return false
	}
	// A secret can contain escapes of its own, which must not be decoded with those of the
	// server. So each kind is decoded alone too.
	hasJSON, hasPercent := strings.Contains(s, `\`), strings.Contains(s, "%")
	return hasJSON && contains(decode(s, `\`), secrets, rounds-1) ||
		hasPercent && contains(decode(s, "%"), secrets, rounds-1) ||
		hasJSON && hasPercent && contains(decode(s, `\%`), secrets, rounds-1)
}

// Truncate returns the first n bytes of s and an ellipsis if s is longer. It does not
// split a character.
func Truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// OneLine replaces control and format characters with spaces, so that a text cannot
// begin a line of its own in a log, control a terminal or reverse its direction.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
}

// decode decodes the escapes in s that begin with one of the characters in kinds: \ for
// those of JSON strings, % for those of URLs. Anything else stays.
func decode(s, kinds string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		r, n := rune(0), 0
		if strings.IndexByte(kinds, s[i]) >= 0 {
			r, n = escape(s[i:])
		}
		switch {
		case n == 0:
			b.WriteByte(s[i])
			i++
		case r > 0xff || s[i] == '\\':
			b.WriteRune(r)
			i += n
		default: // %XX is one byte, which may be part of a character
			b.WriteByte(byte(r))
			i += n
		}
	}
	return b.String()
}

// escape decodes the escape that s starts with and returns its length, 0 if there is
// none.
func escape(s string) (r rune, length int) {
	switch {
	case s[0] == '%' && len(s) >= 3:
		if r, ok := hex(s[1:3]); ok {
			return r, 3
		}
	case s[0] == '\\' && len(s) >= 2:
		if i := strings.IndexByte(`"\/bfnrt`, s[1]); i >= 0 {
			return rune("\"\\/\b\f\n\r\t"[i]), 2
		}
		if s[1] != 'u' || len(s) < 6 {
			return 0, 0
		}
		r, ok := hex(s[2:6])
		if !ok {
			return 0, 0
		}
		if utf16.IsSurrogate(r) && len(s) >= 12 && s[6:8] == `\u` {
			if low, ok := hex(s[8:12]); ok {
				return utf16.DecodeRune(r, low), 12
			}
		}
		return r, 6
	}
	return 0, 0
}

func hex(s string) (n rune, ok bool) {
	for i := range len(s) {
		switch b := s[i]; {
		case '0' <= b && b <= '9':
			n = n<<4 | rune(b-'0')
		case 'a' <= b|0x20 && b|0x20 <= 'f':
			n = n<<4 | rune(b|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}
