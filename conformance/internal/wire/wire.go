// Package wire records what goes between a client and a server, as it was on the
// wire, and changes it on purpose where a test wants to know what that does.
package wire

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
)

// Exchange is a request as it arrived, and its answer as it was sent.
type Exchange struct {
	Method, Path, Query string // the path is still escaped
	Header              http.Header
	Body                []byte

	Answer Answer
}

// Answer is an answer of a server.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Recorder is a handler that remembers what goes through it.
type Recorder struct {
	next   http.Handler
	change func(*Answer)

	mu   sync.Mutex
	seen []Exchange
}

// Record has next answer. What change, which may be nil, makes of an answer is what
// is sent and remembered.
func Record(next http.Handler, change func(*Answer)) *Recorder {
	return &Recorder{next: next, change: change}
}

// ServeHTTP answers, and remembers both.
func (rec *Recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has gone
	}
	x := Exchange{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: body}
	r.Body = io.NopCloser(bytes.NewReader(body))
	given := httptest.NewRecorder()
	rec.next.ServeHTTP(given, r)
	x.Answer = Answer{given.Code, given.Header().Clone(), given.Body.Bytes()}
	if rec.change != nil {
		rec.change(&x.Answer)
	}
	rec.mu.Lock()
	rec.seen = append(rec.seen, x)
	rec.mu.Unlock()
	maps.Copy(w.Header(), x.Answer.Header)
	w.Header().Set("Content-Length", strconv.Itoa(len(x.Answer.Body)))
	w.WriteHeader(x.Answer.Status)
	_, _ = w.Write(x.Answer.Body)
}

// Take returns what was seen since the last time.
func (rec *Recorder) Take() []Exchange {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	seen := rec.seen
	rec.seen = nil
	return seen
}

// Mutated is a transport that changes each request before it is sent.
type Mutated struct {
	Next   http.RoundTripper
	Change func(r *http.Request, body []byte) []byte // r is a copy; returned is its new body
}

// RoundTrip sends the changed request.
func (m Mutated) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	r = r.Clone(r.Context())
	body = m.Change(r, body)
	r.Body, r.GetBody, r.ContentLength = nil, nil, int64(len(body))
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return m.Next.RoundTrip(r)
}
