// Package roundtrip observes and bounds a round trip through net/http.
package roundtrip

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// A Watch follows one round trip through net/http. It reports whether the request was sent.
// It cancels the round trip when net/http is about to repeat it, as net/http does on its
// own, without bound, after a GOAWAY and on reused connections.
type Watch struct {
	trace  httptrace.ClientTrace
	cancel context.CancelFunc

	mu        sync.Mutex
	addresses []string // for which net/http has asked for a connection
	written   int      // how many of them come before the last WroteHeaders
	repeated  bool
}

// NewWatch returns a context for a round trip that is watched. cancel must cancel ctx.
// hasBody reports whether the request has a body.
func NewWatch(ctx context.Context, cancel context.CancelFunc, hasBody bool) (context.Context, *Watch) {
	w := &Watch{cancel: cancel}
	w.trace = httptrace.ClientTrace{GetConn: w.getConn, WroteHeaders: w.wroteHeaders}
	if !hasBody {
		w.trace.GotConn = w.gotConn
	}
	return httptrace.WithClientTrace(ctx, &w.trace), w
}

// getConn runs before net/http gets a connection. If it has already written headers to this
// address, it is repeating the request. Another address belongs to another request, such as
// that of a user's transport which fetches a token.
func (w *Watch) getConn(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Contains(w.addresses[:w.written], address) {
		w.repeated = true
		w.cancel()
		return
	}
	w.addresses = append(w.addresses, address)
}

// gotConn runs when net/http has a connection. net/http can write a canceled request without a
// body to an idle HTTP/1 connection, so gotConn closes that connection. It keeps an HTTP/2
// connection: net/http writes no canceled request to it, and other requests may use it.
func (w *Watch) gotConn(info httptrace.GotConnInfo) {
	if !w.Repeated() {
		return
	}
	if conn, ok := info.Conn.(*tls.Conn); !ok || conn.ConnectionState().NegotiatedProtocol != "h2" {
		_ = info.Conn.Close()
	}
}

func (w *Watch) wroteHeaders() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written = len(w.addresses)
}

// Sent reports whether the request may have been sent. A transport that reports no
// connection, since it is not that of net/http, may have sent it.
func (w *Watch) Sent() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written > 0 || len(w.addresses) == 0
}

// Repeated reports whether the round trip was canceled because net/http was about to repeat
// it.
func (w *Watch) Repeated() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.repeated
}

// ErrorText returns the text of err up to where it quotes the response, as some errors
// of net/http do.
func ErrorText(err error) string {
	text := err.Error()
	if IsCertificateError(err) {
		return text
	}
	var urlErr *url.Error // of a user's transport; quotes a URL
	if errors.As(err, &urlErr) {
		text = urlErr.Op + ": " + fmt.Sprint(urlErr.Err)
	}
	if text = Unquoted(text); text == "" {
		return "transport error"
	}
	return text
}

// Unquoted returns the beginning of an error's text, up to a quote.
func Unquoted(text string) string {
	text, _, _ = strings.Cut(text, `"`)
	text, _, _ = strings.Cut(text, "line: ") // MIME header line: …, MIME header initial line: …
	return strings.TrimRight(text, " :,=")
}

// IsCertificateError reports whether err is that of a certificate that is not trusted.
func IsCertificateError(err error) bool {
	var cert *tls.CertificateVerificationError
	return errors.As(err, &cert)
}

// IsUnprocessed reports whether an HTTP/2 server did not process a request. net/http
// exposes this only in the texts of its errors.
func IsUnprocessed(err error) bool {
	text := ErrorText(err)
	for _, known := range []string{
		"http2: Transport received Server's graceful shutdown GOAWAY",
		"http2: Transport received GOAWAY from server",
		"REFUSED_STREAM; received from peer",
	} {
		if strings.Contains(text, known) {
			return true
		}
	}
	return false
}

const (
	initialBody = 2 << 10  // bytes; a response about one secret
	maxDrain    = 64 << 10 // bytes that are read beyond the limit so that the connection can be reused
)

// ErrTooLarge reports a body that is larger than the limit.
var ErrTooLarge = errors.New("body too large")

// ReadBody reads and closes the body of resp, limit bytes at most. It reads up to EOF: closing
// an HTTP/2 body earlier resets its stream.
func ReadBody(resp *http.Response, limit int64) ([]byte, error) {
	if resp.Body == nil {
		return nil, nil
	}
	defer resp.Body.Close()
	size := int64(initialBody)
	if n := resp.ContentLength; 0 <= n && n <= limit {
		size = n + bytes.MinRead // EOF is read without growing
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	_, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if int64(b.Len()) > limit {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
		return b.Bytes()[:limit], ErrTooLarge
	}
	return b.Bytes(), err
}
