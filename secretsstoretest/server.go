package secretsstoretest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
)

// maxBody is how much of a request's body is read: a hundred of the longest values,
// even if each byte of them is escaped as \n is.
const maxBody = 16 << 20

// Server is a Secrets Store in memory. Its fields say how to reach it and sign in;
// they are for reading only. All methods are safe for concurrent use.
type Server struct {
	// URL is the base URL, what [secretsstore.WithBaseURL] takes; it ends in /client/v4.
	URL string
	// AccountID is the account that is there from the start.
	AccountID string
	// APIToken may read and write in AccountID, and in what AddAccount adds.
	APIToken string
	// Email and APIKey are the older credentials; they may do what APIToken may.
	Email  string
	APIKey string

	state  *state
	creds  *credentials
	own    [2]*principal // of APIToken, and of Email with APIKey
	limit  *limit
	faults *faults
	log    *requestLog
	rays   atomic.Uint64

	listener net.Listener // nil: none
	http     *http.Server
	stop     context.CancelFunc
	serving  sync.WaitGroup
	closing  sync.Once
}

// NewServer starts a server on the loopback interface, at a port that is free. It is
// empty: it has one account, and no store. Call [Server.Close] when it is no longer
// needed. What is not set by an option is made up.
//
// Like the servers of package httptest, NewServer is meant for tests and has no error
// result: it panics if an option is wrong, or if it can't listen.
func NewServer(opts ...ServerOption) *Server {
	c := defaults()
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
		state: &state{
			clock: c.clock, newID: c.newID, maxStores: c.maxStores, maxSecrets: c.maxSecrets, pendingFor: c.pendingFor,
			accounts: map[string]*account{}, stores: map[string]*store{},
		},
		creds:  newCredentials(),
		limit:  &limit{n: c.rate, window: c.rateWindow, clock: c.clock},
		faults: &faults{},
		log:    newRequestLog(c.logSize, c.hook),
	}
	for i := range s.own {
		s.own[i] = &principal{id: randomHex(16), grants: map[string]Permission{}}
	}
	s.creds.tokens[c.token], s.creds.keys[keyOf(c.email, c.key)] = s.own[0], s.own[1]
	s.AddAccount(c.accountID)
	if c.listen {
		s.start()
	}
	return s
}

func (s *Server) start() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		if listener, err = net.Listen("tcp6", "[::1]:0"); err != nil {
			panic(fmt.Sprintf("secretsstoretest: NewServer: can't listen on a loopback port: %v", err))
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	s.listener, s.stop = listener, stop
	s.URL = "http://" + listener.Addr().String() + basePath
	s.http = &http.Server{
		Handler:     s.Handler(),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(io.Discard, "", 0), // what clients do to a connection is no news
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.serving.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.serving.Done()
			}
		},
	}
	s.serving.Add(1)
	go func() {
		defer s.serving.Done()
		_ = s.http.Serve(listener) // until Close
	}()
}

// Close stops listening, cuts the connections that are open, ends what waits there
// because of a [Fault], and returns when no request is served any more. What is
// stored stays, and can still be looked at from Go; [Server.Transport] and
// [Server.Handler] go on working. Closing twice is closing once.
func (s *Server) Close() {
	s.closing.Do(func() {
		if s.listener == nil {
			return
		}
		s.stop()
		_ = s.http.Close()
		s.serving.Wait()
	})
}

// Client returns a client of this server, signed in with APIToken, on AccountID. It
// ignores the environment. The options are added to these, and win. A server without a
// listener is reached over [Server.Transport]. Client panics if the options are wrong.
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
		panic(fmt.Sprintf("secretsstoretest: Server.Client: %v", err))
	}
	return c
}

// serve answers a request as the service does, in the order that the service checks:
// who is it, how much did they ask already, what do they ask, may they.
func (s *Server) serve(r *http.Request, t target, routeFailure *failure, body []byte, h http.Header) (a answer, rateLimited bool) {
	p, unauthenticated := s.creds.authenticate(r.Header)
	if !s.limit.take(p, h) {
		return errRateLimited().answer(), true
	}
	if routeFailure != nil {
		return routeFailure.answer(), false
	}
	if unauthenticated != nil {
		if t.op == OpVerifyToken && unauthenticated.status == http.StatusUnauthorized {
			unauthenticated = errInvalidToken()
		}
		return unauthenticated.answer(), false
	}
	if t.op == OpVerifyToken {
		return verifyToken(r, p), false
	}
	if f := s.creds.authorize(p, t.account, t.op); f != nil {
		return f.answer(), false
	}
	if len(body) > maxBody {
		return errBodyTooLarge().answer(), false
	}
	done, f := s.perform(call{target: t, query: r.URL.Query(), body: body})
	if f != nil {
		return f.answer(), false
	}
	return done.answer(), false
}

// verifyToken tells a token, not a user with email and key, that it is valid.
func verifyToken(r *http.Request, p *principal) answer {
	if r.Header.Get("Authorization") == "" {
		return errInvalidToken().answer()
	}
	return reply{
		result:   map[string]string{"id": p.id, "status": "active"},
		messages: []note{{Code: 10000, Message: "This API Token is valid and active"}},
	}.answer()
}

// ray returns the next CF-Ray. They count up: a test that runs again sees the same.
func (s *Server) ray() string {
	n := fmt.Sprintf("%x", s.rays.Add(1))
	return strings.Repeat("0", 16-len(n)) + n + "-TST"
}
