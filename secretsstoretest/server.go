package secretsstoretest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
)

// A Server is an in-memory Secrets Store. Its fields must not be changed. Its methods are
// safe for concurrent use.
type Server struct {
	// URL is the base URL, which ends in /client/v4.
	URL string
	// AccountID is the id of the account that exists from the start.
	AccountID string
	// APIToken has write permission in AccountID and in all accounts added by AddAccount.
	APIToken string
	// Email and APIKey are the older kind of credentials, with the same permissions.
	Email, APIKey string

	service     *service
	faults      faults
	log         requestLog
	router      http.Handler
	token, user *principal // of APIToken, and of Email and APIKey
	rays        atomic.Uint64

	listener *httptest.Server   // nil without a listener
	cancel   context.CancelFunc // ends requests that wait
}

// NewServer starts a server on a free port of the loopback interface, unless
// [WithoutListener] is set. The caller should
// call [Server.Close] when finished. NewServer panics if an option is invalid or no port
// is available.
func NewServer(opts ...ServerOption) *Server {
	c := defaultConfig()
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(&c); err != nil {
			panic(fmt.Sprintf("secretsstoretest: NewServer: %v", err))
		}
	}
	s := &Server{
		URL:       "https://secretsstore.invalid" + basePath,
		AccountID: c.accountID, APIToken: c.token, Email: c.email, APIKey: c.key,
		log:   requestLog{hook: c.hook},
		token: &principal{tokenID: hashID("token"), grants: map[string]Permission{}},
		user:  &principal{grants: map[string]Permission{}},
	}
	s.service = &service{
		state: &state{limits: c.limits, stores: map[string]*store{}},
		access: &access{
			accounts: map[string]bool{},
			tokens:   map[string]*principal{c.token: s.token},
			keys:     map[[2]string]*principal{keyOf(c.email, c.key): s.user},
		},
		rate: &rateLimit{n: c.rate, window: c.window},
	}
	s.AddAccount(c.accountID)
	s.router = newRouter(s.endpoint)
	if c.listen {
		s.listen()
	}
	return s
}

func (s *Server) listen() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.listener = httptest.NewUnstartedServer(s.Handler())
	s.listener.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	s.listener.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.listener.Start()
	s.URL = s.listener.URL + basePath
}

// Close closes the listener and all connections, and blocks until no request is in flight.
// Stored data remains available, and [Server.Transport] and [Server.Handler] keep working.
// Without a listener, Close does nothing.
func (s *Server) Close() {
	if s.listener != nil {
		s.cancel()
		s.listener.CloseClientConnections()
		s.listener.Close()
	}
}

// Client returns a client of the server that uses APIToken and AccountID, and ignores the
// environment. Further options override these. Without a listener, it sends requests through
// [Server.Transport]. Client panics if an option is invalid.
func (s *Server) Client(opts ...secretsstore.Option) *secretsstore.Client {
	all := []secretsstore.Option{
		secretsstore.WithoutEnvironment(),
		secretsstore.WithBaseURL(s.URL),
		secretsstore.WithAPIToken(s.APIToken),
		secretsstore.WithAccountID(s.AccountID),
	}
	if s.listener == nil {
		all = append(all, secretsstore.WithHTTPClient(&http.Client{Transport: s.Transport()}))
	}
	c, err := secretsstore.NewClient(append(all, opts...)...)
	if err != nil {
		panic(fmt.Sprintf("secretsstoretest: Client: %v", err))
	}
	return c
}

// Handler returns the server as a handler of paths below /client/v4, for programs with a
// listener of their own. It drops connections by panicking with [http.ErrAbortHandler].
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.router.ServeHTTP(w, r)
		// net/http resets the connection if much of the body is unread, which can destroy
		// the response.
		if r.Body != nil {
			_, _ = io.CopyN(io.Discard, r.Body, maxBody)
		}
	})
}

// buffer reads the body of a request. net/http notices that a client has gone only after
// the body was read.
func buffer(r *http.Request) {
	b, _ := io.ReadAll(io.LimitReader(r.Body, maxBody+1)) // an error is returned again
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b), r.Body))
}

// endpoint returns the handler of an operation: the log observes faults, and faults wrap
// the service.
func (s *Server) endpoint(op operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil {
			r.Body = http.NoBody
		}
		ray := fmt.Sprintf("%016x-TST", s.rays.Add(1))
		res := s.log.record(op.Operation, r, ray, func() (response, bool) {
			serve := func() response { return s.service.serve(op, r) }
			if f, ok := s.faults.pick(op.Operation, r); ok {
				if f.Latency > 0 {
					buffer(r)
				}
				return f.handle(r.Context(), serve), true
			}
			return serve(), false
		})
		w.Header().Set("Cf-Ray", ray)
		w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
		res.write(w)
	})
}
