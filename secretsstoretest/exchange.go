package secretsstoretest

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
)

// outcome is what becomes of a request, before it is known how it travels: over a
// socket or by a call of Transport.
type outcome struct {
	answer
	err   error // the caller gave up: nothing is answered
	reset bool  // the connection is reset: nothing is answered
	cut   bool  // the connection ends when the body, already shortened, is sent
	full  int   // the length of the body before it was shortened

	rateLimited bool // the request was past the limit
}

// exchange decides what becomes of a request. It only reads r.
func (s *Server) exchange(r *http.Request, body []byte) outcome {
	t, routeFailure := route(r.Method, r.URL)
	ray := s.ray()
	entry := s.log.begin(r, t, body, s.limit.clock(), ray)
	fault, injected := s.faults.take(r, t.op, body)

	header := http.Header{"Cf-Ray": {ray}}
	o := s.decide(r, t, routeFailure, body, fault, header)
	o.full = len(o.body)
	if o.err == nil && !o.reset {
		for k, v := range o.answer.header {
			header[k] = v
		}
		for k, v := range fault.Header {
			if k = http.CanonicalHeaderKey(k); len(v) == 0 {
				delete(header, k)
			} else {
				header[k] = slices.Clone(v) // the caller may change it
			}
		}
		if !bodyAllowed(o.status) {
			o.body, o.full = nil, 0
		}
		o.answer.header = header
		if fault.Cut == CutAnswer {
			o.body, o.cut = o.body[:min(fault.CutAt, len(o.body))], true
		}
	}
	s.log.end(entry, o, injected)
	return o
}

// decide asks the service, or lets the fault have its way.
func (s *Server) decide(r *http.Request, t target, routeFailure *failure, body []byte, f Fault, h http.Header) (o outcome) {
	if o.err = wait(r.Context(), f.Latency); o.err != nil {
		return o
	}
	if f.Cut == CutBeforeRequest {
		return outcome{reset: true}
	}
	if f.replaces() && !f.Apply {
		p, _ := s.creds.authenticate(r.Header)
		s.limit.show(p, h)
	} else {
		o.answer, o.rateLimited = s.serve(r, t, routeFailure, body, h)
	}
	if f.replaces() {
		o.answer = f.answer()
		// What belongs to the answer that is not given goes with it.
		h.Del("Retry-After")
	}
	if o.err = wait(r.Context(), f.AnswerLatency); o.err != nil {
		return o
	}
	o.reset = f.Cut == CutAfterRequest
	return o
}

// bodyAllowed says whether HTTP lets an answer of this status have a body.
func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// Handler returns the server as a handler, for a program that serves it on a listener
// of its own; see [WithoutListener]. It answers below /client/v4.
//
// A [Fault] that resets the connection needs a connection that can be hijacked, as
// HTTP/1.1 has; otherwise the handler panics with [http.ErrAbortHandler], which is how
// net/http is told to end an answer.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the client has gone
		}
		o := s.exchange(r, body)
		switch {
		case o.err != nil:
			panic(http.ErrAbortHandler)
		case o.reset:
			reset(w)
			return
		}
		for k, v := range o.header {
			w.Header()[k] = v
		}
		if bodyAllowed(o.status) {
			w.Header().Set("Content-Length", strconv.Itoa(o.full))
		}
		w.WriteHeader(o.status)
		_, _ = w.Write(o.body)
		if o.cut {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	})
}

// readBody reads a request's body, one byte past the limit at most.
func readBody(body io.Reader) ([]byte, error) {
	if body == nil || body == http.NoBody {
		return nil, nil
	}
	var b bytes.Buffer
	_, err := b.ReadFrom(io.LimitReader(body, maxBody+1))
	return b.Bytes(), err
}

// reset ends the connection without a word, and so that the client is told.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, not a regular end
	}
	_ = conn.Close()
}
