package secretsstoretest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fault makes requests fail; see [Server.Inject]. The fields of the first group select
// requests, the others describe what happens to them.
type Fault struct {
	// Operation selects the requests of one operation, for example [OpPatchSecret]. ""
	// selects all requests, including those without an operation.
	Operation Operation
	// Match selects requests by method, path or headers; nil selects all. The request that
	// it is passed has an empty body. Match is never called concurrently. It must not change the request, and must
	// not call the server.
	Match func(*http.Request) bool
	// Skip is the number of selected requests that pass unchanged before the first one fails.
	Skip int
	// Probability is the chance that a selected request fails, from 0 to 1; 0 means 1. Seed
	// determines the sequence of random numbers.
	Probability float64
	Seed        uint64
	// Count is the number of requests that fail; 0 means all, until the fault is removed.
	// net/http may repeat a GET whose connection was dropped, which counts again.
	Count int

	// Latency is the delay before the request is handled. A request whose context ends
	// during the delay is not applied.
	Latency time.Duration
	// ResponseLatency is the delay between the request's handling and its response.
	ResponseLatency time.Duration

	// Status, from 200 to 599, replaces the response of the service, together with Body. The
	// request is not applied unless Apply is set. 0 keeps the response.
	Status int
	// Body is the body that is sent with Status. Its beginning determines the Content-Type.
	Body string
	// Header is set in the response, even if Status is 0. A key without values is removed.
	Header http.Header
	// Apply applies the request before the response is replaced. A request that the
	// service refuses keeps its response.
	Apply bool

	// Drop determines when the connection is dropped.
	Drop Drop
	// BodyBytes is the number of bytes of the body that [DropInBody] lets through.
	BodyBytes int
}

// Drop is the point at which a [Fault] drops the connection.
type Drop int

const (
	// DropNever keeps the connection.
	DropNever Drop = iota
	// DropBeforeRequest drops the connection before the request is applied.
	DropBeforeRequest
	// DropAfterRequest drops the connection after the request was applied, without a response.
	DropAfterRequest
	// DropInBody truncates the body of the response to BodyBytes.
	DropInBody
)

// Inject makes requests fail as f describes. If several faults select a request, only the
// one that was injected first takes effect. The returned function removes the fault; it
// may be called more than once. Inject panics if a number of f is negative or out of range,
// if its operation is unknown, or if Body or Apply is set without Status.
func (s *Server) Inject(f Fault) (remove func()) {
	if err := f.check(); err != nil {
		panic(fmt.Sprintf("secretsstoretest: Inject: %v", err))
	}
	f.Header = f.Header.Clone()
	return s.faults.add(&injected{Fault: f, random: rand.New(rand.NewPCG(f.Seed, 0))})
}

func (f Fault) check() error {
	switch {
	case f.Operation != "" && !f.Operation.known():
		return fmt.Errorf("unknown operation %q", f.Operation)
	case f.Skip < 0 || f.Count < 0 || f.Latency < 0 || f.ResponseLatency < 0 || f.BodyBytes < 0:
		return errors.New("negative number")
	case !(0 <= f.Probability && f.Probability <= 1):
		return errors.New("probability must be from 0 to 1")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("invalid status %d", f.Status)
	case f.Status == 0 && (f.Body != "" || f.Apply):
		return errors.New("status missing: Body and Apply need one")
	}
	return nil
}

// injected is a fault that takes effect.
type injected struct {
	Fault
	random  *rand.Rand
	skipped int
	used    int
}

// faults are the faults of a server, in the order of injection. It is safe for
// concurrent use.
type faults struct {
	mu   sync.Mutex
	list []*injected
}

func (fs *faults) add(in *injected) (remove func()) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = append(fs.list, in)
	return func() {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		fs.list = slices.DeleteFunc(fs.list, func(other *injected) bool { return other == in })
	}
}

// pick returns the fault that takes effect on a request.
func (fs *faults) pick(op Operation, r *http.Request) (Fault, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.list) == 0 {
		return Fault{}, false
	}
	r = r.WithContext(r.Context())
	r.Body = http.NoBody
	for i, in := range fs.list {
		if !in.selects(op, r) {
			continue
		}
		if in.used++; in.used == in.Count {
			fs.list = slices.Delete(fs.list, i, i+1)
		}
		return in.Fault, true
	}
	return Fault{}, false
}

func (in *injected) selects(op Operation, r *http.Request) bool {
	if in.Operation != "" && in.Operation != op || in.Match != nil && !in.Match(r) {
		return false
	}
	if in.skipped < in.Skip {
		in.skipped++
		return false
	}
	return in.Probability == 0 || in.random.Float64() < in.Probability
}

// handle calls next, unless the fault keeps the request from being applied, and returns
// the response as the fault changes it.
func (f Fault) handle(ctx context.Context, next func() response) response {
	if sleep(ctx, f.Latency) != nil || f.Drop == DropBeforeRequest {
		return response{dropped: true}
	}
	var res response
	if f.Status == 0 || f.Apply {
		res = next()
	}
	if res.header == nil {
		res.header = http.Header{}
	}
	if f.Status != 0 && res.status < http.StatusBadRequest {
		res.status, res.body = f.Status, []byte(f.Body)
		res.header["Content-Type"] = contentType(f.Body)
	}
	for k, v := range f.Header {
		res.header[http.CanonicalHeaderKey(k)] = slices.Clone(v)
	}
	if sleep(ctx, f.ResponseLatency) != nil || f.Drop == DropAfterRequest {
		return response{dropped: true}
	}
	if f.Drop == DropInBody {
		res.withheld = max(0, len(res.body)-f.BodyBytes)
	}
	return res
}

// contentType returns the values of the Content-Type header of a body.
func contentType(body string) []string {
	switch body = strings.TrimSpace(body); {
	case body == "":
		return nil
	case body == "null" || strings.ContainsAny(body[:1], `{["`):
		return []string{"application/json"}
	case body[0] == '<':
		return []string{"text/html; charset=UTF-8"}
	}
	return []string{"text/plain; charset=UTF-8"}
}

// sleep waits for d, or until ctx ends, and returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	return ctx.Err()
}
