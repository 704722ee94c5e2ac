package secretsstoretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
)

// Transport returns the server without a socket: a transport whose requests, to
// whatever host, are answered in the goroutine that sends them. It starts no
// goroutine and waits on nothing but time and the request's context, so that it works
// in a bubble of testing/synctest, where a network does not. Faults look as they do
// over net/http: a connection that is reset is a [net.OpError] with ECONNRESET, an
// answer that is cut has a body that ends with [io.ErrUnexpectedEOF].
//
// The body of a request is read to its end before anything else; what blocks there is
// not interrupted by the context.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

// RoundTrip answers the request.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	var err error
	if r.Body != nil {
		body, err = readBody(r.Body)
		_ = r.Body.Close()
	}
	if r.URL == nil {
		return nil, errors.New("secretsstoretest: the request has no URL")
	}
	if ctxErr := r.Context().Err(); ctxErr != nil {
		return nil, ctxErr
	}
	if err != nil {
		return nil, err
	}
	// The server sees what would be on the wire.
	u, err := url.ParseRequestURI(r.URL.RequestURI())
	if err != nil {
		return nil, fmt.Errorf("secretsstoretest: the request's URL can't be sent: %w", err)
	}
	sent := new(http.Request)
	*sent = *r.WithContext(r.Context())
	sent.URL, sent.Body, sent.GetBody = u, nil, nil
	if sent.Method == "" {
		sent.Method = http.MethodGet
	}
	if sent.Header == nil {
		sent.Header = http.Header{}
	}

	o := t.server.exchange(sent, body)
	switch {
	case o.err != nil:
		return nil, o.err
	case o.reset:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	return response(r, o), nil
}

// response is the answer as net/http gives it to a client.
func response(r *http.Request, o outcome) *http.Response {
	res := &http.Response{
		Status: fmt.Sprintf("%d %s", o.status, http.StatusText(o.status)), StatusCode: o.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: o.header, ContentLength: int64(o.full), Request: r, Body: http.NoBody,
	}
	if r.Method != http.MethodHead && o.full > 0 {
		res.Body = &answerBody{ctx: r.Context(), rest: o.body, short: len(o.body) < o.full}
	}
	return res
}

// answerBody is the body of an answer. Like that of net/http it can't be read any
// more when the request's context has ended, or after it was closed.
type answerBody struct {
	ctx    context.Context
	rest   []byte
	short  bool // it was cut
	closed bool
}

func (b *answerBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if len(b.rest) == 0 {
		if b.short {
			return 0, io.ErrUnexpectedEOF
		}
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *answerBody) Close() error {
	b.closed = true
	return nil
}
