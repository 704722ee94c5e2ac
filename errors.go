package secretsstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/internal/redact"
)

// Errors that an [*APIError] matches, for use with [errors.Is]. A status of 429, or of 500
// or more, determines the sentinel. Otherwise the first word of the API's message does, such
// as secret_not_found, then its code, then the status.
var (
	// ErrUnauthorized reports credentials that are missing, malformed or unknown.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden reports credentials without the required permission.
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound reports that the secret or the store does not exist or, for Do, another
	// resource.
	ErrNotFound = errors.New("not found")
	// ErrSecretNotFound reports that the secret does not exist. It matches ErrNotFound.
	ErrSecretNotFound = fmt.Errorf("secret %w", ErrNotFound)
	// ErrStoreNotFound reports that the store does not exist. It matches ErrNotFound.
	ErrStoreNotFound = fmt.Errorf("store %w", ErrNotFound)
	// ErrAlreadyExists reports a name that is already in use.
	ErrAlreadyExists = errors.New("already exists")
	// ErrStoreNotEmpty reports a delete, without Force, of a store that has secrets.
	ErrStoreNotEmpty = errors.New("store not empty")
	// ErrConflict reports a 409 that has no more specific error.
	ErrConflict = errors.New("conflict")
	// ErrQuotaExceeded reports that the account has its maximum number of stores or secrets.
	ErrQuotaExceeded = errors.New("quota exceeded")
	// ErrRateLimited reports too many requests. A [*WaitError] matches it too, and so do the
	// errors of a [Limiter] unless the context has ended.
	ErrRateLimited = errors.New("rate limited")
	// ErrInvalidRequest reports a request that the API rejects as invalid. It also reports
	// any other 4xx status except 408, such as a gateway's 404 page.
	ErrInvalidRequest = errors.New("invalid request")
	// ErrServer reports a status of 500 or more.
	ErrServer = errors.New("server error")
)

// Errors of the client, for use with [errors.Is].
var (
	// ErrInvalidArgument reports an invalid argument; see [ArgumentError].
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrNoCredentials reports that no credentials are set, or that a token, an email or a
	// key is empty.
	ErrNoCredentials = errors.New("no credentials")
	// ErrOutcomeUnknown reports a write that failed but may have been applied. Before
	// repeating a create or duplicate, callers must check with FindByName whether it was.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrResponseTooLarge reports a successful response of more than 8 MiB, or with more than
	// 100,000 commas and opening brackets, which limits the number of its values.
	ErrResponseTooLarge = errors.New("response too large")
	// ErrInvalidResponse reports a successful response that cannot be decoded or is
	// incomplete, or a list that repeats itself or has more than 10,000 pages.
	ErrInvalidResponse = errors.New("invalid response")
	// ErrAttemptTimeout reports an attempt that exceeded its timeout; see
	// [WithAttemptTimeout].
	ErrAttemptTimeout = errors.New("attempt timed out")
)

// An ArgumentError reports an invalid argument. Nothing was sent. It matches
// [ErrInvalidArgument].
type ArgumentError struct {
	Argument string // the API's name, such as store_id or secrets[3].name; or that of an option, header or variable
	Reason   string
}

// Error names the argument and says what is wrong with it.
func (e *ArgumentError) Error() string {
	return "secretsstore: invalid " + e.Argument + ": " + e.Reason
}

// Is reports whether target is ErrInvalidArgument.
func (e *ArgumentError) Is(target error) bool { return target == ErrInvalidArgument }

func invalid(argument, reason string) error {
	return &ArgumentError{Argument: argument, Reason: reason}
}

// An APIError reports a response that is not a success: success:false at any status, or any
// status other than 2xx. Use [errors.Is] with [ErrSecretNotFound] and the other
// sentinels to find out which error it is.
//
// Server text that contains a credential, a WithHeader value or a secret value of the call
// is replaced with [REDACTED]. Secrets shorter than 4 bytes are not searched for.
//
// API reference: https://developers.cloudflare.com/fundamentals/api/troubleshooting/
type APIError struct {
	// StatusCode is the HTTP status.
	StatusCode int
	// Errors and Messages hold at most 100 entries, with 8 levels of error_chain and 4 KiB
	// of each text.
	Errors   []Detail
	Messages []Detail
	// Method and Path are those of the request. Path is relative to the base URL.
	Method, Path string
	// RayID identifies the request for Cloudflare's support; "" if unknown.
	RayID string
	// RetryAfter is how long the API asks to wait, at most 24 h; 0 if it does not.
	RetryAfter time.Duration
	// RateLimit is nil if the response announced none.
	RateLimit *RateLimit
	// Attempts is the number of attempts, including this one.
	Attempts int
	// Body is the start of the response, at most 2 KiB, if no error could be decoded.
	Body string

	classified bool // before redaction; false: built by a user
	sentinels  []error
}

// Is reports whether target is one of the sentinels that the error matches.
func (e *APIError) Is(target error) bool {
	sentinels := e.sentinels
	if !e.classified {
		sentinels = classify(e.StatusCode, e.Errors)
	}
	return slices.Contains(sentinels, target)
}

const (
	maxShownErrors = 5
	maxShownText   = 300 // bytes
)

// Error returns the request, the status and the API's errors. For a redirect and for
// credentials that are refused, it says what to do next.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "secretsstore: %s %s: %s", e.Method, e.Path, statusText(e.StatusCode))
	separator := ": "
	for i := range e.Errors {
		b.WriteString(separator)
		if i == maxShownErrors {
			fmt.Fprintf(&b, "and %d more", len(e.Errors)-i)
			break
		}
		e.Errors[i].write(&b, 0)
		separator = "; "
	}
	switch {
	case e.StatusCode/100 == 3:
		b.WriteString(": redirects are not followed, check the base URL")
	case len(e.Errors) == 0 && e.Body != "":
		b.WriteString(": " + redact.Truncate(e.Body, maxShownText))
	case e.Is(ErrUnauthorized):
		b.WriteString(": check the credentials")
	case e.Is(ErrForbidden):
		b.WriteString(": check the account and the permissions of the credentials")
	}
	var notes []string
	if e.RetryAfter > 0 {
		notes = append(notes, fmt.Sprintf("retry after %v", e.RetryAfter))
	}
	if e.Attempts > 1 {
		notes = append(notes, attemptsText(e.Attempts))
	}
	if e.RayID != "" {
		notes = append(notes, "ray "+e.RayID)
	}
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	return redact.OneLine(b.String())
}

// write writes d and its chain to b.
func (d *Detail) write(b *strings.Builder, depth int) {
	message := cmp.Or(d.Message, "no message")
	b.WriteString(redact.Truncate(message, maxShownText))
	if d.Code != 0 {
		fmt.Fprintf(b, " (code %d)", d.Code)
	}
	if d.Source.Pointer != "" {
		b.WriteString(" at " + redact.Truncate(d.Source.Pointer, maxShownText))
	}
	for i := range d.Chain[:min(len(d.Chain), maxShownErrors)] {
		if depth < maxShownErrors && b.Len() < maxShownErrors*maxShownText {
			b.WriteString(": ")
			d.Chain[i].write(b, depth+1)
		}
	}
}

func statusText(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

func attemptsText(n int) string { return strconv.Itoa(n) + " attempts" }

// A ResponseError reports a successful response that cannot be decoded. It matches
// [ErrInvalidResponse] or [ErrResponseTooLarge], and the reason why the body could not be
// read, such as [io.ErrUnexpectedEOF] or [ErrAttemptTimeout].
type ResponseError struct {
	StatusCode   int
	Method, Path string // of the request; Path is relative to the base URL
	ContentType  string
	RayID        string
	Attempts     int
	Body         string // the start of the response, at most 2 KiB
	Err          error
}

// Error returns the request, what is wrong with the response, and how it starts.
func (e *ResponseError) Error() string {
	body := "empty body"
	if e.Body != "" {
		body = "body: " + redact.Truncate(e.Body, maxShownText)
	}
	notes := "content type " + strconv.Quote(e.ContentType)
	if e.RayID != "" {
		notes += ", ray " + e.RayID
	}
	return redact.OneLine(fmt.Sprintf("secretsstore: %s %s: %s: %v (%s): %s", e.Method, e.Path, statusText(e.StatusCode), e.Err, notes, body))
}

// Unwrap returns e.Err.
func (e *ResponseError) Unwrap() error { return e.Err }

// A RequestError reports an attempt without a response, or a call that ended before an
// attempt: the connection failed, the attempt timed out, the context ended, or a limiter or
// token source returned an error. If an earlier attempt failed with a response, [errors.As]
// also finds its [*APIError]. If the context ended, [errors.Is] matches its error and its
// cause, but [errors.As] does not search the cause.
type RequestError struct {
	Method, Path string // Path is relative to the base URL
	Attempts     int    // 0 if the call ended before the first attempt
	Err          error

	state sentState
}

// Error returns the request and the reason.
func (e *RequestError) Error() string {
	s := fmt.Sprintf("secretsstore: %s %s: %s", e.Method, e.Path, trimPrefix(e.Err))
	if e.Attempts > 1 {
		s += " (" + attemptsText(e.Attempts) + ")"
	}
	return redact.OneLine(s)
}

// Unwrap returns e.Err.
func (e *RequestError) Unwrap() error { return e.Err }

// A sentState is how far an attempt without a response got.
type sentState int

const (
	requestEnded   sentState = iota // a layer ended the call before the attempt
	requestUnsent                   // nothing was sent: there was no connection
	requestRefused                  // nothing was sent, and a retry would fail too: untrusted certificate, proxy authentication
	requestSent                     // the request may have reached the server
)

// The errors of layers are not searched with errors.As: the cause of a context can be an
// error of this package, which says nothing about the call.

// requestState returns the state of an attempt that failed with err, without a response.
func requestState(err error) sentState {
	if e, ok := err.(*RequestError); ok {
		return e.state
	}
	return requestEnded
}

// isEnded reports whether err is that of a layer that ended the call before the attempt.
func isEnded(err error) bool {
	e, ok := err.(*RequestError)
	return ok && e.state == requestEnded
}

// isAPIError reports whether err is an *APIError that matches target.
func isAPIError(err, target error) bool {
	e, ok := err.(*APIError)
	return ok && e.Is(target)
}

// ended returns the error of a layer that ends the call before the attempt.
func (c *call) ended(err error) error {
	return &RequestError{Method: c.op.method, Path: c.path, Attempts: c.made, Err: err, state: requestEnded}
}

// An afterError joins an error with an earlier one.
type afterError struct{ err, earlier error }

// after joins two errors that differ. Either may be nil.
func after(err, earlier error) error {
	if err == nil || earlier == nil || err == earlier {
		return cmp.Or(err, earlier)
	}
	return &afterError{err, earlier}
}

func (e *afterError) Error() string {
	return fmt.Sprintf("%v (previous error: %s)", e.err, trimPrefix(e.earlier))
}
func (e *afterError) Unwrap() []error { return []error{e.err, e.earlier} }

// An outcomeError is the error of a write that may have been applied.
type outcomeError struct {
	err        error
	idempotent bool
}

func (e *outcomeError) Error() string {
	s := fmt.Sprintf("%v: %v: the request may have been applied", e.err, ErrOutcomeUnknown)
	if !e.idempotent {
		s += "; before repeating it, check whether it was applied"
	}
	return s
}
func (e *outcomeError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.err} }

// An opaqueError replaces the text of an error that may quote the server. The error is in a
// closure, which dumpers do not print.
type opaqueError struct {
	text  string
	cause func() error
}

func opaque(text string, err error) error {
	return &opaqueError{text: text, cause: func() error { return err }}
}

func (e *opaqueError) Error() string      { return e.text }
func (e *opaqueError) As(target any) bool { return errors.As(e.cause(), target) }

// Is reports whether the cause matches target, other than the errors of contexts: a
// dialer's timeout matches context.DeadlineExceeded although no context has ended.
func (e *opaqueError) Is(target error) bool {
	return target != context.DeadlineExceeded && target != context.Canceled && errors.Is(e.cause(), target)
}

// trimPrefix returns the text of an error that becomes part of another.
func trimPrefix(err error) string {
	return strings.TrimPrefix(fmt.Sprint(err), "secretsstore: ")
}
