package secretsstoretest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	redacted = "[REDACTED]"
	// maxLogged is the number of requests that the log keeps.
	maxLogged = 10_000
	// maxLoggedBytes limits what the log keeps of one request.
	maxLoggedBytes = 8 << 10
)

// A Request is an entry of the request log; see [Server.Requests]. It holds no credentials
// and no values of secrets, and at most 8 KiB of the request. A part that does not fit is
// replaced by its length, for example "[65536 bytes]".
type Request struct {
	Time         time.Time // of arrival
	Method, Path string    // as sent; the path is still escaped
	Query        string    // raw; parameters that the API does not define are redacted
	Operation    Operation // "" if the path and method belong to no operation
	AccountID    string    // from the path
	// Header holds the values of each header, joined by ", ". Headers that can hold
	// credentials are redacted.
	Header http.Header
	// Body is the JSON body, in which everything but names, comments, scopes and ids is
	// redacted. Another body is replaced by its length.
	Body     string
	Status   int    // of the response; 0 if there was none
	RayID    string // CF-Ray of the response
	Injected bool   // whether a Fault took effect
}

// Requests returns the last 10,000 requests in the order of arrival. An entry is complete
// before its response is sent.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	var requests []Request
	for _, entry := range s.log.entries {
		r := *entry
		r.Header = r.Header.Clone()
		requests = append(requests, r)
	}
	return requests
}

// ClearRequests empties the request log.
func (s *Server) ClearRequests() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.entries = nil
}

// requestLog is safe for concurrent use.
type requestLog struct {
	hook    func(Request) // may be nil
	mu      sync.Mutex
	entries []*Request // at most maxLogged
}

// record logs a request and what handle returns for it.
func (l *requestLog) record(op Operation, r *http.Request, ray string, handle func() (res response, injected bool)) response {
	entry, free := newEntry(op, r, ray)
	l.mu.Lock()
	if len(l.entries) == maxLogged {
		l.entries = l.entries[1:]
	}
	l.entries = append(l.entries, entry)
	l.mu.Unlock()

	body := &bodyRecorder{ReadCloser: r.Body, limit: free}
	r.Body = body
	res, injected := handle()
	if !res.dropped {
		_, _ = io.CopyN(io.Discard, body, int64(free)+1) // what was not read yet
	}
	l.mu.Lock()
	entry.Body, entry.Status, entry.Injected = body.redacted(r.ContentLength), res.status, injected
	done := *entry
	l.mu.Unlock()
	if l.hook != nil {
		done.Header = done.Header.Clone()
		l.hook(done)
	}
	return res
}

// newEntry returns the entry of a request whose body has not been read, and the number of
// bytes that are left for the body.
func newEntry(op Operation, r *http.Request, ray string) (entry *Request, free int) {
	free = maxLoggedBytes
	keep := func(s string) string {
		if len(s) > free {
			return fmt.Sprintf("[%d bytes]", len(s))
		}
		free -= len(s)
		return s
	}
	entry = &Request{
		Time: time.Now(), Operation: op, RayID: ray,
		Method: keep(r.Method), Path: keep(r.URL.EscapedPath()), Query: keep(redactQuery(r.URL.RawQuery)),
		AccountID: keep(r.PathValue("account_id")), Header: http.Header{},
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		value := strings.Join(redactHeader(name, r.Header[name]), ", ")
		if free -= len(name); free < 0 {
			return entry, 0
		}
		entry.Header[name] = []string{keep(value)}
	}
	return entry, free
}

// bodyRecorder keeps what is read of a body, up to a limit.
type bodyRecorder struct {
	io.ReadCloser
	limit int
	kept  []byte
	size  int64
}

func (b *bodyRecorder) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.kept = append(b.kept, p[:min(n, b.limit-len(b.kept))]...)
	b.size += int64(n)
	return n, err
}

// redacted returns the body if it is JSON that was read as a whole, and its length
// otherwise.
func (b *bodyRecorder) redacted(contentLength int64) string {
	size := max(b.size, contentLength)
	var v any
	if size > int64(len(b.kept)) || json.Unmarshal(b.kept, &v) != nil {
		if size == 0 {
			return ""
		}
		return fmt.Sprintf("[%d bytes]", size)
	}
	masked, _ := json.Marshal(redactJSON(v, false)) // never fails: it was unmarshaled
	return string(masked)
}

// redactJSON redacts everything in a JSON value but the strings, and lists of strings, of
// members that hold no secret.
func redactJSON(v any, harmless bool) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = redacted
			if slices.Contains([]string{"name", "comment", "scopes", "ids"}, name) {
				v[name] = redactJSON(member, true)
			}
		}
		return v
	case []any:
		for i, item := range v {
			v[i] = redactJSON(item, harmless)
		}
		return v
	case string:
		if harmless {
			return v
		}
	case nil:
		return v
	}
	return redacted
}

// redactQuery redacts the parameters that the API does not define.
func redactQuery(query string) string {
	parameters := strings.Split(query, "&")
	for i, p := range parameters {
		switch name, _, _ := strings.Cut(p, "="); name {
		case "", "page", "per_page", "order", "direction", "search", "scopes", "force":
		default:
			parameters[i] = redacted
		}
	}
	return strings.Join(parameters, "&")
}

var credentialHeader = regexp.MustCompile(`(?i)auth|key|token|secret|cookie|jwt|pass|assertion|signature`)

// redactHeader redacts the values of headers whose names suggest credentials.
func redactHeader(name string, values []string) []string {
	if name != "X-Auth-Email" && name != "Idempotency-Key" && credentialHeader.MatchString(name) {
		return []string{redacted}
	}
	return values
}
