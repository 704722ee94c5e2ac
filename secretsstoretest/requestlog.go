package secretsstoretest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// redacted stands in the log wherever a credential or a value was.
const redacted = "[REDACTED]"

// maxLoggedBody bounds what the log remembers of a body.
const maxLoggedBody = 8 << 10

// Request is a request that the server has seen, as [Server.Requests] tells it: with
// everything but credentials and values of secrets.
type Request struct {
	// Time is when it came, by the server's clock.
	Time time.Time
	// Method and Path are as they were sent, the path still escaped. Query is the raw
	// query.
	Method string
	Path   string
	Query  string
	// Operation is what was asked, "" if nothing answers that path and method.
	Operation Operation
	// AccountID is the account in the path, "" if there is none.
	AccountID string
	// Header is what was sent. Every header that may hold a credential is [REDACTED].
	Header http.Header
	// Body is the JSON that was sent, at most its first 8,192 bytes, in which
	// everything but names, comments, scopes and ids is [REDACTED]. A body that is not
	// JSON of the kind that the API takes is "".
	Body string
	// Status is what was answered; 0 if nothing was, or not yet.
	Status int
	// RayID is the CF-Ray of the answer.
	RayID string
	// RateLimited says that the request was past the limit; see [WithRateLimit].
	RateLimited bool
	// Injected says that a [Fault] was used for it.
	Injected bool
}

// Requests returns the requests that the server has seen, in the order they came; the
// last 10,000, or what [WithRequestLog] says. The answer's part of a request is known
// before the answer is sent.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	seen := make([]Request, 0, len(s.log.ring))
	for i := range s.log.ring {
		r := *s.log.ring[(s.log.next+i)%len(s.log.ring)]
		r.Header = r.Header.Clone()
		seen = append(seen, r)
	}
	return seen
}

// ClearRequests empties the log.
func (s *Server) ClearRequests() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.ring, s.log.next = nil, 0
}

// requestLog remembers the last requests in a ring.
type requestLog struct {
	size int
	hook func(Request)
	mu   sync.Mutex
	ring []*Request
	next int // the oldest, once the ring is full
}

func newRequestLog(size int, hook func(Request)) *requestLog {
	return &requestLog{size: size, hook: hook}
}

// begin puts a request into the log. It returns nil if nobody wants to know.
func (l *requestLog) begin(r *http.Request, t target, body []byte, now time.Time, ray string) *Request {
	if l.size == 0 && l.hook == nil {
		return nil
	}
	entry := &Request{
		Time: now, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Operation: t.op, AccountID: t.account, Header: maskHeader(r.Header), Body: maskBody(body), RayID: ray,
	}
	if l.size == 0 {
		return entry
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < l.size {
		l.ring = append(l.ring, entry)
		return entry
	}
	l.ring[l.next] = entry
	l.next = (l.next + 1) % l.size
	return entry
}

// end adds what became of the request, and tells the hook.
func (l *requestLog) end(entry *Request, o outcome, injected bool) {
	if entry == nil {
		return
	}
	l.mu.Lock()
	entry.Injected = injected
	if o.err == nil && !o.reset {
		entry.Status = o.status
	}
	entry.RateLimited = o.rateLimited
	seen := *entry
	l.mu.Unlock()
	if l.hook != nil {
		seen.Header = seen.Header.Clone()
		l.hook(seen)
	}
}

// maskHeader copies the headers. What holds a credential is told by its name, and
// wider than the API's own headers, since a program that is tested may send others.
func maskHeader(h http.Header) http.Header {
	masked := h.Clone()
	for k := range masked {
		switch name := strings.ToLower(k); {
		case name == "x-auth-email", name == "idempotency-key":
		case strings.Contains(name, "auth"), strings.Contains(name, "key"), strings.Contains(name, "token"),
			strings.Contains(name, "secret"), strings.Contains(name, "cookie"):
			masked[k] = []string{redacted}
		}
	}
	return masked
}

// maskBody returns the body, an object or a list of them, with everything masked but
// what is known to be harmless: a program that puts a value into the wrong field is one
// that a test should find, and it should not find it in its output.
func maskBody(body []byte) string {
	if !json.Valid(body) {
		return ""
	}
	var masked bytes.Buffer
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && list != nil {
		masked.WriteByte('[')
		for i, object := range list {
			if i > 0 {
				masked.WriteByte(',')
			}
			if !maskObject(object, &masked) {
				return ""
			}
		}
		masked.WriteByte(']')
	} else if !maskObject(body, &masked) {
		return ""
	}
	return string(masked.Bytes()[:min(masked.Len(), maxLoggedBody)])
}

// maskObject writes a valid JSON object, masked and in its own order. It reports
// whether it was one.
func maskObject(object []byte, to *bytes.Buffer) bool {
	dec := json.NewDecoder(bytes.NewReader(object))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return false
	}
	to.WriteByte('{')
	for first := true; dec.More(); first = false {
		key, _ := dec.Token()
		var member json.RawMessage
		if dec.Decode(&member) != nil {
			return false
		}
		if !first {
			to.WriteByte(',')
		}
		name, ok := key.(string)
		if !ok || !harmless(name, member) {
			member = json.RawMessage(`"` + redacted + `"`)
		}
		quoted, _ := json.Marshal(name)
		to.Write(quoted)
		to.WriteByte(':')
		to.Write(member)
	}
	to.WriteByte('}')
	return true
}

// harmless says whether a member of a body is one of those that are no secret, and has
// the type that belongs there.
func harmless(name string, member []byte) bool {
	switch name {
	case "name", "comment":
		var s *string
		return json.Unmarshal(member, &s) == nil
	case "scopes", "ids":
		var list []string
		return json.Unmarshal(member, &list) == nil
	}
	return false
}
