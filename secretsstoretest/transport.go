package secretsstoretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
)

// Transport returns a transport that passes all requests to the server, whatever host they
// name. It handles each request in the goroutine that sends it, and waits only for faults
// with a latency and for the body of the request. A dropped connection is reported as by
// net/http: the error is [io.EOF], or [io.ErrUnexpectedEOF] while the body is read.
func (s *Server) Transport() http.RoundTripper { return transport{s.router} }

type transport struct{ router http.Handler }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	defer func() { _ = body.Close() }()
	ctx := r.Context()
	defer context.AfterFunc(ctx, func() { _ = body.Close() })() // a body can block
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if r.URL == nil {
		return nil, errors.New("secretsstoretest: the request has no URL")
	}
	// The server sees the URL as it would be sent.
	u, err := url.ParseRequestURI(r.URL.RequestURI())
	if err != nil {
		return nil, fmt.Errorf("secretsstoretest: the request's URL is invalid: %w", err)
	}
	sent := r.Clone(ctx)
	sent.URL, sent.Body, sent.RequestURI = u, body, u.RequestURI()
	if sent.Method == "" {
		sent.Method = http.MethodGet
	}

	w := httptest.NewRecorder()
	aborted := serveAborting(t.router, w, sent)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case aborted && !w.Flushed:
		return nil, io.EOF
	}
	res := w.Result()
	res.Request, res.ContentLength = r, max(res.ContentLength, 0)
	maps.DeleteFunc(res.Header, func(_ string, values []string) bool { return len(values) == 0 })
	if r.Method == http.MethodHead {
		res.Body = http.NoBody
	} else {
		res.Body = &responseBody{ReadCloser: res.Body, ctx: ctx, truncated: aborted}
	}
	return res, nil
}

// serveAborting reports whether the handler aborted the response.
func serveAborting(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler {
				panic(v)
			}
			aborted = true
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

// responseBody fails like the body of net/http after its context ended and at the end of a
// truncated response.
type responseBody struct {
	io.ReadCloser
	ctx       context.Context
	truncated bool
}

func (b *responseBody) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && b.truncated {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
