package roundtrip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An event is a call of net/http to the trace: GetConn with an address, or WroteHeaders.
type event string

const (
	wrote event = "WroteHeaders"
	api   event = "api.example.com:443"
	vault event = "vault.example.com:443"
)

func play(trace *httptrace.ClientTrace, events []event) {
	for _, e := range events {
		if e == wrote {
			trace.WroteHeaders()
		} else {
			trace.GetConn(string(e))
		}
	}
}

func TestWatch(t *testing.T) {
	for _, tt := range []struct {
		name           string
		events         []event
		sent, repeated bool
	}{
		{name: "a transport that reports nothing", sent: true},
		{name: "no connection", events: []event{api}},
		{name: "sent", events: []event{api, wrote}, sent: true},
		{name: "another connection before the header was written", events: []event{api, api, wrote}, sent: true},
		{name: "repeated", events: []event{api, wrote, api}, sent: true, repeated: true},
		{name: "a token from another address", events: []event{vault, wrote, api, wrote}, sent: true},
		{name: "a token from another address in the middle", events: []event{api, vault, wrote, wrote}, sent: true},
		{name: "a token from another address, then repeated", events: []event{vault, wrote, api, wrote, api}, sent: true, repeated: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base, cancel := context.WithCancel(t.Context())
			defer cancel()
			ctx, w := NewWatch(base, cancel, true)
			trace := httptrace.ContextClientTrace(ctx)
			play(trace, tt.events)
			assert.Equal(t, tt.sent, w.Sent())
			assert.Equal(t, tt.repeated, w.Repeated())
			assert.Equal(t, tt.repeated, ctx.Err() != nil)
		})
	}
}

// The trace of a user's context is still called.
func TestWatchKeepsTheUsersTrace(t *testing.T) {
	var named []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GetConn: func(address string) { named = append(named, address) }})
	ctx, w := NewWatch(ctx, func() {}, true)
	httptrace.ContextClientTrace(ctx).GetConn("a:1")
	assert.Equal(t, []string{"a:1"}, named)
	assert.False(t, w.Sent())
}

type closeRecorder struct {
	net.Conn
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

// net/http can write a canceled request to an idle connection.
func TestWatchClosesTheConnectionOfARepeatedRequest(t *testing.T) {
	for _, tt := range []struct {
		name    string
		events  []event
		hasBody bool
		want    bool
	}{
		{name: "sent", events: []event{api}},
		{name: "repeated", events: []event{api, wrote, api}, want: true},
		{name: "repeated with a body, which net/http does not do", events: []event{api, wrote, api}, hasBody: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, _ := NewWatch(t.Context(), func() {}, tt.hasBody)
			trace := httptrace.ContextClientTrace(ctx)
			play(trace, tt.events)
			conn := new(closeRecorder)
			if trace.GotConn != nil {
				trace.GotConn(httptrace.GotConnInfo{Conn: conn})
			}
			assert.Equal(t, tt.want, conn.closed)
		})
	}
}

// Other requests use an HTTP/2 connection at the same time.
func TestWatchKeepsHTTP2Connections(t *testing.T) {
	for _, proto := range []string{"h2", "http/1.1"} {
		template := httptest.NewTLSServer(nil) // for its certificate
		template.Close()
		inner, server := net.Pipe()
		recorder := &closeRecorder{Conn: inner}
		conn := tls.Client(recorder, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}})
		done := make(chan error)
		go func() {
			done <- tls.Server(server, &tls.Config{Certificates: template.TLS.Certificates, NextProtos: []string{proto}}).Handshake()
		}()
		require.NoError(t, conn.Handshake())
		require.NoError(t, <-done)
		go func() { _, _ = io.Copy(io.Discard, server) }()

		ctx, _ := NewWatch(t.Context(), func() {}, false)
		trace := httptrace.ContextClientTrace(ctx)
		play(trace, []event{api, wrote, api})
		trace.GotConn(httptrace.GotConnInfo{Conn: conn})
		assert.Equal(t, proto != "h2", recorder.closed, proto)
		_ = inner.Close()
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"an error of the network", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}, "dial tcp: connection refused"},
		{"a quoted response", fmt.Errorf("malformed HTTP response %q", "secret"), "malformed HTTP response"},
		{"a first header line", errors.New("malformed MIME header initial line: secret"), "malformed MIME header initial"},
		{"a header line", errors.New("malformed MIME header line: secret"), "malformed MIME header"},
		{"a GOAWAY", errors.New(`http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug="secret"`), "http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug"},
		{"an error of an http.Client", &url.Error{Op: "Get", URL: "https://vault/?token=secret", Err: io.EOF}, "Get: EOF"},
		{"a wrapped one", fmt.Errorf("fetch token: %w", &url.Error{Op: "Get", URL: "https://vault/?token=secret", Err: io.EOF}), "Get: EOF"},
		{"one without a cause", &url.Error{Op: "Get", URL: "secret"}, "Get: <nil>"},
		{"a certificate", &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"a"}}, Host: "b"}}, "tls: failed to verify certificate: x509: certificate is valid for a, not b"},
	} {
		assert.Equal(t, tt.want, ErrorText(tt.err), tt.name)
	}
}

func TestIsUnprocessed(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"http2: Transport received Server's graceful shutdown GOAWAY", true},
		{"http2: Transport received GOAWAY from server ErrCode:ENHANCE_YOUR_CALM", true},
		{"stream error: stream ID 5; REFUSED_STREAM; received from peer", true},
		{"http2: Transport: cannot retry err [stream error: stream ID 1; REFUSED_STREAM; received from peer] after Request.Body was written; define Request.GetBody to avoid this error", true},
		{"stream error: stream ID 1; PROTOCOL_ERROR; received from peer", false},
		{"http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR", false},
		{`debug="REFUSED_STREAM; received from peer"`, false},
		{"unexpected EOF", false},
	} {
		assert.Equal(t, tt.want, IsUnprocessed(errors.New(tt.text)), tt.text)
	}
}

func TestIsCertificateError(t *testing.T) {
	assert.True(t, IsCertificateError(fmt.Errorf("%w", &tls.CertificateVerificationError{Err: io.EOF})))
	assert.False(t, IsCertificateError(io.EOF))
}

type body struct {
	io.Reader
	read, closed int
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *body) Close() error { b.closed++; return nil }

func TestReadBody(t *testing.T) {
	const limit = 1000
	for _, tt := range []struct {
		name   string
		size   int
		length int64
		want   int
		read   int
		err    error
	}{
		{name: "empty", length: -1},
		{name: "at the limit", size: limit, length: limit, want: limit, read: limit},
		{name: "of unknown length", size: limit, length: -1, want: limit, read: limit},
		{name: "longer than announced", size: 500, length: 3, want: 500, read: 500},
		{name: "shorter than announced", size: 500, length: 1 << 60, want: 500, read: 500},
		{name: "over the limit", size: limit + 1, length: -1, want: limit, read: limit + 1, err: ErrTooLarge},
		{name: "a little over it is read to the end", size: limit + maxDrain, length: -1, want: limit, read: limit + maxDrain, err: ErrTooLarge},
		{name: "far over it is not", size: 1 << 20, length: 1 << 20, want: limit, read: limit + 1 + maxDrain, err: ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &body{Reader: strings.NewReader(strings.Repeat("x", tt.size))}
			got, err := ReadBody(&http.Response{Body: b, ContentLength: tt.length}, limit)
			assert.Equal(t, tt.err, err)
			assert.Len(t, got, tt.want)
			assert.Equal(t, tt.read, b.read)
			assert.Equal(t, 1, b.closed)
			assert.LessOrEqual(t, cap(got), 2*initialBody+512*2, "a Response keeps it")
		})
	}
	t.Run("that fails", func(t *testing.T) {
		b := &body{Reader: io.MultiReader(strings.NewReader("half"), errReader{})}
		got, err := ReadBody(&http.Response{Body: b, ContentLength: 8}, limit)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, "half", string(got))
		assert.Equal(t, 1, b.closed)
	})
	t.Run("that is missing", func(t *testing.T) {
		got, err := ReadBody(&http.Response{}, limit)
		require.NoError(t, err)
		assert.Empty(t, got)
	})
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
