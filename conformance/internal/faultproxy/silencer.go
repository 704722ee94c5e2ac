package faultproxy

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Silencer is a proxy whose connections can be silenced: they stay open and take
// what is sent, and nothing of it arrives, as when a device on the way has
// forgotten the connection. Those that come later work.
type Silencer struct {
	Addr string

	upstream string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	pairs  []*pair
}

// pair is a connection from the client and the one to the server.
type pair struct {
	client, server    net.Conn
	requests, answers atomic.Bool // silent
}

// StartSilencer starts a proxy in front of the server at the address upstream. It
// stops with the test.
func StartSilencer(t testing.TB, upstream string) *Silencer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &Silencer{Addr: listener.Addr().String(), upstream: upstream, listener: listener}
	s.running.Go(s.accept)
	t.Cleanup(s.stop)
	return s
}

// Silence silences the connections that are open now: their answers, and their
// requests too if all is set.
func (s *Silencer) Silence(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pairs {
		p.answers.Store(true)
		p.requests.Store(all)
	}
}

// Accepted returns how many connections there have been.
func (s *Silencer) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pairs)
}

func (s *Silencer) accept() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return // stopped
		}
		server, err := net.Dial("tcp", s.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		p := &pair{client: client, server: server}
		s.mu.Lock()
		if s.closed {
			p.close()
		}
		s.pairs = append(s.pairs, p)
		s.mu.Unlock()
		s.running.Go(func() { p.pass(server, client, &p.requests) })
		s.running.Go(func() { p.pass(client, server, &p.answers) })
	}
}

// pass copies until one side has ended, and takes the other down with it.
func (p *pair) pass(to io.Writer, from io.Reader, silent *atomic.Bool) {
	defer p.close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !silent.Load() {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *pair) close() {
	_ = p.client.Close()
	_ = p.server.Close()
}

func (s *Silencer) stop() {
	_ = s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for _, p := range s.pairs {
		p.close()
	}
	s.mu.Unlock()
	s.running.Wait()
}
