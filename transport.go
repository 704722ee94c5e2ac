package secretsstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	maxResponse  = 8 << 20  // bytes of an answer that are read, after decompression
	maxDrain     = 64 << 10 // bytes that are read and dropped so that a connection can be used again
	maxBodyShown = 2 << 10  // bytes of an answer that an error keeps
	usualBody    = 2 << 10  // bytes that hold the answer about one secret
	usualPage    = 48 << 10 // bytes that hold a page of 100 secrets
)

// newTransport is what requests go through unless the user brings an
// http.Client. It differs from http.DefaultTransport where a client of one host
// does: more idle connections to that host, and a silent HTTP/2 connection is
// noticed within 20 seconds, so that a second attempt gets a new one.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 10 * time.Second},
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    128,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// parseBaseURL checks an address before anything secret goes there. Its errors
// don't repeat it, since it may hold a password.
func parseBaseURL(what, rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, invalid("%s is no URL", what)
	}
	switch {
	case u.User != nil:
		return nil, invalid("%s has a user or password", what)
	case u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return nil, invalid("%s has no host", what)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(rawURL, "#"):
		return nil, invalid("%s has a query or fragment", what)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, invalid("%s is plain http to a host that is not this machine: use https", what)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, invalid("%s is neither https nor http", what)
	}
	if err := checkPath(u.EscapedPath()); err != nil {
		return nil, invalid("%s has a path with %v", what, err)
	}
	u.Host = strings.ToLower(u.Host) // net/http sends what is for LOCALHOST to a proxy
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	return u, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" && addr.IsLoopback()
}

// checkPath refuses what a server could take for another path than the one that
// is written: dot segments, also encoded, and empty segments.
func checkPath(escaped string) error {
	if strings.Contains(escaped, "//") {
		return errors.New("an empty segment")
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return errors.New("a bad escape")
	}
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return errors.New("a dot segment")
		}
	}
	for i := 0; i < len(path); i++ {
		if path[i] < ' ' || path[i] == 0x7f || path[i] == '\\' {
			return errors.New("a control character or backslash")
		}
	}
	return nil
}

// newBody wraps a request's JSON in a reader that net/http knows to be in memory:
// it sends headers and body in one packet then, and in two with any other reader.
func newBody(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

// exchange makes one request, within the time of an attempt, and reads the answer.
//
// It goes to the RoundTripper and not through http.Client.Do: a RoundTripper
// follows no redirect, so there is no code that could send credentials elsewhere.
func (c *core) exchange(ctx context.Context, r *request, header http.Header, o *outcome) {
	attempt, cancel := context.WithTimeout(ctx, c.attemptTimeout)
	defer cancel()
	var conn *connection
	if !r.op.repeatable {
		conn = new(connection)
		attempt = conn.watch(attempt)
	}
	resp, err := c.roundTrip(r.http(attempt, header))
	if err != nil {
		o.unsent = isUnsent(err) || conn.isMissing()
		o.err = r.scrubError(c.timeoutError(ctx, err))
		return
	}
	o.status, o.header = resp.StatusCode, resp.Header
	o.limits = parseRateLimits(resp.Header)
	if resp.Body != nil {
		o.body, err = readBody(resp.Body, resp.ContentLength)
		o.bodyErr = r.scrubError(c.timeoutError(ctx, err))
	}
}

func (c *core) roundTrip(req *http.Request) (*http.Response, error) {
	if c.jar != nil {
		for _, cookie := range c.jar.Cookies(req.URL) {
			req.AddCookie(cookie)
		}
	}
	resp, err := c.transport.RoundTrip(req)
	switch {
	case err != nil:
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
		}
		return nil, err
	case resp == nil:
		return nil, errors.New("the transport returned neither an answer nor an error")
	}
	if c.jar != nil {
		if cookies := resp.Cookies(); len(cookies) > 0 {
			c.jar.SetCookies(req.URL, cookies)
		}
	}
	return resp, nil
}

// readBody reads and closes r. What is over the limit is dropped: a little of it
// is read, so that the connection can be used again, and no more.
func readBody(r io.ReadCloser, length int64) ([]byte, error) {
	defer r.Close()
	size := int64(usualBody)
	if 0 <= length && length <= maxDrain {
		size = length + 1 // a byte more, so that the end is seen without growing
	}
	b := make([]byte, 0, size)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > maxResponse:
			_, _ = io.CopyN(io.Discard, r, maxDrain)
			return b[:maxResponse], ErrResponseTooLarge
		case err == io.EOF:
			if cap(b) > 2*len(b)+usualBody {
				b = bytes.Clone(b) // a Response that is kept holds no more than it needs
			}
			return b, nil
		case err != nil:
			return b, err
		case len(b) == cap(b):
			b = slices.Grow(b, max(len(b), usualPage))
		}
	}
}

// timeoutError tells the timeouts of an attempt, its own and those of the
// connection, from the end of the caller's context: the latter alone matches the
// context's error.
func (c *core) timeoutError(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.Is(err, ErrResponseTooLarge):
		return err
	case ended(ctx) != nil:
		if ended := ended(ctx); !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
		return err
	case errors.Is(err, context.DeadlineExceeded):
		var dial *net.OpError
		if errors.As(err, &dial) {
			return fmt.Errorf("%w: %s %s", ErrAttemptTimeout, dial.Op, dial.Net)
		}
		return fmt.Errorf("%w after %v", ErrAttemptTimeout, c.attemptTimeout)
	}
	return err
}
