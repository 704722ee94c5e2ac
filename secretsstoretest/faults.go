package secretsstoretest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Cut says where a connection is cut.
type Cut int

// The places where a connection can be cut.
const (
	// CutNone leaves the connection alone.
	CutNone Cut = iota
	// CutBeforeRequest resets the connection instead of doing what is asked.
	CutBeforeRequest
	// CutAfterRequest does what is asked, and resets the connection instead of
	// answering.
	CutAfterRequest
	// CutAnswer ends the connection after the first CutAt bytes of the answer's body.
	CutAnswer
)

// Fault is something that goes wrong; see [Server.Inject]. The fields of the first
// group say for which requests, those of the others what happens. A fault that would
// change nothing is a mistake.
type Fault struct {
	// Operation is the one it is for, as [OpPatchSecret] or by the same text,
	// "PATCH /stores/{store_id}/secrets/{secret_id}". "" is every request, also one
	// that no operation answers.
	Operation Operation
	// Count is for how many requests it is; 0 is for all, until it is removed. A
	// connection that is cut may be noticed by net/http on a connection it used before,
	// which makes it send a GET again without telling: that is one request more.
	Count int
	// When further says which requests; nil is all. The request is a copy, with the
	// whole body. When is never called twice at once, so that it may count, and draw
	// from a random source of its own; and all those that are asked about one request
	// are asked before any is asked about the next, in the order in which they were put
	// in. It may not send requests to the server.
	When func(*http.Request) bool

	// Latency is waited before the request is taken. If the caller gives up meanwhile,
	// the request has had no effect.
	Latency time.Duration
	// AnswerLatency is waited after the request was taken, before it is answered.
	AnswerLatency time.Duration

	// Status is answered instead of what the service would say, with Header and Body.
	// The service is not asked, unless Apply is set. 0 leaves the service's answer.
	Status int
	// Header is set in the answer, also in the service's own. A key without values is
	// taken away.
	Header http.Header
	// Body is the answer's, with a Content-Type that fits how it begins if Header has
	// none. [ErrorBody] makes one like the API's. It needs a Status.
	Body string
	// Apply has the service do what is asked before Status is answered all the same.
	Apply bool
	// RedirectTo is the Location of a redirect, whose status is 307 if Status is 0.
	RedirectTo string

	// Cut says where the connection is cut, if it is.
	Cut Cut
	// CutAt is how many bytes of the body come before [CutAnswer].
	CutAt int
}

// Injection is a fault that was put into a server.
type Injection struct {
	faults *faults
	fault  Fault
	hits   int
	gone   bool
}

// Inject has requests go wrong as f says, from the next one on. Where several faults
// fit a request, the one that was put in first is used, and that alone. Inject panics
// if f is wrong: an unknown operation, a status that is none, a number below 0.
func (s *Server) Inject(f Fault) *Injection {
	if err := f.check(); err != nil {
		panic(fmt.Sprintf("secretsstoretest: Inject: %v", err))
	}
	f.Header = f.Header.Clone()
	if f.RedirectTo != "" {
		f.Status = cmp.Or(f.Status, http.StatusTemporaryRedirect)
		if f.Header == nil {
			f.Header = http.Header{}
		}
		f.Header.Set("Location", f.RedirectTo)
	}
	in := &Injection{faults: s.faults, fault: f}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, in)
	return in
}

// ClearFaults removes all faults. What waits because of one goes on waiting.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	for _, in := range s.faults.list {
		in.gone = true
	}
	s.faults.list = nil
}

// Hits returns for how many requests the fault was used.
func (in *Injection) Hits() int {
	in.faults.mu.Lock()
	defer in.faults.mu.Unlock()
	return in.hits
}

// Remove ends the fault. One that is used up, or was removed, is left as it is.
func (in *Injection) Remove() {
	in.faults.mu.Lock()
	defer in.faults.mu.Unlock()
	in.faults.drop(in)
}

func (f Fault) check() error {
	switch {
	case f.Operation != "" && !f.Operation.known():
		return fmt.Errorf("there is no operation %q", f.Operation)
	case f.Count < 0 || f.Latency < 0 || f.AnswerLatency < 0 || f.CutAt < 0:
		return fmt.Errorf("a number is below 0")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("%d is no status that an answer can end with", f.Status)
	case f.Status == 0 && f.RedirectTo == "" && (f.Body != "" || f.Apply):
		return fmt.Errorf("a fault with Body or Apply needs a Status")
	case f.Cut < CutNone || f.Cut > CutAnswer:
		return fmt.Errorf("%d is no Cut", f.Cut)
	case f.Status == 0 && f.RedirectTo == "" && f.Cut == CutNone && f.Latency == 0 && f.AnswerLatency == 0 && len(f.Header) == 0:
		return fmt.Errorf("the fault changes nothing")
	}
	return nil
}

// faults are the faults of a server, in the order they were put in.
type faults struct {
	choosing sync.Mutex // held while a request's fault is looked for, calls of When included
	mu       sync.Mutex // guards what follows, and the injections
	list     []*Injection
}

// take returns the fault for a request, and counts it.
func (fs *faults) take(r *http.Request, op Operation, body []byte) (Fault, bool) {
	fs.choosing.Lock()
	defer fs.choosing.Unlock()
	fs.mu.Lock()
	candidates := fs.list
	fs.mu.Unlock()
	for _, in := range candidates {
		f := in.fault
		if f.Operation != "" && f.Operation != op {
			continue
		}
		if f.When != nil {
			seen := r.Clone(r.Context())
			seen.Body = io.NopCloser(bytes.NewReader(body))
			if !f.When(seen) {
				continue
			}
		}
		if fs.use(in) {
			return f, true
		}
	}
	return Fault{}, false
}

// use counts one use, unless the fault was removed meanwhile.
func (fs *faults) use(in *Injection) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if in.gone {
		return false
	}
	in.hits++
	if in.hits == in.fault.Count {
		fs.drop(in)
	}
	return true
}

// drop takes an injection off the list, which is copied: take may be reading it. The
// caller holds mu.
func (fs *faults) drop(in *Injection) {
	in.gone = true
	kept := make([]*Injection, 0, len(fs.list))
	for _, other := range fs.list {
		if other != in {
			kept = append(kept, other)
		}
	}
	fs.list = kept
}

// replaces says whether the service's own answer is not given.
func (f Fault) replaces() bool { return f.Status != 0 }

// answer is what the fault answers instead.
func (f Fault) answer() answer {
	a := answer{status: f.Status, header: http.Header{}, body: []byte(f.Body)}
	switch start := strings.TrimSpace(f.Body); {
	case start == "":
	case start[0] == '{' || start[0] == '[':
		a.header.Set("Content-Type", "application/json")
	case start[0] == '<':
		a.header.Set("Content-Type", "text/html; charset=UTF-8")
	default:
		a.header.Set("Content-Type", "text/plain; charset=UTF-8")
	}
	return a
}

// wait waits for d, or until ctx ends, whose error it returns then. It waits on
// nothing but these, so that it blocks durably in a synctest bubble.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}
