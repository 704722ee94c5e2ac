package redislimit

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server is a redis-server of one test, on a Unix socket.
type server struct {
	t      testing.TB
	socket string
	args   []string
	cmd    *exec.Cmd
	out    bytes.Buffer
}

// startRedis starts a server. By default it keeps nothing on disk.
func startRedis(t testing.TB, args ...string) *server {
	if _, err := exec.LookPath("redis-server"); err != nil {
		const install = "redis-server is not installed (Debian: apt-get install redis-server)"
		if os.Getenv("CI") == "true" {
			t.Fatal(install)
		}
		t.Skip(install)
	}
	dir, err := os.MkdirTemp("", "redis") // t.TempDir can be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{t: t, socket: filepath.Join(dir, "socket")}
	s.args = append([]string{"--port", "0", "--unixsocket", s.socket, "--dir", dir, "--save", "", "--appendonly", "no"}, args...)
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start starts the server and returns when it replies.
func (s *server) start() {
	s.out.Reset()
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	require.NoError(s.t, s.cmd.Start())
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket})
	defer rdb.Close()
	require.Eventually(s.t, func() bool { return rdb.Ping(context.Background()).Err() == nil }, time.Minute, 5*time.Millisecond)
}

// kill ends the server with SIGKILL.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// pause makes the server accept commands and reply to none.
func (s *server) pause() {
	require.NoError(s.t, s.client().Do(context.Background(), "CLIENT", "PAUSE", time.Hour.Milliseconds(), "ALL").Err())
}

func (s *server) client() *redis.Client {
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket})
	s.t.Cleanup(func() { rdb.Close() })
	return rdb
}

// A monitor records what the server executes: when it grants each call, and how many
// scripts run.
type monitor struct {
	conn    net.Conn
	wg      sync.WaitGroup
	granted []time.Time
	scripts int
}

// monitor starts to record the calls of l.
func (s *server) monitor(l *Limiter) *monitor {
	conn, err := net.Dial("unix", s.socket)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { conn.Close() })
	_, err = conn.Write([]byte("MONITOR\r\n"))
	require.NoError(s.t, err)
	lines := bufio.NewScanner(conn)
	require.True(s.t, lines.Scan()) // +OK
	m := &monitor{conn: conn}
	m.wg.Go(func() {
		for lines.Scan() {
			// +1795587580.260211 [0 lua] "SET" "rate:fleet" "312358780.2234568" "EX" "5"
			line := strings.Fields(lines.Text())
			switch {
			case len(line) < 6:
			case line[3] == `"evalsha"` || line[3] == `"eval"`:
				m.scripts++
			case line[3] == `"SET"` && line[4] == `"rate:`+l.key+`"`:
				executed, due := parseTime(s.t, line[0][1:]), parseTime(s.t, strings.Trim(line[5], `"`))
				due = due.Add(epoch - l.burst)
				if due.Before(executed) {
					due = executed
				}
				m.granted = append(m.granted, due)
			}
		}
	})
	return m
}

// epoch is what the times of redis_rate start from.
const epoch = 1483228800 * time.Second

func parseTime(t testing.TB, seconds string) time.Time {
	d, err := time.ParseDuration(seconds + "s")
	assert.NoError(t, err)
	return time.Unix(0, 0).Add(d)
}

// stop ends the recording, and returns when the calls so far were or will be granted.
func (m *monitor) stop() []time.Time {
	time.Sleep(100 * time.Millisecond)
	m.conn.Close()
	m.wg.Wait()
	slices.SortFunc(m.granted, time.Time.Compare)
	return m.granted
}
