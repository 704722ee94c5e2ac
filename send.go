package secretsstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/internal/grammar"
	"github.com/seed-57d84f87/secretsstore-go/internal/ratelimit"
	"github.com/seed-57d84f87/secretsstore-go/internal/redact"
	"github.com/seed-57d84f87/secretsstore-go/internal/roundtrip"
)

const (
	defaultAttemptTimeout = 30 * time.Second
	maxResponse           = 8 << 20 // bytes of a body, after decompression
)

var (
	errTruncated      = errors.New("truncated body")
	errConnectionLost = errors.New("connection lost")
	errNoResponse     = errors.New("the transport returned neither a response nor an error")
)

// send makes one HTTP round trip. A RoundTripper follows no redirect, so a credential
// cannot reach another host.
func send(rt http.RoundTripper, timeout time.Duration, userAgent string) handler {
	agent, mediaType := []string{userAgent}, []string{"application/json"} // shared by all requests
	return func(ctx context.Context, c *call) (*Response, error) {
		if err := contextError(ctx); err != nil {
			return nil, c.ended(err)
		}
		limit := cmp.Or(c.options.attemptTimeout, defaultAttemptTimeout)
		if timeout > 0 {
			limit = min(limit, timeout)
		}
		attempt, cancel := context.WithTimeoutCause(ctx, limit, ErrAttemptTimeout)
		defer cancel()
		watched, watch := roundtrip.NewWatch(attempt, cancel, c.body != nil)
		header := make(http.Header, 8)
		header["User-Agent"], header["Accept"] = agent, mediaType
		if c.body != nil {
			header["Content-Type"] = mediaType
		}
		for name, values := range c.options.header {
			header[name] = values
		}
		c.credential.sign(header)
		req := (&http.Request{
			Method: c.op.method, URL: &c.url, Host: c.url.Host, Header: header,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}).WithContext(watched)
		if c.body != nil {
			// net/http sends a bytes.Reader together with the header. It does not repeat
			// requests without GetBody.
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
		}
		resp, err := rt.RoundTrip(req)
		if err == nil && resp == nil {
			err = errNoResponse
		}
		if err != nil {
			if resp != nil && resp.Body != nil {
				_ = resp.Body.Close()
			}
			return nil, c.requestError(attempt, watch, err)
		}
		body, err := roundtrip.ReadBody(resp, maxResponse)
		switch {
		case err == nil:
		case errors.Is(err, roundtrip.ErrTooLarge):
			err = fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, maxResponse)
		default:
			err = fmt.Errorf("%w: %w: %w", ErrInvalidResponse, errTruncated, c.transportError(attempt, err))
		}
		return c.newResponse(resp, body), err
	}
}

// newResponse returns a Response that decode completes.
func (c *call) newResponse(resp *http.Response, body []byte) *Response {
	r := &Response{StatusCode: resp.StatusCode, Header: resp.Header, Body: body, Attempts: c.attempt}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.RayID = c.cleanName(r.Header.Get("Cf-Ray"))
	if r.limits = ratelimit.Parse(r.Header); len(r.limits) > 0 {
		tightest := RateLimit(ratelimit.Tightest(r.limits))
		tightest.Name = c.cleanName(tightest.Name)
		r.RateLimit = &tightest
	}
	return r
}

// cleanName returns a ray id or the name of a limit, or "" if it is not one.
func (c *call) cleanName(s string) string {
	if !grammar.IsName(s) || redact.Contains(s, c.secrets) {
		return ""
	}
	return s
}

// requestError returns the error of a round trip without a response.
func (c *call) requestError(attempt context.Context, watch *roundtrip.Watch, err error) error {
	e := &RequestError{Method: c.op.method, Path: c.path, Attempts: c.attempt, state: requestSent}
	switch {
	case watch.Repeated():
		e.Err = errConnectionLost
		return e
	case isRefused(err):
		e.state = requestRefused
	case !watch.Sent() || roundtrip.IsUnprocessed(err):
		e.state = requestUnsent
	}
	e.Err = c.transportError(attempt, err)
	return e
}

// transportError returns why an attempt failed: its context has ended, or err without text
// of the server.
func (c *call) transportError(attempt context.Context, err error) error {
	if deadline, ok := attempt.Deadline(); ok && !time.Now().Before(deadline) {
		<-attempt.Done() // a connection with the same deadline can fail a moment earlier
	}
	switch cause := context.Cause(attempt); cause {
	case nil:
		secrets := slices.Clone(c.secrets)
		for _, secret := range c.secrets { // the text can end within one
			secrets = append(secrets, roundtrip.Unquoted(secret))
		}
		return opaque(redact.Text(roundtrip.ErrorText(err), maxBody, secrets), err)
	case ErrAttemptTimeout:
		return ErrAttemptTimeout
	default:
		return contextError(attempt)
	}
}
