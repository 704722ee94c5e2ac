package secretsstore

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What an [APIError] can be. The API's own word for the error decides where it
// has one, else its code, else the HTTP status; compare with [errors.Is].
var (
	// ErrUnauthorized: the credentials are missing, malformed or unknown.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden: the credentials are known and may not do this.
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound: there is no such thing; also matched by the next two.
	ErrNotFound = errors.New("not found")
	// ErrSecretNotFound: the store has no such secret.
	ErrSecretNotFound = fmt.Errorf("secret %w", ErrNotFound)
	// ErrStoreNotFound: the account has no such store.
	ErrStoreNotFound = fmt.Errorf("store %w", ErrNotFound)
	// ErrAlreadyExists: the name is taken.
	ErrAlreadyExists = errors.New("already exists")
	// ErrStoreNotEmpty: the store has secrets, and Force was not set.
	ErrStoreNotEmpty = errors.New("store not empty")
	// ErrConflict: status 409 without a word that says more.
	ErrConflict = errors.New("conflict")
	// ErrQuotaExceeded: the account has as many stores or secrets as it may.
	ErrQuotaExceeded = errors.New("quota exceeded")
	// ErrRateLimited: too many requests; also matched by [WaitError].
	ErrRateLimited = errors.New("rate limited")
	// ErrInvalidRequest: the API refuses what was asked.
	ErrInvalidRequest = errors.New("invalid request")
	// ErrServer: the API or its edge failed, with a status of 500 or more.
	ErrServer = errors.New("server error")
)

// Errors that are no answer of the API; compare with [errors.Is].
var (
	// ErrInvalidArgument: an argument can't be right, and nothing was sent. The
	// text names the argument.
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrNoCredentials: there is nothing to sign requests with.
	ErrNoCredentials = errors.New("no credentials")
	// ErrOutcomeUnknown: a call that makes something was sent, and nobody can say
	// whether it was done. Look before doing it again: FindByName for a secret, All
	// for a store.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrResponseTooLarge: a successful answer is over 8 MiB, uncompressed.
	ErrResponseTooLarge = errors.New("response too large")
	// ErrInvalidResponse: a successful answer is not the API's JSON, is cut short,
	// or lacks the result.
	ErrInvalidResponse = errors.New("invalid response")
	// ErrAttemptTimeout: an attempt took longer than [WithAttemptTimeout].
	ErrAttemptTimeout = errors.New("attempt timed out")
	// ErrNotTried: PatchAll had taken the patch and did not send it, as an answer
	// had shown that no patch can succeed.
	ErrNotTried = errors.New("not tried")
)

// ErrorDetail is one error of an answer.
type ErrorDetail struct {
	// Code is the API's number; one code stands for several errors. 0 where the API
	// sent none.
	Code int `json:"code"`
	// Message starts with the API's word for the error, such as secret_not_found,
	// or is a phrase.
	Message string `json:"message"`
	// DocumentationURL is "" where the API sent none.
	DocumentationURL string `json:"documentation_url,omitempty"`
	// Source says which part of the request is at fault, where the API says so.
	Source ErrorSource `json:"source,omitzero"`
	// Chain are the errors behind this one, the API's error_chain.
	Chain []ErrorDetail `json:"error_chain,omitempty"`
}

// ErrorSource is the part of the request that an error or message is about.
type ErrorSource struct {
	// Pointer is a JSON pointer into the request's body.
	Pointer string `json:"pointer,omitempty"`
}

// APIError is an answer that is not a success: success:false at whatever status,
// a status of 400 or more with or without the API's JSON, or a redirect, which is
// never followed. errors.Is tells which error it is; see [ErrUnauthorized] and
// the others.
//
// Credentials and values that this client sent are replaced by [REDACTED] where
// the answer repeats them.
//
// API reference: https://developers.cloudflare.com/fundamentals/api/troubleshooting/
type APIError struct {
	StatusCode int
	// Errors and Messages are the answer's, the first 1,000 of each with their chains;
	// nil where it was no JSON.
	Errors   []ErrorDetail
	Messages []Message
	// Method and Path are the request's; the path is relative to the base URL.
	Method, Path string
	// RayID is what Cloudflare's support asks for; "" where the answer had none.
	RayID string
	// RetryAfter is how long the API asks to wait; 0 where it does not say.
	RetryAfter time.Duration
	// RateLimit is what the answer said of the rate limit; nil where it said nothing.
	RateLimit *RateLimit
	// Attempts is how often the call was tried, this answer's attempt included.
	Attempts int
	// Body is the start, 2 KiB at most, of an answer that was not the API's JSON.
	Body string
}

// maxErrorsShown keeps a server from writing a book into a log.
const maxErrorsShown = 5

// Error is one line: what was asked, the status, the API's errors, and what
// helps to follow it up.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "secretsstore: %s %s: %d", e.Method, e.Path, e.StatusCode)
	if text := http.StatusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	sep := ": "
	for i := range e.Errors {
		if i == maxErrorsShown {
			fmt.Fprintf(&b, "; and %d more", len(e.Errors)-i)
			break
		}
		b.WriteString(sep + e.Errors[i].line())
		sep = "; "
	}
	switch {
	case 300 <= e.StatusCode && e.StatusCode < 400:
		b.WriteString(": redirects are not followed: check the base URL")
	case len(e.Errors) == 0 && e.Body != "":
		fmt.Fprintf(&b, ": no answer of the API but %q", start(e.Body, 80))
	case e.Is(ErrUnauthorized):
		b.WriteString(": check the credentials")
	case e.Is(ErrForbidden):
		b.WriteString(": check the account and the permissions of the credentials")
	}
	var more []string
	if e.RetryAfter > 0 {
		more = append(more, fmt.Sprintf("retry after %v", e.RetryAfter))
	}
	if e.Attempts > 1 {
		more = append(more, fmt.Sprintf("%d attempts", e.Attempts))
	}
	if e.RayID != "" {
		more = append(more, "ray "+e.RayID)
	}
	if len(more) > 0 {
		b.WriteString(" (" + strings.Join(more, ", ") + ")")
	}
	return oneLine(b.String())
}

func (d *ErrorDetail) line() string {
	const most = 1000
	s := start(d.Message, 300)
	if d.Code != 0 {
		s += " [" + strconv.Itoa(d.Code) + "]"
	}
	if d.Source.Pointer != "" {
		s += " at " + start(d.Source.Pointer, 100)
	}
	for i := 0; i < len(d.Chain) && len(s) <= most; i++ {
		s += ", because of " + d.Chain[i].line()
	}
	return start(s, most)
}

// oneLine keeps a server's text from starting a line of its own in a log, or
// from steering a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
}

// start is the first n bytes of s, cut between characters.
func start(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// LogValue is the error as a group of attributes.
func (e *APIError) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("method", e.Method),
		slog.String("path", e.Path),
		slog.Int("status", e.StatusCode),
		slog.Int("attempts", e.Attempts),
	}
	if e.RayID != "" {
		attrs = append(attrs, slog.String("ray_id", oneLine(e.RayID)))
	}
	if e.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", e.RetryAfter))
	}
	if len(e.Errors) > 0 {
		lines := make([]string, min(len(e.Errors), maxErrorsShown))
		for i := range lines {
			lines[i] = oneLine(e.Errors[i].line())
		}
		attrs = append(attrs, slog.Any("errors", lines))
	}
	return slog.GroupValue(attrs...)
}

// Is says whether target is one of the package's errors that this answer is.
func (e *APIError) Is(target error) bool {
	switch {
	case e.StatusCode >= 500:
		return target == ErrServer
	case e.StatusCode == http.StatusTooManyRequests:
		return target == ErrRateLimited
	}
	known := false
	for i := range e.Errors {
		kinds := e.Errors[i].kinds(e.StatusCode)
		if slices.Contains(kinds, target) {
			return true
		}
		known = known || kinds != nil
	}
	return !known && slices.Contains(kindsOfStatus(e.StatusCode), target)
}

// kinds are the sentinels of one error of an answer; nil where neither its word
// nor its code, nor those of the errors behind it, are known.
func (d *ErrorDetail) kinds(status int) []error {
	if k := kindsOfMessage(d.Message, status); k != nil {
		return k
	}
	if k := kindsOfCode(d.Code, status); k != nil {
		return k
	}
	for i := range d.Chain {
		if k := d.Chain[i].kinds(status); k != nil {
			return k
		}
	}
	return nil
}

// kindsOfMessage goes by the API's word, which ends at a ":" or a space, or by
// the whole of a phrase.
func kindsOfMessage(message string, status int) []error {
	word := message
	if i := strings.IndexAny(message, ": "); i >= 0 {
		word = message[:i]
	}
	switch word {
	case "secret_not_found":
		return []error{ErrSecretNotFound, ErrNotFound}
	case "store_not_found":
		return []error{ErrStoreNotFound, ErrNotFound}
	case "secret_name_already_exists", "store_name_already_exists":
		return []error{ErrAlreadyExists}
	case "store_not_empty":
		return []error{ErrStoreNotEmpty}
	case "maximum_stores_exceeded", "maximum_secrets_exceeded":
		return []error{ErrQuotaExceeded}
	case "secret_name_empty", "secret_scopes_empty", "secret_scope_invalid", "secret_value_too_long",
		"invalid_json_body", "invalid_per_page_parameter":
		return []error{ErrInvalidRequest}
	}
	switch message {
	case "Authentication error":
		return kindsOfCode(10000, status)
	case "Invalid request headers":
		return []error{ErrUnauthorized}
	case "Invalid access token", "Unauthorized to access requested resource":
		return []error{ErrForbidden}
	case "Please wait and consider throttling your request speed":
		return []error{ErrRateLimited}
	}
	return nil
}

// kindsOfCode knows the codes that stand for one error only.
func kindsOfCode(code, status int) []error {
	switch code {
	case 10000:
		if status == http.StatusForbidden {
			return []error{ErrForbidden}
		}
		return []error{ErrUnauthorized}
	case 9109:
		return []error{ErrForbidden}
	case 9106, 6003, 6102, 6103, 6111:
		return []error{ErrUnauthorized}
	case 7000, 7003:
		return []error{ErrNotFound, ErrInvalidRequest}
	case 971, 10100:
		return []error{ErrRateLimited}
	}
	return nil
}

func kindsOfStatus(status int) []error {
	switch status {
	case http.StatusUnauthorized:
		return []error{ErrUnauthorized}
	case http.StatusForbidden:
		return []error{ErrForbidden}
	case http.StatusNotFound, http.StatusGone:
		return []error{ErrNotFound}
	case http.StatusConflict:
		return []error{ErrConflict}
	case http.StatusRequestTimeout:
		return nil
	}
	if 400 <= status && status < 500 {
		return []error{ErrInvalidRequest}
	}
	return nil
}

// ResponseError is a successful answer that can't be read. It matches
// [ErrInvalidResponse] or [ErrResponseTooLarge], and what stopped the reading,
// such as [io.ErrUnexpectedEOF] or [ErrAttemptTimeout].
type ResponseError struct {
	StatusCode   int
	Method, Path string // of the request; the path is relative to the base URL
	ContentType  string
	RayID        string
	Attempts     int
	Body         string // what came, 2 KiB at most
	Err          error
}

// Error is one line that says what came.
func (e *ResponseError) Error() string {
	came := "nothing"
	if e.Body != "" {
		came = strconv.Quote(start(e.Body, 80))
	}
	s := fmt.Sprintf("secretsstore: %s %s: %d: %v; what came was %s", e.Method, e.Path, e.StatusCode, e.Err, came)
	if e.ContentType != "" {
		s += " as " + start(e.ContentType, 80)
	}
	if e.RayID != "" {
		s += " (ray " + e.RayID + ")"
	}
	return oneLine(s)
}

// Unwrap returns what is wrong with the answer.
func (e *ResponseError) Unwrap() error { return e.Err }

// RequestError is a call that got no answer: no connection, a connection that
// broke, an attempt that timed out, or a context that ended.
type RequestError struct {
	Method, Path string // the path is relative to the base URL
	Attempts     int    // how often the call was tried; 0 if it ended before the first attempt
	Err          error
}

// Error is one line: what was asked, and why there was no answer.
func (e *RequestError) Error() string {
	why := strings.TrimPrefix(fmt.Sprint(e.Err), "secretsstore: ")
	s := fmt.Sprintf("secretsstore: %s %s: %s", e.Method, e.Path, why)
	if e.Attempts > 1 {
		s += fmt.Sprintf(" (%d attempts)", e.Attempts)
	}
	return oneLine(s)
}

// Unwrap returns why there was no answer.
func (e *RequestError) Unwrap() error { return e.Err }

// invalid is an ErrInvalidArgument; the text names the argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("secretsstore: "+format+": %w", append(args, ErrInvalidArgument)...)
}

// outcomeError is the error of a call that may have been done all the same.
type outcomeError struct {
	err     error
	findOut string
}

// Error says what went wrong, and how to learn whether the call was done.
func (e *outcomeError) Error() string {
	return fmt.Sprintf("%v: %v: it may have been done: %s", e.err, ErrOutcomeUnknown, e.findOut)
}

// Unwrap returns ErrOutcomeUnknown and what went wrong.
func (e *outcomeError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.err} }
