// Package grammar checks the texts that become part of a request: ids, credentials,
// headers and paths. The functions that return a string return what is wrong with their
// argument, or "". They never repeat the whole argument.
package grammar

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

const maxID = 128

// ID checks an id, which becomes a segment of a path.
func ID(id string) string {
	if id == "" {
		return "must not be empty"
	}
	for _, r := range id {
		if !isIDRune(r) {
			return fmt.Sprintf(`contains %q, only letters, digits, "-" and "_" are allowed`, r)
		}
	}
	if len(id) > maxID {
		return fmt.Sprintf("has %d characters, maximum is %d", len(id), maxID)
	}
	return ""
}

func isIDRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// IsName reports whether s is short and safe enough to be printed as it is: 1 to 64
// letters, digits, "-" and "_".
func IsName(s string) bool {
	return len(s) <= 64 && ID(s) == ""
}

// Credential checks an API token or key: visible ASCII without quotes. Other characters
// usually come from copying it.
func Credential(s string) string {
	return visibleASCII(s, `"'`)
}

// Email checks the email that belongs to an API key.
func Email(s string) string {
	if s != "" && s[0] == '\'' {
		return invalidByte(0, s)
	}
	return visibleASCII(s, `"`)
}

func visibleASCII(s, except string) string {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(except, s[i]) >= 0 {
			return invalidByte(i, s)
		}
	}
	return ""
}

func invalidByte(i int, s string) string {
	return fmt.Sprintf("has an invalid character at byte %d of %d, only visible ASCII without quotes is allowed", i+1, len(s))
}

// HeaderName checks the name of a header that a user may set.
func HeaderName(name string) string {
	if name == "" {
		return "must not be empty"
	}
	for i := range len(name) {
		if b := name[i]; b <= ' ' || b >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, b) >= 0 {
			return "has a character that is not allowed in a header name"
		}
	}
	return ""
}

// IsReserved reports whether a header authenticates a request, frames it or controls the
// connection. Some servers read "_" as "-".
func IsReserved(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	switch name {
	case "authorization", "proxy-authorization", "proxy-authenticate", "host", "content-length", "transfer-encoding", "content-encoding",
		"accept-encoding", "expect", "connection", "proxy-connection", "keep-alive", "http2-settings", "trailer", "te", "upgrade":
		return true
	}
	return strings.HasPrefix(name, "x-auth-")
}

// HeaderValue checks the value of a header.
func HeaderValue(s string) string {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return fmt.Sprintf("has a control character at byte %d", i+1)
		}
	}
	if strings.Trim(s, " \t") != s {
		return "starts or ends with a space or tab"
	}
	return ""
}

// Path checks an escaped path for what a server could read as another path: empty
// segments, and dot segments even if they are escaped twice or have parameters.
func Path(escaped string) string {
	if strings.Contains(escaped, "//") {
		return "has an empty segment"
	}
	once, err := url.PathUnescape(escaped)
	if err != nil {
		return "has an invalid escape"
	}
	if reason := segments(once); reason != "" {
		return reason
	}
	return segments(unescape(once))
}

// unescape decodes the percent escapes in s. Anything else stays, such as a percent sign
// that was escaped.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if char, err := url.PathUnescape(s[i:min(i+3, len(s))]); s[i] == '%' && err == nil {
			b.WriteString(char)
			i += 2
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func segments(path string) string {
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		segment, _, _ = strings.Cut(segment, ";")
		if segment == "." || segment == ".." {
			return "has a dot segment"
		}
	}
	for i := range len(path) {
		if path[i] < ' ' || path[i] == 0x7f || path[i] == '\\' {
			return "has a control character or a backslash"
		}
	}
	return ""
}

// BaseURL checks a base URL: https, or http with a loopback host, and no user, query or
// fragment.
func BaseURL(u *url.URL) string {
	switch {
	case u.User != nil:
		return "must not contain a user or password"
	case u.Scheme != "https" && u.Scheme != "http":
		return "must start with https://"
	case u.Hostname() == "" || u.Opaque != "":
		return "has no host"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "must not have a query or fragment"
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return "must start with https://, plain http is allowed for loopback addresses only"
	}
	if reason := Path(u.EscapedPath()); reason != "" {
		return "path " + reason
	}
	return ""
}

// IsLoopback reports whether host is a loopback address or localhost. Only ASCII counts: Unicode folding
// would accept names that resolve elsewhere.
func IsLoopback(host string) bool {
	if len(host) == len("localhost") && strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" && addr.IsLoopback()
}
