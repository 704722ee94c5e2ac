package faultproxy

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Server serves a handler at an address that stays the same when it is stopped and
// started again, and counts its connections.
type Server struct {
	Addr string

	handler http.Handler
	open    atomic.Int64
	running sync.WaitGroup
	http    *http.Server // nil: stopped
}

// Serve starts a server. It stops with the test.
func Serve(t testing.TB, handler http.Handler) *Server {
	t.Helper()
	s := &Server{Addr: "127.0.0.1:0", handler: handler}
	require.NoError(t, s.Start())
	t.Cleanup(s.Stop)
	return s
}

// Open returns how many connections are open. A connection whose last byte was
// just read can still be counted.
func (s *Server) Open() int64 { return s.open.Load() }

// Start starts the server again. It may not be called while Stop is.
func (s *Server) Start() error {
	listener, err := net.Listen("tcp", s.Addr)
	if err != nil {
		return err
	}
	s.Addr = listener.Addr().String()
	server := &http.Server{
		Handler:  s.handler,
		ErrorLog: log.New(io.Discard, "", 0), // what is done to a connection here is no news
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.open.Add(1)
				s.running.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.open.Add(-1)
				s.running.Done()
			}
		},
	}
	s.http = server
	s.running.Go(func() { _ = server.Serve(listener) }) // until Stop
	return nil
}

// Stop stops listening, cuts the connections, and returns when no request is served
// any more. Stopping twice is stopping once.
func (s *Server) Stop() {
	if s.http == nil {
		return
	}
	_ = s.http.Close()
	s.running.Wait()
	s.http = nil
}
